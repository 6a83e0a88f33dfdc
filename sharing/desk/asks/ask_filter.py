"""Which Asks a list shows: what a query names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from sharing.console.answer_checks import require_answerable
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.conversation.asks import Officer
from sharing.conversation.vocabulary import AskKind
from sharing.errors import InputError

HERE, ELSEWHERE, EVERY = "here", "elsewhere", "all"
DIRECTIONS: Final = (HERE, ELSEWHERE, EVERY)
"""Asked of people of this State; asked of people of other States, who answer there; both."""

MAY, CLAIMED = "may", "claimed"
SEARCH_MAX: Final = 80
PAGE_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class AskFilter:
    """Which Asks a list shows.

    Attributes:
        kind: Only those of this kind; None for all.
        state: Only those about items of, or for, this State; "" for all.
        direction: Whose people are asked.
        mine: `may`: what the officer may answer; `claimed`: what he or she has claimed; "" for all.
        search: Only those whose id, or whose item's, begins with this.
        like: Only those that are alike to this one; "" for all.
        each: Whether alike Asks are listed one by one.
        page: The page of the list.
    """

    kind: AskKind | None = None
    state: str = ""
    direction: str = HERE
    mine: str = ""
    search: str = ""
    like: str = ""
    each: bool = False
    page: int = 1

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> AskFilter:
        """Return what a query names. What it names wrongly counts as not named."""
        kind, direction, page = query.get("kind", ""), query.get("direction", ""), query.get("page", "")
        mine, state = query.get("mine", ""), query.get("state", "")
        return cls(
            kind=AskKind(kind) if kind in AskKind.__members__.values() else None,
            state=state if len(state) == 2 and state.isascii() and state.isupper() else "",  # noqa: PLR2004 ISO 3166-1
            direction=direction if direction in DIRECTIONS else HERE,
            mine=mine if mine in {MAY, CLAIMED} else "",
            search=query.get("q", "").strip().lower()[:SEARCH_MAX],
            like=query.get("like", "")[:SEARCH_MAX],
            each=query.get("each", "") == "1",
            page=min(max(int(page), 1), PAGE_MAX) if page.isascii() and page.isdigit() and len(page) < 10 else 1,  # noqa: PLR2004
        )

    def to_query(self, **changes: str | int) -> str:
        """Return the query that names the same, with changes; the page is the first, unless that is one of them."""
        named: dict[str, str | int] = {
            "kind": self.kind.value if self.kind is not None else "",
            "state": self.state,
            "direction": "" if self.direction == HERE else self.direction,
            "mine": self.mine,
            "q": self.search,
            "like": self.like,
            "each": "1" if self.each else "",
            **changes,
        }
        return urlencode({name: value for name, value in named.items() if value})

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but a search is chosen."""
        return self.kind is not None or bool(self.state or self.mine) or self.direction != HERE

    @property
    def first_page(self) -> AskFilter:
        """The same without a page: what the list is made of."""
        return replace(self, page=1)

    def select(
        self, console: ConsoleConnection, asks: Iterable[FoundAsk], officer: Officer, now: int
    ) -> list[FoundAsk]:
        """Return the Asks that the list shows, in their order.

        Args:
            console: The connection.
            asks: The open Asks.
            officer: Who looks at the list.
            now: The time in UTC milliseconds.
        """
        return [found for found in asks if self._shows(console, found, officer, now)]

    def _shows(self, console: ConsoleConnection, found: FoundAsk, officer: Officer, now: int) -> bool:
        ask = found.ask
        if self.direction != EVERY and (ask.state == console.state) != (self.direction == HERE):
            return False
        if self.kind is not None and ask.kind is not self.kind:
            return False
        if self.state and self.state != found.provider and self.state not in ask.recipients:
            return False
        if self.search and not ask.id.startswith(self.search) and not found.item.startswith(self.search):
            return False
        if self.mine == CLAIMED:
            return ask.find_claimant(now) == officer.id
        return self.mine != MAY or may_answer(console, found, officer, now)


def may_answer(console: ConsoleConnection, found: FoundAsk, officer: Officer, now: int) -> bool:
    """Return whether an officer may answer an Ask, whatever the answer."""
    try:
        require_answerable(console, found, officer.id, officer, now)
    except InputError:
        return False
    return True
