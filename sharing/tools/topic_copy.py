"""Copies topics to another cluster or to another name, and translates the committed offsets of a consumer group.

    python -m sharing.tools.topic_copy --source OLD:9092 --target NEW:9092 --group national.ch.gate TOPIC…

For a restore, a move, and a change of the number of partitions. During the copy, nobody may write to the topics, and no
member of the group may run. Committed records are copied, with key, value and headers. Their offsets change, because
aborted records and transaction markers are not copied. Their timestamps change too where the target topic has
`message.timestamp.type=LogAppendTime`, as every topic of the bus has: they become the time of the copy, from which the
retention of the target counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError, InputError
from sharing.kafka.bad_batches import BadBatch
from sharing.kafka.clients import client_properties, look_up_topics, make_consumer, make_producer, require_topics
from sharing.kafka.errors import GROUP_MEMBERSHIP_ERRORS, describe_kafka_error, error_code
from sharing.kafka.tls import tls_properties
from sharing.kafka.topic_range import TopicRange
from sharing.settings import load_settings
from sharing.tools.script import run_script
from sharing.topology.topics import find_topic_kind

FLUSH_SECONDS_MAX = 120.0
REQUEST_SECONDS_MAX = 30.0
MEMBERS_SECONDS_MAX = 60.0

_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class TopicLocation:
    """A topic on a cluster.

    Attributes:
        bootstrap: Kafka bootstrap servers of the cluster.
        topic: Name of the topic.
        properties: Further librdkafka properties, such as those of TLS.
    """

    bootstrap: str
    topic: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CopyReport:
    """The result of copying one topic.

    Attributes:
        records: Number of copied records.
        offsets: The group's committed offsets on the target, by partition; empty without a group.
        unreadable: Record batches of the source that cannot be read, and are not copied.
    """

    records: int
    offsets: Mapping[int, int]
    unreadable: Sequence[BadBatch] = ()


def copy_topic(source: TopicLocation, target: TopicLocation, group: str | None = None) -> CopyReport:
    """Copy a topic into an empty one, and commit a group's offsets there so that it continues where it stopped.

    If both topics have the same number of partitions, records keep their partitions, and the group's offsets are
    translated. Otherwise the keys determine the new partitions; the group must then have handled all records, and
    continues at the end.

    Raises:
        InfrastructureError: A cluster does not answer, a topic does not exist, or the target did not confirm all.
        InputError: The target is not empty, or the partitions differ and the group has not handled all records.
    """
    source_partitions, target_partitions = (_count_partitions(location) for location in (source, target))
    if any(_fetch_end_offsets(target, target_partitions).values()):
        raise InputError(f"{target.topic} at {target.bootstrap} is not empty; copy to an empty topic")
    same_partitions = source_partitions == target_partitions
    committed = _fetch_committed_offsets(source, group, source_partitions) if group else {}
    if group and not same_partitions:
        _require_all_handled(source, group, committed, source_partitions)
    records, handled, unreadable = _copy_records(source, target, committed, keep_partitions=same_partitions)
    if not group:
        return CopyReport(records, {}, unreadable)
    known = handled if same_partitions else _fetch_end_offsets(target, target_partitions)
    offsets = {number: known.get(number, 0) for number in range(target_partitions)}
    with _OffsetClient(target, group) as client:
        client.commit_offsets(offsets)
    return CopyReport(records, offsets, unreadable)


def _copy_records(
    source: TopicLocation, target: TopicLocation, committed: Mapping[int, int], *, keep_partitions: bool
) -> tuple[int, dict[int, int], list[BadBatch]]:
    """Copy all records.

    Returns:
        Their number, for each partition the number of those before the committed offset, and what cannot be read.
    """
    failures: list[str] = []
    kind = find_topic_kind(target.topic)
    options = {**target.properties, "enable.idempotence": True, "linger.ms": 20}
    if kind is not None:  # a broker refuses larger batches
        options["batch.size"] = kind.max_message_bytes
    producer = make_producer(client_properties(target.bootstrap, options))
    records, handled = 0, dict.fromkeys(committed, 0)
    reader = TopicRange(source.bootstrap, source.topic, "topic-copy", properties=source.properties)
    try:
        for batch in reader.read_batches():
            for message in batch:
                _produce_copy(producer, target.topic, message, failures, keep_partition=keep_partitions)
                number = message.partition() or 0
                is_handled = (message.offset() or 0) < committed.get(number, 0)
                handled[number] = handled.get(number, 0) + is_handled
            records += len(batch)
    finally:
        reader.close()
    if producer.flush(FLUSH_SECONDS_MAX) or failures:
        reason = failures[0] if failures else "no confirmation in time"
        raise InfrastructureError(
            f"{target.topic} at {target.bootstrap} did not confirm every record ({reason}); "
            "delete and create the topic, then copy again"
        )
    return records, handled, reader.bad_batches


def _produce_copy(producer: Any, topic: str, message: Message, failures: list[str], *, keep_partition: bool) -> None:
    partition = {"partition": message.partition() or 0} if keep_partition else {}
    on_delivery = partial(_collect_failure, failures)
    while True:
        try:
            producer.produce(
                topic, message.value(), message.key(), headers=message.headers(), timestamp=message.timestamp()[1],
                on_delivery=on_delivery, **partition,
            )  # fmt: skip
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _collect_failure(failures: list[str], error: KafkaError | None, _: Message) -> None:
    if error is not None:
        failures.append(describe_kafka_error(error))


def _count_partitions(location: TopicLocation) -> int:
    present = look_up_topics(location.bootstrap, location.properties)
    require_topics(present, [location.topic])
    return present[location.topic]


def _fetch_end_offsets(location: TopicLocation, partitions: int) -> dict[int, int]:
    """Return the offset after the last record of each partition; 0 if it never contained a record."""
    with _OffsetClient(location, "topic-copy") as client:
        return {number: client.fetch_end(number) for number in range(partitions)}


def _fetch_committed_offsets(location: TopicLocation, group: str, partitions: int) -> dict[int, int]:
    """Return the group's committed offset in each partition; 0 if it never committed one."""
    with _OffsetClient(location, group) as client:
        offsets = client.fetch_committed(partitions)
    return {number: max(0, offset) for number, offset in offsets.items()}


