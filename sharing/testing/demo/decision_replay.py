"""Decides again what a gate decided, and compares the bytes: same indicator, law, directory and instant."""

from __future__ import annotations

from collections.abc import Iterable

from sharing.law.decision_context import DecisionContext
from sharing.model.directory import Directory
from sharing.model.record import WireRecord
from sharing.model.times import to_milliseconds
from sharing.packs.library import Law
from sharing.serialization.codec import codec_of


def find_differences(
    law: Law, directory: Directory, indicators: Iterable[WireRecord], decisions: Iterable[tuple[WireRecord, bytes]]
) -> list[str]:
    """Return the ids of indicators that have not exactly one decision, or one that is not reached again.

    Args:
        law: The State's law.
        directory: What the gate knew of the other States.
        indicators: What was published.
        decisions: What was decided: the record, and its bytes as they stand on the topic.
    """
    found: dict[tuple[str, int], list[tuple[WireRecord, bytes]]] = {}
    for record, raw in decisions:
        found.setdefault((record["indicator_id"], record["version"]), []).append((record, raw))
    differing = []
    sittings: list[DecisionContext] = []
    for indicator in indicators:
        made = found.pop((indicator["id"], indicator["version"]), [])
        if len(made) != 1 or not _reaches(law, directory, indicator, *made[0], sittings):
            differing.append(str(indicator["id"]))
    return differing + [identity for identity, _ in found]


def _reaches(
    law: Law,
    directory: Directory,
    indicator: WireRecord,
    decision: WireRecord,
    raw: bytes,
    sittings: list[DecisionContext],
) -> bool:
    now_ms = to_milliseconds(decision["decided_at"])
    sitting = next((one for one in sittings if one.is_valid_for(directory, now_ms)), None)
    if sitting is None:
        sitting = DecisionContext.open(law.pack, law.treaties, directory, now_ms)
        sittings.append(sitting)
    return codec_of("decision").encode(sitting.decision(indicator, now_ms).to_wire()) == raw
