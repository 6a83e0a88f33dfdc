"""Counts what needs attention in the State's key folder, so that people are notified before a key has ended.

It is what `sharing keys show` lists: what ends soon or has ended, and files that others may read or change. No decision
depends on it. A worker whose key has ended stops anyway; this is for the weeks before.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mode import Service

from sharing.errors import SharingError
from sharing.keystore.key_problems import KeyProblem, find_key_problems
from sharing.telemetry.key_metrics import KEY_PROBLEMS

if TYPE_CHECKING:
    from sharing.keystore.key_folder import KeyFolder

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0


class KeyWatch(Service):
    """Checks the key folder every minute.

    Args:
        folder: The State's key folder.
        clock: Returns the time in UTC milliseconds.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.key_watch")

    def __init__(self, folder: KeyFolder, clock: Callable[[], int], **options: Any) -> None:
        self._folder = folder
        self._clock = clock
        self._reported: frozenset[str] = frozenset()
        super().__init__(**options)

    def look(self) -> None:
        """Count what needs attention, and log what is new. A folder that cannot be read is one urgent problem."""
        problems = self._find_problems()
        counts = Counter(problem.is_urgent for problem in problems)
        for is_urgent, label in ((True, "true"), (False, "false")):
            KEY_PROBLEMS.labels(label).set(counts[is_urgent])
        for problem in problems:
            if problem.sentence not in self._reported:
                log.warning("keys: %s", problem.sentence)
        self._reported = frozenset(problem.sentence for problem in problems)

    def _find_problems(self) -> Sequence[KeyProblem]:
        try:
            roots = self._folder.read_roots()
            return find_key_problems(self._folder, roots[-1], self._folder.read_keys(roots), self._clock())
        except SharingError as error:
            return [KeyProblem(str(error), "see the message")]

    @Service.task
    async def _look_periodically(self) -> None:
        while not self.should_stop:
            await asyncio.to_thread(self.look)
            await self.sleep(LOOK_SECONDS)
