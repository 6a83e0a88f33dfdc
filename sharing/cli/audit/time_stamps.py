"""Asks a service for a time stamp on a checkpoint (RFC 3161 over HTTP)."""

from __future__ import annotations

from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from cryptography.x509 import Certificate

from sharing.audit.time_stamp import (
    REQUEST_TYPE,
    RESPONSE_BYTES_MAX,
    RESPONSE_TYPE,
    make_query,
    read_roots,
    verify_time_stamp,
)
from sharing.errors import InfrastructureError, InputError, SettingsError
from sharing.settings import Settings

TIMEOUT_S: Final = 20.0


class _NoRedirect(HTTPRedirectHandler):
    """Follows no redirection: the answer must come from the service that is configured."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch_time_stamp(url: str, text: bytes, roots: Sequence[Certificate]) -> bytes:
    """Return a verified time stamp of a service on a text.

    Args:
        url: Address of the service.
        text: The text.
        roots: The roots that are believed.

    Raises:
        InfrastructureError: The service does not answer, or answers something else.
        SettingsError: The address is not one of HTTP.
        TrustError: The time stamp does not count.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise SettingsError("SHARING_TIME_STAMP_URL must begin with https:// or http://")
    query = make_query(text)
    request = Request(url, query.data, {"Content-Type": REQUEST_TYPE, "Accept": RESPONSE_TYPE})  # noqa: S310 checked
    try:
        with build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S) as answer:
            kind, data = answer.headers.get_content_type(), answer.read(RESPONSE_BYTES_MAX + 1)
    except (URLError, HTTPException, OSError) as error:
        raise InfrastructureError(f"the time-stamping service {url} does not answer: {error}") from None
    if kind != RESPONSE_TYPE:
        raise InfrastructureError(f"the time-stamping service {url} answers {kind}, not a time stamp")
    verify_time_stamp(data, text, roots, query.nonce)
    return bytes(data)


def read_time_stamp_roots(settings: Settings, file: Path | None = None) -> list[Certificate]:
    """Return the roots of time-stamping services that are believed; none if no file is named.

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
