"""The gate's agent: receives batches from the exactly-once loop, passes them to the gate, and commits the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.gate.batch_result import BatchResult, is_conserved
from sharing.errors import SharingError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator

    from processors.directory_follower import DirectoryFollower
    from processors.exactly_once.batch import Batch, Output
    from processors.exactly_once.loop import ExactlyOnceLoop
    from processors.gate.gate import Gate
    from processors.health.batch_observer import BatchObserver
    from processors.health.http_endpoints import HttpEndpoints
    from processors.pack_reloader import PackReloader
    from sharing.model.directory import Directory

DECISION_CHUNK_RECORDS = 10_000
"""Records that are processed together before their outputs are passed on.

Equal to the default of the setting `batch_records_max`, so that by default a batch is one chunk; the columnar path
costs less per record for larger chunks.
"""


class ConservationError(SharingError):
    """A record or an output of the batch is missing or counted twice: a defect in this code.

    None of the batch is committed.
    """

    exit_code = 1


class GateAgent:
    """Processes the batches of one exactly-once loop, one at a time.

    Args:
        loop: Reads the batches and commits their outputs.
        directory: Provides the latest snapshot of the directory.
        reloader: Provides the gate that applies the current law.
        observer: Counts and traces each batch.
        endpoints: The worker's HTTP endpoints; None when the worker serves none.
    """

    def __init__(
        self,
        loop: ExactlyOnceLoop,
        directory: DirectoryFollower,
        reloader: PackReloader,
        observer: BatchObserver,
        endpoints: HttpEndpoints | None,
    ) -> None:
        self._loop = loop
        self._directory = directory
        self._reloader = reloader
        self._observer = observer
        self._endpoints = endpoints

    async def process_batches(self, batches: AsyncIterable[Batch]) -> None:
        """Process and commit each batch. An exception stops the process, and none of its batch is committed."""
        async for batch in batches:
            async with self._loop.guard_batch(batch):
                await self._process_batch(batch)

    async def _process_batch(self, batch: Batch) -> None:
        result = BatchResult()
        directory = await self._directory.get_snapshot()
        async with self._reloader.use_gate() as gate:
            on_settled = self._observer.start_batch(batch, result)
            # The loop's worker thread iterates over `outputs`, so the gate runs and fills `result` in that thread. The
            # observer reads `result` in `on_settled`, which is called later in the same thread.
            outputs = decide_batch(gate, batch, directory, result)
            try:
                await self._loop.commit_batch(batch, outputs, on_settled)
            except ConservationError:
                self._observer.mark_broken()
                # Keep running until the counter has been scraped: it disappears with the process.
                if self._endpoints is not None:
                    await self._endpoints.await_scrape()
                raise


def decide_batch(gate: Gate, batch: Batch, directory: Directory, result: BatchResult) -> Iterator[Output]:
    """Yield the outputs of a batch, and add its counts to `result`.

    Raises:
        ConservationError: The batch, or a chunk of it, is not conserved. The transaction must be aborted.
    """
    for start in range(0, len(batch.messages), DECISION_CHUNK_RECORDS):
        chunk = batch.messages[start : start + DECISION_CHUNK_RECORDS]
        part = gate.process_batch(chunk, directory, batch.now_ms)
        if not is_conserved(chunk, part):
            raise ConservationError("a batch is not conserved: a record or an output is missing or counted twice")
        result.add_counts(part)
        yield from part.outputs.iter_outgoing()
    if not is_conserved(batch.messages, result):
        raise ConservationError("a batch is not conserved: the totals of its chunks do not match the batch")
