"""`GET /events`: server-sent events that tell an open page what to fetch again (HTML Living Standard, 9.2).

Only numbers are sent: `board` (a revision), `emergency` (how many are open), `broker` (since when it is away, in UTC
milliseconds, or 0). What has changed is then fetched as any page is, by the officer who may see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from sharing.desk.services import DeskServices
from sharing.desk.web.access import EVENTS_PATH, require_officer
from sharing.desk.web.errors import PageError
from sharing.desk.web.sessions import SignedIn

LOOK_SECONDS: Final = 0.5
"""How long a change may stay unseen that nobody has announced, such as that the broker is back."""

BEAT_SECONDS: Final = 15.0
"""How often something is sent in any case, so that proxies keep the connection, and a lost one is noticed."""

STREAMS_MAX: Final = 500
STREAMS_OF_SESSION_MAX: Final = 12


class _EventResponse(StreamingResponse):
    """A stream, which says when it has ended, however it ends.

    Args:
        events: What is sent.
        on_end: Is called at the end.
    """

    def __init__(self, events: AsyncIterator[str], on_end: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


class EventStreams:
    """The open streams of all pages.

    Args:
        services: What the pages need of the world.
    """

    def __init__(self, services: DeskServices) -> None:
        self._services = services
        self._open: dict[int, int] = {}

    def list_routes(self) -> list[BaseRoute]:
        """Return the one route."""
        return [Route(EVENTS_PATH, self.serve, methods=["GET"])]

    @property
    def count(self) -> int:
        """How many streams are open."""
        return sum(self._open.values())

    async def serve(self, request: Request) -> Response:
        """Answer with a stream that ends with the session, the officer's entry, or the desk."""
        signed_in = require_officer(request)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        key = id(signed_in.session)
        if self.count >= STREAMS_MAX or self._open.get(key, 0) >= STREAMS_OF_SESSION_MAX:
            raise PageError(429)
        # Counted before anything is awaited: many that are opened at once must not all find room.
        self._open[key] = self._open.get(key, 0) + 1
        return _EventResponse(self.list_events(signed_in), lambda: self._release(key))

    def _release(self, key: int) -> None:
        self._open[key] -= 1
        if self._open[key] <= 0:
            del self._open[key]

    async def list_events(self, signed_in: SignedIn) -> AsyncIterator[str]:
        """Yield the stream of a session, until it ends, or the officer's entry or the desk does."""
        services, changes = self._services, self._services.changes
        yield "retry: 2000\n\n"
        sent: dict[str, int] = {}
        revision, quiet = -1, 0.0
        while not changes.is_closed and self._may_listen(signed_in):
            now_is = {
                "board": services.board.revision,
                "emergency": services.board.emergencies,
                "broker": services.broker.away_since or 0,
            }
            changed = {name: value for name, value in now_is.items() if sent.get(name) != value}
            if changed:
                sent, quiet = now_is, 0.0
                yield "".join(f"event: {name}\ndata: {value}\n\n" for name, value in changed.items())
            elif quiet >= BEAT_SECONDS:
                quiet = 0.0
                yield ": alive\n\n"
            began = asyncio.get_running_loop().time()
            revision = await changes.wait_for_change(revision, LOOK_SECONDS)
            quiet += asyncio.get_running_loop().time() - began
        if not changes.is_closed:
            yield "event: session\ndata: 0\n\n"  # it has ended: the page offers to sign in again

    def _may_listen(self, signed_in: SignedIn) -> bool:
        """Return whether the session and the officer are still in force. Listening alone keeps no session alive."""
        now = self._services.read_clock()
        if not self._services.sessions.is_alive(signed_in.session, now):
            return False
        officer = self._services.register.find(signed_in.officer.id, now)
        return officer is not None and SignedIn(officer, signed_in.session).has_passkey
