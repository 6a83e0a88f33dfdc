"""Reads text files, with errors that name the file."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path

from sharing.errors import FileErrorFactory, input_file_error

_BYTES_MAX = 16_000_000
"""More than any file that a person writes, and less than fills the memory."""


def read_text_file(path: Traversable | Path, make_error: FileErrorFactory = input_file_error) -> str:
    """Return a file's text.

    Args:
        path: The file, on disk or in an installed package.
        make_error: Makes the error to raise.

    Raises:
        SharingError: As `make_error` makes it: the file does not exist, cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
        if len(data) > _BYTES_MAX:  # also a device without an end
            raise make_error(f"has more than {_BYTES_MAX:,} bytes", source=path.name)
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise make_error("is not UTF-8 text", source=path.name) from None
    except OSError as error:
        raise make_error(f"cannot be read: {error.strerror}", source=path.name) from None
