"""The directory reader: each State's newest record decides, and no State concerns the entries of the others."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from sharing.kafka.clients import make_admin
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.model.recipient_terms import Condition
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import ConditionKind
from sharing.serialization.codec import get_codec
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.samples import sample_directory
from sharing.topology.topics import DIRECTORY, NOTICES, OFFERS, REPLIES, URGENT, Topic
from tests.kafka.conftest import OpenReader
from tests.kafka.directory_fixtures import STATES, create_directory, encode, make_entry, write_bomb, write_to_directory
from tests.kafka.topic_io import SECONDS
from tests.law.accepted import make_acceptance

READERS_MB_MAX = 400
"""With the largest bomb, the readers together need 280 MB at the peak; if they kept its records, 490."""


@pytest.fixture
def directory(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Each broker in turn, with empty directory topics of three States."""
    if request.param == "embedded":
        with EmbeddedBroker() as embedded:
            create_directory(embedded, STATES)
            yield embedded
    else:
        yield request.getfixturevalue("kafka_directory")


BOTH = pytest.mark.parametrize("directory", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)


@pytest.fixture
def kafka_directory(kafka: KafkaBroker) -> Iterator[KafkaBroker]:
    """A real Kafka with empty directory topics of three States, and no others."""
    _delete_directory(kafka)
    create_directory(kafka, STATES)
    yield kafka
    _delete_directory(kafka)


def _delete_directory(kafka: KafkaBroker, *states: str) -> None:
    admin = make_admin(kafka.bootstrap)
    topics = [topic for topic in admin.list_topics(timeout=SECONDS).topics if topic.startswith(DIRECTORY.topic())]
    wanted = [DIRECTORY.topic(state) for state in states] or topics
    for future in admin.delete_topics(wanted, operation_timeout=SECONDS).values() if wanted else ():
        future.result(SECONDS)


@BOTH
def test_an_empty_directory_has_no_entries(directory: Broker, open_reader: OpenReader) -> None:
    assert open_reader(directory).read_to_end().entries == {}


@BOTH
def test_every_reader_reads_the_announced_entries(directory: Broker, open_reader: OpenReader) -> None:
    entries = parse_entries(*sample_directory())
    create_directory(directory, [entry.state for entry in entries])
    for announced in entries:
        announce_entry(directory.bootstrap, announced)
    versions = set()
    for reader in [open_reader(directory) for _ in range(2)]:
        read = reader.read_to_end()
        assert read.entries == {announced.state: announced for announced in entries}
        assert (reader.ignored_count, dict(reader.unreadable)) == (0, {})
        versions.add(read.get_version(0))
    assert len(versions) == 1


@BOTH
def test_the_newest_entry_of_a_state_is_valid(directory: Broker, open_reader: OpenReader) -> None:
    reader = open_reader(directory)
    for state in ("CH", "DE"):
        announce_entry(directory.bootstrap, make_entry(state))
    before = reader.read_to_end()
    announce_entry(directory.bootstrap, make_entry("CH", authorities=[{"name": "B", "kind": "PROSECUTOR"}]))
    after = reader.read_to_end()
    assert after.entries["CH"].authorities[0].name == "B"
    assert before.entries["CH"].authorities[0].name == "A"  # the snapshot that a decision used does not change
    assert before.get_version(0) != after.get_version(0)
    assert open_reader(directory).read_to_end() == after


@BOTH
def test_an_empty_record_removes_a_state(directory: Broker, open_reader: OpenReader) -> None:
    reader = open_reader(directory)
    for state in ("CH", "DE"):
        announce_entry(directory.bootstrap, make_entry(state))
    assert set(reader.read_to_end().entries) == {"CH", "DE"}
    write_to_directory(directory, "CH", None)
    for each in (reader, open_reader(directory)):
        assert set(each.read_to_end().entries) == {"DE"}
        assert dict(each.unreadable) == {}
    announce_entry(directory.bootstrap, make_entry("CH"))
    assert set(reader.read_to_end().entries) == {"CH", "DE"}


@BOTH
@pytest.mark.parametrize("value", [b"junk", encode("CH")[:-1], encode("DE"), b"\0" * 100_001])
def test_a_state_whose_newest_record_is_no_entry_of_it_has_none(
    directory: Broker, open_reader: OpenReader, value: bytes
) -> None:
    """After compaction only that record is left: with an older entry, a running worker would differ from a new one."""
    running = open_reader(directory)
    for state in ("CH", "DE"):
        announce_entry(directory.bootstrap, make_entry(state))
    running.read_to_end()
    write_to_directory(directory, "CH", value)
    for reader in (running, open_reader(directory)):
        assert set(reader.read_to_end().entries) == {"DE"}
        assert dict(reader.unreadable) == {"CH": "INVALID_RECORD"}
        assert reader.ignored_count == 1
    announce_entry(directory.bootstrap, make_entry("CH"))
    assert set(running.read_to_end().entries) == {"CH", "DE"}
    assert dict(running.unreadable) == {}


