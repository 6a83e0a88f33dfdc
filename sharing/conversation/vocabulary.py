"""The closed lists of the conversation."""

from __future__ import annotations

from enum import StrEnum


class AskKind(StrEnum):
    """What a person is asked.

    Attributes:
        APPROVE: Whether an item that the law holds may be disclosed.
        ACCEPT: Whether the receiving State accepts an offer's conditions (Budapest Convention art. 26(2)).
        REDECIDE: What to do with an item whose conditions were not accepted, or whose law has become stricter.
        SUPPLY_FACT: The facts that are missing, so that the law withholds an item.
        ACK_RECALL: That an item is no longer used.
        CONFIRM_IN_WRITING: A disclosure in an emergency, afterwards.
    """

    APPROVE = "APPROVE"
    ACCEPT = "ACCEPT"
    REDECIDE = "REDECIDE"
    SUPPLY_FACT = "SUPPLY_FACT"
    ACK_RECALL = "ACK_RECALL"
    CONFIRM_IN_WRITING = "CONFIRM_IN_WRITING"


class Answer(StrEnum):
    """What a person answers. The table of kinds says which answers an Ask accepts."""

    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    ACCEPTED = "ACCEPTED"
    CANNOT_COMPLY = "CANNOT_COMPLY"
    DECLINED = "DECLINED"
    PROVIDE_ANYWAY = "PROVIDE_ANYWAY"
    RELAX = "RELAX"
    WITHDRAW = "WITHDRAW"
    SUPPLIED = "SUPPLIED"
    NOT_KNOWN = "NOT_KNOWN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    CONFIRMED = "CONFIRMED"


class Consequence(StrEnum):
    """What an answer, or silence, does to the deliveries that an Ask guards.

    Attributes:
        RELEASE: This Ask no longer blocks them.
        CLOSE: They end without disclosure.
        REDECIDE: The providing State decides again.
        OFFER_AGAIN: They are offered under other conditions.
        AMEND: The facts go to the gate, which decides again.
        SETTLE: Nothing changes for them.
        REPEAT: The same is asked again.
    """

    RELEASE = "RELEASE"
    CLOSE = "CLOSE"
    REDECIDE = "REDECIDE"
    OFFER_AGAIN = "OFFER_AGAIN"
    AMEND = "AMEND"
    SETTLE = "SETTLE"
    REPEAT = "REPEAT"


class AskStatus(StrEnum):
    """The status of an Ask. Only OPEN changes."""

    OPEN = "OPEN"
    ANSWERED = "ANSWERED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


class DeliveryStatus(StrEnum):
    """The status of the delivery of one version of an item to one State.

    Attributes:
        WAITING: Guarded by Asks.
        SENT: With the receiving State.
        REPLACED: Corrected by a later version that was sent.
        RECALLED: Must no longer be used.
        CLOSED: Ended without having been sent.
    """

    WAITING = "WAITING"
    SENT = "SENT"
    REPLACED = "REPLACED"
    RECALLED = "RECALLED"
    CLOSED = "CLOSED"


class ReplyResult(StrEnum):
    """What became of another State's reply. Each reply gets exactly one, and a result is never answered.

    Attributes:
        TAKEN: It counts; so does the same reply when it comes again.
        LATE: It came after the expiry.
        WITHDRAWN: What it answers had been withdrawn.
        UNKNOWN: It does not answer any question that this State asked.
    """

    TAKEN = "TAKEN"
    LATE = "LATE"
    WITHDRAWN = "WITHDRAWN"
    UNKNOWN = "UNKNOWN"


class Refusal(StrEnum):
    """Why a ruling changes nothing."""

    UNKNOWN_ASK = "UNKNOWN_ASK"
    NOT_OPEN = "NOT_OPEN"
    EXPIRED = "EXPIRED"
    WRONG_NONCE = "WRONG_NONCE"
    WRONG_STATE = "WRONG_STATE"
    WRONG_ROLE = "WRONG_ROLE"
    WRONG_ANSWER = "WRONG_ANSWER"
    BARRED = "BARRED"
    ALREADY_ANSWERED = "ALREADY_ANSWERED"
    LAW_FORBIDS = "LAW_FORBIDS"
    NOTHING_SUPPLIED = "NOTHING_SUPPLIED"
    AMENDMENT_PENDING = "AMENDMENT_PENDING"
    NOTHING_SENT = "NOTHING_SENT"
    UNKNOWN_ITEM = "UNKNOWN_ITEM"
    SAME_AUTHORITY = "SAME_AUTHORITY"
    NOTHING_KEPT = "NOTHING_KEPT"
    NOT_CLAIMED = "NOT_CLAIMED"
