"""Text from other States and offenders, made safe before it is written into a document."""

from __future__ import annotations

from sharing.model.plain_text import to_plain


def make_plain(text: object) -> str:
    """Return a text on one line, in which every character can be seen. Every run of spaces becomes one space."""
    return " ".join(to_plain(text).split())


def split_lines(text: object) -> tuple[str, ...]:
    """Return the lines of a text that are not empty, each made plain."""
    lines = (make_plain(line) for line in to_plain(text).splitlines())
    return tuple(line for line in lines if line)
