"""Reads recorded indicators from files: Avro object containers or JSON lines, as their first bytes show.

Records that cannot be read or belong to another State are counted and reported with their location and reason; reading
continues with the next record. Records of containers, as of topics, are checked as the gate checks them, and can be
read in columnar form.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from sharing.errors import InputError
from sharing.replay.avro_containers import CONTAINER_MAGIC
from sharing.replay.recorded_batch import ProgressCallback, RecordedBatch
from sharing.replay.recorded_containers import read_container
from sharing.replay.recorded_lines import read_lines


def read_recorded_files(
    paths: Iterable[Path], state: str, report_progress: ProgressCallback
) -> Iterator[RecordedBatch]:
    """Yield the indicators in files. The format of each file is detected from its first bytes.

    Args:
        paths: The files.
        state: The providing State of indicators in JSON lines that name none.
        report_progress: Called with the number of bytes read from all files.

    Raises:
        InputError: A file cannot be opened, or contains other records than indicators.
    """
    done = 0
    for path in paths:
        before = done

        def report_position(position: int, before: int = before) -> None:
            report_progress(before + position)

        with _open(path) as file:
            done += os.fstat(file.fileno()).st_size
            is_container = _read_start(path, file) == CONTAINER_MAGIC
            file.seek(0)
            if is_container:
                yield from read_container(file, str(path), report_position)
            else:
                yield from read_lines(file, str(path), state, report_position)
        report_progress(done)


def measure_files(paths: Iterable[Path]) -> int:
    """Return the total size of some files in bytes.

    Raises:
        InputError: A file cannot be opened.
    """
    total = 0
    for path in paths:
        with _open(path) as file:
            total += os.fstat(file.fileno()).st_size
    return total


def _open(path: Path) -> IO[bytes]:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is not a regular file; name files of recorded indicators")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: the path contains a NUL character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{path}: cannot be read ({reason}); check the path and your permissions") from None


def _read_start(path: Path, file: IO[bytes]) -> bytes:
    """Return the first bytes of a file, as many as tell a container."""
    try:
        return file.read(len(CONTAINER_MAGIC))
    except OSError as error:  # a file of the kernel, or a bad disk
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and your permissions") from None
