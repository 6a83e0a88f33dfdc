"""The directory follower waits for the end of the topic, and stops the worker when the directory cannot be read."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from processors.services import directory_follower
from processors.services.directory_follower import FOLLOW_SECONDS, SNAPSHOT_AGE_SECONDS_MAX, DirectoryFollower
from processors.worker import composition
from sharing.errors import InfrastructureError, SettingsError
from sharing.model.directory import Directory
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.telemetry import directory_metrics
from sharing.telemetry.metrics import REGISTRY
from sharing.trust.root import Pin
from tests.processors.gate.gate_fixtures import directory_entry, make_directory
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processors.worker.worker_inputs import WorkerInputs
    from sharing.kafka.directory_reader import DirectoryReader

TIMEOUT_S = 120.0
LIMIT_S = 15.0
CURRENT, OLD, UNREAD = 1.0, SNAPSHOT_AGE_SECONDS_MAX + 1, float("inf")
COMPLETE = make_directory(directory_entry("DE"), directory_entry("FR"))
CHANGED = make_directory(directory_entry("FR"))
RENEWED = make_directory(directory_entry("FR", announced_at="2026-02-01T00:00:00Z"))
LOST = InfrastructureError("the directory cannot be read")
NOW_MS = 1_767_225_600_000


class FakeReader:
    """A reader whose polls give these results, one after the other, and the last one again and again.

    Args:
        polls: The results: the age of the snapshot in seconds, and the snapshot; or an error.
        on_poll: Called before each result.
    """

    def __init__(
        self, *polls: tuple[float, Directory] | InfrastructureError, on_poll: Callable[[], None] = lambda: None
    ) -> None:
        self.age_s = UNREAD
        self.ignored_count = 4
        self.unreadable: dict[str, str] = {}
        self.unconfirmed: dict[str, str] = {}
        self.closed = False
        self.timeouts: list[float] = []
        self._polls = list(polls)
        self._on_poll = on_poll
        self._pause = threading.Event()

    def poll_updates(self, timeout_s: float) -> Directory:
        self.timeouts.append(timeout_s)
        self._on_poll()
        result = self._polls[0]
        if len(self._polls) > 1:
            del self._polls[0]
        else:
            self._pause.wait(0.001)  # yields the processor, as a poll without new records does
        if isinstance(result, InfrastructureError):
            raise result
        self.age_s, snapshot = result
        return snapshot

    def close(self) -> None:
        self.closed = True


def make_follower(reader: FakeReader) -> DirectoryFollower:
    return DirectoryFollower(lambda: cast("DirectoryReader", reader), LIMIT_S)


def run_until_crash(reader: FakeReader) -> DirectoryFollower:
    """Run a follower until it crashes."""

    async def run() -> DirectoryFollower:
        follower = make_follower(reader)
        await follower.start()
        try:
            assert await follower.wait_for_stopped(asyncio.sleep(TIMEOUT_S))
        finally:
            await follower.stop()
        return follower

    return asyncio.run(run())


def test_there_is_no_snapshot_before_everything_was_read() -> None:
    versions: list[str | None] = []

    reader = FakeReader(
        (UNREAD, Directory()),
        (UNREAD, Directory()),
        (CURRENT, COMPLETE),
        on_poll=lambda: versions.append(follower.version),
    )
    follower = make_follower(reader)

    async def run() -> None:
        await follower.start()
        async with asyncio.timeout(TIMEOUT_S):
            assert await follower.get_snapshot() is COMPLETE
        assert follower.version == COMPLETE.get_version(NOW_MS)
        await follower.stop()

    asyncio.run(run())  # also waits for the thread that closes the reader
    assert reader.closed
    assert set(reader.timeouts) == {FOLLOW_SECONDS}
    assert follower.crash_reason is None
    assert versions[:3] == [None] * 3
    assert REGISTRY.get_sample_value("sharing_directory_info", {"version": COMPLETE.get_version(NOW_MS)}) == 1
    assert directory_metrics.DIRECTORY_ENTRIES._value.get() == len(COMPLETE.entries)
    assert directory_metrics.DIRECTORY_IGNORED._value.get() == 4


def run_until_current(reader: FakeReader, expected: Directory) -> DirectoryFollower:
    """Run a follower until it provides a snapshot."""

    async def run() -> DirectoryFollower:
        follower = make_follower(reader)
        await follower.start()
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.to_thread(wait_until, lambda: follower._snapshot is expected, "it is read", TIMEOUT_S)
            assert await follower.get_snapshot() is expected
        await follower.stop()
        return follower

    return asyncio.run(run())


def test_later_snapshots_replace_earlier_ones_and_only_changes_of_content_count() -> None:
    before = directory_metrics.DIRECTORY_CHANGES._value.get()
    run_until_current(FakeReader((CURRENT, COMPLETE), (CURRENT, CHANGED), (CURRENT, RENEWED)), RENEWED)
    assert directory_metrics.DIRECTORY_CHANGES._value.get() == before + 1
    assert directory_metrics.DIRECTORY_ANNOUNCED._value.get() == RENEWED.entries["FR"].announced_at.timestamp()


def test_after_a_silence_the_gate_waits_until_the_snapshot_is_confirmed() -> None:
    """A worker that was frozen, or cut off, must not decide with what it knew before."""
    is_confirmed = threading.Event()
    reader = FakeReader((CURRENT, COMPLETE), (OLD, COMPLETE))

    def confirm() -> None:
        if is_confirmed.is_set():
            reader._polls[:] = [(CURRENT, CHANGED)]

    reader._on_poll = confirm

    async def run() -> None:
        follower = make_follower(reader)
        await follower.start()
        async with asyncio.timeout(TIMEOUT_S):
            is_old = lambda: follower.version is not None and follower.age_s == OLD  # noqa: E731
            await asyncio.to_thread(wait_until, is_old, "the snapshot is old", TIMEOUT_S)
            waiting = asyncio.create_task(follower.get_snapshot())
            polls = len(reader.timeouts) + 5
            await asyncio.to_thread(wait_until, lambda: len(reader.timeouts) > polls, "more polls", TIMEOUT_S)
            assert not waiting.done()
            is_confirmed.set()
            assert await waiting is CHANGED
        await follower.stop()

    asyncio.run(run())


def test_the_reader_is_closed_after_the_poll_that_a_stop_interrupts() -> None:
    """A client that is closed while another thread uses it can crash the process."""
    calls: list[str] = []
    polling, may_return = threading.Event(), threading.Event()

    def wait_in_poll() -> None:
        polling.set()
        may_return.wait(TIMEOUT_S)
        calls.append("polled")

    reader = FakeReader((CURRENT, COMPLETE), on_poll=wait_in_poll)
    reader.close = lambda: calls.append("closed")  # type: ignore[method-assign]
    follower = make_follower(reader)

    async def run() -> None:
        await follower.start()
        await asyncio.to_thread(polling.wait, TIMEOUT_S)
        stopping = asyncio.create_task(follower.stop())
        await asyncio.wait({stopping}, timeout=0.2)
        may_return.set()
        await stopping

    asyncio.run(run())
    assert calls == ["polled", "closed"]


def test_states_that_cannot_be_read_or_reached_are_reported() -> None:
    reader = FakeReader((CURRENT, Directory(COMPLETE.entries, receiving_states=frozenset({"DE"}))))
    reader.unreadable = {"NL": "_BAD_COMPRESSION"}
    follower = run_until_current(reader, reader._polls[-1][1])  # type: ignore[index]
    assert follower.problems == "NL cannot be read (_BAD_COMPRESSION), FR has no topics"
    assert get_gauges("sharing_directory_unreadable") == {"NL": 1}
    assert get_gauges("sharing_directory_without_topics") == {"FR": 1}
    reader = FakeReader((CURRENT, COMPLETE))
    follower = run_until_current(reader, COMPLETE)
    assert follower.problems == ""
    assert get_gauges("sharing_directory_unreadable") == {"NL": 0}
    assert get_gauges("sharing_directory_without_topics") == {"FR": 0}


def get_gauges(name: str) -> dict[str, float]:
    """Return the values of a gauge that has a series for each entry."""
    return {
        sample.labels["entry"]: sample.value
        for family in REGISTRY.collect()
        if family.name == name
        for sample in family.samples
    }


@pytest.mark.parametrize("polls", [(), ((CURRENT, COMPLETE),)], ids=["at the start", "later"])
def test_a_directory_that_cannot_be_read_stops_the_worker(
    polls: tuple[tuple[float, Directory], ...], caplog: pytest.LogCaptureFixture
) -> None:
    reader = FakeReader(*polls, LOST)
    follower = run_until_crash(reader)
    assert follower.crash_reason is LOST
    assert reader.closed
    assert [record.message for record in caplog.records if record.levelname == "CRITICAL"] == [str(LOST)]


def test_an_end_that_is_not_reached_in_time_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(0, 10_000, 10))  # one reading for the deadline, then one after each poll
    clock = SimpleNamespace(monotonic=lambda: float(next(times)), time_ns=time.time_ns)
    monkeypatch.setattr(directory_follower, "time", clock)
    reader = FakeReader((UNREAD, Directory()))
    follower = run_until_crash(reader)
    assert isinstance(follower.crash_reason, InfrastructureError)
    assert str(follower.crash_reason) == "the directory cannot be read within 45 s"
    assert (len(reader.timeouts), reader.closed, follower.version) == (5, True, None)


def test_after_the_directory_was_read_once_there_is_no_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0])
    clock = SimpleNamespace(monotonic=lambda: next(times), time_ns=time.time_ns)
    monkeypatch.setattr(directory_follower, "time", clock)

    async def run() -> None:
        reader = FakeReader((CURRENT, COMPLETE), (OLD, COMPLETE), (CURRENT, CHANGED))
        follower = make_follower(reader)
        await follower.start()
        changed = CHANGED.get_version(NOW_MS)
        await asyncio.to_thread(wait_until, lambda: follower.version == changed, "the change is read", TIMEOUT_S)
        assert await follower.get_snapshot() is CHANGED
        await follower.stop()
        assert follower.crash_reason is None

    asyncio.run(run())


def test_without_a_snapshot_there_is_an_error() -> None:
    async def run() -> None:
        follower = make_follower(FakeReader((UNREAD, Directory())))
        waiting = asyncio.create_task(follower.get_snapshot())
        await follower.start()
        await follower.stop()
        with pytest.raises(InfrastructureError, match="the directory is no longer being read"):
            await asyncio.wait_for(waiting, TIMEOUT_S)

    asyncio.run(run())


def test_what_cannot_be_remembered_stops_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    """The state folder is damaged or full: what was accepted before is not known, or would not be afterwards."""
    damaged = SettingsError("SHARING_STATE_FOLDER: directory/de.json is damaged")

    def connect() -> DirectoryReader:
        raise damaged

    follower = DirectoryFollower(connect, LIMIT_S)

    async def run() -> None:
        await follower.start()
        try:
            assert await follower.wait_for_stopped(asyncio.sleep(TIMEOUT_S))
        finally:
            await follower.stop()

    asyncio.run(run())
    assert follower.crash_reason is damaged
    assert "de.json is damaged" in caplog.text


def test_a_worker_remembers_in_its_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[dict[str, object]] = []
    monkeypatch.setattr(composition, "DirectoryReader", lambda *_, **options: opened.append(options))
    inputs = SimpleNamespace(
        settings=Settings(state="CH", state_folder=tmp_path),
        bootstrap="broker:9092",
        identity=SimpleNamespace(client={}, state="CH"),
        framing=SINGLE_OBJECT_FRAMING,
    )
    composition._follow_directory(cast("WorkerInputs", inputs), None)._connect()
    assert [options["memory"] for options in opened] == [tmp_path]


def test_a_trust_file_that_is_missing_lets_no_state_count_as_one_that_left(tmp_path: Path) -> None:
    file, pins = tmp_path / "trust.yaml", {"CH": Pin("CH", 1, "0" * 64)}
    settings = Settings(state="CH", trust_file=file)
    assert composition._list_pinned(settings, pins) is None
    file.write_text("format: 1\nroots: []\n")
    assert composition._list_pinned(settings, pins) == frozenset({"CH"})
    assert composition._list_pinned(Settings(state="CH"), None) is None
