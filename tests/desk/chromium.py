"""Finds Chromium and its driver: on the path, or unpacked from Debian's packages in `build/`; and starts it."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.monitoring.tools import ROOT, find_tool

SYSTEM = ROOT / "build" / "system"
LIBRARIES = ("lib/*-linux-gnu*", "usr/lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/pulseaudio")

FAMILIES = dict.fromkeys(("sans", "sans-serif", "system-ui"), "Liberation Sans") | {"monospace": "Liberation Mono"}
MATCH = """<match target="pattern"><test name="family"><string>{}</string></test>
<edit name="family" mode="prepend" binding="strong"><string>{}</string></edit></match>
"""
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>/usr/share/fonts</dir><dir>{fonts}</dir><cachedir>{cache}</cachedir>
{families}<match target="pattern"><edit name="family" mode="append_last"><string>Liberation Sans</string></edit></match>
</fontconfig>
"""
"""The same fonts on every machine, so that screenshots look alike."""

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # the tests may run as root
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--force-prefers-reduced-motion",
)


@dataclass(frozen=True)
class Chromium:
    """Chromium, its driver, and the environment in which both find their libraries and fonts."""

    program: str
    driver: str
    environment: dict[str, str]

    def start(self, *trusted: str) -> webdriver.Chrome:
        """Start a browser without any history.

        Args:
            trusted: Hashes of the public keys of servers that it trusts, as `hash_public_key` returns them.
        """
        options = webdriver.ChromeOptions()
        options.binary_location = self.program
        for argument in (*ARGUMENTS, f"--ignore-certificate-errors-spki-list={','.join(trusted)}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.set_capability("unhandledPromptBehavior", "ignore")
        return webdriver.Chrome(options=options, service=Service(self.driver, env=self.environment))


def find_chromium(folder: Path) -> Chromium:
    """Return Chromium. Without it the test is skipped; with CI=true it fails.

    Args:
        folder: Where the configuration and the cache of its fonts are written.
    """
    driver, program = find_tool("chromedriver"), find_tool("chromium")
    if Path(program).is_relative_to(SYSTEM):
        # Debian's `chromium` is a script, which looks for the program in /usr/lib.
        program = str(SYSTEM / "usr" / "lib" / "chromium" / "chromium")
    configuration = folder / "fonts.conf"
    families = "".join(MATCH.format(*each) for each in FAMILIES.items())
    fonts = SYSTEM / "usr" / "share" / "fonts"
    configuration.write_text(FONTS.format(fonts=fonts, cache=folder / "font-cache", families=families))
    libraries = [str(path) for pattern in LIBRARIES for path in sorted(SYSTEM.glob(pattern))]
    known = os.environ.get("LD_LIBRARY_PATH", "")
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(filter(None, [*libraries, known])),
        "FONTCONFIG_FILE": str(configuration),
        "LANG": "C.UTF-8",
    }
    return Chromium(program, driver, environment)


def hash_public_key(certificate: bytes) -> str:
    """Return the hash of a certificate's public key, by which Chromium is told to trust it.

    A page whose certificate is merely not checked may not use passkeys.
    """
    key = x509.load_pem_x509_certificate(certificate).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return b64encode(digest).decode()
