"""States that a user names, in options and arguments."""

from __future__ import annotations

from collections.abc import Callable

from sharing.console.printable import to_printable
from sharing.errors import InputError
from sharing.model.countries import normalise_country
from sharing.model.pack_code import normalise_pack_code

_SHOWN_MAX = 40


def read_state(name: str, code: str) -> str:
    """Return the code of a State that a user gave.

    Args:
        name: Name of the option or argument, such as `--state`.
        code: What the user gave.

    Raises:
        InputError: It is not the code of a State. The message repeats it, with the option.
    """
    return _read(name, code, normalise_country)


def read_pack_code(name: str, code: str) -> str:
    """Return the code of a law pack that a user gave: of a State, or of a template such as EU.

    Args:
        name: Name of the option or argument, such as `STATE`.
        code: What the user gave.

    Raises:
        InputError: It cannot be the code of a pack. The message repeats it, with the argument.
    """
    return _read(name, code, normalise_pack_code)


def _read(name: str, code: str, normalise: Callable[[str], str]) -> str:
    try:
        return normalise(code)
    except InputError as error:
        shown = to_printable(code)[:_SHOWN_MAX] or "''"
        raise InputError(f"{name} {shown}: {error}") from None
