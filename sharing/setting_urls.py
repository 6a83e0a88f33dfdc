"""What settings may be that name a service or an address to listen on. No message repeats a value: it may be secret."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, SecretStr

from sharing.passkeys.origin import is_host_name

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""How a URL names this machine."""

_HTTP: Final = ("https", "http")
_PORTS: Final = "a port is a number from 1 to 65535"
_HTTP_WANTED: Final = f"must be a URL such as https://service.example:8443/path; {_PORTS}"
_SMTP_WANTED: Final = (
    "must be the address of a mail server: smtps://server:465, or smtp://server:587 for STARTTLS, perhaps with "
    f"user:password@ before the server; {_PORTS}"
)
_WEBHOOK_WANTED: Final = (
    f"must be a protected address: https://, or http:// only for this machine (127.0.0.1); {_PORTS}"
)


def _split(url: str, schemes: Collection[str], wanted: str) -> SplitResult:
    """Return the parts of a URL.

    Raises:
        ValueError: It has another scheme, no host, a port that is none, or characters that a URL cannot have.
    """
    try:
        parts = urlsplit(url)
        has_server = bool(parts.hostname) and parts.port != 0 and not parts.netloc.endswith(":")
    except ValueError:  # a port that is no number or too large, or a bracket that is not closed
        raise ValueError(wanted) from None
    if parts.scheme not in schemes or not has_server or not url.isprintable() or " " in url:
        raise ValueError(wanted)
    return parts


def _check_http_url(url: str) -> str:
    if _split(url, _HTTP, _HTTP_WANTED).username is not None:
        raise ValueError("must contain no user and no password: this setting is shown")
    return url


def _check_smtp_url(url: SecretStr) -> SecretStr:
    parts = _split(url.get_secret_value(), ("smtps", "smtp"), _SMTP_WANTED)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(_SMTP_WANTED)
    return url


def _check_webhook_url(url: SecretStr) -> SecretStr:
    parts = _split(url.get_secret_value(), _HTTP, _WEBHOOK_WANTED)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(_WEBHOOK_WANTED)
    return url


def _check_bind_address(address: str) -> str:
    """Check an address to listen on: a port is another setting, and a name that no machine has fails only later."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        if not is_host_name(address.lower()):
            raise ValueError(
                "must be an IP address or a host name, without a port, such as 127.0.0.1, ::1 or 0.0.0.0"
            ) from None
    return address


HttpUrl = Annotated[str, AfterValidator(_check_http_url)]
"""URL of a service that is asked over HTTP, without user and password."""

SmtpUrl = Annotated[SecretStr, AfterValidator(_check_smtp_url)]
"""Address of a mail server, perhaps with user and password."""

WebhookUrl = Annotated[SecretStr, AfterValidator(_check_webhook_url)]
"""URL to which something is posted that must not be read on the way."""

BindAddress = Annotated[str, AfterValidator(_check_bind_address)]
"""Address on which a program listens."""
