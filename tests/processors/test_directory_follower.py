"""The directory follower waits for the end of the topic, and stops the worker when the directory cannot be read."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from processors import directory_follower
from processors.directory_follower import FOLLOW_SECONDS, DirectoryFollower
from sharing.errors import InfrastructureError
from sharing.model.directory import Directory
from sharing.telemetry import metrics
from tests.processors.gate.gate_fixtures import directory_entry, make_directory
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from sharing.kafka.directory_topic import DirectoryReader

TIMEOUT_S = 30.0
LIMIT_S = 15.0
PARTIAL = make_directory(directory_entry("DE"), version=1)
COMPLETE = make_directory(directory_entry("DE"), directory_entry("FR"), version=2)
CHANGED = make_directory(directory_entry("FR"), version=3)
LOST = InfrastructureError("exchange.directory cannot be read")


class FakeReader:
    """A reader whose polls give these results, one after the other, and the last one again and again.

    Args:
        polls: The results: whether the end was reached, and the snapshot; or an error.
        on_poll: Called before each result.
    """

    def __init__(
        self, *polls: tuple[bool, Directory] | InfrastructureError, on_poll: Callable[[], None] = lambda: None
    ) -> None:
        self.at_end = False
        self.ignored_count = 4
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
        self.at_end, snapshot = result
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


def test_there_is_no_snapshot_before_the_end_of_the_topic() -> None:
    versions: list[int | None] = []

    reader = FakeReader(
        (False, PARTIAL), (False, PARTIAL), (True, COMPLETE), on_poll=lambda: versions.append(follower.version)
    )
    follower = make_follower(reader)

    async def run() -> None:
        await follower.start()
        async with asyncio.timeout(TIMEOUT_S):
            assert await follower.get_snapshot() is COMPLETE
        assert follower.version == COMPLETE.version
        await follower.stop()

    asyncio.run(run())  # also waits for the thread that closes the reader
    assert reader.closed
    assert set(reader.timeouts) == {FOLLOW_SECONDS}
    assert follower.crash_reason is None
    assert versions[:3] == [None] * 3
    assert metrics.DIRECTORY_VERSION._value.get() == COMPLETE.version
    assert metrics.DIRECTORY_ENTRIES._value.get() == len(COMPLETE.entries)
    assert metrics.DIRECTORY_IGNORED._value.get() == 4


def test_later_snapshots_replace_earlier_ones() -> None:
    async def run() -> None:
        follower = make_follower(FakeReader((True, COMPLETE), (True, CHANGED)))
        await follower.start()
        await asyncio.to_thread(
            wait_until, lambda: follower.version == CHANGED.version, "the change is read", TIMEOUT_S
        )
        assert await follower.get_snapshot() is CHANGED
        await follower.stop()

    asyncio.run(run())


@pytest.mark.parametrize("polls", [(), ((True, COMPLETE),)], ids=["at the start", "later"])
def test_a_directory_that_cannot_be_read_stops_the_worker(
    polls: tuple[tuple[bool, Directory], ...], caplog: pytest.LogCaptureFixture
) -> None:
    reader = FakeReader(*polls, LOST)
    follower = run_until_crash(reader)
    assert follower.crash_reason is LOST
    assert reader.closed
    assert [record.message for record in caplog.records if record.levelname == "CRITICAL"] == [str(LOST)]


def test_an_end_that_is_not_reached_in_time_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(0, 10_000, 10))  # one reading for the deadline, then one after each poll
    monkeypatch.setattr(directory_follower, "time", SimpleNamespace(monotonic=lambda: float(next(times))))
    reader = FakeReader((False, PARTIAL))
    follower = run_until_crash(reader)
    assert isinstance(follower.crash_reason, InfrastructureError)
    assert str(follower.crash_reason) == "the directory cannot be read to its end within 15 s"
    assert (len(reader.timeouts), reader.closed, follower.version) == (2, True, None)


def test_after_the_end_was_reached_once_there_is_no_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0])
    monkeypatch.setattr(directory_follower, "time", SimpleNamespace(monotonic=lambda: next(times)))

    async def run() -> None:
        reader = FakeReader((True, COMPLETE), (True, CHANGED))
        follower = make_follower(reader)
        await follower.start()
        await asyncio.to_thread(
            wait_until, lambda: follower.version == CHANGED.version, "the change is read", TIMEOUT_S
        )
        assert await follower.get_snapshot() is CHANGED
        await follower.stop()
        assert follower.crash_reason is None

    asyncio.run(run())


def test_without_a_snapshot_there_is_an_error() -> None:
    async def run() -> None:
        follower = make_follower(FakeReader((False, PARTIAL)))
        follower._snapshot_ready.set()
        with pytest.raises(InfrastructureError, match="the directory was not read"):
            await follower.get_snapshot()

    asyncio.run(run())
