"""A table from digests to numbers and other short data that takes no more memory, however much it contains.

It is a hash table with open addressing in a file without a name, which is mapped into memory. What was touched a while
ago is given back, so the operating system keeps in memory what fits, and reads the rest from the file.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from sharing.errors import InfrastructureError

DIGEST_BYTES: Final = 16

_ENTRIES_MIN: Final = 4096
_FILL_MAX: Final = 0.6
_ADDED_PER_RELEASE: Final = 512
_KEPT_BYTES_MAX: Final = 24_000_000
"""A table of this size stays in memory as a whole."""

_EMPTY: Final = bytes(DIGEST_BYTES)


class DigestTable:
    """A table of entries with a fixed size. An entry cannot be removed. Not thread-safe.

    Args:
        value_bytes: How many bytes belong to a digest.

    Raises:
        InfrastructureError: There is no space for temporary files.
    """

    def __init__(self, value_bytes: int) -> None:
        self._stride = DIGEST_BYTES + value_bytes
        self._slots = _ENTRIES_MIN
        self._count = 0
        self._until_release = _ADDED_PER_RELEASE
        self._data = _map_file(self._slots * self._stride)

    def __len__(self) -> int:
        return self._count

    def get(self, digest: bytes) -> bytes | None:
        """Return what belongs to a digest, or None."""
        start = self._find(digest)
        stored = self._data[start : start + self._stride]
        return stored[DIGEST_BYTES:] if stored[:DIGEST_BYTES] == digest else None

    def add(self, digest: bytes, value: bytes) -> bytes | None:
        """Store what belongs to a digest, unless there is something already; return that.

        Args:
            digest: 16 bytes that are as good as random, and not all zero.
            value: As many bytes as the table has for each digest.

        Raises:
            InfrastructureError: There is no space left for temporary files.
        """
        if self._count >= self._slots * _FILL_MAX:
            self.reserve(2 * self._count)
        start = self._find(digest)
        end = start + self._stride
        stored = self._data[start:end]
        if stored[:DIGEST_BYTES] == digest:
            return stored[DIGEST_BYTES:]
        self._data[start:end] = digest + value
        self._count += 1
        self._until_release -= 1
        if self._until_release <= 0:
            self._release_memory()
        return None

    def replace(self, digest: bytes, value: bytes) -> None:
        """Store what belongs to a digest, in place of what did before."""
        if self.add(digest, value) is not None:
            start = self._find(digest)
            self._data[start : start + self._stride] = digest + value

    def reserve(self, entries: int) -> None:
        """Make place for this many entries at once, which is faster than bit by bit.

        Raises:
            InfrastructureError: There is no space left for temporary files.
        """
        slots = int(entries / _FILL_MAX) + _ENTRIES_MIN
        if entries < self._slots * _FILL_MAX:
            return
        earlier = self._data
        self._data, self._slots = _map_file(slots * self._stride), slots
        with closing(earlier):
            for number, (digest, value) in enumerate(self._iterate(earlier)):
                start = self._find(digest)
                self._data[start : start + self._stride] = digest + value
                if number % _ADDED_PER_RELEASE == 0:
                    earlier.madvise(mmap.MADV_DONTNEED)
                    self._release_memory()

    def _find(self, digest: bytes) -> int:
        """Return where a digest is, or where it belongs."""
        data, stride, slots = self._data, self._stride, self._slots
        slot = int.from_bytes(digest[:6], "big") % slots
        while True:
            start = slot * stride
            stored = data[start : start + DIGEST_BYTES]
            if stored in (digest, _EMPTY):
                return start
            slot = (slot + 1) % slots

    def _iterate(self, data: mmap.mmap) -> Iterator[tuple[bytes, bytes]]:
        for start in range(0, len(data), self._stride):
            digest = data[start : start + DIGEST_BYTES]
            if digest != _EMPTY:
                yield digest, data[start + DIGEST_BYTES : start + self._stride]

    def _release_memory(self) -> None:
        self._until_release = _ADDED_PER_RELEASE
        if len(self._data) > _KEPT_BYTES_MAX:
            self._data.madvise(mmap.MADV_DONTNEED)


class TextSet:
    """A set of texts, of which it keeps digests. Not thread-safe.

    Raises:
        InfrastructureError: There is no space for temporary files.
    """

    def __init__(self) -> None:
        self._table = DigestTable(0)

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, text: str) -> bool:
        return self._table.get(make_digest(text.encode())) is not None

    def add(self, text: str) -> None:
        """Add a text.

        Raises:
            InfrastructureError: There is no space left for temporary files.
        """
        self._table.add(make_digest(text.encode()), b"")


def make_digest(data: bytes) -> bytes:
    """Return the digest of some bytes."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()


def _map_file(size: int) -> mmap.mmap:
    """Return an empty file without a name, mapped; its space is allocated, so that writing to it cannot fail later.

    Raises:
        InfrastructureError: There is no space for it.
    """
    try:
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, size)
            return mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise InfrastructureError(
            f"the digests of the checked items cannot be kept in {tempfile.gettempdir()} ({error.strerror}); free some "
            "space, or set TMPDIR to another folder"
        ) from None
