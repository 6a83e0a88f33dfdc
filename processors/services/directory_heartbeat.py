"""Renews the State's own directory statement, so that it expires only if nobody renews it.

Every minute, and at once when the key folder has a newer key statement, the State's topic is read and verified. What a
person has announced is signed again when it is an hour old. Roots and key statements that are in the key folder but not
in the topic are published, because other States refuse signatures by keys that they do not know yet. A failure is
logged and tried again a minute later: nothing that the gate decides waits for it. `SharingDirectoryStatementExpiring`
fires long before the statement expires.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from mode import Service

from sharing.errors import SharingError
from sharing.kafka.directory_writer import DirectoryWriter, RenewalResult
from sharing.officers.register import Register
from sharing.telemetry import directory_metrics

log = logging.getLogger(__name__)

CHECK_SECONDS = 60.0
LOOK_SECONDS = 1.0
"""How often the key folder is checked, which costs two directory listings."""


class DirectoryHeartbeat(Service):
    """Renews the State's own statement. It never announces anything that a person has not announced.

    Args:
        state: The State.
        connect: Opens the writer of the State's topic; may block.
        get_version: Returns the version of the newest key statement in the key folder; may block. None if that is not
            checked.
        read_register: Reads the register of the State's officers; may block. None if there is none: then no standing
            acceptance is renewed.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.directory_heartbeat")

    def __init__(
        self,
        state: str,
        connect: Callable[[], DirectoryWriter],
        get_version: Callable[[], int] | None = None,
        read_register: Callable[[], Register] | None = None,
        **options: Any,
    ) -> None:
        self._state = state
        self._connect = connect
        self._get_version = get_version
        self._read_register = read_register
        self._writer: DirectoryWriter | None = None
        self._reported: str | None = None
        directory_metrics.DIRECTORY_STATEMENT_EXPIRY.labels(state).set(0)
        super().__init__(**options)

    async def beat(self) -> None:
        """Read the topic and renew what is due; if that is not possible, log why, once for each cause."""
        try:
            expires_at, problem = await asyncio.to_thread(self._renew)
        except SharingError as error:
            self._report(f"the directory statement of {self._state} is not renewed: {error}")
            return
        directory_metrics.DIRECTORY_STATEMENT_EXPIRY.labels(self._state).set(expires_at / 1000)
        self._report(problem)

    def _renew(self) -> tuple[int, str | None]:
        """Renew, and return when the statement expires (UTC milliseconds; 0 if none is valid), and what is wrong.

        Raises:
            SharingError: The keys cannot be used, or the broker does not answer.
        """
        if self._writer is None:
            self._writer = self._connect()
        result = self._writer.renew(self._read_register)
        statement = self._writer.statement
        problem = self._writer.older_folder
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

    def _find_version(self) -> int:
        """Return the version of the newest key statement in the folder; 0 if it cannot be read: `beat` says why."""
        try:
            return 0 if self._get_version is None else self._get_version()
        except SharingError:
            return 0

    @Service.task
    async def _renew_periodically(self) -> None:
        while not self.should_stop:
            version = await asyncio.to_thread(self._find_version)
            await self.beat()
            await self._wait_for_change(version)

    async def _wait_for_change(self, version: int) -> None:
        """Wait until the key folder has another key statement, for a minute at most."""
        for _ in range(int(CHECK_SECONDS / LOOK_SECONDS)):
            await self.sleep(LOOK_SECONDS)
            if await asyncio.to_thread(self._find_version) not in {0, version}:
                return
