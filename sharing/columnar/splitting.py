"""Splits indicator records in two: the head, which differs from record to record, and the tail, which repeats.

Every head is decoded, but each distinct tail only once. Both are encoded again and compared with the input, so no bytes
of a record are left over or encoded in another way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from sharing.serialization.avro_primitives import encode_long
from sharing.serialization.codec import get_split_codecs, read_schema_text

FieldPath = tuple[str, ...]

HEAD_SCHEMA, TAIL_SCHEMA = (part.schema_json for part in get_split_codecs("indicator", "source"))
"""Schemas of the two parts: the fields up to the summary, and the fields from the source on."""

_ARRAY_SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "Array",
        "fields": [{"name": "items", "type": {"type": "array", "items": json.loads(read_schema_text("indicator"))}}],
    }
)
_HEAD_FIELDS, _TAIL_FIELDS = (
    [field["name"] for field in json.loads(text)["fields"]] for text in (HEAD_SCHEMA, TAIL_SCHEMA)
)


@dataclass(frozen=True, slots=True)
class RecordBlock:
    """Consecutive records without separators, as in a block of a container file or of an Avro array.

    Attributes:
        count: Number of records; at least one.
        body: Bytes of the records.
    """

    count: int
    body: bytes


@dataclass(frozen=True, slots=True)
class SplitColumns:
    """Records as columns.

    Attributes:
        heads: The head of each record.
        tails: The distinct tails.
        tail_codes: For each record, the index of its tail.
    """

    heads: pa.RecordBatch
    tails: pa.RecordBatch
    tail_codes: pa.Array

    def get_column(self, path: FieldPath) -> pa.Array:
        """Return the column at a path, with a value for each record."""
        if is_head_field(path):
            return select_column(self.heads, path)
        return select_column(self.tails, path).take(self.tail_codes)

    def to_record_batch(self) -> pa.RecordBatch:
        """Return the complete records, in the schema `Indicator`."""
        tails = self.tails.take(self.tail_codes)
        return pa.RecordBatch.from_arrays([*self.heads.columns, *tails.columns], names=[*_HEAD_FIELDS, *_TAIL_FIELDS])

    def take(self, rows: Sequence[int]) -> SplitColumns:
        """Return these rows."""
        indices = pa.array(rows, pa.int64())
        return SplitColumns(self.heads.take(indices), self.tails, self.tail_codes.take(indices))

    def slice(self, start: int, stop: int) -> SplitColumns:
        """Return the rows from one up to another, which is excluded."""
        return SplitColumns(self.heads.slice(start, stop - start), self.tails, self.tail_codes[start:stop])

    def filter(self, mask: pa.Array) -> SplitColumns:
        """Return the rows that the mask selects."""
        return SplitColumns(self.heads.filter(mask), self.tails, self.tail_codes.filter(mask))


def is_head_field(path: FieldPath) -> bool:
    """Return whether a field is in the head."""
    return path[0] in _HEAD_FIELDS


def select_column(columns: pa.RecordBatch, path: FieldPath) -> pa.Array:
    """Return the column at a path. Nested records are never null in this schema."""
    return reduce(lambda array, name: array.field(name), path[1:], columns.column(path[0]))


def split_bodies(bodies: Sequence[bytes]) -> SplitColumns:
    """Split records, given without frames.

    Raises:
        ValueError: A body is not exactly one record.
    """
    heads = _decode_columns(bodies, HEAD_SCHEMA)
    tails = _remove_prefixes(pa.array(bodies, pa.binary()), encode_rows(heads, HEAD_SCHEMA)).dictionary_encode()
    return SplitColumns(heads, _decode_verified(tails.dictionary, TAIL_SCHEMA), tails.indices)


def split_blocks(blocks: Sequence[RecordBlock]) -> SplitColumns:
    """Split the records of consecutive blocks.

    The counts and bodies, with a zero at the end, form an Avro array. Encoding a record again gives its shortest
    encoding, so if the records of a block are together as long as the input, each of them is.

    Raises:
        ValueError: Some bytes are not a record, or are left over.
    """
    if any(not 0 < block.count <= len(block.body) for block in blocks):  # a false count must not allocate memory
        raise ValueError("a block has more records than bytes")
    array = b"".join(part for block in blocks for part in (encode_long(block.count), block.body))
    columns = pa.RecordBatch.from_struct_array(_decode_columns([array + b"\0"], _ARRAY_SCHEMA).column(0).flatten())
    heads, tails = columns.select(_HEAD_FIELDS), encode_rows(columns.select(_TAIL_FIELDS), TAIL_SCHEMA)
    lengths = pc.add(pc.binary_length(encode_rows(heads, HEAD_SCHEMA)), pc.binary_length(tails))
    lasts = [count - 1 for count in accumulate(block.count for block in blocks)]
    ends = list(accumulate(len(block.body) for block in blocks))
    if lasts[-1:] != [len(columns) - 1] or pc.cumulative_sum(lengths).take(pa.array(lasts)).to_pylist() != ends:
        raise ValueError("some bytes do not come back when encoded again")
    distinct = tails.dictionary_encode()
    return SplitColumns(heads, _decode_verified(distinct.dictionary, TAIL_SCHEMA), distinct.indices)


def encode_rows(columns: pa.RecordBatch, schema: str) -> pa.Array:
    """Return the Avro bytes of each row."""
    return pyruhvro.serialize_record_batch(columns, schema, 1)[0]


def _decode_columns(bodies: Sequence[bytes], schema: str) -> pa.RecordBatch:
    columns = pyruhvro.deserialize_array(bodies, schema)
    columns.validate(full=True)
    return columns


def _decode_verified(bodies: pa.Array, schema: str) -> pa.RecordBatch:
    columns = _decode_columns(bodies.to_pylist(), schema)
    if not encode_rows(columns, schema).equals(bodies):
        raise ValueError("some bytes do not come back when encoded again")
    return columns


def _remove_prefixes(bodies: pa.Array, prefixes: pa.Array) -> pa.Array:
    """Return the rest of each body after its prefix.

    Raises:
        ValueError: A body does not begin with its prefix.
    """
    lengths, count = pc.binary_length(bodies), len(bodies)
    ends = pc.cumulative_sum(lengths)
    cuts = pc.add(pc.subtract(ends, lengths), pc.binary_length(prefixes))
    if not pc.all(pc.less_equal(cuts, ends)).as_py():
        raise ValueError("some bytes do not come back when encoded again")
    # Cuts and ends in alternation are the offsets of all pieces: prefixes at even indices, rests at odd ones.
    indices = pa.arange(0, 2 * count)
    alternation = pc.add(pc.shift_right(indices, 1), pc.multiply(pc.bit_wise_and(indices, 1), count))
    offsets = pa.concat_arrays([pa.array([0], ends.type), pa.concat_arrays([cuts, ends]).take(alternation)])
    pieces = pa.Array.from_buffers(pa.binary(), 2 * count, [None, offsets.buffers()[1], bodies.buffers()[2]])
    if not pieces.take(pa.arange(0, 2 * count, 2)).equals(prefixes):
        raise ValueError("some bytes do not come back when encoded again")
    return pieces.take(pa.arange(1, 2 * count, 2))
