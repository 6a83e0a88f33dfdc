"""The disclosure gate: decides, for each indicator in a batch from one State, what every other State receives.

The gate is a pure function of batch, state, directory, law and processing time: decode, find the audience, decide,
write. Each indicator yields one decision. A disclosure also yields a notice. An offer, whose conditions must be
accepted first, yields an offer record, which has no content. Every indicator yields a draft, except a first version
that is withheld from every State, and a version that a later one has replaced. A record that cannot be processed is
quarantined with its reason.

Where the State has keys, it has a conversation, which sends what is not a first version: corrections, recalls, and
what follows from amendments. The gate decides on them too, but writes only the decision and the draft. A first
version that is withheld only because of facts that people can supply yields a draft too, so that they are asked.

Hence: records in = disclosed + offered + held + withheld + quarantined, always.

Outputs go to the partition of their input, so all records about an item are on one partition, in order.

Two paths produce the same bytes. The columnar path (`docs/adr/0017`) decodes a batch as a whole, decides once for all
items with the same facts, and concatenates their outputs from pre-encoded parts. The record path processes the rest:
small batches, and every record that the columnar path leaves out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from processors.exactly_once.batch import DEFAULT_LIMITS, ConsumedRecord, OutputLimits, OutputRecord
from processors.gate.batch_result import BatchOutputs, BatchResult, is_conserved
from processors.gate.columnar_path import ColumnarPath, list_uncovered
from processors.gate.input_records import InputRecords, to_column
from processors.gate.item_versions import ItemVersions
from processors.gate.outcome_tags import tag_rejected
from processors.gate.output_plans import OUTPUT_OVERHEAD_BYTES
from processors.gate.record_path import Admission, RecordPath
from processors.gate.record_writer import RecordWriter
from processors.gate.rejection import RejectedRecord, describe_unreadable
from processors.gate.session import TAIL_CACHE_MAX, GateSession
from sharing.columnar.indicators import IndicatorReader
from sharing.columnar.partitioner import find_misplaced_keys
from sharing.law.decision_context import DecisionContext
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.bad_batch import BadBatch
from sharing.model.directory import Directory
from sharing.relevance.nexus import GeoLookup, no_geo_lookup
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing

__all__ = ["TAIL_CACHE_MAX", "BatchResult", "Gate", "is_conserved"]

COLUMNAR_MIN = 100
"""Smallest batch for the columnar path.

The columnar path costs a fixed 4.4 ms per batch; the record path costs 0.042 ms per record.
"""

PART_BYTES_MAX = 16 * 1024 * 1024
"""Approximate limit of the outputs that are in memory together, and of the output plans and tails that are cached.

