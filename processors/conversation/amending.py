"""The amended items that the conversation hands to the gate: what officers supply, correct or withdraw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processors.exactly_once.batch import OutputRecord
from processors.inbox.refusals import RefusalError
from sharing.disclosure.amended_item import AmendedItem
from sharing.disclosure.amendments import Amendment, StatedFact
from sharing.errors import InputError
from sharing.model.indicator_record import SHORT_TEXT_MAX
from sharing.model.vocabulary import AmendmentKind
from sharing.rulings.ruling import Answering, Opening
from sharing.rulings.vocabulary import OpeningKind
from sharing.serialization.codec import get_codec
from sharing.topology.topics import AMENDMENTS

if TYPE_CHECKING:
    from sharing.conversation.effects import Amend
    from sharing.model.indicator_record import WireRecord
    from sharing.rulings.signing import VerifiedRuling
    from sharing.serialization.framing import Framing

SCHEMA: Final = "amendment"

_KINDS: Final = {
    OpeningKind.CORRECTION: AmendmentKind.CORRECTION,
    OpeningKind.WITHDRAWAL: AmendmentKind.WITHDRAWAL,
}


def build_amendment(
    effect: Amend, before: WireRecord, ruling: VerifiedRuling, state: str, partition: int, framing: Framing
) -> OutputRecord:
    """Return the record of an amended item, not sealed yet.

    Args:
        effect: What the conversation returns: it has the number of the amendment.
        before: The record of the newest revision.
        ruling: The ruling that caused it: it has the values of the facts.
        state: The State.
        partition: The partition of the item.
        framing: How records are framed.

    Raises:
        RefusalError: What the officer states does not fit the item. Nothing of the ruling may be stored.
    """
    try:
        amended = AmendedItem.make(before, make_amendment(effect, before, ruling))
    except InputError as error:
        raise RefusalError("NOT_AMENDABLE", str(error)) from None
    value = framing.frame(SCHEMA, get_codec(SCHEMA).encode_unframed(amended.to_record()))
    return OutputRecord(AMENDMENTS.topic(state), amended.indicator_id.encode(), value, None, partition)


def make_amendment(effect: Amend, before: WireRecord, ruling: VerifiedRuling) -> Amendment:
    """Return what an officer states, as an amendment of an item with the number that was assigned.

    Args:
        effect: What the conversation returns.
        before: The record of the newest revision.
        ruling: The ruling that has caused it.

    Raises:
        InputError: The ruling amends nothing.
    """
    act = ruling.ruling.act
    match act:
        case Answering():
            kind, facts = AmendmentKind.FACTS, act.facts
        case Opening() if act.opens in _KINDS:
            kind, facts = _KINDS[act.opens], act.facts
        case _:
            raise InputError("the ruling neither supplies nor corrects facts, and withdraws nothing")
    return Amendment(
        indicator_id=before["id"],
        agency=before["source"]["agency"],
        revision=effect.revision,
        kind=kind,
        officer=ruling.officer.id,
        ruling=ruling.digest,
        facts=tuple(StatedFact(fact.name, fact.values) for fact in facts),
        reason=_describe_reason(ruling) if kind is AmendmentKind.WITHDRAWAL else None,
    )


def _describe_reason(ruling: VerifiedRuling) -> str:
    """Return why an item is withdrawn: the officer's text, or the ruling that contains it if the text is not short."""
    text = ruling.ruling.text.strip()
    return text if 0 < len(text) <= SHORT_TEXT_MAX else f"ruling {ruling.digest}"
