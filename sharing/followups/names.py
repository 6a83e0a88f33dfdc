"""The names of States, languages and authorities in a draft, for readers abroad."""

from __future__ import annotations

from typing import Final

from babel import Locale

from sharing.followups.plain_text import make_plain
from sharing.model.code_words import AUTHORITY_WORDS
from sharing.model.countries import STATES, TEST_STATES

LANGUAGE: Final = "en"
"""The language of drafts, no matter where they are made."""


def describe_state(code: str) -> str:
    """Return the name of a State with its code; the code alone, made plain, if it is not the code of a State."""
    if code not in STATES:  # babel has names for more than States, such as 001 for the world
        return make_plain(code)
    return f"{TEST_STATES.get(code) or Locale(LANGUAGE).territories.get(code, code)} ({code})"


def describe_language(tag: str) -> str:
    """Return the name of a language with its tag (BCP 47); the tag alone, made plain, if it is not known."""
    name = Locale(LANGUAGE).languages.get(tag.lower())
    return f"{name} ({tag})" if name else make_plain(tag)


def name_authority(kind: str) -> str:
    """Return what a kind of authority is called; the code, made plain, if it is not known."""
    return AUTHORITY_WORDS.get(kind) or make_plain(kind)