@BOTH
def test_records_under_other_keys_are_ignored(
    directory: Broker, open_reader: OpenReader, caplog: pytest.LogCaptureFixture
) -> None:
    announce_entry(directory.bootstrap, make_entry("CH"))
    foreign = encode("DE", authorities=[{"name": "not Germany", "kind": "POLICE"}])
    for key in ("DE", "ch", "", "secret"):
        write_to_directory(directory, "CH", foreign, key=key)
    reader = open_reader(directory)
    assert reader.read_to_end().entries == {"CH": make_entry("CH")}
    assert (reader.ignored_count, dict(reader.unreadable)) == (4, {})
    assert caplog.messages == [
        f"directory.ch: record at partition 0, offset {offset} ignored: its key is not the State"
        for offset in range(1, 5)
    ]


def test_an_entry_that_the_schema_accepts_and_the_model_rejects_is_ignored(
    open_reader: OpenReader,
) -> None:
    interest = {"id": "x", "offences": [], "types": ["no-type"], "nexus": [], "modus_operandi": [], "urgency": []}
    (authority,) = make_entry("CH").to_record()["authorities"]
    nameless = {**authority, "name": ""}
    for change in ({"authorities": [nameless]}, {"state": "XX"}, {"interests": [interest]}):
        with EmbeddedBroker() as broker:
            create_directory(broker, STATES)
            write_to_directory(broker, "CH", get_changed_record(change))
            reader = open_reader(broker)
            assert reader.read_to_end().entries == {}
            assert reader.ignored_count == 1


def get_changed_record(change: dict[str, Any]) -> bytes:
    """Return an encoded entry of Switzerland with changed fields, which are not checked."""
    return get_codec("directory_entry").encode({**make_entry("CH").to_record(), **change})


@BOTH
def test_the_snapshot_is_the_same_object_until_something_changes(directory: Broker, open_reader: OpenReader) -> None:
    announce_entry(directory.bootstrap, make_entry("CH"))
    reader = open_reader(directory)
    first = reader.read_to_end()
    assert reader.poll_updates(0.3) is first
    assert reader.read_to_end() is first
    assert reader.snapshot is first
    announce_entry(directory.bootstrap, make_entry("DE"))
    assert reader.read_to_end() is not first
    assert set(first.entries) == {"CH"}


@BOTH
def test_an_expired_entry_is_not_valid(directory: Broker, open_reader: OpenReader) -> None:
    expiring = make_entry("CH", valid_until="2026-02-01T00:00:00Z")
    for entry in (expiring, make_entry("DE")):
        announce_entry(directory.bootstrap, entry)
    read = open_reader(directory).read_to_end()
    end = to_milliseconds(expiring.valid_until or pytest.fail("no end"))
    assert set(read.get_valid_entries(end - 1)) == {"CH", "DE"}
    assert set(read.get_valid_entries(end)) == {"DE"}
    assert {state: [entry.kind for entry in of] for state, of in read.get_authorities(end).items()} == {
        "DE": ["POLICE"]
    }
    assert set(read.get_interests(end)) == {"DE"}
    assert read.get_version(end - 1) != read.get_version(end)


@BOTH
def test_a_state_that_joins_later_is_read(directory: Broker, open_reader: OpenReader, state: str) -> None:
    reader = open_reader(directory, finds_receivers=True)
    others = reader.read_to_end().receiving_states  # those whose topics earlier tests left on the broker
    assert others is not None
    assert state not in others
    create_directory(directory, [state])
    announce_entry(directory.bootstrap, make_entry(state))
    directory.create_topics([kind.topic(state) for kind in (NOTICES, URGENT, OFFERS)], 1)
    read = reader.read_to_end()
    assert (set(read.entries), read.receiving_states) == ({state}, others)
    directory.create_topics([REPLIES.topic(state)], 1)
    assert reader.read_to_end().receiving_states == others | {state}


def test_without_permission_for_all_states_nobody_looks_for_receivers(open_reader: OpenReader) -> None:
    with EmbeddedBroker() as broker:
        create_directory(broker, STATES)
        assert open_reader(broker).read_to_end().receiving_states is None


