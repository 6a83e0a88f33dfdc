"""Facts that an officer states with options: `--fact NAME=VALUE`."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from sharing.errors import InputError
from sharing.model.validation_errors import to_input_error
from sharing.rulings.facts import RuledFact


def parse_facts(options: Sequence[str] | None) -> tuple[RuledFact, ...]:
    """Return the facts that options state, in their order. No message repeats a value.

    Args:
        options: Each is NAME=VALUE, or NAME=VALUE,VALUE for a set; NAME= is an empty set.

    Raises:
        InputError: One is no fact of an item, has a value that is none of its list, or is stated twice.
    """
    facts = [_parse_fact(option) for option in options or ()]
    names = [fact.name for fact in facts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"--fact {twice}: is stated twice; name all values of a set once, separated by commas")
    return tuple(facts)


def _parse_fact(option: str) -> RuledFact:
    name, equals, text = option.partition("=")
    if not equals:
        raise InputError("--fact: must be NAME=VALUE, such as findings.serious_offence=YES")
    values = tuple(part.strip() for part in text.split(",")) if text.strip() else ()
    try:
        return RuledFact(name=name.strip(), values=values)
    except ValidationError as error:
        raise InputError(f"--fact: {to_input_error(error, RuledFact)}") from None
