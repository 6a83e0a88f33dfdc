"""Answers in words, each with its code, and instants in sentences. Codes of the model: `sharing.model.code_words`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sharing.conversation.vocabulary import Answer
from sharing.model.code_words import add_code
from sharing.model.times import format_time
from sharing.sentences import SaidInstant, Sentence, say

ANSWER_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        Answer.APPROVED: say("disclosure approved"),
        Answer.REFUSED: say("disclosure refused"),
        Answer.ACCEPTED: say("conditions accepted"),
        Answer.CANNOT_COMPLY: say("conditions cannot be complied with"),
        Answer.DECLINED: say("offer declined"),
        Answer.PROVIDE_ANYWAY: say("to be provided without acceptance"),
        Answer.RELAX: say("to be offered with fewer conditions"),
        Answer.WITHDRAW: say("offer withdrawn"),
        Answer.SUPPLIED: say("facts supplied"),
        Answer.NOT_KNOWN: say("facts not known"),
        Answer.ACKNOWLEDGED: say("recall acknowledged"),
        Answer.CONFIRMED: say("disclosure confirmed in writing"),
    }
)
"""What was answered."""


def describe_answer(answer: str) -> str:
    """Return an answer in words with its code; the code alone if it is not known."""
    return add_code(ANSWER_WORDS, answer)


def say_instant(at: int) -> SaidInstant:
    """Return an instant, in UTC milliseconds, for a sentence."""
    return SaidInstant(format_time(at), at)
