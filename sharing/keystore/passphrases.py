"""Passphrases and PINs from files. They never come from a command line, which other users of the machine can read."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from sharing.errors import InputError
from sharing.keystore.encryption import normalise_passphrase
from sharing.keystore.files import read_private_file


def read_passphrase_file(path: Path) -> SecretStr:
    """Return the first line of a file that no other user may access.

    Raises:
        InputError: The file cannot be read, other users may access it, or its first line is not a passphrase.
    """
    text = _read_first_line(path)
    try:
        return normalise_passphrase(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_pin_file(path: Path) -> SecretStr:
    """Return the PIN of a token: the first line of a file that no other user may access.

    Raises:
        InputError: The file cannot be read, other users may access it, or its first line is empty.
    """
    text = _read_first_line(path)
    if not text:
        raise InputError(f"{path}: the first line is empty; it must be the PIN of the token")
    return SecretStr(text)


def _read_first_line(path: Path) -> str:
    lines = read_private_file(path).splitlines()
    try:
        return lines[0].decode() if lines else ""
    except UnicodeDecodeError:
        raise InputError(f"{path}: the first line is not UTF-8 text") from None
