"""A complete bus on one machine for fault injection: brokers behind proxies, and the processes of three States."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sharing.directory.state_chain import KEYS_KEY
from sharing.kafka.directory_topic import parse_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.testing.samples import sample_directory
from sharing.topology.topics import (
    AMENDMENTS,
    DIRECTORY,
    DRAFTS,
    NOTICES,
    OFFERS,
    REPLIES,
    RULINGS,
    URGENT,
    list_topics,
)
from sharing.trust.documents import read_document
from sharing.trust.key_statement import KeyStatement
from sharing.trust.signatures import ObjectKind
from tests.faults import bad_records
from tests.faults.agency import read_numbers
from tests.faults.children import ChildProcess, make_child_environment
from tests.faults.cluster import BrokerCluster, BrokerNode
from tests.faults.contents import DeletedLog
from tests.faults.gate_process import PARTITIONS, GateProcess, prepare_topics
from tests.faults.gate_process import STATES as ALL_STATES
from tests.faults.group_offsets import GateOffsets
from tests.faults.records import read_topic
from tests.faults.schedule import BROKERS, SESSION_S, STATES
from tests.faults.sealed.officers import list_officers
from tests.faults.supervised_processes import SupervisedProcesses
from tests.faults.workload import make_item
from tests.secure.secure_officers import enter_officers
from tests.secure.secure_states import SecureStates, make_states

RULINGS_PER_S = 5.0
"""By the officers of one State."""
NETWORK = "net"
BROKER = "broker"
"""What faults are repaired together."""

GATE_SETTINGS = {
    "session_timeout_ms": str(int(SESSION_S * 1_000)),
    "transaction_timeout_ms": "4000",
    # Small batches, so that a transaction is in progress nearly all the time.
    "batch_records_max": "10",
    # A State that was removed from the directory by a fault is back as soon as it is announced again.
    "directory_interval_ms": "500",
}
SYNC_S = 60.0
_SUBPACKAGES = {"officers": "sealed.officers"}
IN_SYNC = "all replicas are in sync"


class Bus(SupervisedProcesses):
    """A running bus: started on entry; on exit every process is ended, even after an exception.

    Args:
        folder: Folder for all files; created, or empty.
        seed: Seed of the indicators that the agencies publish.
        per_second: Indicators per second and State.
        brokers: Number of brokers.
        secure: Whether the States have keys: everything is sealed and signed, and subscribers read the inbox.

    Attributes:
        states: The keys of the States; None without.
        recipients: The States that may receive something.
        cluster: The brokers.
        gates, agencies, partners, officers: The processes, by State. Officers only with keys.
        extra_workers: Second workers of gates, by State.
        offsets: The offsets of the gates, by State.
        deleted_logs: The input topics that were deleted, by State.
        directory_bombs: Offsets of unreadable records in directory topics, by State.
        not_injected: Descriptions of faults that could not be injected, which says nothing about the bus.
    """

    def __init__(
        self, folder: Path, seed: int, per_second: int = 40, *, brokers: int = BROKERS, secure: bool = False
    ) -> None:
        super().__init__()
        self.seed = seed
        self.states: SecureStates | None = None
        self.recipients = STATES if secure else ALL_STATES
        self.inbox_offsets: dict[str, list[GateOffsets]] = {}
        self._is_secure = secure
        self.cluster = BrokerCluster(folder, brokers)
        self.gates: dict[str, ChildProcess] = {}
        self.extra_workers: dict[str, ChildProcess] = {}
        self.agencies: dict[str, ChildProcess] = {}
        self.partners: dict[str, ChildProcess] = {}
        self.officers: dict[str, ChildProcess] = {}
        self.offsets: dict[str, GateOffsets] = {}
        self.deleted_logs: dict[str, list[DeletedLog]] = {state: [] for state in STATES}
        self.directory_bombs: dict[str, list[int]] = {state: [] for state in STATES}
        self.not_injected: list[str] = []
        self._folder = folder
        self._per_second = per_second
        self._stack = ExitStack()

    @property
    def bootstrap(self) -> str:
        """Bootstrap servers for clients: the proxies."""
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

    def get_journal(self, role: str, state: str) -> Path:
        """Return the file in which a publisher or a subscriber records finished items."""
        return self._folder / f"{role}-{state.lower()}.journal"

    def get_clock_file(self, state: str) -> Path:
        """Return the file with the number of days by which the clock of a State's gate is wrong, while it is wrong."""
        return self._folder / f"clock-{state.lower()}.days"

    def get_trigger_file(self, name: str) -> Path:
        """Return the file that says at which step the worker with this name must die, while it must."""
        return self._folder / f"{name}.die"

    def make_gate(self, state: str, instance: str, suffix: str = "") -> ChildProcess:
        """Return a worker of a State's gate, not yet started."""
        name = f"gate-{state.lower()}-{instance}{suffix}"
        program = [sys.executable, "-m", "tests.processors.health.skewed_gate", str(self.get_clock_file(state))]
        settings = GATE_SETTINGS
        if self.states is not None:
            program[2:] = ["tests.faults.sealed.dying_worker", str(self.get_trigger_file(name))]
            settings = {**GATE_SETTINGS, **self.states.make_settings(state)}
        gate = GateProcess(
            self.bootstrap, state, self._folder, name=name, program=program, instance=instance, **settings
        )
        self.add_process(gate)
        return gate

    def start_broker(self, node: BrokerNode) -> None:
        """Start a broker if it is not running."""
        self.repair("net")  # starting takes a while, during which nothing is repaired
        node.start()

    def find_accepted(self, state: str) -> frozenset[tuple[str, int]]:
        """Return id and version of the indicators that were confirmed to a State's publisher so far."""
        numbers = read_numbers(self.get_journal("agency", state))
        items = (make_item(self.seed, state, number) for number in numbers)
        return frozenset((indicator.id, indicator.version) for indicator in items)

    def read_gate_logs(self, state: str) -> str:
        """Return the logs of all workers that a State's gate ever had."""
        logs = sorted(self._folder.glob(f"gate-{state.lower()}-*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    def list_logs(self, state: str) -> list[Path]:
        """Return the logs of all processes that a State ever had."""
        return [
            log
            for role in ("gate", "agency", "partner", "officers")
            for log in self._folder.glob(f"{role}-{state.lower()}*.log")
        ]

    def has_published(self, state: str, version: int) -> bool:
        """Return whether a State's key statement of this version, or a later one, is in its directory topic."""
        for message in read_topic(self.bootstrap, DIRECTORY, state, decode=False):
            if message.key == KEYS_KEY.encode():
                _, statement = read_document(message.raw, ObjectKind.KEYS, KeyStatement)
                if statement.version >= version:
                    return True
        return False

    def wait_until_healthy(self) -> None:
        """Repair all faults, and wait until all replicas are in sync."""
        self.repair()
        self.wait_until(self.cluster.is_in_sync, IN_SYNC, SYNC_S)

    def publish_poison(self, state: str, records: Iterable[tuple[str, tuple[bytes, bytes]]]) -> None:
        """Publish invalid records to a State's topic, each with its cause in a header; some may fail to arrive."""
        bad_records.publish_poison(self.bootstrap, state, records)

    def publish_raw(self, topic: str, key: bytes, value: bytes, partition: int, cause: str) -> None:
        """Write a record; with a cause, one that must be refused for it."""
        if not bad_records.publish_raw(self.bootstrap, topic, key, value, partition, cause):
            self.not_injected.append(f"a record for {topic} was not confirmed")

    def publish_bomb(self, topic: str, partition: int, key: bytes, codec: str) -> int | None:
        """Publish a record of zeros that inflates to more than any client accepts; return its offset if it arrives."""
        return bad_records.publish_bomb(self.bootstrap, topic, partition, key, codec)

    def list_offsets(self, state: str) -> list[GateOffsets]:
        """Return the offsets of all topics that a State's worker reads."""
        return [self.offsets[state], *self.inbox_offsets.get(state, [])]

    def count_unopened(self, state: str) -> int:
        """Return the number of records that a State's conversation, or its gate after it, has not processed.

        -1 if the broker does not answer.
        """
        counts = [offsets.count_unprocessed() for offsets in self.inbox_offsets[state]]
        return -1 if -1 in counts else sum(counts)

    def _start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(self.cluster)
        self._stack.callback(self.end_processes)
        if self._is_secure:
            self._prepare_secure()
        else:
            prepare_topics(self.bootstrap, replication=self.cluster.size)
        for state in STATES:
            self.offsets[state] = GateOffsets(self.bootstrap, state)
            self.gates[state] = self.make_gate(state, "0")
            publishing, reading = self._make_client_keys(state)
            self.agencies[state] = self._make_child(
                "agency", state, seed=self.seed, per_second=self._per_second, **publishing
            )
            self.partners[state] = self._make_child("partner", state, session_ms=int(SESSION_S * 1_000), **reading)
            if self.states is not None:
                self.officers[state] = self._make_child(
                    "officers", state, seed=self.seed, per_second=RULINGS_PER_S, folder=str(self.states[state].folder)
                )
        self.start_processes()

    def _prepare_secure(self) -> None:
        """Make keys, create the topics of the States, and announce signed entries."""
        self.states = make_states(self._folder / "states", STATES)
        apply_topics(self.bootstrap, list_topics(STATES, PARTITIONS), self.cluster.size)
        for state in STATES:
            enter_officers(self.bootstrap, self.states[state], list_officers(state))
        self.states.announce(self.bootstrap, parse_entries(*sample_directory()))
        kinds = (NOTICES, URGENT, OFFERS, REPLIES, RULINGS, DRAFTS)
        for state in STATES:
            amendments, *others = [GateOffsets(self.bootstrap, state) for _ in range(1 + len(kinds))]
            amendments.topic = AMENDMENTS.topic(state)
            for offsets, kind in zip(others, kinds, strict=True):
                offsets.topic, offsets.group = kind.topic(state), f"{offsets.group}.inbox"
            self.inbox_offsets[state] = [amendments, *others]

    def _make_client_keys(self, state: str) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Return what a publisher and a subscriber need to seal and to open."""
        if self.states is None:
            return {}, {}
        # The readers' own file of pins: no fault takes anything from it.
        trust_file = str(self.states.trust_file)
        return {"trust_file": trust_file}, {"reader": [*map(str, self.states[state].reader_files), trust_file]}

    def _make_child(self, role: str, state: str, **extra: Any) -> ChildProcess:
        arguments = {
            "bootstrap": self.bootstrap,
            "state": state,
            "journal": str(self.get_journal(role, state)),
            **extra,
        }
        command = [sys.executable, "-m", f"tests.faults.{_SUBPACKAGES.get(role, role)}", json.dumps(arguments)]
        child = ChildProcess(f"{role}-{state.lower()}", command, make_child_environment(), self._folder)
        self.add_process(child)
        return child