def _require_all_handled(location: TopicLocation, group: str, committed: Mapping[int, int], partitions: int) -> None:
    ends = _fetch_end_offsets(location, partitions)
    unhandled = sum(end - min(end, committed.get(number, 0)) for number, end in ends.items())
    if unhandled:
        raise InputError(
            f"group {group} has not handled {unhandled} records of {location.topic}, and its offsets cannot be "
            "translated to a target with other partitions; let the group handle them, stop it, and copy then"
        )


class _OffsetClient:
    """A consumer that fetches and commits offsets, and reads no records."""

    def __init__(self, location: TopicLocation, group: str) -> None:
        self._location = location
        self._group = group
        properties = {**location.properties, "group.id": group}
        self._consumer = make_consumer(client_properties(location.bootstrap, properties))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def fetch_end(self, number: int) -> int:
        return int(self._request(self._consumer.get_watermark_offsets, self._partition(number))[1])

    def fetch_committed(self, partitions: int) -> dict[int, int]:
        queries = [self._partition(number) for number in range(partitions)]
        return {answer.partition: answer.offset for answer in self._request(self._consumer.committed, queries)}

    def commit_offsets(self, offsets: Mapping[int, int]) -> None:
        """Commit the group's offsets, once it has no members. A stopped worker is one until its session expires."""
        positions = [self._partition(number, offset) for number, offset in offsets.items()]
        deadline = time.monotonic() + MEMBERS_SECONDS_MAX
        while True:
            try:
                self._consumer.commit(offsets=positions, asynchronous=False)
            except KafkaException as error:
                if error_code(error) not in GROUP_MEMBERSHIP_ERRORS or time.monotonic() > deadline:
                    raise InfrastructureError(
                        f"the offsets of group {self._group} cannot be committed ({describe_kafka_error(error)}); "
                        "stop its members, and wait for their session timeout"
                    ) from None
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _partition(self, number: int, offset: int = OFFSET_INVALID) -> TopicPartition:
        return TopicPartition(self._location.topic, number, offset)

    def _request(self, method: Any, argument: Any) -> Any:
        deadline = time.monotonic() + REQUEST_SECONDS_MAX
        while True:
            try:
                return method(argument, timeout=REQUEST_SECONDS_MAX)
            except KafkaException as error:  # a new or moved partition has no leader for a moment
                if error_code(error) != KafkaError.NOT_LEADER_FOR_PARTITION or time.monotonic() > deadline:
                    location = f"{self._location.topic} at {self._location.bootstrap}"
                    raise InfrastructureError(f"{location}: {describe_kafka_error(error)}") from None
                time.sleep(_RETRY_SECONDS)


def main(arguments: list[str]) -> int:
    """Copy the topics given on the command line. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sharing.tools.topic_copy", description="Copy topics.")
    parser.add_argument("topics", nargs="+", metavar="TOPIC", help="name, or OLD=NEW if the copy has another name")
    parser.add_argument("--source", required=True, metavar="HOST:PORT")
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument(
        "--group", help="consumer group whose offsets are translated, such as that of the gate for its indicator topic"
    )
    given = parser.parse_args(arguments)

    def work() -> None:
        properties = tls_properties(load_settings())
        for name in given.topics:
            old, _, new = name.partition("=")
            source, target = (
                TopicLocation(given.source, old, properties),
                TopicLocation(given.target, new or old, properties),
            )
            report = copy_topic(source, target, given.group)
            offsets = f"; {given.group} continues at {dict(report.offsets)}" if given.group else ""
            sys.stdout.write(f"{old}: {report.records} records{offsets}\n")
            for batch in report.unreadable:
                sys.stderr.write(f"not copied: {batch} ({batch.cause})\n")

    return run_script(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
