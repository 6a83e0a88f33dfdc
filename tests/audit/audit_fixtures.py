"""An audit log in memory: blocks, checkpoints, and two witnesses that cosign them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cryptography.x509 import Certificate

from sharing.audit.block import SCHEMA, Commit, LogPlace, add_blocks, read_block, read_entry_id
from sharing.audit.checkpoint import Checkpoint, read_checkpoint
from sharing.audit.checkpoint_chain import CheckpointChain
from sharing.audit.checkpoint_record import (
    CheckpointRecord,
    EarlierCheckpoint,
    make_checkpoint_record,
    read_checkpoint_record,
)
from sharing.audit.checkpoint_verifier import CheckpointPolicy, KnownCheckpoint
from sharing.audit.compact_range import CompactRange
from sharing.audit.findings import AuditFinding
from sharing.audit.log_head import EMPTY_LOG, LogHead
from sharing.audit.origins import format_origin
from sharing.audit.proofs import compute_inclusion_proof
from sharing.audit.verification import LogReport, LogVerifier
from sharing.audit.witnessing import WitnessedLog, observe_checkpoint
from sharing.interop.entry_proof_file import EntryProof
from sharing.interop.entry_proofs import find_signers
from sharing.interop.message_proofs import KeyDocuments
from sharing.interop.proved_keys import ProvedKeys, prove_keys
from sharing.model.indicator import Indicator
from sharing.model.times import MINUTE_MS
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import HEADER_LENGTH, SINGLE_OBJECT_MARKER, get_codec
from sharing.sign.content_commitment import compute_commitments, derive_salts
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.root import Pin
from sharing.trust.signatures import SigningKey
from tests.audit.clock_tsa import get_service
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


SECRET, NONCE = b"s" * 32, b"n" * 16
"""The secret of the day on which the decisions were made, and the random bytes of their blocks."""


def make_content(number: int) -> bytes:
    """Return the item that a decision is about, in single-object encoding."""
    source = {"state": "CH", "agency": "police", "officer": "o-1", "authority": "POLICE"}
    fields = {"id": make_id(number), "type": "domain-name", "value": f"host{number}.example.org", "source": source}
    return get_codec("indicator").encode(Indicator.parse(fields).to_record())


def derive_block_salts(place: LogPlace, count: int) -> list[bytes]:
    """Return the salts of a block's commitments."""
    return derive_salts(SECRET, NONCE, format_origin(place), count)


def commit_to(entries: Sequence[bytes], item_salts: Mapping[int, bytes] = MappingProxyType({})) -> Commit | None:
    """Return what commits to the items that decisions are about; None for acts.

    Args:
        entries: The decisions or acts.
        item_salts: The salts that belong to the keys of drafts, by the number of the item.
    """
    if not entries or not entries[0].startswith(get_codec("decision").header):
        return None

    def commit(place: LogPlace, start: int, stop: int) -> tuple[bytes, list[bytes]]:
        numbers = [int(read_entry_id(entry, place.log)[-12:]) for entry in entries[start:stop]]
        derived = zip(numbers, derive_block_salts(place, len(numbers)), strict=True)
        salts = [item_salts.get(number, salt) for number, salt in derived]
        return NONCE, compute_commitments(salts, map(make_content, numbers))

    return commit


def repeat_commitments(commitments: bytes) -> Commit:
    """Return what commits with the given commitments, whatever the entries are about."""
    return lambda _place, start, stop: (NONCE, [commitments[32 * each : 32 * each + 32] for each in range(start, stop)])


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


def make_later_act(number: int, root: bytes | None = None) -> bytes:
    """Return such an act as a newer release writes it: its schema is not known here."""
    return SINGLE_OBJECT_MARKER + b"\x07" * 8 + make_act(number, root)[HEADER_LENGTH:] + b"\x00"


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
        stamp_roots: The roots of the time-stamping services that are trusted when it is verified.
        item_salts: The salts that belong to the keys of drafts, by the number of the item.
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
    stamp_roots: Sequence[Certificate] = ()
    item_salts: Mapping[int, bytes] = field(default_factory=dict)

    def add_batch(self, entries: int) -> None:
        """Write what a batch has decided, and let a second pass."""
        make = make_entry if self.place.log is AuditLogName.DECISIONS else make_act
        made = [make(self.written + number) for number in range(entries)]
        self.written += entries
        self.now += 1_000
        commit = commit_to(made, self.item_salts)
        for block, head in add_blocks(self.head, self.place, made, (), self.now, commit=commit):
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
        policy = CheckpointPolicy(
            keys or TRUSTED[self.place.state], witnesses, self.now + later, required, self.stamp_roots
        )
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


def stamp_checkpoints(world: World, *places: int, delay_ms: int = 2_000) -> None:
    """Let a service stamp cosigned checkpoints, all or those at these places, some time after they were signed."""
    service = get_service()
    world.stamp_roots = [service.root]
    for place, (offset, value) in enumerate(world.records):
        record = read_checkpoint_record(value)
        if not record.earlier or (places and place - 1 not in places):
            continue
        (earlier,) = record.earlier
        checkpoint = earlier.checkpoint
        stamp = service.stamp(checkpoint.note.text, checkpoint.signed_at + delay_ms)
        made = replace(record, earlier=(replace(earlier, time_stamp=stamp),))
        world.records[place] = offset, made.encode()


def rewrite(
    world: World, number: int, change: Callable[[list[bytes]], list[bytes]], *, commitments: bytes | None = None
) -> None:
    """Change the entries of a block, and write it and all blocks after it again, so that chain and roots fit again.

    Args:
        world: The log.
        number: Number of the block.
        change: Returns the changed entries.
        commitments: What the changed entries commit to; None for what they are about.
    """
    head, blocks = EMPTY_LOG, []
    for place, (offset, value) in enumerate(world.blocks):
        block = read_block(value)
        entries = change(list(block.entries)) if place == number else list(block.entries)
        ((made, head),) = add_blocks(
            head, world.place, entries, block.message_roots, block.written_at,
            commit=commit_to(entries) if commitments is None or place != number else repeat_commitments(commitments),
        )  # fmt: skip
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


def prove_all(documents: Mapping[str, KeyDocuments], checkpoint: Checkpoint) -> dict[str, ProvedKeys]:
    """Return what proves the keys that have signed a checkpoint."""
    return {state: prove_keys(each, find_signers(checkpoint.note, TRUSTED[state])) for state, each in documents.items()}


def make_proof(world: World, number: int, index: int, *, checkpoint: int | None = None) -> EntryProof:
    """Return the proof of an entry, under a witnessed checkpoint."""
    block = read_block(world.blocks[number][1])
    known, findings = world.read_checkpoints()
    assert not findings
    chosen = [each.checkpoint for each in known if each.witnessed_at is not None and each.checkpoint.size > number]
    leaves = [read_block(value).leaf for _, value in world.blocks]
    newest = chosen[0 if checkpoint is None else checkpoint]
    return EntryProof(
        block.entries[index], index, compute_inclusion_proof(block.hash_entries(), index),
        _HEADER + block.head, number, compute_inclusion_proof(leaves[: newest.size], number), newest,
        prove_all(make_pins_and_documents()[1], newest), commitment=block.get_commitment(index),
    )  # fmt: skip
