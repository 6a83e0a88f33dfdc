"""Blocks as they are read: the leaf is the hash of what was written."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sharing.audit.block import SCHEMA, LogPlace, add_blocks, read_block
from sharing.audit.log_head import LogHead
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec

HEADER = get_codec(SCHEMA).header
PLACE = LogPlace("CH", AuditLogName.ACTS, 3)
ENTRIES = [b"first entry", b"second", b"third entry, the longest"]


def make_values(bytes_max: int = 400_000) -> list[bytes]:
    blocks = add_blocks(LogHead(), PLACE, ENTRIES, [b"r" * 32], 1_772_366_400_000, bytes_max=bytes_max)
    return [HEADER + block.encode_unframed() for block, _ in blocks]


def test_a_block_is_read_as_it_was_written() -> None:
    ((block, head),) = add_blocks(LogHead(), PLACE, ENTRIES, [b"r" * 32], 1_772_366_400_000)
    read = read_block(HEADER + block.encode_unframed())
    assert read == block
    assert head.previous == read.leaf
    assert get_codec(SCHEMA).decode(HEADER + block.encode_unframed())["entries"] == ENTRIES


def test_each_block_names_the_one_before() -> None:
    blocks = [read_block(value) for value in make_values(bytes_max=4_096 + 20)]
    assert [block.entries for block in blocks] == [(entry,) for entry in ENTRIES]
    assert [block.previous for block in blocks[1:]] == [block.leaf for block in blocks[:-1]]
    assert [block.first for block in blocks] == [0, 1, 2]


def test_the_head_of_another_release_is_kept_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The leaf is the hash of it, and no field that this release does not know may be missing there."""
    (value,) = make_values()
    block = read_block(value)
    fields = get_codec(SCHEMA).decode(value)
    longer = HEADER + b"a field of another release" + value[len(HEADER) :]
    monkeypatch.setattr("sharing.audit.block.get_codec", lambda _: SimpleNamespace(decode=lambda _: fields))
    assert read_block(longer).head == b"a field of another release" + block.head
    assert read_block(longer).leaf != block.leaf
