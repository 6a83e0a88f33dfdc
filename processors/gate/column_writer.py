"""What the gate writes for many records at once: heads encoded by columns, put before tails that were made once.

The bytes are those of `processors.gate.record_writer`, record by record.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import fastavro
import pyarrow as pa

from processors.exactly_once.batch import ConsumedRecord, OutputRecord
from processors.gate.encoded_tails import CONTENT_HEAD, OFFER_HEAD, EncodedTails, trace_of
from processors.gate.output_plans import NoticePlan, OfferPlan, OutputPlan
from sharing.columnar.groups import GroupedRows
from sharing.columnar.indicators import ColumnBatch
from sharing.columnar.splitting import FieldPath, SplitColumns, encode, field_of, is_of_head
from sharing.ids import notice_id, offer_id
from sharing.law.redact import CONTENT_FIELDS, EMPTIED
from sharing.serialization.codec import codec_of, split_codec_of
from sharing.telemetry.tracing import Trace

# pyruhvro writes no `bytes`: the fields before the content, and after it the tail.
NOTICE_FRONT = split_codec_of("notice", "content")[0].text
DRAFT_FRONT = split_codec_of("draft", "content")[0].text
OFFER_FRONT = OFFER_HEAD.text


class _ContentColumns(NamedTuple):
    """Fields of a notice's content that follow one another, with their paths in the indicator; and their schema."""

    fields: dict[str, FieldPath]
    text: str

    @classmethod
    def of(cls, *, head: bool) -> _ContentColumns:
        """Return those of the indicator's head, which are the first, or those of its tail."""
        fields = {name: path for name, path in CONTENT_FIELDS.items() if is_of_head(path) is head}
        schema = json.loads(CONTENT_HEAD.text)
        own = [field for field in schema["fields"] if field["name"] in fields]
        return cls({field["name"]: fields[field["name"]] for field in own}, json.dumps({**schema, "fields": own}))


CONTENT_FRONT, CONTENT_REST = _ContentColumns.of(head=True), _ContentColumns.of(head=False)

_TIME = pa.timestamp("ms")

SendingT = TypeVar("SendingT", NoticePlan, OfferPlan)


class _OpenItem(NamedTuple):
    """An item of which more is written than a decision."""

    id: str
    key: bytes
    plan: OutputPlan
    value: bytes
    trace: Trace


class ColumnWriter:
    """Writes for one batch.

    Args:
        parts: What is alike for many items.
        now_ms: The instant of the batch, in UTC milliseconds.
    """

    def __init__(self, parts: EncodedTails, now_ms: int) -> None:
        self._parts = parts
        self._now_ms = now_ms
        self._notice_headers = parts.notice_headers.at(now_ms)
        self._offer_headers = parts.offer_headers.at(now_ms)

    def decisions(self, part: ColumnBatch, found: GroupedRows[OutputPlan]) -> list[bytes | None]:
        """Return the decision on each row of a part; None for one without a plan."""
        before, ends = self._frame_decisions(found.made)
        rows = zip(part.keys, found.codes.to_pylist(), strict=True)
        return [None if (end := ends[code]) is None else before + key + end for key, code in rows]

    def sendings(
        self,
        part: ColumnBatch,
        found: GroupedRows[OutputPlan],
        values: Sequence[bytes | None],
        messages: Sequence[ConsumedRecord],
    ) -> Iterator[tuple[int, OutputPlan, list[OutputRecord]]]:
        """Yield what follows the decision on each row that is not closed, with the row and its plan.

        These are notices and offers, in the order of the recipients, and the draft.

        Args:
            part: Of the batch.
            found: The plans of its rows.
            values: The records of the whole batch.
            messages: Likewise, as they came.
        """
        opened = list(found.rows_where(lambda plan: plan.draft_tail is not None))
        if not opened:
            return
        rows = [row for row, _ in opened]
        columns = part.split.take(rows)
        items = [
            _OpenItem(identity, part.keys[row], plan, values[place] or b"", trace_of(messages[place], identity))
            for (row, plan), identity in zip(opened, columns.field(("id",)).to_pylist(), strict=True)
            for place in [part.places[row]]
        ]
        notices, offers = iter(self._notices(columns, items)), iter(self._offers(columns, items))
        for row, item, draft in zip(rows, items, self._drafts(columns, items), strict=True):
            sent = [next(notices if isinstance(one, NoticePlan) else offers) for one in item.plan.sendings]
            yield row, item.plan, [*sent, draft]

    def _frame_decisions(self, plans: Sequence[OutputPlan | None]) -> tuple[bytes, list[bytes | None]]:
        """Return what stands before the id in every decision, and for each plan what stands after it."""
        versions = {plan.version for plan in plans if plan is not None}
        frames = {version: self._parts.decision_frame(version, self._now_ms) for version in versions}
        # The version comes after the id, so what comes before it is always the same.
        before = next(iter(frames.values()))[0] if frames else b""
        return before, [None if plan is None else frames[plan.version][1] + plan.decision_tail for plan in plans]

    def _notices(self, columns: SplitColumns, items: Sequence[_OpenItem]) -> list[OutputRecord]:
        """Return all notices, in the order of items and recipients."""
        wanted = _sendings(items, NoticePlan)
        if not wanted:
            return []
        state, make = self._parts.state, self._notice_headers.make
        identities = [notice_id(state, items[row].id, items[row].plan.version, one.state) for row, one in wanted]
        taken = columns.take([row for row, _ in wanted])
        fronts = _encode(
            NOTICE_FRONT,
            id=pa.array(identities),
            indicator_id=taken.field(("id",)),
            version=taken.field(("version",)),
            sent_at=self._instant(len(wanted)),
            review_at=taken.field(("review_at",)),
            retain_until=taken.field(("retain_until",)),
        )
        contents = _contents(columns, [(row, one.redacted) for row, one in wanted])
        header, inner = self._parts.framing.header("notice"), codec_of("notice_content").header
        outputs = []
        for (row, one), identity, front, (own, alike) in zip(wanted, identities, fronts, contents, strict=True):
            item, length = items[row], _length(len(inner) + len(own) + len(alike) + len(one.content_tail))
            value = b"".join((header, front, length, inner, own, alike, one.content_tail, one.tail))
            headers = make(identity, item.id, item.trace.traceparent(identity))
            outputs.append(OutputRecord(one.topic, item.key, value, headers))
        return outputs

    def _offers(self, columns: SplitColumns, items: Sequence[_OpenItem]) -> list[OutputRecord]:
        """Return all offers, in the order of items and recipients."""
        wanted = _sendings(items, OfferPlan)
        if not wanted:
            return []
        state, make = self._parts.state, self._offer_headers.make
        identities = [offer_id(state, items[row].id, items[row].plan.version, one.state) for row, one in wanted]
        taken = columns.take([row for row, _ in wanted])
        fronts = _encode(
            OFFER_FRONT,
            id=pa.array(identities),
            indicator_id=taken.field(("id",)),
            version=taken.field(("version",)),
            sent_at=self._instant(len(wanted)),
            expires_at=pa.nulls(len(wanted), _TIME),
        )
        header = self._parts.framing.header("offer")
        outputs = []
        for (row, one), identity, front in zip(wanted, identities, fronts, strict=True):
            item = items[row]
            headers = make(identity, item.id, item.trace.traceparent(identity))
            outputs.append(OutputRecord(one.topic, item.key, b"".join((header, front, one.tail)), headers))
        return outputs

    def _drafts(self, columns: SplitColumns, items: Sequence[_OpenItem]) -> list[OutputRecord]:
        """Return all drafts."""
        fronts = _encode(
            DRAFT_FRONT,
            indicator_id=columns.field(("id",)),
            version=columns.field(("version",)),
            decided_at=self._instant(len(items)),
            officer=columns.field(("source", "officer")),
        )
        topic, header = self._parts.drafts_topic, self._parts.framing.header("draft")
        outputs = []
        for item, front in zip(items, fronts, strict=True):
            value = b"".join((header, front, _length(len(item.value)), item.value, item.plan.draft_tail or b""))
            outputs.append(OutputRecord(topic, item.key, value))
        return outputs

    def _instant(self, count: int) -> pa.Array:
        return pa.repeat(pa.scalar(self._now_ms, _TIME), count)


