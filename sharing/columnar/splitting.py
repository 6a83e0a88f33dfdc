"""Records of indicators split in two: the head, which begins every record and differs, and the tail, which repeats.

Heads are decoded for all records, and tails once for each that is distinct. Both are encoded again and compared
with what was read, so nothing of a record is left over or spelt in another way.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

import fastavro
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from sharing.serialization.codec import schema_text, split_codec_of

FieldPath = tuple[str, ...]

HEAD, TAIL = (part.text for part in split_codec_of("indicator", "source"))
"""Schemas of the two parts: up to the summary, and from the source on."""

_ARRAY = json.dumps(
    {
        "type": "record",
        "name": "Array",
        "fields": [{"name": "items", "type": {"type": "array", "items": json.loads(schema_text("indicator"))}}],
    }
)
_HEAD_FIELDS, _TAIL_FIELDS = ([field["name"] for field in json.loads(text)["fields"]] for text in (HEAD, TAIL))


@dataclass(frozen=True, slots=True)
class RecordBlock:
    """Records one after another without anything between them, as a container's block or an Avro array has them.

    Attributes:
        count: How many; at least one.
        body: Their bytes.
    """

    count: int
    body: bytes


@dataclass(frozen=True, slots=True)
class SplitColumns:
    """Records as columns.

    Attributes:
        heads: Of each record.
        tails: Those that are distinct.
        codes: For each record the index of its tail.
    """

    heads: pa.RecordBatch
    tails: pa.RecordBatch
    codes: pa.Array

    def field(self, path: FieldPath) -> pa.Array:
        """Return the column at a path, for each record."""
        if is_of_head(path):
            return field_of(self.heads, path)
        return field_of(self.tails, path).take(self.codes)

    def whole(self) -> pa.RecordBatch:
        """Return the records, as the schema `Indicator` has them."""
        tails = self.tails.take(self.codes)
        return pa.RecordBatch.from_arrays([*self.heads.columns, *tails.columns], names=[*_HEAD_FIELDS, *_TAIL_FIELDS])

    def take(self, rows: Sequence[int]) -> SplitColumns:
        """Return some rows."""
        chosen = pa.array(rows, pa.int64())
        return SplitColumns(self.heads.take(chosen), self.tails, self.codes.take(chosen))

    def filter(self, chosen: pa.Array) -> SplitColumns:
        """Return the rows that are chosen."""
        return SplitColumns(self.heads.filter(chosen), self.tails, self.codes.filter(chosen))


def is_of_head(path: FieldPath) -> bool:
    """Return whether a field stands in the head."""
    return path[0] in _HEAD_FIELDS


def field_of(columns: pa.RecordBatch, path: FieldPath) -> pa.Array:
    """Return the column at a path. Records within records are never null in this schema."""
    return reduce(lambda array, name: array.field(name), path[1:], columns.column(path[0]))


def split_bodies(bodies: Sequence[bytes]) -> SplitColumns:
    """Return records, given without their frames.

    Raises:
        ValueError: Some bytes are no record, or not the whole of one.
    """
    heads = _decode(bodies, HEAD)
    rests = _cut(pa.array(bodies, pa.binary()), encode(heads, HEAD))
    tails = rests.dictionary_encode()
    return SplitColumns(heads, _decode_whole(tails.dictionary, TAIL), tails.indices)


def split_blocks(blocks: Sequence[RecordBlock]) -> SplitColumns:
    """Return records that follow one another in blocks.

    Counts and bodies, and a zero at the end, are an Avro array. No record has a shorter encoding than the one
    that is made again, so if all of a block together are as long as before, each is.

    Raises:
        ValueError: Some bytes are no record, or are left over.
    """
    if any(not 0 < block.count <= len(block.body) for block in blocks):  # a false count makes room for nothing
        raise ValueError("a block has more records than bytes")
    array = b"".join(part for block in blocks for part in (_long(block.count), block.body))
    columns = pa.RecordBatch.from_struct_array(_decode([array + b"\0"], _ARRAY).column(0).flatten())
    heads, tails = columns.select(_HEAD_FIELDS), encode(columns.select(_TAIL_FIELDS), TAIL)
    lengths = pc.add(pc.binary_length(encode(heads, HEAD)), pc.binary_length(tails))
    lasts = [count - 1 for count in accumulate(block.count for block in blocks)]
    ends = list(accumulate(len(block.body) for block in blocks))
    if lasts[-1:] != [len(columns) - 1] or pc.cumulative_sum(lengths).take(pa.array(lasts)).to_pylist() != ends:
        raise ValueError("some bytes are not given back")
    distinct = tails.dictionary_encode()
    return SplitColumns(heads, _decode_whole(distinct.dictionary, TAIL), distinct.indices)


def encode(columns: pa.RecordBatch, text: str) -> pa.Array:
    """Return the Avro bytes of each row."""
    return pyruhvro.serialize_record_batch(columns, text, 1)[0]


def _decode(bodies: Sequence[bytes], text: str) -> pa.RecordBatch:
    columns = pyruhvro.deserialize_array(bodies, text)
    columns.validate(full=True)
    return columns


def _decode_whole(bodies: pa.Array, text: str) -> pa.RecordBatch:
    columns = _decode(bodies.to_pylist(), text)
    if not encode(columns, text).equals(bodies):
        raise ValueError("some bytes are not given back")
    return columns


def _cut(bodies: pa.Array, fronts: pa.Array) -> pa.Array:
    """Return what follows in each body after its front.

    Raises:
        ValueError: A body does not begin with its front.
    """
    lengths, count = pc.binary_length(bodies), len(bodies)
    ends = pc.cumulative_sum(lengths)
    cuts = pc.add(pc.subtract(ends, lengths), pc.binary_length(fronts))
    if not pc.all(pc.less_equal(cuts, ends)).as_py():
        raise ValueError("some bytes are not given back")
    # Cuts and ends by turns are the offsets of all pieces: fronts at even places, rests at odd ones.
    turns = pa.arange(0, 2 * count)
    places = pc.add(pc.shift_right(turns, 1), pc.multiply(pc.bit_wise_and(turns, 1), count))
    offsets = pa.concat_arrays([pa.array([0], ends.type), pa.concat_arrays([cuts, ends]).take(places)])
    pieces = pa.Array.from_buffers(pa.binary(), 2 * count, [None, offsets.buffers()[1], bodies.buffers()[2]])
    if not pieces.take(pa.arange(0, 2 * count, 2)).equals(fronts):
        raise ValueError("some bytes are not given back")
    return pieces.take(pa.arange(1, 2 * count, 2))


def _long(number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()
