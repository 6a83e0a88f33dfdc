"""Builds the outputs for many records at once: encodes their heads column by column and joins them with shared tails.

The bytes equal those of `processors.gate.record_writer`, record by record.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from processors.exactly_once.batch import OutputRecord
from processors.gate.encoded_tails import CONTENT_HEAD, OFFER_HEAD, EncodedTails, read_trace
from processors.gate.input_records import InputRecords
from processors.gate.output_plans import NoticePlan, OfferPlan, OutputPlan
from sharing.columnar.column_batch import ColumnBatch
from sharing.columnar.groups import RowResults
from sharing.columnar.splitting import FieldPath, SplitColumns, encode_rows, is_head_field, select_column
from sharing.conversation.revision import Revision
from sharing.ids import make_draft_key, make_first_offer_id, make_item_id, make_notice_id
from sharing.law.redaction import CONTENT_FIELDS, EMPTIED_FIELDS
from sharing.serialization.avro_primitives import encode_long
from sharing.serialization.codec import get_codec, get_split_codecs
from sharing.telemetry.tracing import TraceContext

# Schemas of the head fields that can be encoded column by column. pyruhvro cannot write `bytes`, so the `content` of
# notices and drafts is appended separately.
NOTICE_HEAD_SCHEMA = get_split_codecs("notice", "content")[0].schema_json
DRAFT_HEAD_SCHEMA = get_split_codecs("draft", "content")[0].schema_json
OFFER_HEAD_SCHEMA = OFFER_HEAD.schema_json


class _ContentColumns(NamedTuple):
    """Consecutive fields of a notice's content.

    Attributes:
        paths: Path in the indicator of each field.
        schema: Schema of these fields, as JSON text.
    """

    paths: dict[str, FieldPath]
    schema: str

    @classmethod
    def select(cls, *, head: bool) -> _ContentColumns:
        """Return the content fields from the indicator's head, which come first, or those from its tail."""
        paths = {name: path for name, path in CONTENT_FIELDS.items() if is_head_field(path) is head}
        schema = json.loads(CONTENT_HEAD.schema_json)
        fields = [field for field in schema["fields"] if field["name"] in paths]
        return cls({field["name"]: paths[field["name"]] for field in fields}, json.dumps({**schema, "fields": fields}))


CONTENT_FROM_HEAD, CONTENT_FROM_TAIL = _ContentColumns.select(head=True), _ContentColumns.select(head=False)

_TIME = pa.timestamp("ms")

PlanT = TypeVar("PlanT", NoticePlan, OfferPlan)


class _DraftedItem(NamedTuple):
    """An item that has a draft, and so more outputs than a decision."""

    id: str
    item_id: str
    key: bytes
    partition: int
    plan: OutputPlan
    value: bytes
    trace: TraceContext


