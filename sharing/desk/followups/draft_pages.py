"""The pages on which an officer chooses a draft of what follows a notice, and gets it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sharing.desk.contents.access import HiddenReason
from sharing.desk.followups.draft_making import DraftMaker
from sharing.desk.followups.forms import SHOW, format_day, format_default_expiry, read_draft_choice
from sharing.desk.followups.hidden_words import explain_hidden
from sharing.desk.followups.preservations import PreservationBook, PreservationList, WatchedPreservation
from sharing.desk.followups.words import explain_unknown_preservations, list_kinds, list_severity_words
from sharing.desk.services import DeskServices
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _
from sharing.desk.web.code_words import name_country
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.errors import InfrastructureError
from sharing.followups.document import FollowUpDocument, FollowUpKind
from sharing.followups.drafting import list_fitting
from sharing.followups.files import DraftFormat, write_file
from sharing.model.notice import Notice


class DraftPages:
    """The endpoints. Starlette runs each in a thread, so they may block.

    Args:
        services: What the pages need of the world.
    """

    def __init__(self, services: DeskServices, book: PreservationBook) -> None:
        self._services = services
        self._drafts = DraftMaker(services)
        self._book = book

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
        if choice.kind is FollowUpKind.PRESERVATION and self._read_preservations() is None:
            form.refuse("kind", explain_unknown_preservations())
            return self._show_choice(request, form, 503)
        provider, item = request.path_params["provider"], request.path_params["item"]
        notice = self._drafts.open_notice(officer, provider, item)
        if choice.kind not in list_fitting(notice):
            form.refuse(
                "kind",
                _("The item is not about an account, card or payment, so no stop-payment sheet is drafted from it."),
            )
            return self._show_choice(request, form, 400)
        document = self._drafts.make(officer, notice, choice.kind, choice.addressee, choice.extends)
        if choice.form is None:
            return self._show_draft(request, form, notice, document)
        file = write_file(document, choice.form)
        headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        return Response(file.data, 200, headers, file.media_type)

    def _show_choice(self, request: Request, form: Form, status: int) -> Response:
        provider, item = request.path_params["provider"], request.path_params["item"]
        contents = self._services.contents
        found = contents.inbox.find_newest(provider, item, is_offer=False)
        if found is None:
            is_read = contents.inbox.is_read
            raise PageError(404 if is_read else 503, *explain_hidden(None if is_read else HiddenReason.NOT_READ_YET))
        states, is_known = self._drafts.list_states()
        preservations = self._read_preservations()
        kinds = list_kinds()
        if preservations is None:
            kinds = [each for each in kinds if each[0] != FollowUpKind.PRESERVATION]
        return render(
            request,
            "followups/choose.html",
            status,
            form=form,
            provider=provider,
            item=item,
            row=found.row,
            kinds=kinds,
            forms=_list_forms(),
            states=[(code, f"{code}: {name_country(code)}") for code in states],
            is_known=is_known,
            earlier=[] if preservations is None else _list_earlier(preservations, provider, item),
            unknown=explain_unknown_preservations() if preservations is None else "",
            unreadable=0 if preservations is None else preservations.unreadable,
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

    def _read_preservations(self) -> PreservationList | None:
        """Return what other States preserve; None while that is not known."""
        try:
            return self._book.list_all()
        except InfrastructureError:
            return None


def _list_earlier(preservations: PreservationList, provider: str, item: str) -> list[WatchedPreservation]:
    """Return what other States preserve after an item."""
    return [
        each
        for each in preservations.watched
        if (each.preservation.from_state, each.preservation.item) == (provider, item)
    ]


def _list_forms() -> list[tuple[str, str]]:
    """Return the forms of a draft, with their names."""
    return [
        (SHOW, _("Show and print")),
        (DraftFormat.WORD.value, _("Word (.docx)")),
        (DraftFormat.MARKDOWN.value, _("Markdown (.md)")),
        (DraftFormat.HTML.value, _("Web page to print (.html)")),
    ]
