"""The state store compared with a dictionary: batches, aborts, crashes, other owners, compaction, damaged copies."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import StoreBackend
from processors.exactly_once.state_store import StateStore
from processors.exactly_once.state_store_backends import MemoryBackend, RocksBackend
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.state_store_fixtures import HOUR_MS, PARTITIONS, TOPIC, FakeChangelog, ProcessKilled

KEYS = st.sampled_from([b"", b"a", b"b", b"c", b"m", b"e"])
VALUES = st.sampled_from([b"", b"1", b"2", b"3"])
CHANGES = st.lists(st.tuples(st.sampled_from(PARTITIONS), KEYS, st.none() | VALUES), max_size=6)
STEPS = 30


class MemoryMachine(RuleBasedStateMachine):
    """A worker whose state is in memory.

    `truth` is the state that a reader of the topic must find. `pending` and `current` are the two batches that may be
    in progress: one is being committed, the other is being computed.
    """

    state_on_disk = False

    @initialize()
    def begin(self) -> None:
        self.changelog = FakeChangelog()
        self.folder = Path(tempfile.mkdtemp())
        self.truth: dict[int, dict[bytes, bytes]] = {partition: {} for partition in PARTITIONS}
        self.owned: set[int] = set()
        self.pending: Overlay | None = None
        self.current: Overlay | None = None
        self.backend: StoreBackend | None = None
        self._start()

    def _start(self) -> None:
        self.backend = RocksBackend(self.folder) if self.state_on_disk else MemoryBackend()
        self.state_store = StateStore(self.changelog, self.backend, lambda: self.changelog.now_ms)

    def _die(self) -> None:
        """End the process without cleaning up, except for the locks that the system releases."""
        self.state_store.close()
        self.pending = self.current = None
        self.owned.clear()

    def _assign(self, partitions: set[int]) -> None:
        assert self.state_store.restore_partitions(partitions)
        self.owned |= partitions

    @rule(partitions=st.sets(st.sampled_from(PARTITIONS), min_size=1))
    @precondition(lambda self: self.current is None and self.pending is None)
    def assign(self, partitions: set[int]) -> None:
        self._assign(partitions)

    @rule(partitions=st.sets(st.sampled_from(PARTITIONS), min_size=1))
    @precondition(lambda self: self.current is None and self.pending is None)
    def revoke(self, partitions: set[int]) -> None:
        self.state_store.close_partitions(partitions)
        self.owned -= partitions

    @rule(changes=CHANGES)
    @precondition(lambda self: self.current is None)
    def compute(self, changes: list[tuple[int, bytes, bytes | None]]) -> None:
        """A batch sees its own changes and those of the previous batch, and no others that are not committed."""
        overlay = self.current = self.state_store.create_overlay(self.pending)
        for partition, key, value in changes:
            if partition not in self.owned:
                with pytest.raises(LookupError):
                    overlay.delete(partition, key)
            elif value is None:
                overlay.delete(partition, key)
            else:
                overlay.put(partition, key, value)
        for partition in self.owned:
            expected = self._apply_overlay(
                self._apply_overlay(self.truth[partition], self.pending, partition), overlay, partition
            )
            assert dict(overlay.items(partition)) == expected
            assert all(overlay.get(partition, key) == expected.get(key) for key in (b"", b"a", b"m", b"e", b"zz"))
            asked = {b"", b"a", b"m", b"zz"}
            assert overlay.find_known_keys(partition, asked) == expected.keys() & asked

    @rule()
    @precondition(lambda self: self.current is not None and self.pending is None)
    def start_commit(self) -> None:
        assert self.current is not None
        self.current.freeze()
        with pytest.raises(RuntimeError):
            self.current.put(0, b"a", b"too late")
        self.pending, self.current = self.current, None

    @rule()
    @precondition(lambda self: self.pending is not None)
    def commit(self) -> None:
        pending = self._commit()
        self.pending = None
        self.state_store.apply_overlay(pending, self.changelog_ends)

    @rule()
    @precondition(lambda self: self.pending is not None)
    def commit_and_die_before_the_copy_is_updated(self) -> None:
        self._commit()
        self._die()
        self._start()

    @rule()
    @precondition(lambda self: self.pending is not None)
    def abort(self) -> None:
        """Both batches are discarded, and all partitions are assigned again, as in `Transactor`."""
        assert self.pending is not None
        for partition, changes in self.pending.changes.items():
            self.changelog.write_transaction(partition, changes.items(), committed=False)
        self.pending = self.current = None
        owned = set(self.owned)
        self.state_store.close_partitions()
        self.owned.clear()
        if owned:
            self._assign(owned)

    @rule()
    def die(self) -> None:
        self._die()
        self._start()

    @rule(after=st.integers(0, 6))
    @precondition(lambda self: not self.owned and self.current is None and self.pending is None)
    def die_while_restoring(self, after: int) -> None:
        self.changelog.die_after = self.changelog.records_read + after
        with suppress(ProcessKilled):
            self.state_store.restore_partitions(PARTITIONS)
        self.changelog.die_after = None
        self._die()
        self._start()

    @rule(partition=st.sampled_from(PARTITIONS), changes=st.lists(st.tuples(KEYS, st.none() | VALUES), max_size=8))
    @precondition(lambda self: self.current is None and self.pending is None)
    def another_owner_writes(self, partition: int, changes: list[tuple[bytes, bytes | None]]) -> None:
        if partition not in self.owned:
            self.changelog.write_transaction(partition, changes)
            self.truth[partition] = self.changelog.read_state(partition)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.changelog.now_ms += hours * HOUR_MS

    @rule()
    def compact(self) -> None:
        self.changelog.compact()

    @rule(records=st.integers(0, 8))
    @precondition(lambda self: not self.owned and self.current is None and self.pending is None)
    def recreate_the_topic(self, records: int) -> None:
        self.changelog.recreate_topic()
        for partition in PARTITIONS:
            self.changelog.write_transaction(partition, [(b"new", b"%d" % number) for number in range(records)])
            self.truth[partition] = self.changelog.read_state(partition)

    @invariant()
    def state_matches_the_topic(self) -> None:
        if self.current is None and self.pending is None:
            for partition in self.owned:
                assert dict(self.state_store.create_overlay().items(partition)) == self.truth[partition]

    def teardown(self) -> None:
        if hasattr(self, "state_store"):
            self.state_store.close()
            shutil.rmtree(self.folder)

    def _commit(self) -> Overlay:
        assert self.pending is not None
        pending, self.changelog_ends = self.pending, {}
        for partition, changes in pending.changes.items():
            self.changelog_ends[partition] = self.changelog.write_transaction(partition, changes.items())
            self.truth[partition] = self._apply_overlay(self.truth[partition], pending, partition)
        return pending

    @staticmethod
    def _apply_overlay(entries: dict[bytes, bytes], overlay: Overlay | None, partition: int) -> dict[bytes, bytes]:
        changes = overlay.changes.get(partition, {}) if overlay is not None else {}
        unchanged = {key: value for key, value in entries.items() if key not in changes}
        return {**unchanged, **{key: value for key, value in changes.items() if value is not None}}


class RocksMachine(MemoryMachine):
    """A worker whose state is on disk, where it outlives the process and can be damaged while no process runs."""

    state_on_disk = True

    @rule(partition=st.sampled_from(PARTITIONS), how=st.sampled_from(["flip", "truncate", "delete"]), draw=st.randoms())
    def damage(self, partition: int, how: str, draw: Any) -> None:
        """The process dies, and a file is altered, truncated or deleted. Late or not, the damage must be detected."""
        self._die()
        files = sorted(path for path in (self.folder / TOPIC / str(partition)).glob("*") if path.is_file())
        if files:
            path = draw.choice(files)
            content = bytearray(path.read_bytes())
            if how == "delete":
                path.unlink()
            elif content:
                position = draw.randrange(len(content))
                content[position] ^= 0xFF
                path.write_bytes(content[:position] if how == "truncate" else content)
        self._start()
        try:
            self._assign(set(PARTITIONS))
            self.state_matches_the_topic()
        except InfrastructureError:  # stops the process; the copy is deleted before the next start
            self._die()
            self._start()
            self._assign(set(PARTITIONS))


@pytest.mark.parametrize(("machine", "examples"), [(MemoryMachine, 60), (RocksMachine, 8)])
def test_the_state_always_matches_the_topic(machine: Any, examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
