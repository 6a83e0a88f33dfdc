"""What is signed of a batch."""

from __future__ import annotations

import pytest

from sharing.sign.batch_statement import encode_batch_statement, sign_batch, verify_batch
from sharing.trust.faults import TrustFault
from sharing.trust.public_keys import KeyRole
from sharing.trust.signatures import is_signature_by
from tests.trust.trust_fixtures import DAY, NOW, expect_fault, make_keys, make_root, make_signer

ROOT, _ = make_root()
KEYS, _ = make_keys(ROOT)
GATE = make_signer("gate 1")
BATCH = bytes(range(32))


def test_the_statement_is_canonical_json_and_signed_for_notices() -> None:
    expected = b'{"root":"%s","signed_at":"2027-01-15T08:00:00.000Z"}' % BATCH.hex().encode()
    assert encode_batch_statement(BATCH, NOW) == expected
    signature = sign_batch("CH", BATCH, GATE, NOW)
    assert is_signature_by(GATE.public_key, signature.value, b"sharing/notices/v1\x00CH\x00" + expected)
    assert verify_batch(KEYS, BATCH, signature, signed_at=NOW, now=NOW).key.role is KeyRole.GATE


def test_another_root_time_or_key_is_refused() -> None:
    signature = sign_batch("CH", BATCH, GATE, NOW)
    for root, signed_at in ((bytes(32), NOW), (BATCH, NOW + 1), (BATCH[:-1], NOW)):
        expect_fault(
            TrustFault.BAD_SIGNATURE,
            lambda root=root, signed_at=signed_at: verify_batch(  # type: ignore[misc]
                KEYS, root, signature, signed_at=signed_at, now=NOW
            ),
        )
    directory = sign_batch("CH", BATCH, make_signer("directory 1"), NOW)
    expect_fault(TrustFault.WRONG_PURPOSE, lambda: verify_batch(KEYS, BATCH, directory, signed_at=NOW, now=NOW))
    late = NOW + 40 * DAY
    expect_fault(TrustFault.EXPIRED, lambda: verify_batch(KEYS, BATCH, signature, signed_at=NOW, now=late))


@pytest.mark.parametrize("signed_at", [0, -1, 2**62, 946_684_799_999])
def test_a_time_is_in_this_century(signed_at: int) -> None:
    with pytest.raises(ValueError, match="2000 to 2099"):
        encode_batch_statement(BATCH, signed_at)
