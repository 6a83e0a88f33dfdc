"""Why the conversation refuses a ruling, in the words of the desk: those of the command line name commands."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sharing.console.conversation_words import REFUSAL_SENTENCES
from sharing.conversation.vocabulary import Refusal
from sharing.desk.web.catalogue import _, mark_message
from sharing.sentences import Sentence, say

DESK_REFUSALS: Final[Mapping[Refusal, str]] = MappingProxyType(
    {
        Refusal.UNKNOWN_ASK: mark_message("there is no such question; the list shows those that are open"),
        Refusal.WRONG_NONCE: mark_message("it is about an earlier round of the question; reload the page and read it"),
        Refusal.WRONG_ANSWER: mark_message(
            "the question does not take this answer; its page shows those that it takes"
        ),
        Refusal.NOTHING_SUPPLIED: mark_message("none of the requested facts is supplied; the question lists them"),
        Refusal.UNKNOWN_ITEM: mark_message("there is no conversation about this item; the list of items shows them"),
    }
)
"""Refusals whose sentence of the command line names a command."""


def say_refusal_here(refusal: Refusal) -> Sentence:
    """Return why a ruling changes nothing, in the words of the desk, as a sentence to be translated."""
    return say(DESK_REFUSALS.get(refusal) or REFUSAL_SENTENCES.get(refusal) or "it changes nothing")


def describe_refusal_here(refusal: Refusal) -> str:
    """Return why a ruling changes nothing, in the words of the desk and the language of the request."""
    return _(say_refusal_here(refusal))
