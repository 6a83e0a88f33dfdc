"""A State's gate as a process that can be killed, and the preparation of its broker."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from sharing.kafka.clients import client_properties, make_producer
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.testing.samples import sample_directory
from sharing.topology.topic_kinds import FOREIGN_BATCH_BYTES_MAX
from sharing.topology.topics import INDICATORS, list_topics
from tests.faults.children import ChildProcess, make_child_environment

STATES = ("CH", "DE", "NL", "JP", "FR", "US")
PARTITIONS = 4


def prepare_topics(bootstrap: str, partitions: int = PARTITIONS, replication: int = 1) -> None:
    """Create the topics of the sample States, and announce the sample directory."""
    apply_topics(bootstrap, list_topics(STATES, partitions), replication)
    for entry in parse_entries(*sample_directory()):
        announce_entry(bootstrap, entry)


def load_records(bootstrap: str, state: str, records: Iterable[tuple[bytes, bytes]]) -> int:
    """Publish framed records to a State's topic of indicators; return their number."""
    limits = {"batch.size": FOREIGN_BATCH_BYTES_MAX, "message.max.bytes": FOREIGN_BATCH_BYTES_MAX}
    producer = make_producer(client_properties(bootstrap, {"linger.ms": 20, "acks": "all", **limits}))
    refused: list[Any] = []
    count = 0
    for key, value in records:
        producer.produce(
            INDICATORS.topic(state), value, key, on_delivery=lambda error, _: refused.append(error) if error else None
        )
        count += 1
        if count % 5_000 == 0:
            producer.flush(120)
    assert producer.flush(120) == 0
    assert refused == []
    return count


class GateProcess(ChildProcess):
    """A State's gate: `python -m processors`, or another program."""

    def __init__(
        self,
        bootstrap: str,
        state: str,
        folder: Path,
        *,
        name: str = "",
        program: Sequence[str] = (),
        **settings: str,
    ) -> None:
        environment = make_child_environment(
            SHARING_BOOTSTRAP=bootstrap,
            SHARING_STATE=state,
            **{f"SHARING_{setting.upper()}": value for setting, value in settings.items()},
        )
        command = list(program) or [sys.executable, "-m", "processors"]
        super().__init__(name or f"gate-{state.lower()}", command, environment, folder)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 240.0, poll_s: float = 0.01) -> None:
        """Wait until a condition holds; fail if the process ends or the condition does not hold in time."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.is_alive(), self.read_log_tail()
            assert time.monotonic() < deadline, self.read_log_tail()
            time.sleep(poll_s)
