"""The index of an audit log: finds each item, reads only what is new, and is made again if the log is another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sharing.audit.block import read_block
from sharing.kafka import audit_index
from sharing.kafka.audit_index import SEGMENTS_MAX, BrokenLogError, LogIndex
from sharing.kafka.audit_reader import AuditSource
from sharing.keystore.files import replace_file
from sharing.model.bad_batch import BadBatch
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from tests.audit.audit_fixtures import PLACE, World, fill_world, make_id, make_world


@dataclass
class FakeMessage:
    """A record of the log."""

    number: int
    data: bytes

    def offset(self) -> int:
        return self.number

    def value(self) -> bytes:
        return self.data


@dataclass
class FakeRange:
    """Some records of the log."""

    messages: list[FakeMessage]
    bad_batches: list[BadBatch] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.messages)

    def read_batches(self) -> Iterator[list[FakeMessage]]:
        yield from ([message] for message in self.messages)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class FakeSource:
    """A topic in memory.

    Attributes:
        blocks: Offsets and values.
        read: Offsets that were read, in order.
    """

    blocks: list[tuple[int, bytes]]
    read: list[int] = field(default_factory=list)
    framing: Any = SINGLE_OBJECT_FRAMING

    def open_from(self, topic: str, partition: int, offset: int, end: int | None = None) -> FakeRange:
        assert (topic, partition) == ("national.ch.decisions", 0)
        chosen = [(at, value) for at, value in self.blocks if at >= offset and (end is None or at < end)]
        self.read += [at for at, _ in chosen]
        return FakeRange([FakeMessage(*each) for each in chosen])

    def as_source(self) -> AuditSource:
        return self  # type: ignore[return-value]


def list_found(index: LogIndex, items: int) -> list[list[int]]:
    return [index.find(make_id(number)) for number in range(items)]


@pytest.mark.parametrize("lasting", [True, False])
def test_each_item_is_found_in_its_block(tmp_path: Path, lasting: bool) -> None:
    world = make_world()
    source = FakeSource(world.blocks)
    index = LogIndex(PLACE, tmp_path if lasting else None)
    index.update(source.as_source())
    assert list_found(index, 84) == [[number // 7] for number in range(84)]
    assert index.find("another") == []
    assert index.list_leaves() == [read_block(value).leaf for _, value in world.blocks]
    assert index.read_block(source.as_source(), 5) == read_block(world.blocks[5][1])
    assert [path.name for path in tmp_path.iterdir()] == (["audit"] if lasting else [])


def test_only_what_is_new_is_read_also_after_a_restart(tmp_path: Path) -> None:
    world = fill_world(World(), batches=2)
    for step in range(2 * SEGMENTS_MAX):
        source = FakeSource(list(world.blocks))
        index = LogIndex(PLACE, tmp_path)
        index.update(source.as_source())
        new = [offset for offset, _ in world.blocks] if step == 0 else [world.blocks[-2][0], world.blocks[-1][0]]
        assert source.read == new
        assert index.blocks == len(world.blocks)
        world.add_batch(3)
    assert len(list((tmp_path / "audit").glob("*.ids.*"))) <= SEGMENTS_MAX
    last = LogIndex(PLACE, tmp_path)
    assert last.find(make_id(13)) == [1]
    assert last.find(make_id(14)) == [2]
    assert last.find(make_id(14 + 3 * 14)) == [16]


def test_an_item_with_several_entries(tmp_path: Path) -> None:
    world = fill_world(World(), batches=2)
    world.written = 3
    world.add_batch(2)
    index = LogIndex(PLACE, tmp_path)
    index.update(FakeSource(world.blocks).as_source())
    assert index.find(make_id(3)) == [0, 2]


def test_another_log_under_the_same_name_is_read_from_the_beginning(tmp_path: Path) -> None:
    index = LogIndex(PLACE, tmp_path)
    index.update(FakeSource(make_world().blocks).as_source())
    other = make_world(batches=4, entries=2)
    again = LogIndex(PLACE, tmp_path)
    again.update(FakeSource(other.blocks).as_source())
    assert again.blocks == 4
    assert list_found(again, 8) == [[number // 2] for number in range(8)]
    assert LogIndex(PLACE, tmp_path).find(make_id(83)) == []


def test_a_block_that_was_replaced_is_not_shown(tmp_path: Path) -> None:
    world = make_world()
    index = LogIndex(PLACE, tmp_path)
    index.update(FakeSource(world.blocks).as_source())
    altered = list(world.blocks)
    altered[5] = altered[5][0], make_world(entries=6).blocks[5][1]
    assert index.read_block(FakeSource(altered).as_source(), 5) is None
    altered[5] = altered[5][0], b"junk"
    assert index.read_block(FakeSource(altered).as_source(), 5) is None
    assert index.read_block(FakeSource(altered).as_source(), 4) is not None


def test_a_run_that_was_killed_leaves_a_good_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    written: list[Path] = []
    original = replace_file

    def stop_at_the_blocks(path: Path, data: bytes, mode: int) -> None:
        if path.name.endswith(".blocks"):
            raise KeyboardInterrupt
        written.append(path)
        original(path, data, mode)

    monkeypatch.setattr(audit_index, "replace_file", stop_at_the_blocks)
    with pytest.raises(KeyboardInterrupt):
        LogIndex(PLACE, tmp_path).update(FakeSource(world.blocks).as_source())
    assert written
    monkeypatch.undo()
    index = LogIndex(PLACE, tmp_path)
    assert index.blocks == 0
    index.update(FakeSource(world.blocks).as_source())
    assert list_found(LogIndex(PLACE, tmp_path), 84) == [[number // 7] for number in range(84)]


def test_a_damaged_index_is_made_again(tmp_path: Path) -> None:
    world = make_world()
    LogIndex(PLACE, tmp_path).update(FakeSource(world.blocks).as_source())
    (segment,) = (tmp_path / "audit").glob("*.ids.*")
    segment.unlink()
    index = LogIndex(PLACE, tmp_path)
    assert index.blocks == 0
    index.update(FakeSource(world.blocks).as_source())
    assert index.find(make_id(80)) == [11]


def test_a_broken_log_is_indexed_up_to_where_it_is_broken(tmp_path: Path) -> None:
    world = make_world()
    repeated = [*world.blocks[:5], *((offset + 10, value) for offset, value in world.blocks[:5])]
    for name, blocks, good in (
        ("a", world.blocks[1:], 0), ("b", world.blocks[:3] + world.blocks[4:], 3),
        ("c", [*world.blocks[:3], (6, b"junk"), *world.blocks[4:]], 3), ("d", repeated, 5),
    ):  # fmt: skip
        for _ in range(2):  # what is kept is not read again, and the log is broken as before
            index = LogIndex(PLACE, tmp_path / name)
            with pytest.raises(BrokenLogError, match="sharing audit verify"):
                index.update(FakeSource(blocks).as_source())
            assert index.blocks == good
            assert list_found(index, 84) == [[number // 7] if number < 7 * good else [] for number in range(84)]
