"""The first pass of `sharing publish`: reads and checks everything, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from sharing.cli.publish.item_spool import ItemSpool
from sharing.cli.publish.unpublished_list import UnpublishedList
from sharing.cli.shared.console import progress_bar
from sharing.clients.publisher_records import make_oversized_reason
from sharing.errors import InputError
from sharing.interop.files import iterate_entries, merge_errors, open_input
from sharing.interop.format_detection import compute_sha256
from sharing.interop.import_results import (
    DuplicateFilter,
    InputLocation,
    LocatedIndicator,
    UnpublishedCause,
    make_unpublished,
)
from sharing.serialization.codec import HEADER_LENGTH, RECORD_BYTES_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.interop.import_context import ImportContext

EMERGENCIES_SHOWN: Final = 5
"""How many emergencies that are decided as ordinary a warning lists."""


@dataclass(slots=True)
class CheckedInput:
    """What was found in the files.

    Attributes:
        spool: The indicators that can be published.
        files: Names of the files that were read.
        digests: SHA-256 of each of them.
        unpublished: All other values in the files.
        unreadable: One error for each file that could not be read.
        unanswered: Places of the first items that state an emergency for which nobody answers.
        unanswered_count: Number of all of them.
        own_versions: The highest version of each of the agency's items that has one above 1, as its gate has told it.
    """

    spool: ItemSpool
    files: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    unpublished: UnpublishedList = field(default_factory=UnpublishedList)
    unreadable: list[InputError] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    unanswered_count: int = 0
    own_versions: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of values found."""
        return len(self.spool) + len(self.unpublished)


def check_files(files: Sequence[Path], context: ImportContext, *, keep_going: bool) -> CheckedInput:
    """Read and check files; duplicates and older versions are found across all of them.

    Args:
        files: The files.
        context: How they are imported.
        keep_going: Whether to continue after a file that cannot be read; the result lists those files.

    Raises:
        InputError: Some files cannot be read, and `keep_going` is false.
        InfrastructureError: The items cannot be buffered.
    """
    order = {str(path): number for number, path in enumerate(files)}
    checked = CheckedInput(ItemSpool())
    duplicates = DuplicateFilter(is_one_file=len(files) == 1)
    # Files are read one after another. A file that cannot be read at all reports no progress.
    with progress_bar("reading", len(files), as_percentage=True, count_done=lambda: checked.total) as set_done:
        reporting = replace(context, on_progress=lambda file, done: set_done(order.get(file, 0) + done))
        for path in files:
            try:
                _check_file(path, reporting, duplicates, checked)
            except InputError as error:
                checked.unreadable.append(error)
    if checked.unreadable and not keep_going:
        raise merge_errors(checked.unreadable)
    checked.spool.finish()
    return checked


def _check_file(path: Path, context: ImportContext, duplicates: DuplicateFilter, checked: CheckedInput) -> None:
    """Add what a file contains; nothing, if it cannot be read.

    Raises:
        InputError: It cannot be read.
    """
    data = open_input(path)
    mark, listed = checked.spool.mark(), checked.unpublished.mark()
    shown, unanswered = len(checked.unanswered), checked.unanswered_count
    try:
        for entry in iterate_entries(data, str(path), context, duplicates):
            if not isinstance(entry, LocatedIndicator):
                checked.unpublished.append(entry)
                continue
            length = HEADER_LENGTH + len(entry.item.data)
            if length > RECORD_BYTES_MAX:
                place = InputLocation(entry.file, entry.position)
                reason = make_oversized_reason(length)
                checked.unpublished.append(make_unpublished(place, UnpublishedCause.INVALID, reason))
                continue
            checked.spool.add(entry)
            if entry.item.is_unanswered:
                checked.unanswered_count += 1
                if len(checked.unanswered) < EMERGENCIES_SHOWN:
                    checked.unanswered.append(f"{entry.file} {entry.position}")
    except InputError:
        checked.spool.truncate(mark)
        checked.unpublished.truncate(listed)
        del checked.unanswered[shown:]
        checked.unanswered_count = unanswered
        raise
    checked.files.append(str(path))
    checked.digests.append(compute_sha256(data))
