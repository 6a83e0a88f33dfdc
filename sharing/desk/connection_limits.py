"""How long a client may take, and how many connections one address may have: a few must not block all others.

uvicorn waits without end for a client that has connected, and says nothing, or one byte a minute; it does not know a
client that has not finished its TLS handshake. So connections are counted where they are accepted.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from sharing.desk.settings import is_loopback
from sharing.desk.web.client_names import name_client

HEAD_SECONDS: Final = 15.0
"""How long the head of a request may take, from the connection or from its first byte."""

READING_SECONDS: Final = 60.0
"""How long a client may read nothing of a response that waits for it."""

CONNECTIONS_OF_ADDRESS_MAX: Final = 400
"""Of one address, which may be that of an office. A proxy on this machine has a limit of its own."""


class LimitedListener(socket.socket):
    """Listens, and closes at once what an address connects beyond its limit. Used by one event loop.

    A connection counts from the first packet to its end: with or without TLS, whatever the client has sent.
    """

    def __init__(self, listener: socket.socket) -> None:
        """Take the place of a listening socket, which is used no longer."""
        super().__init__(fileno=listener.detach())
        self._open = Counter[str]()

    def accept(self) -> tuple[socket.socket, Any]:
        """Return a new connection and the address of its client.

        Raises:
            ConnectionAbortedError: It was closed. An event loop goes on with the next.
        """
        accepted, address = super().accept()
        client = name_client(address[0])
        if not is_loopback(address[0]) and self._open[client] >= CONNECTIONS_OF_ADDRESS_MAX:
            accepted.close()
            raise ConnectionAbortedError(f"more than {CONNECTIONS_OF_ADDRESS_MAX} connections of one address")
        self._open[client] += 1
        return _CountedConnection(accepted, lambda: self._forget(client)), address

    def _forget(self, client: str) -> None:
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]


class _CountedConnection(socket.socket):
    """Says once that it was closed."""

    def __init__(self, accepted: socket.socket, on_close: Callable[[], None]) -> None:
        super().__init__(fileno=accepted.detach())
        self._on_close: Callable[[], None] | None = on_close

    def close(self) -> None:
        """Close the connection."""
        super().close()
        if self._on_close is not None:
            self._on_close()
            self._on_close = None


class LimitedProtocol(H11Protocol):
    """HTTP/1.1, with times for each client."""

    _head_timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
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
