"""Decodes records whose tails are often equal: each tail is decoded once, and what was made of it is used again.

An Avro record is the concatenation of its fields. Schemas on hot paths begin with the fields that differ from item to
item (`get_split_codecs`), so the bytes of the others tell what they decode to, and a dictionary of them replaces the
larger part of the decoding. What is kept is bounded, and changes no result.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar, final

import fastavro

from sharing.model.bounded_cache import BoundedCache
from sharing.serialization.codec import HEADER_LENGTH, get_codec, get_split_codecs

TAILS_MAX: Final = 2_000
"""How many tails are kept."""

TAIL_BYTES_MAX: Final = 500_000
"""How many bytes all kept tails may have together. What is made of them takes about ten times as much memory."""

Made = TypeVar("Made")
Fields = dict[str, Any]


@final
class SharedTailDecoder(Generic[Made]):
    """Decodes records of one schema.

    Args:
        name: Name of the schema.
        first_tail_field: Name of the field at which the tail begins.
        make: Makes of the fields of a tail what `decode` returns for it. Equal tails share it, so nobody may change it.
    """

    def __init__(self, name: str, first_tail_field: str, make: Callable[[Fields], Made]) -> None:
        self._codec = get_codec(name)
        head, _ = get_split_codecs(name, first_tail_field)
        self._head_schema = head.schema
        self._head_fields = [field["name"] for field in head.schema["fields"]]
        self._make = make
        self._made: BoundedCache[bytes, Made] = BoundedCache(TAILS_MAX, TAIL_BYTES_MAX, lambda encoded, _: len(encoded))

    def decode(self, data: bytes | None) -> tuple[Fields, Made]:
        """Return the fields of the head of a record, and what was made of its tail.

        Args:
            data: The record in single-object encoding.

        Raises:
            DecodeError: As `Codec.decode`.
            Exception: What `make` raises.
        """
        codec = self._codec
        if data is None or data[:HEADER_LENGTH] != codec.header or len(data) > codec.bytes_max:
            return self._decode_whole(data)
        stream = io.BytesIO(data)
        stream.seek(HEADER_LENGTH)
        try:
            head: Any = fastavro.schemaless_reader(stream, self._head_schema, None)
        except Exception:  # noqa: BLE001 decoding the whole record tells what is wrong with it
            return self._decode_whole(data)
        encoded = data[stream.tell() :]
        made = self._made.get(encoded)
        if made is None:
            _, made = self._decode_whole(data)
            if len(encoded) <= TAIL_BYTES_MAX:
                self._made.put(encoded, made)
        return head, made

    def _decode_whole(self, data: bytes | None) -> tuple[Fields, Made]:
        """Decode a record that is malformed or of another version of the schema, or whose tail is new."""
        fields = self._codec.decode(data)
        head = {name: fields.pop(name) for name in self._head_fields}
        return head, self._make(fields)
