"""The directory: the last entry of a State counts, nobody speaks for another, and every reader sees the same."""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError

import sharing.kafka.directory_topic
from sharing.errors import InfrastructureError, PackError
from sharing.kafka.directory_topic import DirectoryReader, announce, read_entries
from sharing.model.directory import DirectoryEntry
from sharing.model.times import to_milliseconds
from sharing.serialization.codec import codec_of
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.samples import sample_directory
from sharing.topology.topics import DIRECTORY
from tests.kafka.topic_io import SECONDS, write

Follow = Callable[[], DirectoryReader]


@pytest.fixture
def topic(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> str:
    """A directory of the test's own on each broker in turn."""
    own = dataclasses.replace(DIRECTORY, name=f"directory-{uuid.uuid4()}")
    monkeypatch.setattr(sharing.kafka.directory_topic, "DIRECTORY", own)
    broker.create_topics([own.topic()], 1)
    return own.topic()


@pytest.fixture
def follow(broker: Broker) -> Iterator[Follow]:
    made: list[DirectoryReader] = []

    def open_one() -> DirectoryReader:
        made.append(DirectoryReader(broker.bootstrap))
        return made[-1]

    yield open_one
    for reader in made:
        reader.close()


def entry(state: str, **changes: Any) -> DirectoryEntry:
    return DirectoryEntry.read(
        {
            "state": state,
            "announced_at": "2026-01-15T08:00:00Z",
            "authority": {"name": "A", "kind": "POLICE"},
            **changes,
        }
    )


def encoded(state: str, **changes: Any) -> bytes:
    return codec_of("directory_entry").encode(entry(state, **changes).to_wire())


def test_an_empty_directory_knows_nobody(topic: str, follow: Follow) -> None:
    directory = follow().read_to_end()
    assert (directory.entries, directory.version) == ({}, 0)


def test_what_is_announced_is_read_by_everyone(broker: Broker, topic: str, follow: Follow) -> None:
    entries = read_entries(*sample_directory())
    for one in entries:
        announce(broker.bootstrap, one)
    readers = [follow() for _ in range(2)]
    for reader in readers:
        directory = reader.read_to_end()
        assert directory.entries == {one.state: one for one in entries}
        assert directory.version == len(entries)
        assert reader.ignored == 0


def test_the_last_entry_of_a_state_counts(broker: Broker, topic: str, follow: Follow) -> None:
    reader = follow()
    announce(broker.bootstrap, entry("CH"))
    announce(broker.bootstrap, entry("DE"))
    before = reader.read_to_end()
    announce(broker.bootstrap, entry("CH", authority={"name": "B", "kind": "PROSECUTOR"}))
    after = reader.read_to_end()
    assert after.entries["CH"].authority.name == "B"
    assert before.entries["CH"].authority.name == "A"  # what a decision knew stays as it was
    assert (before.version, after.version) == (2, 3)
    assert follow().read_to_end() == after


def test_an_empty_record_takes_a_state_out(broker: Broker, topic: str, follow: Follow) -> None:
    reader = follow()
    announce(broker.bootstrap, entry("CH"))
    announce(broker.bootstrap, entry("DE"))
    assert set(reader.read_to_end().entries) == {"CH", "DE"}
    write(broker, topic, [None], key=b"CH")
    assert set(reader.read_to_end().entries) == {"DE"}
    assert set(follow().read_to_end().entries) == {"DE"}
    announce(broker.bootstrap, entry("CH"))
    assert set(reader.read_to_end().entries) == {"CH", "DE"}


def test_nobody_speaks_for_another_and_junk_harms_nobody(broker: Broker, topic: str, follow: Follow) -> None:
    announce(broker.bootstrap, entry("DE"))
    announce(broker.bootstrap, entry("CH"))
    foreign = encoded("DE", authority={"name": "not Germany", "kind": "POLICE"})
    for key, value in (
        (b"CH", foreign),  # Switzerland's key, Germany's entry
        (b"DE", b"junk"),
        (b"DE", foreign[:-1]),
        (b"\xff\xfe", foreign),
        (b"de", foreign),
        (b"", foreign),
    ):
        write(broker, topic, [value], key=key)
    reader = follow()
    directory = reader.read_to_end()
    assert set(directory.entries) == {"CH", "DE"}
    assert directory.entries["DE"].authority.name == "A"
    assert reader.ignored == 6
    assert directory.version == 8  # what was ignored was read all the same


def test_the_log_says_whose_entry_is_ignored_and_never_another_key(
    broker: Broker, topic: str, follow: Follow, caplog: pytest.LogCaptureFixture
) -> None:
    write(broker, topic, [encoded("DE")], key=b"CH")
    write(broker, topic, [encoded("DE")], key=b"secret")
    follow().read_to_end()
    assert caplog.messages == [
        "directory entry of CH at offset 0 ignored: the entry is not of the State that is its key",
        "directory entry under no State's key at offset 1 ignored: the entry is not of the State that is its key",
    ]


def test_an_entry_that_its_schema_allows_and_the_model_does_not_is_ignored(
    broker: Broker, topic: str, follow: Follow
) -> None:
    record = entry("CH").to_wire()
    for change in (
        {"authority": {"name": "", "kind": "POLICE"}},
        {"state": "XX"},
        {"interests": [_interest("no-type")]},
    ):
        write(broker, topic, [codec_of("directory_entry").encode({**record, **change})], key=b"CH")
    reader = follow()
    assert reader.read_to_end().entries == {}
    assert reader.ignored == 3


def _interest(type_name: str) -> dict[str, Any]:
    return {"id": "x", "offences": [], "types": [type_name], "nexus": [], "modus_operandi": [], "urgency": []}


def test_the_snapshot_is_the_same_object_until_something_is_new(broker: Broker, topic: str, follow: Follow) -> None:
    announce(broker.bootstrap, entry("CH"))
    reader = follow()
    first = reader.read_to_end()
    assert reader.follow(0.3) is first
    assert reader.read_to_end() is first
    assert reader.snapshot is first
    announce(broker.bootstrap, entry("DE"))
    second = reader.read_to_end()
    assert second is not first
    assert set(first.entries) == {"CH"}


def test_an_expired_entry_is_not_valid(broker: Broker, topic: str, follow: Follow) -> None:
    announce(broker.bootstrap, entry("CH", valid_until="2026-02-01T00:00:00Z"))
    announce(broker.bootstrap, entry("DE"))
    directory = follow().read_to_end()
    end = to_milliseconds(entry("CH", valid_until="2026-02-01T00:00:00Z").valid_until or pytest.fail("no end"))
    assert set(directory.valid_at(end - 1)) == {"CH", "DE"}
    assert set(directory.valid_at(end)) == {"DE"}
    assert directory.authorities(end) == {"DE": "POLICE"}
    assert set(directory.interests(end)) == {"DE"}


def test_a_directory_with_too_many_partitions_is_read_all_the_same(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a broker makes topics by itself: announcing and reading agree on one partition."""
    own = dataclasses.replace(DIRECTORY, name=f"directory-{uuid.uuid4()}")
    monkeypatch.setattr(sharing.kafka.directory_topic, "DIRECTORY", own)
    embedded.create_topics([own.topic()], 4)
    states = ("CH", "DE", "NL", "JP", "FR", "US")
    for state in states:
        announce(embedded.bootstrap, entry(state))
    reader = DirectoryReader(embedded.bootstrap)
    assert set(reader.read_to_end().entries) == set(states)
    reader.close()


def test_a_missing_directory_names_its_remedy(broker: Broker, monkeypatch: pytest.MonkeyPatch, follow: Follow) -> None:
    monkeypatch.setattr(
        sharing.kafka.directory_topic, "DIRECTORY", dataclasses.replace(DIRECTORY, name=f"not-{uuid.uuid4()}")
    )
    for _ in range(2):  # asking does not make it
        with pytest.raises(InfrastructureError, match=r"exchange\.not-.*`sharing topics apply`"):
            follow().read_to_end()
        with pytest.raises(InfrastructureError, match=r"exchange\.not-.*`sharing topics apply`"):
            announce(broker.bootstrap, entry("CH"))


@pytest.mark.usefixtures("impatient")
def test_without_a_broker_it_says_so_at_once() -> None:
    reader = DirectoryReader("127.0.0.1:1")
    with pytest.raises(InfrastructureError, match="no broker answers"):
        reader.read_to_end()
    reader.close()
    with pytest.raises(InfrastructureError, match="no broker answers"):
        announce("127.0.0.1:1", entry("CH"))


def test_a_broker_that_goes_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics([DIRECTORY.topic()], 1)
        announce(broker.bootstrap, entry("CH"))
        reader = DirectoryReader(broker.bootstrap)
        before = reader.read_to_end()
        present = {DIRECTORY.topic(): 1}
        monkeypatch.setattr(sharing.kafka.directory_topic, "look_up_topics", lambda *_: present)
        monkeypatch.setattr(sharing.kafka.directory_topic, "ask_topics", lambda *_: present)
        broker.interrupt()
        with monkeypatch.context() as hasty:
            hasty.setattr(sharing.kafka.directory_topic, "ANNOUNCE_SECONDS_MAX", 0.5)
            with pytest.raises(InfrastructureError, match="did not confirm the entry of DE"):
                announce(broker.bootstrap, entry("DE"))
        assert reader.follow(0.3) is before  # the last that was known, for as long as it is away
        broker.resume()
        announce(broker.bootstrap, entry("DE"))
        deadline = itertools.count()
        while set(reader.follow(0.5).entries) != {"CH", "DE"}:
            assert next(deadline) < 2 * SECONDS
        reader.close()


class Refusal:
    """A message that is an error, as librdkafka hands it out."""

    def __init__(self, code: int) -> None:
        self._error = KafkaError(code)

    def error(self) -> KafkaError:
        return self._error


class Refusing:
    """A consumer that gets nothing but errors."""

    def __init__(self, code: int) -> None:
        self._code = code

    def consume(self, *_: object) -> list[Refusal]:
        return [Refusal(self._code)]


def test_what_the_broker_refuses_ends_the_reading(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reader = DirectoryReader(embedded.bootstrap)
    for code in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART):
        with monkeypatch.context() as patch:
            patch.setattr(reader, "_consumer", Refusing(code))
            with pytest.raises(InfrastructureError, match=r"exchange\.directory cannot be read"):
                reader.follow(0.1)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "_consumer", Refusing(KafkaError._TRANSPORT))
        assert reader.follow(0.1).version == 0  # mends itself
        assert len(caplog.records) == 1
        patch.setattr(reader, "_consumer", Refusing(KafkaError.GROUP_AUTHORIZATION_FAILED))
        assert reader.follow(0.1).version == 0  # of a group that nobody joins: behind the wall that is as it must be
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
            "d.yaml:3: .*CH has an entry already",
        ),
        (
            "entries:\n- {state: CH, announced_at: '9999-12-31T23:59:59-05:00', authority: {name: x}}",
            "d.yaml:2: .*announced_at: must lie in the years 1 to 9999",
        ),
        (
            'entries:\n- {state: CH, announced_at: "2026-01-15T08:00:00Z", authority: {name: "\\uD83D"}}',
            "d.yaml:2: .*is not YAML",
        ),
        ("entries: [", "is not YAML"),
        ("", "is empty"),
    ],
)
def test_a_file_of_entries_that_is_not_acceptable_says_where(text: str, message: str) -> None:
    with pytest.raises(PackError, match=message):
        read_entries(text, "d.yaml")
