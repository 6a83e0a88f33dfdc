"""Masks over the rows of a batch: whether their item fields are valid, and what of these affects a decision."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from sharing.columnar.splitting import FieldPath, SplitColumns, is_head_field, select_column
from sharing.model.indicator_record import ITEM_TEXTS, NIL_UUID, UUID_PATTERN
from sharing.model.vocabulary import Urgency

TIME_FIELDS: tuple[FieldPath, ...] = (("observed_at",), ("review_at",), ("retain_until",))

_TIME_RANGE_MS = (-62_135_596_800_000, 253_402_300_799_999)
"""The years 1 to 9999, which the record path can decode."""


def mask_keys(columns: SplitColumns, keys: Sequence[bytes | None]) -> pa.Array:
    """Return a mask of the rows whose id equals the record key."""
    ids = columns.heads.column("id").cast(pa.binary())
    return pc.fill_null(pc.equal(ids, pa.array(keys, pa.binary())), fill_value=False)


def mask_item_fields(columns: SplitColumns) -> pa.Array:
    """Return a mask of the rows with valid item fields. The shape of the value is not checked."""
    ids = columns.heads.column("id")
    head_masks: list[pa.Array] = [
        pc.match_substring_regex(ids, f"^{UUID_PATTERN}$"),
        pc.not_equal(ids, NIL_UUID),
    ]
    tail_masks: list[pa.Array] = []
    for text, length_max in ITEM_TEXTS:
        part, masks = (columns.heads, head_masks) if is_head_field(text) else (columns.tails, tail_masks)
        masks += _mask_range(pc.utf8_length(select_column(part, text)), 1, length_max)
    for time in TIME_FIELDS:
        tail_masks += _mask_range(select_column(columns.tails, time).cast(pa.int64()), *_TIME_RANGE_MS)
    if tail_masks:
        head_masks.append(reduce(pc.and_, tail_masks).take(columns.tail_codes))
    return reduce(pc.and_, head_masks)


def _mask_range(numbers: pa.Array, minimum: int, maximum: int) -> list[pa.Array]:
    """Return a mask of the numbers that are in the range or null.

    The list is empty when all numbers are null: the mask would select every row.
    """
    if numbers.null_count == len(numbers):
        return []
    within = pc.and_(pc.greater_equal(numbers, minimum), pc.less_equal(numbers, maximum))
    return [pc.fill_null(within, fill_value=True)]


def mask_expired(columns: pa.RecordBatch, now_ms: int) -> list[bool]:
    """Return a mask, as a list, of the rows whose retention has expired."""
    until = columns.column("retain_until")
    expired = pc.less_equal(until, pa.scalar(now_ms, until.type))
    return list(pc.fill_null(expired, fill_value=False).to_pylist())


def mask_substantiated(columns: pa.RecordBatch) -> list[bool]:
    """Return a mask, as a list, of the rows that state an emergency, with an officer and a reason."""
    is_emergency = pc.equal(columns.column("urgency").cast(pa.string()), Urgency.EMERGENCY.value)
    texts = (select_column(columns, ("source", "officer")), columns.column("urgency_reason"))
    is_stated = [pc.fill_null(pc.greater(pc.utf8_length(text), 0), fill_value=False) for text in texts]
    return list(reduce(pc.and_, is_stated, is_emergency).to_pylist())
