"""Private keys in a PKCS#11 token: SoftHSM."""

from __future__ import annotations

import copy
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass
from pydantic import SecretStr

from sharing.errors import InfrastructureError, InputError, SettingsError
from sharing.keystore.key_access import KeyAccess, Token, TokenKey
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.pkcs11_token import ENCRYPTION_LABEL
from sharing.keystore.private_key import generate_key
from sharing.keystore.private_key_file import read_key_file
from sharing.keystore.token_address import TokenAddress, open_token, parse_token_address
from sharing.seal import hpke
from sharing.trust.canonical import encode_canonical
from sharing.trust.public_keys import KeyAlgorithm, KeyRole
from sharing.trust.signatures import is_signature_by
from tests.keystore.state_keys import NOW, PASSPHRASE, StateKeys
from tests.support.softhsm import PIN, SoftToken, make_soft_token


@pytest.fixture
def soft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    return make_soft_token(tmp_path / "token", monkeypatch)


@pytest.fixture
def token(soft: SoftToken) -> Token:
    return open_token(parse_token_address(soft.address))


@pytest.fixture
def ch(tmp_path: Path, token: Token) -> StateKeys:
    """CH, whose online keys are all in a token."""
    state = StateKeys(tmp_path / "keys", token)
    state.init()
    state.rotate(KeyRole.GATE, KeyRole.SEAL, now=NOW)
    return state


def locate_key(ch: StateKeys, role: KeyRole) -> Path:
    return ch.folder.locate_private_key(role, ch.list_keys(role)[0])


def list_objects(soft: SoftToken) -> list[dict[str, object]]:
    """Return what each private object of the token says about itself."""
    library = pkcs11.lib(str(soft.module))
    library.reinitialize()
    with library.get_token(token_label=soft.label).open(user_pin=PIN) as session:
        return [
            {name: item[attribute] for name, attribute in PROTECTION.items()}
            for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY)
            for item in list(session.get_objects({Attribute.CLASS: kind}))
        ]


PROTECTION = {
    "label": Attribute.LABEL,
    "sensitive": Attribute.SENSITIVE,
    "extractable": Attribute.EXTRACTABLE,
    "ever": Attribute.NEVER_EXTRACTABLE,
}


def test_online_keys_work_from_a_token_without_a_passphrase(ch: StateKeys, token: Token) -> None:
    opened = OnlineKeys.open(ch.path, token=token)
    key = opened.get_signing_key(KeyRole.GATE, NOW)
    assert is_signature_by(key.public_key, key.sign(b"message"), b"message")
    ((key_id, opening),) = opened.get_opening_keys(NOW).items()
    assert key_id == ch.list_keys(KeyRole.SEAL)[0]
    assert opening.unwrap(hpke.wrap("CH", opening.public_key, b"secret", b"info"), b"info") == b"secret"
    assert len(opened.get_wrapping_key(NOW)[1].get_secret_value()) == 32


def test_a_signing_key_is_in_the_token_only_and_cannot_be_read(ch: StateKeys, soft: SoftToken) -> None:
    content = read_key_file(locate_key(ch, KeyRole.GATE))
    assert (content.encrypted, content.parameters) == (None, None)
    found = list_objects(soft)
    assert sorted(str(item["label"]) for item in found) == ["sharing CH gate"] * 2 + [ENCRYPTION_LABEL]
    assert all((item["sensitive"], item["extractable"], item["ever"]) == (True, False, True) for item in found)


def test_a_new_session_finds_the_keys_again(ch: StateKeys, soft: SoftToken) -> None:
    again = open_token(parse_token_address(soft.address))
    key = KeyAccess(token=again).read_key(locate_key(ch, KeyRole.GATE))
    assert isinstance(key, TokenKey)
    assert is_signature_by(key.public_key, key.to_signing_key().sign(b"x"), b"x")


def test_old_keys_in_files_and_new_ones_in_a_token(tmp_path: Path, token: Token) -> None:
    state = StateKeys(tmp_path / "mixed")
    state.init()
    state.rotate(KeyRole.GATE, KeyRole.SEAL, now=NOW)
    state.token = token
    state.rotate(KeyRole.GATE, KeyRole.SEAL, now=NOW + 1)
    opened = OnlineKeys.open(state.path, PASSPHRASE, token)
    assert len(opened.get_opening_keys(NOW + 1)) == 2
    opened.get_signing_key(KeyRole.GATE, NOW + 1)
    with pytest.raises(InputError, match=r"or give --passphrase-file, in addition to the token$"):
        OnlineKeys.open(state.path, token=token).get_opening_keys(NOW + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: header.update(role="desk"), "has no key"),
        (lambda header: header.update(state="DE"), "has no key"),
        (lambda header: header.update(key=generate_public()), "has no key"),
    ],
)
def test_a_signing_key_signs_for_its_role_and_state_only(
    ch: StateKeys, token: Token, change: Callable[[dict[str, object]], object], message: str
) -> None:
    path = locate_key(ch, KeyRole.GATE)
    content = read_key_file(path).model_dump(mode="json", exclude_none=True)
    change(content["header"])
    path.write_bytes(encode_canonical(content))
    with pytest.raises(InputError, match=message):
        KeyAccess(token=token).read_key(path)


def generate_public() -> object:
    return generate_key("CH", "gate", KeyAlgorithm.ED25519).public_key.model_dump(mode="json")


