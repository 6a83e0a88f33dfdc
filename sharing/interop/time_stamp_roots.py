"""The roots of trusted time-stamping services, from the file that the settings name."""

from __future__ import annotations

from pathlib import Path

from cryptography.x509 import Certificate

from sharing.audit.time_stamp import read_roots
from sharing.errors import InputError
from sharing.settings import Settings


def read_time_stamp_roots(settings: Settings, file: Path | None = None) -> list[Certificate]:
    """Return the roots of trusted time-stamping services; none if no file is named.

    Args:
        settings: The settings.
        file: A file instead of the one that they name.

    Raises:
        InputError: The file cannot be read, or has no certificates.
    """
    path = file or settings.time_stamp_roots
    if path is None:
        return []
    try:
        return read_roots(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise InputError(f"{path} cannot be read: {reason}") from None
    except InputError as error:
        raise InputError(f"{path} {error}") from None
