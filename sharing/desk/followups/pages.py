"""The pages of follow-ups: choose, draft, and watch what other States preserve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.desk.contents.access import HiddenReason
from sharing.desk.followups.draft_making import DraftMaker
from sharing.desk.followups.forms import (
    SHOW,
    format_day,
    format_default_expiry,
    read_close_reason,
    read_day,
    read_draft_choice,
    read_state,
    read_version,
)
from sharing.desk.followups.hidden_words import explain_hidden
from sharing.desk.followups.preservations import PreservationBook, PreservationList, WatchedPreservation
from sharing.desk.followups.words import list_close_reasons, list_kinds, list_severity_words
from sharing.desk.services import DeskServices
from sharing.desk.store.desk_record import RecordConflictError
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _, translate_error
from sharing.desk.web.code_words import name_country
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.errors import InfrastructureError, InputError
from sharing.followups.document import FollowUpDocument, FollowUpKind
from sharing.followups.drafting import list_fitting
from sharing.followups.expiry import URGENT_DAYS, WARN_DAYS, ExpiryLevel, Preservation
from sharing.followups.files import DraftFormat, write_file
from sharing.model.notice import Notice

_CLOSED_SHOWN_MAX: Final = 50


def list_routes(services: DeskServices) -> list[BaseRoute]:
    """Return the routes of the pages."""
    pages = FollowUpPages(services)
    return [
        Route("/followups", pages.list_preservations, methods=["GET"]),
        Route("/followups/preservations", pages.begin_preservation, methods=["POST"]),
        Route("/followups/preservations/{record}", pages.show_preservation, methods=["GET"]),
        Route("/followups/preservations/{record}/renew", pages.renew_preservation, methods=["POST"]),
        Route("/followups/preservations/{record}/close", pages.close_preservation, methods=["POST"]),
        Route("/followups/{provider}/{item}", pages.choose_draft, methods=["GET"]),
        Route("/followups/{provider}/{item}/drafts", pages.make_draft, methods=["POST"]),
    ]


class FollowUpPages:
    """The endpoints. Starlette runs each in a thread, so they may block.

    Args:
        services: What the pages need of the world.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services
        self._drafts = DraftMaker(services)
        self._book = PreservationBook(services)

    def choose_draft(self, request: Request) -> Response:
        """Show what can be drafted from a received item. Nothing of it is opened."""
        require_officer(request)
        return self._show_choice(request, Form(), 200)

    def make_draft(self, request: Request) -> Response:
        """Open the notice, which is recorded, and return the draft as a page or a file."""
        officer, form = require_officer(request).officer, read_form(request)
        choice = read_draft_choice(form, self._services.console.state)
        if choice is None:
            return self._show_choice(request, form, 400)
        provider, item = request.path_params["provider"], request.path_params["item"]
        notice = self._drafts.open_notice(officer, provider, item)
        if choice.kind not in list_fitting(notice):
            form.refuse(
                "kind",
                _("The item is about no account, card or payment, so no stop-payment sheet is drafted from it."),
            )
            return self._show_choice(request, form, 400)
        document = self._drafts.make(officer, notice, choice.kind, choice.addressee, choice.extends)
        if choice.form is None:
            return self._show_draft(request, form, notice, document)
        file = write_file(document, choice.form)
        headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        return Response(file.data, 200, headers, file.media_type)

    def list_preservations(self, request: Request) -> Response:
        """Show what other States preserve for us, the least time left first."""
        require_officer(request)
        return self._show_list(request)

    def begin_preservation(self, request: Request) -> Response:
        """Watch a preservation that was asked for."""
        signed_in, form = require_officer(request), read_form(request)
        zone = signed_in.session.time_zone
        addressee = read_state(
            form, "addressee", self._services.console.state, required=_("Type the State that was asked.")
        )
        requested = read_day(form, "requested", zone, required=_("Type the day on which it was asked for."))
        expires = read_day(form, "expires", zone, required=_("Type the day until which the data are kept."))
        reference = form.read_text("reference", length_max=100)
        preservation = None
        if form.is_valid and addressee and requested is not None and expires is not None:
            preservation = _make_preservation(form, addressee, requested, expires, reference)
        if preservation is not None:
            try:
                self._book.begin(signed_in.officer.id, preservation)
            except InputError as error:
                form.refuse(error.field, translate_error(error))
        if not form.is_valid:
            return render(request, "followups/watch.html", 400, form=form)
        return RedirectResponse("/followups?done=watched", 303)

    def show_preservation(self, request: Request) -> Response:
        """Show one preservation, to renew or close it."""
        require_officer(request)
        return self._show_one(request, Form(), self._require(request), 200)

    def renew_preservation(self, request: Request) -> Response:
        """Give a preservation a later date."""
        signed_in, form = require_officer(request), read_form(request)
        watched = self._require(request)
        zone = signed_in.session.time_zone
        expires = read_day(form, "expires", zone, required=_("Type the day until which the data are kept."))
        reference = form.read_text("reference", length_max=100)
        if form.is_valid and expires is not None:
            try:
                self._book.renew(watched.id, read_version(form), signed_in.officer.id, expires, reference)
                return RedirectResponse("/followups?done=renewed", 303)
            except RecordConflictError:
                return self._show_conflict(request, form)
            except InputError as error:
                form.refuse(error.field, translate_error(error))
        return self._show_one(request, form, watched, 400)

    def close_preservation(self, request: Request) -> Response:
        """Stop watching a preservation."""
        signed_in, form = require_officer(request), read_form(request)
        watched = self._require(request)
        reason = read_close_reason(form)
        if reason is not None:
            try:
                self._book.close(watched.id, read_version(form), signed_in.officer.id, reason)
                return RedirectResponse("/followups?done=closed", 303)
            except RecordConflictError:
                return self._show_conflict(request, form)
            except InputError as error:
                form.refuse(error.field, translate_error(error))
        return self._show_one(request, form, watched, 400)

    def _show_choice(self, request: Request, form: Form, status: int) -> Response:
        provider, item = request.path_params["provider"], request.path_params["item"]
        contents = self._services.contents
        found = contents.inbox.find_newest(provider, item, is_offer=False)
        if found is None:
            is_read = contents.inbox.is_read
            raise PageError(404 if is_read else 503, *explain_hidden(None if is_read else HiddenReason.NOT_READ_YET))
        states, is_known = self._drafts.list_states()
        return render(
            request,
            "followups/choose.html",
            status,
            form=form,
            provider=provider,
            item=item,
            row=found.row,
            kinds=list_kinds(),
            forms=_list_forms(),
            states=[(code, f"{code}: {name_country(code)}") for code in states],
            is_known=is_known,
            earlier=self._list_earlier(provider, item),
        )

    def _show_draft(self, request: Request, form: Form, notice: Notice, document: FollowUpDocument) -> Response:
        zone = require_officer(request).session.time_zone
        now = self._services.read_clock()
        watch = Form.of(
            {
                "provider": notice.from_state,
                "item": notice.item_id,
                "notice": notice.id,
                "addressee": form.get("addressee"),
                "requested": format_day(now, zone),
                "expires": format_default_expiry(now, zone),
            }
        )
        return render(
            request,
            "followups/draft.html",
            form=form,
            watch=watch,
            document=document,
            notice=notice,
            is_preservation=document.kind is FollowUpKind.PRESERVATION,
            severities=list_severity_words(),
            forms=_list_forms(),
        )

    def _show_list(self, request: Request) -> Response:
        found = self._book.list_all()
        return render(
            request,
            "followups/preservations.html",
            watched=found.watched,
            closed=found.closed[:_CLOSED_SHOWN_MAX],
            closed_count=len(found.closed),
            unreadable=found.unreadable,
            overdue=found.count(ExpiryLevel.OVERDUE),
            urgent=found.count(ExpiryLevel.URGENT),
            soon=found.count(ExpiryLevel.SOON),
            urgent_days=URGENT_DAYS,
            warn_days=WARN_DAYS,
            reasons=dict(list_close_reasons()),
            done=request.query_params.get("done", ""),
        )

    def _show_one(self, request: Request, form: Form, watched: WatchedPreservation, status: int) -> Response:
        return render(
            request, "followups/preservation.html", status, form=form, watched=watched, reasons=list_close_reasons()
        )

    def _show_conflict(self, request: Request, form: Form) -> Response:
        """Show the preservation as somebody else has left it, with what was typed."""
        form.refuse("", _("Somebody else has changed this since you opened it. Look at it, then decide again."))
        return self._show_one(request, form, self._require(request), 409)

    def _require(self, request: Request) -> WatchedPreservation:
        try:
            found = self._book.find(request.path_params["record"])
        except InputError:  # no id of a record
            found = None
        if found is None:
            raise PageError(404)
        return found

    def _list_earlier(self, provider: str, item: str) -> list[WatchedPreservation]:
        """Return what other States preserve after this item; nothing while that is not known."""
        try:
            found: PreservationList = self._book.list_all()
        except InfrastructureError:
            return []
        return [
            each
            for each in found.watched
            if (each.preservation.from_state, each.preservation.item) == (provider, item)
        ]  # fmt: skip


def _make_preservation(
    form: Form, addressee: str, requested: int, expires: int, reference: str
) -> Preservation | None:  # fmt: skip
    """Return a preservation as it was typed; None if it is none, and then the form says why."""
    if expires <= requested:
        form.refuse("expires", _("The data are kept until a day after the one on which that was asked for."))
        return None
    fields: Mapping[str, object] = {
        "notice": form.get("notice"),
        "from_state": form.get("provider"),
        "item": form.get("item"),
        "addressee": addressee,
        "reference": reference,
        "requested_at": requested,
        "expires_at": expires,
    }
    try:
        return Preservation.model_validate(fields)
    except ValidationError:  # the hidden fields were altered
        form.refuse("", _("This form is damaged. Open the draft again, and watch it from there."))
        return None


def _list_forms() -> list[tuple[str, str]]:
    """Return the forms of a draft, with their names."""
    return [
        (SHOW, _("Show and print")),
        (DraftFormat.WORD.value, _("Word (.docx)")),
        (DraftFormat.MARKDOWN.value, _("Markdown (.md)")),
        (DraftFormat.HTML.value, _("Web page to print (.html)")),
    ]
