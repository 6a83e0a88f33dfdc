"""The language of a pack's `when`: tests on facts, joined by and, with `any_of` for alternatives.

Three-valued (Kleene): a test on an unknown fact is neither true nor false, and a conjunction is false as soon as
one part is, whatever is unknown. That is the whole language; if a law needs more, a fact is missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sharing.law.facts import FACTS, Fact, FactKind, Facts
from sharing.model.countries import COUNTRY_ALIASES
from sharing.model.validation import nearest
from sharing.model.vocabulary import UNKNOWN

BOUND_MAX = 1_000
"""Years and grades are far below it; a bound beyond holds always or never, and is a slip of the hand."""


class ConstraintError(ValueError):
    """A constraint cannot be read. `path` leads to it inside `when`."""

    def __init__(self, message: str, path: tuple[int | str, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class Operator(StrEnum):
    """How a test compares."""

    ANY_OF = "is"
    INCLUDES = "includes"
    AT_LEAST = "at least"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of one fact."""

    fact: str
    operator: Operator
    operand: frozenset[str] | float
    negated: bool = False

    def evaluate(self, facts: Facts) -> bool | None:
        """Return whether it holds, or None when the fact is unknown.

        Raises:
            TypeError: The value is of a kind that cannot be so compared; the rule is then undecided.
        """
        value = facts[self.fact]
        if value is None:
            return None
        operator, operand = self.operator, self.operand
        # The commonest first: this is asked for every rule and every kind of recipient.
        if isinstance(operand, frozenset):
            if operator is Operator.ANY_OF:
                if isinstance(value, str):
                    return (value in operand) is not self.negated
                if isinstance(value, frozenset):
                    return operand.isdisjoint(value) is self.negated
            elif operator is Operator.INCLUDES and isinstance(value, frozenset):
                return (operand <= value) is not self.negated
        elif isinstance(value, float | int):
            if operator is Operator.AT_LEAST:
                return (value >= operand) is not self.negated
            if operator is Operator.BELOW:
                return (value < operand) is not self.negated
        raise TypeError(f"{self.fact} cannot be compared")

    def missing(self, facts: Facts) -> Iterator[str]:
        """Yield the fact when it is unknown."""
        if facts[self.fact] is None:
            yield self.fact

    def tests(self) -> Iterator[Test]:
        """Yield itself."""
        yield self

    def __str__(self) -> str:
        operand = " or ".join(sorted(self.operand)) if isinstance(self.operand, frozenset) else f"{self.operand:g}"
        return f"{self.fact} {'not ' if self.negated else ''}{self.operator} {operand}"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Alternatives: holds when one of them does."""

    alternatives: tuple[Conjunction, ...]

    def evaluate(self, facts: Facts) -> bool | None:
        """Return whether one alternative holds; None when none does and one is undecided."""
        found: bool | None = False
        for alternative in self.alternatives:
            held = alternative.evaluate(facts)
            if held:
                return True
            if held is None:
                found = None
        return found

    def missing(self, facts: Facts) -> Iterator[str]:
        """Yield the unknown facts of undecided alternatives."""
        for alternative in self.alternatives:
            if alternative.evaluate(facts) is None:
                yield from alternative.missing(facts)

    def tests(self) -> Iterator[Test]:
        """Yield the tests of every alternative."""
        for alternative in self.alternatives:
            yield from alternative.tests()

    def __str__(self) -> str:
        return "one of: " + "; or ".join(f"({alternative})" for alternative in self.alternatives)


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Parts that must all hold. Empty holds always."""

    parts: tuple[Test | AnyOf, ...]

    def evaluate(self, facts: Facts) -> bool | None:
        """Return whether all parts hold; False as soon as one does not, else None when one is undecided."""
        held: bool | None = True
        for part in self.parts:
            one = part.evaluate(facts)
            if one is False:
                return False
            if one is None:
                held = None
        return held

    def missing(self, facts: Facts) -> Iterator[str]:
        """Yield the unknown facts of its undecided parts."""
        for part in self.parts:
            if part.evaluate(facts) is None:
                yield from part.missing(facts)

    def tests(self) -> Iterator[Test]:
        """Yield the tests of every part."""
        for part in self.parts:
            yield from part.tests()

    def names(self) -> frozenset[str]:
        """Return the facts it asks for."""
        return frozenset(test.fact for test in self.tests())

    def __str__(self) -> str:
        return " and ".join(str(part) for part in self.parts) or "always"


def read_conjunction(when: Any, instruments: Iterable[str]) -> Conjunction:
    """Read a `when`.

    Args:
        when: A mapping of fact to constraint, as YAML gives it.
        instruments: Names of treaties that may be asked for, bilateral ones included.

    Raises:
        ConstraintError: With the path inside `when`, what was expected and the nearest known name.
    """
    if not isinstance(when, dict):
        raise ConstraintError("must map facts to constraints")
    known = frozenset(instruments)
    parts: list[Test | AnyOf] = []
    for name, constraint in when.items():
        try:
            if name == "any_of":
                parts.append(_read_any_of(constraint, known))
            else:
                parts.extend(_read_tests(_fact(name), constraint, known, negated=False))
        except ConstraintError as error:
            raise ConstraintError(str(error), (name, *error.path)) from None
    return Conjunction(tuple(parts))


