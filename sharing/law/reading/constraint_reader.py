"""Reads the `when` of a rule or scope, as parsed from YAML, and reports everything that is wrong with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sharing.law.constraints import AnyOf, Conjunction, FactTest, Operator
from sharing.law.fact_values import NONE
from sharing.law.facts import FACTS, Fact, FactKind
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


def read_conjunction(when: Any, instruments: Iterable[str]) -> Conjunction:
    """Read a `when`.

    Args:
        when: A mapping of fact to constraint, as parsed from YAML.
        instruments: Names of the treaties that a test may name, including bilateral agreements.

    Raises:
        ConstraintError: The `when` is invalid; the error has the path inside `when`, what was expected and the
            nearest known name, and everything else that is wrong.
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
    allowed = _list_allowed_values(fact, instruments)
    name = COUNTRY_ALIASES.get(value, value) if isinstance(value, str) and value not in allowed else value
    if not isinstance(name, str) or name not in allowed:
        expected = "true or false" if fact.is_tristate else f"one of {', '.join(sorted(allowed))}"
        expected = expected if len(expected) < _LISTED_CHARACTERS_MAX else "one of its closed list"
        text = str(value) if isinstance(value, dt.date) else repr(value)
        raise ConstraintError(f"{text} is not a value of {fact.name}: {expected}{suggest_nearest(str(value), allowed)}")
    return name


def _list_allowed_values(fact: Fact, instruments: frozenset[str]) -> frozenset[str]:
    match fact.name:
        case "recipient.treaties":
            return instruments
        case "treaty_basis":
            return instruments | {NONE}
        case _:
            return fact.values
