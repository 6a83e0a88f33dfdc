"""One pack, prepared for the checks: where each rule holds, where it is undecided, and where nothing can be shared."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

from sharing.law.lint.decision_space import RECIPIENT_DIMENSION, Counterexample, DecisionSpace, build_decision_space
from sharing.law.pack import EMERGENCY_TEST, Pack, Rule
from sharing.law.search.cubes import (
    Cover,
    Cube,
    cover_where_possible,
    cover_where_true,
    find_uncovered,
    intersect_covers,
    intersect_cubes,
    subtract_cubes,
)
from sharing.law.treaties import TreatyTable
from sharing.model.effects import APPROVAL_EFFECTS, FORBIDDING_EFFECTS
from sharing.model.vocabulary import Effect

NO_TREATY_BASIS = -1
"""Used instead of a rule number: the combination is blocked by the lack of a treaty basis, not by a rule."""

RuleCube = tuple[int, Cube]
"""A cube, with the number of the rule that it belongs to."""


@dataclass(slots=True)
class PackAnalysis:
    """The covers of all rules of a pack. A rule is identified by its number in `pack.rules`.

    Attributes:
        common_count: Number of common rules; they come first in the pack.
        space: The decision space.
        holds_in: Rule number to the combinations under which the rule is in force and holds, and no exception lifts it
            or asks a person instead.
        may_hold_in: The same for rules that hold, or are undecided and ask nobody.
        undecided_in: The same for rules that are undecided and ask nobody.
        asks_in: Rule number to the combinations under which it asks a person: an APPROVAL that holds, or is undecided
            in an emergency; or a rule that holds or is undecided and of which it is unknown whether its exception lifts
            it.
    """

    pack: Pack
    common_count: int
    space: DecisionSpace
    holds_in: list[Cover] = field(init=False)
    may_hold_in: list[Cover] = field(init=False)
    undecided_in: list[Cover] = field(init=False)
    asks_in: list[Cover] = field(init=False)

    def __post_init__(self) -> None:
        self.holds_in = [self.compute_cover(rule) for rule in self.pack.rules]
        self.may_hold_in = [self.compute_cover(rule, include_undecided=True) for rule in self.pack.rules]
        self.undecided_in = [
            self.keep_possible(subtract_cubes(possible, certain, self.space.all_points))
            for possible, certain in zip(self.may_hold_in, self.holds_in, strict=True)
        ]
        self.asks_in = [self.compute_asking_cover(rule) for rule in self.pack.rules]

    @property
    def own_rules(self) -> range:
        """Numbers of the pack's own rules."""
        return range(self.common_count, len(self.pack.rules))

    def list_rules_with_effect(self, *effects: Effect) -> list[int]:
        """Return the numbers of the rules with one of these effects."""
        return [number for number, rule in enumerate(self.pack.rules) if rule.effect in effects]

    def compute_cover(self, rule: Rule, *, include_undecided: bool = False) -> Cover:
        """Return the combinations under which a rule is in force and holds, and no exception lifts it or asks.

        Args:
            rule: The rule; it need not belong to the pack, but must not test other facts.
            include_undecided: Whether to include the combinations under which the rule is undecided and asks nobody.
        """
        compute = cover_where_possible if include_undecided else cover_where_true
        cover = intersect_covers(self._cover_days(rule), compute(rule.when, self.space.masks))
        if include_undecided and rule.asks_undecided:
            outside = subtract_cubes(cover, self._cover_emergency(), self.space.all_points)
            return [*self.compute_cover(rule), *self.keep_possible(outside)]
        if rule.exception is not None:
            lifted = cover_where_possible(rule.exception.when, self.space.masks)
            cover = subtract_cubes(cover, lifted, self.space.all_points)
        return self.keep_possible(cover)

    def compute_asking_cover(self, rule: Rule) -> Cover:
        """Return the combinations under which a rule is in force and asks a person. See `compute_cover`."""
        if rule.asks_undecided:
            possible = intersect_covers(self._cover_days(rule), cover_where_possible(rule.when, self.space.masks))
            in_emergency = intersect_covers(possible, self._cover_emergency())
            return [*self.compute_cover(rule), *self.keep_possible(in_emergency)]
        if rule.effect in APPROVAL_EFFECTS:
            return self.compute_cover(rule)
        if rule.exception is None:
            return []
        possible, certain = (
            compute(rule.exception.when, self.space.masks) for compute in (cover_where_possible, cover_where_true)
        )
        cover = intersect_covers(self._cover_days(rule), cover_where_possible(rule.when, self.space.masks))
        return self.keep_possible(subtract_cubes(intersect_covers(cover, possible), certain, self.space.all_points))

    def _cover_emergency(self) -> Cover:
        mask = self.space.masks[EMERGENCY_TEST]
        return [{mask.dimension: mask.true}]

    def _cover_days(self, rule: Rule) -> Cover:
        days = self.space.select_points(self.space.timeline.find_rule_intervals(rule.valid))
        return [{RECIPIENT_DIMENSION: days}] if days else []

    def find_asking_rules(self) -> list[int]:
        """Return the numbers of the rules that may ask a person, by the precedence of their roles."""
        rules = self.pack.rules
        numbers = [number for number, rule in enumerate(rules) if rule.asked_role is not None]
        return sorted(numbers, key=lambda number: rules[number].approval_rank)

    def find_forbidden(self, excluded: Collection[int] = ()) -> list[RuleCube]:
        """Return where certainly nothing can be shared: a DENY rule holds, or no treaty basis is known.

        Args:
            excluded: Rules to ignore.
        """
        denying = (number for number in self.list_rules_with_effect(*FORBIDDING_EFFECTS) if number not in excluded)
        return [*self.list_cubes_of_rules(denying), *self._list_cubes_without_treaty_basis()]

    def find_withheld(self, excluded: Collection[int] = ()) -> list[RuleCube]:
        """Return where nothing can be shared, no matter what is permitted.

        There a DENY rule holds, a restriction is undecided, or no treaty basis is known.

        Args:
            excluded: Rules to ignore.
        """
        numbers = (number for number in range(len(self.pack.rules)) if number not in excluded)
        cubes = [(number, cube) for number in numbers for cube in self._find_withheld_by(number)]
        return [*cubes, *self._list_cubes_without_treaty_basis()]

    def _find_withheld_by(self, number: int) -> Cover:
        """Return where a rule withholds the item, no matter what is permitted."""
        effect = self.pack.rules[number].effect
        match effect:
            case Effect.DENY:
                return self.may_hold_in[number]
            case Effect.APPROVAL | Effect.REDACT | Effect.CONDITION:
                return self.undecided_in[number]
            case Effect.PERMIT | Effect.OBLIGE | Effect.RECORD:
                return []
            case _:
                assert_never(effect)

    def _list_cubes_without_treaty_basis(self) -> list[RuleCube]:
        points = self.space.without_treaty_basis
        return [(NO_TREATY_BASIS, {RECIPIENT_DIMENSION: points})] if points else []

    def list_cubes_of_rules(self, numbers: Iterable[int]) -> list[RuleCube]:
        """Return the cubes under which some rules hold."""
        return [(number, cube) for number in numbers for cube in self.holds_in[number]]

    def list_cubes_of_asking_rules(self, numbers: Iterable[int]) -> list[RuleCube]:
        """Return the cubes under which some rules ask a person."""
        return [(number, cube) for number in numbers for cube in self.asks_in[number]]

    def find_uncovered(self, cover: Iterable[Cube], covering: Iterable[RuleCube]) -> Cube | None:
        """Return a part of a cover that the cubes of some rules leave out, or None when they contain all of it."""
        cubes = (*self.space.impossible, *(cube for _, cube in covering))
        return find_uncovered(cover, cubes, self.space.all_points)

    def keep_possible(self, cover: Cover) -> Cover:
        """Return the cubes of a cover that have a combination that can occur."""
        return [cube for cube in cover if self.find_uncovered([cube], ()) is not None]

    def find_covering_rules(self, cover: Cover, covering: Iterable[RuleCube]) -> tuple[int, ...]:
        """Return an irredundant set of rules whose cubes together contain a cover: a single rule where one is enough.

        `NO_TREATY_BASIS` is left out of the result.

        Args:
            cover: The combinations to explain.
            covering: Cubes that together contain the cover.
        """
        touching: dict[int, list[RuleCube]] = {}
        for rule_cube in covering:
            if any(intersect_cubes(cube, rule_cube[1]) is not None for cube in cover):
                touching.setdefault(rule_cube[0], []).append(rule_cube)
        for number, own_cubes in touching.items():
            if self.find_uncovered(cover, own_cubes) is None:
                return _sort_rules((number,))
        needed = dict(touching)
        for number in touching:
            others = [cube for other, own_cubes in needed.items() if other != number for cube in own_cubes]
            if self.find_uncovered(cover, others) is None:
                del needed[number]
        return _sort_rules(needed)

    def build_counterexample(self, cube: Cube, *numbers: int) -> Counterexample:
        """Return one combination of a cube; the facts that these rules test are relevant.

        So is the urgency, if a rule asks a person only because the item is an emergency.
        """
        rules = [self.pack.rules[number] for number in numbers]
        relevant = {name for rule in rules for name in rule.list_fact_names()}
        example = self.space.build_counterexample(cube, relevant)
        if not any(rule.asks_undecided and rule.when.evaluate(example.facts) is None for rule in rules):
            return example
        return replace(example, relevant=tuple(sorted({*relevant, EMERGENCY_TEST.fact})))


def _sort_rules(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(number for number in numbers if number != NO_TREATY_BASIS))


def analyse_pack(pack: Pack, treaties: TreatyTable, common_count: int) -> PackAnalysis:
    """Prepare a pack for the checks.

    Args:
        pack: The pack; the common rules come first in it.
        treaties: The treaty table.
        common_count: Number of common rules.
    """
    return PackAnalysis(pack, common_count, build_decision_space(pack, treaties))
