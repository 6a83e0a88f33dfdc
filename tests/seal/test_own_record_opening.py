"""An opener that knows epochs opens and refuses what `open_own_record` opens and refuses."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes

from sharing.seal import own_record_opening
from sharing.seal.faults import SealError, SealFault
from sharing.seal.own_record_opening import OwnRecordOpener
from sharing.seal.own_records import OwnRecordSealer, open_own_record
from sharing.trust.public_keys import KeyId
from tests.seal.test_own_records import KEY_ID, NOW, OTHER_ID, VALUE, WRAPPING_KEYS, make_sealer, seal_draft

Find = Callable[[KeyId], SecretBytes | None]


def try_to_open(opens: Callable[[], bytes]) -> bytes | SealFault:
    try:
        return opens()
    except SealError as refused:
        return refused.fault


def check_alike(
    opener: OwnRecordOpener, value: bytes, key: bytes, find: Find = WRAPPING_KEYS.get
) -> bytes | SealFault:  # fmt: skip
    """Check that an opener does what `open_own_record` does, twice in a row, and return that."""
    expected = try_to_open(lambda: open_own_record(value, key, "draft", "CH", find))
    for _ in range(2):
        assert try_to_open(lambda: opener.open(value, key, find)) == expected
    return expected


def make_knowing_opener(sealer: OwnRecordSealer) -> OwnRecordOpener:
    """Return an opener that knows the epoch of a sealer."""
    opener = OwnRecordOpener("draft", "CH")
    assert opener.open(seal_draft(sealer, b"first", VALUE), b"first", WRAPPING_KEYS.get) == VALUE
    return opener


@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(1, 90)), max_size=6))
def test_records_of_one_epoch_open(records: list[tuple[bytes, int]]) -> None:
    sealer = make_sealer()
    opener = make_knowing_opener(sealer)
    for value, key_bytes in records:
        key = b"k" * key_bytes
        assert check_alike(opener, seal_draft(sealer, key, value), key) == value


@given(st.data())
def test_what_is_altered_is_refused(data: st.DataObject) -> None:
    sealer = make_sealer()
    opener, sealed = make_knowing_opener(sealer), seal_draft(sealer, b"item/1", VALUE)
    position = data.draw(st.integers(0, len(sealed) - 1))
    altered = bytearray(sealed)
    altered[position] ^= data.draw(st.integers(1, 255))
    for bad in (bytes(altered), sealed[:position], sealed + b"\x00", b""):
        assert isinstance(check_alike(opener, bad, b"item/1"), SealFault)
    assert check_alike(opener, sealed, b"item/2") is SealFault.CONTENT_MISMATCH
    assert check_alike(opener, sealed, b"item/1") == VALUE


def test_a_wrapping_key_that_is_gone_or_another_one_opens_nothing_of_a_known_epoch() -> None:
    sealer = make_sealer()
    opener, sealed = make_knowing_opener(sealer), seal_draft(sealer, b"item/1", VALUE)
    assert check_alike(opener, sealed, b"item/1", lambda _: None) is SealFault.UNKNOWN_SEAL_KEY
    assert check_alike(opener, sealed, b"item/1", {KEY_ID: WRAPPING_KEYS[OTHER_ID]}.get) is SealFault.NOT_OPENED
    assert check_alike(opener, sealed, b"item/1") == VALUE


def test_a_known_epoch_is_unwrapped_once_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []

    def count(value: bytes, key: bytes, *arguments: Any) -> bytes:
        calls.append(key)
        return open_own_record(value, key, *arguments)

    monkeypatch.setattr(own_record_opening, "open_own_record", count)
    monkeypatch.setattr(own_record_opening, "EPOCHS_MAX", 2)
    opener = OwnRecordOpener("draft", "CH")
    sealers = [OwnRecordSealer("CH", random.Random(number).randbytes) for number in range(3)]
    for begin, sealer in enumerate(sealers):
        sealer.begin_batch(KEY_ID, WRAPPING_KEYS[KEY_ID], NOW + begin)
    for number, which in enumerate([0, 1, 0, 1, 2, 2, 0]):
        key = b"item/%d" % number
        (sealed,) = sealers[which].seal_records("draft", [(key, VALUE)], NOW + 5)
        assert opener.open(sealed, key, WRAPPING_KEYS.get) == VALUE
    assert calls == [b"item/0", b"item/1", b"item/4", b"item/6"], "the third epoch removes the first two"


def test_an_opener_shows_no_secret_and_is_not_copied() -> None:
    opener = make_knowing_opener(make_sealer())
    assert repr(opener) == "OwnRecordOpener(draft, CH)"
    with pytest.raises(TypeError):
        pickle.dumps(opener)
