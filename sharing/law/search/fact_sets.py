"""Finds the sets of missing facts that could change an outcome for any values: sets of facts as bit masks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sharing.law.combination import RuleResult
from sharing.law.fact_values import FactValue
from sharing.law.facts import FACTS
from sharing.model.effects import PERMITTING_EFFECTS, RESTRICTING_EFFECTS

CODES = "offence.codes"

DETERMINED_BY: Mapping[str, tuple[str, ...]] = {
    "recipient.dual_criminality": (CODES,),
    "recipient.capital_offence": (CODES,),
    "recipient.authority": (CODES, "source.authority"),
}
"""Facts about a recipient that may become known through facts of the item."""

_ANY_FACT = -1
"""The mask of all facts."""

_IMPOSSIBLE = sys.maxsize
"""Number of facts still needed if no further fact suffices."""

FactNames = tuple[str, ...]


class StepLimit:
    """Limits the steps of a search: the sets of facts and the values that are tried.

    Args:
        steps_max: How many steps are allowed.
    """

    def __init__(self, steps_max: int) -> None:
        self._left = steps_max

    def take_step(self) -> bool:
        """Count a step. Return False if the limit is exceeded."""
        self._left -= 1
        return self._left >= 0


class FactMasks:
    """Represents sets of missing facts as bit masks.

    Attributes:
        names: The facts that can be tried, sorted; bit `i` of a mask represents `names[i]`.
        bits: The mask of each single fact.
        deciding: For the id of each undecided rule, the facts that could decide it.
    """

    def __init__(self, names: FactNames, undecided: Sequence[RuleResult]) -> None:
        self.names = names
        self.bits = {name: 1 << index for index, name in enumerate(names)}
        self.deciding = {
            result.rule.id: _ANY_FACT if _evaluation_failed(result) else self.to_mask(result.missing)
            for result in undecided
        }

    def to_mask(self, names: Iterable[str]) -> int:
        """Return the facts through which these facts become known; facts that cannot be tried are ignored."""
        mask = 0
        for name in names:
            mask |= self.bits.get(name, 0)
            for determining in DETERMINED_BY.get(name, ()):
                mask |= self.bits.get(determining, 0)
        return mask

    def to_names(self, mask: int) -> FactNames:
        """Return the names of the facts in a mask, in order."""
        return tuple([name for name, bit in self.bits.items() if mask & bit])


class FactSetSearch:
    """Finds the sets of missing facts that could change the outcome; the values of the facts are not considered."""

    def __init__(
        self, masks: FactMasks, facts: Mapping[str, FactValue], results: Sequence[RuleResult], steps: StepLimit
    ) -> None:
        self._masks = masks
        self._facts = facts
        self._steps = steps
        self._requirements = self._list_requirements(results)

    def iter_sets(self, size: int) -> Iterator[FactNames]:
        """Yield, in order, the sets of this size that could change the outcome."""
        for chosen in self._extend_set(size, 0, 0):
            yield self._masks.to_names(chosen)

    def _extend_set(self, size: int, start: int, chosen: int) -> Iterator[int]:
        """Yield, in order, the sets that add `size` facts, from number `start` on, to the chosen ones."""
        if size == 0:
            yield chosen
            return
        for index in range(start, len(self._masks.names) - size + 1):
            if not self._steps.take_step():
                return
            extended = chosen | 1 << index
            later_facts = -1 << (index + 1)
            if self._count_needed(extended, extended | later_facts) < size:
                yield from self._extend_set(size - 1, index + 1, extended)

    def _count_needed(self, chosen: int, allowed: int) -> int:
        """Return a lower bound of the facts still needed, or `_IMPOSSIBLE` if the allowed ones cannot suffice."""
        return min(
            (self._count_needed_for(masks, chosen, allowed) for masks in self._requirements), default=_IMPOSSIBLE
        )

    @staticmethod
    def _count_needed_for(masks: Sequence[int], chosen: int, allowed: int) -> int:
        used, count = 0, 0
        for mask in masks:
            if mask & chosen:
                continue
            if not mask & allowed:
                return _IMPOSSIBLE
            if not mask & used:  # masks without a common fact need one fact each
                used |= mask
                count += 1
        return count

    def _list_requirements(self, results: Sequence[RuleResult]) -> list[list[int]]:
        """Return alternatives, each a list of masks.

        The outcome can change only if, for at least one alternative, a fact from every mask becomes known.
        """
        undecided = [result for result in results if result.effect is None]
        restrictions = [
            self._masks.deciding[result.rule.id] for result in undecided if result.rule.effect in RESTRICTING_EFFECTS
        ]
        permitted = any(result.effect in PERMITTING_EFFECTS for result in results)
        if permitted and not restrictions:  # the item is held
            return [[self._masks.deciding[result.rule.id]] for result in results if result.lifted is None]
        if permitted:
            permissions: list[list[int]] = [[]]  # no further permission is needed
        else:
            permits = (result for result in undecided if result.rule.effect in PERMITTING_EFFECTS)
            permissions = [self._list_part_masks(result) for result in permits]
        return [sorted([*restrictions, *masks], key=int.bit_count) for masks in permissions]

    def _list_part_masks(self, result: RuleResult) -> list[int]:
        """Return one mask for each undecided part of a rule: the part can hold only if a fact of its mask is known."""
        if _evaluation_failed(result):
            return []  # it is not known which fact would make the evaluation succeed
        parts = (part for part in result.rule.when.parts if part.evaluate(self._facts) is None)
        return [self._masks.to_mask(part.list_missing_facts(self._facts)) for part in parts]


def _evaluation_failed(result: RuleResult) -> bool:
    return not FACTS.keys() >= set(result.missing)
