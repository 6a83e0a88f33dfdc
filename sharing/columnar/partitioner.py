"""The partitioner of Kafka's Java clients, for many ids at once: murmur2 of the key, modulo the number of partitions.

pyarrow has no murmur2, so this module spells out its steps, each for all ids: 36 bytes are nine little-endian words.
Arrow's integers wrap around on overflow, as the algorithm requires. Arrow is faster at the exclusive or of booleans,
which it packs into bits, than at that of integers; so words are combined as bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

ID_LENGTH = 36
"""Length of an indicator id, the key of its record, in bytes."""

_WORDS = ID_LENGTH // 4
_WORD = pa.uint32()
_MULTIPLIER = pa.scalar(0x5BD1E995, _WORD)
_SEED = pa.scalar(0x9747B28C ^ ID_LENGTH, _WORD)
_POSITIVE = pa.scalar(0x7FFFFFFF, _WORD)


def find_misplaced_rows(ids: pa.Array, partitions: pa.Array, partition_count: int) -> list[int]:
    """Return the rows whose record is not on the partition of its key.

    Args:
        ids: The keys, as text or binary without nulls; each has `ID_LENGTH` bytes.
        partitions: For each id, the partition that its record was read from, as uint32.
        partition_count: Number of partitions of the topic.
    """
    misplaced = pc.not_equal(compute_partitions(ids, partition_count), partitions)
    return list(pc.indices_nonzero(misplaced).to_pylist())


def find_misplaced_keys(keys: Sequence[bytes | None], partitions: pa.Array, partition_count: int) -> list[int]:
    """Return the rows whose record is not on the partition of its key. A key that is not an id is left out.

    Args:
        keys: The keys.
        partitions: For each key, the partition that its record was read from, as uint32.
        partition_count: Number of partitions of the topic.
    """
    rows = [row for row, key in enumerate(keys) if key is not None and len(key) == ID_LENGTH]
    ids = pa.array([keys[row] for row in rows], pa.binary())
    misplaced = find_misplaced_rows(ids, partitions.take(pa.array(rows, pa.int64())), partition_count)
    return [rows[index] for index in misplaced]


def compute_partitions(ids: pa.Array, partition_count: int) -> pa.Array:
    """Return the partition of each id, as uint32.

    Args:
        ids: The keys, as text or binary without nulls; each has `ID_LENGTH` bytes.
        partition_count: Number of partitions of the topic.
    """
    count = pa.scalar(partition_count, _WORD)
    hashes = pc.bit_wise_and(_hash_ids(ids), _POSITIVE)
    return pc.subtract(hashes, pc.multiply(pc.divide(hashes, count), count))


def _hash_ids(ids: pa.Array) -> pa.Array:
    """Return the murmur2 of each id, as uint32."""
    count = len(ids)
    words = pc.multiply(_read_words(ids), _MULTIPLIER)
    words = pc.multiply(_xor(words, _shift_right(words, 24)), _MULTIPLIER)
    firsts = pa.arange(0, count * _WORDS, _WORDS)
    hashes = pa.repeat(_SEED, count)
    for word in range(_WORDS):
        column = pc.take(words[word:], firsts, boundscheck=False)
        hashes = _xor(pc.multiply(hashes, _MULTIPLIER), column)
    hashes = pc.multiply(_xor(hashes, _shift_right(hashes, 13)), _MULTIPLIER)
    return _xor(hashes, _shift_right(hashes, 15))


def _read_words(ids: pa.Array) -> pa.Array:
    """Return the words of all ids, one id after the other. Their bytes are consecutive in Arrow's buffer."""
    _, offsets, data = ids.buffers()
    first = memoryview(offsets).cast("i")[ids.offset] if len(ids) else 0
    size = len(ids) * ID_LENGTH
    return pa.Array.from_buffers(_WORD, size // 4, [None, data.slice(first, size)])


def _shift_right(words: pa.Array, bits: int) -> pa.Array:
    return pc.shift_right(words, pa.scalar(bits, _WORD))


def _xor(first: pa.Array, second: pa.Array) -> pa.Array:
    """Return the exclusive or of words."""
    bits = [
        pa.Array.from_buffers(pa.bool_(), len(words) * _WORD.bit_width, [None, words.buffers()[1]])
        for words in (first, second)
    ]
    return pa.Array.from_buffers(_WORD, len(first), [None, pc.xor(*bits).buffers()[1]])
