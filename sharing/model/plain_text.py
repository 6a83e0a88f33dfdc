"""Text of others, made safe to show: what cannot be seen, or changes what is seen, is shown as a mark.

Text comes from other States, agencies and offenders. HTML's own characters are escaped by the templates; here it is
characters that reorder a line (Unicode UAX #9), that have no width, that control a terminal when a page is copied, or
that combine without end.
"""

from __future__ import annotations

import unicodedata
from typing import Final

MARK: Final = "\N{REPLACEMENT CHARACTER}"
_COMBINING_MAX: Final = 4
"""How many combining characters may follow one another: no language writes more, and more of them cover other lines."""

# Characters without a glyph that Unicode does not count as format or control characters.
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\ufffc") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_KEPT: Final = frozenset("\n\t")


def to_plain(text: object) -> str:
    """Return a text in which every character can be seen. Line breaks and tabs stay; others are marked.

    Args:
        text: The text, or an object of which the text is shown.
    """
    written = str(text)
    if written.isascii() and written.isprintable():
        return written
    shown: list[str] = []
    combining = 0
    for character in written.replace("\r\n", "\n").replace("\r", "\n"):
        category = unicodedata.category(character)
        combining = combining + 1 if category in {"Mn", "Me"} else 0
        is_hidden = category in _HIDDEN_CATEGORIES or character in _INVISIBLE or combining > _COMBINING_MAX
        if character in _KEPT or not is_hidden:
            shown.append(" " if category == "Zs" else character)
        elif not shown or shown[-1] != MARK:  # one mark for a run of them
            shown.append(MARK)
    return "".join(shown)
