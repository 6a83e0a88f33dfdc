"""Which blocks of an audit log an item is in, so that one among millions is found without reading the log again.

An index holds the leaf hash and the offset of each block, and for each entry 8 bytes of a hash of its item's id with
the number of its block. In the state folder it persists, and only what was added since is read. It proves nothing:
anything found with it is compared with a signed checkpoint.
"""

from __future__ import annotations

import hashlib
import mmap
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from sharing.audit.block import AuditBlock, LogPlace, read_block, read_entry_id
from sharing.audit.log_head import NO_BLOCK
from sharing.audit.origins import format_origin
from sharing.errors import DecodeError, InfrastructureError
from sharing.kafka.audit_reader import LOG_TOPICS, AuditSource, ShowProgress, read_messages, show_nothing
from sharing.keystore.files import PRIVATE_MODE, make_private_folder, remove_file, replace_file
from sharing.sign.merkle_tree import HASH_BYTES

FOLDER_NAME: Final = "audit"
SEGMENTS_MAX: Final = 8
"""If there are more segments than this, they are merged into one."""

_OFFSET_BYTES: Final = 8
_ROW_BYTES: Final = HASH_BYTES + _OFFSET_BYTES
_ID_BYTES, _NUMBER_BYTES = 8, 5
_ENTRY_BYTES: Final = _ID_BYTES + _NUMBER_BYTES
_SEGMENT: Final = re.compile(r"\.ids\.(\d+)-(\d+)$")


class BrokenLogError(InfrastructureError):
    """A log is out of order from some block on. What precedes that block is indexed."""


