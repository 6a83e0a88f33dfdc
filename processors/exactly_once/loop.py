"""The exactly-once loop: feeds batches from Kafka to a Faust agent, and commits the agent's outputs.

    loop = ExactlyOnceLoop(app.channel(), config, clock)
    app.add_service(loop)

    @app.agent(loop.channel)
    async def gate(batches):
        async for batch in batches:
            async with loop.guard_batch(batch):
                await loop.commit_batch(batch, process(batch))

`processors.exactly_once.transactor` explains what is atomic, what is repeated, and what stops the process. This
module adds:

**No waiting for full batches.** A batch holds the records that are available when it is read, so batches grow with the
backlog. `commit_batch` returns when librdkafka has accepted the outputs. A full next batch is handed over while this
one is being committed; a smaller one waits for the commit and grows meanwhile. `on_settled` reports whether a batch was
committed (True) or aborted (False). While no batch is read, the consumer's queue fills up, and a full queue stops
fetching: the records wait at the broker.

**Threads.** The agent runs in asyncio's event loop. Reading, consuming outputs and `on_settled` run in one separate
worker thread, so lazily computed outputs, and any counters that `on_settled` updates, need no lock.

**Order of events.** `_feed_channel` reads a batch in the worker thread, makes it `_current_batch`, puts it on the
channel, and waits for `_outputs_accepted`. `commit_batch` takes `_current_batch` and queues two calls for the worker
thread: the commit, and right after it the next read (`_next_read`). When the first call returns, it sets
`_outputs_accepted`, and `_feed_channel` awaits `_next_read`.

**Fail closed.** Any exception inside `guard_batch` is a defect or an infrastructure failure: none of the batch is
committed, and the process exits. A record that cannot be processed must be quarantined by the agent, as an output.
The text of an exception may contain content, so only its type and its code locations are logged.

**A clean stop.** The current batch is committed, then the consumer is closed without leaving the group: as a static
member, this worker keeps its partitions until its session times out.

**A call that does not return.** librdkafka may block forever (confluentinc/librdkafka#5511). After `STUCK_CALL_S` in
which it was running the process exits; its restart resumes at the committed offsets, as always.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from mode import Service

from processors.exactly_once.batch import Batch, Output, OutputRecord
from processors.exactly_once.loop_config import LoopConfig
from processors.exactly_once.pending_commit import ignore_outcome
from processors.exactly_once.retry import CLOSE_TIMEOUT_S, STUCK_CALL_S
from processors.exactly_once.stuck_call import TICK_S, StuckCallDetector
from processors.exactly_once.transactor import Transactor
from processors.worker_thread import WorkerThread
from sharing.errors import InfrastructureError, SharingError
from sharing.telemetry.logs import format_locations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
    from concurrent.futures import Future

    from faust.types import ChannelT

__all__ = ["Batch", "ExactlyOnceLoop", "LoopConfig", "OutputRecord"]

log = logging.getLogger(__name__)


class AgentError(SharingError):
    """The agent of a loop failed: a defect in this code. None of the current batch was committed."""

    exit_code = 1


class ExactlyOnceLoop(Service):
    """Feeds a channel with batches and commits the outputs of the agent on it.

    Args:
        channel: Channel of the Faust app, for one agent with `concurrency=1`.
        config: Topics, group and transactional ids, and batch limits.
        clock: Returns the time in UTC milliseconds; called once for each batch.

    Attributes:
        call_s: For how many seconds the librdkafka call in progress has not returned while this process was running.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.exactly_once")  # for mode's own messages; those of this module go to `log`

    def __init__(self, channel: ChannelT[Batch], config: LoopConfig, clock: Callable[[], int], **options: Any) -> None:
        self.channel = channel
        self.config = config
        self._transactor = Transactor(config, clock)
        self.call_s = 0.0
        self._stuck_calls = StuckCallDetector()
        self._thread = WorkerThread(f"exactly-once {config.group}")
        self._current_batch: Batch | None = None
        self._next_read: Future[Batch | None] | None = None
        self._outputs_accepted = asyncio.Event()
        self._outputs_accepted.set()
        super().__init__(**options)

    @property
    def answered_at(self) -> float | None:
        """When a broker last answered a query outside the consumer's statistics (`time.monotonic`); None before."""
        return self._transactor.answered_at

    @property
    def horizon_wait_s(self) -> float:
        """For how many seconds the oldest instant that has come has been waited for; 0 if none, or without horizon."""
        horizon = self._transactor.horizon
        return 0.0 if horizon is None else horizon.wait_s

    def want_horizon(self, instants: Mapping[int, int]) -> None:
        """Say for which instant, in UTC milliseconds, the agent waits in each partition.

        A batch comes, without records if there are none, once everything that was written until then has been read
        (`Batch.read_until`). To be called in the loop's worker thread, while outputs are computed.
        """
        horizon = self._transactor.horizon
        if horizon is not None:
            horizon.want(instants)

    async def commit_batch(
        self, batch: Batch, outputs: Iterable[Output], on_settled: Callable[[bool], None] = ignore_outcome
    ) -> None:
        """Write the outputs of the batch, its state changes and its offsets in one transaction.

        Args:
            batch: The current batch.
            outputs: Consumed in the worker thread, while the previous batch is being committed.
            on_settled: Called once in the worker thread, in the order of the batches: with True when the whole batch is
                committed; with False when it is aborted and its records will be read again. Not called if the process
                exits before the batch is settled.

        Raises:
            InfrastructureError: The process must stop, and `guard_batch` stops it. The cause may be the previous batch.
            AgentError: This is not the current batch; `guard_batch` stops the process.
        """
        if batch is not self._current_batch:
            raise AgentError("a batch can be committed only once, by the agent that received it")
        self._current_batch = None
        done = self._thread.submit(self._transactor.commit_batch, batch, outputs, on_settled)
        # Queued now, so that it runs right after the commit: queued later, it would cost two more thread switches.
        self._next_read = self._thread.submit(self._read_next_batch, done)
        await asyncio.wrap_future(done)
        self._outputs_accepted.set()

    @asynccontextmanager
    async def guard_batch(self, batch: Batch) -> AsyncIterator[None]:
        """Stop the process if the body raises an exception."""
        failure: SharingError | None = None
        try:
            yield
        except SharingError as error:
            failure = error
        except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):  # the process is ending already
            raise
        except BaseException as error:  # noqa: BLE001 whatever it is, also a panic in Rust code, nothing is committed
            failure = AgentError(_describe_failure(error, batch))
        if failure is not None:
            # In a task of its own: where the exception is being handled, mode would log its text.
            await asyncio.create_task(self.fail(failure))

    async def fail(self, reason: SharingError) -> None:
        """Log the reason and stop the process: nothing more is read or committed."""
        log.critical("%s", reason)
        await self.crash(reason)

    async def on_start(self) -> None:
        """Resume the app's flow control, so that the channel delivers."""
        self.channel.app.flow_control.resume()

    async def on_stop(self) -> None:
        """Wait until the batches in progress are settled, then close the consumer without leaving the group."""
        self._transactor.begin_stop()
        if not self.crashed:
            limit_s = self.config.transaction_timeout_s
            await _wait_with_timeout(
                self._settle_batches(),
                limit_s,
                f"a batch was not committed within {limit_s:g} s and will be processed again after the restart",
            )
        await _wait_with_timeout(
            self._thread.run(self._transactor.close),
            CLOSE_TIMEOUT_S,
            f"the consumer could not be closed within {CLOSE_TIMEOUT_S:g} s",
        )
        self._thread.stop()

    @Service.task
    async def _feed_channel(self) -> None:
        failure: SharingError | None = None
        try:
            if self.channel.subscriber_count != 1:
                raise AgentError(
                    f"{self.channel.subscriber_count} agents consume the channel of an exactly-once loop; "
                    "there must be exactly one"
                )
            await self._thread.run(self._transactor.open)
            while not self.should_stop:
                next_read, self._next_read = self._next_read, None
                batch = await asyncio.wrap_future(next_read or self._thread.submit(self._transactor.read_batch))
                if batch is not None and not self.should_stop:
                    self._current_batch = batch
                    self._outputs_accepted.clear()
                    await self.channel.put(cast("Any", batch))  # not a Faust event: there is nothing to acknowledge
                    await self._outputs_accepted.wait()
        except SharingError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 raised by `on_settled`; as fatal as inside `guard_batch`
            failure = AgentError(_describe_failure(error))
        if failure is not None and not self.should_stop:
            await self.fail(failure)

    def _read_next_batch(self, commit: Future[None]) -> Batch | None:
        """Read the next batch, unless the commit before it failed or was cancelled, or the loop is stopping."""
        may_read = not self.should_stop and not commit.cancelled() and commit.exception() is None
        return self._transactor.read_batch() if may_read else None

    async def _settle_batches(self) -> None:
        await self._outputs_accepted.wait()
        try:
            await self._thread.run(self._transactor.finish_pending_commit)
        except SharingError as error:
            log.warning("the last batch was not committed and will be processed again after the restart: %s", error)
            return
        try:
            await self._thread.run(self._transactor.commit_last_outputs)
        except SharingError as error:
            log.warning("what is written before a stop was not, and will be after the restart: %s", error)

    @Service.timer(TICK_S)
    async def _watch_for_stuck_call(self) -> None:
        self.call_s = self._stuck_calls.count_seconds(self._transactor.call_started_at)
        if self.call_s > STUCK_CALL_S:
            await self.fail(
                InfrastructureError(f"a librdkafka call has not returned for {STUCK_CALL_S:g} s; restart the worker")
            )


async def _wait_with_timeout(awaitable: Awaitable[None], limit_s: float, warning: str) -> None:
    try:
        await asyncio.wait_for(awaitable, limit_s)
    except TimeoutError:
        log.warning("%s", warning)


def _describe_failure(error: BaseException, batch: Batch | None = None) -> str:
    """Describe an unexpected exception without its text, which may contain content."""
    location = format_locations(traceback.extract_tb(error.__traceback__)[1:])
    if batch is None:
        return f"reading or settling a batch failed with {type(error).__name__} at {location}"
    next_offsets = ", ".join(
        f"{topic}[{partition}] up to offset {offset} (exclusive)"
        for (topic, partition), offset in batch.offsets.items()
    )
    return f"a batch failed with {type(error).__name__} at {location}; none of it is committed ({next_offsets})"
