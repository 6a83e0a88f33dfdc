"""A whole bus on one machine that faults can be done to: brokers behind proxies, and the processes of three States."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaException, TopicPartition

from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.topology.topics import INDICATORS
from tests.faults.children import Child, plain_environment
from tests.faults.cluster import ASK_S, Cluster, Node
from tests.faults.gate_process import GateProcess, prepare
from tests.faults.schedule import BROKERS, SESSION_S, STATES
from tests.faults.workload import POISON_HEADER

LOOK_S = 0.05
GATE = {
    "session_timeout_ms": str(int(SESSION_S * 1_000)),
    "transaction_timeout_ms": "4000",
    # Small batches: at nearly any moment a transaction is under way.
    "batch_records_max": "10",
}
INFRASTRUCTURE = 3
"""What a gate exits with when it is fenced or the broker refuses: its supervisor starts it again."""


class Bus:
    """Started on entry; on exit every process is ended, whatever happened.

    Args:
        folder: Of everything it writes; made, or empty.
        seed: Of what the agencies publish.
        a_second: Indicators a second, of each State.
        brokers: How many brokers the cluster has.

    Attributes:
        cluster: The brokers.
        gates, agencies, partners: By State.
        extras: Second workers of a gate, by State.
        retired: Gates that were replaced under their own names, and are to notice it.
        ends: How often a process ended by itself, by role and code.
        complaints: What no process may do: in words.
    """

    def __init__(self, folder: Path, seed: int, a_second: int = 40, *, brokers: int = BROKERS) -> None:
        self.seed = seed
        self.cluster = Cluster(folder, brokers)
        self.gates: dict[str, Child] = {}
        self.extras: dict[str, Child] = {}
        self.retired: list[Child] = []
        self.agencies: dict[str, Child] = {}
        self.partners: dict[str, Child] = {}
        self.ends: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._folder = folder
        self._a_second = a_second
        self._stack = ExitStack()
        self._children: list[Child] = []
        self._mends: list[tuple[float, str, Callable[[], None]]] = []

    @property
    def bootstrap(self) -> str:
        """Where clients connect: the proxies."""
        return self.cluster.bootstrap

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def journal(self, role: str, state: str) -> Path:
        """Return the file in which a publisher or a subscriber writes down what is done."""
        return self._folder / f"{role}-{state.lower()}.journal"

    def make_gate(self, state: str, instance: str, suffix: str = "") -> Child:
        """Return a worker of a State's gate, not started."""
        name = f"gate-{state.lower()}-{instance}{suffix}"
        gate = GateProcess(self.bootstrap, state, self._folder, name=name, instance=instance, **GATE)
        self._children.append(gate)
        return gate

    def mend_later(self, after_s: float, what: str, mend: Callable[[], None]) -> None:
        """Have a fault mended after so many seconds, or when the next one does something to the same."""
        self._mends.append((time.monotonic() + after_s, what, mend))

    def mend(self, what: str = "") -> None:
        """Mend at once what was done to something; to everything if it is not named."""
        due = [entry for entry in self._mends if not what or entry[1] == what]
        self._mends = [entry for entry in self._mends if entry not in due]
        for _, _, mend in due:
            mend()

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass: faults are mended when they are due, and who ended is started again."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            due = [entry for entry in self._mends if entry[0] <= now]
            self._mends = [entry for entry in self._mends if entry[0] > now]
            for _, _, mend in due:
                mend()
            self.supervise()
            if time.monotonic() >= until:
                return
            time.sleep(LOOK_S)

    def wait_until(self, reached: Callable[[], bool], what: str, limit_s: float) -> bool:
        """Wait, as supervisor, until something is reached; else complain."""
        deadline = time.monotonic() + limit_s
        while not reached():
            if time.monotonic() > deadline:
                self.complaints.append(f"not within {limit_s:g} s: {what}")
                return False
            self.pass_time(4 * LOOK_S)
        return True

    def supervise(self) -> None:
        """Start again who ended by itself; note how it ended."""
        for child in self._children:
            code = child.code()
            if not child.wanted or code is None:
                continue
            role = child.name.partition("-")[0]
            self.ends[f"{role} {code}"] += 1
            if role != "gate" or code != INFRASTRUCTURE:
                self.complaints.append(f"{child.name} ended by itself with {code}: {child.text()[-800:]}")
            if child in self.retired:
                child.wanted = False
            else:
                child.start()

    def start_broker(self, node: Node) -> None:
        """Start a broker, or see that it runs."""
        self.mend("net")  # starting takes its time, and nothing is mended meanwhile
        node.start()

    def backlog(self, state: str) -> int:
        """Return how many records a State's gate has not acknowledged; -1 when the broker does not say."""
        names = {"group.id": f"national.{state.lower()}.gate", "log_level": 0}
        # Who reads committed records only is told no offsets while a transaction holds new ones (KIP-447), and here
        # one nearly always does.
        consumer = make_consumer(client_properties(self.bootstrap, {**names, "isolation.level": "read_uncommitted"}))
        topic = INDICATORS.topic(state)
        try:
            found = consumer.list_topics(topic, ASK_S).topics[topic]
            parts = [TopicPartition(topic, each) for each in found.partitions]
            ends = {part.partition: consumer.get_watermark_offsets(part, ASK_S)[1] for part in parts}
            done = consumer.committed(parts, ASK_S)
        except KafkaException:
            return -1
        finally:
            consumer.close()
        if found.error is not None or not parts or any(part.error for part in done):
            return -1
        return sum(max(0, ends[part.partition] - max(part.offset, 0)) for part in done)

    def feed(self, state: str, records: Iterable[tuple[str, tuple[bytes, bytes]]]) -> None:
        """Put bad records on a State's topic, each with its cause in a header; it may be that not all arrive."""
        producer = make_producer(client_properties(self.bootstrap, {"delivery.timeout.ms": 20_000}))
        for cause, (key, value) in records:
            producer.produce(INDICATORS.topic(state), value, key, headers={POISON_HEADER: cause.encode()})
        producer.flush(22)

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(self.cluster)
        self._stack.callback(self._end_children)
        prepare(self.bootstrap, replication=self.cluster.size)
        for state in STATES:
            self.gates[state] = self.make_gate(state, "0")
            self.agencies[state] = self._make("agency", state, seed=self.seed, a_second=self._a_second)
            self.partners[state] = self._make("partner", state, session_ms=int(SESSION_S * 1_000))
        for child in self._children:
            child.start()

    def _make(self, role: str, state: str, **more: Any) -> Child:
        given = {"bootstrap": self.bootstrap, "state": state, "journal": str(self.journal(role, state)), **more}
        program = [sys.executable, "-m", f"tests.faults.{role}", json.dumps(given)]
        child = Child(f"{role}-{state.lower()}", program, plain_environment(), self._folder)
        self._children.append(child)
        return child

    def _end_children(self) -> None:
        for child in self._children:
            child.kill()
