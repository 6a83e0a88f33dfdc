"""What happens to the receiving State's side of a conversation, and what it does in return."""

from __future__ import annotations

from dataclasses import dataclass

from sharing.conversation.effects import Changed, Ended, Escalate, Opened, Overdue, Refused
from sharing.conversation.events import Covered, PeopleEvent, ResendOrdered, TimePassed
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, ReplyResult
from sharing.model.vocabulary import NoticeKind, Urgency


@dataclass(frozen=True, slots=True)
class InboxCopy:
    """A message of the other State that is in the inbox.

    Attributes:
        message: Its id: the key of its record.
        revision: The state of the item that it is about.
        is_urgent: Whether it is in the inbox of urgent messages.
        is_recall: Whether it is a recall: a recall stays, because it says what must not be used.
    """

    message: str
    revision: Revision
    is_urgent: bool
    is_recall: bool = False


@dataclass(frozen=True, slots=True)
class OfferReceived:
    """Another State offers an item under conditions.

    Attributes:
        ask: Id of its Ask.
        revision: Which state of the item.
        urgency: The item's urgency.
        expires_at: Until when an answer counts, in UTC milliseconds.
        role: The role that may answer; None for any officer who may answer.
        authority: Kind of the authority to which the offer is addressed.
        conditions_hash: Hash of the conditions that are offered.
    """

    ask: str
    revision: Revision
    urgency: Urgency
    expires_at: int
    role: str | None = None
    authority: str | None = None
    conditions_hash: str | None = None


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """The other State has withdrawn its offer."""

    ask: str


@dataclass(frozen=True, slots=True)
class NoticeReceived:
    """The other State has sent the item, a correction, or a recall.

    Attributes:
        revision: Which state of the item; of a recall, the last one that is recalled.
        kind: Which of the three.
        urgency: The item's urgency.
        ask: For a recall, id of the Ask to acknowledge it.
        message: Id of the message.
        retain_until: Until when it may be kept, in UTC milliseconds; None without a limit.
    """

    revision: Revision
    kind: NoticeKind
    urgency: Urgency
    ask: str = ""
    message: str = ""
    retain_until: int | None = None


@dataclass(frozen=True, slots=True)
class ResultReceived:
    """The other State says what became of a reply. It is never answered."""

    ask: str
    result: ReplyResult


ChangingEvent = OfferReceived | OfferWithdrawn | NoticeReceived | PeopleEvent | Covered | ResultReceived | TimePassed
"""What may change the receiving State's side."""

ReceivedEvent = ChangingEvent | ResendOrdered
"""What happens to the receiving State's side."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Send an answer to the State that asked."""

    ask: str
    to_state: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class PutInInbox:
    """Make a revision readable: it replaces what is in the inbox for the item."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Blocked:
    """Keep a revision out of the inbox: it is recalled, a newer one is there, or its retention has ended."""

    revision: Revision


@dataclass(frozen=True, slots=True)
class Shred:
    """Make every copy up to a revision unreadable: its record, with the item's key in it, is deleted from the inbox.

    Attributes:
        up_to: The revision.
        copies: The records.
    """

    up_to: Revision
    copies: tuple[InboxCopy, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultTold:
    """Tell the officer who answered what became of the answer."""

    ask: str
    result: ReplyResult


ReceivedEffect = (
    Opened | Changed | Ended | Reply | PutInInbox | Blocked | Shred | ResultTold | Escalate | Overdue | Refused
)
