"""Columnar decoding: decodes many records at once with pyruhvro (Rust) into Arrow, and into records where needed.

The result equals that of `Codec.decode` for each value, errors included; it is only faster (`docs/adr/0012`). Two rules
ensure this. Values that do not come back byte for byte when the columns are encoded again (left-over bytes, other
encodings of a number, text that is not UTF-8) take the record path, which decodes them one at a time. So does every
record that is not framed with the current schema.
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

DecodeResult = dict[str, Any] | DecodeError
T = TypeVar("T")

BULK_DECODE_ERRORS = (ValueError, OverflowError, pa.ArrowException)
"""Errors of columnar decoding, after which values take the record path."""

BULK_MIN = 16
"""Smallest number of values for columnar decoding. The search for a bad record also ends here."""


class BulkDecoder:
    """Decodes batches of one kind of record.

    Args:
        codec: Codec of the records.
        schema: The current schema, as JSON text.
    """

    def __init__(self, codec: Codec, schema: str) -> None:
        self._codec = codec
        self._schema = schema
        fields = json.loads(schema)["fields"]
        self._map_fields = tuple(field["name"] for field in fields if _is_complex_type(field["type"], "map"))
        self._time_fields = tuple(field["name"] for field in fields if "timestamp-millis" in json.dumps(field["type"]))

    def decode(self, values: Sequence[bytes | None]) -> list[DecodeResult]:
        """Return for each value its record, or the error that explains why it cannot be decoded."""
        decoded: list[DecodeResult | None] = [None] * len(values)
        framed = self.select_framed(values)
        bodies = [value[HEADER_LENGTH:] for value in (values[index] for index in framed) if value is not None]
        for start, columns in decode_in_halves(bodies, self._decode_verified):
            for offset, record in enumerate(self.to_records(columns)):
                decoded[framed[start + offset]] = record
        return [
            self.decode_one(value) if record is None else record for value, record in zip(values, decoded, strict=True)
        ]

    def select_framed(self, values: Sequence[bytes | None]) -> Sequence[int]:
        """Return the positions of values that are framed with the current schema and are not too long."""
        column = pa.array(values, pa.binary())
        has_header = pc.starts_with(column, pattern=self._codec.header)
        fits = pc.fill_null(
            pc.and_(has_header, pc.less_equal(pc.binary_length(column), RECORD_BYTES_MAX)), fill_value=False
        )
        return range(len(values)) if pc.all(fits).as_py() else list(compress(range(len(values)), fits.to_pylist()))

    def decode_columns(self, bodies: Sequence[bytes]) -> pa.RecordBatch:
        """Return records without frames as columns. This does not check that all their bytes were read.

        Raises:
            ValueError: A record does not follow the schema, or holds text that is not UTF-8.
        """
        columns = pyruhvro.deserialize_array(bodies, self._schema)
        columns.validate(full=True)
        return columns

    def to_records(self, columns: pa.RecordBatch) -> list[dict[str, Any]]:
        """Convert columns to records, as `Codec.decode` returns them."""
        names = columns.schema.names
        lists = [columns.column(name).to_pylist() for name in names]
        for index, name in enumerate(names):
            if name in self._map_fields:
                lists[index] = [dict(pairs) for pairs in lists[index]]
            elif name in self._time_fields and columns.column(name).null_count < len(columns):
                lists[index] = [_set_utc(time) for time in lists[index]]
        return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]

    def decode_one(self, value: bytes | None) -> DecodeResult:
        """Return a value's record by the record path, or the error that explains why it cannot be decoded."""
        try:
            return self._codec.decode(value)
        except DecodeError as error:
            return error

    def _decode_verified(self, bodies: Sequence[bytes]) -> pa.RecordBatch:
        columns = self.decode_columns(bodies)
        encoded = pyruhvro.serialize_record_batch(columns, self._schema, 1)[0]
        if not encoded.equals(pa.array(bodies, encoded.type)):
            raise ValueError("some bytes do not come back when encoded again")
        return columns


def decode_in_halves(
    bodies: Sequence[bytes], decode: Callable[[Sequence[bytes]], T], start: int = 0
) -> Iterator[tuple[int, T]]:
    """Yield the start and the decoded form of each part of a batch that can be decoded at once.

    A part that fails is halved to isolate the bad record; the record path then reports what is wrong with it. Parts
    with fewer than `BULK_MIN` bodies are left out.
    """
    if len(bodies) < BULK_MIN:
        return
    try:
        decoded = decode(bodies)
    except BULK_DECODE_ERRORS as error:
        log.debug("columnar decoding of %s records failed: %s", len(bodies), type(error).__name__)
    else:
        yield start, decoded
        return
    half = len(bodies) // 2
    yield from decode_in_halves(bodies[:half], decode, start)
    yield from decode_in_halves(bodies[half:], decode, start + half)


def _is_complex_type(schema: Any, name: str) -> bool:
    return isinstance(schema, dict) and schema.get("type") == name


def _set_utc(time: dt.datetime | None) -> dt.datetime | None:
    return None if time is None else time.replace(tzinfo=dt.UTC)
