"""Lists without content: own items about which something is asked, what was received, and the search for an id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.console.conversation_words import format_revision
from sharing.console.found_asks import FoundAsk
from sharing.console.inbox_rows import InboxRow
from sharing.conversation_state.item_keys import pack_uuid
from sharing.desk.board.ask_words import describe_asked, describe_silence
from sharing.desk.board.shown_law import ShownLaw, show_law
from sharing.desk.items.content_words import describe_code
from sharing.desk.services import DeskServices
from sharing.desk.web.access import require_officer
from sharing.desk.web.catalogue import _
from sharing.desk.web.forms import Form, read_form
from sharing.desk.web.rendering import render
from sharing.desk.web.wording import capitalise
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Urgency
from sharing.rulings.asked_terms import AskedTerms

PAGE_ROWS = 50
"""How many rows a page of a list has."""

LINES_MAX = 3
"""How many of the Asks about one item its row shows; the page of the item has them all."""

FRESH_MS = 3 * DAY_MS
"""For how long a received emergency stands before what was received later."""

_PAGE_DIGITS_MAX = 6

_Row = TypeVar("_Row")


class OpenItem(NamedTuple):
    """An own item about which something is asked.

    Attributes:
        item: Its id.
        agency: The agency that published it.
        urgency: Its urgency.
        asks: The open Asks about it, that with the least time left first.
    """

    item: str
    agency: str
    urgency: str
    asks: tuple[FoundAsk, ...]

    @property
    def recipients(self) -> list[str]:
        """The States that these are about."""
        return sorted({state for found in self.asks for state in found.ask.recipients})


class AskLine(NamedTuple):
    """One of the Asks about an own item, as the list shows it.

    Attributes:
        found: The Ask.
        what: What is asked.
        silence: What happens when nobody answers.
        law: By which law.
        claimant: The id of the officer who has claimed it; None if nobody has.
    """

    found: FoundAsk
    what: str
    silence: str
    law: ShownLaw
    claimant: str | None


class ItemRow(NamedTuple):
    """An own item, as the list shows it.

    Attributes:
        item: The item.
        lines: The first Asks about it.
        more: How many more there are.
    """

    item: OpenItem
    lines: tuple[AskLine, ...]
    more: int

    @property
    def law(self) -> ShownLaw:
        """The law of its first Ask, which says which kind of information it is."""
        return self.lines[0].law


def list_open_items(asks: Iterable[FoundAsk], state: str) -> list[OpenItem]:
    """Return the State's own items about which something is asked, in the order of their first Asks."""
    by_item: dict[str, list[FoundAsk]] = {}
    for found in asks:
        if found.provider == state:
            by_item.setdefault(found.item, []).append(found)
    return [
        OpenItem(item, each[0].ask.publisher.agency, each[0].ask.urgency.value, tuple(each))
        for item, each in by_item.items()
    ]


def make_item_rows(items: Iterable[OpenItem], terms: Mapping[str, AskedTerms], now: int) -> list[ItemRow]:
    """Return items as the list shows them.

    Args:
        items: The items.
        terms: By which law the Asks are opened, by their ids, as far as that is known.
        now: The time in UTC milliseconds.
    """
    rows = []
    for item in items:
        lines = tuple(_make_line(found, show_law(terms.get(found.ask.id)), now) for found in item.asks[:LINES_MAX])
        rows.append(ItemRow(item, lines, len(item.asks) - len(lines)))
    return rows


def _make_line(found: FoundAsk, law: ShownLaw, now: int) -> AskLine:
    ask = found.ask
    return AskLine(found, describe_asked(ask), describe_silence(ask), law, ask.find_claimant(now))


class ReceivedRow(NamedTuple):
    """A received notice or offer, as the list shows it.

    Attributes:
        row: What is known of it.
        is_recalled: Whether it is recalled.
        kind: What it is, in the language of the page.
        revision: The state of the item.
        link: Address of the page of the item.
    """

    row: InboxRow
    is_recalled: bool
    kind: str
    revision: str
    link: str


def make_item_link(provider: str, item: str) -> str:
    """Return the address of the page of an item. Another State may have chosen any text for an id."""
    return f"/items/{quote(provider, safe='')}/{quote(item, safe='')}"


