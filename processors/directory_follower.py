"""Follows the directory topic for a worker: reads it to its end before the first batch, then keeps reading."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from mode import Service

from sharing.errors import InfrastructureError
from sharing.kafka.directory_topic import DirectoryReader
from sharing.model.directory import Directory
from sharing.telemetry import metrics

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 0.5


class DirectoryFollower(Service):
    """Holds the latest snapshot of the directory. The worker stops if reading fails: it must not use stale data.

    Args:
        connect: Opens a reader of the directory topic.
        start_timeout_s: How long the first read to the end of the topic may take, in seconds.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.directory")

    def __init__(self, connect: Callable[[], DirectoryReader], start_timeout_s: float, **options: Any) -> None:
        self._connect = connect
        self._start_timeout_s = start_timeout_s
        self._snapshot: Directory | None = None
        self._snapshot_ready = asyncio.Event()
        super().__init__(**options)

    @property
    def version(self) -> int | None:
        """Version up to which the directory has been read; None until its end was reached once."""
        return None if self._snapshot is None else self._snapshot.version

    async def get_snapshot(self) -> Directory:
        """Return the latest snapshot. Waits until the end of the topic was reached once.

        Raises:
            InfrastructureError: The directory was not read.
        """
        await self._snapshot_ready.wait()
        if self._snapshot is None:
            raise InfrastructureError("the directory was not read")
        return self._snapshot

    @Service.task
    async def _follow(self) -> None:
        failure: InfrastructureError | None = None
        reader = await asyncio.to_thread(self._connect)
        deadline = time.monotonic() + self._start_timeout_s
        try:
            while not self.should_stop:
                snapshot = await asyncio.to_thread(reader.poll_updates, FOLLOW_SECONDS)
                if reader.at_end:
                    self._apply_snapshot(reader, snapshot)
                elif time.monotonic() > deadline:
                    raise InfrastructureError(
                        f"the directory cannot be read to its end within {self._start_timeout_s:g} s"
                    )
        except InfrastructureError as error:
            failure = error
        finally:
            await asyncio.to_thread(reader.close)
        if failure is not None and not self.should_stop:
            log.critical("%s", failure)
            await self.crash(failure)

    def _apply_snapshot(self, reader: DirectoryReader, snapshot: Directory) -> None:
        if snapshot is self._snapshot:
            return
        self._snapshot = snapshot
        self._snapshot_ready.set()
        metrics.DIRECTORY_VERSION.set(snapshot.version)
        metrics.DIRECTORY_IGNORED.set(reader.ignored_count)
        metrics.DIRECTORY_ENTRIES.set(len(snapshot.entries))
        announced = (entry.announced_at.timestamp() for entry in snapshot.entries.values())
        metrics.DIRECTORY_ANNOUNCED.set(max(announced, default=0))
        log.info("directory at version %s, %s States", snapshot.version, len(snapshot.entries))