@pytest.mark.kafka
def test_of_a_recreated_topic_only_the_new_records_count(kafka_directory: KafkaBroker, open_reader: OpenReader) -> None:
    reader = open_reader(kafka_directory)
    for state in STATES:
        announce_entry(kafka_directory.bootstrap, make_entry(state))
    assert set(reader.read_to_end().entries) == set(STATES)
    _delete_directory(kafka_directory, "DE")
    create_directory(kafka_directory, ["DE"])
    # More records than the old topic had: a reader that knew only offsets would go on at its position.
    write_to_directory(kafka_directory, "DE", *[b"junk"] * 5, key="other")
    assert set(reader.read_to_end().entries) == {"CH", "FR"}
    announce_entry(kafka_directory.bootstrap, make_entry("DE", authorities=[{"name": "B", "kind": "POLICE"}]))
    assert reader.read_to_end().entries["DE"].authorities[0].name == "B"
    _delete_directory(kafka_directory, "DE")
    assert set(reader.read_to_end().entries) == {"CH", "FR"}


@pytest.mark.kafka
def test_of_a_recreated_topic_the_entry_is_not_read_at_the_old_offset(
    kafka_directory: KafkaBroker, open_reader: OpenReader
) -> None:
    reader = open_reader(kafka_directory)
    announce_entry(kafka_directory.bootstrap, make_entry("DE"))
    reader.read_to_end()
    _delete_directory(kafka_directory, "DE")
    create_directory(kafka_directory, ["DE"])
    announce_entry(kafka_directory.bootstrap, make_entry("DE", authorities=[{"name": "B", "kind": "POLICE"}]))
    assert reader.read_to_end().entries["DE"].authorities[0].name == "B"


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("codec", "megabytes", "records", "cause"),
    [
        ("zstd", 120, 1, "_BAD_COMPRESSION"),
        ("zstd", 120, 300, "_BAD_COMPRESSION"),
        ("gzip", 110, 1, "INVALID_RECORD"),
        ("lz4", 25, 1, "INVALID_RECORD"),
    ],
)
def test_a_compression_bomb_concerns_its_own_state_only(
    kafka_directory: KafkaBroker, codec: str, megabytes: int, records: int, cause: str
) -> None:
    """In a process of its own: the peak of the memory is then that of the readers, whatever other tests needed."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        arguments = (kafka_directory.bootstrap, codec, megabytes, records, cause)
        peak_mb = executor.submit(read_past_bomb, *arguments).result(8 * SECONDS)
    assert peak_mb < READERS_MB_MAX


def read_past_bomb(bootstrap: str, codec: str, megabytes: int, records: int, cause: str) -> int:
    """Read the directory before, with and after a bomb; return the peak of this process's memory in MB."""
    with ExitStack() as stack:

        def open_next() -> DirectoryReader:
            return stack.enter_context(closing(DirectoryReader(bootstrap, change_interval_s=0.0)))

        running = open_next()
        for state in STATES:
            announce_entry(bootstrap, make_entry(state))
        assert set(running.read_to_end().entries) == set(STATES)
        write_bomb(bootstrap, "DE", codec, megabytes, records)
        for reader in (running, open_next()):
            assert set(reader.read_to_end().entries) == {"CH", "FR"}
            assert dict(reader.unreadable) == {"DE": cause}
            assert reader.ignored_count >= 1
            announce_entry(bootstrap, make_entry("FR", authorities=[{"name": "B", "kind": "POLICE"}]))
            assert reader.read_to_end().entries["FR"].authorities[0].name == "B"
        announce_entry(bootstrap, make_entry("DE", authorities=[{"name": "C", "kind": "POLICE"}]))
        for reader in (running, open_next()):
            assert reader.read_to_end().entries["DE"].authorities[0].name == "C"
            assert dict(reader.unreadable) == {}
    # Not `ru_maxrss`, which a process inherits from the one that started it.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return int(status["VmHWM"].split()[0]) // 1024


@pytest.mark.kafka
def test_the_broker_refuses_a_batch_that_would_inflate_further(kafka_directory: KafkaBroker) -> None:
    _delete_directory(kafka_directory, "DE")

    apply_topics(
        kafka_directory.bootstrap,
        {DIRECTORY.topic("DE"): Topic(DIRECTORY.topic("DE"), DIRECTORY, "DE", 1)},
        replication=1,
    )
    write_bomb(kafka_directory.bootstrap, "DE", "gzip", 110)
    with pytest.raises(AssertionError):
        write_bomb(kafka_directory.bootstrap, "DE", "gzip", 130)


def test_nobody_is_believed_to_have_accepted_anything_in_an_entry_without_signature() -> None:
    accepted = make_acceptance("DE", [Condition("c", ConditionKind.PURPOSE, "t")]).model_dump(mode="json")
    with EmbeddedBroker() as broker:
        create_directory(broker, ["CH"])
        write_to_directory(broker, "CH", encode("CH", standing_acceptances=[accepted]))
        with closing(DirectoryReader(broker.bootstrap)) as reader:
            entry = reader.read_to_end().entries["CH"]
    assert entry == make_entry("CH")
