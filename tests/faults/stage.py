"""A State's gate as a process that can be killed, and the cluster that it runs on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import TopicPartition

from sharing.directory import announce, read_entries
from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.kafka.topic_admin import apply_topics
from sharing.samples import sample_directory
from sharing.topics import DECISIONS, INDICATORS, QUARANTINE, topics_for

STATES = ("CH", "DE", "NL", "JP", "FR", "US")


def prepare(bootstrap: str, partitions: int = 4) -> None:
    """Make the topics of the sample States, and announce the sample directory."""
    apply_topics(bootstrap, topics_for(STATES, partitions), replication=1)
    for entry in read_entries(*sample_directory()):
        announce(bootstrap, entry)


def load(bootstrap: str, state: str, records: Iterable[tuple[bytes, bytes]]) -> int:
    """Put framed records on a State's topic of indicators; return how many."""
    producer = make_producer(client_properties(bootstrap, {"linger.ms": 20, "acks": "all"}))
    count = 0
    for key, value in records:
        producer.produce(INDICATORS.topic(state), value, key)
        count += 1
        if count % 5_000 == 0:
            producer.flush(30)
    assert producer.flush(30) == 0
    return count


class Progress:
    """How much of a State's indicators is decided or quarantined, seen from the ends of the topics."""

    def __init__(self, bootstrap: str, state: str) -> None:
        self._consumer = make_consumer(client_properties(bootstrap, {"group.id": "progress"}))
        known = self._consumer.list_topics(timeout=10).topics
        self._partitions = [
            TopicPartition(topic, number)
            for topic in (DECISIONS.topic(state), QUARANTINE.topic(state))
            for number in known[topic].partitions
        ]

    def offsets(self) -> int:
        """Return how many offsets are taken: records, and a marker a transaction and partition."""
        return sum(self._consumer.get_watermark_offsets(one, timeout=30)[1] for one in self._partitions)

    def close(self) -> None:
        """Stop looking."""
        self._consumer.close()


class GateProcess:
    """A State's gate, with its log in a file; `python -m processors` unless another program is named."""

    def __init__(
        self, bootstrap: str, state: str, folder: Path, *, program: Sequence[str] = (), **settings: str
    ) -> None:
        self._program = list(program) or [sys.executable, "-m", "processors"]
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHARING_")},
            "SHARING_BOOTSTRAP": bootstrap,
            "SHARING_STATE": state,
            **{f"SHARING_{name.upper()}": value for name, value in settings.items()},
        }
        self.log = folder / f"gate-{state.lower()}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again if need be; the log is continued."""
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                self._program, env=self._environment, stdout=stream, stderr=subprocess.STDOUT
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def wait_until(self, reached: Callable[[], bool], timeout_s: float = 120.0, every_s: float = 0.01) -> None:
        """Wait until a predicate holds, and the process is alive meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            assert self.process is not None
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(every_s)

    def text(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-4_000:]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
