"""Answers about an item: from what was chosen on a page to the field of the item that states it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sharing.desk.web.typed_fields import NO_MEMBER
from sharing.errors import InputError
from sharing.law.fact_questions import QUESTIONS
from sharing.law.fact_values import NONE
from sharing.law.facts import FACTS, Fact, FactKind

Answers = Mapping[str, tuple[str, ...]]
"""What was answered, by fact: one value, or for a set all of its members, perhaps none."""

TOGETHER: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "grading.source": ("grading.source", "grading.information"),
        "grading.information": ("grading.source", "grading.information"),
    }
)
"""Facts that are stated together or not at all: who is asked for one is asked for both."""

_FINDINGS: Final = "findings."
_EMPTY_SETS: Final = frozenset({"character"})
"""Sets of which an item can say that they are empty. Of the others, an empty one is unknown."""

_WHOLE_NUMBERS: Final = frozenset({"grading.information"})
_LISTED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"grading.information": ("1", "2", "3", "4")})


def list_values(fact: Fact) -> tuple[str, ...]:
    """Return the values that can be chosen for a fact; none if a number is typed."""
    if fact.name in _LISTED:
        return _LISTED[fact.name]
    if fact.kind is FactKind.NUMBER:
        return ()
    if fact.is_tristate:
        return ("YES", "NO")
    return tuple(sorted(fact.values, key=lambda value: (value == NONE, value == "OTHER", value)))


def can_be_empty(fact: Fact) -> bool:
    """Return whether an item can say of a set that it has no member."""
    return fact.name in _EMPTY_SETS


def read_answer(name: str, chosen: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return an answer as it was chosen on a page; None for "not known".

    Args:
        name: The fact.
        chosen: The values that were chosen, or the number that was typed.

    Raises:
        InputError: It is no fact that is asked for, or has a value that is not in its list. The message is a sentence
            for the field, without the value.
    """
    if name not in QUESTIONS:
        raise InputError("this is nothing that is asked of an item", field=name)
    fact = FACTS[name]
    values = tuple(dict.fromkeys(value.strip() for value in chosen if value.strip()))
    if not values:
        return None
    if fact.kind is FactKind.SET and values == (NO_MEMBER,) and can_be_empty(fact):
        return ()
    if fact.kind is not FactKind.SET and len(values) != 1:
        raise InputError("choose one answer", field=name)
    if fact.kind is FactKind.NUMBER:
        return (_read_number(name, values[0]),)
    if not set(values) <= fact.values:
        raise InputError("choose an answer of the list", field=name)
    return values


def _read_number(name: str, text: str) -> str:
    number = text.replace(",", ".") if text.count(",") == 1 else text
    digits = number.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(number) > 8:  # noqa: PLR2004 no number here is longer
        raise InputError("must be a number, such as 4 or 2.5", field=name)
    if name in _WHOLE_NUMBERS and number not in _LISTED[name]:
        raise InputError("choose an answer of the list", field=name)
    return number


def state_answers(fields: dict[str, Any], answers: Answers) -> dict[str, Any]:
    """Return the JSON form of an item with what was answered. Half of what is stated together is left out."""
    stated = dict(fields)
    for name, values in answers.items():
        partners = TOGETHER.get(name, ())
        if all(partner in answers for partner in partners):
            _set_field(stated, name, _to_value(name, values))
    return stated


def _to_value(name: str, values: tuple[str, ...]) -> Any:
    fact = FACTS[name]
    if fact.kind is FactKind.SET:
        return list(values)
    if name in _WHOLE_NUMBERS:
        return int(values[0])
    if fact.kind is FactKind.NUMBER:
        return float(values[0])
    return None if name == "origin.state" and values[0] == NONE else values[0]


def _set_field(fields: dict[str, Any], name: str, value: Any) -> None:
    outer, _, inner = name.partition(".")
    fields[outer] = {**fields.get(outer, {}), inner: value} if inner else value
