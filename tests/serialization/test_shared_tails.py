"""A decoder that knows tails decodes and refuses what the codec decodes and refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.errors import DecodeError
from sharing.model.indicator import Indicator
from sharing.serialization import shared_tails
from sharing.serialization.codec import get_codec
from sharing.serialization.shared_tails import SharedTailDecoder
from tests.processors.gate.gate_fixtures import indicator_form

CODEC = get_codec("indicator")


def encode(number: int = 1, **changes: Any) -> bytes:
    return CODEC.encode(Indicator.parse(indicator_form(number, **changes)).to_record())


def make_decoder(made: list[str | None] | None = None) -> SharedTailDecoder[dict[str, Any]]:
    """Return a decoder that adds the summary of each tail that it makes to a list."""

    def make(fields: dict[str, Any]) -> dict[str, Any]:
        if made is not None:
            made.append(fields["summary"])
        return fields

    return SharedTailDecoder("indicator", "summary", make)


def decode_alike(decoder: SharedTailDecoder[dict[str, Any]], data: bytes | None) -> dict[str, Any] | str:
    """Check that a decoder does what the codec does, twice in a row; return the record, or why it is refused."""
    outcomes = list[dict[str, Any] | str]()
    for decode in (CODEC.decode, decode_parts(decoder), decode_parts(decoder)):
        try:
            outcomes.append(decode(data))
        except DecodeError as error:
            outcomes.append(f"{error.cause}: {error}")
    first, *others = outcomes
    assert others == [first, first]
    return first


def decode_parts(decoder: SharedTailDecoder[dict[str, Any]]) -> Any:
    def decode(data: bytes | None) -> dict[str, Any]:
        head, tail = decoder.decode(data)
        return {**head, **tail}

    return decode


@given(st.data())
def test_it_decodes_and_refuses_what_the_codec_does(data: st.DataObject) -> None:
    decoder = make_decoder()
    good = encode(1, summary=data.draw(st.sampled_from([None, "a", "b"])))
    decode_alike(decoder, good)
    position = data.draw(st.integers(0, len(good) - 1))
    altered = bytearray(good)
    altered[position] ^= data.draw(st.integers(1, 255))
    for other in (bytes(altered), good[:position], good + b"\x00", b"", None, encode(2)):
        decode_alike(decoder, other)
    assert decode_alike(decoder, good) == CODEC.decode(good)


def test_a_tail_is_made_once_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str | None] = []
    monkeypatch.setattr(shared_tails, "TAILS_MAX", 2)
    decoder = make_decoder(made)
    for number, summary in enumerate(["a", "b", "a", "a", "c", "a"], 1):
        head, tail = decoder.decode(encode(number, summary=summary))
        assert (head["id"], tail["summary"]) == (indicator_form(number)["id"], summary)
    assert made == ["a", "b", "c", "a"], "the third tail removes the first two"


def test_a_tail_that_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str | None] = []
    monkeypatch.setattr(shared_tails, "TAIL_BYTES_MAX", 10)
    decoder = make_decoder(made)
    for _ in range(2):
        decoder.decode(encode())
    assert len(made) == 2
