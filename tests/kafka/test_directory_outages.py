"""The directory reader while topics or brokers cannot be read: what stays, for how long, and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from sharing.errors import InfrastructureError
from sharing.kafka import directory_cluster, directory_reader
from sharing.kafka.directory_cluster import ClusterState
from sharing.kafka.directory_logs import COPY_AGE_SECONDS_MAX, RETRY_SECONDS, STALL_SECONDS_MAX
from sharing.kafka.directory_reader import CHECK_SECONDS, DirectoryReader
from sharing.kafka.directory_topic import announce_entry
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import NOTICES
from tests.kafka.conftest import OpenReader
from tests.kafka.directory_fixtures import STATES, create_directory, make_entry
from tests.kafka.topic_io import SECONDS


class Clock:
    """A clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        monkeypatch.setattr(directory_reader, "read_uptime", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def announced() -> Iterator[EmbeddedBroker]:
    """A broker on which three States have announced their entries."""
    with EmbeddedBroker() as broker:
        create_directory(broker, STATES)
        for state in STATES:
            announce_entry(broker.bootstrap, make_entry(state))
        yield broker


def poll_until(reader: DirectoryReader, condition: Callable[[], bool]) -> None:
    """Poll until a condition holds; the clock of the test stands still."""
    for _ in range(int(SECONDS / 0.1)):
        reader.poll_updates(0.1)
        if condition():
            return
    pytest.fail("not reached")


def pass_time(reader: DirectoryReader, clock: Clock, seconds: float) -> None:
    """Let time pass for a reader that checks the cluster all the while."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += CHECK_SECONDS
        reader.poll_updates(0.01)


def hide_end_of(monkeypatch: pytest.MonkeyPatch, state: str, *, is_hidden: Callable[[], bool]) -> None:
    """Make a State's topic end later than it does, so that its end is never reached; others are not changed."""
    query_cluster = vars(directory_reader)["query_cluster"]  # may be changed for another State already

    def query_changed(*arguments: Any) -> ClusterState:
        cluster = query_cluster(*arguments)
        ends = {**cluster.ends, state: 1_000} if is_hidden() else cluster.ends
        return ClusterState(cluster.topic_ids, ends, cluster.receiving_states)

    monkeypatch.setattr(directory_reader, "query_cluster", query_changed)


def test_a_topic_that_cannot_be_read_to_its_end_is_given_up_and_tried_again(
    announced: EmbeddedBroker, open_reader: OpenReader, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_hidden = True
    hide_end_of(monkeypatch, "DE", is_hidden=lambda: is_hidden)
    reader = open_reader(announced)
    poll_until(reader, lambda: all(reader._logs[state].caught_up_at for state in ("CH", "FR")))
    assert reader.snapshot.entries == {}  # a gate does not start with a part of the directory
    pass_time(reader, clock, STALL_SECONDS_MAX + CHECK_SECONDS)
    assert set(reader.snapshot.entries) == {"CH", "FR"}
    assert dict(reader.unreadable) == {"DE": "NOT_READ_IN_TIME"}
    announce_entry(announced.bootstrap, make_entry("FR", authorities=[{"name": "B", "kind": "POLICE"}]))
    poll_until(reader, lambda: reader.snapshot.entries["FR"].authorities[0].name == "B")
    is_hidden = False
    pass_time(reader, clock, RETRY_SECONDS / 2)
    assert "DE" not in reader.snapshot.entries  # not before the time
    pass_time(reader, clock, RETRY_SECONDS / 2)
    poll_until(reader, lambda: "DE" in reader.snapshot.entries)
    assert dict(reader.unreadable) == {}


def test_an_entry_that_cannot_be_refreshed_is_dropped(
    announced: EmbeddedBroker, open_reader: OpenReader, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_hidden = False
    hide_end_of(monkeypatch, "DE", is_hidden=lambda: is_hidden)
    reader = open_reader(announced)
    poll_until(reader, lambda: set(reader.snapshot.entries) == set(STATES))
    is_hidden = True
    for _ in range(int(STALL_SECONDS_MAX / CHECK_SECONDS) - 1):
        clock.now += CHECK_SECONDS
        reader.poll_updates(0.01)
        assert set(reader.snapshot.entries) == set(STATES)
        assert reader.age_s <= STALL_SECONDS_MAX  # a gate does not wait meanwhile
    pass_time(reader, clock, 3 * CHECK_SECONDS)
    assert set(reader.snapshot.entries) == {"CH", "FR"}


def test_when_no_topic_can_be_read_the_reader_fails(
    announced: EmbeddedBroker, open_reader: OpenReader, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for state in STATES:
        hide_end_of(monkeypatch, state, is_hidden=lambda: True)
    reader = open_reader(announced)
    reader.poll_updates(0.1)
    with pytest.raises(InfrastructureError, match="no topic of the directory can be read to its end within 30 s"):
        pass_time(reader, clock, STALL_SECONDS_MAX + 2 * CHECK_SECONDS)


def test_a_snapshot_ages_while_no_broker_answers_and_nothing_is_dropped(
    announced: EmbeddedBroker, open_reader: OpenReader, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = open_reader(announced)
    poll_until(reader, lambda: set(reader.snapshot.entries) == set(STATES))
    before = reader.snapshot

    def fail(*_: object) -> ClusterState:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    with monkeypatch.context() as patch:
        patch.setattr(directory_reader, "query_cluster", fail)
        for _ in range(10):
            clock.now += STALL_SECONDS_MAX
            assert reader.poll_updates(0.01) is before
    assert reader.age_s == 10 * STALL_SECONDS_MAX
    clock.now += CHECK_SECONDS
    poll_until(reader, lambda: reader.age_s == 0)
    assert reader.snapshot is before


def test_a_reader_that_was_cut_off_for_long_reads_everything_again(
    announced: EmbeddedBroker, open_reader: OpenReader, clock: Clock
) -> None:
    """A tombstone that it has not seen may be gone."""
    reader = open_reader(announced)
    poll_until(reader, lambda: set(reader.snapshot.entries) == set(STATES))
    opened_at = clock.now
    clock.now += COPY_AGE_SECONDS_MAX - 1
    poll_until(reader, lambda: reader.age_s == 0)
    assert {log.opened_at for log in reader._logs.values()} == {opened_at}
    clock.now += COPY_AGE_SECONDS_MAX + 1
    reader.poll_updates(0)
    assert {log.opened_at for log in reader._logs.values()} == {clock.now}
    poll_until(reader, lambda: reader.age_s == 0)
    assert set(reader.snapshot.entries) == set(STATES)


def test_a_topic_that_ends_before_the_position_is_read_again(
    announced: EmbeddedBroker, open_reader: OpenReader, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce_entry(announced.bootstrap, make_entry("DE"))
    reader = open_reader(announced)
    poll_until(reader, lambda: set(reader.snapshot.entries) == set(STATES))
    query_cluster = directory_cluster.query_cluster

    def query_cut(*arguments: Any) -> ClusterState:
        cluster = query_cluster(*arguments)
        return ClusterState(cluster.topic_ids, {**cluster.ends, "DE": 1}, cluster.receiving_states)

    clock.now += CHECK_SECONDS
    with monkeypatch.context() as patch:
        patch.setattr(directory_reader, "query_cluster", query_cut)
        reader.poll_updates(0)
    assert [state for state, log in reader._logs.items() if log.opened_at == clock.now] == ["DE"]


def test_changes_of_a_state_are_limited(announced: EmbeddedBroker, open_reader: OpenReader, clock: Clock) -> None:
    reader = open_reader(announced, change_interval_s=60.0)
    poll_until(reader, lambda: set(reader.snapshot.entries) == set(STATES))
    for number in range(3):
        announce_entry(announced.bootstrap, make_entry("DE", authorities=[{"name": f"DE {number}", "kind": "POLICE"}]))
        announce_entry(announced.bootstrap, make_entry("FR", authorities=[{"name": f"FR {number}", "kind": "POLICE"}]))
        clock.now += CHECK_SECONDS
        poll_until(reader, lambda: reader.age_s == 0)
    names = {entry.authorities[0].name for entry in reader.snapshot.entries.values()}
    assert names == {"A", "DE 0", "FR 0"}
    clock.now += 60
    poll_until(reader, lambda: reader.age_s == 0)
    assert {entry.authorities[0].name for entry in reader.snapshot.entries.values()} == {"A", "DE 2", "FR 2"}


def test_the_error_for_a_missing_directory_names_the_remedy(open_reader: OpenReader) -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics([NOTICES.topic("CH")], 1)
        for _ in range(2):  # looking it up does not create it
            with pytest.raises(InfrastructureError, match=r"directory\.<st>.*`sharing topics apply"):
                open_reader(broker).read_to_end()
            with pytest.raises(InfrastructureError, match=r"directory\.<st>.*`sharing topics apply"):
                open_reader(broker).poll_updates(0.1)


@pytest.mark.usefixtures("short_connect_timeout")
def test_without_a_broker_the_error_is_immediate() -> None:
    reader = DirectoryReader("127.0.0.1:1")
    with pytest.raises(InfrastructureError, match="no broker answers"):
        reader.read_to_end()
    reader.close()


class ErrorMessage:
    """A message that represents an error, as librdkafka returns it."""

    def __init__(self, code: int, topic: str | None) -> None:
        self._error = KafkaError(code)
        self._topic = topic

    def error(self) -> KafkaError:
        return self._error

    def topic(self) -> str | None:
        return self._topic


class ErrorConsumer:
    """A consumer that returns only one error."""

    def __init__(self, code: int, topic: str | None = None) -> None:
        self._message = ErrorMessage(code, topic)

    def poll(self, _: float) -> ErrorMessage:
        return self._message

    def consume(self, *_: object) -> list[ErrorMessage]:
        return []


def test_a_client_that_may_not_connect_fails_and_other_errors_do_not_matter(
    announced: EmbeddedBroker, open_reader: OpenReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = open_reader(announced)
    before = reader.read_to_end()
    with monkeypatch.context() as patch:
        patch.setattr(reader, "_consumer", ErrorConsumer(KafkaError._AUTHENTICATION))
        with pytest.raises(InfrastructureError, match="the directory cannot be read: _AUTHENTICATION"):
            reader.poll_updates(0.1)
        for code in (KafkaError._TRANSPORT, KafkaError.GROUP_AUTHORIZATION_FAILED):
            patch.setattr(reader, "_consumer", ErrorConsumer(code))
            assert reader.poll_updates(0.1) is before
        patch.setattr(reader, "_consumer", ErrorConsumer(KafkaError.TOPIC_AUTHORIZATION_FAILED, "directory.de"))
        assert reader.poll_updates(0.1) is before
    assert reader._logs["DE"].last_error == "TOPIC_AUTHORIZATION_FAILED"
