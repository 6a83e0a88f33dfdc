"""What the checkers report, and how they compare records with those that caused them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from tests.faults.contents import CommittedRecord
from tests.faults.item_agencies import get_item


class Breach(StrEnum):
    """A kind of violation."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    LEAKED = "leaked"
    UNFOUNDED = "unfounded"
    REORDERED = "reordered"
    BROKEN = "broken"


class Violation(NamedTuple):
    """A violated guarantee; `at_ms` is the timestamp of a record that shows it, or 0."""

    breach: Breach
    description: str
    at_ms: int = 0

    def __str__(self) -> str:
        return f"{self.breach}: {self.description}"


def compare(
    what: str,
    causes: Sequence[CommittedRecord],
    effects: Iterable[CommittedRecord],
    get_id: Callable[[CommittedRecord], object],
    classify_surplus: Callable[[CommittedRecord], Breach],
) -> Iterator[Violation]:
    """Compare the required number of outputs with the actual number, for each id."""
    present = list(effects)
    required, actual = Counter(map(get_id, causes)), Counter(map(get_id, present))
    for cause in {
        get_id(record): record for record in causes if required[get_id(record)] > actual[get_id(record)]
    }.values():
        yield Violation(Breach.LOST, f"no {what} on {get_item(cause)}", cause.at_ms)
    for effect in {
        get_id(record): record for record in present if actual[get_id(record)] > required[get_id(record)]
    }.values():
        yield Violation(classify_surplus(effect), f"{what} on {get_item(effect)}", effect.at_ms)


def compare_order(
    what: str,
    causes: Sequence[CommittedRecord],
    effects: Sequence[CommittedRecord],
    get_id: Callable[[CommittedRecord], object],
) -> Iterator[Violation]:
    """Compare the order in each partition with the same outputs; `compare` reports other differences."""
    required, actual = _group_by_partition(causes), _group_by_partition(effects)
    for partition in required.keys() | actual.keys():
        expected, found = required.get(partition, []), actual.get(partition, [])
        if Counter(map(get_id, expected)) != Counter(map(get_id, found)):
            if Counter(map(get_id, causes)) == Counter(map(get_id, effects)):
                yield Violation(Breach.REORDERED, f"{what}: partition {partition} has records of another partition")
            continue
        for cause, effect in zip(expected, found, strict=True):
            if get_id(cause) != get_id(effect):
                yield Violation(Breach.REORDERED, f"{what} on {get_item(effect)}: wrong order", effect.at_ms)
                break


def _group_by_partition(records: Iterable[CommittedRecord]) -> dict[int, list[CommittedRecord]]:
    groups: dict[int, list[CommittedRecord]] = {}
    for record in records:
        groups.setdefault(record.partition, []).append(record)
    return groups
