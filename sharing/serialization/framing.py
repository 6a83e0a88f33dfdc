"""How records are framed on the wire: Avro single-object encoding, or the ids of a Schema Registry.

A reader takes both: a registry's frame is turned into the single-object header that names the same schema, and what
follows is the same path. So a registry is asked when a program starts, and its absence stops nothing that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sharing.serialization.codec import CONFLUENT, codec_of

FRAME_LENGTH = len(CONFLUENT) + 4
"""Confluent's wire format: a zero byte, and the schema's id as four bytes, big-endian."""


def registry_frame(schema_id: int) -> bytes:
    """Return what stands before a record that is framed with a registry's id."""
    return CONFLUENT + schema_id.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Framing:
    """What precedes records.

    Attributes:
        written: Schema name to what is written before its records; single-object encoding for those not named.
        known: A registry's frame to the single-object header of the same schema.
    """

    written: Mapping[str, bytes] = field(default_factory=dict)
    known: Mapping[bytes, bytes] = field(default_factory=dict)

    def header(self, name: str) -> bytes:
        """Return what to write before a record of a schema."""
        return self.written.get(name) or codec_of(name).header

    def frame(self, name: str, bare: bytes) -> bytes:
        """Return a record, encoded without a frame, with one."""
        return self.header(name) + bare

    def unframe(self, value: bytes | None) -> bytes | None:
        """Return a record in single-object encoding; what is not framed with a known id stays as it is."""
        if value is None or not self.known or value[:1] != CONFLUENT:
            return value
        header = self.known.get(value[:FRAME_LENGTH])
        return value if header is None else header + value[FRAME_LENGTH:]


SINGLE_OBJECT_FRAMING = Framing()
"""Without a registry."""
