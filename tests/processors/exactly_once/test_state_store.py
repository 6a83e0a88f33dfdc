"""Local copies of the state that outlive the process are used if they are valid, and never otherwise."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from processors.exactly_once import rocks_store
from processors.exactly_once.state_store import COPY_AGE_MAX_MS, StateStore
from processors.exactly_once.state_store_backends import MemoryBackend, RocksBackend
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.state_store_fixtures import TOPIC, FakeChangelog

ENTRIES = [(b"%d" % number, b"value %d" % number) for number in range(50)]


@pytest.fixture
def changelog() -> FakeChangelog:
    changelog = FakeChangelog()
    changelog.write_transaction(0, ENTRIES)
    return changelog


@pytest.fixture
def folder(changelog: FakeChangelog, tmp_path: Path) -> Path:
    """The state folder of a worker that has stored a valid copy of the changelog, and ended."""
    assert restore_state(changelog, tmp_path / "folder") == len(ENTRIES)
    return tmp_path / "folder"


def restore_state(changelog: FakeChangelog, folder: Path) -> int:
    """Restore the state as a worker does and check it; return how many records were read for that."""
    before = changelog.records_read
    state_store = StateStore(changelog, RocksBackend(folder), lambda: changelog.now_ms)
    try:
        assert state_store.restore_partitions([0])
        assert dict(state_store.create_overlay().items(0)) == changelog.read_state(0)
        return changelog.records_read - before
    finally:
        state_store.close()


def can_restore_state(changelog: FakeChangelog, folder: Path) -> bool:
    """Return whether the state can be restored without an error."""
    try:
        restore_state(changelog, folder)
    except InfrastructureError:
        return False
    return True


def test_a_valid_copy_is_resumed_at_its_checkpoint(changelog: FakeChangelog, folder: Path) -> None:
    assert restore_state(changelog, folder) == 0
    changelog.write_transaction(0, [(b"1", None), (b"new", b"")])
    assert restore_state(changelog, folder) == 2
    assert restore_state(changelog, folder) == 0


def test_a_lost_copy_is_recreated(changelog: FakeChangelog, folder: Path) -> None:
    shutil.rmtree(folder)
    assert restore_state(changelog, folder) == len(ENTRIES)


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-*", "*.log", "*.sst"])
@pytest.mark.parametrize("damage", ["delete", "truncate", "flip"])
def test_a_damaged_copy_is_detected(changelog: FakeChangelog, folder: Path, name: str, damage: str) -> None:
    restore_state(changelog, folder)  # again, so that RocksDB turns the log of the first run into a table
    changelog.write_transaction(0, [(b"1", b"later")])
    paths = [path for path in (folder / TOPIC / "0").glob(name) if path.stat().st_size]
    for path in paths:
        content = path.read_bytes()
        middle = len(content) // 2
        if damage == "delete":
            path.unlink()
        elif damage == "truncate":
            path.write_bytes(content[:middle])
        else:
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    if not can_restore_state(changelog, folder):  # detected while reading, and deleted before the next start
        assert restore_state(changelog, folder) == len(ENTRIES) + 1
    assert restore_state(changelog, folder) == 0


def test_damage_that_is_detected_late_stops_the_process_and_deletes_the_copy(
    changelog: FakeChangelog, folder: Path
) -> None:
    """The damaged block of a large table is read only when its entries are queried."""
    noise = random.Random(7)
    changelog.write_transaction(0, [(b"large %d" % number, noise.randbytes(2_000)) for number in range(200)])
    restore_state(changelog, folder)
    restore_state(changelog, folder)
    table = max((folder / TOPIC / "0").glob("*.sst"), key=lambda path: path.stat().st_size)
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 0xFF
    table.write_bytes(content)
    with pytest.raises(InfrastructureError, match="is deleted; restart the worker"):
        restore_state(changelog, folder)
    assert restore_state(changelog, folder) == len(ENTRIES) + 200


def test_a_copy_of_another_topic_is_not_used(changelog: FakeChangelog, folder: Path) -> None:
    changelog.recreate_topic()
    changelog.write_transaction(0, [(b"%d" % number, b"new topic") for number in range(80)])
    assert restore_state(changelog, folder) == 80


def test_a_copy_of_another_partition_is_not_used(changelog: FakeChangelog, folder: Path) -> None:
    shutil.move(folder / TOPIC / "0", folder / TOPIC / "1")
    changelog.write_transaction(1, [(b"other", b"entry")] * 60)
    state_store = StateStore(changelog, RocksBackend(folder), lambda: changelog.now_ms)
    assert state_store.restore_partitions([1])
    assert dict(state_store.create_overlay().items(1)) == {b"other": b"entry"}
    state_store.close()


def test_a_copy_in_another_format_is_not_used(
    changelog: FakeChangelog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rocks_store, "FORMAT", 2)
    assert restore_state(changelog, folder) == len(ENTRIES)
    assert restore_state(changelog, folder) == 0


def test_a_copy_ahead_of_the_topic_is_not_used(changelog: FakeChangelog, folder: Path) -> None:
    """As after restoring a broker from a backup: the topic is the source of truth, even if it has lost records."""
    del changelog.partitions[0].records[20:]
    changelog.partitions[0].end = 20
    assert restore_state(changelog, folder) == 20


def test_a_copy_that_may_have_missed_a_tombstone_is_not_used(changelog: FakeChangelog, folder: Path) -> None:
    changelog.write_transaction(0, [(b"1", None)])
    changelog.now_ms += COPY_AGE_MAX_MS * 3
    changelog.compact()
    assert changelog.partitions[0].records[1].key == b"2", "the tombstone is not compacted"
    assert restore_state(changelog, folder) == len(ENTRIES) - 1


def test_a_copy_from_the_future_is_not_used(changelog: FakeChangelog, folder: Path) -> None:
    changelog.now_ms -= 1
    assert restore_state(changelog, folder) == len(ENTRIES)


def test_two_workers_do_not_share_a_folder(changelog: FakeChangelog, folder: Path) -> None:
    first = RocksBackend(folder)
    with pytest.raises(InfrastructureError, match="another process keeps its state in"):
        RocksBackend(folder)
    first.close()
    assert restore_state(changelog, folder) == 0


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InfrastructureError, match="state cannot be stored in"):
        RocksBackend(tmp_path / "file" / "state")


@pytest.mark.parametrize("in_memory", [True, False])
def test_entries_with_a_prefix_are_found_through_all_layers(
    changelog: FakeChangelog, tmp_path: Path, in_memory: bool
) -> None:
    changelog.write_transaction(0, [(b"told/a", b"1"), (b"told/b", b"2"), (b"tole", b"3"), (b"told", b"4")])
    backend = MemoryBackend() if in_memory else RocksBackend(tmp_path / "folder")
    state_store = StateStore(changelog, backend, lambda: changelog.now_ms)
    try:
        assert state_store.restore_partitions([0])
        assert dict(state_store.create_overlay().items(0, b"told/")) == {b"told/a": b"1", b"told/b": b"2"}
        previous = state_store.create_overlay()
        previous.put(0, b"told/c", b"5")
        previous.delete(0, b"told/a")
        view = state_store.create_overlay(previous)
        view.put(0, b"told/b", b"6")
        view.put(0, b"other", b"7")
        assert dict(view.items(0, b"told/")) == {b"told/b": b"6", b"told/c": b"5"}
        assert len(dict(view.items(0))) == len(ENTRIES) + 5
    finally:
        state_store.close()
