"""Records on the wire: Avro single-object encoding, strict both ways.

`C3 01`, the CRC-64-AVRO fingerprint of the writer's schema (little-endian), the record (Avro 1.12, «Single-object
encoding»). A reader knows every schema that was ever released, and resolves it to the current one. An unknown or
misspelt field is an error when writing; bytes left over are an error when reading.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from sharing.errors import DecodeError

SINGLE_OBJECT = b"\xc3\x01"
CONFLUENT = b"\x00"
HEADER_LENGTH = len(SINGLE_OBJECT) + 8

RECORD_BYTES_MAX = 400_000
"""Larger records are refused before they are read: an indicator is a few hundred bytes."""

SCHEMA_NAMES = (
    "indicator", "decision", "notice", "notice_content", "offer", "draft", "quarantine", "directory_entry",
)  # fmt: skip


def schema_text(name: str) -> str:
    """Return the current schema as it stands in `schemas/<name>.avsc`."""
    return (files("schemas") / f"{name}.avsc").read_text(encoding="utf-8")


def released_texts(name: str) -> dict[str, str]:
    """Return every released version of a schema, by its file name `<name>.v<n>.avsc`, in order."""
    folder = files("schemas") / "released"
    found = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.startswith(f"{name}.v") and entry.name.endswith(".avsc")
    }
    return dict(sorted(found.items(), key=lambda item: int(item[0].split(".v")[1].split(".")[0])))


def fingerprint_of(schema: Any) -> bytes:
    """Return the eight bytes that name a schema on the wire."""
    digest = fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")
    return bytes.fromhex(digest)


@dataclass(frozen=True, slots=True)
class Codec:
    """Encodes and decodes one kind of record.

    Attributes:
        name: Such as `indicator`.
        schema: The current schema, parsed.
        header: What precedes each record.
        writers: Every schema that can be read, by its eight bytes.
    """

    name: str
    schema: Any
    header: bytes
    writers: dict[bytes, Any]

    @property
    def text(self) -> str:
        """The schema as JSON."""
        return json.dumps({name: value for name, value in self.schema.items() if not name.startswith("__")})

    def encode(self, record: dict[str, Any]) -> bytes:
        """Return the framed record.

        Raises:
            ValueError: A field is unknown, missing or of the wrong type.
        """
        return self.header + self.encode_bare(record)

    def encode_bare(self, record: dict[str, Any]) -> bytes:
        """Return the record without its frame.

        Raises:
            ValueError: A field is unknown, missing or of the wrong type.
        """
        out = io.BytesIO()
        try:
            fastavro.schemaless_writer(out, self.schema, record, strict=True)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            # fastavro's own words repeat the value.
            raise ValueError(f"not a record of schema {self.name} ({type(error).__name__})") from None
        return out.getvalue()

    def decode(self, data: bytes | None) -> dict[str, Any]:
        """Return the record in a frame, as the current schema describes it.

        Raises:
            DecodeError: With its `cause`: EMPTY, OVERSIZED, NOT_AVRO, REGISTRY_FRAMING, UNKNOWN_SCHEMA or MALFORMED.
        """
        if not data:
            raise DecodeError("the record is empty; publish an Avro record", cause="EMPTY")
        if len(data) > RECORD_BYTES_MAX:
            message = f"the record has {len(data)} bytes, more than {RECORD_BYTES_MAX}; publish smaller records"
            raise DecodeError(message, cause="OVERSIZED")
        writer = self.writers.get(data[2:HEADER_LENGTH]) if data[:2] == SINGLE_OBJECT else None
        if writer is None:
            raise self._unreadable(data)
        stream = io.BytesIO(data)
        stream.seek(HEADER_LENGTH)
        try:
            record = fastavro.schemaless_reader(stream, writer, None if writer is self.schema else self.schema)
        except Exception as error:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
            message = f"the bytes do not follow schema {self.name} ({type(error).__name__}); encode with that schema"
            raise DecodeError(message, cause="MALFORMED") from None
        if stream.tell() != len(data) or not isinstance(record, dict):
            message = f"bytes are left over after the record of schema {self.name}; send one record a message"
            raise DecodeError(message, cause="MALFORMED")
        return record

    def _unreadable(self, data: bytes) -> DecodeError:
        if data[:2] == SINGLE_OBJECT:
            message = (
                f"the record names a schema that this reader does not know (fingerprint "
                f"{data[2:HEADER_LENGTH].hex()}); write with a released version of {self.name}, or update this reader"
            )
            return DecodeError(message, cause="UNKNOWN_SCHEMA")
        if data[:1] == CONFLUENT:
            message = (
                "the record is framed with a Schema Registry's id that is not known here; set SHARING_REGISTRY and "
                "register the schema with `sharing topics apply`, or use single-object encoding"
            )
            return DecodeError(message, cause="REGISTRY_FRAMING")
        return DecodeError("the record is not Avro single-object encoding (C3 01 …)", cause="NOT_AVRO")


@cache
def split_codec_of(name: str, first_of_tail: str) -> tuple[Codec, Codec]:
    """Return two codecs whose bare bytes, joined, are the whole record's.

    An Avro record is the concatenation of its fields, so what is alike in many records can be encoded once. Schemas
    on the hot path therefore begin with the fields that differ from item to item.

    Args:
        name: Of the schema.
        first_of_tail: Name of the field where the tail begins.
    """
    fields = codec_of(name).schema["fields"]
    cut = next(index for index, field in enumerate(fields) if field["name"] == first_of_tail)
    parts = []
    for part, chosen in (("Head", fields[:cut]), ("Tail", fields[cut:])):
        schema = {"type": "record", "name": f"sharing.parts.{name}.{part}", "fields": chosen}
        parts.append(Codec(f"{name} ({part.lower()})", fastavro.parse_schema(schema, {}), b"", {}))
    return parts[0], parts[1]


@cache
def codec_of(name: str) -> Codec:
    """Return the codec of a schema, such as `indicator`."""
    schema = fastavro.parse_schema(json.loads(schema_text(name)))
    writers = {}
    for text in released_texts(name).values():
        released = fastavro.parse_schema(json.loads(text), {})
        writers[fingerprint_of(released)] = released
    own = fingerprint_of(schema)
    writers[own] = schema
    return Codec(name, schema, SINGLE_OBJECT + own, writers)


def decode_record(name: str, data: bytes | None) -> dict[str, Any]:
    """Return the record in a Kafka message's value that is framed with Avro single-object encoding.

    Args:
        name: Name of its schema: `indicator`, `decision`, `notice`, `notice_content`, `offer`, `draft`, `quarantine` or
            `directory_entry`.
        data: The message's value.

    Returns:
        The record as the current schema describes it; times are aware UTC `datetime` values.

    Raises:
        DecodeError: The bytes are not a record of that schema.
        ValueError: There is no schema of that name.
    """
    if name not in SCHEMA_NAMES:
        raise ValueError(f"there is no schema {name!r}; the schemas are {', '.join(SCHEMA_NAMES)}")
    return codec_of(name).decode(data)
