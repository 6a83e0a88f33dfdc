"""An audit log in memory: blocks, checkpoints, and two witnesses that cosign them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sharing.audit.block import SCHEMA, LogPlace, add_blocks, read_block
from sharing.audit.checkpoint import Checkpoint, read_checkpoint
from sharing.audit.checkpoint_chain import CheckpointChain, CheckpointPolicy, KnownCheckpoint
from sharing.audit.checkpoint_record import CheckpointRecord, EarlierCheckpoint, make_checkpoint_record
from sharing.audit.compact_range import CompactRange
from sharing.audit.findings import AuditFinding
from sharing.audit.log_head import EMPTY_LOG, LogHead
from sharing.audit.proofs import compute_inclusion_proof
from sharing.audit.verification import LogReport, LogVerifier
from sharing.audit.witnessing import WitnessedLog, observe_checkpoint
from sharing.interop.entry_proofs import EntryProof
from sharing.interop.message_proofs import KeyDocuments
from sharing.model.times import MINUTE_MS
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from sharing.sign.merkle_tree import hash_leaf
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.root import Pin
from sharing.trust.signatures import SigningKey
from tests.kafka.topic_io import fill_defaults
from tests.trust.trust_fixtures import NOW, make_keys, make_root, make_signer

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "60"))
PLACE = LogPlace("CH", AuditLogName.DECISIONS, 0)
WITNESSES = ("DE", "FR")
STATES = ("CH", *WITNESSES)
TRUSTED: dict[str, TrustedKeys] = {
    state: make_keys(make_root(state=state)[0], prefix=f"{state} ")[0] for state in STATES
}
GATE_KEYS = {state: make_signer(f"{state} gate 1") for state in STATES}

_HEADER = get_codec(SCHEMA).header


def make_entry(number: int) -> bytes:
    """Return the decision on an item, in single-object encoding."""
    recipient = {
        "state": "DE", "to_authority": "POLICE", "outcome": "DISCLOSE", "basis": "PCC-CH-DE",
        "condition_model": "ATTACHED_BINDING",
        "rules": [{"id": "ch.siag-12", "citation": "SIAG art. 12", "effect": "PERMIT"}], "undecided": [],
        "conditions": [], "approver": None, "obligation": False,
        "relevance": [{"kind": "NEXUS", "detail": "HOSTED"}], "redacted": [],
    }  # fmt: skip
    return get_codec("decision").encode(
        {
            "indicator_id": make_id(number), "version": 1, "amendment": 0, "decided_at": NOW + number, "state": "CH",
            "pack": {"state": "CH", "version": "2026.1", "sha256": "0" * 64}, "directory_version": "d" * 16,
            "recipients": [recipient],
        }
    )  # fmt: skip


def make_act(number: int, root: bytes | None = None) -> bytes:
    """Return the act that a receipt was recorded, in single-object encoding."""
    fields = {
        "kind": "RECEIPT_RECORDED", "item_id": make_id(number), "provider": "CH", "state": "CH", "at": NOW + number,
        "states": ["DE"], "root": root,
    }  # fmt: skip
    return get_codec("act").encode(fill_defaults("act", fields))


def make_id(number: int) -> str:
    """Return the id of an item."""
    return f"018f3c1e-7b1a-7c3d-8e2f-{number:012d}"


@dataclass
class World:
    """What is in the topics, and what the States know.

    Attributes:
        blocks: The records of the log: offset and value.
        records: The records of its checkpoints: offset and value.
        now: The clock, in UTC milliseconds.
    """

    place: LogPlace = PLACE
    blocks: list[tuple[int, bytes]] = field(default_factory=list)
    records: list[tuple[int, bytes]] = field(default_factory=list)
    now: int = NOW
    head: LogHead = EMPTY_LOG
    before: CompactRange = field(default_factory=CompactRange)
    added: CompactRange = field(default_factory=CompactRange)
    earlier: list[EarlierCheckpoint] = field(default_factory=list)
    seen: dict[str, WitnessedLog | None] = field(default_factory=dict)
    written: int = 0
    signers: Mapping[str, SigningKey] = field(default_factory=lambda: GATE_KEYS)
    trusted: Mapping[str, TrustedKeys] = field(default_factory=lambda: TRUSTED)

    def add_batch(self, entries: int) -> None:
        """Write what a batch has decided, and let a second pass."""
        make = make_entry if self.place.log is AuditLogName.DECISIONS else make_act
        made = [make(self.written + number) for number in range(entries)]
        self.written += entries
        self.now += 1_000
        for block, head in add_blocks(self.head, self.place, made, (), self.now):
            self.blocks.append((2 * len(self.blocks), _HEADER + block.encode_unframed()))
            self.added = self.added.append(block.leaf)
            self.head = head

    def make_checkpoint(self) -> CheckpointRecord:
        """Write a checkpoint, which gets no cosignature yet."""
        self.now += MINUTE_MS
        key = self.signers[self.place.state]
        record = make_checkpoint_record(self.place, self.before, self.added, self.now, key, earlier=self.earlier)
        self.before, self.earlier = self.before.merge(self.added), []
        self.added = CompactRange(self.before.end, self.before.end)
        self.records.append((len(self.records), record.encode()))
        return record

    def cosign(self, record: CheckpointRecord, witnesses: Sequence[str] = WITNESSES) -> Checkpoint:
        """Let witnesses cosign a checkpoint; the next record carries what they signed."""
        checkpoint = record.checkpoint
        for state in set(witnesses) - {self.place.state}:
            log = self.seen.get(state)
            observation = observe_checkpoint(log, record, self.trusted[self.place.state], self.now, self.trusted)
            self.seen[state] = observation.log
            note = observation.cosign(state, self.signers[state], self.now + 1_000)
            assert note is not None, observation.reason
            checkpoint = replace(checkpoint, note=checkpoint.note.add(read_checkpoint(note).note.signatures))
        self.earlier.append(EarlierCheckpoint(checkpoint))
        return checkpoint

    def verify(
        self,
        *,
        required: int = 2,
        elsewhere: Sequence[Checkpoint] = (),
        keys: TrustedKeys | None = None,
        later: int = 2_000,
    ) -> LogReport:
        """Verify what is in the topics; the findings of checkpoints come first."""
        known, findings = self.read_checkpoints(required=required, elsewhere=elsewhere, keys=keys, later=later)
        verifier = LogVerifier(self.place, known, required=required)
        for offset, value in self.blocks:
            verifier.receive(offset, value)
        report = verifier.finish(self.now + later)
        return replace(report, findings=(*findings, *report.findings))

    def read_checkpoints(
        self,
        *,
        required: int = 2,
        elsewhere: Sequence[Checkpoint] = (),
        keys: TrustedKeys | None = None,
        later: int = 2_000,
    ) -> tuple[list[KnownCheckpoint], list[AuditFinding]]:
        """Return the checkpoints that count, and what is wrong with the records."""
        witnesses = {state: TRUSTED[state] for state in WITNESSES}
        policy = CheckpointPolicy(keys or TRUSTED[self.place.state], witnesses, self.now + later, required)
        chain = CheckpointChain(self.place, policy)
        for offset, value in self.records:
            chain.receive(offset, value)
        chain.add_seen(elsewhere)
        return chain.finish(), chain.findings


def make_world(batches: int = 12, entries: int = 7, each: int = 3, place: LogPlace = PLACE) -> World:
    """Return a log with a checkpoint after each few batches, all of them cosigned; the last record says so."""
    return fill_world(World(place), batches, entries, each)


def fill_world(world: World, batches: int = 12, entries: int = 7, each: int = 3) -> World:
    """Add batches and checkpoints to a log, and return it."""
    for number in range(batches):
        world.add_batch(entries)
        if number % each == each - 1 or number == batches - 1:
            world.cosign(world.make_checkpoint())
    world.make_checkpoint()
    return world


def rewrite(world: World, number: int, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the entries of a block, and write it and all blocks after it again, so that chain and roots fit again."""
    head, blocks = EMPTY_LOG, []
    for place, (offset, value) in enumerate(world.blocks):
        block = read_block(value)
        entries = change(list(block.entries)) if place == number else list(block.entries)
        ((made, head),) = add_blocks(head, world.place, entries, block.message_roots, block.written_at)
        blocks.append((offset, _HEADER + made.encode_unframed()))
    world.blocks = blocks


def make_pins_and_documents() -> tuple[dict[str, Pin], dict[str, KeyDocuments]]:
    """Return the pinned roots, and what proves the keys, of the State and of its witnesses."""
    pins, documents = {}, {}
    for state in STATES:
        root, data = make_root(state=state)
        pins[state] = root.to_pin()
        documents[state] = KeyDocuments(roots=[data], statement=make_keys(root, prefix=f"{state} ")[1])
    return pins, documents


def make_proof(world: World, number: int, index: int, *, checkpoint: int | None = None) -> EntryProof:
    """Return the proof of an entry, under a witnessed checkpoint."""
    block = read_block(world.blocks[number][1])
    known, findings = world.read_checkpoints()
    assert not findings
    chosen = [each.checkpoint for each in known if each.witnessed_at is not None and each.checkpoint.size > number]
    leaves = [read_block(value).leaf for _, value in world.blocks]
    newest = chosen[0 if checkpoint is None else checkpoint]
    return EntryProof(
        block.entries[index], index, compute_inclusion_proof(list(map(hash_leaf, block.entries)), index),
        _HEADER + block.head, number, compute_inclusion_proof(leaves[: newest.size], number), newest,
        make_pins_and_documents()[1],
    )  # fmt: skip
