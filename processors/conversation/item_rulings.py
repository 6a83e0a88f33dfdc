"""What one ruling does to the items that it names on one partition, on both sides of a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from processors.conversation.kept_law import KeptLaw, require_received_fit
from processors.conversation.steps import ConversationBatch, Kept, Step, advance_item, advance_received_item
from sharing.conversation.effects import Amend, Refused
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.ruling_memory import remember_ruling
from sharing.conversation.vocabulary import Refusal
from sharing.rulings.ruling import Answering, Opening
from sharing.rulings.vocabulary import OpeningKind

if TYPE_CHECKING:
    from sharing.conversation.events import PeopleEvent, ResendOrdered
    from sharing.rulings.mapping import ItemEvent
    from sharing.rulings.signing import VerifiedRuling

ItemPlace = tuple[str, str]
"""The providing State, and the id of the item."""


def follow_ruling(
    verified: VerifiedRuling,
    events: Sequence[ItemEvent],
    kept: Mapping[ItemPlace, Kept],
    laws: Mapping[ItemPlace, KeptLaw | None],
    batch: ConversationBatch,
) -> list[Step]:
    """Return what a ruling does to each item, in the order in which it names them.

    Args:
        verified: The ruling.
        events: What it does on this partition.
        kept: What is stored about each item that it names there.
        laws: The law in force about each of them; None if the item belongs to another State.
        batch: The batch.

    Raises:
        RulingError: It does not fit an open Ask.
    """
    steps = []
    for place, each in kept.items():
        if verified.digest in _get_rulings(each):
            continue  # a copy of a ruling that has counted here
        listed = [event.event for event in events if (event.provider, event.item) == place]
        _require_fit(verified, place, each, laws[place], batch)
        law = laws[place]
        if isinstance(each, ReceivedItem):
            # Only the State's own items are recalled or corrected.
            asked = [cast("PeopleEvent | ResendOrdered", event) for event in listed]
            step = advance_received_item(verified.partition, each, asked, batch.now_ms)
        else:
            step = advance_item(verified.partition, each, listed, batch.now_ms, cast("KeptLaw", law))
            step = _require_draft(step, verified, cast("KeptLaw", law))
        steps.append(_remember(step, verified))
    return steps


def _require_fit(
    verified: VerifiedRuling, place: ItemPlace, kept: Kept, law: KeptLaw | None, batch: ConversationBatch
) -> None:
    """Refuse an answer that does not fit an open Ask.

    Raises:
        RulingError: It does not.
    """
    act = verified.ruling.act
    if not isinstance(act, Answering):
        return
    asks = kept.asks if isinstance(kept, ReceivedItem) else kept.conversation.asks
    for reference in verified.ruling.list_asks(verified.partition):
        ask = asks.get(reference.ask)
        if (reference.provider, reference.item) != place or ask is None or not ask.is_open:
            continue
        if isinstance(kept, ReceivedItem):
            require_received_fit(act, ask, kept, batch.law)
        elif law is not None and not ask.row.asks_recipient:
            law.require_fit(act, ask)


def _require_draft(step: Step, verified: VerifiedRuling, law: KeptLaw) -> Step:
    """Return a step that changes nothing and says why if it would amend an item that has no stored draft."""
    amending = [effect for effect in step.effects if isinstance(effect, Amend)]
    if not amending or law.open_item() is not None:
        return step
    refused = Refused(amending[0].ask, verified.officer.id, Refusal.NOTHING_KEPT)
    return step._replace(after=step.before, effects=(refused,))


def _get_rulings(kept: Kept) -> Mapping[str, int]:
    return kept.rulings if isinstance(kept, ReceivedItem) else kept.conversation.rulings


def _remember(step: Step, verified: VerifiedRuling) -> Step:
    """Return a step that remembers its ruling if a copy of it would count again."""
    act = verified.ruling.act
    is_sent_again = isinstance(act, Opening) and act.opens is OpeningKind.RESEND
    is_sent_again &= not any(isinstance(effect, Refused) for effect in step.effects)
    if isinstance(act, Answering) or not (step.is_changed or is_sent_again):
        return step
    after = step.after
    known = _get_rulings(after)
    rulings = remember_ruling(known, verified.digest, verified.ruling.expires_at, verified.at_ms)
    if isinstance(after, ReceivedItem):
        return step._replace(after=replace(after, rulings=rulings))
    return step._replace(after=replace(after, conversation=replace(after.conversation, rulings=rulings)))
