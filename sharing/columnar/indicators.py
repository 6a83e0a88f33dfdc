"""Reads a batch of indicators as columns, and groups the rows by the fields that many items share.

Item fields differ from item to item: id, value, texts and times. All other fields are shared. Their encoding is the key
of an item group (`sharing.columnar.groups`). A row with an invalid item field is left to the record path, which reports
what is wrong with it. So this module may leave valid rows to the record path, but never accepts an invalid one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from sharing.columnar.column_batch import ColumnBatch, GroupKey
from sharing.columnar.decoding import BULK_DECODE_ERRORS, BulkDecoder, decode_in_halves
from sharing.columnar.row_masks import TIME_FIELDS, mask_expired, mask_item_fields, mask_keys, mask_substantiated
from sharing.columnar.splitting import (
    HEAD_SCHEMA,
    TAIL_SCHEMA,
    FieldPath,
    RecordBlock,
    SplitColumns,
    encode_rows,
    select_column,
    split_blocks,
    split_bodies,
)
from sharing.model.indicator_record import ITEM_TEXTS
from sharing.serialization.codec import HEADER_LENGTH, get_codec, read_schema_text

log = logging.getLogger(__name__)

ITEM_FIELDS: tuple[FieldPath, ...] = (("id",), ("value",), *(path for path, _ in ITEM_TEXTS), *TIME_FIELDS)
"""Paths of the fields that differ from item to item."""

SLICE_BYTES_MAX = 4_000_000
"""How many bytes of records are decoded at once, because decoding needs about twelve times as much memory."""


class IndicatorReader:
    """Decodes batches of indicators into columns."""

    def __init__(self) -> None:
        self.decoder = BulkDecoder(get_codec("indicator"), read_schema_text("indicator"))
        self._head_encoder = _SharedFieldsEncoder("Head", HEAD_SCHEMA)
        self._tail_encoder = _SharedFieldsEncoder("Tail", TAIL_SCHEMA)

    def read_batch(
        self,
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None],
        now_ms: int,
        agencies: Sequence[str | None] | None = None,
    ) -> Iterator[ColumnBatch]:
        """Yield the rows that can be processed as columns. The other rows must take the record path.

        Args:
            values: Values of the records, in single-object framing.
            keys: Keys of the records. The key of an indicator is its id.
            now_ms: The processing time of the batch, in UTC milliseconds.
            agencies: The agency that each record must come from; None where its topic belongs to no single agency.
        """
        framed_positions = self.decoder.select_framed(values)
        for positions, columns in self._decode_slices(values, framed_positions):
            row_keys = keys if len(positions) == len(keys) else [keys[position] for position in positions]
            valid = pc.and_(mask_item_fields(columns), mask_keys(columns, row_keys))
            if agencies is not None:
                expected = pa.array([agencies[position] for position in positions], pa.string())
                agency = columns.get_column(("source", "agency"))
                is_expected = pc.or_(pc.is_null(expected), pc.fill_null(pc.equal(agency, expected), fill_value=False))
                valid = pc.and_(valid, is_expected)
            yield self._build_batch(positions, row_keys, valid, columns, now_ms)

    def read_blocks(self, blocks: Sequence[RecordBlock], now_ms: int, first: int = 0) -> Iterator[ColumnBatch]:
        """Yield the rows of consecutive blocks that can be processed as columns.

        The other rows must take the record path.

        Args:
            blocks: Blocks of records without frames.
            now_ms: The processing time, in UTC milliseconds.
            first: Position of the first record. The others follow.
        """
        try:
            columns = split_blocks(blocks)
        except BULK_DECODE_ERRORS as error:
            log.debug("columnar decoding of %s blocks failed: %s", len(blocks), type(error).__name__)
            half = len(blocks) // 2
            if half:
                yield from self.read_blocks(blocks[:half], now_ms, first)
                yield from self.read_blocks(blocks[half:], now_ms, first + sum(block.count for block in blocks[:half]))
            return
        keys = columns.heads.column("id").cast(pa.binary()).to_pylist()
        yield self._build_batch(range(first, first + len(keys)), keys, mask_item_fields(columns), columns, now_ms)

    def to_records(self, batch: ColumnBatch, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Return these rows as records."""
        return self.decoder.to_records(batch.columns.take(rows).to_record_batch())

    def _decode_slices(
        self, values: Sequence[bytes | None], framed_positions: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], SplitColumns]]:
        """Yield the positions and the columns of records, of at most about `SLICE_BYTES_MAX` bytes at once."""
        framed_values = values
        if len(framed_positions) < len(values):
            framed_values = [values[position] for position in framed_positions]
        first = 0
        for last in _list_slice_ends(cast("Sequence[bytes]", framed_values)):
            bodies = [value[HEADER_LENGTH:] for value in framed_values[first:last] if value is not None]
            for start, columns in decode_in_halves(bodies, split_bodies, first):
                yield framed_positions[start : start + len(columns.tail_codes)], columns
            first = last

    def _build_batch(
        self,
        positions: Sequence[int],
        keys: Sequence[bytes | None],
        valid: pa.Array,
        columns: SplitColumns,
        now_ms: int,
    ) -> ColumnBatch:
        """Return a column batch with the valid rows."""
        if not pc.all(valid).as_py():
            mask = valid.to_pylist()
            positions, keys = list(compress(positions, mask)), list(compress(keys, mask))
            columns = columns.filter(valid)
        group_keys, group_codes = self._group_rows(columns, now_ms)
        # Rows without a key were filtered out.
        return ColumnBatch(positions, cast("Sequence[bytes]", keys), columns, group_keys, group_codes)

    def _group_rows(self, columns: SplitColumns, now_ms: int) -> tuple[list[GroupKey], pa.Array]:
        """Return the distinct group keys, and for each row the index of its group key."""
        heads = self._head_encoder.encode(columns.heads).dictionary_encode()
        code_by_tail: dict[GroupKey, int] = {}
        tails = zip(
            self._tail_encoder.encode(columns.tails).to_pylist(),
            mask_expired(columns.tails, now_ms),
            mask_substantiated(columns.tails),
            strict=True,
        )
        tail_codes = pa.array([code_by_tail.setdefault(tail, len(code_by_tail)) for tail in tails], pa.int64())
        pairs, pair_codes = encode_pairs(heads.indices, tail_codes.take(columns.tail_codes), len(code_by_tail))
        distinct_heads, distinct_tails = heads.dictionary.to_pylist(), list(code_by_tail)
        group_keys = []
        for head, tail in pairs:
            shared, *flags = distinct_tails[tail]
            group_keys.append((distinct_heads[head] + shared, *flags))
        return group_keys, pair_codes


