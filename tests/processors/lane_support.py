"""What the tests of the lane share: topics with records, a worker as a process, and what it left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from processors.lane_config import Route

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator

    from sharing.broker import Broker

ROOT = Path(__file__).parents[2]
COPY_WORKER = "tests.processors.copy_worker"
PARTITIONS = 3
LIMIT_S = 60.0
SECRET = "+41 79 000 00 00"  # noqa: S105 what no log may show


@dataclass
class Course:
    """An input topic, an output topic, and who goes from one to the other."""

    broker: Broker
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    sent: int = 0

    def __post_init__(self) -> None:
        self.broker.create_topics([self.source, self.target], partitions=PARTITIONS)

    @property
    def source(self) -> str:
        return f"in-{self.mark}"

    @property
    def target(self) -> str:
        return f"out-{self.mark}"

    @property
    def group(self) -> str:
        return f"group-{self.mark}"

    def route(self, worker: str = "0", **options: Any) -> Route:
        names = {"group": self.group, "instance": worker, "transactional_id": f"{self.group}-{worker}"}
        return Route(**{"bootstrap": self.broker.bootstrap, "topics": [self.source], **names, **options})

    def send(self, count: int, value: Callable[[int], bytes] = lambda number: b"value %d" % number) -> None:
        """Send records, keyed by their number; wait until they are there."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "partitioner": "murmur2_random"})
        for number in range(self.sent, self.sent + count):
            producer.produce(self.source, value(number), b"%d" % number)
        assert producer.flush(LIMIT_S) == 0
        self.sent += count

    def copies(self) -> list[tuple[int, bytes, bytes]]:
        """Return (partition, key, place) of all committed outputs, in the order of each partition."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap,
                "group.id": "reader",
                "log_level": 0,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        consumer.assign([TopicPartition(self.target, partition, 0) for partition in range(PARTITIONS)])
        found, ends, deadline = [], set[int](), time.monotonic() + LIMIT_S
        while len(ends) < PARTITIONS:
            assert time.monotonic() < deadline, "the outputs cannot be read to their end"
            for message in consumer.consume(1_000, 0.2):
                partition, error = message.partition(), message.error()
                assert partition is not None
                if error is None:
                    headers: Any = message.headers()
                    found.append((partition, message.key() or b"", dict(headers)["place"]))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends.add(partition)
        consumer.close()
        return found

    def committed(self) -> int:
        """Return the sum of the group's committed offsets: how many records are acknowledged."""
        consumer = Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self.group, "log_level": 0})
        partitions = [TopicPartition(self.source, partition) for partition in range(PARTITIONS)]
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                offsets = [partition.offset for partition in consumer.committed(partitions, LIMIT_S)]
                break
            except KafkaException:  # a coordinator that has just started does not know its groups yet
                assert time.monotonic() < deadline, "the group's coordinator does not answer"
        consumer.close()
        return sum(offset for offset in offsets if offset > 0)

    def settle(self, worker: str = "0") -> int:
        """Abort what a killed worker left open, as its restart would; return how many records are acknowledged."""
        names = {"bootstrap.servers": self.broker.bootstrap, "transactional.id": f"{self.group}-{worker}"}
        Producer(names).init_transactions(LIMIT_S)
        return self.committed()

    def check(self) -> None:
        """Every record sent was copied exactly once, to its own partition, in its order."""
        copies = self.copies()
        assert len(copies) == len({place for _, _, place in copies}) == self.sent
        assert sorted(int(key) for _, key, _ in copies) == list(range(self.sent))
        for partition in range(PARTITIONS):
            places = [place.split(b":") for number, _, place in copies if number == partition]
            assert [int(source) for source, _ in places] == [partition] * len(places)
            assert [int(offset) for _, offset in places] == sorted(int(offset) for _, offset in places)


class Worker:
    """A copying worker as a process of its own."""

    def __init__(self, course: Course, log: Path, worker: str = "0", *, cli: bool = False, **options: Any) -> None:
        names = {"group": course.group, "instance": worker, "transactional_id": f"{course.group}-{worker}"}
        route = {"bootstrap": course.broker.bootstrap, "topics": [course.source], "out": course.target, **names}
        arguments = json.dumps({**route, **options})
        program = [sys.executable, "-m", COPY_WORKER, arguments]
        if cli:
            program = [str(Path(sys.executable).with_name("faust")), "-A", COPY_WORKER, "worker", "-l", "info"]
        self.log = log
        self.process = subprocess.Popen(
            program,
            cwd=log.parent,
            env={
                **os.environ,
                "COPY_WORKER": arguments,
                "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
                "PYTHONIOENCODING": "ascii",
            },
            stdin=subprocess.DEVNULL,
            stdout=log.with_suffix(".out").open("wb"),
            stderr=log.open("ab"),
        )

    def says(self) -> str:
        return self.log.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals | None = None) -> int:
        """Send a signal, if any, and return the code that it exits with."""
        if number is not None:
            self.send(number)
        return self.process.wait(LIMIT_S)


@contextmanager
def working(course: Course, log: Path, worker: str = "0", **options: Any) -> Iterator[Worker]:
    """A worker that is surely gone afterwards."""
    process = Worker(course, log, worker, **options)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait(LIMIT_S)


def wait_until(done: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    """Look again and again, until it is so."""
    deadline = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < deadline, f"it does not come to it: {what}"
        time.sleep(0.05)
