"""How words become sentences."""

from __future__ import annotations


def capitalise(words: str) -> str:
    """Return words with a capital at their beginning; the rest stays as it is, unlike with `str.capitalize`."""
    return f"{words[:1].upper()}{words[1:]}"
