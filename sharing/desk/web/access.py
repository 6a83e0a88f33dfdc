"""Who asks: the officer of a request, and what may be asked without one."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from sharing.desk.web.errors import PageError
from sharing.desk.web.sessions import Session, SignedIn

OPEN_PATHS: Final = frozenset({"/healthz", "/language", "/sign-in", "/session", "/time-zone"})
"""What anybody may ask for who reaches the desk."""

OPEN_FOLDERS: Final = ("/static/", "/sign-in/", "/enrol/")
"""As `OPEN_PATHS`, with everything below. All else needs an officer: a page that forgets to ask discloses nothing."""

EVENTS_PATH: Final = "/events"
"""The stream of changes. A page opens it again by itself, for which a browser sends no header of the page."""

_WITHOUT_SESSION: Final = ("/static/", "/healthz")


def needs_session(path: str) -> bool:
    """Return whether an open path is one of pages with forms, so that a browser without a session gets one."""
    return is_open(path) and not path.startswith(_WITHOUT_SESSION)


def is_open(path: str) -> bool:
    """Return whether a path is answered without an officer."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def is_own_path(text: str) -> bool:
    """Return whether an address is one of this desk: a browser reads two slashes as another host (CWE-601)."""
    return text.startswith("/") and not text.startswith("//") and text.isprintable() and "\\" not in text


def require_officer(request: Request) -> SignedIn:
    """Return the officer who asks, as the register says now.

    Raises:
        PageError: Nobody is signed in.
    """
    found = find_officer(request)
    if found is None:
        raise PageError(401)
    return found


def find_officer(request: Request) -> SignedIn | None:
    """Return the officer who asks; None if nobody is signed in."""
    found = getattr(request.state, "signed_in", None)
    return found if isinstance(found, SignedIn) else None


def require_session(request: Request) -> Session:
    """Return the session of the browser, of an officer or anonymous.

    Raises:
        PageError: It has none.
    """
    found = getattr(request.state, "session", None)
    if not isinstance(found, Session):
        raise PageError(401)
    return found
