"""A batch of indicators as columns, split into what is each item's own and what many items share.

Own are id, value, texts and times. What is left repeats: encoded again without them it is the key under which items
are alike (`sharing.columnar.groups`). A row that is not sound in its own fields is left to the reference path, which
says what is wrong with it; so this may refuse too much, and never too little.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import compress
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from sharing.columnar.decoding import UNREADABLE, BulkDecoder, read_in_halves
from sharing.columnar.splitting import (
    HEAD,
    TAIL,
    FieldPath,
    RecordBlock,
    SplitColumns,
    encode,
    field_of,
    is_of_head,
    split_blocks,
    split_bodies,
)
from sharing.model.record import OWN_TEXTS, UUID_PATTERN
from sharing.serialization.codec import HEADER_LENGTH, codec_of, schema_text

__all__ = ["OWN", "ColumnBatch", "IndicatorReader", "RecordBlock"]

log = logging.getLogger(__name__)

Key = tuple[bytes, bool]

TIMES: tuple[FieldPath, ...] = (("observed_at",), ("review_at",), ("retain_until",))
OWN: tuple[FieldPath, ...] = (("id",), ("value",), *(path for path, _ in OWN_TEXTS), *TIMES)
"""Paths of the fields that are an item's own."""

_TIMES_MS = (-62_135_596_800_000, 253_402_300_799_999)
"""The years 1 to 9999: what the reference path can read."""


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Rows of a batch that were read together and are sound in their own fields.

    Attributes:
        places: Of the rows in the batch.
        keys: Of the rows: their ids.
        split: Their columns.
        alike: Distinct keys: the shared fields' bytes, and whether retention has expired.
        codes: For each row the index of its key in `alike`.
    """

    places: Sequence[int]
    keys: Sequence[bytes]
    split: SplitColumns
    alike: Sequence[Key]
    codes: pa.Array

    @property
    def types(self) -> pa.Array:
        """Types of the rows."""
        return self.split.heads.column("type")

    @property
    def values(self) -> pa.Array:
        """Values of the rows."""
        return self.split.heads.column("value")


class IndicatorReader:
    """Reads batches of indicators by columns."""

    def __init__(self) -> None:
        self.decoder = BulkDecoder(codec_of("indicator"), schema_text("indicator"))
        self._head = _Shared("Head", HEAD)
        self._tail = _Shared("Tail", TAIL)

    def read(
        self,
        values: Sequence[bytes | None],
        keys: Sequence[bytes | None],
        now_ms: int,
        agencies: Sequence[str | None] | None = None,
    ) -> Iterator[ColumnBatch]:
        """Yield what can be read by columns; rows in no part are to be read one by one.

        Args:
            values: Of the records, as they came.
            keys: Of the records: an indicator stands under its own id.
            now_ms: The instant of the batch, in UTC milliseconds.
            agencies: Whose each record has to be, where that is known from where it stands.
        """
        framed = self.decoder.framed(values)
        chosen = values if len(framed) == len(values) else [values[place] for place in framed]
        bodies = [value[HEADER_LENGTH:] for value in chosen if value is not None]
        for start, split in read_in_halves(bodies, split_bodies):
            places = framed[start : start + len(split.codes)]
            own_keys = keys if len(places) == len(keys) else [keys[place] for place in places]
            sound = pc.and_(_sound(split), _stands_under(split, own_keys))
            if agencies is not None:
                wanted = pa.array([agencies[place] for place in places], pa.string())
                agency = split.field(("source", "agency"))
                sound = pc.and_(sound, pc.fill_null(pc.equal(agency, wanted), fill_value=False))
            yield self._part(places, own_keys, sound, split, now_ms)

    def read_blocks(self, blocks: Sequence[RecordBlock], now_ms: int, first: int = 0) -> Iterator[ColumnBatch]:
        """Yield what can be read by columns of blocks that follow one another; the rest is to be read one by one.

        Args:
            blocks: Of records without frames.
            now_ms: The instant, in UTC milliseconds.
            first: Place of the first record; the others are numbered on.
        """
        try:
            split = split_blocks(blocks)
        except UNREADABLE as error:
            log.debug("%s blocks are not read by columns: %s", len(blocks), type(error).__name__)
            half = len(blocks) // 2
            if half:
                yield from self.read_blocks(blocks[:half], now_ms, first)
                yield from self.read_blocks(blocks[half:], now_ms, first + sum(one.count for one in blocks[:half]))
            return
        keys = split.heads.column("id").cast(pa.binary()).to_pylist()
        yield self._part(range(first, first + len(keys)), keys, _sound(split), split, now_ms)

    def examples(self, part: ColumnBatch, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Return some rows as records."""
        return self.decoder.records(part.split.take(rows).whole())

    def _part(
        self, places: Sequence[int], keys: Sequence[bytes | None], sound: pa.Array, split: SplitColumns, now_ms: int
    ) -> ColumnBatch:
        """Return what is sound of rows that were read together."""
        if not pc.all(sound).as_py():
            chosen = sound.to_pylist()
            places, keys = list(compress(places, chosen)), list(compress(keys, chosen))
            split = split.filter(sound)
        alike, codes = self._group(split, now_ms)
        return ColumnBatch(places, cast("Sequence[bytes]", keys), split, alike, codes)  # who is sound has a key

    def _group(self, split: SplitColumns, now_ms: int) -> tuple[list[Key], pa.Array]:
        """Return the distinct keys, and for each row the index of its own."""
        heads = self._head.encode(split.heads).dictionary_encode()
        tails: dict[Key, int] = {}
        ends = zip(self._tail.encode(split.tails).to_pylist(), _expired(split.tails, now_ms), strict=True)
        own = pa.array([tails.setdefault(end, len(tails)) for end in ends], pa.int64())
        pairs = pc.add(pc.multiply(heads.indices.cast(pa.int64()), max(1, len(tails))), own.take(split.codes))
        found = pairs.dictionary_encode()
        begins, kinds = heads.dictionary.to_pylist(), list(tails)
        alike = []
        for pair in found.dictionary.to_pylist():
            head, tail = divmod(pair, len(kinds))
            shared, expired = kinds[tail]
            alike.append((begins[head] + shared, expired))
        return alike, found.indices


