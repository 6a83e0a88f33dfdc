"""Reads files, detects their format and imports the indicators in them. Only this module of the package opens files."""

from __future__ import annotations

import errno
import mmap
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from sharing.errors import InfrastructureError, InputError
from sharing.interop.format_detection import check_is_text, detect_format
from sharing.interop.import_context import FileFormat, ImportContext
from sharing.interop.import_results import DuplicateFilter, ImportResult, LocatedIndicator
from sharing.interop.jsonl import read_jsonl
from sharing.interop.misp.importer import read_misp
from sharing.interop.publishing_profile import PublishingProfile, parse_profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sharing.interop.format_detection import InputData
    from sharing.interop.import_results import ParsedEntry

STANDARD_INPUT = Path("-")
"""Denotes standard input in a list of files."""

_PROFILE_BYTES_MAX = 1024 * 1024
_MAPPED_BYTES_MIN = 1024 * 1024
_STANDARD_INPUT_FILE = Path("/dev/stdin")


def iterate_entries(
    data: InputData, file: str, context: ImportContext, duplicates: DuplicateFilter
) -> Iterator[ParsedEntry]:
    """Yield an entry for each value in a file.

    Args:
        data: Content of the file.
        file: Name of the file, for messages.
        context: How the file is imported.
        duplicates: The indicators imported so far; their duplicates become unpublished entries.

    Raises:
        ConflictingItemError: Two items have the same id and version, and different contents.
        InputError: The file cannot be read. No indicator has been yielded in this case.
    """
    check_is_text(data, file)
    detected = detect_format(data, file, context.format)
    match detected.format:
        case FileFormat.JSONL:
            yield from read_jsonl(data, file, context, duplicates)
        case FileFormat.MISP:
            yield from read_misp(detected.document, file, context, duplicates)
        case FileFormat.STIX:
            from sharing.interop.stix.importer import read_stix  # noqa: PLC0415 the parser takes long to import

            yield from read_stix(detected.document, file, context, duplicates)
        case _ as unreachable:
            assert_never(unreachable)
    context.report_progress(file, 1.0)


def read_bytes(data: bytes, file: str, context: ImportContext) -> ImportResult:
    """Import the content of one file.

    Raises:
        InputError: The content cannot be read.
    """
    return _build_result([file], iterate_entries(data, file, context, DuplicateFilter()), ())


def read_file(path: Path, context: ImportContext) -> ImportResult:
    """Import one file.

    Raises:
        InputError: The file cannot be read.
    """
    return read_bytes(read_input(path, context.bytes_max), str(path), context)


def read_files(paths: Iterable[Path], context: ImportContext, *, keep_going: bool = False) -> ImportResult:
    """Import several files; duplicates are detected across all of them.

    Args:
        paths: The files.
        context: How the files are imported.
        keep_going: Whether to continue after a file that cannot be read; the result lists those files.

    Raises:
        InputError: Some files cannot be read, and `keep_going` is false.
    """
    duplicates = DuplicateFilter()
    entries: list[ParsedEntry] = []
    files: list[str] = []
    unreadable: list[InputError] = []
    for path in paths:
        try:
            data = read_input(path, context.bytes_max)
            entries.extend(list(iterate_entries(data, str(path), context, duplicates)))
            files.append(str(path))
        except InputError as error:
            unreadable.append(error)
    if unreadable and not keep_going:
        raise merge_errors(unreadable)
    return _build_result(files, entries, unreadable)


def load_profile(path: Path) -> PublishingProfile:
    """Return the publishing profile in a file.

    Raises:
        InputError: The file cannot be read, or is not a valid profile. The message names file, line, key and remedy.
    """
    try:
        text = read_input(path, _PROFILE_BYTES_MAX).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; convert it to UTF-8") from None
    return parse_profile(text, str(path))


def read_input(path: Path, bytes_max: int) -> bytes:
    """Return the bytes of a file, or of a pipe up to its end. The size of a file is checked before it is read.

    Raises:
        InputError: It does not exist, is neither a file nor a pipe, cannot be read, or is larger than `bytes_max`.
    """
    source = _find_source(path)
    with _explain_faults(path):
        size = source.stat().st_size
        if size > bytes_max:
            raise InputError(f"{path}: has {size} bytes, more than the limit of {bytes_max}; split the file")
        with source.open("rb") as file:
            data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise InputError(f"{path}: has more than the limit of {bytes_max} bytes; split it")
    return data


def open_input(path: Path) -> InputData:
    """Return the content of a file, or of a pipe up to its end, of any length.

    A long one is copied into a file of mode 0600 that has no name, and mapped from there: nobody can change or cut it.

    Raises:
        InputError: It does not exist, is neither a file nor a pipe, or cannot be read.
        InfrastructureError: There is no space for the copy.
    """
    source = _find_source(path)
    with _explain_faults(path), source.open("rb") as file:
        start = file.read(_MAPPED_BYTES_MIN)
        if len(start) < _MAPPED_BYTES_MIN:
            return start
        with tempfile.TemporaryFile() as copy:
            try:
                copy.write(start)
                shutil.copyfileobj(file, copy, _MAPPED_BYTES_MIN)
                copy.flush()
            except OSError as error:
                if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                    raise
                raise InfrastructureError(
                    f"{path}: cannot be copied to {tempfile.gettempdir()} ({error.strerror}); free some space, or set "
                    "TMPDIR to another folder"
                ) from None
            return mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)


def _find_source(path: Path) -> Path:
    """Return the file or pipe to read.

    Raises:
        InputError: It is neither, or does not exist.
    """
    source = _STANDARD_INPUT_FILE if path == STANDARD_INPUT else path
    with _explain_faults(path):
        mode = source.stat().st_mode
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a directory; name the files in it")
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise InputError(f"{path}: is neither a file nor a pipe; save its output to a file first")
    return source


@contextmanager
def _explain_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{path}: cannot be read ({reason}); check the path and your permissions") from None


def _build_result(
    files: Iterable[str], entries: Iterable[ParsedEntry], unreadable: Iterable[InputError]
) -> ImportResult:
    indicators, unpublished = [], []
    for entry in entries:
        if isinstance(entry, LocatedIndicator):
            indicators.append(entry)
        else:
            unpublished.append(entry)
    return ImportResult(tuple(files), tuple(indicators), tuple(unpublished), tuple(unreadable))


def merge_errors(errors: list[InputError]) -> InputError:
    """Return one error for the files that cannot be read."""
    if len(errors) == 1:
        return errors[0]
    return InputError("; ".join(str(error) for error in errors))
