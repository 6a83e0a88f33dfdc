"""Copies of the ledger that outlive the process: used when they are sound, and never otherwise."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from processors.exactly_once import store_backends
from processors.exactly_once.state_store import COPY_AGE_MAX_MS, StateStore
from processors.exactly_once.store_backends import RocksBackend
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.state_store_fixtures import FakeLog

ENTRIES = [(b"%d" % number, b"value %d" % number) for number in range(50)]


@pytest.fixture
def log() -> FakeLog:
    log = FakeLog()
    log.write(0, ENTRIES)
    return log


@pytest.fixture
def folder(log: FakeLog, tmp_path: Path) -> Path:
    """Where a worker has kept a sound copy of the log, and ended."""
    assert visit(log, tmp_path / "kept") == len(ENTRIES)
    return tmp_path / "kept"


def visit(log: FakeLog, folder: Path) -> int:
    """Be a worker for a moment; return how many records it had to read to know what the log says."""
    before = log.reads
    ledger = StateStore(log, RocksBackend(folder), lambda: log.now_ms)
    try:
        assert ledger.assign([0])
        assert dict(ledger.view().items(0)) == log.state(0)
        return log.reads - before
    finally:
        ledger.close()


def starts(log: FakeLog, folder: Path) -> bool:
    """Be a worker for a moment, or end with a sentence."""
    try:
        visit(log, folder)
    except InfrastructureError:
        return False
    return True


def test_a_sound_copy_is_read_on_from_where_it_stands(log: FakeLog, folder: Path) -> None:
    assert visit(log, folder) == 0
    log.write(0, [(b"1", None), (b"new", b"")])
    assert visit(log, folder) == 2
    assert visit(log, folder) == 0


def test_a_lost_copy_is_made_anew(log: FakeLog, folder: Path) -> None:
    shutil.rmtree(folder)
    assert visit(log, folder) == len(ENTRIES)


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-*", "*.log", "*.sst"])
@pytest.mark.parametrize("harm", ["lose", "cut", "flip"])
def test_a_torn_copy_tells_no_lie(log: FakeLog, folder: Path, name: str, harm: str) -> None:
    visit(log, folder)  # once more: the log of the first run is a table now
    log.write(0, [(b"1", b"later")])
    paths = [path for path in (folder / "ledger" / "0").glob(name) if path.stat().st_size]
    for path in paths:
        content = path.read_bytes()
        middle = len(content) // 2
        if harm == "lose":
            path.unlink()
        elif harm == "cut":
            path.write_bytes(content[:middle])
        else:
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    if not starts(log, folder):  # noticed when it was read; the next start finds it deleted
        assert visit(log, folder) == len(ENTRIES) + 1
    assert visit(log, folder) == 0


def test_damage_that_is_noticed_late_ends_the_process_and_the_copy(log: FakeLog, folder: Path) -> None:
    """A table of many blocks, of which one is read only when its entries are asked for."""
    noise = random.Random(7)
    log.write(0, [(b"large %d" % number, noise.randbytes(2_000)) for number in range(200)])
    visit(log, folder)
    visit(log, folder)
    table = max((folder / "ledger" / "0").glob("*.sst"), key=lambda path: path.stat().st_size)
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 0xFF
    table.write_bytes(content)
    with pytest.raises(InfrastructureError, match="is deleted; start again"):
        visit(log, folder)
    assert visit(log, folder) == len(ENTRIES) + 200


def test_a_copy_of_another_topic_is_not_used(log: FakeLog, folder: Path) -> None:
    log.renew()
    log.write(0, [(b"%d" % number, b"of another") for number in range(80)])
    assert visit(log, folder) == 80


def test_a_copy_of_another_partition_is_not_used(log: FakeLog, folder: Path) -> None:
    shutil.move(folder / "ledger" / "0", folder / "ledger" / "1")
    log.write(1, [(b"other", b"entry")] * 60)
    ledger = StateStore(log, RocksBackend(folder), lambda: log.now_ms)
    assert ledger.assign([1])
    assert dict(ledger.view().items(1)) == {b"other": b"entry"}
    ledger.close()


def test_a_copy_of_another_form_is_not_used(log: FakeLog, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_backends, "FORM", 2)
    assert visit(log, folder) == len(ENTRIES)
    assert visit(log, folder) == 0


def test_a_copy_ahead_of_the_topic_is_not_used(log: FakeLog, folder: Path) -> None:
    """As after a broker's restore from a backup: the topic is the truth, even if it has forgotten."""
    del log.parts[0].records[20:]
    log.parts[0].end = 20
    assert visit(log, folder) == 20


def test_a_copy_that_may_have_missed_a_tombstone_is_not_used(log: FakeLog, folder: Path) -> None:
    log.write(0, [(b"1", None)])
    log.now_ms += COPY_AGE_MAX_MS * 3
    log.compact()
    assert log.parts[0].records[1].key == b"2", "the tombstone is still there"
    assert visit(log, folder) == len(ENTRIES) - 1


def test_a_copy_from_the_future_is_not_used(log: FakeLog, folder: Path) -> None:
    log.now_ms -= 1
    assert visit(log, folder) == len(ENTRIES)


def test_two_workers_do_not_share_a_folder(log: FakeLog, folder: Path) -> None:
    first = RocksBackend(folder)
    with pytest.raises(InfrastructureError, match="another process keeps its ledger"):
        RocksBackend(folder)
    first.close()
    assert visit(log, folder) == 0


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InfrastructureError, match="cannot be kept in"):
        RocksBackend(tmp_path / "file" / "ledger")
