"""Fuzz targets for passkeys: what browsers and officers hand in is refused in one sentence, or is what was made."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from functools import cache
from typing import Any

from sharing.errors import InputError
from sharing.officers.invitation import sign_invitation
from sharing.officers.passkey_request import make_request, read_request, verify_request
from sharing.passkeys.assertion import Assertion, read_browser_assertion, verify_assertion
from sharing.passkeys.faults import PASSKEY_SENTENCES, PasskeyError
from sharing.passkeys.registration import read_browser_registration, verify_registration
from sharing.trust.faults import TrustError
from tests.fuzz.fuzz_target import FuzzTarget
from tests.fuzz.mutation import corrupt_bytes, corrupt_tree
from tests.officers.invitation_fixtures import make_test_invitation
from tests.officers.register_fixtures import KEYS, REGISTRARS
from tests.passkeys.passkey_fixtures import CHALLENGE, DEVICES
from tests.support.soft_authenticator import to_browser_json
from tests.trust.trust_fixtures import NOW


def fuzz_assertion(generator: random.Random) -> int:
    """An assertion: refused in one sentence, or one that says what it must, by the key of the register."""
    device = generator.choice(DEVICES)
    signed = device.sign(CHALLENGE)
    if generator.random() < 0.5:  # the device signs whatever the browser says
        said = corrupt_tree(generator, json.loads(signed.client_data))
        data = signed.authenticator_data
        if generator.random() < 0.3:
            data = corrupt_bytes(generator, [data])
        client_data = json.dumps(said).encode(errors="replace")
        signature = device._sign(data + hashlib.sha256(client_data).digest())
        signed = Assertion(device.credential_id, data, client_data, signature)
    else:
        part = generator.choice(["credential_id", "authenticator_data", "client_data", "signature"])
        signed = replace(signed, **{part: corrupt_bytes(generator, [getattr(signed, part)])})
    try:
        verify_assertion(device.passkey, signed, CHALLENGE)
    except PasskeyError as error:
        return _require_sentence(error)
    said = json.loads(signed.client_data)
    original = json.loads(device.sign(CHALLENGE).client_data)
    assert all(said[name] == original[name] for name in ("type", "challenge", "origin"))
    assert said.get("crossOrigin", False) is False
    assert signed.authenticator_data[:33] == device.sign(CHALLENGE).authenticator_data[:33]
    return 1


def fuzz_browser_json(generator: random.Random) -> int:
    """The JSON of a browser: refused in one sentence, or read."""
    device = generator.choice(DEVICES)
    is_new = generator.random() < 0.5
    answer = device.register(CHALLENGE) if is_new else device.sign(CHALLENGE)
    sent: Any = corrupt_tree(generator, to_browser_json(answer))
    if not isinstance(sent, dict):
        return 0
    try:
        if is_new:
            verify_registration(read_browser_registration(sent), CHALLENGE, device.origin)
        else:
            verify_assertion(device.passkey, read_browser_assertion(sent), CHALLENGE)
    except PasskeyError as error:
        return _require_sentence(error)
    return 1


def fuzz_registration(generator: random.Random) -> int:
    """A new passkey: refused in one sentence, or a passkey of this desk that the register could name."""
    device = generator.choice(DEVICES)
    made = device.register(CHALLENGE, fmt=generator.choice(["none", "packed"]))
    part = generator.choice(["client_data", "attestation_object", "attestation_object"])
    made = replace(made, **{part: corrupt_bytes(generator, [getattr(made, part)])})
    try:
        passkey = verify_registration(made, CHALLENGE, device.origin)
    except PasskeyError as error:
        return _require_sentence(error)
    assert passkey.origin == device.origin
    assert passkey.credential_id == made.credential_id.hex()
    return 1


@cache
def make_requests() -> list[bytes]:
    """Return requests of each kind of device."""
    invitation = make_test_invitation()
    document = sign_invitation(invitation.invitation, REGISTRARS[2]).to_bytes()
    return [make_request(document, device.register(invitation.challenge)).to_bytes() for device in DEVICES]


def fuzz_request(generator: random.Random) -> int:
    """The file of an officer: refused in one sentence, or a passkey for the officer who was invited."""
    if generator.random() < 0.5:
        data = corrupt_bytes(generator, make_requests())
    else:
        tree = corrupt_tree(generator, json.loads(generator.choice(make_requests())))
        data = json.dumps(tree).encode(errors="replace")
    try:
        verified, _ = verify_request(KEYS, read_request(data), NOW)
    except (InputError, TrustError, PasskeyError) as error:
        return _require_printable(error)
    assert verified == make_test_invitation()
    return 1


def _require_printable(error: Exception) -> int:
    """Assert that a refusal is printable."""
    assert str(error).isprintable()
    return 1


def _require_sentence(error: PasskeyError) -> int:
    """Assert that a refusal is one of the known sentences."""
    assert str(error) == PASSKEY_SENTENCES[error.fault]
    return 1


PASSKEY_TARGETS = (
    FuzzTarget("assertions of passkeys", 8, fuzz_assertion),
    FuzzTarget("answers of browsers", 8, fuzz_browser_json),
    FuzzTarget("new passkeys", 8, fuzz_registration),
    FuzzTarget("requests for passkeys", 8, fuzz_request),
)
