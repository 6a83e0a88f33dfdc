"""Avro's binary encoding of long, bytes and string, for records that are put together, or read, in parts.

Source: Avro 1.12.0 specification, "Binary Encoding", "Primitive Types".
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

LONG_MIN: Final = -(2**63)
LONG_MAX: Final = 2**63 - 1
_LONG_BITS: Final = 63
_CONTINUES: Final = 0x80
"""The bit that says that more bytes of a number follow."""
SECOND_BRANCH: Final = 2
"""The first byte of a union that has its second branch."""


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


def encode_sequence(number: int) -> bytes:
    """Return the same as `encode_long`, faster for numbers that follow each other and are not asked for again.

    All but the first of their bytes are the same for 64 numbers in a row, so these are what is remembered.

    Raises:
        ValueError: It does not fit into 64 bits with its sign.
    """
    if number < len(_FIRST_BYTES):
        return encode_long(number)
    return _FIRST_BYTES[number & 0x3F] + _encode_following(number >> 6)


@lru_cache(maxsize=1024)
def _encode_following(rest: int) -> bytes:
    """Return the bytes after the first one, by the number without its lowest 6 bits, which is above 0."""
    return encode_long(rest << 6)[1:]


_FIRST_BYTES: Final = tuple(bytes([number << 1 | 0x80]) for number in range(64))
"""The first byte of a number that has several, by its lowest 6 bits."""


def encode_bytes(data: bytes) -> bytes:
    """Return the encoding of bytes: their number, then they."""
    return encode_long(len(data)) + data


def encode_string(text: str) -> bytes:
    """Return the encoding of a text: the number of its bytes in UTF-8, then they."""
    return encode_bytes(text.encode())


def read_natural(data: bytes, position: int) -> tuple[int, int]:
    """Return an integer that is not negative and written in its shortest form, and the position after it.

    Raises:
        IndexError: The bytes end too early.
        ValueError: It is negative, longer than needed, or does not fit into 64 bits with its sign.
    """
    byte = data[position]
    position += 1
    number = byte & 0x7F
    shift = 7
    while byte & 0x80:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        shift += 7
    if number & 1 or shift > _LONG_BITS or (byte == 0 and shift > 7):  # noqa: PLR2004 the bits of one byte
        raise ValueError
    return number >> 1, position


def read_bytes(data: bytes, position: int) -> tuple[bytes, int]:
    """Return bytes that follow their number in its shortest form, and the position after them.

    Raises:
        IndexError: The bytes end too early.
        ValueError: They end too early, or their number is not in its shortest form.
    """
    length, start = read_natural(data, position)
    end = start + length
    if end > len(data):
        raise ValueError
    return data[start:end], end


def read_long(data: bytes, position: int) -> tuple[int, int]:
    """Return an integer in its shortest form, and the position after it.

    Raises:
        IndexError: The bytes end too early.
        ValueError: It is longer than needed, or does not fit into 64 bits with its sign.
    """
    byte = data[position]
    position += 1
    if byte < _CONTINUES:
        return (byte >> 1) ^ -(byte & 1), position
    number, shift = byte & 0x7F, 7
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < _CONTINUES:
            break
        shift += 7
        if shift > _LONG_BITS:
            raise ValueError
    if byte == 0 or number >> 64:
        raise ValueError
    return (number >> 1) ^ -(number & 1), position


def read_string(data: bytes, position: int) -> tuple[str, int]:
    """Return a text, and the position after it.

    Raises:
        IndexError: The bytes end too early.
        ValueError: They end too early, are not UTF-8, or their number is not one in its shortest form.
    """
    length, start = read_long(data, position)
    end = start + length
    if length < 0 or end > len(data):
        raise ValueError
    return data[start:end].decode(), end


def read_optional_string(data: bytes, position: int) -> tuple[str | None, int]:
    """Return the text of a union of null and string, in this order, and the position after it; None for null.

    Raises:
        IndexError: As `read_string`.
        ValueError: As `read_string`; or the branch of the union is none of these.
    """
    byte = data[position]
    if byte == 0:
        return None, position + 1
    if byte != SECOND_BRANCH:
        raise ValueError
    return read_string(data, position + 1)
