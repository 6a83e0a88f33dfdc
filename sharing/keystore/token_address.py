"""The address of a token: a PKCS#11 URI (RFC 7512) with its label, its module, and the file with its PIN.

For example `pkcs11:token=CH%20keys?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/sharing/token.pin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sharing.errors import SettingsError
from sharing.keystore.key_access import Token
from sharing.keystore.passphrases import read_pin_file

_SCHEME: Final = "pkcs11:"
_FILE: Final = "file:"
_KNOWN: Final = frozenset({"token", "module-path", "pin-source"})
_EXAMPLE: Final = "pkcs11:token=LABEL?module-path=/…/module.so&pin-source=/…/pin"


@dataclass(frozen=True, slots=True)
class TokenAddress:
    """The address of a token.

    Attributes:
        label: Its label.
        module: The shared library that accesses it.
        pin_file: File with its PIN, which only its owner can read.
    """

    label: str
    module: Path
    pin_file: Path


def parse_token_address(text: str) -> TokenAddress:
    """Return the address of a token.

    Raises:
        SettingsError: It is not a PKCS#11 URI with `token`, `module-path` and `pin-source`, and nothing else.
    """
    if not text.startswith(_SCHEME):
        raise SettingsError(f"a token is named by a PKCS#11 URI such as {_EXAMPLE}")
    path, _, query = text.removeprefix(_SCHEME).partition("?")
    parts: dict[str, str] = {}
    for part in filter(None, (*path.split(";"), *query.split("&"))):
        name, _, value = part.partition("=")
        if name == "pin-value":
            raise SettingsError("do not put the PIN into the address of a token, which others can read: use pin-source")
        if name in parts or name not in _KNOWN or not value:
            raise SettingsError(f"{name!r} is not expected in the address of a token; use {_EXAMPLE}")
        parts[name] = unquote(value)
    missing = sorted(_KNOWN - parts.keys())
    if missing:
        raise SettingsError(f"the address of the token has no {missing[0]}; use {_EXAMPLE}")
    return TokenAddress(parts["token"], Path(parts["module-path"]), Path(parts["pin-source"].removeprefix(_FILE)))


def open_token(address: TokenAddress) -> Token:
    """Return a token after a login.

    Raises:
        SettingsError: `python-pkcs11` is not installed, or the module does not exist or is not one.
        InputError: The file of the PIN cannot be read, other users may access it, or the PIN is wrong.
        InfrastructureError: There is no token with this label, or it does not answer.
    """
    try:
        from sharing.keystore.pkcs11_token import Pkcs11Token, load_module  # noqa: PLC0415 needs an extra
    except ImportError:
        raise SettingsError("a token needs `python-pkcs11`: install sharing-bus[pkcs11]") from None
    pin = read_pin_file(address.pin_file)
    token = Pkcs11Token(load_module(address.module), address.label, pin)
    token.connect()
    return token
