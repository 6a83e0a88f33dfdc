"""Two desks and a dict: whatever two desks do, in any order, they have what a dict has, and each conflict is told."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from sharing.desk.store.desk_record import DeskRecord, RecordConflictError, UnopenedRecord, make_key
from sharing.desk.store.desk_store import DeskStore
from sharing.desk.store.record_table import RecordTable
from sharing.model.vocabulary import DeskKind
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DESK
from tests.desk.store.memory_store import MemoryDeskStore
from tests.desk.store.store_fixtures import open_store
from tests.support.waiting import wait_until

EXAMPLES = min(40, max(5, int(os.environ.get("SHARING_EXAMPLES", "800")) // 40))
IDS = ("a", "b")
KINDS = (DeskKind.UNSENT, DeskKind.PROFILE)
OFFICERS = ("o1", "o2")


def make_machine(stores: list[DeskStore], runs: list[int]) -> type[RuleBasedStateMachine]:
    class StoreMachine(RuleBasedStateMachine):
        """Does the same to two desks and to a store in memory. Each run has ids of its own."""

        def __init__(self) -> None:
            super().__init__()
            runs.append(0)
            self.run = len(runs)
            self.oracle = MemoryDeskStore()

        def name(self, id: str) -> str:  # noqa: A002
            return f"r{self.run}-{id}"

        def settle(self, desk: DeskStore) -> None:
            """Wait until a desk has seen what the other has written."""
            mine = f"r{self.run}-"

            def has_all() -> bool:
                found = [each for kind in KINDS for each in desk.list(kind) if each.id.startswith(mine)]
                return strip(found) == strip(self.oracle.records.values())

            wait_until(has_all, "the desk has what the dict has")

        @rule(
            desk=st.sampled_from([0, 1]), kind=st.sampled_from(KINDS), id=st.sampled_from(IDS),
            officer=st.sampled_from(OFFICERS), number=st.integers(0, 3), stale=st.integers(0, 2),
        )  # fmt: skip
        def put(self, desk: int, kind: DeskKind, id: str, officer: str, number: int, stale: int) -> None:  # noqa: A002
            name = self.name(id)
            replaces = self.version(kind, name, stale)
            content = {"n": number}
            told = attempt(lambda: self.oracle.put(kind, name, officer, content, replaces=replaces))
            assert attempt(lambda: stores[desk].put(kind, name, officer, content, replaces=replaces)) == told
            self.settle(stores[desk])

        @rule(
            desk=st.sampled_from([0, 1]), kind=st.sampled_from(KINDS), id=st.sampled_from(IDS),
            stale=st.integers(0, 2),
        )  # fmt: skip
        def delete(self, desk: int, kind: DeskKind, id: str, stale: int) -> None:  # noqa: A002
            name = self.name(id)
            replaces = self.version(kind, name, stale)
            told = attempt(lambda: self.oracle.delete(kind, name, replaces=replaces))
            assert attempt(lambda: stores[desk].delete(kind, name, replaces=replaces)) == told
            self.settle(stores[desk])

        def version(self, kind: DeskKind, id: str, stale: int) -> int:  # noqa: A002
            current = self.oracle.get(kind, id)
            version = 0 if current is None else current.version
            return max(0, version - stale) if stale < 2 else version + 1

        @invariant()
        def both_desks_have_the_same(self) -> None:
            for store in stores:
                self.settle(store)

    return StoreMachine


def strip(records: Any) -> set[tuple[str, int, str, str]]:
    """Return records without the instant at which they were written."""
    return {(each.key, each.version, each.officer, repr(dict(each.content))) for each in records}


def attempt(act: Any) -> bool:
    """Return whether a conflict was told."""
    try:
        act()
    except RecordConflictError:
        return True
    return False


@pytest.mark.timeout(300)
def test_two_desks_have_what_a_dict_has(embedded: EmbeddedBroker, state: str) -> None:
    embedded.create_topics([DESK.topic(state)], 1)
    stores = [open_store(embedded, state), open_store(embedded, state)]
    runs: list[int] = []
    try:
        run_state_machine_as_test(
            make_machine(stores, runs),
            settings=settings(
                max_examples=EXAMPLES, stateful_step_count=8, deadline=None, derandomize=True, database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
    finally:
        for store in stores:
            store.close()
    assert len(runs) >= EXAMPLES // 2


RECORDS = st.builds(
    lambda name, version, officer: DeskRecord(DeskKind.UNSENT, name, version, officer, 0, {}),
    st.sampled_from(IDS), st.integers(1, 3), st.sampled_from(OFFICERS),
)  # fmt: skip
LOGS = st.lists(RECORDS | st.sampled_from(IDS), max_size=12)


@given(LOGS, st.integers(0, 12))
def test_a_table_is_the_same_for_every_reader_of_a_log_and_no_record_that_comes_second_counts(
    log: list[DeskRecord | str], cut: int
) -> None:
    """A text is the id of a tombstone. A reader that begins later, after compaction, may know less, never otherwise."""
    table, again, expected = RecordTable(), RecordTable(), dict[str, DeskRecord]()
    deleted: set[str] = set()
    for offset, entry in enumerate(log):
        key = make_key(DeskKind.UNSENT, entry if isinstance(entry, str) else entry.id)
        record = None if isinstance(entry, str) else entry
        table.take(offset, key, record)
        if record is None:
            expected.pop(key, None)
            deleted.add(key)
        elif key in expected:
            if record.version == expected[key].version + 1:
                expected[key] = record
        elif key not in deleted or record.version == 1:
            expected[key] = record
    for offset, entry in enumerate(log):
        record = None if isinstance(entry, str) else entry
        again.take(offset, make_key(DeskKind.UNSENT, entry if isinstance(entry, str) else entry.id), record)
    assert table.records == expected == again.records
    assert table.refused == again.refused
    hidden = RecordTable(dict(table.records))
    if cut < len(IDS):
        key = make_key(DeskKind.UNSENT, IDS[cut])
        hidden.take(99, key, UnopenedRecord(key, 99, "x"))
        assert key not in hidden.records
        hidden.take(100, key, None)
        assert key not in hidden.unopened


def test_behind_a_damaged_batch_any_version_counts_and_makes_its_key_certain_again() -> None:
    table, record = RecordTable(), DeskRecord(DeskKind.UNSENT, "a", 1, "o1", 0, {})
    table.take(0, "UNSENT:a", record)
    table.take(1, "UNSENT:b", record)
    table.take(2, "UNSENT:b", None)
    assert all(map(table.is_newest, ("UNSENT:a", "UNSENT:b", "UNSENT:never")))
    table.skip_damaged_batch(3, 7, is_given_up=False)
    assert not any(map(table.is_newest, ("UNSENT:a", "UNSENT:b", "UNSENT:never")))
    assert table.records == {"UNSENT:a": record}
    later = replace(record, version=4)
    table.take(7, "UNSENT:a", later)
    table.take(8, "UNSENT:b", later)  # it was made again in the batch
    assert table.records == {"UNSENT:a": later, "UNSENT:b": later}
    assert all(map(table.copy().is_newest, ("UNSENT:a", "UNSENT:b")))
    table.take(9, "UNSENT:a", later)
    assert table.refused == {9}
    table.skip_damaged_batch(10, 11, is_given_up=True)
    assert (table.is_newest("UNSENT:a"), table.is_newest("UNSENT:never"), table.uncertain_before) == (True, False, 7)
    table.take(11, "UNSENT:a", replace(record, version=9))
    assert table.records["UNSENT:a"].version == 9
    table.take(12, "UNSENT:never", None)
    assert table.is_newest("UNSENT:never")


def test_the_store_survives_many_threads_of_one_desk(embedded: EmbeddedBroker, state: str) -> None:
    embedded.create_topics([DESK.topic(state)], 1)
    store = open_store(embedded, state)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            made = store.put(DeskKind.UNSENT, f"i{number}", "o1", {"n": number})
            store.put(DeskKind.UNSENT, f"i{number}", "o1", {"n": -number}, replaces=made.version)
        except BaseException as error:  # noqa: BLE001 shown below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {each.id: (each.version, each.content["n"]) for each in store.list(DeskKind.UNSENT)}
    store.close()
    assert failures == []
    assert found == {f"i{number}": (2, -number) for number in range(12)}