def _sendings(items: Sequence[_OpenItem], kind: type[SendingT]) -> list[tuple[int, SendingT]]:
    """Return all notices or all offers, each with the row of its item, in the order of items and recipients."""
    return [(row, one) for row, item in enumerate(items) for one in item.plan.sendings if isinstance(one, kind)]


def _contents(columns: SplitColumns, wanted: Sequence[tuple[int, tuple[str, ...]]]) -> list[tuple[bytes, bytes]]:
    """Return contents without their frame and their reasons: for each row and fields that are taken out.

    Each in two parts: what is of the head, and what is of the tail, made once for each that is distinct.
    """
    rows_of: dict[tuple[str, ...], dict[int, int]] = defaultdict(dict)
    for row, redacted in wanted:
        rows_of[redacted].setdefault(row, len(rows_of[redacted]))
    made = {}
    for redacted, rows in rows_of.items():
        chosen = columns.take(list(rows))
        tails = chosen.codes.dictionary_encode()
        fronts = _encode_content(CONTENT_FRONT, chosen.heads, redacted)
        rests = _encode_content(CONTENT_REST, chosen.tails.take(tails.dictionary), redacted)
        made[redacted] = [(front, rests[tail]) for front, tail in zip(fronts, tails.indices.to_pylist(), strict=True)]
    return [made[redacted][rows_of[redacted][row]] for row, redacted in wanted]


def _encode_content(part: _ContentColumns, columns: pa.RecordBatch, redacted: tuple[str, ...]) -> list[bytes]:
    return _encode(part.text, **{name: _field(columns, name, path, redacted) for name, path in part.fields.items()})


def _field(columns: pa.RecordBatch, name: str, path: FieldPath, redacted: tuple[str, ...]) -> pa.Array:
    column = field_of(columns, path)
    if name not in redacted:
        return column
    return pa.array([[]] * len(column), column.type) if name in EMPTIED else pa.nulls(len(column), column.type)


def _encode(text: str, **fields: Any) -> list[bytes]:
    """Return the Avro bytes of each row, under a schema given by its text."""
    encoded = encode(pa.RecordBatch.from_arrays(list(fields.values()), names=list(fields)), text)
    return list(encoded.to_pylist())


@lru_cache(maxsize=10_000)
def _length(count: int) -> bytes:
    """Return what Avro writes before so many bytes, a type that pyruhvro does not write: their number as a long."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", count)
    return out.getvalue()
