"""Decides again what a gate decided, and compares the bytes: same indicator, law, directory and instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sharing.law_shelf.library import Law
from sharing.model.directory import Directory
from sharing.model.times import to_milliseconds
from sharing.sitting import Sitting
from sharing.wire import codec

Record = Mapping[str, Any]


def find_differences(
    law: Law, directory: Directory, indicators: Iterable[Record], decisions: Iterable[tuple[Record, bytes]]
) -> list[str]:
    """Return the ids of indicators that have not exactly one decision, or one that is not reached again.

    Args:
        law: The State's law.
        directory: What the gate knew of the other States.
        indicators: What was published.
        decisions: What was decided: the record, and its bytes as they stand on the topic.
    """
    found: dict[tuple[str, int], list[tuple[Record, bytes]]] = {}
    for record, raw in decisions:
        found.setdefault((record["indicator_id"], record["version"]), []).append((record, raw))
    differing = []
    sittings: list[Sitting] = []
    for indicator in indicators:
        made = found.pop((indicator["id"], indicator["version"]), [])
        if len(made) != 1 or not _reaches(law, directory, indicator, *made[0], sittings):
            differing.append(str(indicator["id"]))
    return differing + [identity for identity, _ in found]


def _reaches(
    law: Law, directory: Directory, indicator: Record, decision: Record, raw: bytes, sittings: list[Sitting]
) -> bool:
    now_ms = to_milliseconds(decision["decided_at"])
    sitting = next((one for one in sittings if one.serves(directory, now_ms)), None)
    if sitting is None:
        sitting = Sitting.open(law.pack, law.treaties, directory, now_ms)
        sittings.append(sitting)
    return codec("decision").encode(sitting.decision(indicator, now_ms).to_wire()) == raw
