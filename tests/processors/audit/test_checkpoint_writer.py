"""Checkpoints are signed of what is committed only, whatever is aborted, killed or still being committed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.audit.checkpoint_state import CheckpointState
from processors.audit.checkpoint_writer import CHECKPOINT_INTERVAL_MS, CheckpointWriter
from processors.audit.log_writer import BatchLog, read_head
from processors.exactly_once.batch import Batch, OutputRecord
from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint
from processors.exactly_once.state_entries import encode_entry
from processors.exactly_once.state_store_backends import MemoryStore
from sharing.audit.block import read_block
from sharing.audit.checkpoint_record import CheckpointRecord, read_checkpoint_record
from sharing.audit.compact_range import CompactRange
from sharing.model.vocabulary import AuditLogName
from sharing.sign.merkle_tree import compute_root
from sharing.topology.topics import CHECKPOINTS, DECISIONS
from tests.trust.trust_fixtures import make_signer

KEY = make_signer("gate of CH")
START = 1_800_000_000_000
MINUTE = CHECKPOINT_INTERVAL_MS


@dataclass
class Loop:
    """A loop without Kafka: its state store, one batch that is being committed, and what was committed."""

    now: int = START
    store: MemoryStore = field(default_factory=MemoryStore)
    pending: tuple[Overlay, list[OutputRecord]] | None = None
    leaves: list[bytes] = field(default_factory=list)
    checkpoints: list[CheckpointRecord] = field(default_factory=list)
    signed: list[CheckpointRecord] = field(default_factory=list)
    signed_at: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.writer = CheckpointWriter("CH", AuditLogName.DECISIONS)

    def run_batch(self, blocks: int, *, is_last: bool = False, fails: bool = False) -> None:
        """Compute a batch while the one before is being committed, then commit that one and begin to commit this.

        If the commit fails, both are lost.
        """
        overlay = Overlay({0: self.store}, None if self.pending is None else self.pending[0])
        batch = Batch([], self.now, {}, store_view=overlay)
        outputs = list(self.writer.write_due(batch, KEY, is_last=is_last))
        log = BatchLog("CH", AuditLogName.DECISIONS, batch, add_leaves=self.writer.add_leaves)
        for number in range(blocks):
            outputs += log.add_entries({0: [b"entry %d %d" % (self.now, number)]})
        for output in outputs:
            if output.topic == CHECKPOINTS.topic("CH"):
                self.signed.append(read_checkpoint_record(output.value))
        if fails:
            self.pending = None
            return
        self.settle()
        self.pending = overlay, outputs

    def settle(self) -> None:
        """Commit the batch that is in progress."""
        if self.pending is None:
            return
        overlay, outputs = self.pending
        for changes in overlay.freeze().values():
            self.store.apply_changes(changes.items(), Checkpoint(0, 0))
        for output in outputs:
            if output.topic == DECISIONS.topic("CH"):
                self.leaves.append(read_block(output.value).leaf)
            else:
                self.checkpoints.append(read_checkpoint_record(output.value))
        self.pending = None

    def die(self) -> None:
        """Abort the batch in progress, as a worker that is killed and started again."""
        self.pending = None
        self.writer = CheckpointWriter("CH", AuditLogName.DECISIONS)

    def check(self) -> None:
        """Check everything that was ever signed against the committed log."""
        for record in self.signed:
            size = record.checkpoint.size
            assert 0 < size <= len(self.leaves), "something was signed that was not committed"
            assert record.checkpoint.root == compute_root(self.leaves[:size])
        known = (0, CompactRange().compute_root())
        for record in self.checkpoints:
            assert record.checkpoint.size > known[0]
            assert record.previous_size == known[0]
            assert record.follows(*known)
            known = record.checkpoint.size, record.checkpoint.root
        view = Overlay({0: self.store})
        head = read_head(view, 0, AuditLogName.DECISIONS)
        assert (0 if head is None else head.blocks) == len(self.leaves)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("batch", "batch", "batch", "settle", "fail", "die")),
            st.integers(0, 5),
            st.integers(0, MINUTE + 1_000),
        ),
        max_size=40,
    )
)
def test_only_what_is_committed_is_ever_signed(steps: list[tuple[str, int, int]]) -> None:
    loop = Loop()
    for what, blocks, elapsed in steps:
        loop.now += elapsed
        if what in {"batch", "fail"}:
            loop.run_batch(blocks, fails=what == "fail")
        elif what == "settle":
            loop.settle()
        else:
            loop.die()
    loop.settle()
    loop.check()
    times = [record.checkpoint.signed_at for record in loop.checkpoints]
    assert all(later - earlier >= MINUTE for earlier, later in pairwise(times))
    loop.now += MINUTE
    for _ in range(2):
        loop.run_batch(0)
        loop.settle()
    covered = loop.checkpoints[-1].checkpoint.size if loop.checkpoints else 0
    assert covered == len(loop.leaves)
    loop.check()


def test_under_load_a_checkpoint_waits_for_the_commit_of_its_blocks() -> None:
    loop = Loop()
    for _ in range(4):  # each batch is computed while the one before is being committed
        loop.run_batch(2)
        loop.now += 10
    loop.settle()
    assert [record.checkpoint.size for record in loop.checkpoints] == [2]
    loop.check()


def test_at_a_stop_a_checkpoint_does_not_wait_for_its_minute() -> None:
    loop = Loop()
    loop.run_batch(1)
    loop.settle()
    loop.run_batch(1)
    loop.settle()
    loop.run_batch(0)
    loop.settle()
    assert [record.checkpoint.size for record in loop.checkpoints] == [1]
    loop.run_batch(0, is_last=True)
    loop.settle()
    assert [record.checkpoint.size for record in loop.checkpoints] == [1, 2]
    loop.run_batch(0, is_last=True)
    loop.settle()
    assert len(loop.checkpoints) == 2
    loop.check()


def test_a_log_that_is_older_than_the_keys_gets_a_checkpoint_of_all_of_it() -> None:
    loop = Loop()
    overlay = Overlay({0: loop.store})
    log = BatchLog("CH", AuditLogName.DECISIONS, Batch([], START, {}, store_view=overlay))
    loop.pending = overlay, [*log.add_entries({0: [b"one"]}), *log.add_entries({0: [b"two"]})]
    loop.settle()
    loop.run_batch(1)
    loop.settle()
    loop.run_batch(0)
    loop.settle()
    assert [record.checkpoint.size for record in loop.checkpoints] == [2]
    loop.check()


@pytest.mark.parametrize("moved", [-MINUTE, 5 * MINUTE])
def test_a_clock_that_is_set_does_not_stop_checkpoints(moved: int) -> None:
    loop = Loop()
    for _ in range(2):
        loop.run_batch(1)
        loop.settle()
    loop.now += moved
    loop.run_batch(0)
    loop.settle()
    assert [record.checkpoint.size for record in loop.checkpoints] == [1, 2]


def test_its_entry_in_the_state_store_keeps_everything() -> None:
    state = CheckpointState().add_leaves([bytes([number]) * 32 for number in range(5)]).freeze().note_written(START)
    state = state.add_leaves([bytes(32)] * 3).freeze().add_leaves([b"\x01" * 32])
    assert CheckpointState.from_fields(state.to_fields()) == state
    assert (state.before.end, state.frozen.end, state.blocks, state.has_news, state.is_frozen) == (5, 8, 9, True, True)


def test_what_is_fixed_for_the_next_checkpoint_is_not_signed_before_it_is_committed() -> None:
    """It would need three batches in progress, which the loop does not have: the writer does not rely on that."""
    loop = Loop()
    deeper = Overlay({0: loop.store})
    state = CheckpointState().add_leaves([bytes(32)]).freeze().add_leaves([bytes(32)])
    deeper.put(0, b"audit/checkpoint/decisions", encode_entry("audit_checkpoint", state.to_fields()))
    loop.pending = deeper, []
    loop.run_batch(0)
    assert not loop.signed
