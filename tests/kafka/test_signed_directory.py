"""The signed directory on brokers: nobody but a State replaces its entry, brings an older one back, or hides one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sharing.directory.statement import decode_statement
from sharing.errors import InputError
from sharing.kafka import directory_writer
from sharing.kafka.clients import look_up_topics
from sharing.kafka.directory_own_topic import publish_records
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_topic import announce_entry
from sharing.kafka.directory_writer import DirectoryWriter, RenewalResult
from sharing.serialization.codec import get_codec
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import DIRECTORY
from sharing.trust.public_keys import KeyRole
from tests.kafka.directory_fixtures import create_directory, delete_topic, make_entry, write_to_directory
from tests.kafka.keyed_states import HOUR, KeyedState, make_signed_entry, read_now
from tests.kafka.topic_io import read_records

BOTH = pytest.mark.parametrize("broker", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Each broker in turn, with empty directory topics of two States."""
    if getattr(request, "param", "embedded") == "embedded":
        with EmbeddedBroker() as embedded:
            create_directory(embedded, ("DE",))
            yield embedded
        return
    kafka: KafkaBroker = request.getfixturevalue("kafka")
    create_directory(kafka, ("DE",))
    yield kafka
    for topic in set(kafka_topics(kafka)) & {DIRECTORY.topic("DE"), DIRECTORY.topic("FR")}:
        delete_topic(kafka, topic)


def kafka_topics(broker: Broker) -> dict[str, int]:
    return look_up_topics(broker.bootstrap)


@pytest.fixture
def make_state(tmp_path: Path) -> Callable[..., KeyedState]:
    return lambda state, *roles: KeyedState(state, tmp_path / state, *roles)


@pytest.fixture
def de(make_state: Callable[..., KeyedState]) -> KeyedState:
    return make_state("DE")


OpenReader = Callable[..., DirectoryReader]


@pytest.fixture
def open_reader() -> Iterator[OpenReader]:
    """Open readers that have pinned these States, and apply every change at once."""
    readers: list[DirectoryReader] = []

    def open_next(broker: Broker, *states: KeyedState, clock: Callable[[], int] = read_now) -> DirectoryReader:
        pins = {keyed.state: keyed.pin for keyed in states}
        readers.append(DirectoryReader(broker.bootstrap, change_interval_s=0.0, pins=pins, clock=clock))
        return readers[-1]

    yield open_next
    for reader in readers:
        reader.close()


def names(reader: DirectoryReader) -> dict[str, str]:
    return {state: entry.authorities[0].name for state, entry in reader.read_to_end().entries.items()}


@BOTH
def test_nobody_else_replaces_an_entry(
    broker: Broker, de: KeyedState, make_state: Callable[..., KeyedState], open_reader: OpenReader
) -> None:
    """An officer's client of another State, and the operator, write whatever they like to DE's topic."""
    genuine = de.open_writer(broker).announce(make_signed_entry("DE"))
    running = open_reader(broker, de)
    assert names(running) == {"DE": "A"}
    assert "DE" not in running.unreadable
    assert dict(running.unconfirmed) == {}
    announce_entry(broker.bootstrap, make_entry("DE", authorities=[{"name": "forged", "kind": "POLICE"}]))
    assert names(running) == {"DE": "A"}
    assert dict(running.unconfirmed) == {"DE": "UNSIGNED"}
    create_directory(broker, ("FR",))
    fr = make_state("FR")
    other = fr.open_writer(broker)
    statement = other.announce(make_signed_entry("FR", "forged"))
    attacks: tuple[tuple[str, bytes | None, str], ...] = (
        ("DE", statement_record(statement.encode()), "WRONG_STATE"),
        ("DE", None, "UNSIGNED"),
        ("DE", b"junk", "MALFORMED"),
        ("keys", dict(read_topic(broker, "FR"))["keys"], "WRONG_STATE"),
        ("root.1", dict(read_topic(broker, "FR"))["root.1"], "WRONG_STATE"),
    )
    for key, value, fault in attacks:
        publish_records(broker.bootstrap, "DE", [(key, value)])
        assert names(running) == {"DE": "A"}
        assert fault in _faults(running)
        assert running.trusted_keys["DE"].state == "DE"
    assert running.unreadable["FR"] == "NOT_PINNED"
    assert "DE" not in running.unreadable
    assert names(open_reader(broker, de)) == {"DE": "A"}  # a new reader as well
    writer = de.open_writer(broker)
    assert writer.renew() is RenewalResult.RENEWED  # at once: DE's gate puts right what others have written
    assert writer.statement is not None
    assert writer.statement.content.announcement == genuine.content.announcement
    for reader in (running, open_reader(broker, de)):
        assert names(reader) == {"DE": "A"}
        assert dict(reader.unconfirmed) == {}


