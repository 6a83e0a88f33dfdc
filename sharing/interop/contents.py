"""The bytes of a file: the only place of the package that opens any."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from sharing.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def load(path: Path, bytes_max: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        InputError: It does not exist, is no regular file, cannot be read, or is larger than `bytes_max`, which is
            checked before it is read.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path}: is a directory; name the files in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: is no regular file; save what it gives to a file first")
        if status.st_size > bytes_max:
            raise InputError(
                f"{path}: has {status.st_size} bytes, more than the {bytes_max} that are read at once; split it"
            )
        with path.open("rb") as file:
            return file.read(bytes_max)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{path}: cannot be read ({reason}); check the path and your permission") from None
