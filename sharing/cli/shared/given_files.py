"""Files that people name to a command, which reads each once: also a pipe, and `-` for the standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from sharing.errors import InputError

STANDARD_INPUT: Final = Path("-")

_PUBLIC_BYTES_MAX: Final = 1_000_000


def read_given_file(file: Path, bytes_max: int) -> bytes:
    """Return the content of a file, or the beginning of a longer one.

    Args:
        file: The file.
        bytes_max: How many bytes are read at most.

    Raises:
        InputError: It cannot be read.
    """
    try:
        if file == STANDARD_INPUT:
            return sys.stdin.buffer.read(bytes_max)
        with file.open("rb") as opened:
            return opened.read(bytes_max)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{file} cannot be read: {reason}") from None


def read_public_file(file: Path) -> bytes:
    """Return the content of a document that is not secret: a public key, a root, a key statement.

    Raises:
        InputError: It cannot be read, or is longer than 1,000,000 bytes.
    """
    data = read_given_file(file, _PUBLIC_BYTES_MAX + 1)
    if len(data) > _PUBLIC_BYTES_MAX:
        raise InputError(f"{file} is longer than {_PUBLIC_BYTES_MAX:,} bytes")
    return data
