"""Measures the audit log: verifying it, finding one entry among ten million, and proving it.

`python -m tests.bench.audit_log [ENTRIES]`; no broker is needed. Times are processor time of one core. What is verified
has decisions as they are, in blocks of 400 kB with a checkpoint after each ten, two cosignatures included. For the
proof, the index of the log has so many entries; their ids are random, and its file is read as it is by the command.
Reading one block from the broker is not in it.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from sharing.audit.block import SCHEMA, read_block, read_entry_id
from sharing.audit.compact_range import CompactRange
from sharing.audit.cosignature import WITNESSES_DEFAULT
from sharing.audit.log_head import EMPTY_LOG
from sharing.audit.proofs import compute_inclusion_proof
from sharing.interop.entry_proof_file import EntryProof, read_entry_proof
from sharing.interop.entry_proofs import check_entry_proof
from sharing.kafka.audit_index import _ENTRY_BYTES, _ROW_BYTES, FOLDER_NAME, LogIndex, _hash_id
from sharing.serialization.codec import get_codec
from sharing.sign.merkle_tree import hash_leaf
from tests.audit.audit_fixtures import (
    GATE_KEYS,
    PLACE,
    TRUSTED,
    World,
    fill_world,
    make_id,
    make_pins_and_documents,
    prove_all,
)
from tests.bench.figures import print_line

ENTRIES: Final = 10_000_000
BLOCK_ENTRIES: Final = 1_000
VERIFIED_BATCHES: Final = 200
TURNS: Final = 20
_NO_ENTRIES: Final = b"\x00\x00"
"""What follows the head of a block without entries and commitments."""


def measure_verification(batches: int = VERIFIED_BATCHES) -> dict[str, float]:
    """Return how many decisions a second are verified on one core, and how many bytes."""
    world = fill_world(World(), batches, BLOCK_ENTRIES, 10)
    size = sum(len(value) for _, value in world.blocks)
    started = time.process_time()
    report = world.verify()
    seconds = time.process_time() - started
    if not report.is_ok or report.witnessed != batches * BLOCK_ENTRIES:
        raise ValueError("a log that nobody altered was not verified")
    return {"decisions_per_s": report.records / seconds, "mb_per_s": size / seconds / 1e6}


def measure_growth(blocks: int = 20_000) -> dict[str, float]:
    """Return what the tree and the checkpoints cost, in microseconds: for each block, and for each checkpoint."""
    leaves = [hash_leaf(number.to_bytes(4, "big")) for number in range(blocks)]
    head = EMPTY_LOG
    started = time.process_time()
    for leaf in leaves:
        head = head.add_block(leaf, BLOCK_ENTRIES)
    per_block = (time.process_time() - started) / blocks
    world = fill_world(World(), 1, 1, 1)
    started = time.process_time()
    for _ in range(TURNS):
        world.make_checkpoint()
    return {"block_us": per_block * 1e6, "checkpoint_us": (time.process_time() - started) / TURNS * 1e6}


def measure_proof(entries: int = ENTRIES) -> dict[str, float]:
    """Return how long it takes to find and to prove one entry among so many, and how long the proof is."""
    world = fill_world(World(), 1, BLOCK_ENTRIES, 1)
    block = read_block(world.blocks[0][1])
    blocks = entries // BLOCK_ENTRIES
    rng = random.Random(7)
    number = blocks // 3
    leaves = [hash_leaf(rng.randbytes(8)) for _ in range(blocks)]
    item = make_id(BLOCK_ENTRIES // 2)
    with tempfile.TemporaryDirectory(prefix="bench-audit-") as folder:
        _write_index(Path(folder), leaves, item, number, entries)
        opened = time.process_time()
        index = LogIndex(PLACE, Path(folder))
        started = time.process_time()
        for _ in range(TURNS):
            if number not in index.find(item):
                raise ValueError("an entry was not found")
        found = time.process_time()
    proof = _make_proof(world, leaves, number, item, block.head)
    proved = time.process_time()
    data = proof.encode()
    bare = len(EntryProof(
        proof.entry, proof.index, proof.path, proof.head, proof.number, proof.block_path, proof.checkpoint, {},
        commitment=proof.commitment,
    ).encode())  # fmt: skip
    checking = time.process_time()
    check_entry_proof(read_entry_proof(data), make_pins_and_documents()[0], world.now, required=WITNESSES_DEFAULT)
    return {
        "entries": entries,
        "open_index_ms": (started - opened) * 1e3,
        "find_ms": (found - started) / TURNS * 1e3,
        "prove_ms": (proved - found) * 1e3,
        "check_ms": (time.process_time() - checking) * 1e3,
        "bytes_without_keys": bare - len(proof.entry),
        "bytes": len(data) - len(proof.entry),
    }


def _make_proof(world: World, leaves: list[bytes], number: int, item: str, head: bytes) -> EntryProof:
    """Return the proof of an entry in a log that has these leaves, and that of its block among them."""
    block = read_block(world.blocks[0][1])
    leaves[number] = hash_leaf(_renumber(head, number))
    world.added = CompactRange().extend(leaves)
    world.before, world.earlier, world.seen = CompactRange(), [], {}
    checkpoint = world.cosign(world.make_checkpoint())
    place = next(place for place, entry in enumerate(block.entries) if read_entry_id(entry, PLACE.log) == item)
    return EntryProof(
        block.entries[place], place, compute_inclusion_proof(block.hash_entries(), place),
        get_codec(SCHEMA).header + _renumber(head, number), number, compute_inclusion_proof(leaves, number), checkpoint,
        prove_all(make_pins_and_documents()[1], checkpoint), commitment=block.get_commitment(place),
    )  # fmt: skip


def _renumber(head: bytes, number: int) -> bytes:
    """Return the head of the first block with another number, as its place in a long log requires."""
    codec = get_codec(SCHEMA)
    fields = codec.decode(codec.header + head + _NO_ENTRIES)
    changed = codec.encode_unframed({**fields, "number": number, "first": number * BLOCK_ENTRIES})
    return changed.removesuffix(_NO_ENTRIES)


def _write_index(folder: Path, leaves: list[bytes], item: str, number: int, entries: int) -> None:
    """Write the files of an index in which an item is in one block, and random ids are in all."""
    rng = random.Random(8)
    rows = b"".join(leaf + place.to_bytes(_ROW_BYTES - len(leaf), "big") for place, leaf in enumerate(leaves))
    step = 2**64 // entries
    wanted = _hash_id(item) + number.to_bytes(_ENTRY_BYTES - 8, "big")
    ids = (
        (step * place + rng.randrange(step)).to_bytes(8, "big")
        + (place % len(leaves)).to_bytes(_ENTRY_BYTES - 8, "big")
        for place in range(entries)
    )
    target = folder / FOLDER_NAME
    target.mkdir()
    name = "ch.sharing.decisions.0"
    written = False
    with (target / f"{name}.ids.0-{len(leaves)}").open("wb") as file:
        for entry in ids:
            if not written and entry > wanted:
                file.write(wanted)
                written = True
            file.write(entry)
    (target / f"{name}.blocks").write_bytes(rows)


def measure_audit(entries: int = ENTRIES) -> dict[str, dict[str, float]]:
    """Measure all of it, and print it."""
    assert GATE_KEYS.keys() == TRUSTED.keys()
    measured = {"verify": measure_verification(), "grow": measure_growth(), "prove": measure_proof(entries)}
    for part, figures in measured.items():
        for name, value in figures.items():
            print_line(f"  {f'{part}: {name}':34} {value:14,.1f}")
    return measured


if __name__ == "__main__":
    measure_audit(*map(int, sys.argv[1:]))
