"""Files that people name to the commands of audit logs."""

from __future__ import annotations

from pathlib import Path

from sharing.errors import InputError


def read_given_file(file: Path, bytes_max: int) -> bytes:
    """Return the content of a file, or the beginning of a longer one.

    Args:
        file: The file.
        bytes_max: How many bytes are read at most.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return opened.read(bytes_max)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{file} cannot be read: {reason}") from None
