"""The open Asks at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from sharing.console.found_asks import FoundAsk, rank_ask
from sharing.console.found_covers import FoundCover
from sharing.model.vocabulary import Urgency


@dataclass(frozen=True, slots=True)
class BoardView:
    """The open Asks at one moment.

    Attributes:
        revision: Grows whenever what a page shows of the Asks has changed.
        asks_revision: The revision at which the Asks themselves have changed last.
        asks: The open Asks, emergencies first, then by the time left.
        by_id: The same by their ids.
        covers: The answers that cover later Asks.
        emergencies: How many emergencies people of this State are asked about.
        unreadable: How many entries cannot be decoded, so that their Asks are missing.
        is_read: Whether the topic was read to its end once.
    """

    revision: int = 0
    asks_revision: int = 0
    asks: tuple[FoundAsk, ...] = ()
    by_id: Mapping[str, FoundAsk] = field(default_factory=lambda: MappingProxyType({}))
    covers: tuple[FoundCover, ...] = ()
    emergencies: int = 0
    unreadable: int = 0
    is_read: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether no open Ask is missing, as far as the topic was read."""
        return self.is_read and not self.unreadable


class OpenAsks(Protocol):
    """The open Asks, whether a thread follows them or a test has made them."""

    def view(self) -> BoardView:
        """Return the open Asks as they are now."""
        ...

    def find(self, ask_id: str) -> FoundAsk | None:
        """Return the open Ask with an id; None if there is none."""
        ...


def make_view(
    state: str, revision: int, asks: Iterable[FoundAsk], covers: Iterable[FoundCover] = (), unreadable: int = 0
) -> BoardView:
    """Return the view of some open Asks.

    Args:
        state: The State whose officers see it.
        revision: The revision.
        asks: The open Asks, in any order.
        covers: The answers that cover later Asks.
        unreadable: How many entries cannot be decoded.
    """
    ordered = tuple(sorted(asks, key=rank_ask))
    emergencies = sum(found.ask.state == state and found.ask.urgency is Urgency.EMERGENCY for found in ordered)
    by_id = MappingProxyType({found.ask.id: found for found in ordered})
    return BoardView(revision, revision, ordered, by_id, tuple(covers), emergencies, unreadable, is_read=True)
