"""Three States with logs, topics of checkpoints and witnesses, without Kafka and without sealing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from processors.audit.checkpoint_writer import CHECKPOINT_INTERVAL_MS, CheckpointWriter
from processors.audit.log_writer import BatchLog
from processors.audit.time_stamp_source import TimeStampSource
from processors.audit.witness import Witness
from processors.audit.witness_keys import WitnessKeys
from processors.audit.witness_result import WitnessResult
from processors.audit.witness_state import WitnessStore
from processors.exactly_once.batch import Batch, OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint
from processors.exactly_once.state_store_backends import MemoryStore
from processors.inbox.refusals import RefusalError
from sharing.model.vocabulary import AuditLogName
from sharing.rulings.reply import ReplyMessage
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.topology.topics import CHECKPOINTS, DECISIONS
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys
from tests.trust.trust_fixtures import NOW, make_keys, make_root, make_signer

STATES = ("CH", "DE", "FR")
TRUSTED: dict[str, TrustedKeys] = {
    state: make_keys(make_root(state=state)[0], prefix=f"{state} ")[0] for state in STATES
}
GATE_KEYS = {state: make_signer(f"{state} gate 1") for state in STATES}


@dataclass(frozen=True)
class Record:
    """A record of a topic."""

    name: str
    number: int
    place: int
    data: bytes | None

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.place

    def key(self) -> bytes | None:
        return b"key"

    def value(self) -> bytes | None:
        return self.data

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (2, NOW)


@dataclass
class Worker:
    """The worker of a State: a gate's loop, which writes the log, and what witnesses others.

    Attributes:
        topic: The records of its topic of checkpoints, as they were written.
        blocks: How many blocks its log has.
        results: What became of the batches of its conversation.
        errors: Why replies were refused.
    """

    state: str
    world: World
    gate_store: MemoryStore = field(default_factory=MemoryStore)
    store: MemoryStore = field(default_factory=MemoryStore)
    topic: list[Record] = field(default_factory=list)
    quarantined: list[OutputRecord] = field(default_factory=list)
    results: list[WitnessResult] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)
    arrived: list[ReplyMessage] = field(default_factory=list)
    sent: list[ReplyMessage] = field(default_factory=list)
    blocks: int = 0
    stamps: TimeStampSource | None = None

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget everything that is not in the state store."""
        others = [other for other in STATES if other != self.state]
        self.witness = Witness(self.state, others, SINGLE_OBJECT_FRAMING, stamps=self.stamps)
        self.writer = CheckpointWriter(self.state, AuditLogName.DECISIONS)

    def write_blocks(self, count: int = 1) -> None:
        """Let the gate decide on something, and sign one checkpoint of it a minute later."""
        for blocks in (count, 0):
            self.world.now += CHECKPOINT_INTERVAL_MS
            view = Overlay({0: self.gate_store})
            batch = Batch([], self.world.now, {}, store_view=view)
            outputs = list(self.writer.write_due(batch, GATE_KEYS[self.state]))
            log = BatchLog(self.state, AuditLogName.DECISIONS, batch, add_leaves=self.writer.add_leaves)
            for _ in range(blocks):
                self.blocks += 1
                outputs += log.add_entries({0: [b"entry %d of %d" % (self.blocks, id(self))]})
            self.commit(view, self.gate_store, outputs)

    def copy(self) -> Worker:
        """Return somebody who has this State's key and its log so far, and goes on with another history."""
        other = Worker(self.state, self.world)
        other.gate_store.apply_changes(list(self.gate_store.items()), Checkpoint(0, 0))
        other.topic, other.blocks = list(self.topic), self.blocks + 1_000
        return other

    def commit(self, view: Overlay, store: MemoryStore, outputs: Iterable[OutputRecord]) -> None:
        for changes in view.freeze().values():
            store.apply_changes(changes.items(), Checkpoint(0, 0))
        for output in outputs:
            if output.topic == CHECKPOINTS.topic(self.state):
                self.topic.append(Record(output.topic, output.partition, len(self.topic), output.value))
            elif output.topic != DECISIONS.topic(self.state):
                self.quarantined.append(output)

    def converse(self, *, dies: bool = False) -> None:
        """Process what has arrived: checkpoints of all States, and replies."""
        view, result = Overlay({0: self.store}), WitnessResult()
        keys = WitnessKeys(TRUSTED, GATE_KEYS[self.state], STATES)
        batch = self.witness.open_batch(view, keys, self.world.now, result)
        read = dict(self.read)
        for state in STATES:
            records = self.world.show(self.state, state)
            for record in records[read.get(state, 0) :]:
                batch.process_record(record)
            read[state] = len(records)
        errors: list[Exception] = []
        for reply in self.arrived:
            try:
                batch.process_reply(Record("exchange.xx.replies", 0, 0, None), reply)
            except (RefusalError, TrustError) as error:
                errors.append(error)
        batch.finish()
        batch.measure()
        replies = [reply for _, reply in batch.take_replies()]
        if dies:
            self.restart()
            return
        self.commit(view, self.store, batch.take_outputs())
        self.read, self.arrived = read, []
        self.errors += errors
        self.results.append(result)
        self.sent += replies
        for reply in replies:
            self.world.workers[reply.to_state].arrived.append(reply)

    def count(self, name: str) -> int:
        """Return how often something was seen."""
        return sum(count for result in self.results for (_, what), count in result.sightings.items() if what == name)

    def open_store(self) -> WitnessStore:
        return WitnessStore(Overlay({0: self.store}), self.witness.memory)


@dataclass
class World:
    """All States; and what a malicious operator shows instead of a topic, by reader and State."""

    now: int = NOW
    shown: dict[tuple[str, str], Worker] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.workers = {state: Worker(state, self) for state in STATES}

    def show(self, reader: str, state: str) -> list[Record]:
        """Return the topic of a State as a reader is shown it."""
        return self.shown.get((reader, state), self.workers[state]).topic

    def settle(self) -> None:
        """Let all workers process what arrives, until nothing arrives any more."""
        for _ in range(10):
            before = [(len(worker.topic), len(worker.sent)) for worker in self.workers.values()]
            for worker in self.workers.values():
                worker.converse()
            if before == [(len(worker.topic), len(worker.sent)) for worker in self.workers.values()]:
                return
        raise AssertionError("replies go back and forth for ever")
