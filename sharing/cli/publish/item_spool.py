"""Keeps the checked indicators of a run in a file without a name, so that a file of any length fits into the memory.

What is sent later is exactly what was checked, whatever happens to the files meanwhile. The file has mode 0600 and is
deleted before anything is written to it.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sharing._publisher_records import EncodedIndicator, encode_indicator
from sharing.errors import InfrastructureError

if TYPE_CHECKING:
    from sharing.interop.import_results import LocatedIndicator

_BUFFER_BYTES = 1024 * 1024
_HEAD = struct.Struct(">QIIIIII")  # version, number of the file, lengths of place, id, State, agency and data


class SpooledItem(NamedTuple):
    """An indicator, encoded, and where it is in the input."""

    file: str
    place: str
    item: EncodedIndicator

    @property
    def key(self) -> str:
        """Id and version, which together name what is published."""
        return f"{self.item.id}/{self.item.version}"


class ItemSpool:
    """The indicators of a run, in their order. They are read after all are added.

    Raises:
        InfrastructureError: There is no place for temporary files.
    """

    def __init__(self) -> None:
        try:
            self._data = tempfile.TemporaryFile(buffering=_BUFFER_BYTES)  # noqa: SIM115 it lives as long as the object
        except OSError as error:
            raise _make_error(error) from None
        self._files: list[str] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, located: LocatedIndicator) -> None:
        """Add an indicator.

        Raises:
            InfrastructureError: There is no space left for temporary files.
        """
        if not self._files or self._files[-1] != located.file:
            self._files.append(located.file)
        encoded = encode_indicator(located.indicator)
        texts = [text.encode() for text in (located.position, encoded.id, encoded.state, encoded.agency)]
        parts = [*texts, encoded.data]
        head = _HEAD.pack(encoded.version, len(self._files) - 1, *map(len, parts))
        try:
            self._data.write(b"".join((head, *parts)))
        except OSError as error:
            raise _make_error(error) from None
        self._count += 1

    def mark(self) -> tuple[int, int]:
        """Return how much has been added, for `truncate`."""
        return self._data.tell(), self._count

    def truncate(self, mark: tuple[int, int]) -> None:
        """Remove what was added after a mark."""
        position, self._count = mark
        self._data.seek(position)
        self._data.truncate()

    def __iter__(self) -> Iterator[SpooledItem]:
        """Yield all indicators. Only one iteration at a time is possible."""
        self._data.flush()
        self._data.seek(0)
        for _ in range(self._count):
            version, file, *lengths = _HEAD.unpack(self._data.read(_HEAD.size))
            place, identity, state, agency = (self._data.read(length).decode() for length in lengths[:-1])
            item = EncodedIndicator(identity, version, state, agency, self._data.read(lengths[-1]))
            yield SpooledItem(self._files[file], place, item)

    def close(self) -> None:
        """Free the space."""
        self._data.close()


def _make_error(error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"the checked items cannot be buffered in {tempfile.gettempdir()} ({error.strerror}); free some space, or set "
        "TMPDIR to another folder; nothing was published"
    )
