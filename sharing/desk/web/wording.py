"""How words become sentences."""

from __future__ import annotations

import unicodedata
from typing import Final

from markupsafe import Markup

from sharing.desk.web.catalogue import get_language

_FRENCH: Final = "fr"


def write_colon() -> Markup:
    """Return a colon between two parts of a line, with the spaces of the language; French has one before it, too."""
    return Markup("&nbsp;: ") if get_language() == _FRENCH else Markup(": ")


def write_semicolon() -> Markup:
    """Return a semicolon between two parts of a line, with the spaces of the language."""
    return Markup("&nbsp;; ") if get_language() == _FRENCH else Markup("; ")


def capitalise(words: str) -> str:
    """Return words with a capital at their beginning; the rest stays as it is, unlike with `str.capitalize`."""
    return f"{words[:1].upper()}{words[1:]}"


def fold(words: str) -> str:
    """Return words as they are ordered in a list: without capitals and accents."""
    parts = unicodedata.normalize("NFD", words.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))
