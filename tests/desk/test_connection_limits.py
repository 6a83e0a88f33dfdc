"""A client that sends or reads nothing holds no connection for long, and one address does not hold them all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
import uvicorn
from starlette.types import Receive, Scope, Send

from sharing.desk import connection_limits
from sharing.desk.connection_limits import LimitedListener, LimitedProtocol
from sharing.desk.server import _listen, configure
from tests.desk.asgi import make_services
from tests.support.waiting import TIMEOUT_S, wait_until

HEAD = b"GET / HTTP/1.1\r\nHost: desk.example\r\n"
LARGE = 16 * 1024 * 1024
SHORT = 0.3
"""How long a client may take where a test is about one that takes longer."""


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with little, or on `/large` with more than any buffer holds."""
    del receive
    body = b"x" * (LARGE if scope["path"] == "/large" else 2)
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    for start in range(0, len(body), 65536):
        await send({"type": "http.response.body", "body": body[start : start + 65536], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def port() -> Iterator[int]:
    """A server at which a client may take its time, unless a test changes that."""
    with serve() as port:
        yield port


@pytest.fixture
def protocols(monkeypatch: pytest.MonkeyPatch) -> list[LimitedProtocol]:
    """Return what the server has for each connection, in their order."""
    made: list[LimitedProtocol] = []
    begin = LimitedProtocol.connection_made

    def note(protocol: LimitedProtocol, transport: asyncio.Transport) -> None:
        begin(protocol, transport)
        made.append(protocol)

    monkeypatch.setattr(LimitedProtocol, "connection_made", note)
    return made


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_port(authority: trustme.CA, tmp_path: Path) -> Iterator[int]:
    """The same with TLS."""
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "desk.pem"))
    with serve(tmp_path / "desk.pem") as port:
        yield port


@contextlib.contextmanager
def serve(certificate: Path | None = None) -> Iterator[int]:
    config = uvicorn.Config(
        answer,
        http=LimitedProtocol,
        log_config=None,
        lifespan="off",
        ws="none",
        loop="asyncio",
        ssl_certfile=certificate,
    )
    server = uvicorn.Server(config)
    with LimitedListener(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started, "the server has started")
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)


def ask(client: socket.socket) -> None:
    """Send a request, and read its answer."""
    client.sendall(HEAD + b"\r\n")
    read_answer(client)


def read_answer(client: socket.socket) -> None:
    received = b""
    while not received.endswith(b"xx"):
        part = client.recv(65536)
        if not part:
            raise ConnectionError("the server has closed the connection")
        received += part
    assert received.startswith(b"HTTP/1.1 200")


def is_closed(client: socket.socket) -> bool:
    """Wait until the server has closed a connection; return whether it has."""
    with contextlib.suppress(TimeoutError):
        while True:
            try:
                if not client.recv(65536):
                    return True
            except ConnectionError:
                return True
    return False


def test_a_client_that_says_nothing_or_not_all_is_left(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(port) as after:
        ask(after)
        monkeypatch.setattr(connection_limits, "HEAD_SECONDS", SHORT)
        with connect(port) as quiet, connect(port) as half:
            half.sendall(HEAD)
            after.sendall(b"G")  # the beginning of another request
            assert is_closed(quiet)
            assert is_closed(half)
            assert is_closed(after)


def test_one_byte_after_another_gives_no_further_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "HEAD_SECONDS", SHORT)
    with connect(port) as client, pytest.raises(ConnectionError):  # noqa: PT012 which byte is refused is not known
        for byte in HEAD * 100:
            client.sendall(bytes([byte]))
            time.sleep(0.02)


def test_a_client_that_reads_nothing_is_left(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, end = list[LimitedProtocol](), LimitedProtocol.connection_lost

    def note(protocol: LimitedProtocol, error: Exception | None) -> None:
        end(protocol, error)
        lost.append(protocol)

    monkeypatch.setattr(LimitedProtocol, "connection_lost", note)
    with connect(port) as client:
        client.sendall(HEAD.replace(b"/", b"/large", 1) + b"\r\n")
        received = 0
        while received < LARGE:
            part = client.recv(1 << 20)
            assert part, "a client that reads is not left"
            received += len(part)
    wait_until(lambda: len(lost) == 1, "the server knows that the client has ended")
    monkeypatch.setattr(connection_limits, "READING_SECONDS", SHORT)
    with connect(port) as client:
        client.sendall(HEAD.replace(b"/", b"/large", 1) + b"\r\n")
        wait_until(lambda: len(lost) == 2, "the server has left the client")
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := client.recv(1 << 20):
                received += len(part)
        assert received < LARGE


def test_each_request_of_a_client_that_goes_on_has_the_whole_time(port: int, protocols: list[LimitedProtocol]) -> None:
    """They are answered on one connection, whose first request may be long past."""
    ends: list[float] = []
    with connect(port) as client:
        for _ in range(3):
            client.sendall(HEAD)
            wait_until(lambda: bool(protocols) and protocols[0]._head_timer is not None, "a head is waited for")
            timer = protocols[0]._head_timer
            assert timer is not None
            ends.append(timer.when())
            client.sendall(b"\r\n")
            read_answer(client)
            wait_until(lambda: protocols[0]._head_timer is None, "no head is waited for")
    assert ends == sorted(set(ends))
    assert len(protocols) == 1


def test_one_address_does_not_take_all_connections(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "CONNECTIONS_OF_ADDRESS_MAX", 2)
    monkeypatch.setattr(connection_limits, "is_loopback", lambda _host: False)
    with connect(port) as first, connect(port) as second, connect(port) as third:
        assert is_closed(third)
        for client in (first, second):
            ask(client)


def test_a_proxy_on_this_machine_has_no_limit_of_its_own(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "CONNECTIONS_OF_ADDRESS_MAX", 2)
    with connect(port), connect(port), connect(port) as third:
        ask(third)


def test_connections_that_have_not_finished_tls_count(
    tls_port: int, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "CONNECTIONS_OF_ADDRESS_MAX", 3)
    monkeypatch.setattr(connection_limits, "is_loopback", lambda _host: False)
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def ask_with_tls() -> bool:
        """Ask on a new connection; return whether it was answered."""
        try:
            with connect(tls_port) as plain, context.wrap_socket(plain, server_hostname="localhost") as client:
                ask(client)
        except OSError:  # it was closed before the handshake
            return False
        return True

    with connect(tls_port), connect(tls_port) as half:
        half.sendall(b"\x16\x03\x01")  # the beginning of a record of TLS
        with connect(tls_port):
            assert not ask_with_tls()
        wait_until(ask_with_tls, "a connection that was closed does not count")


def test_the_desk_is_served_with_these_limits() -> None:
    services = make_services()
    assert configure(services.settings, answer).http_protocol_class is LimitedProtocol  # type: ignore[arg-type]
    with _listen("127.0.0.1", 0) as listener:
        assert isinstance(listener, LimitedListener)
