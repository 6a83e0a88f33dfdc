"""What the list and the page of an Ask say of it in the same words."""

from __future__ import annotations

from sharing.console.conversation_words import CONSEQUENCE_WORDS, KIND_WORDS
from sharing.conversation.asks import Ask
from sharing.desk.web.catalogue import _
from sharing.desk.web.wording import capitalise


def describe_asked(ask: Ask) -> str:
    """Return what is asked."""
    return capitalise(_(KIND_WORDS[ask.kind]))


def describe_silence(ask: Ask) -> str:
    """Return what happens when nobody answers."""
    return _(CONSEQUENCE_WORDS[ask.row.silence])