class ItemLists:
    """The lists.

    Args:
        services: What pages need of the world.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services

    def list_routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/items", self.list_items, methods=["GET"]),
            Route("/items", self.search, methods=["POST"]),
            Route("/inbox", self.list_inbox, methods=["GET"]),
        ]

    def list_items(self, request: Request) -> Response:
        """Show own items about which something is asked; with `q`, what has this id."""
        require_officer(request)
        name = request.query_params.get("q", "")
        if name:
            return self._find(request, Form.of({"q": name}), name)
        return self._render_items(request, Form())

    def search(self, request: Request) -> Response:
        """Go to what has an id. It is posted: whatever is typed by mistake is in no address and no log."""
        require_officer(request)
        form = read_form(request)
        name = form.read_text("q", required=_("Enter the id of an item, an indicator, a notice or a question."))
        if not form.is_valid:
            return self._render_items(request, form, 400)
        return self._find(request, form, name.lower())

    def list_inbox(self, request: Request) -> Response:
        """Show what was received, without content: nothing counts as received by it."""
        require_officer(request)
        contents = self._services.contents
        everything = contents.inbox.list_rows()
        states = sorted({row.fields["from_state"] for row, _gone in everything})
        chosen = request.query_params.get("from", "")
        chosen = chosen if chosen in states else ""
        wanted = [listed for listed in everything if not chosen or listed[0].fields["from_state"] == chosen]
        now = self._services.read_clock()
        wanted.sort(key=lambda listed: not _is_fresh_emergency(listed, now))
        page, pages, shown = _cut(wanted, request)
        rows = [_make_received_row(row, is_recalled=is_gone) for row, is_gone in shown]
        return render(
            request, "items/inbox.html", rows=rows, states=states, chosen=chosen, page=page, pages=pages,
            total=len(wanted), unreadable=len(contents.inbox.list_unreadable()), is_read=contents.inbox.is_read,
            has_reader_key=contents.has_reader_key,
        )  # fmt: skip

    def _render_items(self, request: Request, form: Form, status: int = 200) -> Response:
        services = self._services
        view = services.board.view()
        items = list_open_items(view.asks, services.console.state)
        page, pages, shown = _cut(items, request)
        terms = services.asked_law.find([found for item in shown for found in item.asks[:LINES_MAX]])
        rows = make_item_rows(shown, terms, services.read_clock())
        return render(
            request, "items/list.html", status, rows=rows, page=page, pages=pages, total=len(items), form=form,
            is_complete=view.is_complete,
        )  # fmt: skip

    def _find(self, request: Request, form: Form, name: str) -> Response:
        """Go to the page of what has an id, without looking whether there is any such item of the State's own."""
        services, index = self._services, self._services.contents.inbox
        if pack_uuid(name) is None:
            form.refuse("q", _("An id has 36 characters, such as e0c36cf3-e349-558b-b0b3-8b73e8c2ad2a."))
            return self._render_items(request, form, 400)
        if services.board.find(name) is not None:
            return RedirectResponse(f"/asks/{name}", 303)
        message = index.find(name)
        if message is not None:
            return RedirectResponse(
                make_item_link(message.row.fields["from_state"], message.row.fields["item_id"]), 303
            )
        received = index.list_items(name)
        provider = received[0][0] if received else services.console.state
        return RedirectResponse(make_item_link(provider, name), 303)


def _is_fresh_emergency(listed: tuple[InboxRow, bool], now: int) -> bool:
    row, is_recalled = listed
    is_emergency = row.fields["urgency"] == Urgency.EMERGENCY and not is_recalled
    return is_emergency and row.received_at > now - FRESH_MS


def _make_received_row(row: InboxRow, *, is_recalled: bool) -> ReceivedRow:
    revision = format_revision(row.fields["version"], row.fields["amendment"])
    link = make_item_link(row.fields["from_state"], row.fields["item_id"])
    return ReceivedRow(row, is_recalled, capitalise(_(describe_code("message", row.kind))), revision, link)


def _cut(rows: list[_Row], request: Request) -> tuple[int, int, list[_Row]]:
    """Return the number of the page that is wanted, how many there are, and its rows."""
    pages = max(1, -(-len(rows) // PAGE_ROWS))
    text = request.query_params.get("page", "1")
    page = min(max(int(text), 1), pages) if text.isascii() and text.isdigit() and len(text) <= _PAGE_DIGITS_MAX else 1
    return page, pages, rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]
