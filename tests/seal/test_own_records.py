"""A State's own records open for that State alone, and only unaltered."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes

from sharing.seal.data_keys import EPOCH_MS_MAX
from sharing.seal.faults import SealError, SealFault
from sharing.seal.own_records import OwnRecordSealer, open_own_record

KEY_ID, OTHER_ID = "a" * 64, "b" * 64
WRAPPING_KEYS = {KEY_ID: SecretBytes(bytes(range(32))), OTHER_ID: SecretBytes(bytes(32))}
NOW = 1_800_000_000_000
VALUE = b"\xc3\x01 a draft with 079 000 00 00 in it"


def make_sealer(now: int = NOW, key_id: str = KEY_ID) -> OwnRecordSealer:
    sealer = OwnRecordSealer("CH", random.Random(1).randbytes)
    sealer.begin_batch(key_id, WRAPPING_KEYS[key_id], now)
    return sealer


def seal_draft(sealer: OwnRecordSealer, key: bytes, value: bytes, now: int = NOW) -> bytes:
    (sealed,) = sealer.seal_records("draft", [(key, value)], now)
    return sealed


def open_draft(value: bytes, key: bytes = b"item/1", schema: str = "draft", state: str = "CH") -> bytes:
    return open_own_record(value, key, schema, state, WRAPPING_KEYS.get)


@given(st.binary(max_size=3_000), st.integers(0, EPOCH_MS_MAX - 1))
def test_what_was_sealed_opens_and_shows_nothing_of_it(value: bytes, later: int) -> None:
    sealed = seal_draft(make_sealer(), b"item/1", value, NOW + later)
    assert open_draft(sealed) == value
    assert len(value) < 6 or value not in sealed


@given(st.data())
def test_an_altered_record_is_refused(data: st.DataObject) -> None:
    sealed = seal_draft(make_sealer(), b"item/1", VALUE, NOW)
    position = data.draw(st.integers(0, len(sealed) - 1))
    altered = bytearray(sealed)
    altered[position] ^= data.draw(st.integers(1, 255))
    for bad in (bytes(altered), sealed[:position], sealed + b"\x00"):
        with pytest.raises(SealError) as refused:
            open_draft(bad)
        assert "079" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"key": b"item/2"}, SealFault.CONTENT_MISMATCH),
        ({"schema": "quarantine"}, SealFault.CONTENT_MISMATCH),
        ({"state": "DE"}, SealFault.CONTENT_MISMATCH),
    ],
)
def test_a_record_in_the_place_of_another_is_refused(changes: dict[str, str], fault: SealFault) -> None:
    sealed = seal_draft(make_sealer(), b"item/1", VALUE, NOW)
    with pytest.raises(SealError) as refused:
        open_draft(sealed, **changes)  # type: ignore[arg-type]
    assert refused.value.fault is fault


def test_without_its_wrapping_key_a_record_does_not_open() -> None:
    sealed = seal_draft(make_sealer(), b"item/1", VALUE, NOW)
    with pytest.raises(SealError, match="restore it from the backup"):
        open_own_record(sealed, b"item/1", "draft", "CH", lambda _: None)
    with pytest.raises(SealError, match="does not open"):
        open_own_record(sealed, b"item/1", "draft", "CH", {KEY_ID: WRAPPING_KEYS[OTHER_ID]}.get)


def test_an_epoch_ends_after_a_minute_and_with_its_wrapping_key() -> None:
    sealer = make_sealer()
    first = seal_draft(sealer, b"1", VALUE, NOW)
    with pytest.raises(SealError):
        seal_draft(sealer, b"1", VALUE, NOW + EPOCH_MS_MAX)
    sealer.begin_batch(OTHER_ID, WRAPPING_KEYS[OTHER_ID], NOW + 1)
    second = seal_draft(sealer, b"1", VALUE, NOW + 1)
    assert OTHER_ID.encode() in second
    assert KEY_ID.encode() in first
    assert open_draft(second, b"1") == open_draft(first, b"1") == VALUE


def test_two_records_never_have_the_same_ciphertext() -> None:
    sealer = make_sealer()
    sealed = [*sealer.seal_records("draft", [(b"1", VALUE)] * 3, NOW), seal_draft(sealer, b"1", VALUE)]
    assert len(set(sealed)) == len(sealed)
    assert {open_draft(each, b"1") for each in sealed} == {VALUE}
