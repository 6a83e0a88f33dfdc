"""How long a client may take, and how many connections one address may have: otherwise a few hold the desk for all.

uvicorn waits without end for a client that has connected, and says nothing, or one byte a minute.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from sharing.desk.settings import is_loopback
from sharing.desk.web.client_names import name_client

HEAD_SECONDS: Final = 15.0
"""How long the head of a request may take, from the connection or from its first byte."""

READING_SECONDS: Final = 60.0
"""How long a client may read nothing of a response that waits for it."""

CONNECTIONS_OF_ADDRESS_MAX: Final = 400
"""Of one address, which may be that of an office. A proxy on this machine has a limit of its own."""


class LimitedProtocol(H11Protocol):
    """HTTP/1.1, with limits for each client."""

    client_name: str = ""
    _head_timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless the address has too many connections."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        self.client_name = name_client(host)
        if not is_loopback(host) and self._count_connections() > CONNECTIONS_OF_ADDRESS_MAX:
            transport.abort()
            return
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_head_timer()
        self._end_reading_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come; it gives no further time for a head that has begun."""
        super().data_received(data)
        self._watch_head()

    def pause_writing(self) -> None:
        """Wait until the client reads, for some time."""
        super().pause_writing()
        self._end_reading_timer()
        self._reading_timer = self.loop.call_later(READING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        super().resume_writing()
        self._end_reading_timer()

    def _count_connections(self) -> int:
        return sum(getattr(each, "client_name", "") == self.client_name for each in self.connections)

    def _watch_head(self) -> None:
        if not self._is_awaiting_head():
            self._end_head_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._end_without_head)

    def _is_awaiting_head(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_reading_timer(self) -> None:
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None

    def _end_without_head(self) -> None:
        """Close in order: a browser opens connections in advance, and must not take that for a fault."""
        if self._is_awaiting_head() and not self.transport.is_closing():
            self.transport.close()
