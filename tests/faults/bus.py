"""A whole bus on one machine that faults can be done to: a broker behind a proxy, and the processes of three States."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaException, TopicPartition

from sharing.broker.kafka import KafkaBroker
from sharing.broker.process import LOOPBACK, free_port
from sharing.broker.run_state import read_run
from sharing.broker.server_properties import NODE_ID
from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, make_consumer, make_producer
from sharing.topics import INDICATORS
from tests.faults.children import Child, plain_environment
from tests.faults.disk import small_disk
from tests.faults.proxy import Proxy
from tests.faults.schedule import SESSION_S, STATES
from tests.faults.stage import GateProcess, prepare
from tests.faults.workload import POISON_HEADER

DISK_MB = 256
LOOK_S = 0.05
ASK_S = 5.0
BROKER = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "20000"}
"""More than the default: what the broker aborts while it starts, before it takes connections, gets no markers."""
COORDINATOR_SPEAKS = tuple(
    f"-Dorg.slf4j.simpleLogger.log.{package}kafka.coordinator.transaction=info" for package in ("", "org.apache.")
)
"""So that the broker's log says what became of each transaction, when one was broken."""
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

    Attributes:
        broker: The broker.
        proxy: Between it and everyone.
        disk: Its file system, or None where none can be mounted.
        gates, agencies, partners: By State.
        extras: Second workers of a gate, by State.
        retired: Gates that were replaced under their own names, and are to notice it.
        ends: How often a process ended by itself, by role and code.
        complaints: What no process may do: in words.
    """

    def __init__(self, folder: Path, seed: int, a_second: int = 40) -> None:
        self.seed = seed
        self.proxy = Proxy()
        self.disk: Path | None = None
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
        """Where clients connect: the proxy."""
        return f"{LOOPBACK}:{self.proxy.port}"

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

    def start_broker(self) -> None:
        """Start the broker, or see that it runs. After a crash on a full disk it may take a second time."""
        self.mend("net")  # starting takes its time, and nothing is mended meanwhile
        self._keep_log()
        try:
            self.broker.start()
        except InfrastructureError:
            self.broker.stop()
            self.broker.start()

    def keep_data(self, folder: Path) -> None:
        """Copy what lies on the broker's disk, for `kafka-dump-log.sh` and whoever looks into it."""
        source = self.disk / "logs" if self.disk else self.broker.folder / "data"
        shutil.copytree(source, folder, dirs_exist_ok=True)

    def said_by_broker(self) -> str:
        """Return what the broker said in all its lives."""
        logs = (self._folder / "kafka-lives.log", self.broker.log)
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs if log.exists())

    def _keep_log(self) -> None:
        """Keep what the broker has said: it keeps that of two of its lives itself."""
        if self.broker.log.exists():
            with (self._folder / "kafka-lives.log").open("ab") as lives:
                lives.write(self.broker.log.read_bytes())

    def broker_pid(self) -> int | None:
        """Return the process id of the broker, if it lives."""
        run = read_run(self.broker.folder)
        process = run.find() if run else None
        return process.pid if process else None

    def signal_broker(self, number: signal.Signals) -> None:
        """Send a signal to the broker, if it lives."""
        pid = self.broker_pid()
        if pid is not None:
            os.kill(pid, number)

    def backlog(self, state: str) -> int:
        """Return how many records a State's gate has not acknowledged; -1 when the broker does not say."""
        consumer = make_consumer(
            client_properties(self.bootstrap, {"group.id": f"national.{state.lower()}.gate", "log_level": 0})
        )
        topic = INDICATORS.topic(state)
        try:
            parts = [
                TopicPartition(topic, each) for each in consumer.list_topics(topic, ASK_S).topics[topic].partitions
            ]
            ends = {part.partition: consumer.get_watermark_offsets(part, ASK_S)[1] for part in parts}
            done = {part.partition: max(part.offset, 0) for part in consumer.committed(parts, ASK_S)}
        except KafkaException:
            return -1
        finally:
            consumer.close()
        return sum(ends.values()) - sum(done.values())

    def feed(self, state: str, records: Iterable[tuple[str, tuple[bytes, bytes]]]) -> None:
        """Put bad records on a State's topic, each with its cause in a header; it may be that not all arrive."""
        producer = make_producer(client_properties(self.bootstrap, {"delivery.timeout.ms": 20_000}))
        for cause, (key, value) in records:
            producer.produce(INDICATORS.topic(state), value, key, headers={POISON_HEADER: cause.encode()})
        producer.flush(22)

    def _start(self) -> None:
        stack = self._stack
        self._folder.mkdir(parents=True, exist_ok=True)
        self.disk = stack.enter_context(small_disk(self._folder / "disk", DISK_MB))
        stack.enter_context(self.proxy)
        place = {"log.dirs": str(self.disk / "logs")} if self.disk else {}
        port = free_port()
        properties = {**BROKER, **_make_listeners(port, self.bootstrap), **place}
        self.broker = KafkaBroker(self._folder / "kafka", port, properties=properties, java_options=COORDINATOR_SPEAKS)
        stack.callback(self._end_all)
        self.proxy.target = port  # before the start: who asks whether it answers is sent to the proxy, too
        self.broker.start()
        prepare(self.bootstrap)
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

    def _end_all(self) -> None:
        for child in self._children:
            child.kill()
        pid = self.broker_pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        self.broker.stop()


def _make_listeners(port: int, advertised: str) -> dict[str, str]:
    """Return the properties with which clients, and they alone, are sent to the proxy.

    To itself, for the markers that end a transaction, the broker has a listener of its own, as the brokers of a cluster
    have: a fault between clients and broker is none between broker and broker.
    """
    own, controller = free_port(), free_port()
    ports = {"PLAINTEXT": port, "INTERNAL": own, "CONTROLLER": controller}
    return {
        "listeners": ",".join(f"{name}://{LOOPBACK}:{number}" for name, number in ports.items()),
        "advertised.listeners": f"PLAINTEXT://{advertised},INTERNAL://{LOOPBACK}:{own}",
        "inter.broker.listener.name": "INTERNAL",
        "controller.quorum.voters": f"{NODE_ID}@{LOOPBACK}:{controller}",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in ports),
    }
