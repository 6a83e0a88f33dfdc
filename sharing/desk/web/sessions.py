"""Who is signed in: in memory, so a restart of the desk ends every session.

A session is found by the hash of its id: what a memory dump or a log of this process shows signs nobody in. A browser
that has not signed in yet has an anonymous session, for the token against forged requests, the language, and the
challenge that it must sign; signing in replaces it, id included (session fixation, CWE-384).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from sharing.model.times import HOUR_MS, MINUTE_MS
from sharing.officers.entry import OfficerEntry
from sharing.passkeys.passkey import Passkey

COOKIE: Final = "__Host-desk"
"""A cookie with this prefix is Secure, has no Domain and the path `/` (RFC 6265bis, 4.1.3.2)."""

SESSION_MAX_MS: Final = 12 * HOUR_MS
"""After this time an officer signs in again, whatever he or she does."""

IDLE_MAX_MS: Final = 30 * MINUTE_MS
"""After this time without a request an officer signs in again."""

ANONYMOUS_MAX_MS: Final = 30 * MINUTE_MS
ANONYMOUS_COUNT_MAX: Final = 5_000
"""How many browsers may be about to sign in: the oldest is forgotten first that has asked for no challenge yet."""

SESSIONS_OF_OFFICER_MAX: Final = 8
"""On how many browsers one officer is signed in at once: the oldest session ends first."""

KEPT_MAX: Final = 64
"""How many things a session keeps for once, such as rulings that wait for a signature: the oldest goes first."""

_ID_BYTES: Final = 32


def make_cookie(session_id: str) -> str:
    """Return the value of a `Set-Cookie` header: not for scripts, nor for requests that another site has caused."""
    return f"{COOKIE}={session_id}; Path=/; Secure; HttpOnly; SameSite=Strict"


END_COOKIE: Final = f"{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict"
"""The value of a `Set-Cookie` header that makes a browser forget its session."""


@dataclass(slots=True, eq=False)
class Session:
    """One browser.

    Attributes:
        key: What tells it from others: the hash of its id, which signs nobody in.
        state: The State of the desk that made it: no other desk accepts it.
        officer_id: Id of the officer who has signed in; None before.
        credential_id: The passkey that he or she has signed in with; empty before.
        created_at: When it began, in UTC milliseconds.
        used_at: When it was used last, in UTC milliseconds.
        csrf: The token that every POST must carry.
        language: Language of the pages.
        time_zone: IANA name of the zone of the browser.
    """

    key: str
    state: str
    officer_id: str | None
    credential_id: bytes
    created_at: int
    used_at: int
    csrf: str
    language: str
    time_zone: str = "UTC"
    _kept: OrderedDict[str, tuple[int, Any]] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def keep(self, value: Any, expires_at: int) -> str:
        """Keep something for one use; return the id under which `take` returns it.

        Args:
            value: What to keep, such as a ruling that waits for a signature.
            expires_at: Until when, in UTC milliseconds.
        """
        key = secrets.token_urlsafe(24)
        with self._lock:
            self._kept[key] = (expires_at, value)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return key

    @property
    def keeps_something(self) -> bool:
        """Whether anything is kept, such as a challenge that waits for a signature."""
        return bool(self._kept)

    def take(self, key: str, now: int) -> Any | None:
        """Return what was kept and forget it; None if nothing was, it was taken before, or it has expired."""
        with self._lock:
            expires_at, value = self._kept.pop(key, (0, None))
        return value if now < expires_at else None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An officer who is signed in, as the register says now.

    Attributes:
        officer: The officer's entry in the register.
        session: The session.
    """

    officer: OfficerEntry
    session: Session

    @property
    def has_passkey(self) -> bool:
        """Whether the register still names the passkey that the officer has signed in with."""
        return find_passkey(self.officer, self.session.credential_id) is not None


def find_passkey(officer: OfficerEntry, credential_id: bytes) -> Passkey | None:
    """Return the officer's passkey with an id; None if the register names none with it."""
    return next((each for each in officer.passkeys if each.credential_id == credential_id.hex()), None)


