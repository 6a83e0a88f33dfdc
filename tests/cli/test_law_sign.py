"""`sharing law sign`, and what the other commands say of a signature."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from tests.cli.conftest import Call
from tests.packs.test_library import ITEM, TEMPLATE
from tests.packs.test_signature import KEY, OTHER, private_pem, public_pem

EXPLAIN = ("law", "explain", "item.jsonl", "--state", "AT", "--pack", "EU", "--at", "2026-03-01T12:00:00Z", "--json")


@pytest.fixture
def packs(clean: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a template, an item, and the keys of a law office beside it."""
    folder = clean / "packs"
    folder.mkdir()
    (folder / "eu.yaml").write_text(TEMPLATE)
    (clean / "item.jsonl").write_text(json.dumps(ITEM) + "\n")
    (clean / "private.pem").write_bytes(private_pem(KEY))
    (clean / "public.pem").write_bytes(public_pem(KEY))
    monkeypatch.setenv("SHARING_PACKS", str(folder))
    monkeypatch.setenv("SHARING_PACK_KEY", "public.pem")
    return folder


def test_an_unsigned_pack_is_refused_until_it_is_signed(call: Call, packs: Path) -> None:
    refused = call(*EXPLAIN)
    assert refused.code == 2
    assert refused.error.startswith("eu.yaml: is not signed, and SHARING_PACK_KEY asks for a signature (eu.yaml.sig)")
    (row,) = call("law", "list", "--json").document
    assert row["signed"] is False
    done = call("law", "sign", packs / "eu.yaml", "--key", "private.pem")
    assert done.code == 0
    assert row["sha256"] in done.out
    assert call(*EXPLAIN).code == 0
    (row,) = call("law", "list", "--json").document
    assert row["signed"] is True
    (packs / "eu.yaml").write_text(TEMPLATE.replace("form: INFORMATION, ", ""))
    refused = call(*EXPLAIN)
    assert refused.code == 2
    assert "altered since it was signed" in refused.error
    (row,) = call("law", "list", "--json").document
    assert row["signed"] is False


def test_forecast_and_doctor_refuse_it_too(call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_STATE", "AT")
    monkeypatch.setenv("SHARING_PACK", "EU")
    publish = ("publish", "item.jsonl", "--state", "AT", "--agency", "A", "--dry-run", "--json")
    assert "is not signed" in call(*publish).error
    law = next(one for one in call("doctor", "--json").document if one["check"] == "law")
    assert (law["ok"], "is not signed" in law["detail"]) == (False, True)
    assert call("law", "sign", packs / "eu.yaml", "--key", "private.pem").code == 0
    assert call(*publish).code == 0
    law = next(one for one in call("doctor", "--json").document if one["check"] == "law")
    assert law["detail"].endswith("; signed")


def test_where_no_key_is_configured_nothing_is_said(call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHARING_PACK_KEY")
    assert call(*EXPLAIN).code == 0
    (row,) = call("law", "list", "--json").document
    assert row["signed"] is None


def test_another_key_signs_nothing(call: Call, packs: Path, clean: Path) -> None:
    (clean / "other.pem").write_bytes(private_pem(OTHER))
    assert call("law", "sign", packs / "eu.yaml", "--key", "other.pem").code == 0
    assert "or another key signed" in call(*EXPLAIN).error


def test_an_unsound_pack_is_not_signed(call: Call, packs: Path) -> None:
    (packs / "eu.yaml").write_text(TEMPLATE.replace("effect: PERMIT", "effect: ALLOW"))
    done = call("law", "sign", packs / "eu.yaml", "--key", "private.pem")
    assert done.code == 2
    assert "effect" in done.error
    assert sorted(path.name for path in packs.iterdir()) == ["eu.yaml"]


def test_the_key_is_never_shown(call: Call, packs: Path) -> None:
    done = call("law", "sign", packs / "eu.yaml", "--key", "public.pem")
    assert (done.code, done.error) == (2, "--key names public.pem, which is no Ed25519 private key in PEM")
    done = call("law", "sign", packs / "eu.yaml", "--key", "none.pem")
    assert done.error == "--key names none.pem, which cannot be read: No such file or directory"
    done = call("law", "sign", packs / "eu.yaml", "--key", "private.pem")
    body = private_pem(KEY).decode().splitlines()[1]
    assert body not in done.out + done.err


def test_an_encrypted_key(call: Call, packs: Path, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clean / "private.pem").write_bytes(private_pem(KEY, BestAvailableEncryption(b"open it")))
    sign = ("law", "sign", packs / "eu.yaml", "--key", "private.pem")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert "is encrypted; give --passphrase-file, or run this at a terminal" in call(*sign).error
    (clean / "passphrase").write_text("wrong\n")
    assert (
        "no Ed25519 private key in PEM that this passphrase opens"
        in call(*sign, "--passphrase-file", "passphrase").error
    )
    (clean / "passphrase").write_text("\n")
    assert "whose first line is empty" in call(*sign, "--passphrase-file", "passphrase").error
    (clean / "passphrase").write_text("open it\nnot this\n")
    assert call(*sign, "--passphrase-file", "passphrase").code == 0
    assert call(*EXPLAIN).code == 0
    (packs / "eu.yaml.sig").unlink()
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *_, **options: "open it" if options["hide_input"] else "")
    done = call(*sign)
    assert done.code == 0
    assert "open it" not in done.out + done.err
    assert call(*EXPLAIN).code == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_keys_made_by_openssl(call: Call, packs: Path, clean: Path) -> None:
    for line in (
        "openssl genpkey -algorithm ed25519 -out private.pem",
        "openssl pkey -in private.pem -pubout -out public.pem",
    ):
        subprocess.run(line.split(), check=True, capture_output=True, timeout=30, cwd=clean)
    assert "is not signed" in call(*EXPLAIN).error
    assert call("law", "sign", packs / "eu.yaml", "--key", "private.pem").code == 0
    assert call(*EXPLAIN).code == 0