class ColumnarWriter:
    """Builds the outputs of one batch.

    Args:
        tails: Encodes the tails under the current law.
        now_ms: The processing time of the batch, in UTC milliseconds.
    """

    def __init__(self, tails: EncodedTails, now_ms: int) -> None:
        self._tails = tails
        self._now_ms = now_ms
        self._notice_headers = tails.notice_headers.at_instant(now_ms)
        self._offer_headers = tails.offer_headers.at_instant(now_ms)

    def encode_decisions(self, batch: ColumnBatch, plans: RowResults[OutputPlan]) -> list[bytes | None]:
        """Return the decision for each row; None for a row without a plan."""
        prefix, suffixes = self._encode_decision_parts(plans.results)
        row_suffixes = map(suffixes.__getitem__, plans.result_codes.to_pylist())
        return [
            None if suffix is None else prefix + key + suffix
            for key, suffix in zip(batch.keys, row_suffixes, strict=True)
        ]

    def build_other_outputs(
        self,
        batch: ColumnBatch,
        plans: RowResults[OutputPlan],
        values: Sequence[bytes | None],
        records: InputRecords,
    ) -> Iterator[tuple[int, OutputPlan, list[OutputRecord]]]:
        """Yield, for each item with a draft, its row, its plan, and its outputs other than the decision.

        The outputs are the notices and offers, in the order of the recipients, and the draft.

        Args:
            batch: The rows.
            plans: The plans of the rows.
            values: The values of the whole batch, in single-object framing.
            records: The records of the whole batch, as consumed.
        """
        drafted_rows = list(plans.select_rows(lambda plan: plan.draft_tail is not None))
        if not drafted_rows:
            return
        row_indices = [row for row, _ in drafted_rows]
        columns = batch.columns.take(row_indices)
        items = []
        for (row, plan), item_id in zip(drafted_rows, columns.get_column(("id",)).to_pylist(), strict=True):
            position = batch.positions[row]
            trace = read_trace(records.messages[position], item_id)
            partition = records.partitions[position]
            value = values[position] or b""
            bus_id = make_item_id(self._tails.state, plan.agency, item_id)
            items.append(_DraftedItem(item_id, bus_id, batch.keys[row], partition, plan, value, trace))
        # Both lists are in the order of items and recipients, and have one output for each plan of their type. So for
        # each plan in that order, the next output of its type belongs to it.
        outputs_by_plan = {
            NoticePlan: iter(self._build_notices(columns, items)),
            OfferPlan: iter(self._build_offers(columns, items)),
        }
        for row, item, draft in zip(row_indices, items, self._build_drafts(columns, items), strict=True):
            outputs = [next(outputs_by_plan[type(plan)]) for plan in item.plan.recipient_plans]
            outputs.append(draft)
            yield row, item.plan, outputs

    def _encode_decision_parts(self, plans: Sequence[OutputPlan | None]) -> tuple[bytes, list[bytes | None]]:
        """Return the bytes before the id in every decision, and for each plan the bytes after it."""
        versions = {plan.version for plan in plans if plan is not None}
        frames = {version: self._tails.encode_decision_frame(Revision(version), self._now_ms) for version in versions}
        # The version follows the id, so the bytes before the id are the same for all versions.
        prefix = next(iter(frames.values()))[0] if frames else b""
        return prefix, [None if plan is None else frames[plan.version][1] + plan.decision_tail for plan in plans]

    def _build_notices(self, columns: SplitColumns, items: Sequence[_DraftedItem]) -> list[OutputRecord]:
        """Return all notices, in the order of items and recipients."""
        planned = _select_plans(items, NoticePlan)
        if not planned:
            return []
        state, build_headers = self._tails.state, self._notice_headers.build_headers
        notice_ids = [
            make_notice_id(state, item.plan.agency, item.id, item.plan.version, plan.state)
            for item, plan in ((items[row], plan) for row, plan in planned)
        ]
        rows = [row for row, _ in planned]
        selected_columns = columns.take(rows)
        encoded_heads = _encode_fields(
            NOTICE_HEAD_SCHEMA,
            id=pa.array(notice_ids),
            indicator_id=selected_columns.get_column(("id",)),
            item_id=pa.array([items[row].item_id for row in rows]),
            version=selected_columns.get_column(("version",)),
            sent_at=self._repeat_processing_time(len(planned)),
            review_at=selected_columns.get_column(("review_at",)),
            retain_until=selected_columns.get_column(("retain_until",)),
        )
        contents = _encode_contents(columns, [(row, plan.redacted) for row, plan in planned])
        header, content_header = self._tails.framing.get_header("notice"), get_codec("notice_content").header
        outputs = []
        for (row, plan), notice_id, head, (from_head, from_tail) in zip(
            planned, notice_ids, encoded_heads, contents, strict=True
        ):
            item = items[row]
            length = encode_long(len(content_header) + len(from_head) + len(from_tail) + len(plan.content_tail))
            content = (content_header, from_head, from_tail, plan.content_tail)
            value = b"".join((header, head, length, *content, plan.tail))
            headers = build_headers(notice_id, item.id, item.trace.traceparent(notice_id))
            outputs.append(OutputRecord(plan.topic, item.key, value, headers, item.partition))
        return outputs

    def _build_offers(self, columns: SplitColumns, items: Sequence[_DraftedItem]) -> list[OutputRecord]:
        """Return all offers, in the order of items and recipients."""
        planned = _select_plans(items, OfferPlan)
        if not planned:
            return []
        build_headers = self._offer_headers.build_headers
        offer_ids = [
            make_first_offer_id(item.item_id, item.plan.version, plan.state)
            for item, plan in ((items[row], plan) for row, plan in planned)
        ]
        rows = [row for row, _ in planned]
        selected_columns = columns.take(rows)
        expiries = [self._now_ms + plan.period_ms for _, plan in planned]
        encoded_heads = _encode_fields(
            OFFER_HEAD_SCHEMA,
            id=pa.array(offer_ids),
            indicator_id=selected_columns.get_column(("id",)),
            item_id=pa.array([items[row].item_id for row in rows]),
            version=selected_columns.get_column(("version",)),
            sent_at=self._repeat_processing_time(len(planned)),
            expires_at=pa.array(expiries, _TIME),
        )
        header = self._tails.framing.get_header("offer")
        outputs = []
        for (row, plan), offer_id, head in zip(planned, offer_ids, encoded_heads, strict=True):
            item = items[row]
            headers = build_headers(offer_id, item.id, item.trace.traceparent(offer_id))
            value = b"".join((header, head, plan.tail))
            outputs.append(OutputRecord(plan.topic, item.key, value, headers, item.partition))
        return outputs

    def _build_drafts(self, columns: SplitColumns, items: Sequence[_DraftedItem]) -> list[OutputRecord]:
        """Return the draft of each item."""
        encoded_heads = _encode_fields(
            DRAFT_HEAD_SCHEMA,
            indicator_id=columns.get_column(("id",)),
            version=columns.get_column(("version",)),
            decided_at=self._repeat_processing_time(len(items)),
            officer=columns.get_column(("source", "officer")),
        )
        topic, header = self._tails.drafts_topic, self._tails.framing.get_header("draft")
        outputs = []
        for item, head in zip(items, encoded_heads, strict=True):
            value = b"".join((header, head, encode_long(len(item.value)), item.value, item.plan.draft_tail or b""))
            key = make_draft_key(item.item_id, item.plan.version)
            outputs.append(OutputRecord(topic, key, value, None, item.partition))
        return outputs

    def _repeat_processing_time(self, count: int) -> pa.Array:
        return pa.repeat(pa.scalar(self._now_ms, _TIME), count)


