"""Many records decoded at once, by columns: pyruhvro (Rust) into Arrow, and from there into records where needed.

The result is that of `Codec.decode` on each, errors included; it is only faster (`docs/adr/0012`). Two things make
that sure. Bytes that the columns do not give back exactly when they are encoded again (left-over bytes, other
spellings of a number, text that is not UTF-8) are decoded one by one, by the reference path. And so is every record
that is not framed with the current schema.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from sharing.errors import DecodeError
from sharing.serialization.codec import HEADER_LENGTH, RECORD_BYTES_MAX, Codec

log = logging.getLogger(__name__)

Decoded = dict[str, Any] | DecodeError
T = TypeVar("T")

UNREADABLE = (ValueError, OverflowError, pa.ArrowException)
"""What reading by columns raises on bytes that are to be read one by one."""

ALONE_MAX = 16
"""Below this many, columns cost more than they save; it is also where the search for a bad record ends."""


class BulkDecoder:
    """Decodes batches of one kind of record.

    Args:
        codec: Of the record.
        text: The current schema, as it stands in its file.
    """

    def __init__(self, codec: Codec, text: str) -> None:
        self._codec = codec
        self._text = text
        fields = json.loads(text)["fields"]
        self._maps = tuple(field["name"] for field in fields if _is(field["type"], "map"))
        self._times = tuple(field["name"] for field in fields if "timestamp-millis" in json.dumps(field["type"]))

    def decode(self, values: Sequence[bytes | None]) -> list[Decoded]:
        """Return for each value its record, or why it cannot be read."""
        decoded: list[Decoded | None] = [None] * len(values)
        fast = self.framed(values)
        bodies = [value[HEADER_LENGTH:] for value in (values[index] for index in fast) if value is not None]
        for start, read in read_in_halves(bodies, self._read_whole):
            for offset, record in enumerate(self.records(read)):
                decoded[fast[start + offset]] = record
        return [
            self.decode_alone(value) if record is None else record
            for value, record in zip(values, decoded, strict=True)
        ]

    def framed(self, values: Sequence[bytes | None]) -> Sequence[int]:
        """Return the places of the values that are framed with the current schema and of an acceptable length."""
        column = pa.array(values, pa.binary())
        begins = pc.starts_with(column, pattern=self._codec.header)
        fits = pc.fill_null(
            pc.and_(begins, pc.less_equal(pc.binary_length(column), RECORD_BYTES_MAX)), fill_value=False
        )
        return range(len(values)) if pc.all(fits).as_py() else list(compress(range(len(values)), fits.to_pylist()))

    def read(self, bodies: Sequence[bytes]) -> pa.RecordBatch:
        """Return records without their frames as columns. Whether all their bytes were read is not looked at.

        Raises:
            ValueError: One of them does not follow the schema, or holds text that is not UTF-8.
        """
        columns = pyruhvro.deserialize_array(bodies, self._text)
        columns.validate(full=True)
        return columns

    def records(self, columns: pa.RecordBatch) -> list[dict[str, Any]]:
        """Return columns as records, as `Codec.decode` gives them."""
        names = columns.schema.names
        lists = [columns.column(name).to_pylist() for name in names]
        for place, name in enumerate(names):
            if name in self._maps:
                lists[place] = [dict(pairs) for pairs in lists[place]]
            elif name in self._times and columns.column(name).null_count < len(columns):
                lists[place] = [_utc(time) for time in lists[place]]
        return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]

    def decode_alone(self, value: bytes | None) -> Decoded:
        """Return a value's record by the reference path, or why it cannot be read."""
        try:
            return self._codec.decode(value)
        except DecodeError as error:
            return error

    def _read_whole(self, bodies: Sequence[bytes]) -> pa.RecordBatch:
        columns = self.read(bodies)
        again = pyruhvro.serialize_record_batch(columns, self._text, 1)[0]
        if not again.equals(pa.array(bodies, again.type)):
            raise ValueError("some bytes are not given back")
        return columns


def read_in_halves(
    bodies: Sequence[bytes], read: Callable[[Sequence[bytes]], T], start: int = 0
) -> Iterator[tuple[int, T]]:
    """Yield what was read of each part of a batch that can be read together, with where the part starts.

    Which record is at fault, halving finds out; what is wrong with it, the reference path says. Parts of fewer than
    `ALONE_MAX` are left out.
    """
    if len(bodies) < ALONE_MAX:
        return
    try:
        part = read(bodies)
    except UNREADABLE as error:
        log.debug("%s records are not read by columns: %s", len(bodies), type(error).__name__)
    else:
        yield start, part
        return
    half = len(bodies) // 2
    yield from read_in_halves(bodies[:half], read, start)
    yield from read_in_halves(bodies[half:], read, start + half)


def _is(kind: Any, name: str) -> bool:
    return isinstance(kind, dict) and kind.get("type") == name


def _utc(time: dt.datetime | None) -> dt.datetime | None:
    return None if time is None else time.replace(tzinfo=dt.UTC)
