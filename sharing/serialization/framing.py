"""Framing of records on the wire: the Avro single-object header, or a header with a Schema Registry's schema id.

A reader accepts both: a registry header is replaced by the single-object header of the same schema, and decoding is the
same from there. The registry is contacted only when a program starts, so an outage does not affect running programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sharing.serialization.codec import CONFLUENT_MAGIC_BYTE, get_codec

REGISTRY_HEADER_LENGTH = len(CONFLUENT_MAGIC_BYTE) + 4
"""Length of the header in Confluent's wire format: a zero byte, and the schema id as four bytes, big-endian."""


def make_registry_header(schema_id: int) -> bytes:
    """Return the header of a record with a registry's schema id."""
    return CONFLUENT_MAGIC_BYTE + schema_id.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Framing:
    """The headers of records.

    Attributes:
        written_headers: Header to write for each schema name; a schema without one uses single-object encoding.
        known_headers: For each registry header that can be read, the single-object header of the same schema.
    """

    written_headers: Mapping[str, bytes] = field(default_factory=dict)
    known_headers: Mapping[bytes, bytes] = field(default_factory=dict)

    def get_header(self, name: str) -> bytes:
        """Return the header to write before a record of a schema."""
        return self.written_headers.get(name) or get_codec(name).header

    def frame(self, name: str, unframed: bytes) -> bytes:
        """Return an encoded record with its header.

        Args:
            name: Name of the schema.
            unframed: The record, encoded without a header.
        """
        return self.get_header(name) + unframed

    def to_single_object(self, value: bytes | None) -> bytes | None:
        """Return a record in single-object encoding. A record without a known registry header is returned unchanged."""
        if value is None or not self.known_headers or value[:1] != CONFLUENT_MAGIC_BYTE:
            return value
        header = self.known_headers.get(value[:REGISTRY_HEADER_LENGTH])
        return value if header is None else header + value[REGISTRY_HEADER_LENGTH:]


SINGLE_OBJECT_FRAMING = Framing()
"""The framing without a Schema Registry."""
