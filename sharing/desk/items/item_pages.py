"""One page for each item: what it says, what binds, by which law, what happened, and what can be done about it."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.console.item_timeline import locate_item
from sharing.console.received_items import find_received_item
from sharing.conversation_state.item_keys import pack_uuid
from sharing.desk.contents.access import is_publisher
from sharing.desk.items.content_rows import list_content_rows
from sharing.desk.items.content_words import describe_code
from sharing.desk.items.correctable_facts import list_fact_fields
from sharing.desk.items.hidden_words import HIDDEN_WORDS
from sharing.desk.items.own_item import make_own_page, read_own_history
from sharing.desk.items.received_item import make_received_page
from sharing.desk.services import DeskServices
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _
from sharing.desk.web.code_words import show_state
from sharing.desk.web.errors import PageError
from sharing.desk.web.rendering import render

_STATE: Final = re.compile(r"[A-Z]{2}")


class ItemViews:
    """The pages of items.

    Args:
        services: What pages need of the world.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [Route("/items/{provider}/{item}", self.show, methods=["GET"])]

    def show(self, request: Request) -> Response:
        """Show one item. What it says is opened only for who may see it, and recorded before it is shown."""
        require_officer(request)
        provider, item = request.path_params["provider"], request.path_params["item"]
        if not _STATE.fullmatch(provider) or pack_uuid(item) is None:
            raise PageError(404)
        is_own = provider == self._services.console.state
        return self._show_own(request, item) if is_own else self._show_received(request, provider, item)

    def _show_own(self, request: Request, item: str) -> Response:
        services, officer = self._services, require_officer(request).officer
        console, contents = services.console, services.contents
        place = locate_item(console, item)
        if place.item != item:  # the id was that of its indicator
            return RedirectResponse(f"/items/{console.state}/{place.item}", 303)
        is_whole = request.query_params.get("history") == "all"
        recorded = read_own_history(console, place, is_whole=is_whole)
        if place.conversation is None and not recorded.history.events and not recorded.unreadable:
            raise PageError(
                404,
                _(
                    "%(state)s has decided on no item with this id, or it was forgotten.",
                    state=show_state(console.state),
                ),
                _("Check the id: it is that of an item or of its indicator."),
            )
        view = contents.show_own(officer, place)
        addressed = () if place.conversation is None else contents.find_addressed(officer, place.conversation)
        agency = "" if services.publisher is None else services.publisher.agency
        draft = view.draft
        is_own = draft is not None and is_publisher(officer, draft.publisher) and draft.publisher.agency == agency
        page = make_own_page(console, place, recorded, officer, addressed, is_own_publication=is_own)
        return render(
            request, "items/own.html", item=page, reason=HIDDEN_WORDS.get(view.reason) if view.reason else "",
            rows=None if view.content is None else list_content_rows(view.content),
            facts=list_fact_fields(are_findings=False), findings=list_fact_fields(are_findings=True),
            describe=describe_code,
        )  # fmt: skip

    def _show_received(self, request: Request, provider: str, item: str) -> Response:
        services, officer = self._services, require_officer(request).officer
        console, contents = services.console, services.contents
        place = find_received_item(console, provider, item)
        is_known = place is not None or contents.inbox.has_item(provider, item)
        if not is_known and (contents.inbox.is_complete or not contents.has_reader_key):
            raise PageError(
                404,
                _("%(state)s has received no item with this id from that State, or it was forgotten.",
                  state=show_state(console.state)),
                _("Check the id, or look into the inbox."),
            )  # fmt: skip
        view = contents.show_received(officer, provider, item, place)
        page = make_received_page(console, provider, item, place, view.terms, officer)
        return render(
            request, "items/received.html", item=page, reason=HIDDEN_WORDS.get(view.reason) if view.reason else "",
            rows=None if view.content is None else list_content_rows(view.content), describe=describe_code,
        )  # fmt: skip