def statement_record(unframed: bytes) -> bytes:
    return get_codec("directory_statement").header + unframed


def _faults(reader: DirectoryReader) -> set[str]:
    trusted = reader._view._trusted
    chain = None if trusted is None else trusted._chains.get("DE")
    return set() if chain is None else {str(error.fault) for error in chain._faults.values()}


def read_topic(broker: Broker, state: str) -> list[tuple[str, bytes | None]]:
    records = read_records(broker, DIRECTORY.topic(state), 1)
    return [((message.key() or b"").decode(), message.value()) for message in records]


def test_a_removal_stays_whatever_is_replayed(broker: Broker, de: KeyedState, open_reader: OpenReader) -> None:
    writer = de.open_writer(broker)
    writer.announce(make_signed_entry("DE"))
    reader = open_reader(broker, de)
    assert names(reader) == {"DE": "A"}
    announced = dict(read_topic(broker, "DE"))["DE"]
    writer.announce(None)
    assert names(reader) == {}
    assert dict(reader.unreadable) == {}
    write_to_directory(broker, "DE", announced)
    assert names(reader) == {}
    assert dict(reader.unconfirmed) == {"DE": "ROLLED_BACK"}
    later = read_now() + 2 * HOUR
    gate = de.open_writer(broker, lambda: later)
    assert gate.renew() is RenewalResult.RENEWED
    assert gate.statement is not None
    assert gate.statement.content.entry is None  # the removal was renewed, and nothing announced


