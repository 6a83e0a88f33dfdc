"""Words for what is refused of an answer, and the name of the Ask before them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sharing.conversation.vocabulary import AskStatus
from sharing.sentences import Sentence, say

PART_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "grounds": say("a ground of refusal"),
        "facts": say("facts"),
        "relaxed": say("the conditions that stay, perhaps none"),
        "text": say("grounds in words"),
    }
)
"""The parts of an answer, by their fields."""


ENDED_WORDS: Final[Mapping[AskStatus, Sentence]] = MappingProxyType(
    {
        AskStatus.ANSWERED: say("; it is answered"),
        AskStatus.EXPIRED: say("; it is expired"),
        AskStatus.CANCELLED: say("; it is cancelled"),
    }
)
"""How an Ask has ended: added to the sentence that it is not open."""


def name_ask(ask_id: str, what: Sentence) -> Sentence:
    """Return a sentence about an Ask, with its id before it."""
    return say("%(ask)s: %(what)s", ask=ask_id, what=what)


def strip_ask(text: str, ask_id: str) -> str:
    """Return a sentence about an Ask without the id before it, for a place where it is clear which Ask is meant."""
    if not isinstance(text, Sentence):
        return text.removeprefix(f"{ask_id}: ")
    what = text.values.get("what")
    return what if isinstance(what, str) and text.values.get("ask") == ask_id else text
