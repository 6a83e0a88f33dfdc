"""The language of a pack's `when`: tests on facts, joined by "and", with `any_of` for alternatives.

The logic is three-valued (Kleene): a test on an unknown fact is neither true nor false, and a conjunction is false as
soon as one part is false, no matter what is unknown. The language has nothing else. A law that seems to need more needs
an additional fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sharing.law.fact_values import Facts, FactValue, PartialValue
from sharing.law.facts import FACTS, FactKind


class Operator(StrEnum):
    """How a test compares a fact with its operand."""

    ANY_OF = "is"
    INCLUDES = "includes"
    AT_LEAST = "at least"
    BELOW = "below"


_BOUND_OPERATORS = (Operator.AT_LEAST, Operator.BELOW)

_NEGATIONS = {
    Operator.ANY_OF: "is not",
    Operator.INCLUDES: "does not include",
    Operator.AT_LEAST: "not at least",
    Operator.BELOW: "not below",
}


@dataclass(frozen=True, slots=True)
class FactTest:
    """One test of one fact."""

    fact: str
    operator: Operator
    operand: frozenset[str] | float
    negated: bool = False

    def evaluate(self, facts: Facts) -> bool | None:
        """Return whether the test holds, or None if the fact is unknown.

        Raises:
            TypeError: The operator cannot compare a value of this kind; the rule is then undecided.
        """
        value = facts[self.fact]
        if value is None:
            return None
        operator, operand = self.operator, self.operand
        # The most common case first: this runs for every rule and every class of recipients.
        if isinstance(operand, frozenset):
            if operator is Operator.ANY_OF:
                if isinstance(value, str):
                    return (value in operand) is not self.negated
                if isinstance(value, frozenset):
                    return operand.isdisjoint(value) is self.negated
            elif operator is Operator.INCLUDES and isinstance(value, frozenset):
                return (operand <= value) is not self.negated
        elif isinstance(value, float | int) and operator in _BOUND_OPERATORS:
            return (value >= operand if operator is Operator.AT_LEAST else value < operand) is not self.negated
        return self._evaluate_partial(value, operand)

    def _evaluate_partial(self, value: FactValue, operand: frozenset[str] | float) -> bool | None:
        """Return whether the test holds for every possible value; None if that depends on the value."""
        if not isinstance(value, PartialValue) or not isinstance(operand, frozenset):
            raise TypeError(f"{self.fact} cannot be compared")
        if value.is_open:
            return None
        if self.operator is Operator.INCLUDES:
            always, never = operand <= value.known, not operand <= value.possible
        elif FACTS[self.fact].kind is FactKind.SET:
            always, never = not operand.isdisjoint(value.known), operand.isdisjoint(value.possible)
        else:
            always, never = operand >= value.possible, operand.isdisjoint(value.possible)
        return None if not always and not never else always is not self.negated

    def list_missing_facts(self, facts: Facts) -> Iterator[str]:
        """Yield the fact if it is unknown; if it is known in part, the facts that decide the instruments in question.

        Only for a test that is undecided.
        """
        value = facts[self.fact]
        if value is None:
            yield self.fact
        elif isinstance(value, PartialValue):
            is_set = FACTS[self.fact].kind is FactKind.SET
            asked = self.operand if is_set and isinstance(self.operand, frozenset) else None
            yield from value.list_missing_facts(asked)

    def iter_tests(self) -> Iterator[FactTest]:
        """Yield this test."""
        yield self

    def __str__(self) -> str:
        operand = " or ".join(sorted(self.operand)) if isinstance(self.operand, frozenset) else f"{self.operand:g}"
        return f"{self.fact} {_NEGATIONS[self.operator] if self.negated else self.operator} {operand}"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Alternatives: hold if at least one of them holds."""

    alternatives: tuple[Conjunction, ...]

    def evaluate(self, facts: Facts) -> bool | None:
        """Return whether an alternative holds; None if none holds and one is undecided."""
        result: bool | None = False
        for alternative in self.alternatives:
            holds = alternative.evaluate(facts)
            if holds:
                return True
            if holds is None:
                result = None
        return result

    def list_missing_facts(self, facts: Facts) -> Iterator[str]:
        """Yield the unknown facts of undecided alternatives."""
        for alternative in self.alternatives:
            if alternative.evaluate(facts) is None:
                yield from alternative.list_missing_facts(facts)

    def iter_tests(self) -> Iterator[FactTest]:
        """Yield the tests of every alternative."""
        for alternative in self.alternatives:
            yield from alternative.iter_tests()

    def __str__(self) -> str:
        return "one of: " + "; or ".join(f"({alternative})" for alternative in self.alternatives)


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Parts that must all hold. A conjunction without parts always holds."""

    parts: tuple[FactTest | AnyOf, ...]

    def evaluate(self, facts: Facts) -> bool | None:
        """Return whether all parts hold: False if one does not, else None if one is undecided."""
        result: bool | None = True
        for part in self.parts:
            holds = part.evaluate(facts)
            if holds is False:
                return False
            if holds is None:
                result = None
        return result

    def list_missing_facts(self, facts: Facts) -> Iterator[str]:
        """Yield the unknown facts of the undecided parts."""
        for part in self.parts:
            if part.evaluate(facts) is None:
                yield from part.list_missing_facts(facts)

    def iter_tests(self) -> Iterator[FactTest]:
        """Yield the tests of every part."""
        for part in self.parts:
            yield from part.iter_tests()

    def list_fact_names(self) -> frozenset[str]:
        """Return the names of the facts that it tests."""
        return frozenset(test.fact for test in self.iter_tests())

    def __str__(self) -> str:
        return " and ".join(str(part) for part in self.parts) or "always"
