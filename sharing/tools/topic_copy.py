"""Copies topics to another cluster, or to another name, and puts a group's place in them where it belongs.

    python -m sharing.tools.topic_copy --source OLD:9092 --target NEW:9092 --group national.ch.gate TOPIC…

For a restore, a move, and a topic that is to have other partitions. Nobody may write to the topics meanwhile, and no
member of the group may run. Committed records are copied, with key, value, headers and time; offsets are not the same
there, as aborted records and the marks of transactions stay behind.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from sharing.errors import InfrastructureError, InputError
from sharing.kafka.clients import (
    client_properties,
    error_code,
    explain,
    look_up_topics,
    make_consumer,
    make_producer,
    require_topics,
)
from sharing.kafka.tls import tls_properties
from sharing.kafka.topic_range import TopicRange
from sharing.settings import load_settings
from sharing.tools.script import run_program

FLUSH_SECONDS_MAX = 120.0
ASK_SECONDS_MAX = 30.0
MEMBERS_SECONDS_MAX = 60.0

_RETRY_SECONDS = 0.5
_HAS_MEMBERS = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
)


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A topic on a cluster."""

    bootstrap: str
    topic: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What became of one topic.

    Attributes:
        records: How many were copied.
        offsets: Where the group goes on, by partition of the target; empty without a group.
    """

    records: int
    offsets: Mapping[int, int]


def copy_topic(source: LogPosition, target: LogPosition, group: str | None = None) -> CopyReport:
    """Copy a topic into an empty one, and let a group go on there where it stood.

    With as many partitions, each record keeps its own, and the group's place is translated. With others, keys say
    anew where each record goes; the group must have handled all, and goes on at the end.

    Raises:
        InfrastructureError: A cluster does not answer, a topic is not there, or the target did not confirm all.
        InputError: The target is not empty, or the group is not through and partitions differ.
    """
    before, after = (_partitions(place) for place in (source, target))
    if any(_ends(target, after).values()):
        raise InputError(f"{target.topic} at {target.bootstrap} is not empty: a copy would stand beside what is there")
    same = before == after
    places = _committed(source, group, before) if group else {}
    if group and not same:
        _require_handled(source, group, places, before)
    records, handled = _copy(source, target, places, keep=same)
    if not group:
        return CopyReport(records, {})
    offsets = handled if same else _ends(target, after)
    _commit(target, group, {number: offsets.get(number, 0) for number in range(after)})
    return CopyReport(records, {number: offsets.get(number, 0) for number in range(after)})


def _copy(
    source: LogPosition, target: LogPosition, places: Mapping[int, int], *, keep: bool
) -> tuple[int, dict[int, int]]:
    """Copy all; return how many records there were, and of each partition how many a group had handled."""
    failed: list[str] = []
    producer = make_producer(
        client_properties(target.bootstrap, {**target.properties, "enable.idempotence": True, "linger.ms": 20})
    )
    records, handled = 0, dict.fromkeys(places, 0)
    reader = TopicRange(source.bootstrap, source.topic, "topic-copy", properties=source.properties)
    try:
        for batch in reader.batches():
            for message in batch:
                _produce(producer, target.topic, message, failed, keep=keep)
                number = message.partition() or 0
                handled[number] = handled.get(number, 0) + ((message.offset() or 0) < places.get(number, 0))
            records += len(batch)
    finally:
        reader.close()
    if producer.flush(FLUSH_SECONDS_MAX) or failed:
        reason = failed[0] if failed else "no confirmation in time"
        raise InfrastructureError(
            f"{target.topic} at {target.bootstrap} did not take every record ({reason}); make it empty and begin again"
        )
    return records, handled


def _produce(producer: Any, topic: str, message: Message, failed: list[str], *, keep: bool) -> None:
    number = {"partition": message.partition() or 0} if keep else {}
    told = partial(_note, failed)
    while True:
        try:
            producer.produce(
                topic, message.value(), message.key(), headers=message.headers(), timestamp=message.timestamp()[1],
                on_delivery=told, **number,
            )  # fmt: skip
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _note(failed: list[str], error: KafkaError | None, _: Message) -> None:
    if error is not None:
        failed.append(explain(error))


def _partitions(place: LogPosition) -> int:
    present = look_up_topics(place.bootstrap, place.properties)
    require_topics(present, [place.topic])
    return present[place.topic]


def _ends(place: LogPosition, partitions: int) -> dict[int, int]:
    """Return the offset after the last record of each partition; 0 where there never was one."""
    with _OffsetClient(place, "topic-copy") as asker:
        return {number: asker.end(number) for number in range(partitions)}


def _committed(place: LogPosition, group: str, partitions: int) -> dict[int, int]:
    """Return where a group stands in each partition; 0 where it never was."""
    with _OffsetClient(place, group) as asker:
        found = asker.committed(partitions)
    return {number: max(0, offset) for number, offset in found.items()}


def _require_handled(place: LogPosition, group: str, places: Mapping[int, int], partitions: int) -> None:
    waiting = sum(end - min(end, places.get(number, 0)) for number, end in _ends(place, partitions).items())
    if waiting:
        raise InputError(
            f"group {group} has {waiting} records of {place.topic} before it, and the target has other partitions, "
            "where its place cannot be told; let it work them off, stop it, and copy then"
        )


def _commit(place: LogPosition, group: str, offsets: Mapping[int, int]) -> None:
    with _OffsetClient(place, group) as asker:
        asker.commit(offsets)


class _OffsetClient:
    """A consumer that reads nothing: ends, and a group's place."""

    def __init__(self, place: LogPosition, group: str) -> None:
        self._place = place
        self._group = group
        self._consumer = make_consumer(client_properties(place.bootstrap, {**place.properties, "group.id": group}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def end(self, number: int) -> int:
        return int(self._ask(self._consumer.get_watermark_offsets, self._at(number))[1])

    def committed(self, partitions: int) -> dict[int, int]:
        asked = [self._at(number) for number in range(partitions)]
        return {one.partition: one.offset for one in self._ask(self._consumer.committed, asked)}

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Set the group's place, as soon as it has no members: a worker that ended is one until its session ends."""
        wanted = [self._at(number, offset) for number, offset in offsets.items()]
        deadline = time.monotonic() + MEMBERS_SECONDS_MAX
        while True:
            try:
                self._consumer.commit(offsets=wanted, asynchronous=False)
            except KafkaException as error:
                if error_code(error) not in _HAS_MEMBERS or time.monotonic() > deadline:
                    raise InfrastructureError(
                        f"the place of group {self._group} cannot be set ({explain(error)}); end its members, and wait "
                        "for their session time-out"
                    ) from None
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _at(self, number: int, offset: int = -1001) -> TopicPartition:
        return TopicPartition(self._place.topic, number, offset)

    def _ask(self, question: Any, about: Any) -> Any:
        deadline = time.monotonic() + ASK_SECONDS_MAX
        while True:
            try:
                return question(about, timeout=ASK_SECONDS_MAX)
            except KafkaException as error:  # a partition that was just made, or moved, has no leader for a moment
                if error_code(error) != KafkaError.NOT_LEADER_FOR_PARTITION or time.monotonic() > deadline:
                    where = f"{self._place.topic} at {self._place.bootstrap}"
                    raise InfrastructureError(f"{where}: {explain(error)}") from None
                time.sleep(_RETRY_SECONDS)


def main(arguments: list[str]) -> int:
    """Copy topics by their names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sharing.tools.topic_copy", description="Copy topics.")
    parser.add_argument("topics", nargs="+", metavar="TOPIC", help="name, or OLD=NEW where the copy has another")
    parser.add_argument("--source", required=True, metavar="HOST:PORT")
    parser.add_argument("--target", required=True, metavar="HOST:PORT")
    parser.add_argument("--group", help="of the gate, for its topic of indicators")
    given = parser.parse_args(arguments)

    def work() -> None:
        properties = tls_properties(load_settings())
        for name in given.topics:
            old, _, new = name.partition("=")
            source, target = (
                LogPosition(given.source, old, properties),
                LogPosition(given.target, new or old, properties),
            )
            copied = copy_topic(source, target, given.group)
            place = f"; {given.group} goes on at {dict(copied.offsets)}" if given.group else ""
            sys.stdout.write(f"{old}: {copied.records} records{place}\n")

    return run_program(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
