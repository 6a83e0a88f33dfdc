"""Follows the register of the State's officers for a worker: who may answer, as of the moment of the request.

Rulings are checked against a register that was read after them: an officer who was revoked before the ruling was
written is not trusted, and one who was added before is. While the register cannot be read, rulings wait; none is
refused for that reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mode import Service

from processors.worker_thread import WorkerThread
from sharing.errors import InfrastructureError, SharingError
from sharing.kafka.officer_reader import OfficerReader
from sharing.officers.register import Register

log = logging.getLogger(__name__)

CHECK_SECONDS = 10.0
"""How often the register is read even if it is not needed, so that a fault is known before the next ruling."""

RETRY_SECONDS = 1.0


class OfficerFollower(Service):
    """Reads the register when it is needed, and from time to time.

    Args:
        reader: Reads the register.

    Attributes:
        problem: Why the register cannot be read, in a sentence; None while it can.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.officers")

    def __init__(self, reader: OfficerReader, **options: Any) -> None:
        self.problem: str | None = "the register of officers has not been read yet"
        self._reader = reader
        self._thread = WorkerThread("officers")
        self._lock = asyncio.Lock()
        super().__init__(**options)

    @asynccontextmanager
    async def use_register(self) -> AsyncIterator[Register]:
        """Provide the register as it is now, which does not change during the block. Waits while it cannot be read."""
        async with self._lock:
            while (register := await self._try_to_read()) is None:
                if self.should_stop:
                    raise InfrastructureError("the worker is stopping, and the register of officers has not been read")
                await asyncio.sleep(RETRY_SECONDS)
            yield register

    @asynccontextmanager
    async def try_register(self) -> AsyncIterator[Register | None]:
        """Provide the register as it is now, which does not change during the block; None if it cannot be read."""
        async with self._lock:
            yield await self._try_to_read()

    async def on_stop(self) -> None:
        """Close the reader after the current call."""
        async with self._lock:
            await self._thread.run(self._reader.close)
            self._thread.stop()

    async def _try_to_read(self) -> Register | None:
        """Return the register; None if it cannot be read or the worker is stopping. The lock must be held."""
        if self.should_stop:
            return None
        try:
            register = await self._thread.run(self._reader.read)
        except SharingError as error:
            if self.problem != str(error):
                log.warning("rulings are waiting: %s", error)
            self.problem = str(error)
            return None
        if self.problem is not None:
            log.info("the register of officers was read to its end")
        self.problem = None
        return register

    @Service.task
    async def _check_periodically(self) -> None:
        while not self.should_stop:
            async with self._lock:
                await self._try_to_read()
            await self.sleep(CHECK_SECONDS if self.problem is None else RETRY_SECONDS)
