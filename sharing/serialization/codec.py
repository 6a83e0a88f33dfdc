"""Serialization of records: Avro single-object encoding, strict for both writing and reading.

An encoded record is `C3 01`, the CRC-64-AVRO fingerprint of the writer's schema (little-endian), and the record (Avro
1.12, "Single-object encoding"). A reader can decode records of every released schema, and converts them to the current
one. An unknown or misspelt field is an error when writing; surplus bytes are an error when reading.
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

SINGLE_OBJECT_MARKER = b"\xc3\x01"
CONFLUENT_MAGIC_BYTE = b"\x00"
HEADER_LENGTH = len(SINGLE_OBJECT_MARKER) + 8

RECORD_BYTES_MAX = 200_000
"""Larger indicators and directory entries are refused before they are decoded: an indicator is a few hundred bytes."""

OUTPUT_RECORD_BYTES_MAX = 1_000_000
"""Larger records of the other schemas, which gates write, are refused before they are decoded."""

_WRITTEN_BY_PEOPLE = frozenset(
    {"indicator", "sealed_indicator", "directory_entry", "ruling", "sealed_ruling", "desk_record"}
)

SCHEMA_NAMES = (
    "indicator", "decision", "notice", "notice_content", "offer", "draft", "quarantine", "directory_entry",
    "gate_state", "sealed_message", "own_record", "inbox_item", "inbox_state", "sealed_indicator",
    "conversation_state", "covers", "officer_entry",
    "amendment", "ruling", "sealed_ruling", "reply", "act", "audit_block", "uses", "checkpoint", "outcome_block",
    "desk_record",
)  # fmt: skip


def read_schema_text(name: str) -> str:
    """Return the text of the current schema, `schemas/<name>.avsc`."""
    return (files("schemas") / f"{name}.avsc").read_text(encoding="utf-8")


def read_released_schemas(name: str) -> dict[str, str]:
    """Return the text of every released version of a schema, by file name `<name>.v<n>.avsc`, in version order."""
    folder = files("schemas") / "released"
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.startswith(f"{name}.v") and entry.name.endswith(".avsc")
    }
    return dict(sorted(texts.items(), key=lambda item: int(item[0].split(".v")[1].split(".")[0])))


def compute_fingerprint(schema: Any) -> bytes:
    """Return the eight bytes that identify a schema on the wire."""
    digest = fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")
    return bytes.fromhex(digest)


@dataclass(frozen=True, slots=True)
class Codec:
    """Encodes and decodes records of one schema.

    Attributes:
        name: Name of the schema, such as `indicator`.
        schema: The current schema, parsed.
        header: Bytes that precede each record.
        writer_schemas: Every schema that can be read, by fingerprint.
        bytes_max: Size limit of a record with its header, in bytes.
    """

    name: str
    schema: Any
    header: bytes
    writer_schemas: dict[bytes, Any]
    bytes_max: int = RECORD_BYTES_MAX

    @property
    def schema_json(self) -> str:
        """The current schema as JSON, without fastavro's private keys."""
        return json.dumps({name: value for name, value in self.schema.items() if not name.startswith("__")})

    def encode(self, record: dict[str, Any]) -> bytes:
        """Return the record with its header.

        Raises:
            ValueError: A field is unknown, missing or of the wrong type.
        """
        return self.header + self.encode_unframed(record)

    def encode_unframed(self, record: dict[str, Any]) -> bytes:
        """Return the record without a header.

        Raises:
            ValueError: A field is unknown, missing or of the wrong type.
        """
        out = io.BytesIO()
        try:
            fastavro.schemaless_writer(out, self.schema, record, strict=True)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            # fastavro's message contains the value.
            raise ValueError(f"not a record of schema {self.name} ({type(error).__name__})") from None
        return out.getvalue()

    def decode(self, data: bytes | None) -> dict[str, Any]:
        """Decode a record with its header, and convert it to the current schema.

        Raises:
            DecodeError: Its `cause` is EMPTY, OVERSIZED, NOT_AVRO, REGISTRY_FRAMING, UNKNOWN_SCHEMA or MALFORMED.
        """
        if not data:
            raise DecodeError("the record is empty; publish an Avro record", cause="EMPTY")
        if len(data) > self.bytes_max:
            message = f"the record has {len(data)} bytes, more than {self.bytes_max}; publish smaller records"
            raise DecodeError(message, cause="OVERSIZED")
        writer = self.writer_schemas.get(data[2:HEADER_LENGTH]) if data[:2] == SINGLE_OBJECT_MARKER else None
        if writer is None:
            raise self._make_header_error(data)
        stream = io.BytesIO(data)
        stream.seek(HEADER_LENGTH)
        try:
            record = fastavro.schemaless_reader(stream, writer, None if writer is self.schema else self.schema)
        except Exception as error:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
            message = f"the bytes do not match schema {self.name} ({type(error).__name__}); encode with that schema"
            raise DecodeError(message, cause="MALFORMED") from None
        if stream.tell() != len(data) or not isinstance(record, dict):
            message = f"there are surplus bytes after the record of schema {self.name}; send one record per message"
            raise DecodeError(message, cause="MALFORMED")
        return record

    def _make_header_error(self, data: bytes) -> DecodeError:
        if data[:2] == SINGLE_OBJECT_MARKER:
            message = (
                f"the record names a schema that this reader does not know (fingerprint "
                f"{data[2:HEADER_LENGTH].hex()}); write with a released version of {self.name}, or update this reader"
            )
            return DecodeError(message, cause="UNKNOWN_SCHEMA")
        if data[:1] == CONFLUENT_MAGIC_BYTE:
            message = (
                "the record carries a Schema Registry id that this reader does not know; set SHARING_REGISTRY and "
                "register the schema with `sharing topics apply`, or use single-object encoding"
            )
            return DecodeError(message, cause="REGISTRY_FRAMING")
        return DecodeError("the record is not in Avro single-object encoding (C3 01 …)", cause="NOT_AVRO")


