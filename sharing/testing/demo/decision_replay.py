"""Recomputes the decisions of a gate from indicator, law, directory and time, and compares the bytes."""

from __future__ import annotations

from collections.abc import Iterable

from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.model.indicator_record import WireRecord
from sharing.model.times import to_milliseconds
from sharing.packs.library import Law
from sharing.serialization.codec import get_codec


def find_differing_decisions(
    law: Law, directory: Directory, indicators: Iterable[WireRecord], decisions: Iterable[tuple[WireRecord, bytes]]
) -> list[str]:
    """Return the ids of indicators without exactly one decision, or whose decision cannot be reproduced.

    Args:
        law: Law of the providing State.
        directory: The directory that the gate used.
        indicators: The published indicators.
        decisions: The decisions, each as a record and as the bytes on the topic.
    """
    by_indicator: dict[tuple[str, int], list[tuple[WireRecord, bytes]]] = {}
    for record, raw in decisions:
        by_indicator.setdefault((record["indicator_id"], record["version"]), []).append((record, raw))
    differing = []
    contexts: list[DecisionContext] = []
    for indicator in indicators:
        matching = by_indicator.pop((indicator["id"], indicator["version"]), [])
        if len(matching) != 1 or not _is_reproduced(law, directory, indicator, *matching[0], contexts):
            differing.append(str(indicator["id"]))
    return differing + [indicator_id for indicator_id, _ in by_indicator]


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
