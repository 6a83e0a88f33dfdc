"""`sharing keys` with a PKCS#11 token (SoftHSM), and `sharing keys rotate wrap`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key_file import read_key_file
from sharing.keystore.token_address import open_token, parse_token_address
from sharing.trust.public_keys import KeyRole
from sharing.trust.signatures import is_signature_by
from tests.cli.conftest import Call, CommandResult
from tests.cli.key_ceremonies import KeyCeremony, make_ceremony
from tests.support.softhsm import PIN, SoftToken, make_soft_token

IN_TOKEN = {str(role) for role in KeyRole} - {"seal"}


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    return make_soft_token(tmp_path / "token", monkeypatch)


@pytest.fixture
def ch(call: Call, empty_folder: Path) -> KeyCeremony:
    return make_ceremony(call, empty_folder / "ch")


def run_with_token(
    ceremony: KeyCeremony, token: SoftToken, *arguments: str | Path, signers: tuple[int, ...] = (1, 2)
) -> CommandResult:
    """Run a command without a passphrase for the online keys: all are in the token."""
    options = ["--folder", ceremony.keys, "--token", token.address, *(ceremony.sign(*signers) if signers else [])]
    return ceremony.call("keys", *arguments, *options)


def get_roles(ceremony: KeyCeremony, *, in_token: bool) -> set[str]:
    contents = [read_key_file(path) for path in (ceremony.keys / "private").glob("*.key")]
    return {content.header.role for content in contents if (content.encrypted is None) is in_token}


def test_a_ceremony_with_a_token_needs_no_passphrase(ch: KeyCeremony, token: SoftToken) -> None:
    issued = run_with_token(ch, token, "issue")
    assert issued.code == 0, issued
    assert (get_roles(ch, in_token=True), get_roles(ch, in_token=False)) == (IN_TOKEN, {"seal", "wrap"})
    assert PIN not in issued.out + issued.err
    for path in (ch.keys / "private").iterdir():
        assert (path.stat().st_mode & 0o777, read_key_file(path).parameters) == (0o600, None)
    before = {key["role"]: key for key in ch.show()["keys"]["keys"]}
    assert run_with_token(ch, token, "rotate", "gate", "seal").code == 0
    after = {key["role"]: key for key in ch.show()["keys"]["keys"]}
    for role in ("gate", "seal"):
        assert after[role]["key"] == before[role]["successor"]
    opened = OnlineKeys.open(ch.keys, token=open_token(parse_token_address(token.address)))
    now = int(time.time() * 1000)
    key = opened.get_signing_key(KeyRole.GATE, now)
    assert is_signature_by(key.public_key, key.sign(b"message"), b"message")
    assert len(opened.get_opening_keys(now)) == 2
    assert ch.run("show", signers=()).code == 0


def test_the_setting_names_the_token(ch: KeyCeremony, token: SoftToken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_KEY_TOKEN", token.address)
    assert ch.call("keys", "issue", "--folder", ch.keys, *ch.sign(1, 2)).code == 0
    assert get_roles(ch, in_token=True) == IN_TOKEN


def test_the_registrar_signs_readers_with_the_token(ch: KeyCeremony, token: SoftToken) -> None:
    assert run_with_token(ch, token, "issue").code == 0
    made = ch.call("keys", "reader", "cases", "--state", "CH", "--key", ch.folder / "cases.key", "--passphrase-file",
                   ch.folder / "online.pass")  # fmt: skip
    assert made.code == 0
    public = ch.folder / "cases.key.public.json"
    assert run_with_token(ch, token, "readers", "add", public, signers=()).code == 0
    assert ch.show()["readers"]["readers"][0]["name"] == "cases"


def test_seal_keys_go_from_a_token_into_a_backup_and_back(ch: KeyCeremony, token: SoftToken) -> None:
    """Also into another token: the first may be lost with the machine."""
    assert run_with_token(ch, token, "issue").code == 0
    shares = [part for number in (1, 2, 3) for part in ("--share", ch.folder / f"share{number}")]
    made = run_with_token(ch, token, "backup", ch.folder / "backup", "--threshold", "2", *shares, signers=())
    assert made.code == 0, made
    lost = [path for path in (ch.keys / "private").iterdir() if path.name.startswith(("seal", "wrap"))]
    for path in lost:
        path.unlink()
    restored = run_with_token(ch, token, "restore", ch.folder / "backup", *shares[2:], "--json", signers=())
    assert len(restored.json_document["restored"]) == len(lost) == 3
    opened = OnlineKeys.open(ch.keys, token=open_token(parse_token_address(token.address)))
    assert opened.get_opening_keys(int(time.time() * 1000))


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (lambda token: token.take_out(), 3, "there is no token with the label 'CH keys': insert it"),
        (lambda token: token.pin_file.write_text("canary-wrong\n"), 2, "the PIN of the token 'CH keys' is wrong"),
        (lambda token: token.pin_file.write_text("\n"), 2, "must be the PIN of the token"),
        (lambda token: token.pin_file.chmod(0o644), 2, "other users may access"),
        (lambda token: token.pin_file.unlink(), 2, "No such file"),
    ],
    ids=["taken out", "wrong pin", "no pin", "exposed pin", "no file"],
)
def test_a_token_that_cannot_be_used_is_one_clear_error(
    ch: KeyCeremony, token: SoftToken, spoil: Callable[[SoftToken], object], code: int, message: str
) -> None:
    assert run_with_token(ch, token, "issue").code == 0
    before = ch.list_files()
    spoil(token)
    for arguments in (("rotate", "gate"), ("rotate", "wrap"), ("backup", "b", "--share", "s", "--share", "t",
                                                               "--threshold", "2")):  # fmt: skip
        refused = run_with_token(ch, token, *arguments, signers=(1, 2) if arguments[1] == "gate" else ())
        assert (refused.code, message in refused.error) == (code, True), refused
        assert "canary" not in refused.out + refused.err
    assert ch.list_files() == before
    assert ch.run("show", signers=()).code == 0, "what is public needs no token"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("softhsm", "is named by a PKCS#11 URI"),
        ("pkcs11:token=CH?module-path=/missing.so&pin-source=/b", "No such file"),
        ("pkcs11:token=CH?pin-source=/b", "has no module-path"),
        ("pkcs11:token=CH?module-path=/a.so&pin-value=canary", "use pin-source"),
    ],
)
def test_another_address_is_refused(ch: KeyCeremony, address: str, message: str) -> None:
    refused = ch.call("keys", "issue", "--folder", ch.keys, "--token", address, *ch.sign(1, 2))
    assert (refused.code, message in refused.error, "canary" in refused.err) == (2, True, False)
    assert not (ch.keys / "private").exists()


def test_from_passphrase_to_token(ch: KeyCeremony, token: SoftToken) -> None:
    """Keys move into a token at their rotation; until then both are needed."""
    assert ch.run("issue").code == 0
    refused = run_with_token(ch, token, "rotate", "gate")
    assert (refused.code, "or give --passphrase-file, in addition to the token" in refused.error) == (
        2, True,
    )  # fmt: skip
    for _ in range(2):
        assert ch.run("rotate", "gate", "--token", token.address).code == 0
    refused = ch.run("rotate", "gate")
    assert refused.code == 2
    assert "the token 'CH keys' has this private key; set SHARING_KEY_TOKEN, or give --token" in refused.error


def test_a_new_wrapping_key_wraps_and_the_old_one_still_opens(ch: KeyCeremony) -> None:
    assert ch.run("issue").code == 0
    opened = OnlineKeys.open(ch.keys, read_passphrase_file(ch.folder / "online.pass"))
    now = int(time.time() * 1000)
    before, value = opened.get_wrapping_key(now)
    result = ch.run("rotate", "wrap", "--json", signers=())
    assert (result.code, result.json_document["state"]) == (0, "CH")
    after, new_value = opened.get_wrapping_key(now)
    assert (after, after != before, new_value != value) == (result.json_document["key"], True, True)
    assert opened.find_wrapping_key(before, now) == value
    names = KeyFolder(ch.keys).list_wrapping_keys("CH")
    assert [name.key_id for name in names] == [after, before]
    shown = ch.show()["wrapping"]
    assert [(row["key"], row["replaced_at"] is None) for row in shown] == [(after, True), (before, False)]
    assert shown[1]["replaced_at"] == shown[0]["made_at"]
    text = ch.run("rotate", "wrap", signers=())
    assert "wrap  " in text.out


def test_a_wrapping_key_in_a_token(ch: KeyCeremony, token: SoftToken) -> None:
    assert run_with_token(ch, token, "issue").code == 0
    assert run_with_token(ch, token, "rotate", "wrap", signers=()).code == 0
    contents = [read_key_file(path) for path in (ch.keys / "private").glob("wrap.*")]
    assert [content.token is not None and content.encrypted is not None for content in contents] == [True, True]


def test_a_wrapping_key_is_not_made_under_another_passphrase(ch: KeyCeremony) -> None:
    assert ch.run("issue").code == 0
    before = ch.list_files()
    ch.write_secret("online.pass", "not the passphrase")
    refused = ch.run("rotate", "wrap", signers=())
    assert (refused.code, "the passphrase is wrong" in refused.error) == (2, True)
    for arguments, message in (
        (("wrap", "gate"), "must be rotated on its own"),
        (("wrap", "--online-days", "9"), "are for `sharing keys rotate root`"),
    ):
        assert message in ch.run("rotate", *arguments, signers=()).error
    assert ch.list_files() == before


def test_the_newest_wrapping_key_is_the_newest_also_if_the_clock_was_set_back(
    ch: KeyCeremony, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ch.run("issue").code == 0
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() - 240)
    made = ch.run("rotate", "wrap", "--json", signers=()).json_document["key"]
    assert KeyFolder(ch.keys).list_wrapping_keys("CH")[0].key_id == made


@pytest.mark.parametrize(
    ("days", "code", "message"),
    [
        (19, 2, "CH: key statement 2 was issued at "),
        (29, 2, "the newest wrapping key was made at "),
        (400, 1, "CH: version 1 of the root has expired at "),
    ],
)
def test_no_wrapping_key_is_made_by_a_clock_that_is_wrong(
    ch: KeyCeremony, monkeypatch: pytest.MonkeyPatch, days: int, code: int, message: str
) -> None:
    """The key before it is destroyed a year after its time: too early, if the clock is behind."""
    assert ch.run("issue").code == 0
    real, ahead = time.time, 20
    monkeypatch.setattr("time.time", lambda: real() + ahead * 86_400)
    assert ch.run("rotate", "gate").code == 0
    ahead = 30
    assert ch.run("rotate", "wrap", signers=()).code == 0
    ahead, before = days, ch.list_files()
    refused = ch.run("rotate", "wrap", signers=())
    assert (refused.code, ch.list_files()) == (code, before)
    assert message in refused.error
    assert "clock" in refused.error or days == 400
