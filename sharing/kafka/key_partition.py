"""The partition of a record key, as Kafka's Java clients, Faust, and the producers here compute it."""

from __future__ import annotations

from typing import Final

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_WORD: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF


def find_partition(key: bytes, partitions: int) -> int:
    """Return the partition of a key: murmur2 of it, modulo the number of partitions.

    `sharing.columnar.partitioner` computes it for many ids at once.
    """
    return (_hash(key) & _POSITIVE) % partitions


def _hash(key: bytes) -> int:
    length = len(key)
    result = _SEED ^ length
    whole = length - length % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * _MULTIPLIER & _WORD
        word = (word ^ word >> 24) * _MULTIPLIER & _WORD
        result = result * _MULTIPLIER & _WORD ^ word
    if whole < length:
        result = (result ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _WORD
    result = (result ^ result >> 13) * _MULTIPLIER & _WORD
    return result ^ result >> 15
