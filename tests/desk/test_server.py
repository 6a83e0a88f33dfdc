"""The process: what it listens on, TLS, and its end with open pages."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from sharing.cli.desk import make_desk_settings
from sharing.desk.server import serve
from sharing.desk.settings import DeskSettings, is_loopback, require_protected
from sharing.errors import InfrastructureError, SettingsError
from sharing.settings import load_settings
from sharing.testing.broker.process import find_free_port
from tests.desk.asgi import make_services
from tests.support.waiting import TIMEOUT_S, wait_until

PROGRAM = """
import sys
import time
from pathlib import Path
from sharing.desk.application import build_application
from sharing.desk.server import serve
from sharing.desk.settings import DeskSettings
from sharing.desk.web.sessions import make_cookie
from tests.desk.asgi import find_credential, make_services
port, metrics_port, certificate, key = sys.argv[1:]
settings = DeskSettings("DE", f"https://localhost:{port}", port=int(port), metrics_port=int(metrics_port),
                        tls_certificate=Path(certificate), tls_key=Path(key))
services = make_services(settings=settings)
_, before = services.sessions.begin_anonymous(services.read_clock(), "en")
session_id, _ = services.sessions.begin("anna", find_credential(services, "anna"), services.read_clock(), before)
class Stuck:
    # A part that waits for a broker which does not answer.
    def start(self):
        pass

    def close(self):
        time.sleep(3600)

print(make_cookie(session_id).split(";")[0], flush=True)
serve(services, build_application(services, ()), (Stuck(), Stuck()))
"""


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


class Process:
    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        issued = self.authority.issue_cert("localhost")
        certificate, key = folder / "desk.pem", folder / "desk.key"
        issued.private_key_pem.write_to_path(key)
        certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        self.port, self.metrics_port = find_free_port(), find_free_port()
        arguments = [str(self.port), str(self.metrics_port), str(certificate), str(key)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit_files,  # noqa: PLW1509 a system does so by default; this process has one thread here
            env={name: value for name, value in os.environ.items() if not name.startswith("SHARING_")},
        )
        assert self.process.stdout is not None
        self.cookie = self.process.stdout.readline().strip()

    def connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return http.client.HTTPSConnection("localhost", self.port, context=context, timeout=TIMEOUT_S)

    def is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S):
                return True
        except OSError:
            return False


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process(tmp_path)
    try:
        wait_until(made.is_up, "the desk listens")
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        made.process.communicate()


def test_sigterm_ends_the_process_although_pages_listen_and_parts_hang(process: Process) -> None:
    listeners = [process.connect() for _ in range(3)]
    streams = []
    for listener in listeners:
        listener.request("GET", "/events", headers={"Cookie": process.cookie})
        stream = listener.getresponse()
        assert stream.status == 200
        assert stream.getheader("server") is None
        assert stream.readline() == b"retry: 2000\n"
        streams.append(stream)
    with socket.create_connection(("127.0.0.1", process.port)):  # one that says nothing
        metrics = http.client.HTTPConnection("127.0.0.1", process.metrics_port, timeout=TIMEOUT_S)
        metrics.request("GET", "/metrics")
        assert b"sharing_desk_sessions 1.0" in metrics.getresponse().read()
        metrics.close()
        process.process.send_signal(signal.SIGTERM)
        process.process.wait(timeout=TIMEOUT_S)
    assert process.process.returncode == 0
    for stream in streams:
        stream.read()  # each has ended in order
    for listener in listeners:
        listener.close()
    _, told = process.process.communicate()
    assert "Traceback" not in told


def test_clients_that_say_nothing_do_not_take_all_files_of_the_process(process: Process) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", process.port), timeout=TIMEOUT_S))
        connection = process.connect()
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        connection.close()


def test_the_pages_are_served_by_tls_only(process: Process) -> None:
    connection = process.connect()
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n"
    connection.close()
    plain = http.client.HTTPConnection("localhost", process.port, timeout=TIMEOUT_S)
    plain.request("GET", "/healthz")
    with pytest.raises((http.client.HTTPException, OSError)):
        plain.getresponse()
    plain.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "desk.example", ""])  # noqa: S104
def test_other_machines_are_served_by_tls_only(host: str) -> None:
    with pytest.raises(SettingsError, match="--tls-certificate and --tls-key"):
        require_protected(DeskSettings("DE", "https://desk.example", host=host))
    require_protected(
        DeskSettings("DE", "https://desk.example", host=host, tls_certificate=Path("c"), tls_key=Path("k"))
    )


def test_a_certificate_needs_its_key_and_both_must_be_usable(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TLS needs both"):
        require_protected(DeskSettings("DE", "https://desk.example", tls_key=Path("k")))
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for certificate in (bad, tmp_path / "missing.pem"):
        settings = DeskSettings(
            "DE", "https://desk.example", port=find_free_port(), tls_certificate=certificate, tls_key=bad
        )
        services = make_services(settings=settings)
        with pytest.raises(SettingsError, match="cannot be used together"):
            serve(services, None, ())  # type: ignore[arg-type]


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = DeskSettings("DE", "https://desk.example", port=listener.getsockname()[1])
        with pytest.raises(InfrastructureError, match=r"cannot listen on 127\.0\.0\.1"):
            serve(make_services(settings=settings), None, ())  # type: ignore[arg-type]


def test_loopback_is_this_machine() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "desk.example", "localhost.evil.example", "")))  # noqa: S104


def test_the_settings_of_a_desk_need_an_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="--origin"):
        make_desk_settings(load_settings(), "DE")
    monkeypatch.setenv("SHARING_DESK_ORIGIN", "https://Desk.example:443/")
    monkeypatch.setenv("SHARING_DESK_AGENCY", "bka")
    settings = make_desk_settings(load_settings(desk_port=9000), "DE")
    assert (settings.origin, settings.port, settings.agency) == ("https://desk.example", 9000, "bka")
    assert (settings.rp_id, settings.host_header) == ("desk.example", "desk.example")
    assert make_desk_settings(load_settings(desk_origin="https://d.example:444"), "DE").host_header == "d.example:444"


@pytest.mark.parametrize(
    "origin", ["https://10.0.0.1", "http://desk.example", "https://desk.example/x", "desk.example", "https://1"]
)
def test_an_origin_that_passkeys_cannot_be_bound_to_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match="--origin"):
        load_settings(desk_origin=origin)
