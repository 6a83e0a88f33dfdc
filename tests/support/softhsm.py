"""A SoftHSM token for a test: Debian's, installed or unpacked in `build/`."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.monitoring.tools import ROOT, find_tool

PIN = "canary-pin-83"
_PLACES = (Path("/usr/lib/softhsm"), ROOT / "build" / "system" / "usr" / "lib" / "softhsm")


@dataclass(frozen=True)
class SoftToken:
    """A token in a folder of its own.

    Attributes:
        folder: Where its objects and its PIN file are.
        label: Its label.
        module: SoftHSM's library.
    """

    folder: Path
    label: str
    module: Path

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin"

    @property
    def objects(self) -> Path:
        return self.folder / "tokens"

    @property
    def address(self) -> str:
        return f"pkcs11:token={quote(self.label)}?module-path={self.module}&pin-source=file:{self.pin_file}"

    def take_out(self) -> Path:
        """Take the token out while a program uses it; return where it is."""
        away = self.folder / "away"
        shutil.move(self.objects, away)
        self.objects.mkdir()
        return away

    def put_back(self) -> None:
        self.objects.rmdir()
        shutil.move(self.folder / "away", self.objects)


def make_soft_token(folder: Path, monkeypatch: pytest.MonkeyPatch, label: str = "CH keys") -> SoftToken:
    """Return a new token; SOFTHSM2_CONF names it. Without SoftHSM the test is skipped; with CI=true it fails."""
    tool = find_tool("softhsm2-util")
    module = next((place / "libsofthsm2.so" for place in _PLACES if (place / "libsofthsm2.so").exists()), None)
    assert module is not None, "softhsm2-util without libsofthsm2"
    folder.mkdir(exist_ok=True)
    token = SoftToken(folder, label, module)
    token.objects.mkdir(exist_ok=True)
    token.pin_file.write_text(PIN + "\n")
    token.pin_file.chmod(0o600)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {token.objects}\nobjectstore.backend = file\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    subprocess.run(
        [tool, "--module", module, "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-" + PIN],
        check=True, capture_output=True, timeout=240, env=os.environ,
    )  # fmt: skip
    return token
