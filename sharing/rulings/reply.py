"""What two workers tell each other about an Ask, or an audit log: a record that is sealed and signed as notices are.

An answer gets exactly one result. Results, receipts and withdrawals are never answered, so nothing goes back and forth
forever; nor are cosignatures. A reply names an authority's kind and no person, and has no text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar, assert_never, cast

from sharing.conversation.events import ReceiptReceived, Replied
from sharing.conversation.received_events import OfferWithdrawn, ResultReceived
from sharing.conversation.vocabulary import Answer, ReplyResult
from sharing.errors import InputError
from sharing.ids import make_reply_id
from sharing.model.countries import STATES
from sharing.model.indicator_record import UUID_PATTERN
from sharing.model.times import from_milliseconds, to_milliseconds
from sharing.model.urgency import URGENT_LEVELS
from sharing.model.vocabulary import Authority, Urgency
from sharing.serialization.avro_primitives import encode_string
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.sign.merkle_tree import HASH_BYTES

SCHEMA: Final = "reply"

_ID: Final = re.compile(UUID_PATTERN)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ReplyKind(StrEnum):
    """What a reply is.

    Attributes:
        ANSWER: What an officer of the asked State has answered.
        RESULT: What became of an answer.
        RECEIPT: The Ask has arrived, and people were asked.
        WITHDRAWAL: Nobody waits for an answer any more.
        COSIGNATURE: A checkpoint of an audit log was seen, and is cosigned.
        FORK: A State has signed two checkpoints of one log that contradict each other.
    """

    ANSWER = "ANSWER"
    RESULT = "RESULT"
    RECEIPT = "RECEIPT"
    WITHDRAWAL = "WITHDRAWAL"
    COSIGNATURE = "COSIGNATURE"
    FORK = "FORK"


_PARTS: Final = {
    ReplyKind.ANSWER: (frozenset({"answer", "authority"}), frozenset({"conditions_hash"})),
    ReplyKind.RESULT: (frozenset({"result"}), frozenset[str]()),
    ReplyKind.RECEIPT: (frozenset[str](), frozenset({"root"})),
    ReplyKind.WITHDRAWAL: (frozenset[str](), frozenset[str]()),
    ReplyKind.COSIGNATURE: (frozenset({"notes"}), frozenset[str]()),
    ReplyKind.FORK: (frozenset({"notes"}), frozenset[str]()),
}
"""For each kind, the parts that it must have, and those that it may have. It has no other."""

_PART_NAMES: Final = ("answer", "result", "authority", "conditions_hash", "root", "notes")

NOTES_MAX: Final = 2
NOTE_BYTES_MAX: Final = 16_000

_KIND_PLACE: Final = HEADER_LENGTH + len(encode_string("00000000-0000-0000-0000-000000000000"))
_AUDIT_KINDS: Final = tuple(encode_string(kind) for kind in (ReplyKind.COSIGNATURE, ReplyKind.FORK))

ReplyEvent = Replied | ReceiptReceived | ResultReceived | OfferWithdrawn
_Code = TypeVar("_Code", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class ReplyMessage:
    """One reply.

    Attributes:
        kind: What it is.
        item_id: Id of the item; also the record's key.
        ask: Id of the Ask that it is about.
        from_state: The State that says it.
        to_state: The other State.
        sent_at: When, by the sender's clock, in UTC milliseconds.
        urgency: The item's urgency.
        answer: The answer; only an ANSWER has it.
        result: What became of the answer; only a RESULT has it.
        authority: Kind of the authority whose officer has answered; only an ANSWER has it.
        conditions_hash: Hash of the conditions that the officer has read; only an ANSWER may have it.
        root: Signed root of the batch in which the message came; only a RECEIPT may have it.
        notes: Signed notes; only a COSIGNATURE and a FORK have them.
    """

    kind: ReplyKind
    item_id: str
    ask: str
    from_state: str
    to_state: str
    sent_at: int
    urgency: Urgency
    answer: Answer | None = None
    result: ReplyResult | None = None
    authority: Authority | None = None
    conditions_hash: str | None = None
    root: bytes | None = None
    notes: tuple[bytes, ...] | None = None

    def __post_init__(self) -> None:
        needed, allowed = _PARTS[self.kind]
        for name in _PART_NAMES:
            if (getattr(self, name) is not None) != (name in needed) and name not in allowed:
                problem = "is missing" if name in needed else "does not belong"
                raise InputError(f"{name}: {problem} in a reply of the kind {self.kind}", field=name)
        if self.from_state == self.to_state or not {self.from_state, self.to_state} <= STATES:
            raise InputError("from_state, to_state: a reply goes from one State to another", field="to_state")
        if not (_ID.fullmatch(self.item_id) and _ID.fullmatch(self.ask)):
            raise InputError("item_id, ask: must be ids of this bus", field="ask")
        if self.conditions_hash is not None and not _HASH.fullmatch(self.conditions_hash):
            raise InputError("conditions_hash: must be a SHA-256 in hexadecimal digits", field="conditions_hash")
        if self.root is not None and len(self.root) != HASH_BYTES:
            raise InputError(f"root: must be a SHA-256, which has {HASH_BYTES} bytes", field="root")
        if self.notes is not None and not (
            0 < len(self.notes) <= NOTES_MAX and max(map(len, self.notes)) <= NOTE_BYTES_MAX
        ):
            raise InputError(f"notes: must be up to {NOTES_MAX} notes of {NOTE_BYTES_MAX} bytes each", field="notes")

    @property
    def id(self) -> str:
        """Its id: the same when it is made again from the same event, so that it counts once."""
        return make_reply_id(self.from_state, self.to_state, self.ask, self.kind, self.answer or self.result or "")

    @property
    def topic(self) -> str:
        """Last part of the name of the topic that carries it: an urgent one does not wait behind ordinary ones."""
        return "urgent" if self.urgency in URGENT_LEVELS else "replies"

    def to_record(self) -> dict[str, Any]:
        """Return the record that the Avro schema `Reply` describes."""
        return {
            "id": self.id,
            "kind": self.kind,
            "item_id": self.item_id,
            "ask": self.ask,
            "from_state": self.from_state,
            "to_state": self.to_state,
            "sent_at": from_milliseconds(self.sent_at),
            "urgency": self.urgency,
            "answer": self.answer,
            "result": self.result,
            "authority": self.authority,
            "conditions_hash": self.conditions_hash,
            "root": self.root,
            "notes": list(self.notes or ()),
        }

    def encode(self) -> bytes:
        """Return its content in single-object encoding: what is sealed."""
        return get_codec(SCHEMA).encode(self.to_record())

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ReplyMessage:
        """Return the reply of a decoded record.

        Args:
            record: What `sharing.seal.message_content.decode_content` returned.

        Raises:
            InputError: It is not a reply that this version knows, or its parts do not fit together.
        """
        reply = cls(
            kind=_read_code(record, "kind", ReplyKind),
            item_id=record["item_id"],
            ask=record["ask"],
            from_state=record["from_state"],
            to_state=record["to_state"],
            sent_at=to_milliseconds(record["sent_at"]),
            urgency=_read_code(record, "urgency", Urgency),
            answer=_read_optional(record, "answer", Answer),
            result=_read_optional(record, "result", ReplyResult),
            authority=_read_optional(record, "authority", Authority),
            conditions_hash=record["conditions_hash"],
            root=record["root"],
            notes=tuple(record["notes"]) or None,
        )
        if record["id"] != reply.id:
            raise InputError("id: is not the id of what the reply says; the sender is at fault", field="id")
        return reply

    def to_event(self, at_ms: int) -> ReplyEvent:
        """Return what it does in the conversation about its item.

        An ANSWER happens to the providing State's side, and so does a RECEIPT, which is only recorded; a RESULT or a
        WITHDRAWAL happens to the receiving State's.

        Args:
            at_ms: The broker's time of the record, in UTC milliseconds: it decides what is in time.

        Raises:
            InputError: It is about an audit log, and does nothing in a conversation.
        """
        match self.kind:  # which parts it has was checked when it was made
            case ReplyKind.ANSWER:
                return Replied(self.ask, self.from_state, cast("Answer", self.answer), at_ms)
            case ReplyKind.RESULT:
                return ResultReceived(self.ask, cast("ReplyResult", self.result))
            case ReplyKind.WITHDRAWAL:
                return OfferWithdrawn(self.ask)
            case ReplyKind.RECEIPT:
                return ReceiptReceived(self.ask, self.from_state, self.root)
            case ReplyKind.COSIGNATURE | ReplyKind.FORK:
                raise InputError("kind: the reply is about an audit log, not about an Ask", field="kind")
            case _:
                assert_never(self.kind)


def is_about_audit_log(content: bytes) -> bool:
    """Return whether a reply in single-object encoding is about an audit log, without decoding it."""
    return content.startswith(_AUDIT_KINDS, _KIND_PLACE)


def _read_code(record: Mapping[str, Any], name: str, codes: type[_Code]) -> _Code:
    try:
        return codes(record[name])
    except ValueError:
        raise InputError(f"{name}: is not known to this version; update this worker", field=name) from None


def _read_optional(record: Mapping[str, Any], name: str, codes: type[_Code]) -> _Code | None:
    return None if record[name] is None else _read_code(record, name, codes)
