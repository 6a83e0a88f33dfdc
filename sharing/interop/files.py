"""Files as runs: which format each has, what it holds, and which cannot be read at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.errors import InputError
from sharing.interop.contents import load
from sharing.interop.formats import check_text, recognise
from sharing.interop.jsonl import read_lines
from sharing.interop.misp import read_document
from sharing.interop.profile import PublishingProfile, parse_profile
from sharing.interop.reading import FileFormat, FileReading, IdRegister, ImportContext, PlacedIndicator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sharing.interop.reading import ParsedEntry

_PROFILE_BYTES_MAX = 1024 * 1024


def read_entries(data: bytes, file: str, intake: ImportContext, register: IdRegister) -> Iterator[ParsedEntry]:
    """Yield what a file holds, indicator by indicator, each accounted for.

    Args:
        data: Content of the file.
        file: Its name, as it is shown.
        intake: How it is read.
        register: What the run has read before; a duplicate of that is listed.

    Raises:
        InputError: The file cannot be read at all; no indicator was yielded then.
    """
    check_text(data, file)
    content = recognise(data, file, intake.format)
    if content.format is FileFormat.JSONL:
        yield from read_lines(data, file, intake, register)
    else:
        yield from read_document(content.document, file, intake, register)
    intake.report(file, 1.0)


def read_bytes(data: bytes, file: str, intake: ImportContext) -> FileReading:
    """Read the content of one file, as a run of its own.

    Raises:
        InputError: It cannot be read at all.
    """
    return _reading([file], read_entries(data, file, intake, IdRegister()), ())


def read_file(path: Path, intake: ImportContext) -> FileReading:
    """Read one file, as a run of its own.

    Raises:
        InputError: It cannot be read at all.
    """
    return read_bytes(load(path, intake.bytes_max), str(path), intake)


def read_files(paths: Iterable[Path], intake: ImportContext, *, keep_going: bool = False) -> FileReading:
    """Read files as one run.

    Args:
        paths: The files.
        intake: How they are read.
        keep_going: Whether to read on when a file cannot be read at all; the reading tells which.

    Raises:
        InputError: Some files cannot be read at all, and `keep_going` is false.
    """
    register = IdRegister()
    entries: list[ParsedEntry] = []
    files: list[str] = []
    unreadable: list[InputError] = []
    for path in paths:
        try:
            data = load(path, intake.bytes_max)
            entries.extend(list(read_entries(data, str(path), intake, register)))
            files.append(str(path))
        except InputError as error:
            unreadable.append(error)
    if unreadable and not keep_going:
        raise _all_of(unreadable)
    return _reading(files, entries, unreadable)


def load_profile(path: Path) -> PublishingProfile:
    """Return the publishing profile in a file.

    Raises:
        InputError: It cannot be read, or is not a valid profile; the message tells file, line, key and what to do.
    """
    try:
        text = load(path, _PROFILE_BYTES_MAX).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; convert it to UTF-8") from None
    return parse_profile(text, str(path))


def _reading(files: Iterable[str], entries: Iterable[ParsedEntry], unreadable: Iterable[InputError]) -> FileReading:
    placed, listed = [], []
    for entry in entries:
        if isinstance(entry, PlacedIndicator):
            placed.append(entry)
        else:
            listed.append(entry)
    return FileReading(tuple(files), tuple(placed), tuple(listed), tuple(unreadable))


def _all_of(errors: list[InputError]) -> InputError:
    if len(errors) == 1:
        return errors[0]
    return InputError("; ".join(str(error) for error in errors))
