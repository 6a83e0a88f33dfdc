"""States that a user names, in options and arguments."""

from __future__ import annotations

from sharing.console.printable import to_printable
from sharing.errors import InputError
from sharing.model.countries import normalise_country

_SHOWN_MAX = 40


def read_state(name: str, code: str) -> str:
    """Return the code of a State that a user gave.

    Args:
        name: Name of the option or argument, such as `--state`.
        code: What the user gave.

    Raises:
        InputError: It is not the code of a State. The message repeats it, with the option.
    """
    try:
        return normalise_country(code)
    except InputError as error:
        raise InputError(f"{name} {to_printable(code)[:_SHOWN_MAX]}: {error}") from None
