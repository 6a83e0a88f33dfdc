"""Renews the State's own directory statement, so that it expires only if nobody renews it.

Every minute the own topic is read and verified. What a person has announced is signed again when it is an hour old;
roots and key statements that are in the key folder and not in the topic are published at once. A failure is logged and
tried again a minute later: nothing that the gate decides waits for it. `SharingDirectoryStatementExpiring` fires long
before the statement expires.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from mode import Service

from sharing.errors import SharingError
from sharing.kafka.directory_writer import DirectoryWriter, RenewalResult
from sharing.telemetry import metrics

log = logging.getLogger(__name__)

CHECK_SECONDS = 60.0


class DirectoryHeartbeat(Service):
    """Renews the own statement. It announces nothing that no person has announced.

    Args:
        state: The State.
        connect: Opens the writer of the State's topic; may block.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.directory_heartbeat")

    def __init__(self, state: str, connect: Callable[[], DirectoryWriter], **options: Any) -> None:
        self._state = state
        self._connect = connect
        self._writer: DirectoryWriter | None = None
        self._reported: str | None = None
        metrics.DIRECTORY_STATEMENT_EXPIRY.labels(state).set(0)
        super().__init__(**options)

    async def beat(self) -> None:
        """Read the topic and renew what is due; log why that is not possible, once for each cause."""
        try:
            expires_at, problem = await asyncio.to_thread(self._renew)
        except SharingError as error:
            self._report(f"the directory statement of {self._state} is not renewed: {error}")
            return
        metrics.DIRECTORY_STATEMENT_EXPIRY.labels(self._state).set(expires_at / 1000)
        self._report(problem)

    def _renew(self) -> tuple[int, str | None]:
        """Renew, and return when the own statement expires (UTC milliseconds; 0 if none is valid), and what is wrong.

        Raises:
            SharingError: The keys cannot be used, or the broker does not answer.
        """
        if self._writer is None:
            self._writer = self._connect()
        result = self._writer.renew()
        statement = self._writer.statement
        problem = None
        if result is RenewalResult.NOTHING:
            problem = (
                f"{self._state} has no directory statement that may be renewed: nothing was announced, it has expired, "
                "or its key was revoked; an officer runs `sharing directory announce`"
            )
        elif result is RenewalResult.RENEWED and statement is not None:
            log.info("%s renewed", statement.name)
        return (0 if statement is None else statement.content.expires_at), problem

    def _report(self, problem: str | None) -> None:
        if problem is not None and problem != self._reported:
            log.error("%s", problem)
        self._reported = problem

    @Service.task
    async def _renew_periodically(self) -> None:
        while not self.should_stop:
            await self.beat()
            await self.sleep(CHECK_SECONDS)
