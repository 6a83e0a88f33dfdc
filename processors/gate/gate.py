"""The disclosure gate: what one State's law lets out of a batch of its agencies' indicators, and to whom.

A pure function of batch, directory, law and instant: decode, find the audience, decide, write. Each indicator
yields one decision; what the law lets out becomes notices, what must first be accepted becomes offers without
content, what is not withheld from everyone becomes a draft; what cannot be processed is quarantined with its
reason. So in = disclosed + offered + held + withheld + quarantined, whatever comes.

Two ways lead to the same bytes. By columns (`docs/adr/0017`), a batch is decoded at once, alike items are decided
once, and outputs are put together from parts made once. Record by record goes what is left: small batches, and
every record that is not plainly in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from processors.exactly_once.batch import ConsumedRecord, OutputRecord
from processors.gate.batch_result import BatchOutputs, BatchResult, OutcomeTally, conserves
from processors.gate.column_writer import ColumnWriter
from processors.gate.encoded_tails import EncodedTails, is_closed, notice_lane
from processors.gate.output_plans import OutputPlan, OutputPlanner
from processors.gate.record_writer import RecordWriter
from processors.gate.rejection import describe_rejection
from sharing.columnar.decoding import Decoded
from sharing.columnar.groups import ItemGroups
from sharing.columnar.indicators import ColumnBatch, IndicatorReader
from sharing.errors import DecodeError, InputError
from sharing.law.decision_context import DecisionContext
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.directory import Directory
from sharing.model.record import check_record, known_id
from sharing.relevance.nexus import GeoLookup, no_lookup
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing

__all__ = ["OUTPUT_BYTES_MAX", "BatchResult", "Gate", "conserves"]

COLUMNS_MIN = 100
"""Below this many, columns cost more than they save: 4.4 ms for a batch of any size, and 0.042 for a record alone."""

OUTPUT_BYTES_MAX = 950_000
"""Below the million bytes that librdkafka and Kafka take of one record by default."""


@dataclass(frozen=True, slots=True)
class _GateSession:
    """What is at hand during a sitting."""

    sitting: DecisionContext
    parts: EncodedTails
    cohorts: ItemGroups[OutputPlan]


class Gate:
    """One State's gate.

    Args:
        pack: The State's law.
        treaties: Who is bound by what.
        locate: Country of an IP address.
        agencies: Topics that one agency alone may write to (the cluster's ACLs see to that), each with the agency:
            what comes from such a topic is that agency's, or refused. Empty where agencies share one topic.
        framing: How records are framed.
        columns_min: From how many records on a batch is taken by columns.
    """

    def __init__(
        self,
        pack: Pack,
        treaties: TreatyTable,
        locate: GeoLookup = no_lookup,
        *,
        agencies: Mapping[str, str] = MappingProxyType({}),
        framing: Framing = SINGLE_OBJECT_FRAMING,
        columns_min: int = COLUMNS_MIN,
    ) -> None:
        self.pack = pack
        self._treaties = treaties
        self._locate = locate
        self._agencies = agencies
        self._framing = framing
        self._columns_min = columns_min
        self._reader = IndicatorReader()
        self._bench: _GateSession | None = None

    def process(self, messages: Iterable[ConsumedRecord], directory: Directory, now_ms: int) -> BatchResult:
        """Return what comes of a batch.

        Args:
            messages: Records of the State's topic of indicators, without `error()`.
            directory: What the other States have announced.
            now_ms: The instant of the batch, in UTC milliseconds.
        """
        bench = self._sit(directory, now_ms)
        batch = list(messages)
        keys = [message.key() for message in batch]
        processed = BatchResult(BatchOutputs(bench.parts.decisions_topic, keys, [None] * len(batch)))
        if len(batch) >= self._columns_min:
            values = [message.value() for message in batch]
            if self._framing.known:
                values = [self._framing.unframe(value) for value in values]
            agencies = [self._agencies.get(message.topic()) for message in batch] if self._agencies else None
            for part in self._reader.read(values, keys, now_ms, agencies):
                _process_part(bench, part, batch, values, now_ms, processed)
        self._process_rest(bench, batch, now_ms, processed)
        _note_rule_errors(bench, processed)
        return processed

    def _sit(self, directory: Directory, now_ms: int) -> _GateSession:
        """Return what is at hand for this directory and instant: made anew when either has moved on."""
        bench = self._bench
        if bench is None or not bench.sitting.is_valid_for(directory, now_ms):
            sitting = DecisionContext.open(self.pack, self._treaties, directory, now_ms, self._locate)
            parts = EncodedTails(self.pack.reference, self.pack.state, sitting, self._framing)
            plan = OutputPlanner(sitting, parts, OUTPUT_BYTES_MAX).plan
            cohorts = ItemGroups(self.pack.state, sitting.finder, self._reader, plan)
            bench = self._bench = _GateSession(sitting, parts, cohorts)
        bench.sitting.evict()
        return bench

    def _process_rest(
        self,
        bench: _GateSession,
        batch: Sequence[ConsumedRecord],
        now_ms: int,
        processed: BatchResult,
    ) -> None:
        """Process record by record what nothing is written for yet."""
        writer = RecordWriter(bench.parts, now_ms)
        written = processed.written
        for place in written.missing():
            message = batch[place]
            decoded = self._reader.decoder.decode_alone(self._framing.unframe(message.value()))
            try:
                record = self._admit(message, decoded)
                verdict = bench.sitting.decide(record, now_ms)
                outputs = writer.write(message, record, verdict)
                _refuse_oversized(outputs)
            except Exception as error:  # noqa: BLE001 one bad record never stops or opens the gate
                refusal = replace(describe_rejection(error), indicator_id=known_id(decoded))
                processed.quarantined[refusal.cause] += 1
                written.others[place] = [writer.quarantine(message, refusal)]
            else:
                processed.count(OutcomeTally.of(verdict), closed=is_closed(record, verdict))
                processed.note_published(notice_lane(record, verdict), message)
                written.decisions[place] = outputs[0].value
                written.others[place] = outputs[1:]

    def _admit(self, message: ConsumedRecord, record: Decoded) -> dict[str, Any]:
        """Return the record if it may be decided on.

        Raises:
            InputError: It cannot be decoded, is not sound, not this State's or its agency's, or not under its own key.
        """
        if isinstance(record, DecodeError):
            raise record
        check_record(record)
        if record["source"]["state"] != self.pack.state:
            raise InputError(
                f"source.state: the gate of {self.pack.state} takes only what that State's own agencies publish",
                field="source.state",
            )
        if self._agencies and record["source"]["agency"] != self._agencies.get(message.topic()):
            raise InputError(
                f"source.agency: not the agency whose topic {message.topic()} is; each publishes to its own",
                field="source.agency",
            )
        if message.key() != record["id"].encode():
            raise InputError("id: must be the record's key", field="id")
        return record


def _note_rule_errors(bench: _GateSession, processed: BatchResult) -> None:
    """Count the failed evaluations of rules that no verdict tells of: of an obligation, which decides nothing then."""
    errors = bench.sitting.law.rule_errors
    for rule, failed in errors.items():
        processed.rule_errors.setdefault(rule, failed)
    errors.clear()


def _process_part(
    bench: _GateSession,
    part: ColumnBatch,
    messages: Sequence[ConsumedRecord],
    values: Sequence[bytes | None],
    now_ms: int,
    processed: BatchResult,
) -> None:
    """Process by columns those rows of a part that are plainly in order; nothing is written for the others."""
    found = bench.cohorts.find(part, now_ms)
    writer = ColumnWriter(bench.parts, now_ms)
    written = processed.written
    written.put_decisions(part.places, writer.decisions(part, found))
    for row, plan, outputs in writer.sendings(part, found, values, messages):
        place = part.places[row]
        written.others[place] = outputs
        processed.note_published(plan.lane, messages[place])
    alike: Counter[tuple[OutcomeTally, bool]] = Counter()
    for made, items in found.counts():
        if made is not None:
            alike[made.tally, made.draft_tail is None] += items
    for (tally, closed), items in alike.items():
        processed.count(tally, items, closed=closed)


def _refuse_oversized(outputs: Sequence[OutputRecord]) -> None:
    """Refuse a record of which an output is larger than the broker takes.

    Raises:
        DecodeError: One is.
    """
    for output in outputs:
        if len(output.value or b"") > OUTPUT_BYTES_MAX:
            raise DecodeError(
                f"what would be written has more than {OUTPUT_BYTES_MAX} bytes; shorten its texts or name fewer States",
                cause="OUTPUT_OVERSIZED",
            )
