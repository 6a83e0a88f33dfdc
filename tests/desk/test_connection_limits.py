"""A client that sends or reads nothing holds no connection for long, and one address does not hold them all."""

from __future__ import annotations

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
from tests.support.waiting import wait_until

HEAD = b"GET / HTTP/1.1\r\nHost: desk.example\r\n"
LARGE = 16 * 1024 * 1024
SOON = 5.0


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
def patient_port() -> Iterator[int]:
    """A server at which a client may take its time."""
    with serve() as port:
        yield port


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connection_limits, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(connection_limits, "READING_SECONDS", 0.3)
    with serve() as port:
        yield port


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
    return socket.create_connection(("127.0.0.1", port), timeout=SOON)


def ask(client: socket.socket) -> None:
    """Send a request, and read its answer."""
    client.sendall(HEAD + b"\r\n")
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


def test_a_client_that_says_nothing_or_not_all_is_left(port: int) -> None:
    with connect(port) as quiet, connect(port) as half, connect(port) as after:
        half.sendall(HEAD)
        ask(after)
        after.sendall(b"G")  # the beginning of another request
        assert is_closed(quiet)
        assert is_closed(half)
        assert is_closed(after)


def test_one_byte_after_another_gives_no_further_time(port: int) -> None:
    with connect(port) as client:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in HEAD * 100:
                client.sendall(bytes([byte]))
                time.sleep(0.02)
        assert time.monotonic() - began < SOON


def test_a_client_that_reads_nothing_is_left(port: int) -> None:
    with connect(port) as client:
        client.sendall(HEAD.replace(b"/", b"/large", 1) + b"\r\n")
        time.sleep(1.0)  # more than it may take; a client that reads at once gets all of it, below
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := client.recv(1 << 20):
                received += len(part)
        assert received < LARGE
    with connect(port) as client:
        client.sendall(HEAD.replace(b"/", b"/large", 1) + b"\r\n")
        received = 0
        while received < LARGE:
            received += len(client.recv(1 << 20))


def test_requests_of_a_client_that_goes_on_are_answered_on_one_connection(port: int) -> None:
    with connect(port) as client:
        for _ in range(4):
            ask(client)
            time.sleep(0.15)  # twice this is more than the head may take: each request begins again


def test_one_address_does_not_take_all_connections(patient_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "CONNECTIONS_OF_ADDRESS_MAX", 2)
    monkeypatch.setattr(connection_limits, "is_loopback", lambda _host: False)
    with connect(patient_port) as first, connect(patient_port) as second, connect(patient_port) as third:
        assert is_closed(third)
        for client in (first, second):
            ask(client)


def test_a_proxy_on_this_machine_has_no_limit_of_its_own(patient_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "CONNECTIONS_OF_ADDRESS_MAX", 2)
    with connect(patient_port), connect(patient_port), connect(patient_port) as third:
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