def test_a_frozen_entry_ends_and_a_topic_made_again_brings_nothing_back(
    broker: Broker, de: KeyedState, open_reader: OpenReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = read_now()
    writer = de.open_writer(broker)
    writer.announce(make_signed_entry("DE", "old"))
    old = dict(read_topic(broker, "DE"))["DE"]
    writer.announce(make_signed_entry("DE", "new"))
    reader = open_reader(broker, de, clock=lambda: now)
    assert names(reader) == {"DE": "new"}
    reader._logs["DE"].topic_id = "another"  # as after the topic was deleted and created again
    reader._next_check_at = 0.0
    write_to_directory(broker, "DE", old)
    assert names(reader) == {"DE": "new"}
    assert dict(reader.unconfirmed) == {"DE": "ROLLED_BACK"}
    now += 25 * HOUR
    assert names(reader) == {}
    assert dict(reader.unreadable) == {"DE": "EXPIRED"}
    assert dict(reader.trusted_keys) == {}


def test_a_revoked_key_stops_within_one_poll(broker: Broker, de: KeyedState, open_reader: OpenReader) -> None:
    writer = de.open_writer(broker)
    writer.announce(make_signed_entry("DE"))
    reader = open_reader(broker, de)
    reader.read_to_end()
    now = read_now()
    seal = reader.trusted_keys["DE"].statement.find_usable_key(KeyRole.SEAL, now)
    assert seal is not None
    de.revoke(KeyRole.SEAL, now=now)
    assert writer.renew() is RenewalResult.RENEWED  # at once, because the key statement is newer
    reader.read_to_end()
    assert reader.trusted_keys["DE"].statement.is_revoked(seal.key_id, read_now())
    assert dict(reader.unconfirmed) == {"DE": "NO_SEAL_KEY"}
    de.revoke(KeyRole.DIRECTORY, now=read_now())
    assert writer.renew() is RenewalResult.NOTHING  # a thief may have signed it: a person announces again
    with pytest.raises(InputError, match="no directory key is in force"):
        writer.announce(make_signed_entry("DE"))


def test_of_two_writers_that_race_the_first_counts_and_the_other_announces_again(
    broker: Broker, de: KeyedState, open_reader: OpenReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = de.open_writer(broker), de.open_writer(broker)
    first.announce(make_signed_entry("DE", "before"))
    publish = publish_records
    raced: list[bool] = []

    def publish_late(*arguments: object, **options: object) -> None:
        if not raced:
            raced.append(True)
            first.announce(make_signed_entry("DE", "first"))
        publish(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(directory_writer, "publish_records", publish_late)
        statement = second.announce(make_signed_entry("DE", "second"))
    numbers = [
        decode_statement(value).content.announcement
        for key, value in read_topic(broker, "DE")
        if key == "DE" and value is not None
    ]
    assert numbers[2] <= numbers[1] < numbers[3]
    assert statement.content.announcement == numbers[3]
    assert names(open_reader(broker, de)) == {"DE": "second"}


def test_a_renewal_loses_against_an_announcement(
    broker: Broker, de: KeyedState, open_reader: OpenReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = de.open_writer(broker)
    officer.announce(make_signed_entry("DE"))
    gate: DirectoryWriter = de.open_writer(broker, lambda: read_now() + 2 * 60_000)
    monkeypatch.setattr(directory_writer, "RENEWAL_MS", 60_000)
    publish = publish_records
    raced: list[bool] = []

    def publish_late(*arguments: object, **options: object) -> None:
        if not raced:
            raced.append(True)
            officer.announce(None)
        publish(*arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(directory_writer, "publish_records", publish_late)
        assert gate.renew() is RenewalResult.OVERTAKEN
    assert names(open_reader(broker, de)) == {}
    assert gate.renew() is RenewalResult.RENEWED  # so that the newest record is the removal again
    assert gate.renew() is RenewalResult.NOT_DUE
    reader = open_reader(broker, de)
    assert names(reader) == {}
    assert dict(reader.unconfirmed) == {}


def test_nothing_is_renewed_that_was_not_announced_or_has_expired(broker: Broker, de: KeyedState) -> None:
    gate = de.open_writer(broker)
    assert gate.renew() is RenewalResult.NOTHING
    assert [key for key, _ in read_topic(broker, "DE")] == ["root.1", "keys"]
    assert gate.renew() is RenewalResult.NOTHING
    assert len(read_topic(broker, "DE")) == 2  # nothing is published twice
    de.open_writer(broker).announce(make_signed_entry("DE"))
    assert gate.renew() is RenewalResult.NOT_DUE
    late = de.open_writer(broker, lambda: read_now() + 25 * HOUR)
    assert late.renew() is RenewalResult.NOTHING


def test_with_an_older_copy_of_the_key_folder_nothing_is_written_that_others_refuse(
    broker: Broker, de: KeyedState, tmp_path: Path
) -> None:
    """A folder was put back from a copy that was made before a revocation."""
    de.open_writer(broker).announce(make_signed_entry("DE"))
    shutil.copytree(de.folder.path, tmp_path / "copy")
    de.revoke(KeyRole.DIRECTORY, now=read_now())
    de.issue(KeyRole.DIRECTORY, now=read_now())
    newest = de.open_writer(broker)
    newest.announce(make_signed_entry("DE", "B"))
    assert newest.older_folder is None
    shutil.rmtree(de.folder.path)
    shutil.copytree(tmp_path / "copy", de.folder.path)
    written = read_topic(broker, "DE")
    with pytest.raises(InputError, match="has key statement 1, and the directory has 3: an older copy of the folder"):
        de.open_writer(broker).announce(make_signed_entry("DE", "C"))
    late = de.open_writer(broker, lambda: read_now() + 2 * HOUR)
    with pytest.raises(InputError, match="an older copy of the folder was put back"):
        late.renew()
    assert read_topic(broker, "DE") == written


def test_a_reader_without_pins_reads_signed_entries_too(broker: Broker, de: KeyedState) -> None:
    de.open_writer(broker).announce(make_signed_entry("DE"))
    reader = DirectoryReader(broker.bootstrap, change_interval_s=0.0)
    try:
        assert names(reader) == {"DE": "A"}
        assert (dict(reader.trusted_keys), reader.ignored_count) == ({}, 0)
    finally:
        reader.close()
