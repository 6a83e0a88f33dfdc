"""What pages say of an Ask, in the same words on all of them."""

from __future__ import annotations

from sharing.console import conversation_words
from sharing.conversation.asks import Ask
from sharing.desk.web.catalogue import _
from sharing.desk.web.wording import capitalise


def describe_asked(ask: Ask) -> str:
    """Return what is asked."""
    return capitalise(_(conversation_words.describe_kind(ask.kind)))


def describe_silence(ask: Ask) -> str:
    """Return what happens when nobody answers."""
    return _(conversation_words.describe_silence(ask.row))
