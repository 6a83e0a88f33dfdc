"""What the register may name as a passkey; origins; and what is signed to sign in."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from pydantic import ValidationError

from sharing.errors import InputError
from sharing.passkeys.cose_key import PasskeyAlgorithm, encode_eddsa
from sharing.passkeys.origin import get_host, is_host_name, make_origin
from sharing.passkeys.passkey import CREDENTIAL_BYTES_MAX, Passkey
from sharing.passkeys.sign_in import compute_sign_in_challenge
from tests.passkeys.passkey_fixtures import DEVICES, PHONE
from tests.support.soft_authenticator import SoftAuthenticator, make_rsa_key

NOW = 1_772_366_400_000


def make_passkey(**changes: Any) -> Passkey:
    return Passkey(**{**PHONE.passkey.model_dump(), **changes})


def test_a_passkey_has_one_form() -> None:
    for device in DEVICES:
        assert Passkey.model_validate_json(device.passkey.model_dump_json()) == device.passkey
    fingerprints = {SoftAuthenticator(f"device {number}").passkey.fingerprint for number in range(20)}
    fingerprints |= {make_passkey(origin=f"{PHONE.origin}:8443").fingerprint, PHONE.passkey.fingerprint}
    assert len(fingerprints) == 22
    assert all(len(each) == 24 and set(each) <= set("0123456789abcdef ") for each in fingerprints)


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "RS256"},
        {"algorithm": "RS256", "public_key": make_rsa_key()[1].hex()},
        {"public_key": make_rsa_key()[1].hex()},
        {"algorithm": PasskeyAlgorithm.EDDSA},  # with a key of ES256
        {"public_key": PHONE.public_key.hex()[:-2]},
        {"public_key": PHONE.public_key.hex() + "00"},
        {"public_key": PHONE.public_key.hex().upper()},
        {"public_key": PHONE.public_key[:-1].hex() + f"{PHONE.public_key[-1] ^ 1:02x}"},  # not on the curve
        {"algorithm": PasskeyAlgorithm.EDDSA, "public_key": encode_eddsa(bytes(32)).hex()},  # of small order
        {"credential_id": ""},
        {"credential_id": "0"},
        {"credential_id": "00" * (CREDENTIAL_BYTES_MAX + 1)},
        {"rp_id": "example"},
        {"rp_id": "other.example"},
        {"origin": "https://desk.example/"},
        {"origin": "http://desk.example"},
        {"origin": "https://desk.example:443"},
        {"origin": "https://192.0.2.1", "rp_id": "192.0.2.1"},
        {"origin": "https://[2001:db8::1]", "rp_id": "2001:db8::1"},
        {"origin": "https://desk.example.0x7f", "rp_id": "desk.example.0x7f"},
    ],
)
def test_what_no_register_may_name_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_passkey(**changes)


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://desk.example", "https://desk.example"),
        ("https://Desk.Example/", "https://desk.example"),
        (" https://desk.example:443", "https://desk.example"),
        ("https://desk.example:8443", "https://desk.example:8443"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://de.localhost:80", "http://de.localhost"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(address: str, origin: str) -> None:
    assert make_origin(address) == origin
    assert is_host_name(get_host(origin))


@pytest.mark.parametrize(
    "address",
    [
        "", "desk.example", "http://desk.example", "ftp://desk.example", "https://", "https://192.0.2.1",
        "https://127.1", "https://0x7f.1", "https://1", "https://[::1]", "https://desk.example/page",
        "https://desk.example?x", "https://desk.example#x", "https://officer@desk.example", "https://desk.example:0",
        "https://desk.example:65536", "https://desk.example:x", "https://-desk.example", "https://desk..example",
        "https://desk_1.example", "https://bücher.example", "https://desk.example.", "https://" + "a" * 64 + ".example",
        "https://" + ".".join(["a" * 60] * 5), "http://localhost.example",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_desk_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="the address of a desk is https://"):
        make_origin(address)
    with pytest.raises(ValueError, match="must be the origin of a desk"):
        get_host(address)


def test_what_is_signed_to_sign_in_begins_with_its_kind() -> None:
    """A desk that began it with another kind could be made to ask for a ruling."""
    content = b'{"expires_at":"2026-03-01T12:00:00.000Z","format":1,"kind":"sign-in","nonce":"%s","state":"CH"}'
    message = b"sharing/sign-in/v1\x00CH\x00" + content % (b"00" * 32)
    assert compute_sign_in_challenge("CH", bytes(32), NOW) == hashlib.sha256(message).digest()


def test_a_sign_in_is_for_one_state_one_time_and_one_nonce() -> None:
    nonce = hashlib.sha256(b"nonce").digest()
    challenges = {
        compute_sign_in_challenge("CH", nonce, NOW),
        compute_sign_in_challenge("DE", nonce, NOW),
        compute_sign_in_challenge("CH", nonce, NOW + 1),
        compute_sign_in_challenge("CH", bytes(32), NOW),
    }
    assert len(challenges) == 4
    assert all(len(each) == 32 for each in challenges)
    with pytest.raises(ValidationError):
        compute_sign_in_challenge("CH", nonce[1:], NOW)
