"""The origin of a duty desk, and the host name to which its passkeys are bound: never an IP address.

An origin is written as browsers write it (RFC 6454, section 6.2): `https://desk.example`, with the port only if it is
not the usual one. So it is compared as text. Without TLS it is on this machine only (`http://localhost:8080`), where
browsers permit passkeys, too.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from sharing.errors import InputError

HOST_MAX: Final = 253
ORIGIN_MAX: Final = len("https://") + HOST_MAX + len(":65535")

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_THIS_MACHINE: Final = "localhost"
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
"""A last label of this form makes browsers read the host as an IPv4 address (WHATWG URL Standard, section 3.5)."""


def is_host_name(host: str) -> bool:
    """Return whether this is a host name in lower case, and no IP address in any notation."""
    labels = host.split(".")
    return (
        len(host) <= HOST_MAX
        and all(_LABEL.fullmatch(label) for label in labels)
        and _NUMBER.fullmatch(labels[-1]) is None
    )


def make_origin(url: str) -> str:
    """Return the origin of a desk, from the address that a person gave.

    Raises:
        InputError: It is no such address.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise _refuse() from None
    host = parts.hostname or ""
    if (
        parts.scheme not in _DEFAULT_PORTS
        or (parts.scheme == "http" and host.split(".")[-1] != _THIS_MACHINE)
        or parts.path not in {"", "/"}
        or any(mark in url for mark in "?#@")
        or not is_host_name(host)
        or port == 0
    ):
        raise _refuse()
    is_usual = port in {None, _DEFAULT_PORTS[parts.scheme]}
    return f"{parts.scheme}://{host}" if is_usual else f"{parts.scheme}://{host}:{port}"


def get_host(origin: str) -> str:
    """Return the host name of an origin.

    Raises:
        ValueError: It is no origin of a desk in its one form.
    """
    try:
        is_canonical = make_origin(origin) == origin
    except InputError:
        is_canonical = False
    if not is_canonical:
        raise ValueError("must be the origin of a desk, such as https://desk.example, never an IP address")
    return urlsplit(origin).hostname or ""


def _refuse() -> InputError:
    return InputError(
        "the address of a desk is https:// and a host name, such as https://desk.example or https://desk.example:8443; "
        "never an IP address, and without a path"
    )
