"""Text of others, made safe to print: on one line, without control characters."""

from __future__ import annotations


def to_printable(text: object) -> str:
    """Return a text on one line and without control characters: it may come from another State or an offender."""
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "?" for character in str(text)
    )
