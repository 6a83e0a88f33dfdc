"""The decoder of a reader reads what `decode_item` reads, and refuses what it refuses, whatever the bytes are."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.seal import item_decoder
from sharing.seal.faults import SealError
from sharing.seal.inbox_record import ItemRecord, decode_item
from sharing.seal.item_decoder import ItemDecoder
from tests.seal.test_inbox_items import CASES, make_received, make_sealer, seal
from tests.trust.trust_fixtures import EXAMPLES, NOW


def run(decode: Any, value: bytes | None) -> ItemRecord | tuple[str, str]:
    try:
        result: ItemRecord = decode(value)
    except SealError as error:
        return str(error.fault), str(error)
    return result


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(["none", "flip", "cut", "insert", "long"]))
def test_items_are_read_or_refused_as_by_decode_item(rng: random.Random, how: str) -> None:
    values = [*seal(*map(make_received, range(3))), *seal(make_received(4), readers=[CASES.public_key])]
    decoder = ItemDecoder()
    for value in values:
        decoder.decode(value)  # so that the slots are known
    data = bytearray(rng.choice(values))
    place = rng.randrange(len(data))
    match how:
        case "flip":
            data[place] ^= 1 << rng.randrange(8)
        case "cut":
            del data[place:]
        case "insert":
            data[place:place] = rng.randbytes(rng.randrange(1, 4))
        case "long":
            data[place : place + 1] = bytes([data[place] | 0x80, 0])
    expected, got = run(decode_item, bytes(data)), run(decoder.decode, bytes(data))
    assert got == expected


@pytest.mark.parametrize("value", [None, b"", b"\xc3\x01", b"junk"])
def test_what_is_no_item_is_refused(value: bytes | None) -> None:
    assert run(ItemDecoder().decode, value) == run(decode_item, value)


def test_known_slots_are_not_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sealer, decoder = make_sealer(), ItemDecoder()
    decoder.decode(*seal(make_received(), sealer=sealer))
    later = seal(*map(make_received, range(2, 9)), sealer=sealer, now=NOW + 5)

    def refuse(_: object) -> ItemRecord:
        raise AssertionError("an item was decoded by the codec")

    monkeypatch.setattr(item_decoder, "decode_item", refuse)
    assert [decoder.decode(value) for value in later] == [decode_item(value) for value in later]