@cache
def get_split_codecs(name: str, first_tail_field: str) -> tuple[Codec, Codec]:
    """Return codecs for the head and the tail of a record; their unframed bytes, concatenated, are the whole record.

    An Avro record is the concatenation of its fields, so a tail that many records share needs to be encoded only once.
    Schemas on the hot path therefore begin with the fields that differ from item to item.

    Args:
        name: Name of the schema.
        first_tail_field: Name of the field at which the tail begins.
    """
    fields = get_codec(name).schema["fields"]
    cut = next(index for index, field in enumerate(fields) if field["name"] == first_tail_field)
    codecs = []
    for part, part_fields in (("Head", fields[:cut]), ("Tail", fields[cut:])):
        schema = {"type": "record", "name": f"sharing.parts.{name}.{part}", "fields": part_fields}
        codecs.append(Codec(f"{name} ({part.lower()})", fastavro.parse_schema(schema, {}), b"", {}))
    return codecs[0], codecs[1]


@cache
def get_codec(name: str) -> Codec:
    """Return the codec of a schema, such as `indicator`."""
    schema = fastavro.parse_schema(json.loads(read_schema_text(name)))
    writer_schemas = {}
    for text in read_released_schemas(name).values():
        released = fastavro.parse_schema(json.loads(text), {})
        writer_schemas[compute_fingerprint(released)] = released
    current = compute_fingerprint(schema)
    writer_schemas[current] = schema
    bytes_max = RECORD_BYTES_MAX if name in _WRITTEN_BY_PEOPLE else OUTPUT_RECORD_BYTES_MAX
    return Codec(name, schema, SINGLE_OBJECT_MARKER + current, writer_schemas, bytes_max)


def decode_record(name: str, data: bytes | None) -> dict[str, Any]:
    """Decode the value of a Kafka message in Avro single-object encoding.

    Args:
        name: Name of the schema: `indicator`, `decision`, `notice`, `notice_content`, `offer`, `draft`, `quarantine` or
            `directory_entry`.
        data: Value of the message.

    Returns:
        The record, converted to the current schema; times are timezone-aware UTC `datetime` values.

    Raises:
        DecodeError: The bytes are not a record of that schema.
        ValueError: There is no schema with that name.
    """
    if name not in SCHEMA_NAMES:
        raise ValueError(f"there is no schema {name!r}; the schemas are {', '.join(SCHEMA_NAMES)}")
    return get_codec(name).decode(data)
