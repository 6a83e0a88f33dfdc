"""The record of an effect: what was done after the decision, and who caused it. The audit log of the conversation.

It has codes and ids only: no free text, no value of a fact, and no name of a person. An officer is named by the id in
the register.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Refusal, ReplyResult
from sharing.errors import make_unknown_value_error
from sharing.model.times import from_milliseconds, to_milliseconds
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.vocabulary import RefusalGround
from sharing.seal.rulings import KeptRulingKey
from sharing.serialization.codec import get_codec

SCHEMA: Final = "act"


class ActKind(StrEnum):
    """What was done.

    Attributes:
        ASK_OPENED: People were asked a question.
        ASK_CHANGED: An open question was claimed, passed on, escalated, or answered by one of several.
        ASK_ENDED: A question was answered, has expired, or was cancelled.
        NOTICE_SENT: An item, its correction or its recall was sent.
        AMENDED: Facts that an officer has supplied were handed to the gate.
        ESCALATED: The next contact point was notified that a question waits.
        OVERDUE: What must be answered was not, and was asked again.
        REPLY_RESULT: Another State was notified of what became of its reply.
        RULING_REFUSED: A ruling changes nothing.
        REPLIED: An answer was sent to the State that asked.
        PUT_IN_INBOX: What another State sent became readable.
        BLOCKED: What another State sent was kept out of the inbox.
        SHREDDED: The copies of an item were made unreadable.
        RESULT_TOLD: An officer was notified of what became of an answer.
        RECEIPT_RECORDED: Another State has said that a question has arrived, and its people were asked.
        UNDELIVERED: What was to be sent was not: nothing can be sent to the other State.
        COVER_BEGUN: An answer covers similar later Asks, until a date.
        COVER_ENDED: It no longer does, because an officer has ended it.
        ASK_REPEATED: People of another State were asked again, or its withdrawal was sent again.
        ASK_UNCLAIMED: The officer who had claimed an open question has given it up.
        ASK_GIVEN_UP: A question that must be answered is no longer asked, because the State that is asked has left.
    """

    ASK_OPENED = "ASK_OPENED"
    ASK_CHANGED = "ASK_CHANGED"
    ASK_ENDED = "ASK_ENDED"
    NOTICE_SENT = "NOTICE_SENT"
    AMENDED = "AMENDED"
    ESCALATED = "ESCALATED"
    OVERDUE = "OVERDUE"
    REPLY_RESULT = "REPLY_RESULT"
    RULING_REFUSED = "RULING_REFUSED"
    REPLIED = "REPLIED"
    PUT_IN_INBOX = "PUT_IN_INBOX"
    BLOCKED = "BLOCKED"
    SHREDDED = "SHREDDED"
    RESULT_TOLD = "RESULT_TOLD"
    RECEIPT_RECORDED = "RECEIPT_RECORDED"
    UNDELIVERED = "UNDELIVERED"
    COVER_BEGUN = "COVER_BEGUN"
    COVER_ENDED = "COVER_ENDED"
    ASK_REPEATED = "ASK_REPEATED"
    ASK_UNCLAIMED = "ASK_UNCLAIMED"
    ASK_GIVEN_UP = "ASK_GIVEN_UP"


class ActAnswer(NamedTuple):
    """An answer that an Ask has.

    Attributes:
        by: Id of the officer, or code of the other State.
        answer: The answer.
        at: When, by the broker's clock, in UTC milliseconds.
    """

    by: str
    answer: Answer
    at: int


@dataclass(frozen=True, slots=True)
class Act:
    """What was done, and by whom it was caused. A part that the kind does not have is None or empty.

    Attributes:
        kind: What.
        item_id: Id of the item; also the record's key.
        provider: The State that provides the item.
        state: The State whose worker did it.
        at: When, in UTC milliseconds.
        officer: Id of the officer whose ruling caused it.
        ruling: Digest of that ruling.
        ruling_key: The key of its sealed record, as the State keeps it; None if it was not sealed.
        grounds: The grounds that it names for a refusal.
        own_rule: Id of the rule of the State's own law, for the ground OWN_LAW; None if the State's pack has none with
            this id.
        ask: Id of the Ask.
        ask_kind: Its kind.
        ask_status: Its status now.
        round: How often it was asked so far.
        asked: The State whose people are asked.
        authority: Kind of the authority that is asked.
        claimed_by: Id of the officer who deals with it.
        answers: Its answers so far.
        states: The other States concerned.
        revision: The state of the item that it is about.
        notice_kind: What was sent.
        answer: The answer that was sent.
        result: What became of a reply.
        reason: Why a ruling changes nothing.
        facts: Names of the facts that were supplied.
        step: Number of the escalation, from 0.
        covers_until: Until when an answer covers later Asks, in UTC milliseconds.
        cover: Digest of the ruling that covered later Asks, and has ended.
        root: Signed root of the batch in which the message came.
    """

    kind: ActKind
    item_id: str
    provider: str
    state: str
    at: int
    officer: str | None = None
    ruling: str | None = None
    ruling_key: KeptRulingKey | None = None
    grounds: tuple[RefusalGround, ...] = ()
    own_rule: str | None = None
    ask: str | None = None
    ask_kind: AskKind | None = None
    ask_status: AskStatus | None = None
    round: int | None = None
    asked: str | None = None
    authority: str | None = None
    claimed_by: str | None = None
    answers: tuple[ActAnswer, ...] = ()
    states: tuple[str, ...] = ()
    revision: Revision | None = None
    notice_kind: NoticeKind | None = None
    answer: Answer | None = None
    result: ReplyResult | None = None
    reason: Refusal | None = None
    facts: tuple[str, ...] = ()
    step: int | None = None
    covers_until: int | None = None
    cover: str | None = None
    root: bytes | None = None

    def encode(self) -> bytes:
        """Return its record in single-object encoding."""
        return get_codec(SCHEMA).encode(self.to_record())

    def to_record(self) -> dict[str, Any]:
        """Return the record that the Avro schema `Act` describes."""
        record: dict[str, Any] = {name: getattr(self, name) for name in (*_PLAIN_FIELDS, *_CODES)}
        record |= {name: list(getattr(self, name)) for name in _LISTS}
        answers = [
            {"by": given.by, "answer": given.answer, "at": from_milliseconds(given.at)} for given in self.answers
        ]
        version, amendment = self.revision or (None, None)
        until = None if self.covers_until is None else from_milliseconds(self.covers_until)
        return {
            **record, "at": from_milliseconds(self.at), "answers": answers, "version": version, "amendment": amendment,
            "covers_until": until,
            "grounds": [ground.value for ground in self.grounds],
            "ruling_wrapping_key": None if self.ruling_key is None else self.ruling_key.wrapping_key,
            "ruling_wrapped_key": None if self.ruling_key is None else self.ruling_key.wrapped,
        }  # fmt: skip

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Act:
        """Return the act of a decoded record.

        Raises:
            DecodeError: It has a code that this release does not know, such as an act of another kind.
        """
        try:
            return cls._from_known_codes(record)
        except ValueError as error:
            raise make_unknown_value_error("an act", error) from None

    @classmethod
    def _from_known_codes(cls, record: Mapping[str, Any]) -> Act:
        fields: dict[str, Any] = {name: record[name] for name in _PLAIN_FIELDS}
        fields |= {name: None if record[name] is None else codes(record[name]) for name, codes in _CODES.items()}
        fields |= {name: tuple(record[name]) for name in _LISTS}
        answers = (
            ActAnswer(given["by"], Answer(given["answer"]), to_milliseconds(given["at"])) for given in record["answers"]
        )
        has_revision = record["version"] is not None
        revision = Revision(record["version"], record["amendment"]) if has_revision else None
        until = None if record["covers_until"] is None else to_milliseconds(record["covers_until"])
        at = to_milliseconds(record["at"])
        wrapping_key, wrapped = record["ruling_wrapping_key"], record["ruling_wrapped_key"]
        key = None if wrapping_key is None or wrapped is None else KeptRulingKey(wrapping_key, wrapped)
        grounds = tuple(map(RefusalGround, record["grounds"]))
        return cls(
            **fields, at=at, answers=tuple(answers), revision=revision, covers_until=until, ruling_key=key,
            grounds=grounds,
        )  # fmt: skip


_PLAIN_FIELDS: Final = (
    "item_id", "provider", "state", "officer", "ruling", "own_rule", "ask", "round", "asked", "authority", "claimed_by",
    "step", "cover", "root",
)  # fmt: skip
_LISTS: Final = ("states", "facts")
_CODES: Final[Mapping[str, type[StrEnum]]] = {
    "kind": ActKind,
    "ask_kind": AskKind,
    "ask_status": AskStatus,
    "notice_kind": NoticeKind,
    "answer": Answer,
    "result": ReplyResult,
    "reason": Refusal,
}
