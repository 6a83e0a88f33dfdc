"""Which instruments can cover an item at the same time.

Whether an instrument covers an item follows from the facts of the item and the two authorities. For many instruments,
few combinations of answers can occur: all instruments that cover items between police cover the same items, for
example. The others would make the dimension of the recipients too large to search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sharing.law.fact_values import FactValue
from sharing.law.lint.item_dimensions import (
    OFFENCE_CODES,
    FactTestResults,
    cover_of_instrument,
    list_item_dimensions,
    make_masks,
)
from sharing.law.pack import Pack
from sharing.law.recipients import OpenCoverage
from sharing.law.search.cubes import Cover, cover_where_possible, cover_where_true, intersect_covers, subtract_cubes
from sharing.law.treaties import Coverage


class PossibleCoverages:
    """The combinations of answers that some item and some authorities have.

    Args:
        pack: The pack.
        instruments: What the instruments cover that may matter, by name.
    """

    def __init__(self, pack: Pack, instruments: Mapping[str, Coverage]) -> None:
        self._asked = pack.list_tested_values("recipient.treaties")
        conjunctions = {name: cover_of_instrument(coverage) for name, coverage in instruments.items()}
        tests = list(dict.fromkeys(test for conjunction in conjunctions.values() for test in conjunction.iter_tests()))
        dimensions = list_item_dimensions({test.fact for test in tests}, tests, pack)
        masks = make_masks(
            [dimension.results for dimension in dimensions], [dimension.tests for dimension in dimensions]
        )
        self._all_points = tuple((1 << len(dimension.points)) - 1 for dimension in dimensions)
        self._covers: dict[tuple[str, bool | None], Cover] = {}
        for name, conjunction in conjunctions.items():
            certain, possible = cover_where_true(conjunction, masks), cover_where_possible(conjunction, masks)
            self._covers[name, True] = certain
            self._covers[name, False] = subtract_cubes([{}], possible, self._all_points)
            self._covers[name, None] = subtract_cubes(possible, certain, self._all_points)
        self._known: dict[tuple[str, ...], list[OpenCoverage]] = {}
        offences = [
            (number, dimension)
            for number, dimension in enumerate(dimensions)
            if any(test.fact == OFFENCE_CODES for test in dimension.tests)
        ]
        self._offences = offences[0] if offences else None
        self._allowed_offences: dict[frozenset[tuple[str, bool | None]], frozenset[FactTestResults]] = {}

    def list_coverages(self, names: tuple[str, ...]) -> list[OpenCoverage]:
        """Return which of some instruments may cover an item.

        After the first that does, only those matter for which a rule tests whether they are in force.

        Args:
            names: The instruments that bind both States, in the order of preference.
        """
        if names not in self._known:
            self._known[names] = list(self._iter_coverages(names, [{}]))
        return self._known[names]

    def allow_offences(self, coverage: OpenCoverage, codes: FactValue) -> bool:
        """Return whether the instruments can cover an item with these offences in this way."""
        if self._offences is None:
            return True
        number, dimension = self._offences
        key = frozenset(coverage.items())
        if key not in self._allowed_offences:
            items: Cover = [{}]
            for answer in coverage.items():
                items = intersect_covers(items, self._covers[answer])
            points = 0
            for cube in items:
                points |= cube.get(number, self._all_points[number])
            results = (result for index, result in enumerate(dimension.results) if points >> index & 1)
            self._allowed_offences[key] = frozenset(results)
        facts = {OFFENCE_CODES: codes}
        return tuple(test.evaluate(facts) for test in dimension.tests) in self._allowed_offences[key]

    def _iter_coverages(self, names: tuple[str, ...], items: Cover) -> Iterator[OpenCoverage]:
        """Yield the coverages of some items, a cover of the dimensions."""
        if not names:
            yield {}
            return
        first, rest = names[0], names[1:]
        for answer in (True, False, None):
            remaining = intersect_covers(items, self._covers[first, answer])
            if not remaining:
                continue
            relevant = (
                tuple(name for name in rest if name in self._asked) if answer and first not in self._asked else rest
            )
            for others in self._iter_coverages(relevant, remaining):
                yield {first: answer, **others}
