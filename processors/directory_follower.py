"""Follows the directory for a worker: read to its end before the first batch, then for as long as it runs."""

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
    """Keeps the latest snapshot. When it cannot be followed, the worker ends: it would decide on what is stale."""

    mundane_level = "debug"
    logger = logging.getLogger("mode.directory")

    def __init__(self, connect: Callable[[], DirectoryReader], start_timeout_s: float, **options: Any) -> None:
        self._connect = connect
        self._start_timeout_s = start_timeout_s
        self._snapshot: Directory | None = None
        self._read = asyncio.Event()
        super().__init__(**options)

    @property
    def version(self) -> int | None:
        """How far the directory has been read; None before its end was reached once."""
        return None if self._snapshot is None else self._snapshot.version

    async def snapshot(self) -> Directory:
        """Return what has been read so far; waits until the end was reached once."""
        await self._read.wait()
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
                snapshot = await asyncio.to_thread(reader.follow, FOLLOW_SECONDS)
                if reader.ended:
                    self._take(reader, snapshot)
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

    def _take(self, reader: DirectoryReader, snapshot: Directory) -> None:
        if snapshot is self._snapshot:
            return
        self._snapshot = snapshot
        self._read.set()
        metrics.DIRECTORY_VERSION.set(snapshot.version)
        metrics.DIRECTORY_IGNORED.set(reader.ignored)
        metrics.DIRECTORY_ENTRIES.set(len(snapshot.entries))
        announced = (entry.announced_at.timestamp() for entry in snapshot.entries.values())
        metrics.DIRECTORY_ANNOUNCED.set(max(announced, default=0))
        log.info("directory at version %s, %s States", snapshot.version, len(snapshot.entries))
