"""A fact as an officer states it in a ruling: a name and values of the closed vocabulary, as text."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from sharing.law.facts import FACTS, Fact, FactKind, FactScope
from sharing.model.strict_model import StrictModel
from sharing.model.validation_errors import suggest_nearest
from sharing.sentences import say

FACT_NAMES: Final = frozenset(name for name, fact in FACTS.items() if fact.scope is FactScope.INDICATOR)
"""Every fact of an item. What may be stated of them, and when, the amendment of the item decides."""

VALUES_MAX: Final = 64

_NUMBER: Final = re.compile(r"(?:0|[1-9]\d{0,3})(?:\.\d{1,2})?", re.ASCII)
_Text = Annotated[str, Field(max_length=80)]


class RuledFact(StrictModel):
    """A fact that an officer supplies or corrects.

    Attributes:
        name: Its name, such as `findings.serious_offence`.
        values: Its value as text: one, or for a set all of its members, perhaps none. A number is decimal: 2.5.
    """

    name: _Text
    values: Annotated[tuple[_Text, ...], Field(max_length=VALUES_MAX)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name not in FACT_NAMES:
            raise ValueError(say("is not a fact of an item%(hint)s", hint=suggest_nearest(self.name, FACT_NAMES)))
        fact = FACTS[self.name]
        if len(set(self.values)) < len(self.values):
            raise ValueError(say("%(fact)s: has a value twice", fact=self.name))
        if fact.kind is not FactKind.SET and len(self.values) != 1:
            raise ValueError(say("%(fact)s: has exactly one value", fact=self.name))
        for value in self.values:
            _check_value(fact, value)
        return self


def _check_value(fact: Fact, value: str) -> None:
    """Refuse a value that the fact cannot have.

    Raises:
        ValueError: The fact cannot have it. The message has the nearest known word, and never the value.
    """
    if fact.kind is FactKind.NUMBER:
        if not _NUMBER.fullmatch(value):
            raise ValueError(say("%(fact)s: must be a number such as 4 or 2.5, below 10,000", fact=fact.name))
    elif value not in fact.values:
        raise ValueError(
            say(
                "%(fact)s: has a value that is not in its list%(hint)s",
                fact=fact.name,
                hint=suggest_nearest(value, fact.values),
            )
        )