def _select_plans(items: Sequence[_DraftedItem], kind: type[PlanT]) -> list[tuple[int, PlanT]]:
    """Return all plans of notices or of offers, each with its item's row, in the order of items and recipients."""
    return [
        (row, plan) for row, item in enumerate(items) for plan in item.plan.recipient_plans if isinstance(plan, kind)
    ]


def _encode_contents(columns: SplitColumns, wanted: Sequence[tuple[int, tuple[str, ...]]]) -> list[tuple[bytes, bytes]]:
    """Return the content, without frame and reasons, for each pair of a row and the fields to redact.

    Each content has two parts: the fields from the indicator's head, and those from its tail, which are encoded once
    per distinct tail.
    """
    # For each redaction, the distinct rows in order, each with its index ("slot") in the list of encoded contents.
    slots_by_redaction: dict[tuple[str, ...], dict[int, int]] = defaultdict(dict)
    for row, redacted in wanted:
        slot_by_row = slots_by_redaction[redacted]
        slot_by_row.setdefault(row, len(slot_by_row))
    contents = {}
    for redacted, slot_by_row in slots_by_redaction.items():
        selected_columns = columns.take(list(slot_by_row))
        tail_codes = selected_columns.tail_codes.dictionary_encode()
        from_heads = _encode_content(CONTENT_FROM_HEAD, selected_columns.heads, redacted)
        from_tails = _encode_content(CONTENT_FROM_TAIL, selected_columns.tails.take(tail_codes.dictionary), redacted)
        contents[redacted] = [
            (from_head, from_tails[code])
            for from_head, code in zip(from_heads, tail_codes.indices.to_pylist(), strict=True)
        ]
    return [contents[redacted][slots_by_redaction[redacted][row]] for row, redacted in wanted]


def _encode_content(content: _ContentColumns, columns: pa.RecordBatch, redacted: tuple[str, ...]) -> list[bytes]:
    fields = {name: _redact_column(columns, name, path, redacted) for name, path in content.paths.items()}
    return _encode_fields(content.schema, **fields)


def _redact_column(columns: pa.RecordBatch, name: str, path: FieldPath, redacted: tuple[str, ...]) -> pa.Array:
    column = select_column(columns, path)
    if name not in redacted:
        return column
    return pa.array([[]] * len(column), column.type) if name in EMPTIED_FIELDS else pa.nulls(len(column), column.type)


def _encode_fields(schema: str, **fields: Any) -> list[bytes]:
    """Return the Avro bytes of each row."""
    encoded = encode_rows(pa.RecordBatch.from_arrays(list(fields.values()), names=list(fields)), schema)
    return list(encoded.to_pylist())
