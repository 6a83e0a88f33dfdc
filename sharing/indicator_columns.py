"""A batch of indicators as columns, split into what is each item's own and what many items share.

Own are id, value, texts and times. What is left repeats: encoded again without them it is the key under which items
are alike (`sharing.cohorts`), and because both encodings together are as long as what was read, nothing of the
record is left over or spelt in another way. A row that is not sound in its own fields is left to the reference path,
which says what is wrong with it; so this may refuse too much, and never too little.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, compress
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from sharing.bulk_decoding import UNREADABLE, BulkDecoder, read_in_halves
from sharing.model.record import OWN_TEXTS, UUID_PATTERN
from sharing.wire import HEADER_LENGTH, codec, schema_text

log = logging.getLogger(__name__)

Path = tuple[str, ...]

TIMES: tuple[Path, ...] = (("observed_at",), ("review_at",), ("retain_until",))
OWN: tuple[Path, ...] = (("id",), ("value",), *(path for path, _ in OWN_TEXTS), *TIMES)
"""Paths of the fields that are an item's own."""

_TIMES_MS = (-62_135_596_800_000, 253_402_300_799_999)
"""The years 1 to 9999: what the reference path can read."""


@dataclass(frozen=True, slots=True)
class Block:
    """Records one after another without anything between them, as a container's block or an Avro array has them.

    Attributes:
        count: How many; at least one.
        body: Their bytes.
    """

    count: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a batch that were read together and are sound in their own fields.

    Attributes:
        places: Of the rows in the batch.
        keys: Of the rows: their ids.
        columns: As the schema `Indicator` has them.
        alike: Distinct keys: the shared fields' bytes, and whether retention has expired.
        codes: For each row the index of its key in `alike`.
    """

    places: Sequence[int]
    keys: Sequence[bytes]
    columns: pa.RecordBatch
    alike: Sequence[tuple[bytes, bool]]
    codes: Sequence[int]


class IndicatorReader:
    """Reads batches of indicators by columns."""

    def __init__(self) -> None:
        text = schema_text("indicator")
        self.decoder = BulkDecoder(codec("indicator"), text)
        schema = json.loads(text)
        items = [{"name": "items", "type": {"type": "array", "items": schema}}]
        self._array_text = json.dumps({"type": "record", "name": "Array", "fields": items})
        paths = dict(_paths(schema["fields"]))
        self._shared = tuple(path for path in paths if path not in OWN)
        self._shared_text = _flat_schema("Shared", {path: paths[path] for path in self._shared})
        self._own_text = _flat_schema("Own", {path: paths[path] for path in OWN})

    def read(
        self,
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None],
        now_ms: int,
        agencies: Sequence[str | None] | None = None,
    ) -> Iterator[Part]:
        """Yield what can be read by columns; rows in no part are to be read one by one.

        Args:
            values: Of the records, as they came.
            keys: Of the records: an indicator stands under its own id.
            now_ms: The instant of the batch, in UTC milliseconds.
            agencies: Whose each record has to be, where that is known from where it stands.
        """
        framed = self.decoder.framed(values)
        bodies = [value[HEADER_LENGTH:] for value in (values[place] for place in framed) if value is not None]
        for start, (columns, shared) in read_in_halves(bodies, self._split):
            places = framed[start : start + len(columns)]
            own_keys = [keys[place] for place in places]
            sound = pc.and_(_sound(columns), _stands_under(columns, own_keys))
            if agencies is not None:
                wanted = pa.array([agencies[place] for place in places], pa.string())
                agrees = pc.equal(field_of(columns, ("source", "agency")), wanted)
                sound = pc.and_(sound, pc.fill_null(agrees, fill_value=False))
            yield _part(places, own_keys, sound, columns, shared, now_ms)

    def read_blocks(self, blocks: Sequence[Block], now_ms: int, first: int = 0) -> Iterator[Part]:
        """Yield what can be read by columns of blocks that follow one another; the rest is to be read one by one.

        Args:
            blocks: Of records without frames.
            now_ms: The instant, in UTC milliseconds.
            first: Place of the first record; the others are numbered on.
        """
        try:
            columns, shared = self._split_blocks(blocks)
        except UNREADABLE as error:
            log.debug("%s blocks are not read by columns: %s", len(blocks), type(error).__name__)
            half = len(blocks) // 2
            if half:
                yield from self.read_blocks(blocks[:half], now_ms, first)
                yield from self.read_blocks(blocks[half:], now_ms, first + sum(one.count for one in blocks[:half]))
            return
        keys = columns.column("id").cast(pa.binary()).to_pylist()
        yield _part(range(first, first + len(keys)), keys, _sound(columns), columns, shared, now_ms)

    def example(self, part: Part, row: int) -> dict[str, Any]:
        """Return one row as a record."""
        return self.decoder.records(part.columns.slice(row, 1))[0]

    def _split(self, bodies: Sequence[bytes]) -> tuple[pa.RecordBatch, pa.Array]:
        """Return the columns, and the bytes of the shared fields.

        Raises:
            ValueError: Some bytes are no record, or not the whole of one.
        """
        columns = self.decoder.read(bodies)
        shared, lengths = self._encode_apart(columns)
        if not lengths.equals(pc.binary_length(pa.array(bodies, pa.binary()))):
            raise ValueError("some bytes are not given back")
        return columns, shared

    def _split_blocks(self, blocks: Sequence[Block]) -> tuple[pa.RecordBatch, pa.Array]:
        """Return, as `_split` does, the records of some blocks.

        Counts and bodies, and a zero at the end, are an Avro array. No record has a shorter encoding than the one
        that is made again, so if all of a block together are as long as before, each is.

        Raises:
            ValueError: Some bytes are no record, or are left over.
        """
        if any(not 0 < block.count <= len(block.body) for block in blocks):  # a false count makes room for nothing
            raise ValueError("a block has more records than bytes")
        array = b"".join(part for block in blocks for part in (_long(block.count), block.body))
        items = pyruhvro.deserialize_array([array + b"\0"], self._array_text).column(0).flatten()
        columns = pa.RecordBatch.from_struct_array(items)
        columns.validate(full=True)
        shared, lengths = self._encode_apart(columns)
        lasts = [count - 1 for count in accumulate(block.count for block in blocks)]
        ends = list(accumulate(len(block.body) for block in blocks))
        if lasts[-1:] != [len(columns) - 1] or pc.cumulative_sum(lengths).take(pa.array(lasts)).to_pylist() != ends:
            raise ValueError("some bytes are not given back")
        return columns, shared

    def _encode_apart(self, columns: pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
        """Return the bytes of the shared fields, and how many each whole record has."""
        shared = _encode(columns, self._shared, self._shared_text)
        own = _encode(columns, OWN, self._own_text)
        return shared, pc.add(pc.binary_length(shared), pc.binary_length(own))


def field_of(columns: pa.RecordBatch, path: Path) -> pa.Array:
    """Return the column at a path. Records within records are never null in this schema."""
    return reduce(lambda array, name: array.field(name), path[1:], columns.column(path[0]))


def _paths(fields: Sequence[dict[str, Any]]) -> Iterator[tuple[Path, Any]]:
    """Yield the path and type of each field; those of `source` one by one, because some of them are own."""
    for field in fields:
        if field["name"] == "source":
            yield from ((("source", inner["name"]), inner["type"]) for inner in field["type"]["fields"])
        else:
            yield (field["name"],), field["type"]


def _flat_schema(name: str, types: dict[Path, Any]) -> str:
    fields = [{"name": "_".join(path), "type": kind} for path, kind in types.items()]
    return json.dumps({"type": "record", "name": name, "fields": fields})


def _encode(columns: pa.RecordBatch, paths: Sequence[Path], text: str) -> pa.Array:
    arrays = [field_of(columns, path) for path in paths]
    flat = pa.RecordBatch.from_arrays(arrays, names=["_".join(path) for path in paths])
    return pyruhvro.serialize_record_batch(flat, text, 1)[0]


def _long(number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


def _stands_under(columns: pa.RecordBatch, keys: Sequence[bytes | None]) -> pa.Array:
    """Return for each row whether its id is its record's key."""
    ids = columns.column("id").cast(pa.binary())
    return pc.fill_null(pc.equal(ids, pa.array(keys, pa.binary())), fill_value=False)


