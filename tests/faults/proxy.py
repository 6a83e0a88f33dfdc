"""A TCP proxy between clients and a broker that simulates network faults."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Self

from sharing.testing.broker.process import LOOPBACK

_BYTES = 256 * 1024
_LIMIT_S = 10.0


@dataclass(eq=False)
class _ProxiedConnection:
    """A client's connection and the corresponding connection to the broker."""

    client: asyncio.StreamWriter
    broker: asyncio.StreamWriter
    pumps: list[asyncio.Task[None]] = field(default_factory=list)

    def reset(self) -> None:
        """Reset both connections (RST); data in transit is lost."""
        for pump in self.pumps:
            pump.cancel()
        for writer in (self.client, self.broker):
            raw = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Listens on a loopback port, in a separate thread; the broker advertises this port (`advertised.listeners`).

    Attributes:
        port: The port on which it listens.
        target: The port of the broker; set before a client connects.
    """

    def __init__(self) -> None:
        self.port = 0
        self.target = 0
        self._refuses_connections = False
        self._delay_s = 0.0
        self._drops_replies = False
        self._connections: set[_ProxiedConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run_coroutine(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run_coroutine(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LIMIT_S)
        self._loop.close()

    def reset_connections(self, seed: int = 0, share: float = 1.0) -> None:
        """Reset all connections, or a share of them."""
        rng = random.Random(seed)

        def reset() -> None:
            for connection in list(self._connections):
                if rng.random() < share:
                    connection.reset()

        self._run_in_loop(reset)

    def refuse_connections(self) -> None:
        """Reset all connections and refuse new ones."""

        def refuse() -> None:
            self._refuses_connections = True

        self._run_in_loop(refuse)
        self.reset_connections()

    def stall(self) -> None:
        """Hold back data in both directions; nothing is lost if this is repaired before a timeout."""
        self._run_in_loop(self._flowing.clear)

    def drop_replies(self) -> None:
        """Forward requests and discard replies: the client does not learn the result."""

        def drop() -> None:
            self._drops_replies = True

        self._run_in_loop(drop)

    def delay(self, delay_s: float) -> None:
        """Delay each chunk of data."""

        def set_delay() -> None:
            self._delay_s = delay_s

        self._run_in_loop(set_delay)

    def repair(self) -> None:
        """Forward everything again. Connections with missing replies are reset."""

        def restore() -> None:
            if self._drops_replies:
                for connection in list(self._connections):
                    connection.reset()
            self._refuses_connections = self._drops_replies = False
            self._delay_s = 0.0
            self._flowing.set()

        self._run_in_loop(restore)

    def _run_in_loop(self, change: Callable[[], object]) -> None:
        finished: Future[None] = Future()

        def run() -> None:
            change()
            finished.set_result(None)

        self._loop.call_soon_threadsafe(run)
        finished.result(_LIMIT_S)

    def _run_coroutine(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_LIMIT_S)  # type: ignore[arg-type]  # a coroutine

    async def _listen(self) -> None:
        self._flowing.set()
        server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.reset()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_LIMIT_S / 2)

    async def _serve(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._refuses_connections:
            client.transport.abort()
            return
        try:
            broker_reader, broker = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:  # the broker is unavailable
            client.transport.abort()
            return
        connection = _ProxiedConnection(client, broker)
        connection.pumps = [
            asyncio.create_task(self._pump(client_reader, broker, to_client=False)),
            asyncio.create_task(self._pump(broker_reader, client, to_client=True)),
        ]
        self._connections.add(connection)
        await asyncio.wait(connection.pumps, return_when=asyncio.FIRST_COMPLETED)
        self._connections.discard(connection)
        connection.reset()
        await asyncio.gather(*connection.pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_client: bool) -> None:
        with contextlib.suppress(OSError):  # one side has closed the connection
            while data := await reader.read(_BYTES):
                await self._flowing.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                if to_client and self._drops_replies:
                    continue
                writer.write(data)
                await writer.drain()
