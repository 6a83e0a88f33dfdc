"""Who opened which content, and when: what readers have recorded of themselves (Directive (EU) 2016/680 art. 25)."""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from sharing.console.connection import ConsoleConnection
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.unreadable_records import Unreadable
from sharing.kafka.use_reader import RecordedUse, read_uses
from sharing.model.times import DAY_MS

log = logging.getLogger(__name__)

USE_DAYS: Final = 30
KEPT_MAX: Final = 20_000
SHOWN_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class UsesView:
    """The uses of the last days.

    Attributes:
        newest: The last uses, the newest first.
        count: How many there were, also those that are not in `newest`.
        by_reader: How many each reader has opened, the most first.
        since: Since when, in UTC milliseconds.
        unreadable: How many records, or damaged batches of them, cannot be read: their uses are missing.
    """

    newest: tuple[RecordedUse, ...]
    count: int
    by_reader: tuple[tuple[str, int], ...]
    since: int
    unreadable: int = 0

    def choose(self, reader: str, item: str) -> tuple[RecordedUse, ...]:
        """Return the uses of a reader and of an item, by its id or that of its notice; "" for all."""
        return tuple(
            each
            for each in self.newest
            if reader in {"", each.context.reader} and item in {"", each.use.id, each.use.item_id}
        )


def read_uses_view(console: ConsoleConnection, now: int) -> UsesView:
    """Read the uses of the last days.

    Args:
        console: The connection.
        now: The time in UTC milliseconds.

    Raises:
        InfrastructureError: No broker answers, or the topic cannot be read.
    """
    since, group = now - USE_DAYS * DAY_MS, name_console_group(console.state, "uses")
    unreadable: Unreadable = []
    uses = read_uses(
        console.servers, console.state, group, since, None, console.properties, console.framing, unreadable=unreadable
    )
    view = view_uses(uses, since)
    for each in unreadable:
        log.warning("%s: %s", each.place, each.reason)
    return replace(view, unreadable=len(unreadable))


def view_uses(uses: Iterable[RecordedUse], since: int) -> UsesView:
    """Return the view of recorded uses.

    Args:
        uses: The uses, in any order.
        since: Since when they were read, in UTC milliseconds.
    """
    readers: Counter[str] = Counter()
    newest: list[tuple[int, int, RecordedUse]] = []
    for number, each in enumerate(uses):
        readers[each.context.reader] += 1
        entry = (each.use.at, number, each)
        if len(newest) < KEPT_MAX:
            heapq.heappush(newest, entry)
        else:
            heapq.heappushpop(newest, entry)
    newest.sort(key=lambda entry: entry[:2], reverse=True)
    by_reader = tuple(sorted(readers.items(), key=lambda each: (-each[1], each[0])))
    return UsesView(tuple(each for *_, each in newest), readers.total(), by_reader, since)
