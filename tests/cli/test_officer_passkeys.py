"""`sharing officers invite`, and `add --passkey`: from the invitation to a passkey in the register."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sharing.officers.invitation import Invitation
from sharing.officers.passkey_request import make_request
from sharing.passkeys.browser_json import decode_base64url
from sharing.passkeys.cose_key import PasskeyAlgorithm
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import OFFICERS
from sharing.trust.documents import compute_digest, read_document
from sharing.trust.signatures import ObjectKind
from tests.cli.conftest import Call
from tests.cli.test_officers import PERSON, Registrars, make_registrars
from tests.support.soft_authenticator import ORIGIN, SoftAuthenticator

DAY_S = 86_400


@pytest.fixture(autouse=True)
def cheap_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.keystore.encryption.SCRYPT_LOG_N", 10)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topics([OFFICERS.topic("CH")], 1)
        monkeypatch.setenv("SHARING_BOOTSTRAP", broker.bootstrap)
        yield broker


@pytest.fixture
def ch(call: Call, empty_folder: Path, broker: EmbeddedBroker) -> Registrars:
    return make_registrars(call, empty_folder)


def invite(ch: Registrars, officer: str = "o-17", *options: str) -> Path:
    """Return the file of an invitation."""
    out = ch.ceremony.folder / f"{officer}.invitation"
    out.unlink(missing_ok=True)
    invited = ch.run("invite", officer, "--desk", ORIGIN, "--out", out, *options)
    assert invited.code == 0, invited
    return out


def make_passkey(invitation: Path, device: SoftAuthenticator, **changes: Any) -> Path:
    """Do what the officer's desk does; return the file for the registrar."""
    data = invitation.read_bytes().removesuffix(b"\n")
    document, content = read_document(data, ObjectKind.INVITATION, Invitation)
    challenge = bytes.fromhex(compute_digest(ObjectKind.INVITATION, content.state, document.payload))
    content_of_file = make_request(data, device.register(challenge, **changes)).to_bytes()
    out = invitation.with_name(f"{hashlib.sha256(content_of_file).hexdigest()}.json")
    out.write_bytes(content_of_file)
    return out


def test_an_officer_gets_a_passkey_and_no_key(ch: Registrars) -> None:
    phone = SoftAuthenticator("phone")
    file, draft = make_passkey(invite(ch), phone), ch.ceremony.folder / "draft"
    add = ("add", "o-17", *PERSON, "--role", "PUBLIC_PROSECUTOR", "--passkey", file)
    silent = ch.run(*add, "--draft", draft)
    assert (silent.code, "give it with --fingerprint" in silent.error) == (2, True)
    other = ch.run(*add, "--draft", draft, "--fingerprint", "0000 0000 0000 0000 0000")
    assert (other.code, "is not the one that the officer read out" in other.error) == (2, True)
    assert not draft.exists()
    read_out = phone.passkey.fingerprint.replace(" ", "-").upper()
    alone = ch.run(*add, "--fingerprint", read_out)
    assert (alone.code, "two registrars must sign" in alone.error) == (2, True)
    added = ch.run(*add, "--draft", draft, "--fingerprint", read_out)
    assert added.code == 0, added
    assert f"passkey {phone.passkey.fingerprint} at {ORIGIN}" in added.out
    signed = ch.run("sign", draft, by=1)
    assert f"passkey {phone.passkey.fingerprint} at {ORIGIN}" in signed.out, "the second registrar sees it, too"
    assert ch.run("publish", draft, by=1).code == 0
    (officer,) = ch.list()["officers"]
    assert (officer["keys"], officer["status"]) == ([], "in force")
    (shown,) = officer["passkeys"]
    assert shown == {"fingerprint": phone.passkey.fingerprint, **phone.passkey.model_dump(mode="json")}


def test_a_passkey_comes_beside_the_others_and_a_lost_one_goes(ch: Registrars) -> None:
    """An officer without roles: one registrar suffices."""
    devices = [SoftAuthenticator(name, algorithm) for name, algorithm in zip("ab", PasskeyAlgorithm, strict=True)]
    for number, device in enumerate(devices):
        file = make_passkey(invite(ch), device)
        person = PERSON if number == 0 else ()
        added = ch.run("add", "o-17", *person, "--passkey", file, "--fingerprint", device.passkey.fingerprint)
        assert added.code == 0, added
    fingerprints = [device.passkey.fingerprint for device in devices]
    assert [each["fingerprint"] for each in ch.list()["officers"][0]["passkeys"]] == fingerprints
    again = ch.run("add", "o-17", "--passkey", make_passkey(invite(ch), devices[0]), "--fingerprint", fingerprints[0])
    assert (again.code, "already has this passkey" in again.error) == (2, True)
    unknown = ch.run("add", "o-17", "--drop-passkey", "0000 0000 0000 0000 0000")
    assert (unknown.code, "no passkey with this fingerprint" in unknown.error) == (2, True)
    dropped = ch.run("add", "o-17", "--drop-passkey", fingerprints[0], "--key", ch.make_key("o-17"))
    assert dropped.code == 0, dropped
    (officer,) = ch.list()["officers"]
    assert ([each["fingerprint"] for each in officer["passkeys"]], len(officer["keys"])) == (fingerprints[1:], 1)
    assert ch.run("renew", "o-17").code == 0
    assert ch.run("add", "o-17", "--without-keys").code == 0
    last = ch.run("add", "o-17", "--drop-passkey", fingerprints[1])
    assert (last.code, "signs with a key or with a passkey; name one" in last.error) == (2, True)
    both = ch.run("add", "o-17", "--without-keys", "--key", ch.make_key("other"))
    assert (both.code, "contradict each other" in both.error) == (2, True)


