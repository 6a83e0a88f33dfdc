"""Finds what pages say in English although they should not: messages without a translation, and English sentences."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from html.parser import HTMLParser
from typing import Final

import pytest

from sharing.desk.settings import LANGUAGES
from sharing.desk.web import catalogue

ENGLISH_WORDS: Final = frozenset(
    {
        "and", "another", "any", "are", "be", "been", "before", "by", "failed", "for", "from", "has", "have", "how",
        "is", "it", "its", "may", "missing", "more", "must", "nobody", "not", "of", "other", "permits",
        "that", "the", "their", "there", "these", "they", "this", "those", "until", "was", "were", "what", "when",
        "where", "which", "who", "whose", "why", "with", "you", "your",
    }
)  # fmt: skip
"""Words of English sentences that no French one has."""

ENGLISH_WORDS_MIN: Final = 1
"""One is enough: "and 2 more" has no other."""

_VOID: Final = frozenset({"meta", "link", "input", "br", "hr", "img", "source", "wbr"})
_SILENT: Final = frozenset({"script", "style", "code", "kbd", "pre"})
_SPOKEN: Final = frozenset({"alt", "aria-label", "placeholder", "title"})
_PLACEHOLDER: Final = re.compile(r"%\(\w+\)s")
_WORD: Final = re.compile(r"[\w.-]+")


class _Recorder(gettext.NullTranslations):
    """The translations of a language, which notes what another language lacks."""

    def __init__(
        self, real: gettext.NullTranslations, others: list[gettext.NullTranslations], missing: set[str]
    ) -> None:
        super().__init__()
        self._real, self._others, self._missing = real, others, missing

    def gettext(self, message: str) -> str:
        self._note(message, [other.gettext(message) for other in self._others], message)
        return self._real.gettext(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        self._note(msgid1, [other.ngettext(msgid1, msgid2, n) for other in self._others], msgid1, msgid2)
        return self._real.ngettext(msgid1, msgid2, n)

    def _note(self, message: str, said: list[str], *same: str) -> None:
        plain = _PLACEHOLDER.sub("", message)
        has_words = " " in plain.strip() and any(character.islower() for character in plain) and "<" not in plain
        if has_words and any(text in same for text in said) and message not in _list_same():
            self._missing.add(message)


@cache
def _list_same() -> frozenset[str]:
    """Return the messages that the catalogue has with the same text, such as the name of a form."""
    catalogues = catalogue.read_catalogues(LANGUAGES[1])
    return frozenset(
        message
        for each in catalogues
        for entry in each
        for message in ([entry.id] if isinstance(entry.id, str) else entry.id)
        if message and message in ([entry.string] if isinstance(entry.string, str) else entry.string or ())
    )


@contextmanager
def record_untranslated(patch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Yield the messages without a translation that are shown during the block, in whatever language they are."""
    missing: set[str] = set()
    load = catalogue.load_translations

    def load_recording(language: str) -> gettext.NullTranslations:
        return _Recorder(load(language), [load(each) for each in LANGUAGES[1:]], missing)

    patch.setattr(catalogue, "load_translations", load_recording)
    yield missing


class _TextReader(HTMLParser):
    """Collects the texts of a page that are in its own language."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.marked: list[str] = []
        self._silent: list[bool] = []
        self._other: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        given = dict(attrs)
        is_other = tag != "html" and given.get("lang", "fr") != "fr"
        is_of_others = "typed" in (given.get("class") or "").split()
        self._silent.append(tag in _SILENT or is_other or is_of_others)
        self._other.append(is_other)
        if not any(self._silent):
            self.texts += [" ".join(text.split()) for name, text in attrs if name in _SPOKEN and text]

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._silent.pop()
            self._other.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and any(self._other):
            self.marked.append(" ".join(data.split()))
        if data.strip() and not any(self._silent):
            self.texts.append(" ".join(data.split()))


def find_english(html: str) -> list[str]:
    """Return the texts of a French page that look English, outside of what is marked as English or as typed."""
    reader = _TextReader()
    reader.feed(html)
    return [text for text in reader.texts if is_english(text)]


def list_marked(html: str) -> list[str]:
    """Return the texts of a French page that are marked as of another language: what is wrong with them nobody sees."""
    reader = _TextReader()
    reader.feed(html)
    return reader.marked


def is_english(text: str) -> bool:
    """Return whether a text looks like an English sentence."""
    words = {word.strip(".-").lower() for word in _WORD.findall(text) if not word.isupper()}  # a code is in capitals
    return len(ENGLISH_WORDS & words) >= ENGLISH_WORDS_MIN
