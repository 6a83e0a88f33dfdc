"""The gate's agent: receives batches from the exactly-once loop, passes them to the gate, and commits the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.audit.log_writer import BatchLog
from processors.exactly_once.batch import ConservationError
from processors.gate.batch_result import BatchOutputs, BatchResult, is_balanced, is_conserved
from processors.gate.input_records import InputRecords
from processors.gate.item_versions import NO_KEY_DIGESTER, ItemVersions
from processors.gate.outcome_blocks import BatchOutcomes
from processors.health.last_scrape import show_failure
from processors.sealing.loop_sealing import NOTHING_SEALED
from sharing.model.vocabulary import AuditLogName

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator

    from processors.audit.checkpoint_writer import CheckpointWriter
    from processors.exactly_once.batch import Batch, OutputRecord
    from processors.exactly_once.loop import ExactlyOnceLoop
    from processors.gate.gate import Gate
    from processors.gate.outcome_blocks import OutcomeBlocks
    from processors.health.batch_observer import BatchObserver
    from processors.health.broker_clock import BrokerClock
    from processors.health.http_endpoints import HttpEndpoints
    from processors.sealing.amendment_opening import AmendmentOpening
    from processors.sealing.indicator_opening import IndicatorOpening
    from processors.sealing.loop_sealing import LoopSealing
    from processors.services.directory_follower import DirectoryFollower
    from processors.services.pack_reloader import PackReloader
    from sharing.model.directory import Directory

DECISION_CHUNK_RECORDS = 10_000
"""The number of records that are decoded together. Their outputs are passed on in parts if they exceed a size limit.

