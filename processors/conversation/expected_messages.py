"""Which record each effect must have in addition to its act, stated separately to check what was written.

`processors.conversation.sending` does not use this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sharing.conversation.effects import Amend, Answered, Effect, Ended, Opened, Send, SentAgain
from sharing.conversation.received_events import ReceivedEffect, Reply
from sharing.conversation.vocabulary import AskKind, AskStatus
from sharing.model.vocabulary import NoticeKind
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import AMENDMENTS, NOTICES, OFFERS, REPLIES, URGENT

if TYPE_CHECKING:
    from processors.exactly_once.batch import OutputRecord

_ASKED_BY: Final = {AskKind.ACCEPT: OFFERS, AskKind.ACK_RECALL: NOTICES}
"""The topic on which an Ask is sent to another State, unless it is urgent."""


class ExpectedMessage(NamedTuple):
    """What must be written for one effect.

    Attributes:
        topics: The topics that it may be on.
        partition: Its partition, which is that of the item.
    """

    topics: frozenset[str]
    partition: int

    def fits(self, record: OutputRecord) -> bool:
        """Return whether a record may be what is expected."""
        is_complete = bool(record.key) and bool(record.value)
        return is_complete and record.topic in self.topics and record.partition == self.partition


def expect_message(
    effect: Effect | ReceivedEffect, provider: str, state: str, partition: int
) -> ExpectedMessage | None:  # fmt: skip
    """Return what must be written for an effect if its addressee can get anything; None if nothing must be written.

    Args:
        effect: The effect.
        provider: The State that provides the item.
        state: This State.
        partition: The partition of the item.
    """
    if isinstance(effect, SentAgain):
        effect = effect.repeated
    if isinstance(effect, Amend):
        return ExpectedMessage(frozenset({AMENDMENTS.topic(state)}), partition)
    found = _find_receiving_effect(effect, provider) if state != provider else _find_providing_effect(effect)
    if found is None:
        return None
    addressee, kind = found
    return ExpectedMessage(frozenset({kind.topic(addressee), URGENT.topic(addressee)}), partition)


def _find_providing_effect(effect: Effect | ReceivedEffect) -> tuple[str, TopicKind] | None:
    match effect:
        case Send(kind=NoticeKind.RECALL):
            return None  # it is the record of the Ask that is opened with it
        case Send(to_state):
            return to_state, NOTICES
        case Answered(_, to_state, _):
            return to_state, REPLIES
        case Opened(ask, False) if ask.kind in _ASKED_BY:
            return ask.state, _ASKED_BY[ask.kind]
        case Ended(ask) if ask.kind in _ASKED_BY and ask.status is AskStatus.CANCELLED:
            return ask.state, REPLIES
        case _:
            return None


def _find_receiving_effect(effect: Effect | ReceivedEffect, provider: str) -> tuple[str, TopicKind] | None:
    return (provider, REPLIES) if isinstance(effect, Opened | Reply) else None
