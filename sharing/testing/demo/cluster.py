"""What a demonstration stands on: a broker, its topics, the directory, and a gate for each State."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sharing.errors import InfrastructureError
from sharing.kafka.directory_topic import announce
from sharing.kafka.topic_admin import apply_topics
from sharing.model.directory import DirectoryEntry
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.secure import SecureKafka
from sharing.topology.acls import Principal
from sharing.topology.partners import Partners
from sharing.topology.topics import Role

STOP_SECONDS_MAX = 15.0


class DemoCluster:
    """Broker and gates, from entry to exit; nothing is left running.

    Args:
        broker: `embedded` or `kafka`.
        states: The States whose gates run.
        entries: What the States announce.
        tell: Told what is being done.
        secure: With `kafka`: each party with a certificate of its own, and nothing but its rights.
    """

    def __init__(
        self,
        broker: str,
        states: Iterable[str],
        entries: Iterable[DirectoryEntry],
        tell: Callable[[str], None],
        *,
        secure: bool = False,
    ) -> None:
        self.kind = broker
        self.states = tuple(states)
        self.entries = tuple(entries)
        self.bootstrap = ""
        self._secure = secure
        self._wall: SecureKafka | None = None
        self._tell = tell
        self._stack = ExitStack()
        self._gates: dict[str, subprocess.Popen[bytes]] = {}
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

    def client(self, role: Role, state: str = "") -> dict[str, str]:
        """Return the properties by which a party connects: with its own certificate, where there are any."""
        return self._wall.broker.client(Principal(role, state).name) if self._wall is not None else {}

    def check(self) -> None:
        """Raise when a gate has ended.

        Raises:
            InfrastructureError: With the last lines of its log.
        """
        for state, gate in self._gates.items():
            if gate.poll() is not None:
                tail = "\n".join(self._logs[state].read_text(errors="replace").splitlines()[-12:])
                raise InfrastructureError(f"the gate of {state} ended with code {gate.returncode}:\n{tail}")

    def _start(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sharing-demo-")))
        partners = Partners.of((entry.state for entry in self.entries), partitions=2)
        topics = partners.topics
        if self.kind == "embedded":
            self._tell("starting the embedded broker")
            embedded = self._stack.enter_context(EmbeddedBroker())
            self.bootstrap = embedded.bootstrap
            for topic in topics.values():
                embedded.create_topics([topic.name], partitions=topic.partitions)
        elif self._secure:
            self._tell("starting Apache Kafka, with certificates for everyone")
            self._wall = SecureKafka(folder / "kafka", partners, on_progress=self._tell)
            self._stack.callback(self._wall.broker.stop)
            self._wall.start()
            self.bootstrap = self._wall.broker.bootstrap
        else:
            self._tell("starting Apache Kafka")
            kafka = self._stack.enter_context(KafkaBroker(folder / "kafka", on_progress=self._tell))
            self.bootstrap = kafka.bootstrap
            apply_topics(self.bootstrap, topics, replication=1)
        for entry in self.entries:
            announce(self.bootstrap, entry, self.client(Role.CONSOLE, entry.state))
        self._tell(f"starting the gates of {', '.join(self.states)}")
        self._stack.callback(self._stop_gates)
        for state in self.states:
            self._start_gate(state, folder)

    def _start_gate(self, state: str, folder: Path) -> None:
        log = self._logs[state] = folder / f"gate-{state.lower()}.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHARING_")},
            "SHARING_STATE": state,
            "SHARING_BOOTSTRAP": self.bootstrap,
            **(self._wall.environment(Principal(Role.GATE, state).name) if self._wall is not None else {}),
        }
        with log.open("wb") as stream:
            gate = subprocess.Popen(  # our own interpreter and module
                [sys.executable, "-m", "processors"], env=environment, stdout=stream, stderr=subprocess.STDOUT
            )
        self._gates[state] = gate

    def _stop_gates(self) -> None:
        for gate in self._gates.values():
            gate.terminate()
        for gate in self._gates.values():
            try:
                gate.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                gate.kill()
                gate.wait()
