"""What the conversation tells the agency of an item: what was asked, answered and sent, and what is withheld for good.

The acts say more, and are for supervisors. These reports say nothing about who dealt with it: no officer's id, no
claim, no authority, and nothing about items of other States.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from processors.gate.outcome_blocks import write_blocks
from processors.gate.outcome_tags import find_block_limit
from sharing.conversation.effects import Amend, Effect, Ended, Opened, Send
from sharing.conversation.vocabulary import AskKind, AskStatus, DeliveryStatus
from sharing.model.vocabulary import NoticeKind
from sharing.outcomes.block_writing import UNKNOWN_ID, BlockPlace, RowTag, encode_outcome, pack_id
from sharing.outcomes.outcome import FollowedKind, FollowedOutcome, OutcomeWriter

if TYPE_CHECKING:
    from processors.exactly_once.batch import OutputLimits, OutputRecord
    from processors.gate.outcome_blocks import OutcomeBlocks
    from sharing.conversation.asks import Ask
    from sharing.conversation.deliveries import Conversation
    from sharing.conversation.revision import Revision
    from sharing.model.decision import PackReference

_SENT: Final = {
    NoticeKind.ITEM: FollowedKind.SENT,
    NoticeKind.CORRECTION: FollowedKind.CORRECTED,
    NoticeKind.RECALL: FollowedKind.RECALLED,
}

_ENDED: Final = {
    AskStatus.ANSWERED: FollowedKind.ANSWERED,
    AskStatus.EXPIRED: FollowedKind.EXPIRED,
    AskStatus.CANCELLED: FollowedKind.CANCELLED,
}


class FollowedEvent(NamedTuple):
    """What is reported to an agency about one thing that followed.

    Attributes:
        partition: Partition of the item.
        indicator: Id of the indicator.
        agency: The agency that has published the item.
        revision: The state of the item that it is about.
        outcome: What followed.
    """

    partition: int
    indicator: str
    agency: str
    revision: Revision
    outcome: FollowedOutcome


def list_followed(
    partition: int,
    before: Conversation,
    after: Conversation,
    effects: Collection[Effect],
    undelivered: Collection[int] = (),
) -> list[FollowedEvent]:
    """Return what is reported to the agency of an own item about a step of its conversation, in order.

    Args:
        partition: Partition of the item.
        before: The conversation before.
        after: The conversation after.
        effects: What was done.
        undelivered: Positions of the effects whose addressee cannot be sent anything.
    """
    if not after.indicator or not after.publisher.agency:
        return []  # nothing was ever decided about it: only another State has mentioned it
    told: list[tuple[Revision, FollowedOutcome]] = []
    for place, effect in enumerate(effects):
        described = _describe(effect)
        if described is None:
            continue
        revision, outcome = described
        if place in undelivered and outcome.states:
            if isinstance(
                effect, Ended
            ):  # the question has ended, although the State that was asked does not know that
                told.append(described)
            outcome = FollowedOutcome(FollowedKind.UNDELIVERED, outcome.states, outcome.ask)
        told.append((revision, outcome))
    told += _list_closed(before, after)
    return [
        FollowedEvent(partition, after.indicator, after.publisher.agency, revision, outcome)
        for revision, outcome in told
    ]


def _describe(effect: Effect) -> tuple[Revision, FollowedOutcome] | None:
    """Return what is reported to an agency about an effect, and the revision that it concerns; None if nothing is."""
    match effect:
        case Send(state, revision, kind):
            return revision, FollowedOutcome(_SENT[kind], (state,))
        case Amend(revision, _, facts):
            return revision, FollowedOutcome(FollowedKind.AMENDED, facts=tuple(sorted(facts)))
        case Opened(ask):
            return ask.revision, _describe_opened(ask)
        case Ended(ask):
            answer = ask.given[-1].answer.value if ask.status is AskStatus.ANSWERED and ask.given else None
            states = tuple(sorted(ask.recipients))
            return ask.revision, FollowedOutcome(_ENDED[ask.status], states, ask.kind.value, answer=answer)
        case _:
            return (
                None  # who is dealing with a question, to whom it was escalated, and what was reported to another State
            )


def _describe_opened(ask: Ask) -> FollowedOutcome:
    what = FollowedKind.OFFERED if ask.kind is AskKind.ACCEPT else FollowedKind.ASKED
    return FollowedOutcome(
        what, tuple(sorted(ask.recipients)), ask.kind.value, ask.expires_at, ask.role, facts=tuple(sorted(ask.facts))
    )


def _list_closed(before: Conversation, after: Conversation) -> Iterator[tuple[Revision, FollowedOutcome]]:
    """Yield the revisions that are now withheld for good, each with the States."""
    closed: dict[Revision, list[str]] = defaultdict(list)
    for key, delivery in after.deliveries.items():
        if delivery.status is not DeliveryStatus.CLOSED:
            continue
        known = before.deliveries.get(key)
        if known is None or known.status is not DeliveryStatus.CLOSED:
            closed[delivery.revision].append(delivery.state)
    for revision, states in sorted(closed.items()):
        yield revision, FollowedOutcome(FollowedKind.CLOSED, tuple(sorted(states)))


class BatchFollowed:
    """What one batch of the conversation tells the agencies.

    Args:
        state: The State.
        written_at: Instant of the batch, in UTC milliseconds.
        pack: The law in force.
        limits: How large outputs may be.
    """

    def __init__(self, state: str, written_at: int, pack: PackReference, limits: OutputLimits) -> None:
        self._state = state
        self._written_at = written_at
        self._pack = pack
        self._bytes_max = find_block_limit(limits)
        self._tags: dict[tuple[str, Revision, FollowedOutcome], RowTag] = {}
        self._rows: dict[int, tuple[list[bytes], list[RowTag]]] = defaultdict(lambda: ([], []))

    def add(self, events: Collection[FollowedEvent]) -> None:
        """Add what followed; anything without an id that can be reported is left out."""
        for event in events:
            packed = pack_id(event.indicator)
            if packed == UNKNOWN_ID:
                continue
            key = event.agency, event.revision, event.outcome
            tag = self._tags.get(key)
            if tag is None:
                outcome = encode_outcome(event.agency, event.outcome)
                tag = self._tags[key] = RowTag(event.agency, *event.revision, outcome)
            ids, tags = self._rows[event.partition]
            ids.append(packed)
            tags.append(tag)

    def write(self, blocks: OutcomeBlocks) -> Iterator[OutputRecord]:
        """Yield the blocks.

        Args:
            blocks: The topics, and how records are framed.
        """
        for partition, (ids, tags) in sorted(self._rows.items()):
            place = BlockPlace(self._state, OutcomeWriter.CONVERSATION, partition, self._written_at, self._pack)
            yield from write_blocks(blocks, place, ids, tags, self._bytes_max)