def test_a_lost_phone_of_an_approver_goes_at_once_and_another_takes_two(ch: Registrars) -> None:
    ch.add_judge("o-17")
    phone, draft = SoftAuthenticator("phone"), ch.ceremony.folder / "draft"
    options = ("--passkey", make_passkey(invite(ch), phone), "--fingerprint", phone.passkey.fingerprint)
    alone = ch.run("add", "o-17", *options)
    assert (alone.code, "gets roles, or keys or passkeys with roles" in alone.error) == (2, True)
    assert ch.run("add", "o-17", *options, "--draft", draft).code == 0
    assert ch.run("sign", draft, by=1).code == ch.run("publish", draft).code == 0
    dropped = ch.run("add", "o-17", "--drop-passkey", phone.passkey.fingerprint)
    assert (dropped.code, "published" in dropped.err) == (0, True)
    assert ch.list()["officers"][0]["passkeys"] == []


def test_no_two_officers_have_one_passkey(ch: Registrars) -> None:
    phone = SoftAuthenticator("phone")
    options = ("--fingerprint", phone.passkey.fingerprint)
    assert ch.run("add", "o-17", *PERSON, "--passkey", make_passkey(invite(ch), phone), *options).code == 0
    other = make_passkey(invite(ch, "o-18"), phone)
    shared = ch.run("add", "o-18", *PERSON, "--passkey", other, *options)
    assert (shared.code, "has a passkey of officer o-17" in shared.error) == (1, True)


def test_a_file_that_is_not_this_officers_is_refused(ch: Registrars) -> None:
    phone = SoftAuthenticator("phone")
    invitation = invite(ch)
    options = ("--fingerprint", phone.passkey.fingerprint)
    cases = {
        "officer o-17 was invited, not o-18": ("o-18", make_passkey(invitation, phone)),
        "on another page than the desk": ("o-17", make_passkey(invitation, phone, origin="https://evil.example")),
        "has signed something else than this": ("o-17", make_passkey(invitation, phone, challenge=bytes(32))),
        "has not verified who used it": ("o-17", make_passkey(invitation, phone, flags=0x41)),
        "not the file that a desk gives": ("o-17", invitation),
    }
    for said, (officer, file) in cases.items():
        refused = ch.run("add", officer, *PERSON, "--passkey", file, *options)
        assert (refused.code, said in refused.error) == (2, True), refused
    assert ch.list()["officers"] == []


def test_an_invitation_ends_and_is_a_registrars(ch: Registrars, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_passkey(invite(ch, "o-17", "--days", "1"), SoftAuthenticator("phone"))
    fields = json.loads(file.read_bytes())
    signed = json.loads(fields["invitation"])
    signed["signed"]["officer"] = "o-18"
    fields["invitation"] = json.dumps(signed, sort_keys=True, separators=(",", ":"))
    forged = file.with_name("forged.json")
    forged.write_text(json.dumps(fields))
    fingerprint = ("--fingerprint", SoftAuthenticator("phone").passkey.fingerprint)
    altered = ch.run("add", "o-18", *PERSON, "--passkey", forged, *fingerprint)
    assert (altered.code, "signature on this invitation is not valid" in altered.error) == (2, True)
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 2 * DAY_S)
    late = ch.run("add", "o-17", *PERSON, "--passkey", file, *fingerprint)
    assert (late.code, "the invitation of officer o-17 has expired" in late.error) == (2, True)


def test_the_link_has_the_invitation_behind_the_number_sign(ch: Registrars) -> None:
    out = ch.ceremony.folder / "invitation"
    invited = ch.run("invite", "o-17", "--desk", f"{ORIGIN}/", "--days", "2", "--out", out, "--json").json_document
    page, _, rest = invited["link"].partition("#")
    assert page == f"{ORIGIN}/enrol/"
    assert decode_base64url(rest) + b"\n" == out.read_bytes()
    assert (invited["officer"], invited["origin"], invited["rp_id"]) == ("o-17", ORIGIN, "desk.example")
    shown = ch.run("invite", "o-18", "--desk", ORIGIN, "--out", ch.ceremony.folder / "other")
    lines = shown.out.splitlines()
    assert [line.startswith(f"{ORIGIN}/enrol/#") for line in lines] == [False, True], "a broken line is no link"
    assert "may make a passkey at https://desk.example until" in shown.out
    taken = ch.run("invite", "o-18", "--desk", ORIGIN, "--out", out)
    assert (taken.code, "exists" in taken.error) == (2, True)


def test_a_desk_has_a_name_and_tls_and_an_officer_an_id(ch: Registrars) -> None:
    out = ch.ceremony.folder / "out"
    for desk in ("192.0.2.1", "https://192.0.2.1", "http://desk.example", "https://desk.example/x"):
        refused = ch.run("invite", "o-17", "--desk", desk, "--out", out)
        assert (refused.code, "the address of a desk is https://" in refused.error) == (2, True)
    refused = ch.run("invite", "O 17", "--desk", ORIGIN, "--out", out)
    assert (refused.code, refused.error.startswith("officer: ")) == (2, True)
    assert not out.exists()