def _fact(name: str) -> Fact:
    if name in _OPERATORS:
        raise ConstraintError(f"stands under a fact, as in {{form: {{{name}: ...}}}}")
    if name not in FACTS:
        raise ConstraintError(f"unknown fact{nearest(name, (*FACTS, 'any_of'))}")
    return FACTS[name]


def _read_any_of(alternatives: Any, known: frozenset[str]) -> AnyOf:
    if not isinstance(alternatives, list) or not alternatives:
        raise ConstraintError("must be a list of alternatives, each a mapping of fact to constraint")
    read = []
    for index, alternative in enumerate(alternatives):
        try:
            read.append(read_conjunction(alternative, known))
        except ConstraintError as error:
            raise ConstraintError(str(error), (index, *error.path)) from None
        if not read[-1].parts:
            raise ConstraintError("an empty alternative always holds; leave the any_of out", (index,))
    return AnyOf(tuple(read))


_BOUNDS = {"at_least": Operator.AT_LEAST, "below": Operator.BELOW}
_OPERATORS = ("not", "at_least", "below", "includes")


def _refuse_void(constraint: Mapping[str, Any]) -> None:
    if not constraint:
        raise ConstraintError("an empty constraint asks nothing")
    least, below = constraint.get("at_least"), constraint.get("below")
    if isinstance(least, int | float) and isinstance(below, int | float) and least >= below:
        raise ConstraintError("no number is at least the one bound and below the other: it holds never")


def _read_tests(fact: Fact, constraint: Any, known: frozenset[str], *, negated: bool) -> Iterator[Test]:
    if not isinstance(constraint, dict):
        yield Test(fact.name, Operator.ANY_OF, _members(fact, constraint, known), negated)
        return
    _refuse_void(constraint)
    for operator, operand in constraint.items():
        match operator:
            case "not" if not negated:
                if isinstance(operand, dict) and len(operand) != 1:
                    raise ConstraintError("takes a value, a list, or one constraint", ("not",))
                yield from _read_tests(fact, operand, known, negated=True)
            case "not":
                raise ConstraintError("not within not; leave both out", ("not",))
            case "at_least" | "below":
                yield Test(fact.name, _BOUNDS[operator], _number(fact, operand), negated)
            case "includes":
                if fact.kind is not FactKind.SEVERAL:
                    raise ConstraintError(f"{fact.name} has one value: name it without includes")
                yield Test(fact.name, Operator.INCLUDES, _members(fact, operand, known), negated)
            case _:
                raise ConstraintError(
                    f"unknown constraint {operator!r}{nearest(operator, _OPERATORS)}; known: {', '.join(_OPERATORS)}"
                )


def _number(fact: Fact, operand: Any) -> float:
    if fact.kind is not FactKind.NUMBER:
        raise ConstraintError(f"{fact.name} is not a number")
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        raise ConstraintError("must be a number")
    if not 0 <= operand <= BOUND_MAX:
        raise ConstraintError(f"must be a number from 0 to {BOUND_MAX}")
    return float(operand)


def _members(fact: Fact, operand: Any, known: frozenset[str]) -> frozenset[str]:
    if fact.kind is FactKind.NUMBER:
        raise ConstraintError("is a number: use at_least or below")
    values = operand if isinstance(operand, list) else [operand]
    if not values:
        raise ConstraintError("an empty list holds never")
    return frozenset(_member(fact, value, known) for value in values)


def _member(fact: Fact, value: Any, known: frozenset[str]) -> str:
    if fact.tristate and isinstance(value, bool):
        return "YES" if value else "NO"
    if value is None or value == UNKNOWN:
        raise ConstraintError("a rule cannot ask for UNKNOWN: an unknown fact leaves it undecided")
    allowed = _allowed(fact, known)
    name = COUNTRY_ALIASES.get(value, value) if isinstance(value, str) and value not in allowed else value
    if not isinstance(name, str) or name not in allowed:
        expected = "true or false" if fact.tristate else f"one of {', '.join(sorted(allowed))}"
        expected = expected if len(expected) < 400 else "one of its closed list"  # noqa: PLR2004 a line of text
        shown = str(value) if isinstance(value, dt.date) else repr(value)
        raise ConstraintError(f"{shown} is not a value of {fact.name}: {expected}{nearest(str(value), allowed)}")
    return name


def _allowed(fact: Fact, known: frozenset[str]) -> frozenset[str]:
    match fact.name:
        case "recipient.treaties":
            return known
        case "treaty_basis":
            return known | {"NONE"}
        case _:
            return fact.values
