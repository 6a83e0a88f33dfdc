"""The pages on which officers watch what other States preserve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sharing.desk.followups.forms import read_close_reason, read_day, read_state, read_version
from sharing.desk.followups.preservations import PreservationBook, WatchedPreservation
from sharing.desk.followups.words import list_close_reasons
from sharing.desk.store.desk_record import RecordConflictError
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _, translate_error
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.errors import InputError
from sharing.followups.expiry import URGENT_DAYS, WARN_DAYS, ExpiryLevel, Preservation

_CLOSED_SHOWN_MAX: Final = 50


class PreservationPages:
    """The endpoints. Starlette runs each in a thread, so they may block.

    Args:
        state: The State of the desk.
        book: What is watched.
    """

    def __init__(self, state: str, book: PreservationBook) -> None:
        self._state = state
        self._book = book

    def list_preservations(self, request: Request) -> Response:
        """Show what other States preserve for us, the least time left first."""
        require_officer(request)
        return self._show_list(request)

    def begin_preservation(self, request: Request) -> Response:
        """Watch a preservation that was asked for."""
        signed_in, form = require_officer(request), read_form(request)
        zone = signed_in.session.time_zone
        addressee = read_state(form, "addressee", self._state, required=_("Type the State that was asked."))
        requested = read_day(form, "requested", zone, required=_("Type the day on which preservation was requested."))
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


def _make_preservation(
    form: Form, addressee: str, requested: int, expires: int, reference: str
) -> Preservation | None:  # fmt: skip
    """Return a preservation as it was typed; None if it is none, and then the form says why."""
    if expires <= requested:
        form.refuse("expires", _("The day until which the data are kept must be later than the day of the request."))
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
