"""Asks a service for a time stamp on a checkpoint (RFC 3161 over HTTP)."""

from __future__ import annotations

from collections.abc import Sequence
from http.client import HTTPException
from typing import Any, Final
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from cryptography.x509 import Certificate

from sharing.audit.time_stamp import (
    REQUEST_TYPE,
    RESPONSE_BYTES_MAX,
    RESPONSE_TYPE,
    make_query,
    require_service,
    verify_time_stamp,
)
from sharing.errors import InfrastructureError

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
        roots: The roots of the trusted services.

    Raises:
        InfrastructureError: The service does not answer, or answers something else.
        SettingsError: The address is not one of HTTP, or its root is not named.
        TrustError: The time stamp does not count.
    """
    require_service(url, roots)
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
