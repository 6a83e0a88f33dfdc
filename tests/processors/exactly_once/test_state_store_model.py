"""The ledger against a dictionary: batches, aborts, crashes, other owners, compaction, and copies that are damaged."""

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

from processors.exactly_once.state_store import Overlay, StateStore, StoreBackend
from processors.exactly_once.store_backends import MemoryBackend, RocksBackend
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.state_store_fixtures import HOUR_MS, PARTITIONS, FakeLog, ProcessDies

KEYS = st.sampled_from([b"", b"a", b"b", b"c", b"m", b"e"])
VALUES = st.sampled_from([b"", b"1", b"2", b"3"])
CHANGES = st.lists(st.tuples(st.sampled_from(PARTITIONS), KEYS, st.none() | VALUES), max_size=6)
STEPS = 30


class LedgerMachine(RuleBasedStateMachine):
    """`truth` is what a reader of the topic must find; `flying` and `at_hand` are the two batches that may be out."""

    lasting = False

    @initialize()
    def begin(self) -> None:
        self.log = FakeLog()
        self.folder = Path(tempfile.mkdtemp())
        self.truth: dict[int, dict[bytes, bytes]] = {partition: {} for partition in PARTITIONS}
        self.owned: set[int] = set()
        self.flying: Overlay | None = None
        self.at_hand: Overlay | None = None
        self.stores: StoreBackend | None = None
        self._start()

    def _start(self) -> None:
        self.stores = RocksBackend(self.folder) if self.lasting else MemoryBackend()
        self.ledger = StateStore(self.log, self.stores, lambda: self.log.now_ms)

    def _die(self) -> None:
        """End the process with nothing put in order, but for the locks that the system takes from it."""
        self.ledger.close()
        self.flying = self.at_hand = None
        self.owned.clear()

    def _assign(self, partitions: set[int]) -> None:
        assert self.ledger.assign(partitions)
        self.owned |= partitions

    @rule(partitions=st.sets(st.sampled_from(PARTITIONS), min_size=1))
    @precondition(lambda self: self.at_hand is None and self.flying is None)
    def assign(self, partitions: set[int]) -> None:
        self._assign(partitions)

    @rule(partitions=st.sets(st.sampled_from(PARTITIONS), min_size=1))
    @precondition(lambda self: self.at_hand is None and self.flying is None)
    def revoke(self, partitions: set[int]) -> None:
        self.ledger.revoke(partitions)
        self.owned -= partitions

    @rule(changes=CHANGES)
    @precondition(lambda self: self.at_hand is None)
    def compute(self, changes: list[tuple[int, bytes, bytes | None]]) -> None:
        """A batch sees the one before and itself, and nothing else of what is not committed."""
        view = self.at_hand = self.ledger.view(self.flying)
        for partition, key, value in changes:
            if partition not in self.owned:
                with pytest.raises(LookupError):
                    view.delete(partition, key)
            elif value is None:
                view.delete(partition, key)
            else:
                view.put(partition, key, value)
        for partition in self.owned:
            expected = self._with(self._with(self.truth[partition], self.flying, partition), view, partition)
            assert dict(view.items(partition)) == expected
            assert all(view.get(partition, key) == expected.get(key) for key in (b"", b"a", b"m", b"e", b"zz"))

    @rule()
    @precondition(lambda self: self.at_hand is not None and self.flying is None)
    def launch(self) -> None:
        assert self.at_hand is not None
        self.at_hand.seal()
        with pytest.raises(RuntimeError):
            self.at_hand.put(0, b"a", b"too late")
        self.flying, self.at_hand = self.at_hand, None

    @rule()
    @precondition(lambda self: self.flying is not None)
    def commit(self) -> None:
        flying = self._commit()
        self.flying = None
        self.ledger.apply(flying, self.ends)

    @rule()
    @precondition(lambda self: self.flying is not None)
    def commit_and_die_before_the_copy_hears_of_it(self) -> None:
        self._commit()
        self._die()
        self._start()

    @rule()
    @precondition(lambda self: self.flying is not None)
    def abort(self) -> None:
        """Both batches are gone, and all begins anew, as `Transactor` does it."""
        assert self.flying is not None
        for partition, changes in self.flying.changes.items():
            self.log.write(partition, changes.items(), committed=False)
        self.flying = self.at_hand = None
        again = set(self.owned)
        self.ledger.revoke()
        self.owned.clear()
        if again:
            self._assign(again)

    @rule()
    def die(self) -> None:
        self._die()
        self._start()

    @rule(after=st.integers(0, 6))
    @precondition(lambda self: not self.owned and self.at_hand is None and self.flying is None)
    def die_while_restoring(self, after: int) -> None:
        self.log.break_after = self.log.reads + after
        with suppress(ProcessDies):
            self.ledger.assign(PARTITIONS)
        self.log.break_after = None
        self._die()
        self._start()

    @rule(partition=st.sampled_from(PARTITIONS), changes=st.lists(st.tuples(KEYS, st.none() | VALUES), max_size=8))
    @precondition(lambda self: self.at_hand is None and self.flying is None)
    def another_owner_writes(self, partition: int, changes: list[tuple[bytes, bytes | None]]) -> None:
        if partition not in self.owned:
            self.log.write(partition, changes)
            self.truth[partition] = self.log.state(partition)

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.log.now_ms += hours * HOUR_MS

    @rule()
    def compact(self) -> None:
        self.log.compact()

    @rule(records=st.integers(0, 8))
    @precondition(lambda self: not self.owned and self.at_hand is None and self.flying is None)
    def make_the_topic_anew(self, records: int) -> None:
        self.log.renew()
        for partition in PARTITIONS:
            self.log.write(partition, [(b"new", b"%d" % number) for number in range(records)])
            self.truth[partition] = self.log.state(partition)

    @invariant()
    def what_it_holds_is_true(self) -> None:
        if self.at_hand is None and self.flying is None:
            for partition in self.owned:
                assert dict(self.ledger.view().items(partition)) == self.truth[partition]

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            shutil.rmtree(self.folder)

    def _commit(self) -> Overlay:
        assert self.flying is not None
        flying, self.ends = self.flying, {}
        for partition, changes in flying.changes.items():
            self.ends[partition] = self.log.write(partition, changes.items())
            self.truth[partition] = self._with(self.truth[partition], flying, partition)
        return flying

    @staticmethod
    def _with(entries: dict[bytes, bytes], view: Overlay | None, partition: int) -> dict[bytes, bytes]:
        changes = view.changes.get(partition, {}) if view is not None else {}
        kept = {key: value for key, value in entries.items() if key not in changes}
        return {**kept, **{key: value for key, value in changes.items() if value is not None}}


