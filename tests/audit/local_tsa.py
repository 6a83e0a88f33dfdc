"""A time-stamping service on this machine: OpenSSL's `ts` behind HTTP."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

_CONFIG = """
[tsa]
default_tsa = service
[service]
dir = {folder}
serial = $dir/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[req]
distinguished_name = name
[name]
"""


class LocalTsa:
    """The keys and certificates of a service.

    Args:
        folder: An empty folder.

    Attributes:
        is_broken: Whether it answers questions over HTTP with something else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.is_broken = False
        self.root_file = folder / "root.pem"
        (folder / "config").write_text(_CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        for name in ("root", "service"):
            self._call("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")
        common = ("-config", "config", "-days", "30")
        self._call(
            "req", "-new", "-x509", "-key", "root.key", "-subj", "/CN=Root", "-extensions", "root", *common,
            "-out", "root.pem",
        )  # fmt: skip
        self._call(
            "req", "-new", "-key", "service.key", "-subj", "/CN=Service", "-config", "config", "-out", "service.csr"
        )
        self._call(
            "x509", "-req", "-in", "service.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial",
            "-days", "30", "-extfile", "config", "-extensions", "extensions", "-out", "service.pem",
        )  # fmt: skip

    def answer(self, query: bytes) -> bytes:
        """Return the answer to a request."""
        (self._folder / "query").write_bytes(query)
        self._call(
            "ts", "-reply", "-config", "config", "-section", "service", "-queryfile", "query", "-signer", "service.pem",
            "-inkey", "service.key", "-out", "reply",
        )  # fmt: skip
        return (self._folder / "reply").read_bytes()

    @contextmanager
    def serve(
        self, content_type: str = "application/timestamp-reply", status: int = 200, port: int = 0
    ) -> Iterator[str]:
        """Answer requests over HTTP, at any free port by default; yield the address."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = service.answer(self.rfile.read(int(self.headers["Content-Length"])))
                data = b"junk" if service.is_broken else data
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002 as the base class names it
                del format

        server = HTTPServer(("127.0.0.1", port), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _call(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)
