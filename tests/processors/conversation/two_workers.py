"""Workers of several States, connected by a network that repeats and reorders. What is sent is not sealed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from processors.conversation.conversation_result import ConversationOutcome, ConversationResult
from processors.exactly_once.batch import OutputRecord
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import Revision
from sharing.conversation_state.entries import KeptConversation, decode_entry
from sharing.model.vocabulary import MessageKind
from sharing.rulings.reply import ReplyKind
from sharing.rulings.ruling import Answering, Opening, Ruling
from sharing.rulings.signing import sign_ruling
from sharing.seal.inbox_sealing import ReceivedMessage
from sharing.serialization.codec import get_codec
from sharing.topology.topics import DRAFTS, INBOX, INBOX_URGENT, RULINGS
from tests.processors.conversation.conversation_driver import JUDGE, STATE, Driver, StampedMessage, Work, sign_key
from tests.processors.gate.gate_fixtures import NOW_MS, make_message, process_messages

KINDS = {"notice": MessageKind.NOTICE, "offer": MessageKind.OFFER, "reply": MessageKind.REPLY}


def read_message(output: OutputRecord) -> tuple[MessageKind, dict[str, Any]]:
    """Return kind and content of what is sent to another State."""
    value = output.value or b""
    (schema,) = (name for name in KINDS if value.startswith(get_codec(name).header))
    return KINDS[schema], get_codec(schema).decode(value)


def arrive(output: OutputRecord, now_ms: int, **changes: Any) -> StampedMessage:
    """Return what is sent to another State as it arrives there, verified and opened."""
    kind, fields = read_message(output)
    message = ReceivedMessage(
        fields["id"], kind, fields["from_state"], fields["urgency"], now_ms, "a key", output.value or b""
    )
    options: dict[str, Any] = {"time_kind": 2, "message": message, **changes}
    return StampedMessage(b"sealed", output.key, 1, output.partition, (), now_ms, output.topic, **options)


@cache
def gate(number: int, changes: tuple[tuple[str, Any], ...]) -> tuple[OutputRecord, ...]:
    """Return what the gate writes for an indicator."""
    return tuple(process_messages(make_message(number, **dict(changes))).output_records)


@dataclass
class Worker:
    """The worker of one State, with its inbox."""

    state: str
    driver: Driver = field(init=False)
    inbox: dict[bytes, Revision | None] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.driver = Driver(state=self.state)

    def take(self, work: Work, now_ms: int) -> list[OutputRecord]:
        """Process a record, or what is due, and return what is sent to other States. A message counts once."""
        message = getattr(work, "message", None)
        if message is not None and message.id in self.seen:
            return []
        result = self.driver.process(work, now_ms=now_ms)
        if message is not None:
            self.seen.add(message.id)
            self._put(work, message)
        self.refused += [each.cause for each in result.refused]
        self._delete(result)
        sent = [result.outputs[place] for place in result.sent]
        return [output for output in sent if output.topic.startswith("exchange.")]

    def rule(self, act: Answering | Opening, now_ms: int, officer: Any = JUDGE) -> list[OutputRecord]:
        """Let an officer rule, and return what is sent to other States."""
        ruling = Ruling(
            state=self.state, officer=officer.id, signed_at=now_ms - 1_000, expires_at=now_ms + 3_600_000,
            text="as the law asks", act=act,
        )  # fmt: skip
        value = sign_ruling(ruling, sign_key(officer.id))
        return self.take(StampedMessage(value, b"item", 1, 0, (), now_ms, RULINGS.topic(self.state)), now_ms)

    def list_kept(self) -> list[KeptConversation | ReceivedItem]:
        return [decode_entry(key, entry) for key, entry in self.driver.list_entries()[0].items()]

    def list_readable(self) -> set[Revision]:
        """Return the revisions of which the inbox has content."""
        return {revision for revision in self.inbox.values() if revision is not None}

    def _put(self, work: Any, message: ReceivedMessage) -> None:
        outcome = self.driver.messages[-1]
        if outcome.outcome is ConversationOutcome.REFUSED:
            assert not outcome.is_in_inbox
        if outcome.is_in_inbox:
            fields = get_codec(message.kind.schema_name).decode(message.content)
            has_content = message.kind is MessageKind.NOTICE and fields["kind"] != "RECALL"
            revision = Revision(fields["version"], fields["amendment"]) if has_content else None
            self.inbox[message.id.encode()] = revision

    def _delete(self, result: ConversationResult) -> None:
        topics = {INBOX.topic(self.state), INBOX_URGENT.topic(self.state)}
        for output in result.outputs:
            if output.topic in topics:
                assert output.value is None
                del self.inbox[output.key or b""]


def publish(number: int, **changes: Any) -> tuple[StampedMessage, list[OutputRecord]]:
    """Return the draft of an item, and what the gate itself has sent."""
    outputs = process_messages(make_message(number, **changes)).output_records
    (draft,) = (output for output in outputs if output.topic == DRAFTS.topic(STATE))
    sent = [
        output._replace(partition=0)
        for output in outputs
        if output.topic.startswith("exchange.") and changes.get("action", "PUBLISH") == "PUBLISH"
    ]
    return StampedMessage(draft.value, draft.key, 1, 0, (), NOW_MS, DRAFTS.topic(STATE)), sent


def is_answer(output: OutputRecord) -> bool:
    kind, fields = read_message(output)
    return kind is MessageKind.REPLY and fields["kind"] == ReplyKind.ANSWER
