"""What a batch adds to the audit log: blocks that follow each other, whatever was aborted in between."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from processors.audit.log_writer import BatchLog, read_head
from processors.exactly_once.batch import Batch, OutputLimits, OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint, PartitionStore, StoreIdentity
from processors.exactly_once.state_store_backends import MemoryBackend
from sharing.audit.block import BLOCK_BYTES_MAX, AuditBlock, read_block
from sharing.model.vocabulary import AuditLogName
from sharing.sign.merkle_tree import compute_root

PARTITIONS = range(3)
ENTRIES = st.dictionaries(st.sampled_from(PARTITIONS), st.lists(st.binary(max_size=40), max_size=5))
ROOTS = st.lists(st.binary(min_size=32, max_size=32), max_size=2)


class Store:
    """The state store of a loop, of which batches are committed or aborted."""

    def __init__(self) -> None:
        backend = MemoryBackend()
        self.stores: dict[int, PartitionStore] = {
            number: backend.open_store(StoreIdentity("c", "t", "id", number)) for number in PARTITIONS
        }

    def add(
        self,
        *parts: Mapping[int, Sequence[bytes]],
        roots: Sequence[bytes] = (),
        committed: bool = True,
        now_ms: int = 1,
        limits: OutputLimits | None = None,
        previous: Overlay | None = None,
    ) -> list[AuditBlock]:
        view = Overlay(self.stores, previous)
        batch = Batch([], now_ms, {}, store_view=view, output_limits=limits or OutputLimits())
        log = BatchLog("CH", AuditLogName.DECISIONS, batch)
        outputs = [output for part in parts for output in log.add_entries(part, roots)]
        if committed:
            for partition, changes in view.freeze().items():
                self.stores[partition].apply_changes(changes.items(), Checkpoint(0, 0))
        return list(map(read_placed_block, outputs))


def read_placed_block(output: OutputRecord) -> AuditBlock:
    """Return the block in an output, which has no key, on the partition that the block names."""
    block = read_block(output.value)
    assert (output.topic, output.key, output.partition) == ("national.ch.decisions", None, block.partition)
    return block


def test_a_batch_adds_one_block_to_each_partition_that_has_entries() -> None:
    blocks = Store().add({0: [b"a", b"b"], 1: [], 2: [b"c"]}, roots=[bytes(32)], now_ms=7)
    assert [(each.partition, each.entries) for each in blocks] == [(0, (b"a", b"b")), (2, (b"c",))]
    assert {(each.number, each.first, each.previous) for each in blocks} == {(0, 0, bytes(32))}
    assert {(each.message_roots, each.written_at, each.state) for each in blocks} == {((bytes(32),), 7, "CH")}


def test_a_part_continues_the_log_of_the_part_before() -> None:
    first, second = Store().add({0: [b"a", b"b"]}, {0: [b"c"]})
    assert (second.number, second.first, second.previous) == (1, 2, first.leaf)


def test_what_an_aborted_batch_has_added_is_no_part_of_the_log() -> None:
    store = Store()
    (first,) = store.add({0: [b"a"]})
    (aborted,) = store.add({0: [b"lost"]}, committed=False)
    (second,) = store.add({0: [b"b"]})
    assert (second.number, second.previous) == (aborted.number, aborted.previous) == (1, first.leaf)


def test_a_batch_continues_the_one_that_is_being_committed() -> None:
    store = Store()
    view = Overlay(store.stores)
    log = BatchLog("CH", AuditLogName.DECISIONS, Batch([], 1, {}, store_view=view))
    (first,) = map(read_placed_block, log.add_entries({0: [b"a"]}))
    (second,) = store.add({0: [b"b"]}, previous=view)
    assert (second.number, second.first, second.previous) == (1, 1, first.leaf)


def test_decisions_and_acts_have_separate_logs() -> None:
    store = Store()
    store.add({0: [b"a"]})
    view = Overlay(store.stores)
    log = BatchLog("CH", AuditLogName.ACTS, Batch([], 1, {}, store_view=view))
    (output,) = log.add_entries({0: [b"act"]})
    assert output.topic == "national.ch.acts"
    assert read_block(output.value).number == 0


def test_a_block_with_several_entries_has_a_limit_and_an_entry_is_never_split() -> None:
    entries = [bytes(150_000), bytes(150_000), bytes(150_000), bytes(500_000), b"last"]
    blocks = Store().add({0: entries})
    assert [list(map(len, each.entries)) for each in blocks] == [[150_000, 150_000], [150_000], [500_000], [4]]
    assert [each.first for each in blocks] == [0, 2, 3, 4]
    assert all(len(each.encode_unframed()) < BLOCK_BYTES_MAX for each in blocks if len(each.entries) > 1)


def test_a_block_fits_into_a_topic_that_accepts_less() -> None:
    limits = OutputLimits({"decisions": 50_000})
    blocks = Store().add({0: [bytes(10_000)] * 10}, limits=limits)
    assert len(blocks) > 1
    assert max(len(each.encode_unframed()) for each in blocks) < limits.get_value_bytes_max("national.ch.decisions")


@given(entries=st.lists(st.binary(max_size=60), min_size=1, max_size=20), bytes_max=st.integers(4_100, 4_400))
def test_the_entries_of_all_blocks_are_those_that_were_added(entries: list[bytes], bytes_max: int) -> None:
    blocks = Store().add({1: entries}, limits=OutputLimits({"decisions": 2 * bytes_max}))
    assert [entry for block in blocks for entry in block.entries] == entries


class LogMachine(RuleBasedStateMachine):
    """The logs of all partitions, against lists of what was committed."""

    @initialize()
    def begin(self) -> None:
        self.store = Store()
        self.committed: dict[int, list[AuditBlock]] = {number: [] for number in PARTITIONS}
        self.entries: dict[int, list[bytes]] = {number: [] for number in PARTITIONS}

    @rule(parts=st.lists(ENTRIES, max_size=3), roots=ROOTS)
    def commit(self, parts: list[dict[int, list[bytes]]], roots: list[bytes]) -> None:
        for block in self.store.add(*parts, roots=roots):
            self.committed[block.partition].append(block)
        for part in parts:
            for partition, entries in part.items():
                self.entries[partition] += entries

    @rule(parts=st.lists(ENTRIES, max_size=3))
    def abort(self, parts: list[dict[int, list[bytes]]]) -> None:
        self.store.add(*parts, committed=False)

    @invariant()
    def the_blocks_follow_each_other(self) -> None:
        for partition, blocks in self.committed.items():
            assert [entry for block in blocks for entry in block.entries] == self.entries[partition]
            previous, first = bytes(32), 0
            for number, block in enumerate(blocks):
                assert (block.number, block.first, block.previous) == (number, first, previous)
                assert block.root == compute_root([hashlib.sha256(b"\0" + entry).digest() for entry in block.entries])
                previous, first = hashlib.sha256(b"\0" + block.head).digest(), first + len(block.entries)

    @invariant()
    def the_head_has_the_root_of_the_tree_over_all_blocks(self) -> None:
        for partition, blocks in self.committed.items():
            head = read_head(Overlay(self.store.stores), partition, AuditLogName.DECISIONS)
            if blocks:
                assert head is not None
                assert head.tree.compute_root() == compute_root([block.leaf for block in blocks])
                assert (head.blocks, head.entries) == (len(blocks), len(self.entries[partition]))
            else:
                assert head is None


TestLogMachine = LogMachine.TestCase
