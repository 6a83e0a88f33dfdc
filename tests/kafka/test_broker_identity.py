"""What answers instead of the broker gets nothing from a client: neither its certificate's word nor a request."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sharing.kafka.clients import client_properties, make_producer
from sharing.kafka.tls import tls_properties
from sharing.settings import Settings
from sharing.testing.broker.certificates import AUTHORITY, BROKER, make_certificates
from tests.support.waiting import wait_until

CLIENT, PARTNER = "gate.ch", "gate.de"
SECONDS = 120.0


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two authorities with their certificates: the exchange's, and somebody else's."""
    pytest.importorskip("trustme")
    made = tmp_path_factory.mktemp("tls")
    for name in ("ours", "another"):
        make_certificates(made / name, (CLIENT, PARTNER))
    return made / "ours", made / "another"


@contextmanager
def answer_as(folder: Path, name: str) -> Iterator[tuple[int, list[bytes | None]]]:
    """Answer TLS connections with a certificate; yield the port, and what each connection has said, None if nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    context.load_verify_locations(folder / AUTHORITY)
    context.verify_mode = ssl.CERT_OPTIONAL  # a false broker lets everybody in
    listener, said = socket.create_server(("127.0.0.1", 0)), list[bytes | None]()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # the test is over
                return
            with closing(connection):
                said.append(_listen(context, connection))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], said
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(SECONDS)


def _listen(context: ssl.SSLContext, connection: socket.socket) -> bytes | None:
    """Return the first bytes that a client sends; None if it ends the connection before it says anything."""
    connection.settimeout(SECONDS)
    try:
        with context.wrap_socket(connection, server_side=True) as secured:
            return secured.recv(4) or None
    except OSError:
        return None


def _connect(folder: Path, port: int, has_answered: Callable[[], bool]) -> None:
    """Let a client of the exchange connect, as each program does, until something has answered."""
    settings = Settings(
        state="CH",
        bootstrap=f"127.0.0.1:{port}",
        tls_ca=folder / AUTHORITY,
        tls_certificate=folder / f"{CLIENT}.pem",
        tls_key=folder / f"{CLIENT}.key",
    )
    producer = make_producer(client_properties(settings.bootstrap or "", tls_properties(settings)))
    wait_until(lambda: producer.poll(0.05) is not None and has_answered(), "the client has connected", SECONDS)


def test_only_the_broker_whom_the_authority_names_hears_anything(folders: tuple[Path, Path]) -> None:
    ours, another = folders
    for folder, name in ((another, BROKER), (ours, PARTNER)):  # of another authority; ours, with another host name
        with answer_as(folder, name) as (port, said):
            _connect(ours, port, lambda said=said: len(said) >= 2)  # type: ignore[misc]  # it tries again
            assert set(said) == {None}, (folder.name, name)
    with answer_as(ours, BROKER) as (port, said):
        _connect(ours, port, lambda: any(said))
