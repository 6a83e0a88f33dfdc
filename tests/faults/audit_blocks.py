"""Audit logs, as a checker reads them: their entries one by one, and whether their blocks follow each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sharing.audit.block import read_block, read_entry_id
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from sharing.sign.merkle_tree import compute_root
from tests.faults.contents import CommittedRecord


def unpack_entries(blocks: Iterable[CommittedRecord]) -> list[CommittedRecord]:
    """Return each entry of blocks as a record of its own, with the position and the time of its block."""
    unpacked = []
    for block in blocks:
        log = AuditLogName(block.data["log"])
        decode = get_codec(log.entry_schema).decode
        unpacked += [
            block._replace(key=read_entry_id(entry, log).encode(), raw=entry, data=decode(entry), entry=number)
            for number, entry in enumerate(block.data["entries"])
        ]
    return unpacked


def find_broken_blocks(blocks: Iterable[CommittedRecord]) -> list[str]:
    """Return where the blocks of an audit log do not follow each other, or do not contain what their heads name.

    Args:
        blocks: The records of the log, of all partitions, not decoded.
    """
    broken = []
    expected: dict[int, tuple[int, int, bytes]] = {}
    for record in blocks:
        block = read_block(record.raw)
        before = expected.get(record.partition, (0, 0, bytes(32)))
        leaves = [b"\0" + block.get_commitment(number) + entry for number, entry in enumerate(block.entries)]
        root = compute_root([hashlib.sha256(leaf).digest() for leaf in leaves])
        if (block.number, block.first, block.previous) != before or block.root != root:
            broken.append(f"block {block.number} at {record.partition}@{record.offset}, expected number {before[0]}")
        after = hashlib.sha256(b"\0" + block.head).digest()
        expected[record.partition] = block.number + 1, block.first + len(block.entries), after
    return broken
