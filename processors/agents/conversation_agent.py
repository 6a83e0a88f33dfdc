"""The conversation's agent: receives batches from its exactly-once loop, has them processed, and commits outputs."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from processors.conversation.batch_driver import BatchDriver
from processors.conversation.batch_work import BatchWork, DriverResult
from processors.health.last_scrape import show_failure
from sharing.conversation_state.covers import make_covers_key
from sharing.errors import SharingError
from sharing.topology.topics import RULINGS, URGENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping

    from processors.agents.inbox_keys import InboxKeySource
    from processors.agents.law_source import LawSource
    from processors.exactly_once.batch import Batch
    from processors.exactly_once.loop import ExactlyOnceLoop
    from processors.health.conversation_observer import ConversationObserver
    from processors.health.http_endpoints import HttpEndpoints
    from processors.inbox.inbox_processor import InboxKeys
    from processors.sealing.draft_opening import DraftOpening
    from processors.sealing.loop_sealing import BatchSealing, LoopSealing
    from processors.sealing.ruling_opening import BatchRulings, RulingOpening
    from processors.services.directory_follower import DirectoryFollower
    from processors.services.officer_follower import OfficerFollower
    from sharing.model.directory import Directory
    from sharing.rulings.signing import FindOfficer
    from sharing.seal.faults import SealError

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ConversationSources:
    """Where a batch gets its inputs: directory, keys, law, officers.

    Attributes:
        directory: The directory, which must have been read before anything is verified.
        keys: Collects the keys with which messages are opened, and sealed for readers.
        sealing: Seals and numbers what leaves the State.
        drafts: Opens the gate's drafts.
        officers: The register of the State's officers.
        law: The law in force.
        rulings: Opens the officers' rulings.
    """

    directory: DirectoryFollower
    keys: InboxKeySource
    sealing: LoopSealing
    drafts: DraftOpening
    officers: OfficerFollower
    law: LawSource
    rulings: RulingOpening


class _Keys(NamedTuple):
    """What the keys provide for one batch, and the batch at the time at which they were read."""

    batch: Batch
    inbox: InboxKeys
    sealing: BatchSealing
    drafts: Mapping[int, bytes | SealError]
    rulings: BatchRulings


class ConversationAgent:
    """Processes the batches of the conversation's loop, one at a time.

    While a key is missing it waits, and skips nothing: if a message cannot be opened because the State's own keys are
    missing, that is not the sender's fault. Rulings and drafts wait too, although they do not need another State's
    keys, because what they cause is sealed. While the register of officers cannot be read, a batch with rulings waits.
    Under a wrong clock every message would be too old or not yet valid, and deadlines would act at the wrong time: then
    the worker ends.

    Args:
        state: The State.
        loop: Reads the batches and commits their outputs.
        sources: Where a batch gets its inputs: directory, keys, law, officers.
        driver: Processes the batches.
        observer: Counts each batch.
        clock: Returns the time in UTC milliseconds.
        check_clock: Raises ClockError if the time of a batch cannot be right; waits until that can be determined.
        endpoints: The worker's HTTP endpoints; None when the worker serves none.

    Attributes:
        waits_for: Why the loop is waiting, in a sentence; None if it is not.
    """

    def __init__(
        self,
        state: str,
        loop: ExactlyOnceLoop,
        sources: ConversationSources,
        driver: BatchDriver,
        observer: ConversationObserver,
        clock: Callable[[], int],
        check_clock: Callable[[Batch], Awaitable[None]],
        endpoints: HttpEndpoints | None = None,
    ) -> None:
        self._rulings_topic = RULINGS.topic(state)
        self._urgent_topic = URGENT.topic(state)
        self._loop = loop
        self._sources = sources
        self._driver = driver
        self._observer = observer
        self._clock = clock
        self._check_clock = check_clock
        self._endpoints = endpoints
        self.waits_for: str | None = "the directory has not been read yet"

    async def process_batches(self, batches: AsyncIterable[Batch]) -> None:
        """Process and commit each batch. An exception stops the process, and nothing of its batch is committed."""
        async for batch in batches:
            async with self._loop.guard_batch(batch):
                await self._process_batch(batch)

    async def _process_batch(self, batch: Batch) -> None:
        directory = await self._sources.directory.get_snapshot()
        while True:
            if await self._try_batch(batch, directory):
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _try_batch(self, batch: Batch, directory: Directory) -> bool:
        """Process and commit a batch; return False if a key is missing. Officers are looked up first, keys last."""
        async with self._use_officers(batch) as find_officer:
            keys = await self._collect_keys(batch, directory)
            if keys is None:
                return False
            timed, result = keys.batch, DriverResult()
            async with show_failure(self._endpoints, self._observer.mark_broken):
                await self._check_clock(timed)
                law = self._sources.law.get_law_in_force(keys.sealing.directory, timed.now_ms)
                work = BatchWork(keys.inbox, law, find_officer, keys.sealing, keys.drafts, keys.rulings)
                on_settled = self._observer.observe(batch, result)
                outputs = self._driver.process_batch(timed, work, result)
                await self._loop.commit_batch(batch, outputs, on_settled)
        return True

    @asynccontextmanager
    async def _use_officers(self, batch: Batch) -> AsyncIterator[FindOfficer]:
        """Provide the register as it is after the batch was read, if the batch has rulings.

        It is also provided if earlier answers may apply to what arrives. If the register cannot be read in that case,
        nothing waits for it, and the earlier answers do not apply.
        """
        if any(record.topic() == self._rulings_topic for record in batch.messages):
            async with self._sources.officers.use_register() as register:
                yield register.find_officer
        elif batch.messages and self._has_covers(batch):
            async with self._sources.officers.try_register() as read:
                yield _find_nobody if read is None else read.find_officer
        else:
            yield _find_nobody

    def _has_covers(self, batch: Batch) -> bool:
        view = batch.store_view
        partitions = frozenset[int]() if view is None else view.partitions
        return view is not None and any(view.get(number, make_covers_key(number)) is not None for number in partitions)

    async def _collect_keys(self, batch: Batch, directory: Directory) -> _Keys | None:
        """Return what the keys provide; None if one is missing. Reading a key file takes a third of a second."""
        try:
            keys = await asyncio.to_thread(self._read_keys, batch, directory)
        except SharingError as error:
            if self.waits_for != str(error):
                log.warning("the inbox is waiting: %s", error)
            self.waits_for = str(error)
            return None
        if self.waits_for is not None:
            log.info("the inbox opens what other States send")
        self.waits_for = None
        return keys

    def _read_keys(self, batch: Batch, directory: Directory) -> _Keys:
        """Return what the keys provide.

        Raises:
            SharingError: A key is missing.
        """
        # The time may be later than that of the batch: keys and law are checked when they are used.
        timed, sources = replace(put_first(batch, self._urgent_topic), now_ms=self._clock()), self._sources
        inbox = sources.keys.collect_keys(timed.now_ms)
        sealing = sources.sealing.begin_batch(timed, directory)
        rulings = sources.rulings.begin_batch(inbox.opening, timed.now_ms)
        return _Keys(timed, inbox, sealing, sources.drafts.open_arrived(timed.messages), rulings)


def put_first(batch: Batch, topic: str) -> Batch:
    """Return a batch with the records of a topic before the others.

    There is no order between topics; the order within each topic and partition is kept.

    Args:
        batch: The batch.
        topic: The topic of urgent messages.
    """
    if not any(record.topic() == topic for record in batch.messages):
        return batch
    messages = sorted(batch.messages, key=lambda record: record.topic() != topic)
    return replace(batch, messages=messages, partitions=None)


def _find_nobody(officer_id: str, at_ms: int) -> None:
    """Refuse to look up an officer: the register was not read for this batch."""
    raise LookupError(f"the register has not been read, so officer {officer_id} is not known at {at_ms}")