class _Shared:
    """Encodes the shared fields of a part of the schema: their paths, and a flat schema of them."""

    def __init__(self, name: str, text: str) -> None:
        types = dict(_paths(json.loads(text)["fields"]))
        self._paths = tuple(path for path in types if path not in OWN)
        self._names = ["_".join(path) for path in self._paths]
        fields = [{"name": "_".join(path), "type": types[path]} for path in self._paths]
        self._text = json.dumps({"type": "record", "name": name, "fields": fields})

    def encode(self, columns: pa.RecordBatch) -> pa.Array:
        arrays = [field_of(columns, path) for path in self._paths]
        return encode(pa.RecordBatch.from_arrays(arrays, names=self._names), self._text)


def _paths(fields: Sequence[dict[str, Any]]) -> Iterator[tuple[FieldPath, Any]]:
    """Yield the path and type of each field; those of `source` one by one, because some of them are own."""
    for field in fields:
        if field["name"] == "source":
            yield from ((("source", inner["name"]), inner["type"]) for inner in field["type"]["fields"])
        else:
            yield (field["name"],), field["type"]


def _stands_under(split: SplitColumns, keys: Sequence[bytes | None]) -> pa.Array:
    """Return for each row whether its id is its record's key."""
    ids = split.heads.column("id").cast(pa.binary())
    return pc.fill_null(pc.equal(ids, pa.array(keys, pa.binary())), fill_value=False)


def _sound(split: SplitColumns) -> pa.Array:
    """Return for each row whether its own fields are acceptable; the shape of its value is not looked at."""
    heads: list[pa.Array] = [pc.match_substring_regex(split.heads.column("id"), f"^{UUID_PATTERN}$")]
    tails: list[pa.Array] = []
    for text, longest in OWN_TEXTS:
        columns, checks = (split.heads, heads) if is_of_head(text) else (split.tails, tails)
        checks += _between(pc.utf8_length(field_of(columns, text)), 1, longest)
    for time in TIMES:
        tails += _between(field_of(split.tails, time).cast(pa.int64()), *_TIMES_MS)
    return reduce(pc.and_, [*heads, *([reduce(pc.and_, tails).take(split.codes)] if tails else [])])


def _between(numbers: pa.Array, least: int, most: int) -> list[pa.Array]:
    """Return the check that each number lies between two, or is null; nothing where all are null."""
    if numbers.null_count == len(numbers):
        return []
    within = pc.and_(pc.greater_equal(numbers, least), pc.less_equal(numbers, most))
    return [pc.fill_null(within, fill_value=True)]


def _expired(columns: pa.RecordBatch, now_ms: int) -> list[bool]:
    """Return for each row whether its retention has ended."""
    until = columns.column("retain_until")
    ended = pc.less_equal(until, pa.scalar(now_ms, until.type))
    return list(pc.fill_null(ended, fill_value=False).to_pylist())
