"""Encoding of the entries of a gate's state store: each sets one field of the schema `gate_state`."""

from __future__ import annotations

from typing import Any

from sharing.serialization.codec import get_codec


def encode_entry(field: str, value: Any) -> bytes:
    """Return an entry with one field set."""
    codec = get_codec("gate_state")
    return codec.encode({**dict.fromkeys(name["name"] for name in codec.schema["fields"]), field: value})


def decode_entry(encoded: bytes, field: str) -> Any:
    """Return a field of an entry; None if it is not set."""
    return get_codec("gate_state").decode(encoded)[field]
