"""Recomputes the decisions of a gate from indicator, law, directory and time, and compares the bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.model.indicator_record import WireRecord
from sharing.model.times import to_milliseconds
from sharing.packs.library import Law
from sharing.serialization.codec import get_codec


@dataclass(slots=True)
class _Item:
    """The indicators with one id and version, and the decisions on them. Agencies of a State may share an id."""

    indicators: list[WireRecord] = field(default_factory=list)
    decisions: list[tuple[WireRecord, bytes]] = field(default_factory=list)


def find_differing_decisions(
    law: Law, directory: Directory, indicators: Iterable[WireRecord], decisions: Iterable[tuple[WireRecord, bytes]]
) -> list[str]:
    """Return the ids of indicators without exactly one decision, or whose decision cannot be reproduced.

    A decision does not name the agency. If agencies share an id, each of their indicators must have its own decision.

    Args:
        law: Law of the providing State.
        directory: The directory that the gate used.
        indicators: The published indicators.
        decisions: The decisions, each as a record and as the bytes on the topic.
    """
    items: dict[tuple[str, int], _Item] = {}
    for indicator in indicators:
        items.setdefault((str(indicator["id"]), indicator["version"]), _Item()).indicators.append(indicator)
    for record, raw in decisions:
        items.setdefault((str(record["indicator_id"]), record["version"]), _Item()).decisions.append((record, raw))
    contexts: list[DecisionContext] = []
    return [identity for (identity, _), item in items.items() if not _are_reproduced(law, directory, item, contexts)]


def _are_reproduced(law: Law, directory: Directory, item: _Item, contexts: list[DecisionContext]) -> bool:
    """Return whether each indicator of an item has a decision of its own that can be reproduced from it."""
    if len(item.indicators) != len(item.decisions):
        return False
    causes = [
        [
            index
            for index, indicator in enumerate(item.indicators)
            if _is_reproduced(law, directory, indicator, record, raw, contexts)
        ]
        for record, raw in item.decisions
    ]
    return _can_pair(causes)


def _can_pair(causes: Sequence[Sequence[int]]) -> bool:
    """Return whether each decision can have another one of its possible causes (a matching, by augmenting paths)."""
    decision_of: dict[int, int] = {}

    def place(decision: int, tried: set[int]) -> bool:
        for cause in causes[decision]:
            if cause in tried:
                continue
            tried.add(cause)
            if cause not in decision_of or place(decision_of[cause], tried):
                decision_of[cause] = decision
                return True
        return False

    return all(place(decision, set()) for decision in range(len(causes)))


def _is_reproduced(
    law: Law,
    directory: Directory,
    indicator: WireRecord,
    decision: WireRecord,
    raw: bytes,
    contexts: list[DecisionContext],
) -> bool:
    now_ms = to_milliseconds(decision["decided_at"])
    context = next((context for context in contexts if context.is_valid_for(directory, now_ms)), None)
    if context is None:
        context = DecisionContext.open(law.pack, law.treaties, directory, now_ms)
        contexts.append(context)
    return get_codec("decision").encode(context.build_decision(indicator, now_ms).to_record()) == raw
