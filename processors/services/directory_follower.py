"""Follows the directory for a worker: reads it to its end before the first batch, then keeps reading."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from mode import Service
from prometheus_client import Gauge

from processors.worker_thread import WorkerThread
from sharing.directory.trusted_directory import NO_SEAL_KEY
from sharing.errors import InfrastructureError, SharingError
from sharing.kafka.directory_logs import STALL_SECONDS_MAX
from sharing.kafka.directory_reader import DirectoryReader
from sharing.model.directory import Directory
from sharing.telemetry import directory_metrics
from sharing.trust.key_statement import TrustedKeys

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 0.5

SNAPSHOT_AGE_SECONDS_MAX = STALL_SECONDS_MAX
"""A gate never decides with an older snapshot. In less time than this the reader confirms or drops an entry."""


class DirectoryFollower(Service):
    """Holds the latest snapshot of the directory. The worker stops if reading fails: it must not use stale data.

    Args:
        connect: Opens a reader of the directory.
        start_timeout_s: How long brokers may take to answer at the start, in seconds. Reading the topics may take as
            long again as the reader grants to a topic that cannot be read.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.directory")

    def __init__(self, connect: Callable[[], DirectoryReader], start_timeout_s: float, **options: Any) -> None:
        self._connect = connect
        self._start_timeout_s = start_timeout_s + STALL_SECONDS_MAX
        self._reader: DirectoryReader | None = None
        self._thread = WorkerThread("directory")
        self._snapshot: Directory | None = None
        self._version: str | None = None
        self._polled = asyncio.Event()
        self._is_following = True
        super().__init__(**options)

    @property
    def version(self) -> str | None:
        """Version of the directory; None until it has been read once."""
        return self._version

    @property
    def age_s(self) -> float:
        """Seconds since the snapshot was last confirmed; infinite until it has been read once."""
        return float("inf") if self._reader is None else self._reader.age_s

    @property
    def problems(self) -> str:
        """Which States have no entry, and which have one but no topics or no seal key; or ""."""
        unreadable = dict(self._reader.unreadable) if self._reader is not None else {}
        unconfirmed = dict(self._reader.unconfirmed) if self._reader is not None else {}
        unreachable = self._snapshot.get_unreachable_states(_now_ms()) if self._snapshot is not None else ()
        parts = [f"{state} cannot be read ({cause})" for state, cause in unreadable.items()]
        parts += [
            f"{state} has no {'seal key' if unconfirmed.get(state) == NO_SEAL_KEY else 'topics'}"
            for state in sorted(unreachable)
        ]
        return ", ".join(parts)

    @property
    def trusted_keys(self) -> Mapping[str, TrustedKeys]:
        """The online keys that may be used now, by State, as of the last poll; none without pins."""
        return {} if self._reader is None else self._reader.trusted_keys

    def find_newest_keys(self, state: str) -> TrustedKeys | None:
        """Return the newest online keys of a State, even if they are no longer valid; None if none are verified."""
        return None if self._reader is None else self._reader.find_newest_keys(state)

    async def get_snapshot(self) -> Directory:
        """Return the latest snapshot. Waits until it is confirmed: at the start, and after a silence.

        Raises:
            InfrastructureError: The directory is no longer being read.
        """
        while self._snapshot is None or self.age_s > SNAPSHOT_AGE_SECONDS_MAX:
            if not self._is_following:
                raise InfrastructureError("the directory is no longer being read")
            await self._polled.wait()
        return self._snapshot

    @Service.task
    async def _follow(self) -> None:
        failure: SharingError | None = None
        try:
            reader = await self._thread.run(self._open)
            deadline = time.monotonic() + self._start_timeout_s
            while not self.should_stop:
                snapshot = await self._thread.run(reader.poll_updates, FOLLOW_SECONDS)
                if reader.age_s <= SNAPSHOT_AGE_SECONDS_MAX:
                    self._apply_snapshot(reader, snapshot)
                elif self._snapshot is None and time.monotonic() > deadline:
                    raise InfrastructureError(f"the directory cannot be read within {self._start_timeout_s:g} s")
                self._wake_waiting()
        except SharingError as error:
            failure = error
        finally:
            self._is_following = False
            self._wake_waiting()
            await self._thread.run(self._close)  # after the current call
            self._thread.stop()
        if failure is not None and not self.should_stop:
            log.critical("%s", failure)
            await self.crash(failure)

    def _open(self) -> DirectoryReader:
        self._reader = self._connect()
        return self._reader

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _wake_waiting(self) -> None:
        polled, self._polled = self._polled, asyncio.Event()
        polled.set()

    def _apply_snapshot(self, reader: DirectoryReader, snapshot: Directory) -> None:
        now_ms = _now_ms()
        version = snapshot.get_version(now_ms)
        _set_for_states(directory_metrics.DIRECTORY_UNREADABLE, reader.unreadable)
        _set_for_states(directory_metrics.DIRECTORY_UNCONFIRMED, reader.unconfirmed)
        _set_for_states(directory_metrics.DIRECTORY_WITHOUT_TOPICS, snapshot.get_unreachable_states(now_ms))
        directory_metrics.DIRECTORY_IGNORED.set(reader.ignored_count)
        if version != self._version:  # also when an entry has expired
            if self._version is not None:
                directory_metrics.DIRECTORY_CHANGES.inc()
            self._version = version
            directory_metrics.DIRECTORY_INFO.info({"version": version})
            log.info("directory at version %s, %s States", version, len(snapshot.entries))
        if snapshot is self._snapshot:
            return
        self._snapshot = snapshot
        directory_metrics.DIRECTORY_ENTRIES.set(len(snapshot.entries))
        announced = (entry.announced_at.timestamp() for entry in snapshot.entries.values())
        directory_metrics.DIRECTORY_ANNOUNCED.set(max(announced, default=0))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _set_for_states(gauge: Gauge, states: Collection[str]) -> None:
    """Set a gauge with the label `entry` to 1 for these States, and to 0 for those that it was set for before."""
    for metric in gauge.collect():
        for sample in metric.samples:
            if sample.labels["entry"] not in states:
                gauge.labels(sample.labels["entry"]).set(0)
    for state in states:
        gauge.labels(state).set(1)