def _list_slice_ends(values: Sequence[bytes]) -> list[int]:
    """Return where slices of a batch end: each has at most `SLICE_BYTES_MAX` bytes."""
    if sum(map(len, values)) <= SLICE_BYTES_MAX:
        return [len(values)]
    ends, slice_bytes = [], 0
    for position, length in enumerate(map(len, values)):
        if slice_bytes and slice_bytes + length > SLICE_BYTES_MAX:
            ends.append(position)
            slice_bytes = 0
        slice_bytes += length
    return [*ends, len(values)]


def encode_pairs(
    first_codes: pa.Array, second_codes: pa.Array, second_count: int
) -> tuple[list[tuple[int, int]], pa.Array]:
    """Return the distinct pairs of two codes, and for each row the index of its pair.

    Args:
        first_codes: The first code of each row.
        second_codes: The second code of each row, as int64: from 0 to `second_count - 1`.
        second_count: Number of possible second codes.
    """
    width = max(1, second_count)
    packed = pc.add(pc.multiply(first_codes.cast(pa.int64()), width), second_codes).dictionary_encode()
    return [divmod(code, width) for code in packed.dictionary.to_pylist()], packed.indices


class _SharedFieldsEncoder:
    """Encodes the shared fields of one part of the schema, under a flat schema of these fields."""

    def __init__(self, name: str, schema: str) -> None:
        types = dict(_iter_field_types(json.loads(schema)["fields"]))
        self._paths = tuple(path for path in types if path not in ITEM_FIELDS)
        self._names = ["_".join(path) for path in self._paths]
        fields = [{"name": "_".join(path), "type": types[path]} for path in self._paths]
        self._schema = json.dumps({"type": "record", "name": name, "fields": fields})

    def encode(self, columns: pa.RecordBatch) -> pa.Array:
        arrays = [select_column(columns, path) for path in self._paths]
        return encode_rows(pa.RecordBatch.from_arrays(arrays, names=self._names), self._schema)


def _iter_field_types(fields: Sequence[dict[str, Any]]) -> Iterator[tuple[FieldPath, Any]]:
    """Yield the path and type of each field. `source` yields its inner fields, because some are item fields."""
    for field in fields:
        if field["name"] == "source":
            yield from ((("source", inner["name"]), inner["type"]) for inner in field["type"]["fields"])
        else:
            yield (field["name"],), field["type"]
