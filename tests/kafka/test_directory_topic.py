"""Announcing directory entries, and reading them from a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError

import sharing.kafka.directory_own_topic
from sharing.directory.statement import ENTRY_BYTES_MAX
from sharing.errors import InfrastructureError, InputError
from sharing.kafka.directory_own_topic import OwnTopic
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.kafka.key_documents import read_key_documents
from sharing.model.directory import DirectoryEntry
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DIRECTORY
from tests.directory.signed_states import SignedState
from tests.kafka.directory_fixtures import make_entry
from tests.trust.trust_fixtures import NOW


def test_an_entry_that_readers_would_not_accept_is_refused(embedded: EmbeddedBroker) -> None:
    sizes = (size for size in range(99_000, ENTRY_BYTES_MAX) if _measure(size) >= ENTRY_BYTES_MAX)
    size = next(sizes)
    assert _measure(size) == ENTRY_BYTES_MAX
    with pytest.raises(InputError, match=r"the entry of CH has 100,001 bytes; readers accept 100,000"):
        announce_entry(embedded.bootstrap, _make_entry_of_size(size + 1))


def _measure(size: int) -> int:
    return len(get_codec("directory_entry").encode(_make_entry_of_size(size).to_record()))


def _make_entry_of_size(size: int) -> DirectoryEntry:
    languages = ["x" * 500] * (size // 500) + ["y" * (size % 500)] * bool(size % 500)
    point = {"name": "n", "hours": "h", "languages": languages}
    return make_entry("CH", authorities=[{"name": "A", "kind": "POLICE", "contact_points": [point]}])


def test_the_topic_admits_the_largest_entry_and_little_more() -> None:
    assert ENTRY_BYTES_MAX < DIRECTORY.max_message_bytes <= 1.2 * ENTRY_BYTES_MAX


@pytest.mark.usefixtures("short_connect_timeout")
def test_without_a_broker_the_error_is_immediate() -> None:
    with pytest.raises(InfrastructureError, match="no broker answers"):
        announce_entry("127.0.0.1:1", make_entry("CH"))


def test_the_error_for_a_missing_topic_names_the_remedy(embedded: EmbeddedBroker) -> None:
    for _ in range(2):  # looking it up does not create it
        with pytest.raises(InfrastructureError, match=r"directory\.zw.*`sharing topics apply --states ZW`"):
            announce_entry(embedded.bootstrap, make_entry("ZW"))


def test_a_broker_that_stops_answering_does_not_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedBroker() as broker:
        present = {DIRECTORY.topic("DE"): 1}
        broker.create_topics(present, 1)
        monkeypatch.setattr(sharing.kafka.directory_own_topic, "fetch_topics", lambda *_: present)
        monkeypatch.setattr(sharing.kafka.directory_own_topic, "ANNOUNCE_SECONDS_MAX", 0.5)
        broker.interrupt()
        with pytest.raises(InfrastructureError, match="did not confirm the entry of DE"):
            announce_entry(broker.bootstrap, make_entry("DE"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must have one key, `entries`, with a list"),
        ("entries: {}", "must have one key, `entries`, with a list"),
        ("entries: []\nmore: 1", "must have one key, `entries`, with a list"),
        ("entries: [CH]", "must be a mapping"),
        ("entries:\n  - {state: CH, announced_at: '2026-01-15T08:00:00Z'}", "d.yaml:2: .*authorities: is missing"),
        (
            "entries:\n- {state: CH, announced_at: 2026-01-15, authorities: [{name: x}]}",
            "d.yaml:2: .*announced_at: must be",
        ),
        (
            "entries:\n- {sttae: CH, announced_at: '2026-01-15T08:00:00Z', authorities: [{name: x}]}",
            "did you mean 'state'",
        ),
        (
            (
                "entries:\n- {state: CH, announced_at: '2026-01-15T08:00:00Z', authorities: [{name: x}]}\n"
                "- {state: CH, announced_at: '2026-01-16T08:00:00Z', authorities: [{name: y}]}"
            ),
            "d.yaml:3: .*CH already has an entry",
        ),
        (
            "entries:\n- {state: CH, announced_at: '9999-12-31T23:59:59-05:00', authorities: [{name: x}]}",
            "d.yaml:2: .*announced_at: must be in the years 1 to 9999",
        ),
        (
            'entries:\n- {state: CH, announced_at: "2026-01-15T08:00:00Z", authorities: [{name: "\\uD83D"}]}',
            "d.yaml:2: .*is not YAML",
        ),
        ("entries: [", "is not YAML"),
        ("", "is empty"),
    ],
)
def test_the_error_for_an_invalid_file_of_entries_names_the_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_entries(text, "d.yaml")


@dataclass
class FakeMessage:
    """A record, or an error in its place."""

    number: int
    data: bytes = b""
    fault: int | None = None
    name: bytes = b"keys"

    def error(self) -> KafkaError | None:
        return None if self.fault is None else KafkaError(self.fault)

    def offset(self) -> int:
        return self.number

    def key(self) -> bytes:
        return self.name

    def value(self) -> bytes:
        return self.data


@dataclass
class FakeConsumer:
    """A topic of three records."""

    messages: list[FakeMessage]
    sought: list[int] = field(default_factory=list)

    def assign(self, _partitions: Any) -> None:
        """Everything is assigned."""

    def poll(self, _seconds: float) -> FakeMessage:
        return self.messages.pop(0)

    def seek(self, partition: Any) -> None:
        self.sought.append(partition.offset)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("is_damaged", [True, False])
def test_keys_are_not_proved_by_a_topic_of_which_a_part_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, is_damaged: bool
) -> None:
    """A revocation may be in that part."""
    signed = SignedState("CH", now=NOW)
    second = FakeMessage(1, fault=KafkaError._BAD_MSG) if is_damaged else FakeMessage(1, signed.keys_data)
    messages = [FakeMessage(0, signed.root_data, name=b"root.1"), second, FakeMessage(2, signed.keys_data)]
    module = sharing.kafka.directory_own_topic
    monkeypatch.setattr(module, "look_up_topics", lambda *_: {DIRECTORY.topic("CH"): 1})
    monkeypatch.setattr(module, "query_watermarks", lambda *_: (0, 3))
    monkeypatch.setattr(module, "make_directory_consumer", lambda *_: FakeConsumer(list(messages)))
    topic = OwnTopic("", "CH", {}, SINGLE_OBJECT_FRAMING)
    topic.read_to_end(lambda *_: None)
    assert topic.is_whole is not is_damaged
    if is_damaged:
        with pytest.raises(InfrastructureError, match="a revocation may be in them"):
            read_key_documents("", signed.pin, NOW)
    else:
        assert read_key_documents("", signed.pin, NOW)[1] == signed.keys_data
