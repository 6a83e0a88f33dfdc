"""Reads text files, with errors that name the file."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path

from sharing.errors import FileErrorFactory, input_file_error


def read_text_file(path: Traversable | Path, make_error: FileErrorFactory = input_file_error) -> str:
    """Return a file's text.

    Args:
        path: The file, on disk or in an installed package.
        make_error: Makes the error to raise.

    Raises:
        SharingError: As `make_error` makes it: the file does not exist, cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise make_error("is not UTF-8 text", source=path.name) from None
    except OSError as error:
        raise make_error(f"cannot be read: {error.strerror}", source=path.name) from None
