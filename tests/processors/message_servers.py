"""A mail server and a webhook's receiver on this machine, which can be down, slow or refuse."""

from __future__ import annotations

import email
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from sharing.testing.broker.process import find_free_port

HOST = "127.0.0.1"
OTHER_HOST = "127.0.0.2"
"""This machine as well, but not under a name that counts as it: TLS is required."""


class MailServer:
    """Attributes: `mails` has recipient and content of each message."""

    def __init__(self, host: str = HOST) -> None:
        self.host, self.port = host, find_free_port()
        self.mails: list[tuple[str, Message]] = []
        self.raw: list[bytes] = []
        self.logins: list[bytes] = []
        self.greetings: list[str] = []
        self.refuses: set[str] = set()

    @contextmanager
    def run(self, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None) -> Iterator[None]:
        """Serve, over TLS if a context is given, and then only to who logs in; or with STARTTLS."""
        options: dict[str, Any] = {}
        if tls is not None:
            options = {"ssl_context": tls, "authenticator": self._authenticate, "auth_require_tls": False}
            options["auth_required"] = True
        if starttls is not None:
            options = {"tls_context": starttls, "require_starttls": True}
        controller = Controller(self, hostname=self.host, port=self.port, ready_timeout=120.0, **options)
        controller.start()
        try:
            yield
        finally:
            controller.stop()

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        self.logins.append(data.login + b":" + data.password)
        return AuthResult(success=True)

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.greetings.append(str(session.host_name))
        self.raw.append(content)
        self.mails.append((", ".join(map(str, envelope.rcpt_tos)), email.message_from_bytes(content)))
        return "250 OK"


class Receiver:
    """Attributes: `documents` has each document that was accepted; `status` is what it answers."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        self.status = 204
        self.redirects_to = ""
        self.requests = 0

    @contextmanager
    def run(self, tls: ssl.SSLContext | None = None) -> Iterator[str]:
        """Serve, and yield the address."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.requests += 1
                if receiver.status < 300:
                    receiver.documents.append(document)
                self.send_response(receiver.status)
                if receiver.redirects_to:
                    self.send_header("Location", receiver.redirects_to)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Log nothing."""

        server = ThreadingHTTPServer((HOST, 0), Handler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"{'http' if tls is None else 'https'}://{HOST}:{server.server_address[1]}/hook/canary-token"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def make_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return the context of a server on this machine, and the file of the CA that has signed its certificate."""
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST, OTHER_HOST).configure_cert(context)
    path = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return context, path
