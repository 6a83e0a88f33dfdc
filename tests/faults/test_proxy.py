"""Tests that each network fault of the proxy affects clients until it is repaired."""

from __future__ import annotations

import queue
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from sharing.testing.broker.process import LOOPBACK
from tests.faults.proxy import Proxy

TIMEOUT_S = 60.0


class ProxiedServer(NamedTuple):
    """A proxy in front of an echo server, and the requests that the server received."""

    proxy: Proxy
    requests: queue.Queue[bytes]

    def connect(self) -> socket.socket:
        return socket.create_connection((LOOPBACK, self.proxy.port), TIMEOUT_S)


@pytest.fixture
def server() -> Iterator[ProxiedServer]:
    requests: queue.Queue[bytes] = queue.Queue()

    class Echo(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(100):
                requests.put(data)
                self.request.sendall(data)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore resets, which the proxy causes on purpose."""

    with Server((LOOPBACK, 0), Echo) as echo, Proxy() as proxy:
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        proxy.target = echo.server_address[1]
        yield ProxiedServer(proxy, requests)
        echo.shutdown()


def echoes(client: socket.socket, data: bytes) -> bool:
    client.sendall(data)
    return client.recv(100) == data


def is_closed(client: socket.socket) -> bool:
    """Return whether the peer has closed or reset the connection without sending data."""
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


def test_data_is_forwarded_in_both_directions(server: ProxiedServer) -> None:
    with server.connect() as client:
        assert echoes(client, b"request")
    assert server.requests.get(timeout=TIMEOUT_S) == b"request"


def test_connections_are_reset(server: ProxiedServer) -> None:
    with server.connect() as client:
        assert echoes(client, b"request")
        server.proxy.reset_connections()
        assert is_closed(client)
    with server.connect() as client:
        assert echoes(client, b"request")


def test_connections_are_refused_until_the_repair(server: ProxiedServer) -> None:
    server.proxy.refuse_connections()
    with server.connect() as client:
        assert is_closed(client)
    server.proxy.repair()
    with server.connect() as client:
        assert echoes(client, b"request")


def test_replies_are_dropped_and_the_repair_resets_the_connection(server: ProxiedServer) -> None:
    server.proxy.drop_replies()
    with server.connect() as client:
        client.sendall(b"request")
        assert server.requests.get(timeout=TIMEOUT_S) == b"request"
        server.proxy.repair()
        assert is_closed(client)
    with server.connect() as client:
        assert echoes(client, b"request")


def test_data_is_held_back_until_the_repair(server: ProxiedServer) -> None:
    server.proxy.stall()
    with server.connect() as client:
        client.sendall(b"request")
        assert server.requests.empty()
        server.proxy.repair()
        assert client.recv(100) == b"request"


def test_data_is_delayed_in_both_directions(server: ProxiedServer) -> None:
    server.proxy.delay(0.05)
    with server.connect() as client:
        started_at = time.monotonic()
        assert echoes(client, b"request")
        assert time.monotonic() - started_at >= 0.1
