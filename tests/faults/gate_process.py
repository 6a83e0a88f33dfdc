"""A State's gate as a process that can be killed, and the cluster that it runs on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sharing.kafka.clients import client_properties, make_producer
from sharing.kafka.directory_topic import announce, read_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.testing.samples import sample_directory
from sharing.topology.topics import INDICATORS, topics_for
from tests.faults.children import Child, plain_environment

STATES = ("CH", "DE", "NL", "JP", "FR", "US")


def prepare(bootstrap: str, partitions: int = 4, replication: int = 1) -> None:
    """Make the topics of the sample States, and announce the sample directory."""
    apply_topics(bootstrap, topics_for(STATES, partitions), replication)
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


class GateProcess(Child):
    """A State's gate; `python -m processors` unless another program is named."""

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
        environment = plain_environment(
            SHARING_BOOTSTRAP=bootstrap,
            SHARING_STATE=state,
            **{f"SHARING_{setting.upper()}": value for setting, value in settings.items()},
        )
        command = list(program) or [sys.executable, "-m", "processors"]
        super().__init__(name or f"gate-{state.lower()}", command, environment, folder)

    def wait_until(self, reached: Callable[[], bool], timeout_s: float = 120.0, every_s: float = 0.01) -> None:
        """Wait until a predicate holds, and the process is alive meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            assert self.alive(), self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(every_s)
