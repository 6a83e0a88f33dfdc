"""The transactional lane: brings batches from Kafka to a Faust agent, and takes back what they became.

    lane = Lane(app.channel(), route, clock)
    app.add_service(lane)

    @app.agent(lane.channel)
    async def gate(batches):
        async for batch in batches:
            async with lane.guard(batch):
                await lane.commit(batch, process(batch))

`processors.exactly_once.transactor` says what is atomic, what is repeated, and what ends the process. This module adds:

**Never waited for.** A batch holds what had come by then, so batches grow with the backlog. `commit` returns when the
outputs are taken; the agent gets the next batch while this one is being committed, and hears through `settled` how it
ended. A batch that is not read keeps the consumer's queue full, and a full queue stops fetching: the broker waits.

**Threads.** The agent is in the event loop. Reading, taking the outputs and `settled` happen in the lane's one thread,
so outputs that are made on the way, and what `settled` counts of them, need no lock.

**Fail closed.** Whatever is raised under `guard` is a defect or an infrastructure's failure: nothing of the batch
is committed, and the process ends. A record that cannot be processed is the agent's to quarantine, as an output.
The text of an exception may hold content, so only its type and its lines of code are logged.

**A clean stop.** The batch at hand is committed, then the group is left as a static member: nothing moves to other
workers before the session's time-out.

**A call that does not return.** librdkafka may wait for ever (confluentinc/librdkafka#5511). After `STUCK_S` the
process ends; its restart begins at the committed offsets, as always.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
from concurrent.futures import Future
from contextlib import asynccontextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from mode import Service

from processors.exactly_once.batch import Batch, Outgoing, OutputRecord
from processors.exactly_once.config import LoopConfig
from processors.exactly_once.pending_commit import ignore
from processors.exactly_once.retry import CLOSE_S, STUCK_S
from processors.exactly_once.transactor import Transactor
from sharing.errors import InfrastructureError, SharingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from faust.types import ChannelT

__all__ = ["Batch", "ExactlyOnceLoop", "LoopConfig", "OutputRecord"]

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class AgentError(SharingError):
    """The agent on a lane is at fault: a defect of ours. Nothing of the batch at hand was committed."""

    exit_code = 1


class ExactlyOnceLoop(Service):
    """Feeds a channel with batches and commits what the agent on it makes of them.

    Args:
        channel: Of the Faust app, for one agent with `concurrency=1`.
        route: From where, as whom, how much at once.
        clock: Returns the time in UTC milliseconds; asked once for each batch.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.lane")  # of mode's own remarks; ours go to `log`

    def __init__(self, channel: ChannelT[Batch], route: LoopConfig, clock: Callable[[], int], **options: Any) -> None:
        self.channel = channel
        self.route = route
        self._transactor = Transactor(route, clock)
        self._thread = _WorkerThread(f"lane {route.group}")
        self._at_hand: Batch | None = None
        self._reading: Future[Batch | None] | None = None
        self._taken = asyncio.Event()
        self._taken.set()
        super().__init__(**options)

    @property
    def waiting_since(self) -> float | None:
        """When the call that librdkafka has not returned from yet began (`time.monotonic`), or None."""
        return self._transactor.waiting_since

    async def commit(self, batch: Batch, outputs: Iterable[Outgoing], settled: Callable[[bool], None] = ignore) -> None:
        """Write the outputs of the batch, its changes to the ledger and its offsets in one transaction.

        Args:
            batch: The one at hand.
            outputs: Taken in the lane's thread, while the batch before is being committed.
            settled: Called once in the lane's thread, in the order of the batches: with True when all is committed;
                with False when nothing is, and the records come again in later batches. Not when the process ends.

        Raises:
            InfrastructureError: The process must end; `guard` sees to it. The batch before may be what failed.
            AgentError: It is not the batch at hand; likewise.
        """
        if batch is not self._at_hand:
            raise AgentError("a batch is committed once, by the agent that it was given to")
        self._at_hand = None
        done = self._thread.call(self._transactor.commit, batch, outputs, settled)
        # At once, to be made right after it: asked for when it is done, it would wait for two changes of threads.
        self._reading = self._thread.call(self._read_after, done)
        await asyncio.wrap_future(done)
        self._taken.set()

    @asynccontextmanager
    async def guard(self, batch: Batch) -> AsyncIterator[None]:
        """End the process when what stands under it raises."""
        failure: SharingError | None = None
        try:
            yield
        except SharingError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 whatever it is, the batch is not committed and the process ends
            failure = AgentError(_describe(error, batch))
        if failure is not None:  # outside of `except`: mode logs the exception at hand, with its text
            await self.fail(failure)

    async def fail(self, reason: SharingError) -> None:
        """Say why, and end the process: nothing more is read or committed."""
        log.critical("%s", reason)
        await self.crash(reason)

    async def on_start(self) -> None:
        """Let the channel deliver."""
        self.channel.app.flow_control.resume()

    async def on_stop(self) -> None:
        """Let the batches that are out be settled, then leave the group."""
        self._transactor.stop()
        if not self.crashed:
            await _within(self._settle(), self.route.transaction_timeout_s, "a batch is not committed")
        await _within(self._thread.run(self._transactor.close), CLOSE_S, "the group is not left")
        self._thread.end()

    @Service.task
    async def _feed(self) -> None:
        failure: SharingError | None = None
        try:
            if self.channel.subscriber_count != 1:
                raise AgentError(f"{self.channel.subscriber_count} agents are on the channel of a lane; it takes one")
            await self._thread.run(self._transactor.open)
            while not self.should_stop:
                reading, self._reading = self._reading, None
                batch = await asyncio.wrap_future(reading or self._thread.call(self._transactor.read))
                if batch is not None and not self.should_stop:
                    self._at_hand = batch
                    self._taken.clear()
                    await self.channel.put(cast("Any", batch))  # no Faust event: it has nothing to acknowledge
                    await self._taken.wait()
        except SharingError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 raised by `settled`; it is as bad as under `guard`
            failure = AgentError(_describe(error))
        if failure is not None and not self.should_stop:
            await self.fail(failure)

    def _read_after(self, done: Future[None]) -> Batch | None:
        """Read the next batch, unless the commit before it ends the process, or it is to end anyway."""
        good = not self.should_stop and not done.cancelled() and done.exception() is None
        return self._transactor.read() if good else None

    async def _settle(self) -> None:
        await self._taken.wait()
        try:
            await self._thread.run(self._transactor.settle)
        except SharingError as error:
            log.warning("the last batch is not committed, and done again at the next start: %s", error)

    @Service.timer(1.0)
    async def _watch(self) -> None:
        since = self._transactor.waiting_since
        if since is not None and time.monotonic() - since > STUCK_S:
            await self.fail(InfrastructureError(f"librdkafka has not returned for {STUCK_S:g} s; start again"))


class _WorkerThread:
    """One thread for what blocks. A daemon: a call that never returns shall not keep the process alive."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it called when all calls before it are done."""
        future: Future[T] = Future()
        self._calls.put((future, lambda: function(*args, **kwargs)))
        return future

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.wrap_future(self.call(function, *args, **kwargs))

    def end(self) -> None:
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # noqa: BLE001 it is raised where `run` is awaited
                    future.set_exception(error)
            del call, future, function  # a batch is large


async def _within(work: Any, limit_s: float, otherwise: str) -> None:
    try:
        await asyncio.wait_for(work, limit_s)
    except TimeoutError:
        log.warning("%s within %g s; what was not committed is done again at the next start", otherwise, limit_s)


def _describe(error: Exception, batch: Batch | None = None) -> str:
    """Return what is known about an unexpected error without its text, which may hold content."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    way = " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
    offsets = batch.offsets.items() if batch else ()
    spans = ", ".join(f"{topic}[{partition}] before {offset}" for (topic, partition), offset in offsets)
    return f"a batch failed with {type(error).__name__} at {way}; nothing of it is committed ({spans or 'settled'})"
