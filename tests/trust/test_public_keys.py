"""Public keys: those under which anybody could sign are refused."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from sharing.trust.faults import TrustFault
from sharing.trust.public_keys import KeyAlgorithm, PublishedKey
from sharing.trust.root import accept_next_root
from tests.trust.trust_fixtures import expect_fault, make_root, make_signer, resign

PRIME = 2**255 - 19
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SIGN = 2**255
WEAK = [y | sign for y in (0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8, PRIME, PRIME + 1) for sign in (0, SIGN)]


def is_forged(public: bytes) -> bool:
    """Return whether one signature, made without a private key, is valid on one of many messages."""
    identity = (1).to_bytes(32, "little")
    key = Ed25519PublicKey.from_public_bytes(public)
    for number in range(200):
        try:
            key.verify(identity + bytes(32), b"message %d" % number)
        except InvalidSignature:
            continue
        return True
    return False


@pytest.mark.parametrize("value", WEAK)
def test_a_key_under_which_anybody_can_sign_is_refused(value: int) -> None:
    public = value.to_bytes(32, "little")
    assert value != 1 or is_forged(public)  # it does verify what nobody signed
    with pytest.raises(ValidationError, match="under which anybody can sign"):
        PublishedKey(algorithm=KeyAlgorithm.ED25519, public=public.hex())


def test_an_honest_key_is_accepted_and_cannot_be_forged() -> None:
    public = make_signer("root 0").public_key.public
    assert not is_forged(bytes.fromhex(public))
    assert PublishedKey(algorithm=KeyAlgorithm.ED25519, public=public).public == public


def test_weak_keys_do_not_reach_a_threshold() -> None:
    """A root of which two "keys" are weak, so that anyone who wants to can sign its successors."""
    root, document = make_root()
    weak = [{"algorithm": "ed25519", "public": (1 | sign).to_bytes(32, "little").hex()} for sign in (0, SIGN)]
    data = resign(document, lambda signed: (signed.update(version=2), signed["keys"].extend(weak)))
    message = expect_fault(TrustFault.MALFORMED, lambda: accept_next_root(root, data))
    assert "under which anybody can sign" in message
