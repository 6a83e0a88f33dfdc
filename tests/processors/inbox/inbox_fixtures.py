"""States with keys, messages between them, and an inbox without a broker, for the tests of the receiving side."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from processors.exactly_once.batch import OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint
from processors.exactly_once.state_store_backends import MemoryStore
from processors.inbox.inbox_processor import InboxKeys, InboxProcessor
from processors.inbox.inbox_result import InboxResult, is_conserved
from processors.inbox.inbox_state import InboxState
from sharing.model.times import from_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.seal.counts import sign_counts
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.inbox_opening import InboxOpener
from sharing.seal.sealing import BatchSealer
from sharing.serialization.codec import get_codec
from sharing.topology.topics import NOTICES, OFFERS, REPLIES, URGENT
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from tests.kafka.topic_io import notice_record
from tests.processors.gate.gate_fixtures import Message
from tests.trust.trust_fixtures import DAY, NOW, make_keys, make_root, make_seed, make_signer

KINDS = {kind.name: kind for kind in (NOTICES, URGENT, OFFERS, REPLIES)}
BEGAN = NOW - 90 * DAY
MARKER = "MARKER-5c0d"
"""A text in place of content, to detect leaks of content."""


@dataclass
class FakeState:
    """A State with a root, online keys, and a gate that seals and signs. Its gate can be made to lie."""

    code: str
    now: int = NOW
    trusted: TrustedKeys = field(init=False)
    numbers: dict[tuple[str, int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root, self.root_data = make_root(state=self.code, now=self.now - DAY)
        self.trusted, self.keys_data = make_keys(root, now=self.now - DAY, prefix=self.code)
        self.sealer = BatchSealer(self.code, secrets.token_bytes)
        self.gate_key = make_signer(f"{self.code}{KeyRole.GATE} 1")

    @property
    def opening(self) -> dict[str, MemoryOpeningKey]:
        key = MemoryOpeningKey(KeyAlgorithm.X25519, make_seed(f"{self.code}{KeyRole.SEAL} 1"))
        return {key.public_key.key_id: key}

    def make_message(
        self, to_state: str, *, topic: str = "notices", partition: int = 0, now: int | None = None, **changes: Any
    ) -> OutgoingMessage:
        """Return the next message of a stream. `envelope` changes it, `content` its content."""
        now = self.now if now is None else now
        stream = self.numbers.setdefault((to_state, partition, topic), 0)
        self.numbers[to_state, partition, topic] = stream + 1
        record_id = changes.pop("id", None) or str(uuid.uuid4())
        urgency = "URGENT" if topic == "urgent" else "ORDINARY"
        fields = {
            **(make_offer_record(to_state) if topic == "offers" else notice_record(to_state, MARKER)),
            "id": record_id,
            "from_state": self.code,
            "urgency": urgency,
            "sent_at": from_milliseconds(now),
            **changes.pop("content", {}),
        }
        schema = "offer" if topic == "offers" else "notice"
        envelope: dict[str, Any] = {
            "id": record_id,
            "kind": MessageKind.OFFER if topic == "offers" else MessageKind.NOTICE,
            "to_state": to_state,
            "sent_at": now,
            "stream": Stream("gate", BEGAN, partition, topic),
            "sequence": stream + 1,
            "content": get_codec(schema).encode(fields),
            **changes.pop("envelope", {}),
        }
        assert not changes
        return OutgoingMessage(**envelope)

    def seal(
        self,
        messages: Sequence[OutgoingMessage],
        receivers: Iterable[FakeState],
        *,
        now: int | None = None,
        **options: Any,
    ) -> list[bytes]:
        keys = {state.code: next(iter(state.opening.values())).public_key for state in receivers}
        return self.sealer.seal_batch(
            messages, keys, options.get("key", self.gate_key), recipients_max=16, now=self.now if now is None else now
        ).records

    def count(self, to_state: str, *, now: int | None = None, **changes: int) -> bytes:
        """Return a count statement; `changes` replace the last number of a topic."""
        counts = [
            (Stream("gate", BEGAN, partition, topic), changes.get(topic, last))
            for (state, partition, topic), last in self.numbers.items()
            if state == to_state
        ]
        return sign_counts(self.code, to_state, counts, self.gate_key, self.now if now is None else now)


def make_offer_record(to_state: str) -> dict[str, Any]:
    """Return the Avro record of an offer."""
    notice = notice_record(to_state)
    names = [each["name"] for each in get_codec("offer").schema["fields"]]
    offer = {name: notice.get(name) for name in names}
    return {**offer, "category": "FINANCE", "offence_codes": ["LAUNDERING"], "expires_at": notice["sent_at"] + 30 * DAY}


READER_SEEDS = {name: make_seed(f"reader {name}") for name in ("case-system", "desk", "stranger")}


def make_reader(name: str = "case-system") -> MemoryOpeningKey:
    return MemoryOpeningKey(KeyAlgorithm.X25519, READER_SEEDS[name])


@dataclass
class FakeInbox:
    """The inbox of a State without a broker: its state survives `restart`, its memory does not."""

    owner: FakeState
    senders: Sequence[FakeState]
    readers: Sequence[str] = ("case-system", "desk")
    partitions: Sequence[int] = (0, 1)
    random: Callable[[int], bytes] = secrets.token_bytes
    revoked: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.stores = {number: MemoryStore() for number in self.partitions}
        self.trusted = {state.code: state.trusted for state in self.senders}
        self.opening = dict(self.owner.opening)
        self.offsets = 0
        self.restart()

    def restart(self) -> None:
        """Forget what is only in memory."""
        self.processor = InboxProcessor(self.owner.code, self.random)
        self.memory = InboxState()

    @property
    def keys(self) -> InboxKeys:
        readers = [make_reader(name).public_key for name in self.readers]
        return InboxKeys(self.trusted, self.opening, readers, self.owner.gate_key, self.revoked)

    def make_record(self, value: bytes | None, topic: str = "notices", partition: int = 0, **options: Any) -> Message:
        self.offsets += 1
        return Message(
            value,
            b"key",
            record_offset=self.offsets,
            record_partition=partition,
            topic_name=KINDS[topic].topic(self.owner.code),
            **options,
        )

    def receive(self, *values: bytes | None, topic: str = "notices", partition: int = 0, **options: Any) -> InboxResult:
        """Process records as one batch and commit it."""
        time = {name: options.pop(name) for name in ("published_at", "time_kind") if name in options}
        return self.process([self.make_record(value, topic, partition, **time) for value in values], **options)

    def process(
        self, records: Sequence[Message], *, now: int = NOW, committed: bool = True, unreadable: Any = ()
    ) -> InboxResult:
        """Process a batch."""
        view = Overlay(self.stores)
        state = self.memory.open_batch(view, now)
        result = self.processor.process_batch(records, state, self.keys, now, unreadable)
        assert is_conserved(records, len(unreadable), result)
        state.save()
        result.overdue = self.memory.list_overdue(now, self.trusted)
        if committed:
            for partition, changes in view.freeze().items():
                self.stores[partition].apply_changes(changes.items(), Checkpoint(0, now))
        return result

    def open(self, output: OutputRecord, reader: str = "case-system", now: int = NOW) -> Any:
        """Return what a reader sees of an inbox record."""
        return InboxOpener(self.owner.code, make_reader(reader)).open(output.value, self.owner.trusted, now)
