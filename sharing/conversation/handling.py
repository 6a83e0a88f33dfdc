"""Claiming an Ask, giving up the claim, and passing the Ask on: the same on both sides of a conversation."""

from __future__ import annotations

from sharing.conversation.asks import Ask
from sharing.conversation.effects import Changed
from sharing.conversation.events import Claimed, PassedOn
from sharing.conversation.vocabulary import Refusal


def find_handling_refusal(ask: Ask, event: Claimed | PassedOn) -> Refusal | None:
    """Return why an officer may not claim an Ask, give up the claim, or pass it on; None if he or she may."""
    refusal = ask.find_bar(event.officer, event.at, event.nonce)
    if refusal is None and isinstance(event, PassedOn) and event.authority == ask.authority:
        return Refusal.SAME_AUTHORITY
    if refusal is None and isinstance(event, Claimed) and event.is_ended:
        return None if ask.find_claimant(event.at) == event.officer.id else Refusal.NOT_CLAIMED
    return refusal


def handle_ask(ask: Ask, event: Claimed | PassedOn) -> Changed:
    """Return the Ask as claimed or passed on, or as it is once a claim has been given up."""
    if isinstance(event, PassedOn):
        return Changed(ask.pass_on(event.authority))
    if event.is_ended:
        return Changed(ask.end_claim(), is_unclaimed=True)
    return Changed(ask.take_claim(event.officer, event.at))
