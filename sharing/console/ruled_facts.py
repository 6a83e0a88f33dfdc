"""Facts as an officer states them: names and values as text, at the command line and at the desk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from sharing.errors import InputError
from sharing.model.validation_errors import to_input_error
from sharing.rulings.facts import RuledFact
from sharing.sentences import get_sentence, say


def parse_facts(options: Sequence[str] | None) -> tuple[RuledFact, ...]:
    """Return the facts that options state, in their order. No message repeats a value.

    Args:
        options: Each is NAME=VALUE, or NAME=VALUE,VALUE for a set; NAME= is an empty set.

    Raises:
        InputError: One is not a fact of an item, has a value that is none of its list, or is stated twice.
    """
    return collect_facts(make_fact(*_split(option)) for option in options or ())


def collect_facts(stated: Iterable[RuledFact]) -> tuple[RuledFact, ...]:
    """Return facts in their order.

    Raises:
        InputError: One is stated twice.
    """
    facts = tuple(stated)
    names = [fact.name for fact in facts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            say("%(fact)s is stated twice; name all values of a set once, separated by commas", fact=twice),
            field="facts",
        )
    return facts


def make_fact(name: str, values: Sequence[str]) -> RuledFact:
    """Return a fact.

    Args:
        name: Its name.
        values: Its values as text; for a set, all of them.

    Raises:
        InputError: It is not a fact of an item, or has a value that is none of its list. The message repeats no value.
    """
    try:
        return RuledFact(name=name.strip(), values=tuple(value.strip() for value in values))
    except ValidationError as error:
        raise InputError(get_sentence(to_input_error(error, RuledFact)), field="facts") from None


def _split(option: str) -> tuple[str, list[str]]:
    name, equals, text = option.partition("=")
    if not equals:
        raise InputError("must be NAME=VALUE, such as findings.serious_offence=YES", field="facts")
    return name, text.split(",") if text.strip() else []
