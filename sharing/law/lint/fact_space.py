"""Every combination of facts that can occur under a pack, as blocks of points that its tests can tell apart."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sharing.law.constraints import Operator, Test
from sharing.law.facts import FACTS, NONE, Fact, FactKind, FactScope, FactValue
from sharing.law.lint.regions import Cube, Masks
from sharing.law.lint.worlds import CODES, DUAL, OFFENCES, Calendar, World, alike, offence_points, subsets
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.vocabulary import UNKNOWN

Point = Mapping[str, FactValue]
FactSignature = tuple[object, ...]

WORLD = 0
"""The block of the recipient and the day; with the offences, where dual criminality is asked."""

EVIDENCE = Test("form", Operator.ANY_OF, frozenset({"EVIDENCE"}))
"""Always asked: what forbids the use of evidence is set against it."""

FREE_OF_THE_RECIPIENT = frozenset({"recipient.named", "recipient.authority"})
"""Recipient facts that neither the State nor the day settles: the agency and the directory say them."""

NEVER_UNKNOWN = frozenset(
    {"action", "type", "handling", "tlp", "pap", "retention_expired", "recipient.named", "recipient.state",
     "recipient.eu", "recipient.schengen"}
)  # fmt: skip
"""Facts of which a record, or the list of States, always says something."""

_ORIGIN = ("collection", "origin.state", "origin.foreign")
_GRADING = ("grading.source", "grading.information")
_PENALTY_MAX = 100.0


@dataclass(frozen=True, slots=True)
class Combination:
    """One combination of facts.

    Attributes:
        state: The recipient.
        day: The day of the decision.
        facts: Every fact that the pack asks for.
        told: Those that the rules in question ask for.
    """

    state: str
    day: dt.date
    facts: Mapping[str, FactValue]
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FactSpace:
    """All combinations.

    Attributes:
        blocks: The points of each block.
        full: All points of each block, as bits.
        masks: Where each test holds, and where it is unknown.
        places: State, day and epoch of each point of the first block.
        without_basis: Points of the first block at which no treaty basis is known: there nothing leaves.
        calendar: The days of the pack.
        occurring: Fact and epoch to the values that some State has in it; for facts that State and day settle.
    """

    blocks: tuple[tuple[Point, ...], ...]
    full: tuple[int, ...]
    masks: Masks
    places: tuple[World, ...]
    without_basis: int
    calendar: Calendar
    occurring: Mapping[tuple[str, int], frozenset[FactValue]]

    def in_force(self, epochs: Iterable[int]) -> int:
        """Return the points of the first block in some epochs, as bits."""
        wanted = frozenset(epochs)
        return _bits(place.epoch in wanted for place in self.places)

    def show(self, cube: Cube, told: Iterable[str]) -> Combination:
        """Return one combination of a cube: of each block the first point, which is known and current where can be."""
        facts: dict[str, FactValue] = {}
        for block, points in enumerate(self.blocks):
            facts |= points[_first(cube.get(block, self.full[block]))]
        place = self.places[_first(cube.get(WORLD, self.full[WORLD]))]
        return Combination(place.state, place.day, facts, tuple(sorted(set(told))))


def make_space(pack: Pack, treaties: TreatyTable) -> FactSpace:
    """Return every combination of facts under a pack."""
    tests = list(dict.fromkeys([EVIDENCE, *(test for rule in pack.rules for test in rule.when.tests())]))
    asked = {test.fact for test in tests}
    calendar = Calendar(pack, treaties)
    worlds = _World(calendar, tests)
    blocks, signatures, groups = [worlds.points], [worlds.signatures], [worlds.tests]
    for names, points in _item_blocks(asked, tests, pack):
        own = [test for test in tests if test.fact in names]
        distinct = {tuple(test.evaluate(point) for test in own): point for point in reversed(list(points))}
        blocks.append(list(reversed(distinct.values())))
        signatures.append(list(reversed(distinct)))
        groups.append(own)
    masks: dict[Test, tuple[int, int, int]] = {}
    for block, (found, own) in enumerate(zip(signatures, groups, strict=True)):
        for column, test in enumerate(own):
            masks[test] = (
                block,
                _bits(signature[column] is True for signature in found),
                _bits(signature[column] is None for signature in found),
            )
    return FactSpace(
        blocks=tuple(map(tuple, blocks)),
        full=tuple((1 << len(points)) - 1 for points in blocks),
        masks=masks,
        places=tuple(worlds.places),
        without_basis=_bits(point["condition_model"] is None for point in worlds.points),
        calendar=calendar,
        occurring={key: frozenset(values) for key, values in worlds.occurring.items()},
    )


class _World:
    """The first block, built up world by world."""

    def __init__(self, calendar: Calendar, tests: Sequence[Test]) -> None:
        asked = {test.fact for test in tests}
        self._dual = DUAL in asked
        settled = (
            {name for name in asked if FACTS[name].scope is not FactScope.INDICATOR} - FREE_OF_THE_RECIPIENT - {DUAL}
        )
        self._settled = [test for test in tests if test.fact in settled]
        self._offences = [test for test in tests if test.fact in {CODES, DUAL}] if self._dual else []
        self._classes = alike(OFFENCES, [test for test in tests if test.fact == CODES])
        self.tests = [*self._settled, *self._offences]
        self.points: list[Point] = []
        self.places: list[World] = []
        self.signatures: list[FactSignature] = []
        self.occurring: dict[tuple[str, int], set[FactValue]] = {}
        self._seen: set[Hashable] = set()
        # Worlds of the day of consolidation first: they make the combinations that readers know.
        worlds = sorted(calendar.worlds(dual=self._dual), key=lambda one: one.day != calendar.pack.consolidated_at)
        answers: dict[int, FactSignature] = {}
        for world in worlds:
            key = id(world.facts)
            if key not in answers:
                answers[key] = tuple(test.evaluate(world.facts) for test in self._settled)
            self._note(world, settled)
            self._add(world, answers[key])

    def _note(self, world: World, settled: set[str]) -> None:
        for name in settled:
            value = world.facts[name]
            values = value if isinstance(value, frozenset) else (value,)
            self.occurring.setdefault((name, world.epoch), set()).update(values)

    def _add(self, world: World, answers: FactSignature) -> None:
        base = (answers, world.epoch, world.facts["condition_model"] is None)
        pattern = tuple(frozenset(world.dual.get(code) for code in members) for members in self._classes)
        if (base, pattern) in self._seen:
            return
        self._seen.add((base, pattern))
        for offences in self._offences_of(world):
            point = {**world.facts, **offences}
            signature = (*answers, *(test.evaluate(point) for test in self._offences))
            key = (signature, *base[1:])
            if key not in self._seen:
                self._seen.add(key)
                self.points.append({name: value for name, value in point.items() if name not in FREE_OF_THE_RECIPIENT})
                self.places.append(world)
                self.signatures.append(signature)

    def _offences_of(self, world: World) -> Iterator[Point]:
        if not self._dual:
            yield {}
            return
        for codes, answer in offence_points(self._classes, world.dual):
            yield {CODES: codes, DUAL: answer}
        yield {CODES: None, DUAL: None}


def _item_blocks(
    asked: set[str], tests: Sequence[Test], pack: Pack
) -> Iterator[tuple[tuple[str, ...], Iterable[Point]]]:
    """Yield the blocks of facts that depend on nothing outside, each with its points, known ones first."""
    joint: list[tuple[tuple[str, ...], Callable[[], Iterable[Point]]]] = [
        (_ORIGIN, lambda: _origin_points(tests, pack.state)),
        (_GRADING, _grading_points),
    ]
    done = {CODES} if DUAL in asked else set()
    for names, points in joint:
        if asked & set(names) - {"collection"}:
            yield names, points()
            done |= set(names)
    for name in sorted(asked - done):
        fact = FACTS[name]
        if fact.scope is FactScope.INDICATOR or name in FREE_OF_THE_RECIPIENT:
            own = [test for test in tests if test.fact == name]
            yield (name,), ({name: value} for value in _values(fact, own))


def _values(fact: Fact, tests: Sequence[Test]) -> Iterator[FactValue]:
    match fact.kind:
        case FactKind.SEVERAL:
            found = [frozenset(chosen) for chosen in subsets([members[0] for members in alike(fact.values, tests)])]
            yield from (value for value in found if value or fact.name != CODES)
        case FactKind.NUMBER:
            bounds = {test.operand for test in tests if isinstance(test.operand, float)}
            yield from sorted({0.0, *(bound for bound in bounds if 0 < bound <= _PENALTY_MAX)})
        case _:
            yield from sorted(fact.values)
    if fact.name not in NEVER_UNKNOWN:
        yield None


def _origin_points(tests: Sequence[Test], own: str) -> Iterator[Point]:
    """Yield what a record can say of its origin: the facts are read from it as the engine reads them."""
    named = {
        value
        for test in tests
        if test.fact == "origin.state" and isinstance(test.operand, frozenset)
        for value in test.operand
    }
    other = next(state for state in sorted(FACTS["origin.state"].values) if state not in {*named, own, NONE})
    for state, collection in product(
        [None, *sorted(named - {NONE}), own, other], [*sorted(FACTS["collection"].values), UNKNOWN]
    ):
        record: dict[str, Any] = {"origin": {"state": state}, "source": {"state": own}, "collection": collection}
        yield {name: _read(name, record) for name in _ORIGIN}


def _read(name: str, record: Mapping[str, Any]) -> FactValue:
    fact = FACTS[name]
    return fact.interpret(fact.read(record, 0)) if fact.read is not None else None


def _grading_points() -> Iterator[Point]:
    """Yield the gradings that a record can hold: both or neither, and the information from 1 to 4."""
    for source, information in product(sorted(FACTS["grading.source"].values), (1.0, 2.0, 3.0, 4.0)):
        yield {"grading.source": source, "grading.information": information}
    yield dict.fromkeys(_GRADING)


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << index for index, flag in enumerate(flags) if flag)


def _first(points: int) -> int:
    return (points & -points).bit_length() - 1