class RocksMachine(LedgerMachine):
    """The same with copies that outlive the process, and are damaged while it is not there."""

    lasting = True

    @rule(partition=st.sampled_from(PARTITIONS), how=st.sampled_from(["flip", "cut", "lose"]), draw=st.randoms())
    def damage(self, partition: int, how: str, draw: Any) -> None:
        """The process dies, and a file is torn, lost or altered; whatever is noticed, and when, no lie comes of it."""
        self._die()
        files = sorted(path for path in (self.folder / "ledger" / str(partition)).glob("*") if path.is_file())
        if files:
            path = draw.choice(files)
            content = bytearray(path.read_bytes())
            if how == "lose":
                path.unlink()
            elif content:
                place = draw.randrange(len(content))
                content[place] ^= 0xFF
                path.write_bytes(content[:place] if how == "cut" else content)
        self._start()
        try:
            self._assign(set(PARTITIONS))
            self.what_it_holds_is_true()
        except InfrastructureError:  # it ends the process; the next one finds the copy deleted
            self._die()
            self._start()
            self._assign(set(PARTITIONS))


@pytest.mark.parametrize(("machine", "examples"), [(LedgerMachine, 60), (RocksMachine, 8)])
def test_whatever_happens_it_says_what_the_topic_says(machine: Any, examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