class LogIndex:
    """The index of one log.

    Args:
        place: The log.
        folder: The state folder; None to keep the index in memory only.

    Raises:
        InputError: The folder cannot be used.
    """

    def __init__(self, place: LogPlace, folder: Path | None) -> None:
        self._place = place
        self._folder = None if folder is None else folder / FOLDER_NAME
        self._name = format_origin(place).replace("/", ".")
        self._segments: dict[tuple[int, int], bytes | mmap.mmap] = {}
        self._rows = b""
        if self._folder is not None:
            make_private_folder(self._folder)
            self._load(self._folder)

    @property
    def blocks(self) -> int:
        """Number of indexed blocks, starting with the first of the log."""
        return len(self._rows) // _ROW_BYTES

    def list_leaves(self) -> list[bytes]:
        """Return the leaf hashes of the blocks."""
        rows = self._rows
        return [rows[start : start + HASH_BYTES] for start in range(0, len(rows), _ROW_BYTES)]

    def find(self, item: str) -> list[int]:
        """Return the numbers of the blocks that may have entries about an item, in order."""
        wanted = _hash_id(item)
        return sorted({number for segment in self._segments.values() for number in _search(segment, wanted)})

    def update(self, source: AuditSource, show: ShowProgress = show_nothing) -> None:
        """Read what was added to the log. If what was read before is gone, read all of it.

        Args:
            source: Where the log is read.
            show: Shows the progress.

        Raises:
            BrokenLogError: A block is malformed, or is not the next one. Those before it are indexed.
            InfrastructureError: No broker answers, or the log cannot be read.
        """
        if self.blocks:
            try:
                is_same = self.read_block(source, self.blocks - 1) is not None
            except InfrastructureError:
                is_same = False
            if not is_same:
                self._clear()
        rows, entries = bytearray(), []
        first = self.blocks
        previous = self._rows[-_ROW_BYTES:][:HASH_BYTES] if first else NO_BLOCK
        number = first
        broken: BrokenLogError | None = None
        try:
            for offset, block in self._read_new(source, show):
                if block.number != number or block.previous != previous:
                    raise BrokenLogError(
                        f"{LOG_TOPICS[self._place.log].topic(self._place.state)}[{self._place.partition}]@{offset}: "
                        "the log is not in order there; `sharing audit verify` says what is wrong"
                    )
                previous = block.leaf
                rows += previous + offset.to_bytes(_OFFSET_BYTES, "big")
                encoded = number.to_bytes(_NUMBER_BYTES, "big")
                entries += [_hash_id(read_entry_id(entry, block.log)) + encoded for entry in block.entries]
                number += 1
        except BrokenLogError as error:
            broken = error
        if number > first:
            entries.sort()
            self._add(first, number, b"".join(entries), bytes(rows))
        if broken is not None:
            raise broken

    def read_block(self, source: AuditSource, number: int) -> AuditBlock | None:
        """Return a block; None if a different one is in its place now.

        Raises:
            InfrastructureError: No broker answers, or it does not exist.
        """
        row = self._rows[number * _ROW_BYTES :][:_ROW_BYTES]
        offset = int.from_bytes(row[HASH_BYTES:], "big")
        place = self._place
        topic = LOG_TOPICS[place.log].topic(place.state)
        with closing(source.open_from(topic, place.partition, offset, offset + 1)) as opened:
            for message in read_messages(opened, ""):
                try:
                    block = read_block(source.framing.to_single_object(message.value()))
                except DecodeError:
                    return None
                return block if block.leaf == row[:HASH_BYTES] else None
        return None

    def _read_new(self, source: AuditSource, show: ShowProgress) -> Iterator[tuple[int, AuditBlock]]:
        place = self._place
        topic = LOG_TOPICS[place.log].topic(place.state)
        start = int.from_bytes(self._rows[-_OFFSET_BYTES:], "big") + 1 if self._rows else 0
        with closing(source.open_from(topic, place.partition, start)) as opened:
            for message in read_messages(opened, topic, show):
                try:
                    yield message.offset() or 0, read_block(source.framing.to_single_object(message.value()))
                except DecodeError as error:
                    raise BrokenLogError(
                        f"{topic}[{place.partition}]@{message.offset()}: {error}; `sharing audit verify` says what "
                        "else is wrong"
                    ) from None
            if opened.bad_batches:  # the last ones: after any others, a block is missing
                bad = opened.bad_batches[0]
                raise BrokenLogError(
                    f"{topic}[{place.partition}]@{bad.first_offset}: records cannot be read ({bad.cause}); `sharing "
                    "audit verify` says what else is wrong"
                )

    def _add(self, first: int, end: int, entries: bytes, rows: bytes) -> None:
        """Add a segment. The file of blocks is written last: segments that it does not name do not exist."""
        self._rows += rows
        kept: dict[tuple[int, int], bytes | mmap.mmap] = {**self._segments, (first, end): entries}
        if len(kept) > SEGMENTS_MAX:
            merged = sorted(
                bytes(segment[start : start + _ENTRY_BYTES])
                for segment in kept.values()
                for start in range(0, len(segment), _ENTRY_BYTES)
            )
            kept = {(0, end): b"".join(merged)}
        folder = self._folder
        if folder is not None:
            for (begin, until), segment in kept.items():
                if (begin, until) not in self._segments:
                    replace_file(folder / f"{self._name}.ids.{begin}-{until}", bytes(segment), PRIVATE_MODE)
            replace_file(folder / f"{self._name}.blocks", self._rows, PRIVATE_MODE)
            for begin, until in self._segments.keys() - kept.keys():
                remove_file(folder / f"{self._name}.ids.{begin}-{until}")
        self._segments = kept

    def _load(self, folder: Path) -> None:
        path = folder / f"{self._name}.blocks"
        rows = path.read_bytes() if path.exists() else b""
        found = sorted(
            (int(match[1]), int(match[2]), file)
            for file in folder.glob(f"{self._name}.ids.*")
            if (match := _SEGMENT.search(file.name)) is not None
        )
        end = 0
        for begin, until, file in sorted(found, key=lambda each: (each[0], -each[1])):
            if begin == end and until * _ROW_BYTES <= len(rows):
                self._segments[begin, until] = _map(file)
                end = until
        if end * _ROW_BYTES == len(rows):
            self._rows = rows
        else:  # a run was killed while it merged segments
            self._segments = {}

    def _clear(self) -> None:
        self._rows = b""
        if self._folder is not None:
            replace_file(self._folder / f"{self._name}.blocks", b"", PRIVATE_MODE)
            for begin, until in self._segments:
                remove_file(self._folder / f"{self._name}.ids.{begin}-{until}")
        self._segments = {}


def _hash_id(item: str) -> bytes:
    return hashlib.blake2b(item.encode(), digest_size=_ID_BYTES).digest()


def _map(file: Path) -> bytes | mmap.mmap:
    with file.open("rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


def _search(segment: bytes | mmap.mmap, wanted: bytes) -> Iterator[int]:
    """Yield the block numbers of an id in a sorted segment."""
    low, high = 0, len(segment) // _ENTRY_BYTES
    while low < high:
        middle = (low + high) // 2
        if segment[middle * _ENTRY_BYTES : middle * _ENTRY_BYTES + _ID_BYTES] < wanted:
            low = middle + 1
        else:
            high = middle
    for start in range(low * _ENTRY_BYTES, len(segment), _ENTRY_BYTES):
        entry = segment[start : start + _ENTRY_BYTES]
        if entry[:_ID_BYTES] != wanted:
            return
        yield int.from_bytes(entry[_ID_BYTES:], "big")
