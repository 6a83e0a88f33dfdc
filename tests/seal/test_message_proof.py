"""One message is proved to a court by its key, which opens no other."""

from __future__ import annotations

import pytest
from pydantic import SecretBytes

from sharing.seal.faults import SealFault
from sharing.seal.message_proof import check_disclosed_message, export_message_key
from sharing.seal.opening import MessageOpener
from sharing.trust.faults import TrustFault
from tests.seal.seal_fixtures import (
    OPENING_KEYS,
    TRUSTED,
    expect_refusal,
    make_message,
    make_opening_key,
    make_sealer,
    make_trusted,
    seal,
    verify,
)
from tests.trust.trust_fixtures import DAY, NOW

KEY = OPENING_KEYS["DE"]
KEYS = {KEY.public_key.key_id: KEY}
SEALER = make_sealer()
FIRST, SECOND = seal(make_message(1), make_message(2), sealer=SEALER)
LATER_ONE = seal(make_message(3), sealer=SEALER, now=NOW + 1)[0]  # the same data key


def export(value: bytes) -> SecretBytes:
    opener = MessageOpener("DE")
    return export_message_key(opener, verify(value, opener=opener, now=NOW + 1), KEYS)


def test_a_message_key_proves_its_message() -> None:
    verified, content = check_disclosed_message(FIRST, export(FIRST), TRUSTED, NOW + DAY)
    assert content == make_message(1).content
    assert (verified.envelope.from_state, verified.envelope.to_state) == ("CH", "DE")


@pytest.mark.parametrize("other", [SECOND, LATER_ONE])
def test_it_opens_no_other_message_of_the_same_data_key(other: bytes) -> None:
    assert verify(FIRST).wrapped_key == verify(other, now=NOW + 1).wrapped_key
    expect_refusal(
        SealFault.WRONG_COMMITMENT, lambda: check_disclosed_message(other, export(FIRST), TRUSTED, NOW + DAY)
    )


def test_the_data_key_of_the_message_is_not_disclosed() -> None:
    message_key = export(FIRST).get_secret_value()
    data_key = KEY.unwrap(verify(FIRST).wrapped_key, b'["sharing/data-key/v1","X25519","CH","DE",%d]' % NOW)
    assert len(data_key) == len(message_key) == 32
    assert data_key != message_key
    assert "b'" not in repr(export(FIRST)).replace("SecretBytes(b'**********')", "")


def test_neither_message_nor_sender_can_be_replaced() -> None:
    key = export(FIRST)
    altered = FIRST.replace(make_message(1).id.encode(), make_message(9).id.encode())
    expect_refusal(SealFault.BAD_SIGNATURE, lambda: check_disclosed_message(altered, key, TRUSTED, NOW))
    expect_refusal(SealFault.NOT_PINNED, lambda: check_disclosed_message(FIRST, key, {"DE": make_trusted("DE")}, NOW))
    expect_refusal(
        SealFault.WRONG_COMMITMENT, lambda: check_disclosed_message(FIRST, SecretBytes(bytes(32)), TRUSTED, NOW)
    )
    error = expect_refusal(
        SealFault.UNTRUSTED_SIGNER, lambda: check_disclosed_message(FIRST, key, TRUSTED, NOW + 60 * DAY)
    )
    assert error.trust_fault is TrustFault.EXPIRED


def test_a_key_that_does_not_open_its_message_is_not_exported() -> None:
    opener = MessageOpener("DE")
    other = make_opening_key("other")
    expect_refusal(
        SealFault.NOT_OPENED,
        lambda: export_message_key(opener, verify(FIRST, opener=opener), {KEY.public_key.key_id: other}),
    )
