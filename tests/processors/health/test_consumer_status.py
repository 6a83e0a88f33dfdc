"""The status of a consumer, from librdkafka's statistics: lag, assignment and broker connection."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from prometheus_client import generate_latest

from processors.gate.gate import BatchResult
from processors.health import consumer_status
from processors.health.consumer_status import RESPONSE_AGE_S_MAX, ConsumerStatus
from processors.health.drained_topics import QUIET_S
from sharing.telemetry.metrics import REGISTRY
from tests.processors.gate.gate_fixtures import TOPIC
from tests.processors.health.health_fixtures import (
    FakeMonotonic,
    get_sample,
    make_assignment,
    make_batch,
    make_observer,
    make_statistics,
)


def get_lag() -> float:
    return get_sample("sharing_consumer_lag_records", topic=TOPIC, partition="0")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeMonotonic:
    """The monotonic time that the module sees."""
    clock = FakeMonotonic()
    monkeypatch.setattr(consumer_status, "time", clock)
    return clock


def test_lag_counts_uncommitted_records() -> None:
    status = ConsumerStatus()
    observer = make_observer(status)
    status.update(make_statistics(app_offset=-1001, next_offset=10))
    assert get_lag() == 0  # before the first record, only the offset to read from is known
    status.update(make_statistics())
    assert get_lag() == 6
    observer.start_batch(make_batch(3), BatchResult())(True)
    observer.start_batch(make_batch(4), BatchResult())
    status.update(make_statistics())
    assert get_lag() == 7  # the record at offset 3 was read, and is not committed
    status.update(make_statistics(end=-1))  # its broker is unreachable
    assert get_lag() == 7


def test_lag_counts_the_records_behind_an_open_transaction() -> None:
    status = ConsumerStatus()
    make_observer(status).start_batch(make_batch(4), BatchResult())(True)
    status.update(make_statistics(end=10, last_stable_offset=4))
    assert get_lag() == 6


def test_markers_and_aborted_records_are_no_lag() -> None:
    """After a transaction of an agency, the last offsets of a partition hold no record to commit."""
    status = ConsumerStatus()
    make_observer(status).start_batch(make_batch(4), BatchResult())(True)
    status.update(make_statistics(end=10, app_offset=10))
    assert get_lag() == 0


def test_the_distance_from_the_last_stable_offset_to_the_end_is_published(clock: FakeMonotonic) -> None:
    def get_hidden() -> tuple[float, float]:
        labels = {"topic": TOPIC, "partition": "0"}
        return get_sample("sharing_consumer_hidden_records", **labels), get_sample(
            "sharing_consumer_hidden_seconds", **labels
        )

    status = ConsumerStatus()
    status.update(make_statistics(end=10, last_stable_offset=4))
    assert get_hidden() == (6, 0)
    clock.passed = 40
    status.update(make_statistics(end=12, last_stable_offset=4))
    assert get_hidden() == (8, 40)
    clock.passed = 41
    status.update(make_statistics(end=-1, last_stable_offset=-1))  # its broker is unreachable
    assert get_hidden() == (8, 41)
    status.update(make_statistics(end=13, last_stable_offset=5))  # that transaction has ended, the next one is open
    assert get_hidden() == (8, 0)
    clock.passed = 60
    status.update(make_statistics(end=13, last_stable_offset=13))
    assert get_hidden() == (0, 0)
    assert status.find_hidden_longest() is None


def test_a_record_is_not_older_than_the_end_that_its_partition_had(clock: FakeMonotonic) -> None:
    key, status = (TOPIC, 0), ConsumerStatus()
    assert status.get_record_age_max(key, 10) is None
    status.update(make_statistics(end=10))
    clock.passed = 60
    assert status.get_record_age_max(key, 9) is None  # it was there before
    assert status.get_record_age_max(key, 10) == 60 + consumer_status._AGE_SLACK_S
    status.update(make_statistics(end=20, age_s=30))  # these statistics had to wait for the thread
    status.update(make_statistics(end=20, queued=5))  # fetching may be paused
    status.update(make_statistics(end=20, broker_state="DOWN"))
    assert status.get_record_age_max(key, 10) == 60 + consumer_status._AGE_SLACK_S
    status.update(make_statistics(end=20))
    assert status.get_record_age_max(key, 19) is None
    assert status.get_record_age_max(key, 20) == consumer_status._AGE_SLACK_S


def test_an_optional_topic_that_is_drained_is_logged_once(
    clock: FakeMonotonic, caplog: pytest.LogCaptureFixture
) -> None:
    def pass_time(seconds: float, *, end: int, app_offset: int) -> int:
        clock.passed += seconds
        status.update(make_statistics(end=end, app_offset=app_offset))
        return caplog.text.count("is drained")

    caplog.set_level("INFO")
    status = ConsumerStatus(optional_topics=[TOPIC])
    observer = make_observer(status)
    assert pass_time(0, end=5, app_offset=5) == 0
    settle = observer.start_batch(make_batch(5), BatchResult())
    assert pass_time(QUIET_S, end=5, app_offset=5) == 0  # read, and not committed yet
    settle(True)
    assert pass_time(1, end=5, app_offset=5) == 0  # a moment ago
    assert pass_time(QUIET_S, end=5, app_offset=5) == 1
    assert pass_time(QUIET_S, end=5, app_offset=5) == 1
    assert f"{TOPIC} is drained: all of partitions 0 is processed" in caplog.text
    assert pass_time(1, end=8, app_offset=5) == 1  # a publisher was forgotten
    assert pass_time(QUIET_S, end=8, app_offset=5) == 1
    observer.start_batch(make_batch(8), BatchResult())(True)
    assert pass_time(1, end=8, app_offset=8) == 1
    assert pass_time(QUIET_S, end=-1, app_offset=8) == 1  # its broker is unreachable
    assert pass_time(1, end=8, app_offset=8) == 1
    assert pass_time(QUIET_S, end=8, app_offset=8) == 2
    ordinary = ConsumerStatus()
    for _ in range(3):
        clock.passed += QUIET_S
        ordinary.update(make_statistics(end=8, app_offset=8))
    assert caplog.text.count("is drained") == 2


def test_a_revoked_partition_has_no_lag() -> None:
    status = ConsumerStatus()
    status.update(make_statistics(last_stable_offset=4))
    status.update(json.dumps({"time": 0, "brokers": {}, "cgrp": {"join_state": "steady"}, "topics": {}}))
    assert f'topic="{TOPIC}"' not in generate_latest(REGISTRY).decode()
    assert status.find_hidden_longest() is None
    assert status.assigned == frozenset()  # a standby
    assert get_sample("sharing_partitions_assigned") == 0


def test_a_group_that_has_not_stabilised_assigns_nothing() -> None:
    status = ConsumerStatus()
    assert status.assigned is None
    status.update(make_statistics(join_state="wait-join"))
    assert status.assigned is None
    status.update(make_statistics())
    assert status.assigned == {(TOPIC, 0)}


def test_topics_of_which_other_partitions_are_assigned_are_found() -> None:
    status, topics = ConsumerStatus(), ("a", "b")
    assert status.find_uneven_topics(topics) == {}
    status.update(make_assignment(("a", 0), ("a", 2), ("b", 2), ("b", 0)))
    assert status.find_uneven_topics(topics) == {}
    status.update(make_assignment(("a", 0), ("a", 2), ("b", 0)))
    assert status.find_uneven_topics(topics) == {"a": [0, 2], "b": [0]}
    status.update(make_assignment(("a", 0)))
    assert status.find_uneven_topics(topics) == {"a": [0], "b": []}
    assert status.find_uneven_topics(["a"]) == {}


def test_a_broker_is_reachable_while_it_is_connected_and_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    status = ConsumerStatus()
    assert not status.is_broker_reachable()
    status.update(make_statistics())
    assert status.is_broker_reachable()
    assert status.last_response is not None
    late = status.last_response + RESPONSE_AGE_S_MAX + 1
    monkeypatch.setattr("processors.health.consumer_status.time", SimpleNamespace(monotonic=lambda: late))
    assert not status.is_broker_reachable()
    monkeypatch.undo()
    status.update(make_statistics(broker_state="INIT"))
    assert not status.is_broker_reachable()


def test_an_answer_to_another_client_counts_while_the_statistics_stand_still(clock: FakeMonotonic) -> None:
    """As while a worker restores its state, also before the first statistics."""
    status = ConsumerStatus()
    assert status.is_broker_reachable(clock.monotonic())
    status.update(make_statistics())
    clock.passed = RESPONSE_AGE_S_MAX + 1
    assert not status.is_broker_reachable()
    answered_at = clock.monotonic()
    assert status.is_broker_reachable(answered_at)
    assert status.find_last_response(answered_at) == answered_at
    clock.passed *= 2
    assert not status.is_broker_reachable(answered_at), "nothing has answered since"
    answered_at = clock.monotonic()
    clock.passed += 1
    status.update(make_statistics(broker_state="DOWN"))
    assert not status.is_broker_reachable(answered_at), "the statistics are newer"