@pytest.mark.parametrize("part", ["role", "ciphertext", "nonce"])
def test_an_altered_seal_key_does_not_open(ch: StateKeys, token: Token, part: str) -> None:
    path = locate_key(ch, KeyRole.SEAL)
    content = read_key_file(path).model_dump(mode="json", exclude_none=True)
    if part == "role":
        content["header"]["role"] = "reader"
    else:
        content["encrypted"][part] = "00" * (len(content["encrypted"][part]) // 2)
    path.write_bytes(encode_canonical(content))
    with pytest.raises(InputError, match="was altered, or another token with this label encrypted it"):
        KeyAccess(token=token).read_key(path)


def test_without_the_token_it_is_said_what_to_set(ch: StateKeys, token: Token) -> None:
    with pytest.raises(InputError, match="the token 'CH keys' has this private key; set SHARING_KEY_TOKEN"):
        OnlineKeys.open(ch.path, PASSPHRASE).get_signing_key(KeyRole.GATE, NOW)
    path = locate_key(ch, KeyRole.GATE)
    content = read_key_file(path).model_dump(mode="json", exclude_none=True)
    content["token"]["label"] = "another"
    path.write_bytes(encode_canonical(content))
    with pytest.raises(InputError, match="the token 'another' has this private key, and 'CH keys' is set"):
        KeyAccess(token=token).read_key(path)


def test_a_token_that_is_taken_out_and_put_back(ch: StateKeys, soft: SoftToken, token: Token) -> None:
    opened = OnlineKeys.open(ch.path, token=token)
    key = opened.get_signing_key(KeyRole.GATE, NOW)
    soft.take_out()
    with pytest.raises(InfrastructureError, match="there is no token with the label 'CH keys': insert it"):
        key.sign(b"message")
    with pytest.raises(InfrastructureError, match="there is no token with the label 'CH keys': insert it"):
        opened.get_opening_keys(NOW)
    soft.put_back()
    assert is_signature_by(key.public_key, key.sign(b"message"), b"message")


def test_a_key_that_is_not_in_the_token_is_named(ch: StateKeys, token: Token) -> None:
    key = generate_key("CH", "gate", KeyAlgorithm.ED25519)
    with pytest.raises(InputError, match=rf"the token 'CH keys' has no key {key.key_id[:16]}… for 'sharing CH gate'"):
        token.find_signing_key(key.public_key, "sharing CH gate")
    path = locate_key(ch, KeyRole.GATE)
    public = KeyAccess(token=token).read_key(path).public_key
    assert token.destroy_signing_key(public) is True
    assert token.destroy_signing_key(public) is False
    with pytest.raises(InputError, match="has no key"):
        KeyAccess(token=token).read_key(path)


def test_a_wrong_pin_is_tried_once(soft: SoftToken) -> None:
    soft.pin_file.write_text("another pin\n")
    with pytest.raises(InputError, match="the PIN of the token 'CH keys' is wrong; after a few attempts it locks"):
        open_token(parse_token_address(soft.address))
    soft.pin_file.write_text(PIN)
    token = open_token(parse_token_address(soft.address))
    token._session, token._pin = None, SecretStr("another pin")  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="is wrong"):
        token.get_encryption_key_id()
    with pytest.raises(InputError, match="has refused the PIN; correct the file, and start again"):
        token.get_encryption_key_id()


def test_the_file_of_the_pin_is_private(soft: SoftToken) -> None:
    soft.pin_file.chmod(0o640)
    with pytest.raises(InputError, match="other users may access"):
        open_token(parse_token_address(soft.address))
    soft.pin_file.chmod(0o600)
    soft.pin_file.write_text("\n")
    with pytest.raises(InputError, match="must be the PIN of the token"):
        open_token(parse_token_address(soft.address))


def test_no_module_no_token_no_library(soft: SoftToken, monkeypatch: pytest.MonkeyPatch) -> None:
    address = parse_token_address(soft.address)
    with pytest.raises(InfrastructureError, match="there is no token with the label 'DE keys'"):
        open_token(replace(address, label="DE keys"))
    with pytest.raises(SettingsError, match="is not there; install it, or correct module-path"):
        open_token(replace(address, module=Path("/missing/module.so")))
    with pytest.raises(SettingsError, match="is not a PKCS#11 module"):
        open_token(replace(address, module=soft.pin_file))
    monkeypatch.setitem(sys.modules, "sharing.keystore.pkcs11_token", None)
    with pytest.raises(SettingsError, match=r"install sharing-bus\[pkcs11\]"):
        open_token(address)


def test_the_address_is_a_pkcs11_uri() -> None:
    assert parse_token_address("pkcs11:token=CH%20keys?module-path=/a.so&pin-source=file:/b") == TokenAddress(
        "CH keys", Path("/a.so"), Path("/b")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is named by a PKCS#11 URI"),
        ("/usr/lib/module.so", "is named by a PKCS#11 URI"),
        ("pkcs11:token=a?module-path=/a", "has no pin-source"),
        ("pkcs11:token=a?pin-source=/a", "has no module-path"),
        ("pkcs11:?module-path=/a&pin-source=/b", "has no token"),
        ("pkcs11:token=a", "has no module-path"),
        ("pkcs11:token=a;token=b?module-path=/a&pin-source=/b", "'token' is not expected"),
        ("pkcs11:token=a;serial=1?module-path=/a&pin-source=/b", "'serial' is not expected"),
        ("pkcs11:token=a?module-path=/a&pin-value=1234", "use pin-source"),
    ],
)
def test_another_address_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        parse_token_address(text)
    assert "1234" not in str(caught.value)


def test_a_token_shows_and_stores_nothing(ch: StateKeys, token: Token, soft: SoftToken) -> None:
    key = OnlineKeys.open(ch.path, token=token).get_signing_key(KeyRole.GATE, NOW)
    assert "canary" not in "".join(map(repr, (token, key, KeyAccess(PASSPHRASE, token), token.__dict__)))
    for item in (token, key):
        for copier in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                copier(item)
    for folder, _, names in os.walk(soft.objects):
        for name in names:
            assert PIN.encode() not in (Path(folder) / name).read_bytes()