class SessionStore:
    """All sessions of a desk. Thread-safe.

    Args:
        state: The State of the desk.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._swept_at = 0
        self._signed_in: OrderedDict[str, Session] = OrderedDict()
        self._anonymous: OrderedDict[str, Session] = OrderedDict()

    def begin_anonymous(self, now: int, language: str) -> tuple[str, Session]:
        """Begin a session of a browser that has not signed in; return the id for its cookie, and the session."""
        session_id, session = self._make(None, b"", now, language)
        self._sweep_sometimes(now)
        with self._lock:
            self._anonymous[_hash(session_id)] = session
            while len(self._anonymous) > ANONYMOUS_COUNT_MAX:
                del self._anonymous[self._find_evictable()]
        return session_id, session

    def _find_evictable(self) -> str:
        """Return the oldest session that nobody is about to sign in with: challenges are limited for each address."""
        oldest = next(iter(self._anonymous))
        return next((key for key, each in self._anonymous.items() if not each.keeps_something), oldest)

    def begin(self, officer_id: str, credential_id: bytes, now: int, before: Session) -> tuple[str, Session]:
        """Begin the session of an officer who has just signed in; return the id for the cookie, and the session.

        Args:
            officer_id: Id of the officer.
            credential_id: The passkey that he or she has signed in with.
            now: The time in UTC milliseconds.
            before: The anonymous session, which ends.
        """
        session_id, session = self._make(officer_id, credential_id, now, before.language)
        session.time_zone = before.time_zone
        with self._lock:
            self._remove(before)
            own = [key for key, each in self._signed_in.items() if each.officer_id == officer_id]
            for key in own[: max(0, len(own) - SESSIONS_OF_OFFICER_MAX + 1)]:
                del self._signed_in[key]
            self._signed_in[_hash(session_id)] = session
        return session_id, session

    def find(self, session_id: str, now: int, *, is_use: bool = True) -> Session | None:
        """Return a session that has not ended, and record its use; None if there is none with this id.

        Args:
            session_id: The id in the cookie.
            now: The time in UTC milliseconds.
            is_use: Whether it is used: what an open page fetches by itself is no use.
        """
        key = _hash(session_id)
        with self._lock:
            session = self._signed_in.get(key) or self._anonymous.get(key)
            if session is None:
                return None
            if session.state != self._state or _has_ended(session, now):
                self._remove(session)
                return None
            if is_use:
                session.used_at = max(session.used_at, now)
            return session

    def is_alive(self, session: Session, now: int) -> bool:
        """Return whether a session has not ended, without recording a use of it: a page that only waits is idle."""
        with self._lock:
            return self._signed_in.get(session.key) is session and not _has_ended(session, now)

    def end(self, session: Session) -> None:
        """End a session."""
        with self._lock:
            self._remove(session)

    def end_officer(self, officer_id: str) -> int:
        """End every session of an officer; return how many there were."""
        with self._lock:
            keys = [key for key, each in self._signed_in.items() if each.officer_id == officer_id]
            for key in keys:
                del self._signed_in[key]
            return len(keys)

    def sweep(self, now: int) -> None:
        """Forget the sessions that have ended."""
        with self._lock:
            for sessions in (self._signed_in, self._anonymous):
                for key in [key for key, each in sessions.items() if _has_ended(each, now)]:
                    del sessions[key]

    def _sweep_sometimes(self, now: int) -> None:
        if now >= self._swept_at + MINUTE_MS:
            self._swept_at = now
            self.sweep(now)

    def count_signed_in(self) -> int:
        """Return how many sessions of officers there are."""
        with self._lock:
            return len(self._signed_in)

    def _make(self, officer_id: str | None, credential_id: bytes, now: int, language: str) -> tuple[str, Session]:
        session_id = secrets.token_hex(_ID_BYTES)
        csrf = secrets.token_urlsafe(_ID_BYTES)
        return session_id, Session(_hash(session_id), self._state, officer_id, credential_id, now, now, csrf, language)

    def _remove(self, session: Session) -> None:
        self._signed_in.pop(session.key, None)
        self._anonymous.pop(session.key, None)


def _has_ended(session: Session, now: int) -> bool:
    if session.officer_id is None:
        return now >= session.created_at + ANONYMOUS_MAX_MS
    return now >= session.created_at + SESSION_MAX_MS or now >= session.used_at + IDLE_MAX_MS


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "replace")).hexdigest()
