"""The inbox's agent: receives batches from its exactly-once loop, opens them, and commits what is sealed again."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from processors.health.clock_check import ClockError
from processors.inbox.inbox_batch import InboxConservationError, open_batch
from processors.inbox.inbox_result import InboxResult
from processors.inbox.inbox_state import InboxState
from sharing.errors import SharingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable

    from processors.directory_follower import DirectoryFollower
    from processors.exactly_once.batch import Batch
    from processors.exactly_once.loop import ExactlyOnceLoop
    from processors.health.http_endpoints import HttpEndpoints
    from processors.health.inbox_observer import InboxObserver
    from processors.inbox.inbox_processor import InboxKeys, InboxProcessor
    from processors.inbox_keys import InboxKeySource

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class InboxAgent:
    """Processes the batches of the inbox's loop, one at a time.

    While a key is missing it waits, and nothing is read past: what cannot be opened for lack of the State's own keys is
    not the sender's fault. Nor is it under a wrong clock, under which every message would be too old or not yet valid:
    then the worker ends.

    Args:
        loop: Reads the batches and commits their outputs.
        directory: Must have been read before anything is verified.
        keys: Collects the keys for each batch.
        processor: Opens the messages.
        observer: Counts each batch.
        clock: Returns the time in UTC milliseconds.
        check_clock: Raises ClockError if the time of a batch cannot be right; waits until that can be judged.
        endpoints: The worker's HTTP endpoints; None when the worker serves none.

    Attributes:
        waits_for: Why the inbox waits, in a sentence; None while it does not.
    """

    def __init__(
        self,
        loop: ExactlyOnceLoop,
        directory: DirectoryFollower,
        keys: InboxKeySource,
        processor: InboxProcessor,
        observer: InboxObserver,
        clock: Callable[[], int],
        check_clock: Callable[[Batch], Awaitable[None]],
        endpoints: HttpEndpoints | None = None,
    ) -> None:
        self._loop = loop
        self._directory = directory
        self._keys = keys
        self._processor = processor
        self._observer = observer
        self._clock = clock
        self._check_clock = check_clock
        self._endpoints = endpoints
        self._memory = InboxState()
        self.waits_for: str | None = "the directory was not read yet"

    async def process_batches(self, batches: AsyncIterable[Batch]) -> None:
        """Process and commit each batch. An exception stops the process, and none of its batch is committed."""
        async for batch in batches:
            async with self._loop.guard_batch(batch):
                await self._process_batch(batch)

    async def _process_batch(self, batch: Batch) -> None:
        await self._directory.get_snapshot()
        keys = await self._wait_for_keys()
        # The time may be later than that of the batch: keys are judged when they are used.
        timed = replace(batch, now_ms=self._clock())
        result = InboxResult()
        try:
            await self._check_clock(timed)
            on_settled = self._observer.start_batch(batch, result)
            outputs = open_batch(self._processor, self._memory, timed, keys, result)
            await self._loop.commit_batch(batch, outputs, on_settled)
        except InboxConservationError:
            self._observer.mark_broken()
            await self._await_scrape()
            raise
        except ClockError:
            await self._await_scrape()
            raise

    async def _await_scrape(self) -> None:
        """Keep the failing worker running until its metrics have been scraped: they disappear with the process."""
        if self._endpoints is not None:
            await self._endpoints.await_scrape()

    async def _wait_for_keys(self) -> InboxKeys:
        """Return the keys, as soon as all of them are there. Reading a key file takes a third of a second."""
        while True:
            try:
                keys = await asyncio.to_thread(self._keys.collect_keys, self._clock())
            except SharingError as error:
                if self.waits_for != str(error):
                    log.warning("the inbox waits: %s", error)
                self.waits_for = str(error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if self.waits_for is not None:
                log.info("the inbox opens what other States send")
            self.waits_for = None
            return keys
