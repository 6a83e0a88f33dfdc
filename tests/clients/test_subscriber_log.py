"""The log that a subscriber reads is not the one that it knew: recreated, cut, cleaned, or with an unreadable batch."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from prometheus_client import CollectorRegistry

from sharing.clients.notice_intake import UnreadableNotice
from sharing.clients.subscriber import Subscriber
from sharing.errors import InfrastructureError, InputError
from sharing.kafka import group_consumer
from sharing.kafka.clients import client_properties, make_admin, make_consumer
from sharing.kafka.group_consumer import GroupConsumer
from sharing.kafka.polled_record import PolledRecord
from sharing.kafka.topic_ids import format_offset_metadata, query_topic_ids
from sharing.model.times import HOUR_MS
from sharing.telemetry.client_metrics import SubscriberMetrics
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import NOTICES, URGENT
from tests.kafka.compressed_batches import write_bomb
from tests.kafka.topic_io import SECONDS, committed_offset, make_topics, notice_bytes, plain_producer, write_records
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka


def read_values(kafka: KafkaBroker, state: str) -> list[str]:
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        return [notice.content["value"] for notice in subscriber]


def write_notices(kafka: KafkaBroker, state: str, *values: str) -> None:
    write_records(kafka, NOTICES.topic(state), [notice_bytes(state, value) for value in values])


def group_of(state: str) -> str:
    return f"exchange.{state.lower()}.subscriber"


def recreate_topic(kafka: KafkaBroker, topic: str) -> str:
    """Delete and create a topic. Return the id that it had before."""
    admin = make_admin(kafka.bootstrap)
    before = query_topic_ids(admin, [topic], SECONDS)
    admin.delete_topics([topic])[topic].result(SECONDS)
    wait_until(lambda: not query_topic_ids(admin, [topic], SECONDS), "the topic is deleted", SECONDS)
    kafka.create_topics([topic], 2)
    assert query_topic_ids(admin, [topic], SECONDS) != before
    return before[topic]


def commit_offset(kafka: KafkaBroker, state: str, offset: int, topic_id: str) -> None:
    consumer = make_consumer(client_properties(kafka.bootstrap, {"group.id": group_of(state)}))
    position = TopicPartition(NOTICES.topic(state), 0, offset, metadata=topic_id)
    consumer.commit(offsets=[position], asynchronous=False)
    consumer.close()


def read_committed_metadata(kafka: KafkaBroker, state: str) -> str | None:
    consumer = make_consumer(client_properties(kafka.bootstrap, {"group.id": group_of(state)}))
    (position,) = consumer.committed([TopicPartition(NOTICES.topic(state), 0)], timeout=SECONDS)
    consumer.close()
    return position.metadata


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_recreated_topic_is_read_from_its_beginning(
    kafka: KafkaBroker, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_topics(kafka, state)
    topic = NOTICES.topic(state)
    write_notices(kafka, state, "0.example", "1.example", "2.example")
    assert read_values(kafka, state) == ["0.example", "1.example", "2.example"]
    assert warnings_in(caplog) == []
    topic_id = query_topic_ids(make_admin(kafka.bootstrap), [topic], SECONDS)[topic]
    assert read_committed_metadata(kafka, state) == format_offset_metadata(topic_id)
    old_id = recreate_topic(kafka, topic)
    new = [f"new{number}.example" for number in range(5)]  # the committed offset exists in the new log too
    write_notices(kafka, state, *new)
    # Kafka deletes a topic's offsets with it. One survives if its coordinator was away, or was restored.
    commit_offset(kafka, state, 3, format_offset_metadata(old_id))
    assert read_values(kafka, state) == new
    expected = f"{topic}/0: the topic was deleted and created again; group {group_of(state)} reads the new one from "
    assert warnings_in(caplog) == [f"{expected}its beginning"]
    assert read_values(kafka, state) == []  # the new topic's offsets are committed


def test_a_topic_that_is_recreated_while_a_subscriber_runs_is_read_from_its_beginning(
    kafka: KafkaBroker, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_consumer, "_TOPIC_CHECK_SECONDS", 0.0)
    make_topics(kafka, state)
    write_notices(kafka, state, "0.example", "1.example", "2.example")
    new = [f"new{number}.example" for number in range(5)]
    handled: list[str] = []
    with Subscriber(kafka.bootstrap, state) as subscriber:
        for notice in subscriber:
            handled.append(notice.content["value"])
            if len(handled) == 3:
                recreate_topic(kafka, NOTICES.topic(state))
                write_notices(kafka, state, *new)
            if len(handled) == 8:
                break
    assert handled[3:] == new
    assert read_values(kafka, state) == new[-1:]  # the last one was not handled


def test_an_offset_behind_the_end_of_the_log_is_an_error_that_names_the_remedy(kafka: KafkaBroker, state: str) -> None:
    make_topics(kafka, state)
    topic = NOTICES.topic(state)
    write_notices(kafka, state, "0.example", "1.example")
    commit_offset(kafka, state, 7, query_topic_ids(make_admin(kafka.bootstrap), [topic], SECONDS)[topic])
    with pytest.raises(InfrastructureError) as raised:
        read_values(kafka, state)
    assert f"{topic}/0: group {group_of(state)} has read up to offset 7, but the log ends at 2" in str(raised.value)
    command = (
        f"kafka-consumer-groups.sh --bootstrap-server {kafka.bootstrap} --group {group_of(state)} --topic {topic}:0"
    )
    assert str(raised.value).endswith(f"{command} --reset-offsets --to-latest --execute")
    assert committed_offset(kafka, group_of(state), topic) == 7


def test_records_that_were_deleted_unread_are_logged(
    kafka: KafkaBroker, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_topics(kafka, state)
    topic = NOTICES.topic(state)
    write_notices(kafka, state, "0.example")
    assert read_values(kafka, state) == ["0.example"]
    write_notices(kafka, state, "1.example", "2.example", "3.example")
    admin = make_admin(kafka.bootstrap)
    for future in admin.delete_records([TopicPartition(topic, 0, 3)]).values():
        future.result(SECONDS)
    assert read_values(kafka, state) == ["3.example"]
    deleted = f"{topic}/0: offsets 1 to 2 were deleted, and group {group_of(state)} had not read them"
    assert warnings_in(caplog) == [f"{deleted}; they may be transaction markers only, or messages; it continues at 3"]


@pytest.mark.parametrize("kind", [NOTICES, URGENT])
def test_a_batch_that_cannot_be_decompressed_is_skipped_and_reported_once(
    kafka: KafkaBroker, state: str, kind: TopicKind, caplog: pytest.LogCaptureFixture
) -> None:
    make_topics(kafka, state)
    topic = kind.topic(state)
    write_records(kafka, topic, [notice_bytes(state, "0.example")])
    write_bomb(kafka, topic, 40)
    write_records(kafka, topic, [notice_bytes(state, "2.example")])
    write_bomb(kafka, topic, 40)
    reported: list[UnreadableNotice] = []
    metrics = SubscriberMetrics(CollectorRegistry())
    with Subscriber(
        kafka.bootstrap, state, stop_at_end=True, on_unreadable=reported.append, metrics=metrics
    ) as subscriber:
        values = [notice.content["value"] for notice in subscriber]
    assert values == ["0.example", "2.example"]
    reason = "the records cannot be decompressed, or become larger than this client accepts"
    assert reported == [UnreadableNotice(topic, 0, offset, reason, "BAD_COMPRESSION", offset) for offset in (1, 3)]
    assert metrics.unreadable._value.get() == 2
    with Subscriber(kafka.bootstrap, state, group="another", stop_at_end=True) as subscriber:
        assert [notice.content["value"] for notice in subscriber] == values  # also without a callback
    expected = [f"{topic}/0@{offset}: skipped, not a readable notice: BAD_COMPRESSION" for offset in (1, 3)]
    assert [warning for warning in warnings_in(caplog) if "skipped" in warning] == expected
    assert read_values(kafka, state) == []
    assert [warning for warning in warnings_in(caplog) if "skipped" in warning] == expected  # they were committed


def poll_record(consumer: GroupConsumer) -> PolledRecord:
    polled: list[PolledRecord] = []

    def has_record() -> bool:
        record = consumer.poll(0.1)
        polled.extend([record] if record is not None else [])
        return bool(polled)

    wait_until(has_record, "a record is delivered", SECONDS)
    return polled[0]


def test_a_commit_that_is_repeated_after_a_rebalance_does_not_set_the_group_back(
    kafka: KafkaBroker, state: str
) -> None:
    """The group read up to 51 while this member held record 10 of a partition that it got back."""
    topic, group = NOTICES.topic(state), group_of(state)
    make_topics(kafka, state, partitions=2)
    for partition in range(2):
        write_records(kafka, topic, [b"%d" % number for number in range(51)], partition=partition)
    first = GroupConsumer(kafka.bootstrap, topic, group, {"session.timeout.ms": 6000})
    held: dict[int, PolledRecord] = {}
    while len(held) < 2:
        record = poll_record(first)
        if record.offset == 10:
            held[record.partition] = record
    second = GroupConsumer(kafka.bootstrap, topic, group, {"session.timeout.ms": 6000})

    def share() -> bool:
        first.poll(0.1)
        second.poll(0.1)
        return len(first._assigned) == len(second._assigned) == 1

    wait_until(share, "each member has a partition", SECONDS)
    (moved,) = second._assigned
    read_to = 0
    while read_to < 51:
        record = poll_record(second)
        second.note_handled(record)
        read_to = record.next_offset
    second.close()  # waits for the confirmations

    def has_both() -> bool:
        first.poll(0.1)
        return first._started and len(first._assigned) == 2

    wait_until(has_both, "the first member has both partitions again", SECONDS)
    assert committed_offset(kafka, group, topic, moved) == 51
    for record in held.values():
        first.rewind_to(record)  # also without effect
        first.note_handled(record)
        first.settle_commits()
    assert committed_offset(kafka, group, topic, moved) == 51
    first.close()


def write_at(kafka: KafkaBroker, topic: str, at_ms: int, *values: bytes, partition: int = 0) -> None:
    """Write records that the broker received at an instant: topics of these tests take the writer's word for it."""
    producer = plain_producer(kafka)
    for value in values:
        producer.produce(topic, value, b"key", partition, timestamp=at_ms)
    assert producer.flush(SECONDS) == 0


