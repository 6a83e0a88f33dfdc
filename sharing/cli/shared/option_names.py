"""Names the option in an error that is about what an option gave: the checks of rulings name parts of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sharing.errors import InputError

RULING_OPTIONS: Final[Mapping[str, str]] = {
    "grounds": "--ground",
    "own_rule": "--rule",
    "facts": "--fact",
    "relaxed": "--relax or --relax-none",
    "text": "--text",
    "covers_until": "--later-until",
    "conditions_hash": "--conditions-hash",
    "authority": "--authority",
    "states": "--to",
}
"""The option of each part of a ruling, by its field."""


@contextmanager
def naming_options(options: Mapping[str, str] = RULING_OPTIONS) -> Iterator[None]:
    """Put the name of an option before an error that is about its value.

    Args:
        options: The options, by the field that an error names.

    Raises:
        InputError: The error that was raised, with the name of the option.
    """
    try:
        yield
    except InputError as error:
        option = options.get(error.field)
        if option is None or str(error).startswith("--"):
            raise
        raise InputError(f"{option}: {error}", field=error.field, location=error.location) from None
