"""Avro's binary encoding of long, bytes and string, for records that are assembled from parts encoded before.

Source: Avro 1.12.0 specification, "Binary Encoding", "Primitive Types".
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

LONG_MIN: Final = -(2**63)
LONG_MAX: Final = 2**63 - 1


@lru_cache(maxsize=8192)
def encode_long(number: int) -> bytes:
    """Return the encoding of an integer: zigzag, then groups of 7 bits, the lowest first.

    Raises:
        ValueError: It does not fit into 64 bits with its sign.
    """
    if not LONG_MIN <= number <= LONG_MAX:
        raise ValueError("an Avro long has 64 bits")
    rest = (number << 1) ^ (number >> 63)
    encoded = bytearray()
    while rest >> 7:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def encode_bytes(data: bytes) -> bytes:
    """Return the encoding of bytes: their number, then they."""
    return encode_long(len(data)) + data


def encode_string(text: str) -> bytes:
    """Return the encoding of a text: the number of its bytes in UTF-8, then they."""
    return encode_bytes(text.encode())