def peek_since(kafka: KafkaBroker, state: str, since_ms: int) -> tuple[set[str], int]:
    """Return the values of what is read since an instant, and how much of it cannot be read."""
    unreadable: list[UnreadableNotice] = []
    with Subscriber(
        kafka.bootstrap, state, stop_at_end=True, peek=True, since_ms=since_ms, on_unreadable=unreadable.append
    ) as subscriber:
        return {notice.content["value"] for notice in subscriber}, len(unreadable)


def test_who_looks_since_an_instant_reads_nothing_that_the_broker_received_before(
    kafka: KafkaBroker, state: str
) -> None:
    """What was passed over would have been reported: it cannot be read."""
    make_topics(kafka, state, partitions=2)
    now_ms = int(time.time() * 1000)
    early, late = now_ms - 3 * HOUR_MS, now_ms - HOUR_MS
    for topic in (NOTICES.topic(state), URGENT.topic(state)):
        write_at(kafka, topic, early, b"junk", b"junk")
        write_at(kafka, topic, late, notice_bytes(state, f"{topic}.example"))
    write_at(kafka, NOTICES.topic(state), early, b"junk", partition=1)  # it has nothing of the time
    both = {f"{kind.topic(state)}.example" for kind in (NOTICES, URGENT)}
    assert peek_since(kafka, state, late) == (both, 0)
    assert peek_since(kafka, state, early + 1) == (both, 0)
    assert peek_since(kafka, state, early) == (both, 5)
    assert peek_since(kafka, state, 0) == (both, 5)
    assert peek_since(kafka, state, now_ms + HOUR_MS) == (set(), 0)
    with pytest.raises(InputError, match="give peek=True with it"):
        Subscriber(kafka.bootstrap, state, since_ms=late)


def test_who_looks_since_an_instant_misses_nothing_that_is_committed_later(kafka: KafkaBroker, state: str) -> None:
    """When reading begins, there is no committed record of the instant or later, and a transaction is open."""
    make_topics(kafka, state, partitions=1)
    topic, now_ms = NOTICES.topic(state), int(time.time() * 1000)
    write_at(kafka, topic, now_ms - 3 * HOUR_MS, notice_bytes(state, "early.example"))
    writer = plain_producer(kafka, **{"transactional.id": f"writer-{state}"})
    writer.init_transactions(SECONDS)
    writer.begin_transaction()
    for number in range(3):
        writer.produce(topic, notice_bytes(state, f"{number}.example"), b"key", 0, timestamp=now_ms)
    assert writer.flush(SECONDS) == 0
    with Subscriber(kafka.bootstrap, state, peek=True, since_ms=now_ms - HOUR_MS) as subscriber:
        wait_until(lambda: subscriber._poll_record() is None and subscriber._ordinary._started, "it reads", SECONDS)
        writer.commit_transaction(SECONDS)
        values = []
        for notice in subscriber:
            values.append(notice.content["value"])
            if len(values) == 3:
                break
    assert values == [f"{number}.example" for number in range(3)]
