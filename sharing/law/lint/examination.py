"""A pack made ready for questions: where each rule holds, where it is undecided, and where nothing leaves anyway."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sharing.law.combine import RESTRICTIONS
from sharing.law.lint.fact_space import WORLD, Combination, FactSpace, make_space
from sharing.law.lint.regions import Cube, Region, find_outside, holds, may_hold, meet, meet_all, subtract_all
from sharing.law.pack import Pack, Rule
from sharing.law.treaties import TreatyTable
from sharing.model.vocabulary import Effect

NOBODY = -1
"""Owner of what no rule brings about: that no treaty basis is known."""

Cover = tuple[int, Cube]
"""A cube, and the number of the rule that owns it."""


@dataclass(slots=True)
class PackExamination:
    """One pack under question. Rules go by their number in `pack.rules`; the first `common` are the common ones.

    Attributes:
        holds: Rule to where it holds, on its days.
        possible: Rule to where it holds or is undecided, on its days.
        undecided: Rule to where it is undecided, on its days.
    """

    pack: Pack
    common: int
    space: FactSpace
    holds: list[Region] = field(init=False)
    possible: list[Region] = field(init=False)
    undecided: list[Region] = field(init=False)

    def __post_init__(self) -> None:
        self.holds = [self.where(rule) for rule in self.pack.rules]
        self.possible = [self.where(rule, possible=True) for rule in self.pack.rules]
        self.undecided = [
            subtract_all(possible, certain, self.space.full)
            for possible, certain in zip(self.possible, self.holds, strict=True)
        ]

    @property
    def own(self) -> range:
        """Numbers of the pack's own rules."""
        return range(self.common, len(self.pack.rules))

    def with_effect(self, *effects: Effect) -> list[int]:
        """Return the numbers of the rules with one of these effects."""
        return [number for number, rule in enumerate(self.pack.rules) if rule.effect in effects]

    def where(self, rule: Rule, *, possible: bool = False) -> Region:
        """Return where a rule holds on its days; with `possible` also where it is undecided."""
        days = self.space.in_force(self.space.calendar.in_force(rule.valid))
        found = (may_hold if possible else holds)(rule.when, self.space.masks)
        return meet_all([{WORLD: days}], found) if days else []

    def prohibited(self, but: Collection[int] = ()) -> list[Cover]:
        """Return where nothing leaves for certain: a prohibition holds, or no treaty basis is known."""
        covers = self.holding(number for number in self.with_effect(Effect.DENY) if number not in but)
        return [*covers, *self._without_basis()]

    def withheld(self, but: Collection[int] = ()) -> list[Cover]:
        """Return where nothing leaves, whatever is permitted: a prohibition holds, a restriction is undecided.

        Args:
            but: Rules that are left out.
        """
        covers: list[Cover] = []
        for number, rule in enumerate(self.pack.rules):
            if number not in but and rule.effect in RESTRICTIONS:
                region = self.possible[number] if rule.effect is Effect.DENY else self.undecided[number]
                covers += [(number, cube) for cube in region]
        return [*covers, *self._without_basis()]

    def _without_basis(self) -> list[Cover]:
        return [(NOBODY, {WORLD: self.space.without_basis})] if self.space.without_basis else []

    def holding(self, numbers: Iterable[int]) -> list[Cover]:
        """Return where some rules hold."""
        return [(number, cube) for number in numbers for cube in self.holds[number]]

    def outside(self, region: Iterable[Cube], covers: Iterable[Cover]) -> Cube | None:
        """Return a cube of a region that no cover touches, or None when they hold all of it."""
        return find_outside(region, (cube for _, cube in covers), self.space.full)

    def blamed(self, region: Region, covers: Iterable[Cover]) -> tuple[int, ...]:
        """Return owners that together cover a region which all of them cover: one where one does, else few.

        None of them can be left out. `NOBODY` is left out of what is returned.
        """
        touching: dict[int, list[Cover]] = {}
        for cover in covers:
            if any(meet(cube, cover[1]) is not None for cube in region):
                touching.setdefault(cover[0], []).append(cover)
        for owner, own in touching.items():
            if self.outside(region, own) is None:
                return _rules((owner,))
        needed = dict(touching)
        for owner in touching:
            rest = [cover for other, own in needed.items() if other != owner for cover in own]
            if self.outside(region, rest) is None:
                del needed[owner]
        return _rules(needed)

    def show(self, cube: Cube, *numbers: int) -> Combination:
        """Return one combination of a cube, told with the facts that some rules ask for."""
        return self.space.show(cube, {name for number in numbers for name in self.pack.rules[number].when.names()})


def _rules(owners: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(owner for owner in owners if owner != NOBODY))


def examine(pack: Pack, treaties: TreatyTable, common: int) -> PackExamination:
    """Return a pack ready for questions.

    Args:
        pack: The pack; the common rules stand first in it.
        treaties: Who is bound by what.
        common: How many rules are common ones.
    """
    return PackExamination(pack, common, make_space(pack, treaties))
