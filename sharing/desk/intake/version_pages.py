"""A later version of an own item, or its withdrawal by its agency: begun on its page, sent like a new item."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sharing.console.item_timeline import locate_item
from sharing.conversation_state.item_keys import pack_uuid
from sharing.desk.contents.access import is_publisher
from sharing.desk.intake.drafted_items import draft_version
from sharing.desk.intake.intake_desk import IntakeDesk
from sharing.desk.intake.intake_page import go_to
from sharing.desk.services import DeskServices
from sharing.desk.store.desk_record import RecordConflictError
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _, translate_error
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import read_form
from sharing.errors import InputError
from sharing.model.indicator_record import SHORT_TEXT_MAX
from sharing.model.vocabulary import Action


class VersionPages:
    """Begins later versions.

    Args:
        desk: What the intake uses.
        services: What opens the copies of items.
    """

    def __init__(self, desk: IntakeDesk, services: DeskServices) -> None:
        self._desk = desk
        self._services = services

    def begin(self, request: Request) -> Response:
        """Keep the draft of the next version, with what the item says now, and go on to its page.

        That the officer sees the content is recorded, as on the page of the item.
        """
        officer, form = require_officer(request).officer, read_form(request)
        name, reason = form.get("item").strip(), form.read_text("reason", length_max=SHORT_TEXT_MAX)
        is_withdrawal = form.get("action") == Action.WITHDRAW
        if not form.is_valid:
            raise PageError(400, next(iter(form.errors.values())), _("Go back, correct this, and send it again."))
        if is_withdrawal and not reason:
            raise PageError(400, _("Say why the item is withdrawn."), _("Go back, and enter the reason."))
        if pack_uuid(name) is None:
            raise PageError(404)
        view = self._services.contents.show_own(officer, locate_item(self._services.console, name))
        publisher = self._desk.publisher
        if view.draft is None or publisher is None or not is_publisher(officer, view.draft.publisher):
            raise PageError(
                403,
                _("Only the officer who has published an item publishes a later version of it."),
                _("Ask that officer, or the agency of the item."),
            )
        if view.draft.publisher.agency != publisher.agency:
            raise PageError(
                403,
                _("The item was published under another agency than that of this desk."),
                _("Publish the later version where the item was published."),
            )
        draft = draft_version(view.draft.record, Action.WITHDRAW if is_withdrawal else Action.SUPERSEDE, reason)
        try:
            kept = self._desk.items.begin_version(officer.id, draft)
        except (InputError, RecordConflictError) as error:
            raise PageError(409, translate_error(error), _("Open the page of the item again.")) from None
        return go_to(f"/intake/{kept.id}" if is_withdrawal or kept.draft.is_frozen else f"/intake/{kept.id}/item")
