"""The agency's secret, from which the ids of items in files are derived.

Anyone who has it can test guesses: whether a key on the bus belongs to a certain MISP attribute or value. With another
secret every item gets another id, so that what was published before appears to be new.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from sharing.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

SECRET_BYTES_MIN: Final = 32
ID_SECRET_SETTING: Final = "SHARING_ID_SECRET_FILE"  # noqa: S105 the name of a setting

_FILE_BYTES_MAX = 4096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_DISTINCT_BYTES_MIN = 8  # 32 random bytes have fewer with a probability of less than 2^-150


def read_id_secret(path: Path) -> bytes:
    """Return the secret in a file: at least 32 random bytes, as they are or in hexadecimal digits.

    Raises:
        SettingsError: The file cannot be read, other users may read it, or it contains no such secret.
    """
    try:
        status = path.stat()
        data = b"" if not stat.S_ISREG(status.st_mode) else path.read_bytes()[: _FILE_BYTES_MAX + 1]
    except OSError as error:
        raise SettingsError(f"{ID_SECRET_SETTING}: {path} cannot be read ({error.strerror}); {_REMEDY}") from None
    if status.st_mode & _OTHERS:
        raise SettingsError(f"{ID_SECRET_SETTING}: other users may access {path}; restrict it with `chmod 600 {path}`")
    secret = _decode_secret(data)
    if not SECRET_BYTES_MIN <= len(secret) <= _FILE_BYTES_MAX or len(set(secret)) < _DISTINCT_BYTES_MIN:
        raise SettingsError(f"{ID_SECRET_SETTING}: {path} does not contain 32 random bytes; {_REMEDY}")
    return secret


def make_missing_secret_error() -> SettingsError:
    """Return the error for an item that needs an id, when no secret is set."""
    return SettingsError(
        f"{ID_SECRET_SETTING} is not set: the ids of MISP attributes, STIX objects and lines without an id are derived "
        f"from a secret of the agency; {_REMEDY}"
    )


_REMEDY = (
    "make one with `openssl rand -hex 32 > FILE; chmod 600 FILE`, name it in the setting, and keep it: with another "
    "secret every item gets another id"
)


def _decode_secret(data: bytes) -> bytes:
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return data
