"""The directory: a State's last entry is valid, no State announces another, and all readers see the same."""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError

import sharing.kafka.directory_topic
from sharing.errors import InfrastructureError, InputError
from sharing.kafka.directory_topic import DirectoryReader, announce_entry, parse_entries
from sharing.model.directory import DirectoryEntry
from sharing.model.times import to_milliseconds
from sharing.serialization.codec import get_codec
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.samples import sample_directory
from sharing.topology.topics import DIRECTORY
from tests.kafka.topic_io import SECONDS, write_records

OpenReader = Callable[[], DirectoryReader]


@pytest.fixture
def topic(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> str:
    """A directory topic used by one test only, on each broker in turn."""
    directory = dataclasses.replace(DIRECTORY, name=f"directory-{uuid.uuid4()}")
    monkeypatch.setattr(sharing.kafka.directory_topic, "DIRECTORY", directory)
    broker.create_topics([directory.topic()], 1)
    return directory.topic()


@pytest.fixture
def open_reader(broker: Broker) -> Iterator[OpenReader]:
    readers: list[DirectoryReader] = []

    def open_next() -> DirectoryReader:
        readers.append(DirectoryReader(broker.bootstrap))
        return readers[-1]

    yield open_next
    for reader in readers:
        reader.close()


def entry(state: str, **changes: Any) -> DirectoryEntry:
    return DirectoryEntry.parse(
        {
            "state": state,
            "announced_at": "2026-01-15T08:00:00Z",
            "authority": {"name": "A", "kind": "POLICE"},
            **changes,
        }
    )


def encoded(state: str, **changes: Any) -> bytes:
    return get_codec("directory_entry").encode(entry(state, **changes).to_record())


def test_an_empty_directory_has_no_entries(topic: str, open_reader: OpenReader) -> None:
    directory = open_reader().read_to_end()
    assert (directory.entries, directory.version) == ({}, 0)


def test_every_reader_reads_the_announced_entries(broker: Broker, topic: str, open_reader: OpenReader) -> None:
    entries = parse_entries(*sample_directory())
    for announced in entries:
        announce_entry(broker.bootstrap, announced)
    readers = [open_reader() for _ in range(2)]
    for reader in readers:
        directory = reader.read_to_end()
        assert directory.entries == {announced.state: announced for announced in entries}
        assert directory.version == len(entries)
        assert reader.ignored_count == 0


def test_the_last_entry_of_a_state_is_valid(broker: Broker, topic: str, open_reader: OpenReader) -> None:
    reader = open_reader()
    announce_entry(broker.bootstrap, entry("CH"))
    announce_entry(broker.bootstrap, entry("DE"))
    before = reader.read_to_end()
    announce_entry(broker.bootstrap, entry("CH", authority={"name": "B", "kind": "PROSECUTOR"}))
    after = reader.read_to_end()
    assert after.entries["CH"].authority.name == "B"
    assert before.entries["CH"].authority.name == "A"  # the snapshot that a decision used does not change
    assert (before.version, after.version) == (2, 3)
    assert open_reader().read_to_end() == after


def test_an_empty_record_removes_a_state(broker: Broker, topic: str, open_reader: OpenReader) -> None:
    reader = open_reader()
    announce_entry(broker.bootstrap, entry("CH"))
    announce_entry(broker.bootstrap, entry("DE"))
    assert set(reader.read_to_end().entries) == {"CH", "DE"}
    write_records(broker, topic, [None], key=b"CH")
    assert set(reader.read_to_end().entries) == {"DE"}
    assert set(open_reader().read_to_end().entries) == {"DE"}
    announce_entry(broker.bootstrap, entry("CH"))
    assert set(reader.read_to_end().entries) == {"CH", "DE"}


def test_an_entry_under_another_key_and_unreadable_records_are_ignored(
    broker: Broker, topic: str, open_reader: OpenReader
) -> None:
    announce_entry(broker.bootstrap, entry("DE"))
    announce_entry(broker.bootstrap, entry("CH"))
    foreign = encoded("DE", authority={"name": "not Germany", "kind": "POLICE"})
    for key, value in (
        (b"CH", foreign),  # key of Switzerland, entry of Germany
        (b"DE", b"junk"),
        (b"DE", foreign[:-1]),
        (b"\xff\xfe", foreign),
        (b"de", foreign),
        (b"", foreign),
    ):
        write_records(broker, topic, [value], key=key)
    reader = open_reader()
    directory = reader.read_to_end()
    assert set(directory.entries) == {"CH", "DE"}
    assert directory.entries["DE"].authority.name == "A"
    assert reader.ignored_count == 6
    assert directory.version == 8  # ignored records count as read


def test_the_log_names_the_state_of_an_ignored_entry_and_no_other_key(
    broker: Broker, topic: str, open_reader: OpenReader, caplog: pytest.LogCaptureFixture
) -> None:
    write_records(broker, topic, [encoded("DE")], key=b"CH")
    write_records(broker, topic, [encoded("DE")], key=b"secret")
    open_reader().read_to_end()
    assert caplog.messages == [
        "directory entry of CH at offset 0 ignored: the entry's State is not the State in its key",
        "directory entry whose key is not a State at offset 1 ignored: the entry's State is not the State in its key",
    ]


def test_an_entry_that_the_schema_accepts_and_the_model_rejects_is_ignored(
    broker: Broker, topic: str, open_reader: OpenReader
) -> None:
    record = entry("CH").to_record()
    for change in (
        {"authority": {"name": "", "kind": "POLICE"}},
        {"state": "XX"},
        {"interests": [_interest("no-type")]},
    ):
        write_records(broker, topic, [get_codec("directory_entry").encode({**record, **change})], key=b"CH")
    reader = open_reader()
    assert reader.read_to_end().entries == {}
    assert reader.ignored_count == 3


def _interest(type_name: str) -> dict[str, Any]:
    return {"id": "x", "offences": [], "types": [type_name], "nexus": [], "modus_operandi": [], "urgency": []}


def test_the_snapshot_is_the_same_object_until_there_is_a_new_record(
    broker: Broker, topic: str, open_reader: OpenReader
) -> None:
    announce_entry(broker.bootstrap, entry("CH"))
    reader = open_reader()
    first = reader.read_to_end()
    assert reader.poll_updates(0.3) is first
    assert reader.read_to_end() is first
    assert reader.snapshot is first
    announce_entry(broker.bootstrap, entry("DE"))
    second = reader.read_to_end()
    assert second is not first
    assert set(first.entries) == {"CH"}


def test_an_expired_entry_is_not_valid(broker: Broker, topic: str, open_reader: OpenReader) -> None:
    announce_entry(broker.bootstrap, entry("CH", valid_until="2026-02-01T00:00:00Z"))
    announce_entry(broker.bootstrap, entry("DE"))
    directory = open_reader().read_to_end()
    end = to_milliseconds(entry("CH", valid_until="2026-02-01T00:00:00Z").valid_until or pytest.fail("no end"))
    assert set(directory.get_valid_entries(end - 1)) == {"CH", "DE"}
    assert set(directory.get_valid_entries(end)) == {"DE"}
    assert directory.get_authorities(end) == {"DE": "POLICE"}
    assert set(directory.get_interests(end)) == {"DE"}


def test_a_directory_with_too_many_partitions_can_be_read(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, after a broker created the topic automatically: announcements and readers use one partition."""
    directory = dataclasses.replace(DIRECTORY, name=f"directory-{uuid.uuid4()}")
    monkeypatch.setattr(sharing.kafka.directory_topic, "DIRECTORY", directory)
    embedded.create_topics([directory.topic()], 4)
    states = ("CH", "DE", "NL", "JP", "FR", "US")
    for state in states:
        announce_entry(embedded.bootstrap, entry(state))
    reader = DirectoryReader(embedded.bootstrap)
    assert set(reader.read_to_end().entries) == set(states)
    reader.close()


def test_the_error_for_a_missing_directory_names_the_remedy(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, open_reader: OpenReader
) -> None:
    monkeypatch.setattr(
        sharing.kafka.directory_topic, "DIRECTORY", dataclasses.replace(DIRECTORY, name=f"not-{uuid.uuid4()}")
    )
    for _ in range(2):  # looking it up does not create it
        with pytest.raises(InfrastructureError, match=r"exchange\.not-.*`sharing topics apply`"):
            open_reader().read_to_end()
        with pytest.raises(InfrastructureError, match=r"exchange\.not-.*`sharing topics apply`"):
            announce_entry(broker.bootstrap, entry("CH"))


@pytest.mark.usefixtures("short_connect_timeout")
def test_without_a_broker_the_error_is_immediate() -> None:
    reader = DirectoryReader("127.0.0.1:1")
    with pytest.raises(InfrastructureError, match="no broker answers"):
        reader.read_to_end()
    reader.close()
    with pytest.raises(InfrastructureError, match="no broker answers"):
        announce_entry("127.0.0.1:1", entry("CH"))


def test_a_broker_that_stops_answering_is_an_error_for_announcements_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics([DIRECTORY.topic()], 1)
        announce_entry(broker.bootstrap, entry("CH"))
        reader = DirectoryReader(broker.bootstrap)
        before = reader.read_to_end()
        present = {DIRECTORY.topic(): 1}
        monkeypatch.setattr(sharing.kafka.directory_topic, "look_up_topics", lambda *_: present)
        monkeypatch.setattr(sharing.kafka.directory_topic, "fetch_topics", lambda *_: present)
        broker.interrupt()
        with monkeypatch.context() as patch:
            patch.setattr(sharing.kafka.directory_topic, "ANNOUNCE_SECONDS_MAX", 0.5)
            with pytest.raises(InfrastructureError, match="did not confirm the entry of DE"):
                announce_entry(broker.bootstrap, entry("DE"))
        assert reader.poll_updates(0.3) is before  # the last known snapshot, while the broker does not answer
        broker.resume()
        announce_entry(broker.bootstrap, entry("DE"))
        deadline = itertools.count()
        while set(reader.poll_updates(0.5).entries) != {"CH", "DE"}:
            assert next(deadline) < 2 * SECONDS
        reader.close()


class ErrorMessage:
    """A message that represents an error, as librdkafka returns it."""

    def __init__(self, code: int) -> None:
        self._error = KafkaError(code)

    def error(self) -> KafkaError:
        return self._error


class ErrorConsumer:
    """A consumer that returns only errors."""

    def __init__(self, code: int) -> None:
        self._code = code

    def consume(self, *_: object) -> list[ErrorMessage]:
        return [ErrorMessage(self._code)]


def test_a_refusal_by_the_broker_ends_reading(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reader = DirectoryReader(embedded.bootstrap)
    for code in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._AUTHENTICATION,
    ):
        with monkeypatch.context() as patch:
            patch.setattr(reader, "_consumer", ErrorConsumer(code))
            with pytest.raises(InfrastructureError, match=r"exchange\.directory cannot be read"):
                reader.poll_updates(0.1)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "_consumer", ErrorConsumer(KafkaError._TRANSPORT))
        assert reader.poll_updates(0.1).version == 0  # librdkafka recovers from it
        assert len(caplog.records) == 1
        patch.setattr(reader, "_consumer", ErrorConsumer(KafkaError.GROUP_AUTHORIZATION_FAILED))
        assert (
            reader.poll_updates(0.1).version == 0
        )  # of a group that the reader does not join: correct with access control
        assert len(caplog.records) == 1
    reader.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must have one key, `entries`, with a list"),
        ("entries: {}", "must have one key, `entries`, with a list"),
        ("entries: []\nmore: 1", "must have one key, `entries`, with a list"),
        ("entries: [CH]", "must be a mapping"),
        ("entries:\n  - {state: CH, announced_at: '2026-01-15T08:00:00Z'}", "d.yaml:2: .*authority: is missing"),
        (
            "entries:\n- {state: CH, announced_at: 2026-01-15, authority: {name: x}}",
            "d.yaml:2: .*announced_at: must be",
        ),
        ("entries:\n- {sttae: CH, announced_at: '2026-01-15T08:00:00Z', authority: {name: x}}", "did you mean 'state'"),
        (
            (
                "entries:\n- {state: CH, announced_at: '2026-01-15T08:00:00Z', authority: {name: x}}\n"
                "- {state: CH, announced_at: '2026-01-16T08:00:00Z', authority: {name: y}}"
            ),
            "d.yaml:3: .*CH already has an entry",
        ),
        (
            "entries:\n- {state: CH, announced_at: '9999-12-31T23:59:59-05:00', authority: {name: x}}",
            "d.yaml:2: .*announced_at: must be in the years 1 to 9999",
        ),
        (
            'entries:\n- {state: CH, announced_at: "2026-01-15T08:00:00Z", authority: {name: "\\uD83D"}}',
            "d.yaml:2: .*is not YAML",
        ),
        ("entries: [", "is not YAML"),
        ("", "is empty"),
    ],
)
def test_the_error_for_an_invalid_file_of_entries_names_the_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_entries(text, "d.yaml")
