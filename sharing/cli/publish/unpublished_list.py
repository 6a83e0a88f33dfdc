"""Keeps what is not published in a file without a name: of a long file, that may be every line."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from sharing.errors import InfrastructureError
from sharing.interop.import_results import UnpublishedCause, UnpublishedEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER_BYTES: Final = 128 * 1024


class UnpublishedMark(NamedTuple):
    """How much a list contained at a time.

    Attributes:
        size: Length of its file, in bytes.
        counts: Number of entries by cause.
        examples: The first entry of each cause.
        has_refused: Whether the agency must correct something.
    """

    size: int
    counts: Counter[UnpublishedCause]
    examples: dict[UnpublishedCause, UnpublishedEntry]
    has_refused: bool


class UnpublishedList:
    """What is not published, in its order.

    Attributes:
        counts: Number of entries by cause.
        examples: The first entry of each cause.
        has_refused: Whether the agency meant to publish something of it, and must correct it.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self.counts: Counter[UnpublishedCause] = Counter()
        self.examples: dict[UnpublishedCause, UnpublishedEntry] = {}
        self.has_refused = False

    def __len__(self) -> int:
        return self.counts.total()

    def append(self, entry: UnpublishedEntry) -> None:
        """Add an entry.

        Raises:
            InfrastructureError: There is no space left for temporary files.
        """
        line = json.dumps(entry, separators=(",", ":"))  # in ASCII: a file name may be no text
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=_BUFFER_BYTES)  # noqa: SIM115 it lives as long as the object
            self._file.write(f"{line}\n".encode())
        except OSError as error:
            raise InfrastructureError(
                f"what is not published cannot be listed in {tempfile.gettempdir()} ({error.strerror}); free some "
                "space, or set TMPDIR to another folder"
            ) from None
        self.counts[entry.cause] += 1
        self.examples.setdefault(entry.cause, entry)
        self.has_refused = self.has_refused or entry.is_refused

    def mark(self) -> UnpublishedMark:
        """Return how much there is, for `truncate`."""
        size = 0 if self._file is None else self._file.tell()
        return UnpublishedMark(size, self.counts.copy(), self.examples.copy(), self.has_refused)

    def truncate(self, mark: UnpublishedMark) -> None:
        """Remove what was added after a mark."""
        if self._file is not None:
            self._file.seek(mark.size)
            self._file.truncate()
        _, self.counts, self.examples, self.has_refused = mark

    def __iter__(self) -> Iterator[UnpublishedEntry]:
        """Yield all entries, after all were added. Only one iteration at a time is possible."""
        if self._file is None:
            return
        self._file.seek(0)  # writes what is in the buffer
        for line in self._file:
            file, position, cause, reason = json.loads(line)
            yield UnpublishedEntry(file, position, UnpublishedCause(cause), reason)
