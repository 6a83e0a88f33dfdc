"""The roots of trusted time-stamping services, from the file that the settings name."""

from __future__ import annotations

from pathlib import Path

from cryptography.x509 import Certificate

from sharing.audit.time_stamp import read_roots
from sharing.errors import InputError
from sharing.settings import Settings
from sharing.text_file import read_text_file


def read_time_stamp_roots(settings: Settings, file: Path | None = None) -> list[Certificate]:
    """Return the roots of trusted time-stamping services; none if no file is named.

    Args:
        settings: The settings.
        file: A file instead of the one that they name.

    Raises:
        InputError: The file cannot be read, is too large, or has no certificates.
    """
    path = file or settings.time_stamp_roots
    if path is None:
        return []
    text = read_text_file(path)
    try:
        return read_roots(text.encode())
    except InputError as error:
        raise InputError(f"{path} {error}") from None
