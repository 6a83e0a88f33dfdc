"""The States from which an item is withheld only because of facts that people of its State can supply.

Their recipients are listed in the item's draft, so that the conversation can ask. What is asked is determined again
there; here it matters only whether anything is asked. A search takes milliseconds, and items with one verdict share it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from sharing.model.bounded_cache import BoundedCache
from sharing.model.urgency import is_substantiated
from sharing.model.vocabulary import Action, Urgency

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sharing.disclosure.missing_facts import MissingFactsFinder
    from sharing.model.decision import Verdict

ASKED_MAX: Final = 20_000
"""Limit of the cache, which is cleared when full. Reached only if hardly any two items share a verdict."""

ASKED_RECIPIENTS_MAX: Final = 60_000
"""Limit of the recipients in all its verdicts together: the cache keeps the verdicts in memory."""

NOBODY: Final[frozenset[str]] = frozenset()


@final
class AskedStates:
    """Finds these States under one law and directory.

    Args:
        finder: Finds the missing facts; None if a gate has no conversation, so that nobody is asked.
    """

    def __init__(self, finder: MissingFactsFinder | None) -> None:
        self._finder = finder
        self._found: BoundedCache[tuple[Verdict, bool], frozenset[str]] = BoundedCache(
            ASKED_MAX, ASKED_RECIPIENTS_MAX, lambda key, _: len(key[0].recipients)
        )

    def find(self, record: Mapping[str, Any], verdict: Verdict, now_ms: int) -> frozenset[str]:
        """Return the States for one item.

        Args:
            record: The item.
            verdict: The verdict of the law on it.
            now_ms: The time of the decision, in UTC milliseconds.
        """
        return self._find(record, verdict, now_ms, can_be_emergency=is_substantiated(record))

    def find_for_group(self, record: Mapping[str, Any], verdict: Verdict, now_ms: int) -> frozenset[str] | None:
        """Return the States for all items of an item group; None where they differ from item to item.

        If the urgency is unknown, it matters whether an item names an officer and a reason: without them it cannot be
        an emergency. The items of a group may differ in that.

        Args:
            record: One of the items.
            verdict: The verdict of the law on them.
            now_ms: The time of the decision, in UTC milliseconds.
        """
        if record["urgency"] != Urgency.UNKNOWN:
            return self.find(record, verdict, now_ms)
        asked = self._find(record, verdict, now_ms, can_be_emergency=True)
        return asked if asked == self._find(record, verdict, now_ms, can_be_emergency=False) else None

    def _find(
        self, record: Mapping[str, Any], verdict: Verdict, now_ms: int, *, can_be_emergency: bool
    ) -> frozenset[str]:
        finder = self._finder
        if finder is None or record["action"] == Action.WITHDRAW or not finder.asks_about(record):
            return NOBODY
        # A verdict is compared by identity, and belongs to the facts that the law tests and to one audience.
        key = (verdict, can_be_emergency)
        asked = self._found.get(key)
        if asked is None:
            missing = finder.find(record, verdict.recipients, now_ms, can_be_emergency=can_be_emergency)
            asked = self._found.put(key, frozenset(missing))
        return asked
