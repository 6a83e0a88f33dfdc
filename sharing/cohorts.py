"""Items that are alike: what depends on their shared fields, and on what their values point to, is made once for all.

A cohort shares every field but those that are an item's own. Of these only the value matters further: which States
it points to. So whatever is decided of an item is made once for a cohort and what a value points to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sharing.errors import InputError
from sharing.indicator_columns import IndicatorReader, Part
from sharing.model.record import check_shared
from sharing.model.values import shape_of
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.nexus import Deriver, Evidence

log = logging.getLogger(__name__)

T = TypeVar("T")

Make = Callable[[Mapping[str, Any], int, tuple[Evidence, ...]], T | None]
"""From an item of a cohort, the instant in UTC milliseconds at which its retention counts, and what a value points to.

None where such items are to be taken one by one. Of the item only shared fields and its retention may be read.
"""

COHORTS_MAX = 20_000
"""A bound against a flood of items of which none is like another: some 100 MB. They are then begun anew."""


@dataclass(frozen=True, slots=True)
class Cohort(Generic[T]):
    """Items that share all but their own fields.

    Attributes:
        record: One of them. Its own fields say nothing of the others.
        seen_ms: When it was seen first, in UTC milliseconds: then its retention had expired as that of all others has.
        has_shape: Whether a value has the shape of their type (the match, or None).
        derive: What their values point to; None where no value of the type points anywhere.
        made: By what a value points to; None where such items are to be taken one by one.
    """

    record: Mapping[str, Any]
    seen_ms: int
    has_shape: Callable[[str], object]
    derive: Deriver | None
    made: dict[tuple[Evidence, ...], T | None] = field(default_factory=dict)


class Cohorts(Generic[T]):
    """Cohorts of one State's items, seen under one law and directory.

    Args:
        state: The State whose items they are.
        finder: Tells what a value points to.
        reader: Read the parts.
        make: Makes what all items of a cohort have whose values point to the same States.
    """

    def __init__(self, state: str, finder: AudienceFinder, reader: IndicatorReader, make: Make[T]) -> None:
        self._state = state
        self._finder = finder
        self._reader = reader
        self._make = make
        self._seen: dict[tuple[bytes, bool], Cohort[T] | None] = {}

    def find(self, part: Part, now_ms: int) -> list[T | None]:
        """Return for each row what was made for it; None for a row that is to be taken alone, or to be refused.

        Args:
            part: Of a batch.
            now_ms: The instant of the batch, in UTC milliseconds.
        """
        cohorts = self._find(part, now_ms)
        found: list[T | None] = []
        for code, value in zip(part.codes, part.columns.column("value").to_pylist(), strict=True):
            cohort = cohorts[code]
            if cohort is None or not cohort.has_shape(value):
                found.append(None)
                continue
            derive = cohort.derive
            evidence = () if derive is None else derive(value)
            made = cohort.made
            found.append(made[evidence] if evidence in made else self._add(cohort, evidence))
        return found

    def _find(self, part: Part, now_ms: int) -> list[Cohort[T] | None]:
        if len(self._seen) > COHORTS_MAX:
            self._seen.clear()
        first: dict[int, int] = {}
        for row, code in enumerate(part.codes):
            first.setdefault(code, row)
        found: list[Cohort[T] | None] = [None] * len(part.alike)
        for code, row in first.items():
            key = part.alike[code]
            if key not in self._seen:
                self._seen[key] = self._admit(self._reader.example(part, row), now_ms)
            found[code] = self._seen[key]
        return found

    def _admit(self, record: Mapping[str, Any], now_ms: int) -> Cohort[T] | None:
        """Return the cohort of an item; None where what it shares is refused: the reference path says why."""
        has_shape = shape_of(record["type"])
        try:
            check_shared(record)
        except (InputError, LookupError, TypeError, ValueError):
            return None
        if has_shape is None or record["source"]["state"] != self._state:
            return None
        return Cohort(record, now_ms, has_shape, self._finder.deriver(record["type"]))

    def _add(self, cohort: Cohort[T], evidence: tuple[Evidence, ...]) -> T | None:
        try:
            made = self._make(cohort.record, cohort.seen_ms, evidence)
        except Exception as error:  # noqa: BLE001 it fails again on the reference path, which says why
            log.debug("a cohort is taken one by one: %s", type(error).__name__)
            made = None
        cohort.made[evidence] = made
        return made
