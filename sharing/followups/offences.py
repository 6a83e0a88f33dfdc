"""Offences in words, with their articles in the conventions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sharing.followups.plain_text import make_plain


class OffenceWords(NamedTuple):
    """An offence in words.

    Attributes:
        words: What it is.
        budapest: Article of the Budapest Convention; None if it has none.
        un: Article of the UN Convention against Cybercrime; None if it has none.
        other: Where else it is defined; "" if nowhere.
    """

    words: str
    budapest: int | None = None
    un: int | None = None
    other: str = ""


OFFENCES: Final[Mapping[str, OffenceWords]] = MappingProxyType(
    {
        "ILLEGAL_ACCESS": OffenceWords("illegal access", 2, 7),
        "ILLEGAL_INTERCEPTION": OffenceWords("illegal interception", 3, 8),
        "DATA_INTERFERENCE": OffenceWords("interference with data", 4, 9),
        "SYSTEM_INTERFERENCE": OffenceWords("interference with a system", 5, 10),
        "MISUSE_OF_DEVICES": OffenceWords("misuse of devices", 6, 11),
        "ICT_FORGERY": OffenceWords("computer-related forgery", 7, 12),
        "ICT_FRAUD_THEFT": OffenceWords("computer-related fraud or theft", 8, 13),
        "CHILD_ABUSE_MATERIAL": OffenceWords("child sexual abuse material", 9, 14),
        "CHILD_SOLICITATION": OffenceWords("solicitation of a child", None, 15),
        "INTIMATE_IMAGES": OffenceWords("dissemination of intimate images without consent", None, 16),
        "LAUNDERING": OffenceWords("laundering of proceeds of crime", None, 17),
        "COPYRIGHT": OffenceWords("infringement of copyright", 10, None),
        "CORRUPTION": OffenceWords("corruption", other="UNCAC arts 15 to 25"),
        "SANCTIONS_EVASION": OffenceWords("evasion of sanctions", other="national law; Directive (EU) 2024/1226"),
        "OTHER_SERIOUS_CRIME": OffenceWords("another serious crime, with a maximum penalty of at least four years"),
        "ATTEMPT_OR_PARTICIPATION": OffenceWords("attempt, aiding or abetting", 11, 19),
        "LEGAL_PERSON": OffenceWords("liability of a legal person", 12, 18),
    }
)
"""Words for each offence code and each form of participation. Articles: official numbering of both conventions."""


def describe_offence(code: str) -> str:
    """Return an offence in words, with its articles; the code itself if this release does not know it."""
    known = OFFENCES.get(code)
    if known is None:
        return make_plain(code)
    articles = [f"Budapest Convention art. {known.budapest}"] if known.budapest is not None else []
    articles += [f"UN Convention against Cybercrime art. {known.un}"] if known.un is not None else []
    articles += [known.other] if known.other else []
    return f"{known.words} ({'; '.join(articles)})" if articles else known.words
