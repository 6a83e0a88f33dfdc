"""Keys as people name them: by the first digits of their id."""

from __future__ import annotations

from collections.abc import Iterable

from sharing.errors import InputError

_DIGITS_MIN = 8


def find_key(text: str, known: Iterable[str]) -> str:
    """Return the id of the one key that begins with these digits.

    Raises:
        InputError: There is none, or more than one, or there are too few digits.
    """
    digits = text.lower().rstrip("…. ")
    if len(digits) < _DIGITS_MIN:
        raise InputError(
            f"name a key by at least {_DIGITS_MIN} digits of its id; `sharing keys show --json` lists them"
        )
    found = [key_id for key_id in known if key_id.startswith(digits)]
    if len(found) != 1:
        raise InputError(
            f"{'no key' if not found else 'more than one key'} begins with these digits; `sharing keys show --json` "
            "lists them"
        )
    return found[0]
