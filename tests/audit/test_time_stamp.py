"""Time stamps of a service on this machine: only an answer to this question, about this text, of a trusted service."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography.x509 import Certificate

from sharing.audit.time_stamp import make_query, read_roots, verify_time_stamp
from sharing.cli.audit.entry_words import list_not_proved, list_proved
from sharing.cli.audit.time_stamps import fetch_time_stamp
from sharing.errors import InfrastructureError, InputError, SettingsError
from sharing.interop.entry_proof_file import read_entry_proof
from sharing.interop.entry_proofs import check_entry_proof
from sharing.interop.time_stamp_roots import read_time_stamp_roots
from sharing.model.times import MINUTE_MS
from sharing.settings import load_settings
from sharing.trust.faults import TrustFault
from tests.audit.audit_fixtures import make_pins_and_documents, make_proof, make_world
from tests.audit.clock_tsa import get_service
from tests.audit.local_tsa import LocalTsa
from tests.trust.trust_fixtures import expect_fault

TEXT = b"ch.sharing/decisions/0\n1\n"
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
pytestmark = needs_openssl


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    return LocalTsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def roots(service: LocalTsa) -> list[Certificate]:
    return read_roots(service.root_file.read_bytes())


def test_a_time_stamp_says_when(service: LocalTsa, roots: list[Certificate], tmp_path: Path) -> None:
    query = make_query(TEXT)
    response = service.answer(query.data)
    assert abs(verify_time_stamp(response, TEXT, roots, query.nonce) - time.time() * 1000) < 60_000
    assert verify_time_stamp(response, TEXT, roots) == verify_time_stamp(response, TEXT, roots, query.nonce)
    (tmp_path / "response").write_bytes(response)
    (tmp_path / "text").write_bytes(TEXT)
    command = ["openssl", "ts", "-verify", "-data", "text", "-in", "response", "-CAfile", str(service.root_file)]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_what_does_not_count(service: LocalTsa, roots: list[Certificate], tmp_path: Path) -> None:
    query = make_query(TEXT)
    response = service.answer(query.data)

    def refuse(data: bytes = response, text: bytes = TEXT, **options: object) -> str:
        given = {"roots": roots, "nonce": query.nonce, **options}
        return expect_fault(TrustFault.BAD_SIGNATURE, lambda: verify_time_stamp(data, text, **given))  # type: ignore[arg-type]

    assert "Mismatch between messages" in refuse(text=TEXT + b"x")
    assert "Nonce mismatch" in refuse(nonce=5)
    other = LocalTsa(tmp_path)
    refuse(roots=read_roots(other.root_file.read_bytes()))
    refuse(roots=[])
    for data in (b"", b"junk", response[:-20], response + bytes(64_000)):
        refuse(data)
    for place in range(len(response) - 70, len(response), 9):  # the signature
        refuse(response[:place] + bytes([response[place] ^ 1]) + response[place + 1 :])
    refuse(service.answer(b"junk"))


def test_over_http(service: LocalTsa, roots: list[Certificate]) -> None:
    with service.serve() as url:
        assert verify_time_stamp(fetch_time_stamp(url, TEXT, roots), TEXT, roots)
    with pytest.raises(InfrastructureError, match="does not answer"):
        fetch_time_stamp(url, TEXT, roots)
    with service.serve("text/html") as url, pytest.raises(InfrastructureError, match="answers text/html"):
        fetch_time_stamp(url, TEXT, roots)
    with service.serve(status=302) as url, pytest.raises(InfrastructureError, match="does not answer"):
        fetch_time_stamp(url, TEXT, roots)
    with pytest.raises(SettingsError, match="must begin with"):
        fetch_time_stamp("file:///etc/passwd", TEXT, roots)


def test_a_proof_with_a_time_stamp() -> None:
    world, pins, clocked = make_world(batches=3), make_pins_and_documents()[0], get_service()
    bare, roots = make_proof(world, 0, 0), [get_service().root]
    text, signed_at = bare.checkpoint.note.text, bare.checkpoint.signed_at
    proof = read_entry_proof(replace(bare, time_stamp=clocked.stamp(text, signed_at + 2_000)).encode())
    checked = check_entry_proof(proof, pins, world.now, required=2, stamp_roots=roots)
    assert checked.stamped_at == signed_at + 2_000
    assert any("time-stamping service" in sentence for sentence in list_proved(checked))
    unread = check_entry_proof(proof, pins, world.now, required=2)
    assert unread.stamped_at is None
    assert any("--time-stamp-roots" in sentence for sentence in list_not_proved(unread))
    for stamp, fault in (
        (clocked.stamp(b"another text", signed_at), TrustFault.BAD_SIGNATURE),
        (clocked.stamp(text, signed_at - 6 * MINUTE_MS), TrustFault.CONFLICT),
        (clocked.stamp(text, world.now + 6 * MINUTE_MS), TrustFault.NOT_YET_VALID),
    ):
        wrong = replace(bare, time_stamp=stamp)
        expect_fault(fault, partial(check_entry_proof, wrong, pins, world.now, required=2, stamp_roots=roots))


def test_roots_are_read_from_a_file(service: LocalTsa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_time_stamp_roots(load_settings()) == []
    assert len(read_time_stamp_roots(load_settings(), service.root_file)) == 1
    monkeypatch.setenv("SHARING_TIME_STAMP_ROOTS", str(service.root_file))
    assert len(read_time_stamp_roots(load_settings())) == 1
    (tmp_path / "junk").write_text("junk")
    for name, reason in (
        ("missing", "missing: cannot be read"), ("junk", "junk is not a file with certificates in PEM form"),
        ("/dev/zero", "zero: has more than"), (tmp_path, "cannot be read: Is a directory"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=reason):
            read_time_stamp_roots(load_settings(), tmp_path / name)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(SettingsError, match="need the extra `timestamps`"):
        make_query(TEXT)
