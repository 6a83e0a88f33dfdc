"""Claiming an Ask, and passing it on: the same on both sides of a conversation."""

from __future__ import annotations

from sharing.conversation.asks import Ask
from sharing.conversation.events import Claimed, PassedOn
from sharing.conversation.vocabulary import Refusal


def find_handling_refusal(ask: Ask, event: Claimed | PassedOn) -> Refusal | None:
    """Return why an officer may not claim an Ask or pass it on; None if he or she may."""
    refusal = ask.find_bar(event.officer, event.at, event.nonce)
    if refusal is None and isinstance(event, PassedOn) and event.authority == ask.authority:
        return Refusal.SAME_AUTHORITY
    return refusal


def handle_ask(ask: Ask, event: Claimed | PassedOn) -> Ask:
    """Return the Ask as claimed or passed on."""
    return ask.take_claim(event.officer, event.at) if isinstance(event, Claimed) else ask.pass_on(event.authority)
