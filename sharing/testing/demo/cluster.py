"""The processes of a demo: a broker with topics and directory, and a worker of each State, which has keys."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sharing.directory.announcements import encode_entry
from sharing.errors import InfrastructureError
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.kafka.topic_admin import apply_topics
from sharing.model.directory import DirectoryEntry
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import find_free_port
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.testing.demo.keys import DemoKeys, make_demo_keys
from sharing.testing.demo.officers import OFFICER_NUMBERS, DemoOfficer, register_officers
from sharing.testing.demo.standing import ACCEPTING, accept_beforehand
from sharing.topology.acls import Principal
from sharing.topology.partners import Partners
from sharing.topology.topic_kinds import Role
from sharing.topology.witnesses import choose_witnesses

STOP_SECONDS_MAX = 15.0


class DemoCluster:
    """A broker and workers that run from entry to exit of the context manager.

    Args:
        broker: `embedded` or `kafka`.
        states: The States that publish.
        entries: What the States announce.
        on_progress: Called with a description of each step.
        secure: With `kafka`: mutual TLS and ACLs, with a certificate for each principal.
        worker_settings: Further settings of the workers, by State: the variables and their values.

    Attributes:
        keys: The keys of the States.
        officers: Two officers of each State.
        ports: The port of each worker's metrics.
    """

    def __init__(
        self,
        broker: str,
        states: Iterable[str],
        entries: Iterable[DirectoryEntry],
        on_progress: Callable[[str], None],
        *,
        secure: bool = False,
        worker_settings: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.kind = broker
        self.states = tuple(states)
        self.entries = tuple(entries)
        self.bootstrap = ""
        self.keys = DemoKeys({}, Path())
        self.officers: dict[str, tuple[DemoOfficer, ...]] = {}
        self.ports: dict[str, int] = {}
        self._secure = secure
        self._worker_settings = dict(worker_settings or {})
        self._secure_kafka: SecureKafka | None = None
        self._on_progress = on_progress
        self._stack = ExitStack()
        self._gates: dict[str, subprocess.Popen[bytes]] = {}
        self._environments: dict[str, dict[str, str]] = {}
        self._logs: dict[str, Path] = {}

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

    def client_properties(self, role: Role, state: str = "") -> dict[str, str]:
        """Return the librdkafka properties of a principal: its TLS files, or {} without security."""
        if self._secure_kafka is None:
            return {}
        return self._secure_kafka.broker.client_properties(Principal(role, state).name)

    def super_user_properties(self) -> dict[str, str]:
        """Return the librdkafka properties of the cluster's super user, whom no ACL stops; {} without security."""
        return {} if self._secure_kafka is None else self._secure_kafka.broker.client_properties()

    def process_settings(self, principal: Principal) -> dict[str, str]:
        """Return the settings by which a process reaches the broker as a principal."""
        if self._secure_kafka is None:
            return {"SHARING_BOOTSTRAP": self.bootstrap}
        return self._secure_kafka.environment(principal.name)

    def check_gates(self) -> None:
        """Check that every gate is running.

        Raises:
            InfrastructureError: A gate has ended; the message has the last lines of its log.
        """
        for state, gate in self._gates.items():
            if gate.poll() is not None:
                tail = "\n".join(self._logs[state].read_text(errors="replace").splitlines()[-12:])
                raise InfrastructureError(f"the gate of {state} ended with code {gate.returncode}:\n{tail}")

    def restart_ended_gates(self) -> None:
        """Start again each gate that has ended, as the supervisor of its State would: without a broker, they end."""
        for state, gate in self._gates.items():
            if gate.poll() is not None:
                self._gates[state] = _run_gate(self._logs[state], self._environments[state])

    def _start(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sharing-demo-")))
        partners = Partners.from_states((entry.state for entry in self.entries), partitions=2)
        topics = partners.topics
        if self.kind == "embedded":
            self._on_progress("starting the embedded broker")
            embedded = self._stack.enter_context(EmbeddedBroker())
            self.bootstrap = embedded.bootstrap
            for topic in topics.values():
                embedded.create_topics([topic.name], partitions=topic.partitions)
        elif self._secure:
            self._on_progress("starting Apache Kafka with mutual TLS")
            self._secure_kafka = SecureKafka(folder / "kafka", partners, on_progress=self._on_progress)
            self._stack.callback(self._secure_kafka.broker.stop)
            self._secure_kafka.start()
            self.bootstrap = self._secure_kafka.broker.bootstrap
        else:
            self._on_progress("starting Apache Kafka")
            kafka = self._stack.enter_context(KafkaBroker(folder / "kafka", on_progress=self._on_progress))
            self.bootstrap = kafka.bootstrap
            apply_topics(self.bootstrap, topics, replication=1)
        self._on_progress("making root keys, online keys and readers of each State, and its register of officers")
        self.keys = make_demo_keys((entry.state for entry in self.entries), folder / "states")
        with ThreadPoolExecutor(len(self.entries)) as threads:  # they wait for the broker most of the time
            list(threads.map(self._announce, self.entries))
        self._on_progress(f"starting the workers of {', '.join(self.keys.states)}")
        self._stack.callback(self._stop_gates)
        for state in self.keys.states:
            self._start_gate(state, folder)

    def _announce(self, entry: DirectoryEntry) -> None:
        properties = self.client_properties(Role.CONSOLE, entry.state)
        own = self.keys.states[entry.state]
        ids = [f"{entry.state.lower()}-{number}" for number in OFFICER_NUMBERS]
        self.officers[entry.state] = officers = register_officers(self.bootstrap, own, ids, properties)
        if entry.state == ACCEPTING:
            entry = accept_beforehand(entry, officers[0])
        DirectoryWriter(self.bootstrap, own.online, properties).announce(encode_entry(entry))

    def _start_gate(self, state: str, folder: Path) -> None:
        log = self._logs[state] = folder / f"gate-{state.lower()}.log"
        secure = self.process_settings(Principal(Role.GATE, state))
        self.ports[state] = find_free_port()
        secure |= {**self.keys.environment(state), "SHARING_WEB_PORT": str(self.ports[state])}
        secure |= {**self._choose_witnesses(state), **self._worker_settings.get(state, {})}
        if self.kind == "embedded":
            secure["SHARING_TRUST_WRITERS_TIME"] = "true"  # it stamps no records
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHARING_")},
            "SHARING_STATE": state,
            **secure,
        }
        self._environments[state] = environment
        self._gates[state] = _run_gate(log, environment)

    def _choose_witnesses(self, state: str) -> dict[str, str]:
        """Return the settings that say who cosigns the checkpoints of a State, and whose it cosigns."""
        chosen = {each: choose_witnesses(self.keys.states, each) for each in self.keys.states}
        return {
            "SHARING_WITNESSES": ",".join(chosen[state]),
            "SHARING_WITNESS_FOR": ",".join(each for each in chosen if state in chosen[each]),
        }

    def _stop_gates(self) -> None:
        for gate in self._gates.values():
            gate.terminate()
        for gate in self._gates.values():
            try:
                gate.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                gate.kill()
                gate.wait()


def _run_gate(log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("ab") as stream:
        return subprocess.Popen(  # this interpreter and an own module
            [sys.executable, "-m", "processors"], env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
