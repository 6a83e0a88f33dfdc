"""The rows of the list of Asks: alike ones are one row with their number. No value of any item."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sharing.console.alike import group_alike, select_alike
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.conversation.asks import Officer
from sharing.desk.asks.ask_filter import CLAIMED, MAY, AskFilter
from sharing.desk.board.ask_words import describe_asked, describe_silence
from sharing.desk.board.board_view import BoardView
from sharing.desk.board.shown_law import ShownLaw, show_law
from sharing.model.vocabulary import Urgency
from sharing.rulings.asked_terms import AskedTerms

PAGE_ROWS: Final = 50
KEPT_MAX: Final = 32
"""Lists that are remembered: at most desks, the officers look at the same few."""

_CLAIM_STEP_MS: Final = 60_000
"""How long a list of what one officer may answer, or has claimed, is the same: claims end by time alone."""

Groups = tuple[tuple[FoundAsk, ...], ...]


@dataclass(frozen=True, slots=True)
class AskRow:
    """One row of the list: an Ask, or the first of several that are alike.

    Attributes:
        found: The Ask, which has the least time left of those that are alike.
        count: How many are alike.
        items: How many items they are about.
        claimed: Ids of the officers who have claimed one of them.
        claimed_count: How many are claimed.
        terms: By which law it is asked; None while that is looked up.
        is_here: Whether people of this State are asked.
    """

    found: FoundAsk
    count: int
    items: int
    claimed: tuple[str, ...]
    claimed_count: int
    terms: AskedTerms | None
    is_here: bool

    @property
    def id(self) -> str:
        """Id of the Ask."""
        return self.found.ask.id

    @property
    def is_emergency(self) -> bool:
        """Whether it is an emergency."""
        return self.found.ask.urgency is Urgency.EMERGENCY

    @property
    def is_urgent(self) -> bool:
        """Whether it is urgent, and no emergency."""
        return self.found.ask.urgency is Urgency.URGENT

    @property
    def what(self) -> str:
        """What is asked."""
        return describe_asked(self.found.ask)

    @property
    def silence(self) -> str:
        """What happens when nobody answers."""
        return describe_silence(self.found.ask)

    @property
    def law(self) -> ShownLaw:
        """By which law it is asked, and which kind of information it is about."""
        return show_law(self.terms)


@dataclass(frozen=True, slots=True)
class AskPage:
    """One page of the list.

    Attributes:
        rows: Its rows.
        page: Its number, from 1.
        pages: How many there are.
        rows_total: How many rows all pages have.
        asks_total: How many Asks they are.
    """

    rows: tuple[AskRow, ...]
    page: int
    pages: int
    rows_total: int
    asks_total: int


class AskLists:
    """Makes lists of Asks, and remembers the last ones: after a change, all desks ask for the same. Thread-safe.

    Args:
        console: The connection.
    """

    def __init__(self, console: ConsoleConnection) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], Groups] = OrderedDict()
        self._states: tuple[int, tuple[str, ...]] = (-1, ())

    def list_groups(self, view: BoardView, chosen: AskFilter, officer: Officer, now: int) -> Groups:
        """Return the Asks that a list shows, those that are alike together, in the order of the board.

        Args:
            view: The open Asks.
            chosen: What the list shows.
            officer: Who looks at it.
            now: The time in UTC milliseconds.
        """
        is_personal = chosen.mine in {MAY, CLAIMED}
        whose = (officer, now // _CLAIM_STEP_MS) if is_personal else None
        key = (view.asks_revision, chosen.first_page, whose)
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                kept = self._kept[key] = self._group(view, chosen, officer, now)
                while len(self._kept) > KEPT_MAX:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return kept

    def list_states(self, view: BoardView) -> tuple[str, ...]:
        """Return the States that open Asks are about, in alphabetical order."""
        revision, states = self._states
        if revision != view.asks_revision:
            named = {found.provider for found in view.asks}.union(*(found.ask.recipients for found in view.asks))
            states = tuple(sorted(named))
            self._states = view.asks_revision, states
        return states

    def _group(self, view: BoardView, chosen: AskFilter, officer: Officer, now: int) -> Groups:
        asks: Sequence[FoundAsk] = view.asks
        if chosen.like:
            first = view.by_id.get(chosen.like)
            alike = {first.ask.id, *(each.ask.id for each in select_alike(first, asks))} if first is not None else set()
            asks = [each for each in asks if each.ask.id in alike]
        selected = chosen.select(self._console, asks, officer, now)
        if chosen.each or chosen.like:
            return tuple((found,) for found in selected)
        return tuple(group_alike(selected))


def cut_page(groups: Groups, page: int) -> tuple[Groups, int, int]:
    """Return the groups on a page, its number, and how many pages there are; the last page, if there are fewer."""
    pages = max(1, -(-len(groups) // PAGE_ROWS))
    number = min(page, pages)
    return groups[(number - 1) * PAGE_ROWS : number * PAGE_ROWS], number, pages


def make_rows(
    console: ConsoleConnection, groups: Groups, terms: Mapping[str, AskedTerms], now: int
) -> tuple[AskRow, ...]:
    """Return the rows of some groups.

    Args:
        console: The connection.
        groups: The groups.
        terms: By which law the first of each is asked, as far as that is known.
        now: The time in UTC milliseconds.
    """
    rows = []
    for group in groups:
        first = group[0]
        claimed = [claimant for each in group if (claimant := each.ask.find_claimant(now)) is not None]
        rows.append(
            AskRow(
                found=first,
                count=len(group),
                items=len({(each.provider, each.item) for each in group}),
                claimed=tuple(sorted(set(claimed))),
                claimed_count=len(claimed),
                terms=terms.get(first.ask.id),
                is_here=first.ask.state == console.state,
            )
        )
    return tuple(rows)