By default, a batch of 10,000 items is one part if every second one is disclosed to one State.
"""


class Gate:
    """One State's gate.

    Args:
        pack: The State's law.
        treaties: The treaty table.
        look_up_country: Returns the country of an IP address.
        agency_by_topic: The agency of each topic that only one agency may write to, as the cluster's ACLs enforce. A
            record of another agency in such a topic is rejected. None for a topic that agencies share. Empty if they
            share all topics.
        framing: The framing of records.
        has_conversation: Whether the State has keys, so that its conversation continues with what the gate decides. The
            gate then writes only decision and draft for what is not a first version, and also a draft if an item is
            withheld only because of facts that people can supply.
        agencies_not_asked: The agencies about whose items nobody is asked for missing facts.
        columnar_min: Smallest batch for the columnar path.
        part_bytes_max: Approximate limit of the outputs of a part of a batch, in bytes.

    Attributes:
        pack: The State's law.
        framing: The framing of records.
    """

    def __init__(  # noqa: PLR0913 all but the first three are named and have defaults
        self,
        pack: Pack,
        treaties: TreatyTable,
        look_up_country: GeoLookup = no_geo_lookup,
        *,
        agency_by_topic: Mapping[str, str | None] = MappingProxyType({}),
        framing: Framing = SINGLE_OBJECT_FRAMING,
        has_conversation: bool = False,
        agencies_not_asked: Collection[str] = (),
        columnar_min: int = COLUMNAR_MIN,
        part_bytes_max: int = PART_BYTES_MAX,
    ) -> None:
        self.pack = pack
        self._treaties = treaties
        self._look_up_country = look_up_country
        self._admission = Admission(pack.state, agency_by_topic)
        self.framing = framing
        self._has_conversation = has_conversation
        self._agencies_not_asked = frozenset(agencies_not_asked)
        self._columnar_min = columnar_min
        self._part_bytes_max = part_bytes_max
        self._reader = IndicatorReader()
        self._session: GateSession | None = None

    def process_batch(self, messages: Iterable[ConsumedRecord], directory: Directory, now_ms: int) -> BatchResult:
        """Return the result of a batch as a whole. Each record is decided by itself, without state.

        Args:
            messages: Records of the State's indicator topics, without `error()`.
            directory: The entries that the other States have announced.
            now_ms: The processing time of the batch, in UTC milliseconds.
        """
        return BatchResult.join(self.process_parts(InputRecords.read(messages), directory, now_ms, None))

    def process_parts(
        self,
        records: InputRecords,
        directory: Directory,
        now_ms: int,
        versions: ItemVersions | None,
        limits: OutputLimits = DEFAULT_LIMITS,
    ) -> Iterator[BatchResult]:
        """Yield the results of the parts of a batch, in the order of the records. At least one, which may be empty.

        A part ends where its outputs exceed a limit of bytes. Release each part before the next one is computed.

        Args:
            records: Records of the State's indicator topics, without `error()`.
            directory: The entries that the other States have announced.
            now_ms: The processing time of the batch, in UTC milliseconds.
            versions: The batch's view of the versions of items, to which this adds; None to decide without state.
            limits: How large the outputs may be.
        """
        session = self._get_session(directory, now_ms, limits)
        values = self._list_values(records)
        columnar = self._read_columns(session, records, values, now_ms, versions)
        record_path = RecordPath(session, self._admission, self._reader.decoder, records, versions, now_ms, limits)
        start = 0
        while True:
            result = BatchResult()
            rows, end = columnar.take_part()
            uncovered = list_uncovered(rows, start, end)
            written, end_within = self._process_uncovered(record_path, uncovered, records, result)
            if end_within is not None:
                end = end_within
                rows = columnar.put_back(rows, end)
            part = records.slice(start, end)
            result.outputs = BatchOutputs.prepare(session.tails.decisions_topic, part, values[start:end])
            for planned in rows:
                columnar.write_rows(planned, start, result)
            for position, outputs in written.items():
                result.outputs.set_record_outputs(position - start, outputs)
                result.outputs.tags[position - start] = record_path.tags.pop(position)
                result.outputs.contents[position - start] = record_path.contents.pop(position, None)
            result.written = result.outputs.count_by_topic_kind()
            _count_rule_errors(session, result)
            yield result
            del result, written, rows, part
            start = end
            if start >= len(records):
                return

    def quarantine_unreadable(
        self, unreadable: Sequence[BadBatch], directory: Directory, now_ms: int, limits: OutputLimits = DEFAULT_LIMITS
    ) -> BatchResult:
        """Return a quarantine record, by reference, for each record batch or record that could not be read."""
        writer = RecordWriter(self._get_session(directory, now_ms, limits).tails, now_ms)
        result = BatchResult()
        for number, batch in enumerate(unreadable):
            rejection = describe_unreadable(batch)
            rejected = RejectedRecord(batch.topic, batch.partition, batch.first_offset, rejection.cause, None)
            result.record_rejection(rejected)
            result.outputs.other_outputs[number] = [writer.build_quarantine_record(rejected, rejection, None)]
            result.outputs.tags.append(tag_rejected(rejected, rejection, self._admission.find_owner(batch.topic)))
        result.written = result.outputs.count_by_topic_kind()
        return result

    def _list_values(self, records: InputRecords) -> Sequence[bytes | None]:
        """Return the values in single-object encoding for the columnar path; empty if the batch is too small for it."""
        if len(records) < self._columnar_min:
            return ()
        if self.framing.known_headers:
            return [self.framing.to_single_object(value) for value in records.values]
        return records.values

    def _read_columns(
        self,
        session: GateSession,
        records: InputRecords,
        values: Sequence[bytes | None],
        now_ms: int,
        versions: ItemVersions | None,
    ) -> ColumnarPath:
        """Decode a batch into columns, if there are any values."""
        required_agencies = None
        if self._admission.agency_by_topic:
            required_agencies = [self._admission.get_agency(message.topic()) for message in records.messages]
        batches = self._reader.read_batch(values, records.keys, now_ms, required_agencies) if values else ()
        return ColumnarPath(session, records, values, batches, versions, now_ms, self._part_bytes_max)

    def _process_uncovered(
        self, record_path: RecordPath, positions: list[int], records: InputRecords, result: BatchResult
    ) -> tuple[dict[int, list[OutputRecord]], int | None]:
        """Process records on the record path, until their outputs exceed the limit of a part.

        Returns:
            The outputs by position; and the position after the last processed record, or None if all were processed.
        """
        misplaced: frozenset[int] = frozenset()
        if positions and records.partition_count > 1:
            keys = [records.keys[position] for position in positions]
            partitions = to_column(records.partitions).take(positions)
            rows = find_misplaced_keys(keys, partitions, records.partition_count)
            misplaced = frozenset(positions[row] for row in rows)
        written: dict[int, list[OutputRecord]] = {}
        bytes_left = self._part_bytes_max
        for number, position in enumerate(positions, 1):
            outputs = record_path.process_record(position, result, misplaced=position in misplaced)
            written[position] = outputs
            bytes_left -= sum(len(output.value or b"") + OUTPUT_OVERHEAD_BYTES for output in outputs)
            if bytes_left <= 0 and number < len(positions):
                return written, position + 1
        return written, None

    def _get_session(self, directory: Directory, now_ms: int, limits: OutputLimits) -> GateSession:
        """Return the current session, or a new one if it is not valid for this directory, time and these limits."""
        session = self._session
        if session is None or not session.context.is_valid_for(directory, now_ms) or session.limits != limits:
            context = DecisionContext.open(self.pack, self._treaties, directory, now_ms, self._look_up_country)
            session = self._session = GateSession.open(
                self.pack,
                context,
                self._reader,
                self.framing,
                limits,
                self._part_bytes_max,
                has_conversation=self._has_conversation,
                agencies_not_asked=self._agencies_not_asked,
            )
        return session


def _count_rule_errors(session: GateSession, result: BatchResult) -> None:
    """Add the failures that no verdict reports: an OBLIGE rule that fails adds no recipient."""
    errors = session.context.disclosure_filter.rule_errors
    for rule, failed in errors.items():
        result.rule_errors.setdefault(rule, failed)
    errors.clear()
