"""The desk's records on brokers: what was confirmed is there, the second of two writers is told, all is sealed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretBytes

from sharing.console.connection import ConsoleConnection
from sharing.desk.store.desk_record import DeskRecord, HiddenVersionError, RecordConflictError
from sharing.desk.store.desk_store import DeskStore
from sharing.desk.store.record_writer import RecordWriter, UnknownOutcomeError
from sharing.errors import InfrastructureError, InputError, SettingsError
from sharing.model.vocabulary import DeskKind
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.topics import DESK
from tests.desk.store.store_fixtures import KEY_ID, KEYS, OLD_KEY_ID, FixedKeys, open_store
from tests.kafka.compressed_batches import damage_batch
from tests.kafka.topic_io import read_records, write_records
from tests.support.waiting import TIMEOUT_S, wait_until

UNSENT, PROFILE = DeskKind.UNSENT, DeskKind.PROFILE
SECRET = {"value": "079 000 00 00", "summary": "canary"}


@pytest.fixture
def open_desk(broker: Broker, state: str) -> Iterator[Callable[..., DeskStore]]:
    """Open stores of one State, and close them in the end."""
    broker.create_topics([DESK.topic(state)], 1)
    opened: list[DeskStore] = []

    def open_one(keys: FixedKeys | None = KEYS) -> DeskStore:
        opened.append(open_store(broker, state, keys))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def see(store: DeskStore, id: str, version: int) -> DeskRecord:  # noqa: A002
    """Wait until another desk has this version of a record."""

    def is_there() -> bool:
        found = store.get(UNSENT, id)
        return found is not None and found.version == version

    wait_until(is_there, "the version is there")
    found = store.get(UNSENT, id)
    assert found is not None
    return found


def test_what_was_confirmed_is_there_for_every_desk_and_after_a_restart(
    broker: Broker, state: str, open_desk: Callable[..., DeskStore]
) -> None:
    one, other = open_desk(), open_desk()
    first = one.put(UNSENT, "i-1", "o1", SECRET)
    assert one.get(UNSENT, "i-1") == first
    assert see(other, "i-1", 1) == first
    second = other.put(UNSENT, "i-1", "o2", {"value": "2"}, replaces=1)
    one.put(PROFILE, "p-1", "o1", {"name": "phones"})
    assert (second.version, second.officer) == (2, "o2")
    assert one.list(UNSENT) == [second]
    assert [each.id for each in one.list(PROFILE, "o1")] == ["p-1"]
    assert one.list(PROFILE, "o2") == []
    one.delete(UNSENT, "i-1", replaces=2)
    assert one.get(UNSENT, "i-1") is None
    again = open_desk()
    assert (again.get(UNSENT, "i-1"), [each.id for each in again.list(PROFILE)]) == (None, ["p-1"])
    assert again.put(UNSENT, "i-1", "o1", {"new": 1}).version == 1
    for message in read_records(broker, DESK.topic(state), 1):
        for written in (message.key(), message.value()):
            assert b"079" not in (written or b"")
            assert b"canary" not in (written or b"")


@pytest.mark.parametrize("is_written", [True, False])
def test_a_commit_of_unknown_outcome_is_looked_up_in_the_topic(
    open_desk: Callable[..., DeskStore], monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    one, other = open_desk(), open_desk()
    write = RecordWriter.write
    failures: list[int] = []

    def fail(writer: RecordWriter, key: str, value: bytes | None) -> int:
        if failures:
            failures.pop()
            if is_written:
                write(writer, key, value)
            writer.release()
            raise UnknownOutcomeError
        return write(writer, key, value)

    monkeypatch.setattr(RecordWriter, "write", fail)
    failures.append(1)
    first = one.put(UNSENT, "i-1", "o1", {"n": 1})
    assert see(other, "i-1", 1) == first
    failures.append(1)
    second = other.put(UNSENT, "i-1", "o2", {"n": 2}, replaces=1)
    assert see(one, "i-1", 2) == second
    failures.append(1)
    one.delete(UNSENT, "i-1", replaces=2)
    assert one.get(UNSENT, "i-1") is None
    wait_until(lambda: other.get(UNSENT, "i-1") is None, "the other desk sees that it is deleted")
    assert other.put(UNSENT, "i-1", "o2", {"n": 3}).version == 1


def test_what_never_has_a_known_outcome_is_an_error(
    open_desk: Callable[..., DeskStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_desk()

    def fail(writer: RecordWriter, key: str, value: bytes | None) -> int:
        writer.release()
        raise UnknownOutcomeError

    monkeypatch.setattr(RecordWriter, "write", fail)
    with pytest.raises(InfrastructureError, match="the broker does not confirm what is written"):
        store.put(UNSENT, "i-1", "o1", {"n": 1})


def test_the_second_of_two_who_change_a_record_is_told(open_desk: Callable[..., DeskStore]) -> None:
    one, other = open_desk(), open_desk()
    one.put(UNSENT, "i-1", "o1", {"n": 1})
    see(other, "i-1", 1)
    one.put(UNSENT, "i-1", "o1", {"n": 2}, replaces=1)
    with pytest.raises(RecordConflictError, match="somebody else has changed it") as refused:
        other.put(UNSENT, "i-1", "o2", {"n": 3}, replaces=1)
    assert refused.value.current is not None
    assert refused.value.current.content == {"n": 2}
    with pytest.raises(RecordConflictError):
        other.delete(UNSENT, "i-1", replaces=1)
    with pytest.raises(RecordConflictError):
        one.put(UNSENT, "i-1", "o1", {"n": 4})
    one.delete(UNSENT, "i-1", replaces=2)
    with pytest.raises(RecordConflictError, match="was deleted meanwhile"):
        one.put(UNSENT, "i-1", "o1", {"n": 5}, replaces=2)
    assert one.get(UNSENT, "i-1") is None


def test_of_many_writers_at_once_one_counts_for_each_version(open_desk: Callable[..., DeskStore]) -> None:
    desks = [open_desk(), open_desk()]
    told: list[str] = []
    accepted: list[tuple[int, str]] = []

    def change(store: DeskStore, name: str) -> None:
        for number in range(6):
            current = store.get(UNSENT, "i-1")
            try:
                made = store.put(
                    UNSENT, "i-1", name, {"by": name, "n": number}, replaces=0 if current is None else current.version
                )
                accepted.append((made.version, name))
            except RecordConflictError:
                told.append(name)

    threads = [threading.Thread(target=change, args=(desk, f"{index}")) for index, desk in enumerate(desks * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = [version for version, _ in sorted(accepted)]
    assert versions == list(range(1, len(versions) + 1))
    assert len(accepted) + len(told) == 24
    newest = see(desks[0], "i-1", versions[-1])
    assert see(desks[1], "i-1", versions[-1]) == newest
    assert newest.officer == dict(accepted)[newest.version]


@pytest.mark.kafka
def test_on_kafka_nothing_that_came_second_is_on_the_topic_where_compaction_would_keep_it(
    kafka: KafkaBroker, state: str
) -> None:
    kafka.create_topics([DESK.topic(state)], 1)
    one, other = open_store(kafka, state), open_store(kafka, state)
    try:
        stale = [one, other] * 3
        for version, desk in enumerate(stale):
            desk.put(UNSENT, "i-1", "o1", {"n": version}, replaces=version)
            with pytest.raises(RecordConflictError):
                stale[version - 1].put(UNSENT, "i-1", "o2", {"late": 1}, replaces=version)
    finally:
        one.close()
        other.close()
    assert len(read_records(kafka, DESK.topic(state), 1)) == len(stale)


@pytest.mark.kafka
def test_what_a_damaged_batch_may_have_replaced_does_not_change_until_it_is_given_up(
    kafka: KafkaBroker, state: str
) -> None:
    topic = DESK.topic(state)
    kafka.create_topics([topic], 1)
    # In clear, because what is sealed cannot be compressed, and only a compressed batch can be damaged.
    opened = [open_store(kafka, state, None, {"compression.type": "gzip"})]
    try:
        for id in ("i-1", "i-2"):  # noqa: A001
            opened[0].put(UNSENT, id, "o1", {"n": 1})
        opened[0].put(UNSENT, "i-1", "o1", {"text": "newer " * 500}, replaces=1)
        later = opened[0].put(UNSENT, "i-2", "o1", {"n": 2}, replaces=1)
        opened.pop().close()
        damage_batch(kafka, topic, 4)  # offsets: each transaction has a record and a marker
        opened.append(store := open_store(kafka, state, None))
        old = store.get(UNSENT, "i-1")
        assert old is not None
        assert (old.version, old.content, old.is_newest) == (1, {"n": 1}, False)
        assert {each.id: each.is_newest for each in store.list(UNSENT)} == {"i-1": False, "i-2": True}
        assert [each.offset for each in store.list_unopened()] == [4]
        writes: list[Callable[[], object]] = [
            lambda: store.put(UNSENT, "i-1", "o1", {"n": 3}, replaces=1),
            lambda: store.delete(UNSENT, "i-1", replaces=1),
            lambda: store.put(UNSENT, "i-3", "o1", {"n": 3}),  # it may be in the batch
            lambda: store.require_newest(UNSENT, "i-1"),
        ]
        for write in writes:
            with pytest.raises(HiddenVersionError, match=f"before offset 5 of {topic} .*SHARING_DESK_LOST_BEFORE=5"):
                write()
        assert store.get(UNSENT, "i-2") == later
        store.put(UNSENT, "i-2", "o1", {"n": 3}, replaces=2)
        store.put(UNSENT, "i-4", "o1", {"n": 1}, is_new_id=True)
        opened.append(restarted := open_store(kafka, state, None, lost_before=5))
        assert [each.offset for each in restarted.list_unopened()] == [4]
        restarted.put(UNSENT, "i-1", "o1", {"n": 3}, replaces=1)
        assert see(store, "i-1", 2).is_newest
        store.put(UNSENT, "i-1", "o1", {"n": 4}, replaces=2)
    finally:
        for each in opened:
            each.close()


def test_a_record_that_does_not_open_is_listed_and_stops_nothing(
    broker: Broker, state: str, open_desk: Callable[..., DeskStore]
) -> None:
    old = open_desk(FixedKeys({OLD_KEY_ID: SecretBytes(bytes(32))}))
    old.put(UNSENT, "lost", "o1", SECRET)
    old.put(UNSENT, "hidden", "o1", SECRET)
    topic = DESK.topic(state)
    for key in (b"UNSENT:garbage", b"\xff", b""):
        write_records(broker, topic, [b"\x00\x01"], key=key)
    store = open_desk()
    good = store.put(UNSENT, "good", "o1", SECRET)
    assert store.list(UNSENT) == [good]
    reasons = {unopened.key: unopened.reason for unopened in store.list_unopened()}
    assert {"UNSENT:lost", "UNSENT:hidden", "UNSENT:garbage"} < reasons.keys()
    assert "not in the key folder" in reasons["UNSENT:lost"]
    assert not any("079" in reason for reason in reasons.values())
    with pytest.raises(RecordConflictError):  # it would be replaced unread
        store.put(UNSENT, "hidden", "o1", {})
    store.delete(UNSENT, "hidden", replaces=0)
    assert "UNSENT:hidden" not in {unopened.key for unopened in store.list_unopened()}
    store.put(UNSENT, "hidden", "o1", {})
    rotated = open_desk(FixedKeys({KEY_ID: KEYS.keys[KEY_ID], OLD_KEY_ID: SecretBytes(bytes(32))}))
    assert {each.id for each in rotated.list(UNSENT)} == {"good", "hidden", "lost"}


def test_without_keys_records_are_in_clear_and_with_keys_none_of_those_is_believed(
    open_desk: Callable[..., DeskStore],
) -> None:
    plain = open_desk(None)
    assert plain.put(UNSENT, "i-1", "o1", {"n": 1}).content == {"n": 1}
    sealed = open_desk()
    assert sealed.list(UNSENT) == []
    assert "UNSENT:i-1" in {unopened.key for unopened in sealed.list_unopened()}


def test_a_state_that_seals_keeps_and_opens_nothing_without_its_wrapping_key(
    embedded: EmbeddedBroker, state: str, tmp_path: Path
) -> None:
    embedded.create_topics([DESK.topic(state)], 1)
    plain, sealed = open_store(embedded, state, None), open_store(embedded, state)
    store = open_store(embedded, state, None, settings=Settings(trust_file=tmp_path / "pins.yaml"))
    try:
        plain.put(UNSENT, "plain", "o1", {})
        sealed.put(UNSENT, "sealed", "o1", {})
        with pytest.raises(SettingsError, match="SHARING_KEY_FOLDER"):
            store.put(UNSENT, "i-1", "o1", SECRET)
        wait_until(lambda: len(store.list_unopened()) == 2, "both are seen")
        assert store.list(UNSENT) == []
    finally:
        for each in (plain, sealed, store):
            each.close()
    assert len(read_records(embedded, DESK.topic(state), 1)) == 2


def test_what_is_wrong_is_refused_before_anything_is_written(open_desk: Callable[..., DeskStore]) -> None:
    store = open_desk()
    for bad in ("", "a/b", "a:b", "ä", "x" * 129, "a\n"):
        with pytest.raises(InputError, match="the id of a record"):
            store.put(UNSENT, bad, "o1", {})
    with pytest.raises(InputError, match="shorten its texts"):
        store.put(UNSENT, "i-1", "o1", {"text": "x" * 200_000})
    assert store.list(UNSENT) == []


def test_while_the_broker_is_away_reading_goes_on_and_writing_says_so(
    state: str, monkeypatch: pytest.MonkeyPatch, short_connect_timeout: None
) -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics([DESK.topic(state)], 1)
        store = open_store(broker, state)
        kept = store.put(UNSENT, "i-1", "o1", {"n": 1})
    monkeypatch.setattr("sharing.desk.store.record_writer.WRITE_SECONDS_MAX", 2.0)
    try:
        for _ in range(2):
            with pytest.raises(InfrastructureError):
                store.put(UNSENT, "i-1", "o1", {"n": 2}, replaces=1)
        assert store.get(UNSENT, "i-1") == kept
    finally:
        store.close()


def test_a_topic_that_does_not_exist_is_named_until_it_is_there(embedded: EmbeddedBroker, state: str) -> None:
    news = threading.Event()
    console = ConsoleConnection(Settings(), state, embedded.bootstrap, {}, SINGLE_OBJECT_FRAMING)
    store = DeskStore(console, KEYS, lambda: 0, news.set)
    with pytest.raises(InfrastructureError, match="has just started"):
        store.list(UNSENT)
    store.start()
    try:

        def names_the_remedy() -> bool:
            with pytest.raises(InfrastructureError) as refused:
                store.list(UNSENT)
            return "sharing topics apply" in str(refused.value)

        wait_until(names_the_remedy, "the fault is known")
        embedded.create_topics([DESK.topic(state)], 1)
        assert store.wait_until_read(TIMEOUT_S)
        assert store.list(UNSENT) == []
        assert news.wait(TIMEOUT_S), "pages learn that it is known now"
    finally:
        store.close()


@pytest.mark.kafka
def test_the_console_certificate_suffices_and_no_other_reads_or_writes(secure_kafka: SecureKafka) -> None:
    broker = secure_kafka.broker
    store = open_store(broker, "CH", properties=broker.client_properties("console.ch"))
    try:
        made = store.put(UNSENT, "acl", "o1", SECRET)
        assert store.get(UNSENT, "acl") == made
        store.delete(UNSENT, "acl", replaces=1)
    finally:
        store.close()
    for name in ("console.de", "gate.ch", "agency.ch.fedpol", "partner.ch"):
        with pytest.raises((InfrastructureError, AssertionError)):
            write_as(secure_kafka, name)


def write_as(secure_kafka: SecureKafka, name: str) -> None:
    """Write to the topic of CH with another certificate."""
    writer = RecordWriter(secure_kafka.broker.bootstrap, "CH", secure_kafka.broker.client_properties(name))
    writer.take()
    writer.write("UNSENT:x", b"x")
