"""A broker without processes: offsets and times of its own, under a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from processors.exactly_once.batch import OutputRecord
from sharing.model.record_times import LOG_APPEND_TIME
from tests.processors.conversation.conversation_driver import StampedMessage

PARTITIONS = (0, 1)

Place = tuple[str, int]
"""A topic and a partition."""


class Written(NamedTuple):
    """A record in the log.

    Attributes:
        record: The record as readers get it.
        writer: The State that has written it.
        cause: The record that was processed when it was written; None if it was written for another reason.
        is_copy: Whether a network has written it once more.
    """

    record: StampedMessage
    writer: str
    cause: StampedMessage | None
    is_copy: bool


@dataclass
class Bus:
    """Topics with two partitions each.

    Attributes:
        now: The time of all clocks, in UTC milliseconds.
        log: All records, in the order in which they were written.
        twist: What a network does to a record on its way: how often it arrives. Once, normally.
    """

    now: int
    log: list[Written] = field(default_factory=list)
    twist: Callable[[str, OutputRecord], int] = lambda writer, output: 1
    _topics: dict[Place, list[StampedMessage]] = field(default_factory=dict)

    def write(self, writer: str, outputs: Iterable[OutputRecord], cause: StampedMessage | None = None) -> None:
        """Append records, each with the next offset of its partition and the time of the broker."""
        for output in outputs:
            for number in range(self.twist(writer, output)):
                records = self._topics.setdefault((output.topic, output.partition), [])
                record = StampedMessage(
                    output.value, output.key, len(records), output.partition, _read_headers(output), self.now,
                    output.topic, LOG_APPEND_TIME,
                )  # fmt: skip
                records.append(record)
                self.log.append(Written(record, writer, cause, number > 0))

    def write_again(self, written: Written) -> None:
        """Append a record that was written before, as it was, at the time of now."""
        record = written.record
        place = (record.topic(), record.partition())
        records = self._topics[place]
        again = StampedMessage(
            record.value(), record.key(), len(records), record.partition(), tuple(record.headers() or ()), self.now,
            record.topic(), LOG_APPEND_TIME,
        )  # fmt: skip
        records.append(again)
        self.log.append(Written(again, written.writer, None, is_copy=True))

    def read(self, topic: str, partition: int, offset: int) -> StampedMessage | None:
        """Return the record at an offset; None if there is none yet."""
        records = self._topics.get((topic, partition), [])
        return records[offset] if offset < len(records) else None

    def select(self, topic: str) -> Iterator[StampedMessage]:
        """Yield the records of a topic, partition by partition."""
        for partition in PARTITIONS:
            yield from self._topics.get((topic, partition), [])


@dataclass
class Reader:
    """A consumer group with one member: reads some topics, each partition in its order.

    Attributes:
        bus: The broker.
        topics: The topics, in the order in which they are preferred.
        choose: Chooses which of several partitions that have a record is read next.
    """

    bus: Bus
    topics: tuple[str, ...]
    choose: Callable[[list[Place]], Place] = lambda places: places[0]
    _offsets: dict[Place, int] = field(default_factory=dict)

    def read_batch(self, size: int) -> list[StampedMessage]:
        """Return the next records, at most so many."""
        return list(islice(iter(self.read_next, None), size))

    def read_next(self) -> StampedMessage | None:
        """Return the next record; None if all is read."""
        places = self.list_unread()
        if not places:
            return None
        place = self.choose(places)
        offset = self._offsets.get(place, 0)
        self._offsets[place] = offset + 1
        return self.bus.read(*place, offset)

    def list_unread(self) -> list[Place]:
        """Return the partitions that have a record that was not read."""
        places = [(topic, partition) for topic in self.topics for partition in PARTITIONS]
        return [place for place in places if self.bus.read(*place, self._offsets.get(place, 0)) is not None]


def _read_headers(output: OutputRecord) -> tuple[tuple[str, bytes | None], ...]:
    headers = output.headers or ()
    return tuple((name, value.encode() if isinstance(value, str) else value) for name, value in headers)
