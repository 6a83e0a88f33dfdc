"""The language of a pack's `when`: tests on facts, joined by "and", with `any_of` for alternatives.

The logic is three-valued (Kleene): a test on an unknown fact is neither true nor false, and a conjunction is false as
soon as one part is false, whatever is unknown. The language has nothing else. A law that seems to need more needs
another fact.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sharing.law.facts import FACTS, NONE, Fact, FactKind, Facts, FactValue, PartialValue
from sharing.model.countries import COUNTRY_ALIASES
from sharing.model.validation_errors import suggest_nearest
from sharing.model.vocabulary import UNKNOWN

BOUND_MAX = 1_000
"""Years and grades are far below it; a higher bound would hold always or never, so it is a typing error."""


_LISTED_CHARACTERS_MAX = 400
"""A message lists the values of a closed list only up to this length."""


class ConstraintError(ValueError):
    """A constraint is invalid.

    Attributes:
        path: Its position inside `when`.
        others: What else is wrong with the same `when`.
    """

    def __init__(self, message: str, path: tuple[int | str, ...] = (), others: Sequence[ConstraintError] = ()) -> None:
        super().__init__(message)
        self.path = path
        self.others = tuple(others)

    def list_all(self) -> tuple[ConstraintError, ...]:
        """Return this error and the others."""
        return (self, *self.others)

    def within(self, *path: int | str) -> list[ConstraintError]:
        """Return this error and the others, with their positions inside an outer `when`."""
        return [ConstraintError(str(error), (*path, *error.path)) for error in self.list_all()]


def _raise_all(errors: Sequence[ConstraintError]) -> None:
    if errors:
        raise ConstraintError(str(errors[0]), errors[0].path, errors[1:])


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
        """Return whether the test holds whatever the value turns out to be; None if that depends on it."""
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

    def missing_facts(self, facts: Facts) -> Iterator[str]:
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
    """Alternatives: holds if at least one of them holds."""

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

    def missing_facts(self, facts: Facts) -> Iterator[str]:
        """Yield the unknown facts of undecided alternatives."""
        for alternative in self.alternatives:
            if alternative.evaluate(facts) is None:
                yield from alternative.missing_facts(facts)

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

    def missing_facts(self, facts: Facts) -> Iterator[str]:
        """Yield the unknown facts of the undecided parts."""
        for part in self.parts:
            if part.evaluate(facts) is None:
                yield from part.missing_facts(facts)

    def iter_tests(self) -> Iterator[FactTest]:
        """Yield the tests of every part."""
        for part in self.parts:
            yield from part.iter_tests()

    def list_fact_names(self) -> frozenset[str]:
        """Return the names of the facts that it tests."""
        return frozenset(test.fact for test in self.iter_tests())

    def __str__(self) -> str:
        return " and ".join(str(part) for part in self.parts) or "always"


def read_conjunction(when: Any, instruments: Iterable[str]) -> Conjunction:
    """Read a `when`.

    Args:
        when: A mapping of fact to constraint, as parsed from YAML.
        instruments: Names of the treaties that a test may name, including bilateral agreements.

    Raises:
        ConstraintError: The `when` is invalid; the error has the path inside `when`, what was expected and the
            nearest known name, and whatever else is wrong.
    """
    if not isinstance(when, dict):
        raise ConstraintError("must map facts to constraints")
    instrument_names = frozenset(instruments)
    parts: list[FactTest | AnyOf] = []
    errors: list[ConstraintError] = []
    for name, constraint in when.items():
        try:
            if name == "any_of":
                parts.append(_read_any_of(constraint, instrument_names))
            else:
                parts.extend(_read_tests(_find_fact(name), constraint, instrument_names, negated=False))
        except ConstraintError as error:
            errors += error.within(name)
    _raise_all(errors)
    return Conjunction(tuple(parts))


def _find_fact(name: str) -> Fact:
    if name in _OPERATORS:
        raise ConstraintError(f"belongs under a fact, as in {{form: {{{name}: ...}}}}")
    if name not in FACTS:
        raise ConstraintError(f"unknown fact{suggest_nearest(name, (*FACTS, 'any_of'))}")
    return FACTS[name]


def _read_any_of(alternatives: Any, instruments: frozenset[str]) -> AnyOf:
    if not isinstance(alternatives, list) or not alternatives:
        raise ConstraintError("must be a list of alternatives, each a mapping of fact to constraint")
    conjunctions = []
    errors: list[ConstraintError] = []
    for index, alternative in enumerate(alternatives):
        try:
            conjunction = read_conjunction(alternative, instruments)
        except ConstraintError as error:
            errors += error.within(index)
            continue
        if not conjunction.parts:
            errors.append(ConstraintError("an empty alternative always holds; leave the any_of out", (index,)))
        conjunctions.append(conjunction)
    _raise_all(errors)
    return AnyOf(tuple(conjunctions))


_BOUNDS = {"at_least": Operator.AT_LEAST, "below": Operator.BELOW}
_OPERATORS = ("not", "at_least", "below", "includes")


def _refuse_pointless(constraint: Mapping[str, Any]) -> None:
    if not constraint:
        raise ConstraintError("an empty constraint tests nothing")
    least, below = constraint.get("at_least"), constraint.get("below")
    if isinstance(least, int | float) and isinstance(below, int | float) and least >= below:
        raise ConstraintError("no number is at least the one bound and below the other: the constraint never holds")


def _read_tests(fact: Fact, constraint: Any, instruments: frozenset[str], *, negated: bool) -> Iterator[FactTest]:
    if not isinstance(constraint, dict):
        yield FactTest(fact.name, Operator.ANY_OF, _read_values(fact, constraint, instruments), negated)
        return
    _refuse_pointless(constraint)
    for operator, operand in constraint.items():
        match operator:
            case "not" if not negated:
                if isinstance(operand, dict) and len(operand) != 1:
                    raise ConstraintError("takes a value, a list, or one constraint", ("not",))
                yield from _read_tests(fact, operand, instruments, negated=True)
            case "not":
                raise ConstraintError("not inside not; leave both out", ("not",))
            case "at_least" | "below":
                yield FactTest(fact.name, _BOUNDS[operator], _read_bound(fact, operand), negated)
            case "includes":
                if fact.kind is not FactKind.SET:
                    raise ConstraintError(f"{fact.name} has a single value: name it without includes")
                yield FactTest(fact.name, Operator.INCLUDES, _read_values(fact, operand, instruments), negated)
            case _:
                hint = suggest_nearest(operator, _OPERATORS)
                raise ConstraintError(f"unknown constraint {operator!r}{hint}; known: {', '.join(_OPERATORS)}")


def _read_bound(fact: Fact, operand: Any) -> float:
    if fact.kind is not FactKind.NUMBER:
        raise ConstraintError(f"{fact.name} is not a number")
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        raise ConstraintError("must be a number")
    if not 0 <= operand <= BOUND_MAX:
        raise ConstraintError(f"must be a number from 0 to {BOUND_MAX}")
    return float(operand)


def _read_values(fact: Fact, operand: Any, instruments: frozenset[str]) -> frozenset[str]:
    if fact.kind is FactKind.NUMBER:
        raise ConstraintError("is a number: use at_least or below")
    values = operand if isinstance(operand, list) else [operand]
    if not values:
        raise ConstraintError("an empty list never holds")
    names: set[str] = set()
    errors: list[ConstraintError] = []
    for value in values:
        try:
            names.add(_read_value(fact, value, instruments))
        except ConstraintError as error:
            errors.append(error)
    _raise_all(errors)
    return frozenset(names)


def _read_value(fact: Fact, value: Any, instruments: frozenset[str]) -> str:
    if fact.is_tristate and isinstance(value, bool):
        return "YES" if value else "NO"
    if value is None or value == UNKNOWN:
        raise ConstraintError("a rule cannot test for UNKNOWN: an unknown fact leaves it undecided")
    allowed = _allowed_values(fact, instruments)
    name = COUNTRY_ALIASES.get(value, value) if isinstance(value, str) and value not in allowed else value
    if not isinstance(name, str) or name not in allowed:
        expected = "true or false" if fact.is_tristate else f"one of {', '.join(sorted(allowed))}"
        expected = expected if len(expected) < _LISTED_CHARACTERS_MAX else "one of its closed list"
        text = str(value) if isinstance(value, dt.date) else repr(value)
        raise ConstraintError(f"{text} is not a value of {fact.name}: {expected}{suggest_nearest(str(value), allowed)}")
    return name


def _allowed_values(fact: Fact, instruments: frozenset[str]) -> frozenset[str]:
    match fact.name:
        case "recipient.treaties":
            return instruments
        case "treaty_basis":
            return instruments | {NONE}
        case _:
            return fact.values
