"""The index of what is due over an order that is kept on disk: read in portions, and followed by each change."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import precondition, rule

from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import StoreBackend
from processors.exactly_once.state_store_backends import RocksBackend
from sharing.conversation_state import due_index
from sharing.conversation_state.due_index import DueItem
from sharing.conversation_state.due_order import DueOrder
from sharing.conversation_state.entries import encode_received
from sharing.conversation_state.item_keys import make_received_key
from sharing.errors import DecodeError
from tests.conversation.people import NOW
from tests.conversation_state.index_worker import LATER, Worker, fill, make_offer
from tests.conversation_state.kept_states import make_item
from tests.conversation_state.test_due_index import IndexMachine
from tests.processors.exactly_once.state_store_fixtures import PARTITIONS

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))


class DiskIndexMachine(IndexMachine):
    """The same with entries on disk, whose order is kept there: the index reads it in small portions."""

    WINDOW, NOTED = 1, 1

    def open_backend(self) -> StoreBackend:
        self.folder = Path(tempfile.mkdtemp(prefix="due-index-"))
        self.sizes = due_index.WINDOW, due_index.NOTED_MAX
        due_index.WINDOW, due_index.NOTED_MAX = self.WINDOW, self.NOTED  # type: ignore[misc]
        return RocksBackend(self.folder, DueOrder())

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "sizes"):
            due_index.WINDOW, due_index.NOTED_MAX = self.sizes  # type: ignore[misc]
            self.worker.store.close()
            shutil.rmtree(self.folder)

    def check_length(self) -> None:
        assert self.worker.view is not None
        pending = sum(len(self.worker.view.get_pending(each)) for each in self.worker.owned)
        # What is on the way to the order is in the heap, and the portion before a horizon may have to be read, too.
        most = (2 * self.WINDOW + self.NOTED) * len(PARTITIONS) + pending
        assert len(self.worker.index) <= most, "the index grows without bound"

    @rule()
    @precondition(lambda self: self.is_idle)
    def start_again(self) -> None:
        """Close the process cleanly, and start it again with the copies that it has left."""
        owned = set(self.worker.owned)
        self.worker.store.close()
        self.worker = Worker(RocksBackend(self.folder, DueOrder()), self.worker.changelog)
        self.worker.take_partitions(owned)


DiskIndexMachine.TestCase.settings = settings(max_examples=EXAMPLES // 2, stateful_step_count=60, deadline=None)
TestDiskIndex: Any = DiskIndexMachine.TestCase


@pytest.fixture
def disk_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A worker that has read a little of the order that it has on disk."""
    monkeypatch.setattr(due_index, "WINDOW", 2)
    monkeypatch.setattr(due_index, "NOTED_MAX", 2)
    worker = Worker(RocksBackend(tmp_path, DueOrder()))
    worker.take_partitions({0})
    fill(worker, 9, apart_ms=1)
    return restart(worker, tmp_path)


def restart(worker: Worker, folder: Path) -> Worker:
    worker.store.close()
    worker = Worker(RocksBackend(folder, DueOrder()), worker.changelog)
    worker.take_partitions({0})
    return worker


def list_keys(numbers: range | list[int]) -> list[DueItem]:
    return [DueItem(0, make_received_key("CH", make_item(number))) for number in numbers]


def test_the_order_on_disk_is_read_in_portions_when_its_turn_comes(disk_worker: Worker) -> None:
    entries = disk_worker.open_batch()
    assert len(disk_worker.index) == 2, "no more than the first portion"
    assert disk_worker.index.count_items() == 9
    assert disk_worker.index.count_waiting(0, "CH") == 9
    assert disk_worker.index.find_next_due() == LATER
    taken = entries.take_due(NOW + 10_000, 100)
    assert taken == list_keys(range(9))


def test_nothing_of_the_entries_is_read_at_a_start(disk_worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the entries are read")

    monkeypatch.setattr(Overlay, "items", refuse)
    assert disk_worker.open_batch().take_due(LATER, 100) == list_keys([0])


def test_what_is_being_committed_stays_due_when_a_portion_is_read_again(disk_worker: Worker) -> None:
    entries = disk_worker.open_batch()
    for number in range(10, 16):
        entries.keep_received(0, make_offer(make_item(number), 1, 100, NOW))
    disk_worker.start_commit()
    entries = disk_worker.open_batch()
    assert len(disk_worker.index) == 8, "what is being committed, and one portion"
    assert set(entries.take_due(NOW + 50, 100)) == set(list_keys(range(10, 16)))


def test_the_order_on_disk_follows_what_changes(disk_worker: Worker, tmp_path: Path) -> None:
    entries = disk_worker.open_batch()
    entries.forget(list_keys([0])[0])
    entries.keep_received(0, make_offer(make_item(1), 2, 50_000, NOW))
    disk_worker.start_commit()
    disk_worker.commit()
    worker = restart(disk_worker, tmp_path)
    entries = worker.open_batch()
    assert (worker.index.count_items(), worker.index.count_waiting(0, "CH")) == (8, 8)
    assert worker.view is not None
    order = worker.view.get_order(0)
    assert order is not None
    assert len(order.list_after(b"", 100)) == 8, "nothing outdated is left"
    assert entries.take_due(NOW + 1_000, 100) == list_keys(range(2, 9))
    assert entries.take_due(NOW + 25_000, 100) == list_keys([1])


def test_a_copy_without_an_order_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_index, "WINDOW", 2)
    worker = Worker(RocksBackend(tmp_path))
    worker.take_partitions({0})
    fill(worker, 5)
    worker = restart(worker, tmp_path)
    entries = worker.open_batch()
    assert (len(worker.index), worker.index.count_items()) == (2, 5)
    assert set(entries.take_due(LATER, 100)) == set(list_keys(range(5)))


def test_an_order_that_a_program_without_one_has_not_followed_is_made_again(
    disk_worker: Worker, tmp_path: Path
) -> None:
    disk_worker.store.close()
    plain = Worker(RocksBackend(tmp_path), disk_worker.changelog)
    plain.take_partitions({0})
    plain.open_batch().forget(list_keys([0])[0])
    plain.start_commit()
    plain.commit()
    worker = restart(plain, tmp_path)
    entries = worker.open_batch()
    assert worker.index.count_items() == 8
    assert entries.take_due(NOW + 10_000, 100) == list_keys(range(1, 9))


def test_what_another_worker_has_written_is_in_the_order(disk_worker: Worker, tmp_path: Path) -> None:
    changed = [(list_keys([0])[0].key, None), (list_keys([1])[0].key, None)]
    late = encode_received(make_offer(make_item(1), 1, 80_000, NOW))
    disk_worker.changelog.write_transaction(0, [*changed, (list_keys([1])[0].key, late)])
    worker = restart(disk_worker, tmp_path)
    entries = worker.open_batch()
    assert worker.index.count_items() == 8
    assert entries.take_due(NOW + 10_000, 100) == list_keys(range(2, 9))


def test_entries_of_which_one_is_malformed_have_no_order(tmp_path: Path) -> None:
    worker = Worker(RocksBackend(tmp_path, DueOrder()))
    worker.changelog.write_transaction(0, [(list_keys([0])[0].key, b"malformed")])
    worker.take_partitions({0})
    with pytest.raises(DecodeError):
        worker.open_batch()
