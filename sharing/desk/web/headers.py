"""Headers of every response, errors included; and the log of requests, which has no values in it."""

from __future__ import annotations

import logging
import re
import time
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sharing.desk.web.desk_metrics import DeskMetrics

log = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; "
    "script-src 'self'; "
    "style-src 'self'; "
    "img-src 'self' data:; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Level 3: scripts and styles are files of the desk, never part of a page; nothing is sent anywhere else."""

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Nothing to other sites. Not `no-referrer`: with it a browser sends `Origin: null` with the forms of this desk.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=(), "
        "publickey-credentials-get=(self), publickey-credentials-create=(self)"
    ),
}
STRICT_TRANSPORT: Final = "max-age=31536000"

_WORDS: Final = re.compile(r"[a-z][a-z-]{0,23}")


class HeadersMiddleware:
    """Adds the headers to every response, and logs that it was sent.

    Args:
        app: What answers the requests.
        is_secure: Whether browsers reach the desk by TLS.
        metrics: Counts the requests.
    """

    def __init__(self, app: ASGIApp, *, is_secure: bool, metrics: DeskMetrics) -> None:
        self._app = app
        self._headers = dict(SECURITY_HEADERS)
        if is_secure:
            self._headers["Strict-Transport-Security"] = STRICT_TRANSPORT
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._complete(MutableHeaders(scope=message))
                self._record(scope, message["status"], time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _complete(self, headers: MutableHeaders) -> None:
        for name, value in self._headers.items():
            headers[name] = value
        if "cache-control" not in headers:
            headers["Cache-Control"] = "no-store"

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        place = shorten_path(scope["path"])
        self._metrics.count_request(scope["method"], status, seconds)
        log.info("%s %s: %d in %.0f ms", scope["method"][:8], place, status, seconds * 1000)


def shorten_path(path: str) -> str:
    """Return a path without what may be a value in it: words of the program stay, ids and all else become `*`."""
    parts = [part if _WORDS.fullmatch(part) else "*" for part in path.split("/")[1:6]]
    return "/" + "/".join(parts)
