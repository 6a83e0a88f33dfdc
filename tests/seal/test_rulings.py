"""Sealed rulings: they open for the State's worker, later for holders of its wrapping key, and only unaltered."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes

from sharing.model.times import from_milliseconds
from sharing.seal.faults import SealError, SealFault
from sharing.seal.hpke import MemoryOpeningKey
from sharing.seal.rulings import (
    KeptRulingKey,
    OpenedRuling,
    is_sealed_ruling,
    open_ruling,
    open_ruling_with_key,
    seal_ruling,
    unwrap_ruling_key,
    wrap_ruling_key,
)
from sharing.serialization.codec import RECORD_BYTES_MAX, get_codec
from sharing.serialization.framing import Framing, make_registry_header
from tests.seal.seal_fixtures import CANARY, HYBRID, make_opening_key
from tests.trust.trust_fixtures import NOW, make_signer

OWN, OTHER, POST_QUANTUM = make_opening_key("CH"), make_opening_key("CH 2"), make_opening_key("CH 3", HYBRID)
OPENING_KEYS = {key.public_key.key_id: key for key in (OWN, POST_QUANTUM)}
WRAPPING_KEY_ID, WRAPPING_KEY = "a" * 64, SecretBytes(bytes(range(32)))
CODEC = get_codec("sealed_ruling")


def seal(record: bytes = CANARY, seal_key: MemoryOpeningKey = OWN, state: str = "CH", seed: int = 1) -> bytes:
    return seal_ruling(record, state, seal_key.public_key, random.Random(seed).randbytes, NOW)


def change(value: bytes, **fields: Any) -> bytes:
    """Return a sealed ruling with other fields, in its byte form."""
    return CODEC.encode({**CODEC.decode(value), **fields})


def expect(fault: SealFault, act: Callable[[], object]) -> str:
    with pytest.raises(SealError) as caught:
        act()
    assert caught.value.fault is fault
    assert CANARY.decode() not in str(caught.value)
    return str(caught.value)


@given(st.binary(max_size=3_000), st.sampled_from([OWN, POST_QUANTUM]))
def test_a_ruling_opens_for_the_worker_and_shows_nothing(record: bytes, seal_key: MemoryOpeningKey) -> None:
    value = seal(CANARY + record, seal_key)
    assert CANARY not in value
    assert is_sealed_ruling(value)
    opened = open_ruling(value, "CH", OPENING_KEYS)
    assert opened.record == CANARY + record
    assert CANARY.decode() not in repr(opened)
    assert opened.key.get_secret_value().hex() not in repr(opened)


def test_its_length_shows_its_class_only() -> None:
    assert len({len(seal(CANARY + bytes(size))) for size in range(400)}) == 1


def test_each_is_sealed_under_a_key_of_its_own() -> None:
    first, second = (open_ruling(seal(seed=seed), "CH", OPENING_KEYS) for seed in (1, 2))
    assert first.key.get_secret_value() != second.key.get_secret_value()
    expect(SealFault.NOT_OPENED, lambda: open_ruling_with_key(seal(seed=1), "CH", second.key))


def test_with_the_kept_key_it_opens_after_the_seal_key_has_ended() -> None:
    opened = open_ruling(seal(), "CH", OPENING_KEYS)
    kept = wrap_ruling_key(opened.key, WRAPPING_KEY_ID, WRAPPING_KEY)
    assert opened.key.get_secret_value() not in kept.wrapped
    key = unwrap_ruling_key(kept, "CH", {WRAPPING_KEY_ID: WRAPPING_KEY}.get)
    assert open_ruling_with_key(seal(), "CH", key) == CANARY


def test_the_kept_key_opens_with_its_own_wrapping_key_alone() -> None:
    kept = wrap_ruling_key(SecretBytes(bytes(32)), WRAPPING_KEY_ID, WRAPPING_KEY)
    said = expect(SealFault.UNKNOWN_SEAL_KEY, lambda: unwrap_ruling_key(kept, "CH", lambda key_id: None))
    assert "restore it from the backup" in said
    expect(SealFault.NOT_OPENED, lambda: unwrap_ruling_key(kept, "CH", lambda key_id: SecretBytes(bytes(32))))
    altered = KeptRulingKey(kept.wrapping_key, kept.wrapped[:-1] + bytes([kept.wrapped[-1] ^ 1]))
    expect(SealFault.NOT_OPENED, lambda: unwrap_ruling_key(altered, "CH", lambda key_id: WRAPPING_KEY))
    expect(SealFault.NOT_OPENED, lambda: unwrap_ruling_key(KeptRulingKey("a", b""), "CH", lambda key_id: WRAPPING_KEY))


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        (SealFault.UNSEALED, b""),
        (SealFault.UNSEALED, get_codec("ruling").header + b"in clear"),
        (SealFault.WRONG_RECIPIENT, seal(state="DE")),
        (SealFault.UNKNOWN_SEAL_KEY, seal(seal_key=OTHER)),
        (SealFault.UNKNOWN_SUITE, change(seal(), suite="ROT13")),
        (SealFault.UNKNOWN_SUITE, change(seal(), suite="MLKEM768-X25519")),
        (SealFault.MALFORMED, seal()[:-1]),
        (SealFault.MALFORMED, seal() + b"\x00"),
        (SealFault.OVERSIZED, seal() + bytes(RECORD_BYTES_MAX)),
        (SealFault.NOT_OPENED, change(seal(), seal_key=POST_QUANTUM.public_key.key_id, suite="MLKEM768-X25519")),
        (SealFault.NOT_OPENED, change(seal(), sealed_at=from_milliseconds(NOW + 1))),
        (SealFault.NOT_OPENED, change(seal(), wrapped_key=CODEC.decode(seal(seed=2))["wrapped_key"])),
        (SealFault.NOT_OPENED, change(seal(), wrapped_key=b"")),
        (SealFault.NOT_OPENED, change(seal(), ciphertext=CODEC.decode(seal(seed=2))["ciphertext"])),
        (SealFault.NOT_OPENED, change(seal(), ciphertext=b"")),
    ],
)  # fmt: skip
def test_what_is_not_sealed_to_this_worker_is_refused(fault: SealFault, value: bytes) -> None:
    said = expect(fault, lambda: open_ruling(value, "CH", OPENING_KEYS))
    assert any(remedy in said for remedy in ("rule again", "update this worker", "does not open")), said


@given(st.data())
def test_no_altered_byte_opens(data: st.DataObject) -> None:
    value = bytearray(seal())
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealError):
        open_ruling(bytes(value), "CH", OPENING_KEYS)


def test_nothing_is_sealed_to_a_key_that_signs_or_under_a_wrong_clock() -> None:
    random_bytes = random.Random(1).randbytes
    signer = make_signer("gate 1").public_key
    expect(SealFault.UNUSABLE_RECIPIENT_KEY, lambda: seal_ruling(CANARY, "CH", signer, random_bytes, NOW))
    with pytest.raises(SealError):
        seal_ruling(CANARY, "CH", OWN.public_key, random_bytes, 0)


def test_with_a_schema_registry_it_has_the_header_of_that() -> None:
    header = make_registry_header(7)
    framing = Framing({"sealed_ruling": header}, {header: get_codec("sealed_ruling").header})
    value = seal_ruling(CANARY, "CH", OWN.public_key, random.Random(1).randbytes, NOW, framing=framing)
    assert value.startswith(header)
    assert open_ruling(framing.to_single_object(value) or b"", "CH", OPENING_KEYS).record == CANARY


def test_an_opened_ruling_shows_no_content() -> None:
    assert CANARY.decode() not in repr(OpenedRuling(CANARY, SecretBytes(CANARY)))
