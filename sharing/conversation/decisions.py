"""What follows from a decision of the gate: the item is sent or offered, waits for an answer, or is recalled."""

from __future__ import annotations

from typing import Final, assert_never

from sharing.conversation.deliveries import Delivery
from sharing.conversation.events import Decided
from sharing.conversation.gate_offers import follow_gate_offer, is_new_offer
from sharing.conversation.gate_repetitions import follow_repeated_notice, follow_repeated_offer
from sharing.conversation.terms import Terms
from sharing.conversation.turn import GUARDING, Turn
from sharing.conversation.vocabulary import AskKind, AskStatus, DeliveryStatus
from sharing.model.vocabulary import Outcome

ROUNDS_MAX: Final = 3
"""How often people are asked for the missing facts of a version; then it stays withheld."""


def begin_deliveries(turn: Turn, event: Decided) -> None:
    """Begin the deliveries of a decided revision; a withdrawal recalls what States have.

    The revision is a newer one, or the newest one again.
    """
    if event.revision == turn.conversation.revision:
        _follow_repetition(turn, event)
    else:
        _follow_revision(turn, event)


def _follow_revision(turn: Turn, event: Decided) -> None:
    """Begin the deliveries of a new revision, and end those of earlier ones."""
    turn.cancel_waiting()
    turn.begin_revision(event)
    turn.forget_old()
    decided = {terms.state: terms for terms in event.terms or ()}
    for sent in turn.list_sent():
        if event.terms is not None and sent.state not in decided:
            decided[sent.state] = turn.law(sent.state)  # no longer a State to consider, but it has the item
    asked: list[Delivery] = []
    for terms in decided.values():
        delivery = Delivery(terms.state, event.revision, terms, DeliveryStatus.WAITING)
        _follow_terms(turn, event, delivery, asked)
    _ask_for_facts(turn, asked)
    if event.terms is None:
        for sent in turn.list_sent():
            turn.recall(sent)


def _follow_repetition(turn: Turn, event: Decided) -> None:
    """Begin the deliveries of the newest revision to the States that no earlier decision on it allowed.

    The gate does not remember first versions: if its agency publishes one again, or it is read again, the gate decides
    by the law and the directory of that time. What a State has, was refused, or was recalled from it, stays as it is.
    """
    is_same_publisher = event.publisher == turn.conversation.publisher
    asked: list[Delivery] = []
    for terms in event.terms or ():
        delivery = Delivery(terms.state, event.revision, terms, DeliveryStatus.WAITING)
        known = turn.get_delivery(delivery.key)
        is_new = known is None or _was_withheld(turn, known, terms)
        if event.is_sent and terms.outcome is Outcome.DISCLOSE:
            follow_repeated_notice(turn, event, delivery, known)
        elif event.is_sent and terms.outcome is Outcome.OFFER:
            is_waiting = known is not None and known.status is DeliveryStatus.WAITING
            follow_repeated_offer(turn, event, delivery, counts=is_same_publisher and (is_new or is_waiting))
        elif is_same_publisher and is_new:
            _follow_terms(turn, event, delivery, asked)
    _ask_for_facts(turn, asked)


def _was_withheld(turn: Turn, known: Delivery, terms: Terms) -> bool:
    """Return whether only the law has kept a revision from a State, and no longer does.

    If the law was stricter when something was about to be sent, people have decided again; and a recall has cancelled
    what people were asked.
    """
    is_closed = known.status is DeliveryStatus.CLOSED and known.terms.outcome is Outcome.WITHHOLD
    return (
        is_closed
        and terms.outcome is not Outcome.WITHHOLD
        and not any(
            ask.kind is AskKind.REDECIDE or ask.status is AskStatus.CANCELLED
            for ask in turn.asks
            if ask.kind in GUARDING and ask.revision == known.revision and known.state in ask.recipients
        )
    )


def _follow_terms(turn: Turn, event: Decided, delivery: Delivery, asked: list[Delivery]) -> None:
    """Begin the delivery of a decided revision to a State; those that wait for facts are added to `asked`."""
    terms, sent = delivery.terms, turn.find_sent(delivery.state)
    is_same = sent is not None and (sent.revision.version, sent.terms) == (event.revision.version, terms)
    if is_same and not event.is_corrected:
        return  # an amendment that changes nothing for this State
    match terms.outcome:
        case Outcome.DISCLOSE if event.is_sent and sent is None:
            turn.mark_sent(delivery)
        case Outcome.OFFER if is_new_offer(turn, event, delivery):
            follow_gate_offer(turn, event, delivery, counts=True)
        case Outcome.DISCLOSE | Outcome.OFFER:
            turn.proceed(delivery)
        case Outcome.HOLD:
            turn.ask_approver(delivery)
        case Outcome.WITHHOLD if terms.missing and event.revision.amendment < ROUNDS_MAX:
            asked.append(delivery)
        case Outcome.WITHHOLD:
            turn.close(delivery)
        case _:
            assert_never(terms.outcome)


def _ask_for_facts(turn: Turn, deliveries: list[Delivery]) -> None:
    if not deliveries:
        return
    facts = frozenset().union(*(delivery.terms.missing for delivery in deliveries))
    states = frozenset(delivery.state for delivery in deliveries)
    ask = turn.open_ask(AskKind.SUPPLY_FACT, states, facts=facts)
    for delivery in deliveries:
        turn.guard(delivery, ask)
