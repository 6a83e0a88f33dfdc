"""What the journeys rely on: each thing that may be wrong with a page is found, on a page that has it."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from tests.desk.browser import DeskBrowser
from tests.desk.chromium import find_chromium, hash_public_key

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style>@media (prefers-color-scheme: dark) {{ body {{ background: #000; color: {dark} }} }}</style></head>
<body><main><h1>Page</h1>{body}</main></body></html>"""
POLICY = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:"

PAGES = {
    "/good": ("<p>Well</p><noscript><p>No scripts</p></noscript>", "#fff"),
    "/unlabelled": ('<input name="a">', "#fff"),
    "/dark": ("<p>Too dark</p>", "#222"),
    "/wide": ('<p style="width: 500px">Too wide</p>', "#fff"),
    "/inline": ("<script>document.title = 'changed'</script>", "#fff"),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = PAGES.get(self.path)
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        body, dark = known or ("<p>No such page</p>", "#fff")
        self.wfile.write(PAGE.format(body=body, dark=dark).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        del format, args


@contextlib.contextmanager
def serve() -> Iterator[tuple[str, bytes]]:
    """Serve the pages over TLS; yield the origin and the certificate."""
    certificate = trustme.CA().issue_cert("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}", certificate.cert_chain_pems[0].bytes()
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskBrowser]:
    chromium = find_chromium(tmp_path_factory.mktemp("chromium"))
    with serve() as (origin, certificate):
        driver = chromium.start(hash_public_key(certificate))
        try:
            yield DeskBrowser(driver, origin)
        finally:
            driver.quit()


def test_a_good_page_passes(browser: DeskBrowser) -> None:
    browser.open("/good")
    assert browser.checked["/good"] == 1
    assert browser.title == "Page"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/unlabelled", "Form elements must have labels"),
        ("/dark", "dark: color-contrast"),
        ("/wide", "scrolls sideways at 360 px"),
        ("/inline", "Content Security Policy"),
        ("/missing", "status of 404"),
    ],
)
def test_what_is_wrong_with_a_page_is_found(browser: DeskBrowser, path: str, found: str) -> None:
    with pytest.raises(AssertionError, match=found):
        browser.open(path)


def test_an_expected_error_is_accepted_where_it_is_expected_only(browser: DeskBrowser) -> None:
    with browser.expect_errors("status of 404"):
        browser.open("/missing")
    with pytest.raises(AssertionError, match="404"):
        browser.open("/missing")


def test_scripts_can_be_switched_off(browser: DeskBrowser) -> None:
    browser.use_scripts(enabled=False)
    browser.open("/good")
    assert "No scripts" in browser.read_text()
    browser.use_scripts(enabled=True)
    browser.open("/good")
    assert "No scripts" not in browser.read_text()


def test_the_authenticator_signs_with_the_passkey_that_it_was_given(browser: DeskBrowser, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private = ec.generate_private_key(ec.SECP256R1())
    key = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    browser.open("/good")
    browser.add_passkey(b"0123456789abcdef", key, "localhost", b"user")
    signed = browser.driver.execute_async_script(
        """const done = arguments[arguments.length - 1];
        navigator.credentials.get({publicKey: {challenge: new Uint8Array(32), rpId: "localhost",
            userVerification: "required"}})
            .then(it => done([...new Uint8Array(it.rawId)]), error => done(String(error)));"""
    )
    assert bytes(signed) == b"0123456789abcdef", signed
