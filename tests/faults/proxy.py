"""A TCP proxy between clients and broker, whose connections can be broken in every way that networks do it."""

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
class _Link:
    """One connection of a client, and its own to the broker."""

    client: asyncio.StreamWriter
    broker: asyncio.StreamWriter
    pumps: list[asyncio.Task[None]] = field(default_factory=list)

    def reset(self) -> None:
        """Break both halves at once: RST, and what is under way is lost."""
        for pump in self.pumps:
            pump.cancel()
        for writer in (self.client, self.broker):
            raw = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Listens on a port of the loopback, in a thread of its own; clients are told this port (`advertised.listeners`).

    Attributes:
        port: Where it listens.
        target: The broker's own port; set before a client comes.
    """

    def __init__(self) -> None:
        self.port = 0
        self.target = 0
        self._refuses = False
        self._delay_s = 0.0
        self._deaf = False
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LIMIT_S)
        self._loop.close()

    def reset(self, seed: int = 0, share: float = 1.0) -> None:
        """Break connections: all, or a share of them."""
        draw = random.Random(seed)

        def reset() -> None:
            for link in list(self._links):
                if draw.random() < share:
                    link.reset()

        self._do(reset)

    def refuse(self) -> None:
        """Break all, and take no new ones."""
        self._do(lambda: setattr(self, "_refuses", True))
        self.reset()

    def stall(self) -> None:
        """Let nothing through in either direction; nothing is lost if it is mended before somebody gives up."""
        self._do(self._flows.clear)

    def deafen(self) -> None:
        """Let requests through, and throw the replies away: what was done is not heard of."""
        self._do(lambda: setattr(self, "_deaf", True))

    def slow(self, delay_s: float) -> None:
        """Hold each piece up for so long."""
        self._do(lambda: setattr(self, "_delay_s", delay_s))

    def mend(self) -> None:
        """Let everything through again. Connections from which replies are missing are broken."""

        def all_well() -> None:
            if self._deaf:
                for link in list(self._links):
                    link.reset()
            self._refuses = self._deaf = False
            self._delay_s = 0.0
            self._flows.set()

        self._do(all_well)

    def _do(self, change: Callable[[], object]) -> None:
        done: Future[None] = Future()

        def run() -> None:
            change()
            done.set_result(None)

        self._loop.call_soon_threadsafe(run)
        done.result(_LIMIT_S)

    def _wait(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_LIMIT_S)  # type: ignore[arg-type]  # a coroutine

    async def _listen(self) -> None:
        self._flows.set()
        server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        for link in list(self._links):
            link.reset()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=_LIMIT_S / 2)

    async def _serve(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._refuses:
            client.transport.abort()
            return
        try:
            broker_reader, broker = await asyncio.open_connection(LOOPBACK, self.target)
        except OSError:  # the broker is away
            client.transport.abort()
            return
        link = _Link(client, broker)
        link.pumps = [
            asyncio.create_task(self._pump(client_reader, broker, to_client=False)),
            asyncio.create_task(self._pump(broker_reader, client, to_client=True)),
        ]
        self._links.add(link)
        await asyncio.wait(link.pumps, return_when=asyncio.FIRST_COMPLETED)
        self._links.discard(link)
        link.reset()
        await asyncio.gather(*link.pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_client: bool) -> None:
        with contextlib.suppress(OSError):  # either end has gone, and the link with it
            while data := await reader.read(_BYTES):
                await self._flows.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                if to_client and self._deaf:
                    continue
                writer.write(data)
                await writer.drain()