Equal to the default of the setting `batch_records_max`, so that by default a batch is one chunk; the columnar path
costs less per record for larger chunks.
"""


class GateAgent:
    """Processes the batches of one exactly-once loop, one at a time.

    Args:
        loop: Reads the batches and commits their outputs.
        directory: Provides the latest snapshot of the directory.
        reloader: Provides the gate that applies the current law.
        observer: Counts and traces each batch.
        broker_clock: The brokers' clock, to be read before anything is decided.
        endpoints: The worker's HTTP endpoints; None when the worker serves none.
        sealing: Seals and signs the outputs; None if the State has no keys.
        opening: Opens the indicators; None if the State has no keys.
        amendments: Opens the amendments, among the records of the batches; None if the State has no keys.
        outcomes: Tells agencies what became of their items; None if that is switched off.
        checkpoints: Signs the checkpoints of the audit log; None if the State has no keys.
    """

    def __init__(  # noqa: PLR0913 each is a different part of the worker
        self,
        loop: ExactlyOnceLoop,
        directory: DirectoryFollower,
        reloader: PackReloader,
        observer: BatchObserver,
        broker_clock: BrokerClock,
        endpoints: HttpEndpoints | None,
        sealing: LoopSealing | None = None,
        opening: IndicatorOpening | None = None,
        *,
        amendments: AmendmentOpening | None = None,
        outcomes: OutcomeBlocks | None = None,
        checkpoints: CheckpointWriter | None = None,
    ) -> None:
        self._loop = loop
        self._directory = directory
        self._reloader = reloader
        self._observer = observer
        self._broker_clock = broker_clock
        self._endpoints = endpoints
        self._sealing = sealing
        self._opening = opening
        self._amendments = amendments
        self._outcomes = outcomes
        self._checkpoints = checkpoints

    async def process_batches(self, batches: AsyncIterable[Batch]) -> None:
        """Process and commit each batch. An exception stops the process, and nothing of its batch is committed."""
        async for batch in batches:
            async with self._loop.guard_batch(batch):
                await self._process_batch(batch)

    async def _process_batch(self, batch: Batch) -> None:
        result = BatchResult()
        await self._broker_clock.wait_until_read()
        directory = await self._directory.get_snapshot()
        async with self._reloader.use_gate() as gate, show_failure(self._endpoints, self._observer.mark_broken):
            self._observer.check_clock(batch, gate.pack)
            on_settled = self._observer.start_batch(batch, result)
            # The loop's worker thread iterates over `outputs`, so the gate runs and fills `result` in that thread.
            # The observer reads `result` in `on_settled`, which is called later in the same thread.
            outputs = decide_batch(
                gate, batch, directory, result, self._sealing, self._opening, self._amendments, self._outcomes,
                self._checkpoints,
            )  # fmt: skip
            await self._loop.commit_batch(batch, outputs, on_settled)


def decide_batch(  # noqa: PLR0913, PLR0917 each is a different part of the worker
    gate: Gate,
    batch: Batch,
    directory: Directory,
    result: BatchResult,
    gate_sealing: LoopSealing | None = None,
    opening: IndicatorOpening | None = None,
    amendments: AmendmentOpening | None = None,
    outcomes: OutcomeBlocks | None = None,
    checkpoints: CheckpointWriter | None = None,
) -> Iterator[OutputRecord]:
    """Yield the outputs of a batch, and add its counts to `result`.

    Decisions depend on the batch, on its view of the state store, which receives the versions of its items, and on the
    directory and the law of the gate. The outputs of one part of the batch at a time are in memory, and are sealed
    after they were counted. The decisions of a part become blocks of the audit log. The report to the agencies comes
    last, for the whole batch.

    Raises:
        ConservationError: The batch, or a part of it, is not conserved. The transaction must be aborted.
        SharingError: An output cannot be sealed, or the State's own keys cannot be read. The transaction must be
            aborted.
    """
    sealing = None if gate_sealing is None else gate_sealing.begin_batch(batch, directory)
    limits = batch.output_limits
    if sealing is not None:
        directory, limits = sealing.directory, sealing.limits
    open_values = None if opening is None else opening.begin_batch(batch.now_ms)
    source = None if amendments is None else amendments.begin_batch(batch.now_ms)
    records = InputRecords.read(batch.messages, batch.partition_count, open_values, batch.partitions, source)
    digester = NO_KEY_DIGESTER if sealing is None else sealing.make_digester()
    versions = ItemVersions(records, batch.store_view, digester)
    if sealing is not None and checkpoints is not None:
        yield from checkpoints.write_due(batch, sealing.signing_key)
    add_leaves = None if checkpoints is None else checkpoints.add_leaves
    log = BatchLog(gate.pack.state, AuditLogName.DECISIONS, batch, gate.framing, add_leaves)
    told = BatchOutcomes(outcomes, batch, gate.pack.reference, limits)
    covered = 0
    if batch.unreadable:
        part = gate.quarantine_unreadable(batch.unreadable, directory, batch.now_ms, limits)
        _require_conserved_unreadable(part, batch)
        result.add_counts(part)
        told.add_unreadable(part)
        yield from part.outputs.iter_other_outputs()
    for start in range(0, len(records), DECISION_CHUNK_RECORDS):
        chunk = records.slice(start, start + DECISION_CHUNK_RECORDS)
        for part in gate.process_parts(chunk, directory, batch.now_ms, versions, limits):
            covered = _require_conserved(part, records, covered)
            result.add_counts(part)
            told.add_part(part)
            sealed = NOTHING_SEALED if sealing is None else sealing.seal_part(part.outputs)
            yield from log.add_entries(part.outputs.group_decisions(), sealed.message_roots, sealed.commit)
            yield from part.outputs.iter_other_outputs()
            del part  # before the next part is computed
    if covered != len(batch.messages) or not is_balanced(result):
        raise ConservationError("a batch is not conserved: the totals of its parts do not match the batch")
    yield from told.finish(result)
    if sealing is not None:
        yield from sealing.state_counts()


def _require_conserved_unreadable(part: BatchResult, batch: Batch) -> None:
    """Require a quarantine record for each record of a batch that could not be read.

    Raises:
        ConservationError: A quarantine record is missing, or an output is missing or counted twice.
    """
    if len(part.rejections) != len(batch.unreadable) or not is_balanced(part):
        raise ConservationError("a batch is not conserved: what could not be read has no quarantine record")


def _require_conserved(part: BatchResult, records: InputRecords, start: int) -> int:
    """Require that a part covers the records from a position, each counted once. Return the position after them.

    Raises:
        ConservationError: It covers other records, or a record or an output is missing or counted twice.
    """
    end = start + len(part.outputs.keys)
    # Also compared with what was consumed, because a count does not say which records a part covers.
    if not _has_keys(part.outputs, records, start, end) or not is_conserved(range(start, end), part):
        raise ConservationError("a batch is not conserved: a record or an output is missing or counted twice")
    return end


def _has_keys(outputs: BatchOutputs, records: InputRecords, start: int, end: int) -> bool:
    """Return whether outputs belong to the records from one position up to another, which is excluded."""
    if outputs.keys is records.keys:  # nearly always; comparing each key takes time
        return start == 0 and end == len(records)
    return outputs.keys == records.keys[start:end]
