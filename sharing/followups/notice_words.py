"""What a notice says in codes, written out in words for a draft, together with the codes that mark or grade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.model.code_words import add_code
from sharing.model.item_code_words import (
    ADMIRALTY_INFORMATION_WORDS,
    ADMIRALTY_SOURCE_WORDS,
    ASSERTION_WORDS,
    HANDLING_WORDS,
    INFORMATION_GRADE_WORDS,
    PAP_WORDS,
    SOURCE_GRADE_WORDS,
    TLP_WORDS,
    URGENCY_WORDS,
)
from sharing.model.notice import Notice
from sharing.sentences import Sentence


def find_words(words: Mapping[str, Sentence], code: str | None) -> str | None:
    """Return what a code means; the code itself if that is not known; None if it says nothing."""
    return None if code is None or code == "UNKNOWN" else words.get(code, code)


def name_urgency(notice: Notice) -> str:
    """Return how urgent the providing State said it is."""
    return URGENCY_WORDS.get(notice.urgency, notice.urgency)


def describe_reliability(notice: Notice) -> list[str]:
    """Return whether the information is a fact, and its grades: one line for each that is stated."""
    content = notice.content
    grade = content["grading_admiralty"] or ""
    europol = _describe_grades(
        (SOURCE_GRADE_WORDS, content["grading_source"]), (INFORMATION_GRADE_WORDS, content["grading_information"])
    )
    admiralty = _describe_grades((ADMIRALTY_SOURCE_WORDS, grade[:1]), (ADMIRALTY_INFORMATION_WORDS, grade[1:]))
    lines = [
        find_words(ASSERTION_WORDS, content["assertion"]),
        f"Europol 4x4: {europol}" if europol else None,
        f"Admiralty system: {admiralty}" if admiralty else None,
    ]
    return [line for line in lines if line]


def describe_markings(notice: Notice) -> list[str]:
    """Return each code of the marking with its meaning."""
    content = notice.content
    found: list[tuple[str, str | None]] = [
        (f"{name}:{code}", words.get(code))
        for name, words, code in (("TLP", TLP_WORDS, content["tlp"]), ("PAP", PAP_WORDS, content["pap"]))
        if code
    ]
    found += [(code, HANDLING_WORDS.get(code)) for code in content["handling"]]
    return [f"{code}: {words}" if words else code for code, words in found]


def _describe_grades(*grades: tuple[Mapping[str, Sentence], Any]) -> str:
    return "; ".join(add_code(words, str(code)) for words, code in grades if code not in {None, ""})
