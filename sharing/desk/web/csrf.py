"""Against forged requests (CWE-352): a token that only pages of this desk know, and the origin that a browser tells."""

from __future__ import annotations

import hmac
from typing import Final

from starlette.requests import Request

from sharing.desk.web.forms import Form
from sharing.desk.web.sessions import Session

FIELD: Final = "csrf"
HEADER: Final = "X-CSRF-Token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def comes_from_here(request: Request, origin: str) -> bool:
    """Return whether the browser says that a page of this desk has sent a request.

    A browser sends `Origin` with every POST. Where `Sec-Fetch-Site` is sent as well, it must agree.

    Args:
        request: The request.
        origin: The origin of the desk.
    """
    site = request.headers.get("sec-fetch-site")
    return request.headers.get("origin") == origin and site in {None, "same-origin"}


def has_token(request: Request, session: Session, form: Form) -> bool:
    """Return whether a request carries the token of its session, in its header or its form."""
    sent = request.headers.get(HEADER) or form.get(FIELD)
    return hmac.compare_digest(sent.encode("utf-8", "replace"), session.csrf.encode("ascii"))