def _sound(columns: pa.RecordBatch) -> pa.Array:
    """Return for each row whether its own fields are acceptable; the shape of its value is not looked at."""
    checks = [pc.match_substring_regex(columns.column("id"), f"^{UUID_PATTERN}$")]
    for text, longest in OWN_TEXTS:
        checks += _between(pc.utf8_length(field_of(columns, text)), 1, longest)
    for time in TIMES:
        checks += _between(field_of(columns, time).cast(pa.int64()), *_TIMES_MS)
    return reduce(pc.and_, checks)


def _between(numbers: pa.Array, least: int, most: int) -> list[pa.Array]:
    """Return the check that each number lies between two, or is null; nothing where all are null."""
    if numbers.null_count == len(numbers):
        return []
    within = pc.and_(pc.greater_equal(numbers, least), pc.less_equal(numbers, most))
    return [pc.fill_null(within, fill_value=True)]


def _part(
    places: Sequence[int],
    keys: Sequence[bytes | None],
    sound: pa.Array,
    columns: pa.RecordBatch,
    shared: pa.Array,
    now_ms: int,
) -> Part:
    """Return what is sound of rows that were read together."""
    if not pc.all(sound).as_py():
        chosen = sound.to_pylist()
        places, keys = list(compress(places, chosen)), list(compress(keys, chosen))
        columns, shared = columns.filter(sound), shared.filter(sound)
    alike, codes = _group(columns, shared, now_ms)
    return Part(places, [key for key in keys if key is not None], columns, alike, codes)


def _group(columns: pa.RecordBatch, shared: pa.Array, now_ms: int) -> tuple[list[tuple[bytes, bool]], list[int]]:
    """Return the distinct keys, and for each row the index of its own."""
    encoded = shared.dictionary_encode()
    alike = [(key, False) for key in encoded.dictionary.to_pylist()]
    codes = encoded.indices.to_pylist()
    until = columns.column("retain_until")
    if until.null_count < len(until):
        lapsed = pc.fill_null(pc.less_equal(until, pa.scalar(now_ms, until.type)), fill_value=False)
        expired = [(key, True) for key, _ in alike]
        codes = [code + len(alike) * late for code, late in zip(codes, lapsed.to_pylist(), strict=True)]
        alike += expired
    return alike, codes
