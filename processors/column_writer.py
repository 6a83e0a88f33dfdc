"""What the gate writes for many records at once: heads encoded by columns, put before tails that were made once.

The bytes are those of `processors.writer`, record by record.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import fastavro
import pyarrow as pa
import pyruhvro

from processors.batch import Output, Record
from processors.parts import CONTENT_HEAD, OFFER_HEAD, Parts
from processors.plans import NoticePlan, Plan
from sharing.cloud_events import TRACEPARENT, find_header
from sharing.ids import notice_id, offer_id
from sharing.indicator_columns import Part, field_of
from sharing.law.redact import CONTENT_FIELDS, EMPTIED
from sharing.topics import DECISIONS, DRAFTS
from sharing.tracing import Trace
from sharing.wire import codec, split_codec

# pyruhvro writes no `bytes`: the fields before the content, and after it the tail.
NOTICE_FRONT = split_codec("notice", "content")[0].text
DRAFT_FRONT = split_codec("draft", "content")[0].text
OFFER_FRONT = OFFER_HEAD.text
CONTENT_FRONT = CONTENT_HEAD.text

_TIME = pa.timestamp("ms")


class _Opened(NamedTuple):
    """An item of which more is written than a decision."""

    row: int
    key: bytes
    plan: Plan
    value: bytes
    trace: Trace


class ColumnWriter:
    """Writes for one batch.

    Args:
        parts: What is alike for many items.
        now_ms: The instant of the batch, in UTC milliseconds.
    """

    def __init__(self, parts: Parts, now_ms: int) -> None:
        self._parts = parts
        self._now_ms = now_ms
        self._decisions_topic = DECISIONS.topic(parts.state)
        self._drafts_topic = DRAFTS.topic(parts.state)
        self._notice_headers = parts.notice_headers.at(now_ms)
        self._offer_headers = parts.offer_headers.at(now_ms)

    def decisions(self, part: Part, plans: Sequence[Plan | None]) -> list[Output | None]:
        """Return the decision on each row of a part; None for one without a plan."""
        topic = self._decisions_topic
        before, ends = self._frame_decisions({plan for plan in plans if plan is not None})
        return [
            None if plan is None else Output(topic, key, before + key + ends[plan])
            for key, plan in zip(part.keys, plans, strict=True)
        ]

    def sendings(
        self, part: Part, plans: Sequence[Plan | None], values: Sequence[bytes | None], messages: Sequence[Record]
    ) -> dict[int, list[Output]]:
        """Return what follows the decision on each row that is not closed: notices, offers, draft.

        Args:
            part: Of the batch.
            plans: Of each row.
            values: The records of the whole batch.
            messages: Likewise, as they came.
        """
        items = [
            _Opened(row, part.keys[row], plan, values[part.places[row]] or b"", _trace(messages[part.places[row]]))
            for row, plan in enumerate(plans)
            if plan is not None and plan.draft_tail is not None
        ]
        return {item.row: outputs for item, outputs in zip(items, self._sendings(part, items), strict=True)}

    def _frame_decisions(self, plans: set[Plan]) -> tuple[bytes, dict[Plan, bytes]]:
        """Return what stands before the id in every decision, and what stands after it by plan."""
        frames = {version: self._parts.decision_frame(version, self._now_ms) for version in {p.version for p in plans}}
        # The version comes after the id, so what comes before it is always the same.
        before = next(iter(frames.values()))[0] if frames else b""
        return before, {plan: frames[plan.version][1] + plan.decision_tail for plan in plans}

    def _sendings(self, part: Part, items: Sequence[_Opened]) -> list[list[Output]]:
        """Return notices, offers and draft of each of some items."""
        if not items:
            return []
        columns = part.columns.take(pa.array([item.row for item in items]))
        notices = iter(self._notices(columns, items))
        offers = iter(self._offers(columns, items))
        outputs = []
        for item, draft in zip(items, self._drafts(columns, items), strict=True):
            sent = []
            for one in item.plan.sendings:
                ordinary = isinstance(one, NoticePlan)
                identity, front = next(notices if ordinary else offers)
                made = self._notice_headers if ordinary else self._offer_headers
                headers = made.make(identity, item.key.decode(), item.trace.traceparent(identity))
                sent.append(Output(one.topic, item.key, front + one.tail, headers))
            outputs.append([*sent, Output(self._drafts_topic, item.key, draft + (item.plan.draft_tail or b""))])
        return outputs

    def _notices(self, columns: pa.RecordBatch, items: Sequence[_Opened]) -> list[tuple[str, bytes]]:
        """Return the ids and heads of all notices, in the order of items and recipients."""
        wanted = [
            (row, one) for row, item in enumerate(items) for one in item.plan.sendings if isinstance(one, NoticePlan)
        ]
        if not wanted:
            return []
        contents = _contents(columns, [(row, one.redacted) for row, one in wanted])
        identities = [
            notice_id(self._parts.state, items[row].key.decode(), items[row].plan.version, one.state)
            for row, one in wanted
        ]
        taken = columns.select(["id", "version", "review_at", "retain_until"]).take(
            pa.array([row for row, _ in wanted])
        )
        fronts = _encode(
            NOTICE_FRONT,
            self._parts.framing.header("notice"),
            id=pa.array(identities),
            indicator_id=taken.column("id"),
            version=taken.column("version"),
            sent_at=self._instant(len(wanted)),
            review_at=taken.column("review_at"),
            retain_until=taken.column("retain_until"),
        )
        return [
            (identity, front + _bytes(content + one.content_tail))
            for identity, front, content, (_, one) in zip(identities, fronts, contents, wanted, strict=True)
        ]

    def _offers(self, columns: pa.RecordBatch, items: Sequence[_Opened]) -> list[tuple[str, bytes]]:
        """Return the ids and heads of all offers, in the order of items and recipients."""
        wanted = [
            (row, one.state)
            for row, item in enumerate(items)
            for one in item.plan.sendings
            if not isinstance(one, NoticePlan)
        ]
        if not wanted:
            return []
        identities = [
            offer_id(self._parts.state, items[row].key.decode(), items[row].plan.version, state)
            for row, state in wanted
        ]
        taken = columns.select(["id", "version"]).take(pa.array([row for row, _ in wanted]))
        fronts = _encode(
            OFFER_FRONT,
            self._parts.framing.header("offer"),
            id=pa.array(identities),
            indicator_id=taken.column("id"),
            version=taken.column("version"),
            sent_at=self._instant(len(wanted)),
            expires_at=pa.nulls(len(wanted), _TIME),
        )
        return list(zip(identities, fronts, strict=True))

    def _drafts(self, columns: pa.RecordBatch, items: Sequence[_Opened]) -> list[bytes]:
        """Return the heads of all drafts."""
        fronts = _encode(
            DRAFT_FRONT,
            self._parts.framing.header("draft"),
            indicator_id=columns.column("id"),
            version=columns.column("version"),
            decided_at=self._instant(len(items)),
            officer=field_of(columns, ("source", "officer")),
        )
        return [front + _bytes(item.value) for front, item in zip(fronts, items, strict=True)]

    def _instant(self, count: int) -> pa.Array:
        return pa.repeat(pa.scalar(self._now_ms, _TIME), count)


def _trace(message: Record) -> Trace:
    return Trace.of(find_header(message.headers(), TRACEPARENT), (message.key() or b"").decode())


def _contents(columns: pa.RecordBatch, wanted: Sequence[tuple[int, tuple[str, ...]]]) -> list[bytes]:
    """Return framed contents without their reasons: for each row and fields that are taken out."""
    rows_of: dict[tuple[str, ...], dict[int, int]] = defaultdict(dict)
    for row, redacted in wanted:
        rows_of[redacted].setdefault(row, len(rows_of[redacted]))
    made = {}
    for redacted, rows in rows_of.items():
        chosen = columns.take(pa.array(list(rows)))
        fields = {name: _field(chosen, name, path, redacted) for name, path in CONTENT_FIELDS.items()}
        made[redacted] = _encode(CONTENT_FRONT, codec("notice_content").header, **fields)
    return [made[redacted][rows_of[redacted][row]] for row, redacted in wanted]


def _field(columns: pa.RecordBatch, name: str, path: tuple[str, ...], redacted: tuple[str, ...]) -> pa.Array:
    column = field_of(columns, path)
    if name not in redacted:
        return column
    return pa.array([[]] * len(column), column.type) if name in EMPTIED else pa.nulls(len(column), column.type)


def _encode(text: str, header: bytes, **fields: Any) -> list[bytes]:
    """Return records of a schema, given by its text, after a header."""
    batch = pa.RecordBatch.from_arrays(list(fields.values()), names=list(fields))
    encoded = pyruhvro.serialize_record_batch(batch, text, 1)[0]
    return [header + one for one in encoded.to_pylist()]


@lru_cache(maxsize=10_000)
def _length(count: int) -> bytes:
    """Return what Avro writes before so many bytes: their number as a long."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", count)
    return out.getvalue()


def _bytes(value: bytes) -> bytes:
    """Return Avro's `bytes`: pyruhvro does not write that type."""
    return _length(len(value)) + value
