"""Keeps the checked indicators of a run in a file without a name, so that a file of any length fits into the memory.

What is sent later is exactly what was checked, whatever happens to the files meanwhile. The file has mode 0600 and is
deleted before anything is written to it.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from sharing.errors import InfrastructureError
from sharing.serialization.encoded_indicator import EncodedIndicator

if TYPE_CHECKING:
    from sharing.interop.import_results import LocatedIndicator

_BUFFER_BYTES: Final = 1024 * 1024
_HEAD: Final = struct.Struct(">QIIIIIIII?36s")
"""Version; number of file and publisher; lengths of place and data; the parts of the data; unanswered or not; id."""

_unpack_head = _HEAD.unpack


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
        self._sources: dict[tuple[str, str], int] = {}  # State and agency, and their number
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, located: LocatedIndicator) -> None:
        """Add an indicator.

        Raises:
            InfrastructureError: There is no space left for temporary files.
        """
        file, position, item = located
        if not self._files or self._files[-1] != file:
            self._files.append(file)
        identity, version, state, agency, data, summary, shared_start, shared_end, review, is_unanswered = item
        source = self._sources.setdefault((state, agency), len(self._sources))
        place = position.encode()
        head = _HEAD.pack(
            version, len(self._files) - 1, source, len(place), len(data), summary, shared_start, shared_end, review,
            is_unanswered, identity.encode(),
        )  # fmt: skip
        try:
            self._data.write(b"".join((head, place, data)))
        except OSError as error:
            raise _make_error(error) from None
        self._count += 1

    def finish(self) -> None:
        """Write what is still in memory: reading cannot fail then because the disk is full.

        Raises:
            InfrastructureError: There is no space left for temporary files.
        """
        try:
            self._data.flush()
        except OSError as error:
            raise _make_error(error) from None

    def mark(self) -> tuple[int, int]:
        """Return how much has been added, for `truncate`."""
        return self._data.tell(), self._count

    def truncate(self, mark: tuple[int, int]) -> None:
        """Remove what was added after a mark."""
        position, self._count = mark
        self._data.seek(position)
        self._data.truncate()

    def __iter__(self) -> Iterator[SpooledItem]:
        """Yield all indicators, after `finish`. Only one iteration at a time is possible."""
        self._data.seek(0)
        read, files, sources, size = self._data.read, self._files, list(self._sources), _HEAD.size
        for _ in range(self._count):
            (
                version, file, source, place_length, length, summary, shared_start, shared_end, review, is_unanswered,
                identity,
            ) = _unpack_head(read(size))  # fmt: skip
            place, data = read(place_length).decode(), read(length)
            state, agency = sources[source]
            yield SpooledItem(
                files[file], place,
                EncodedIndicator(
                    identity.decode(), version, state, agency, data, summary, shared_start, shared_end, review,
                    is_unanswered,
                ),
            )  # fmt: skip

    def close(self) -> None:
        """Free the space."""
        self._data.close()


def _make_error(error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"the checked items cannot be buffered in {tempfile.gettempdir()} ({error.strerror}); free some space, or set "
        "TMPDIR to another folder"
    )
