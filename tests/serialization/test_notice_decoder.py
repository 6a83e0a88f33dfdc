"""The decoder of a subscriber reads what the codec reads, and refuses what it refuses, whatever the bytes are."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.errors import DecodeError
from sharing.serialization import notice_decoder
from sharing.serialization.avro_primitives import LONG_MAX, encode_long
from sharing.serialization.codec import get_codec
from sharing.serialization.notice_decoder import NoticeDecoder, ReadNotice, decode_notice
from tests.kafka.topic_io import fill_defaults, notice_bytes, notice_record

STATE = "DE"
TEXTS = st.one_of(st.none(), st.text(max_size=200))
LISTS = st.lists(st.text(max_size=9), max_size=3)
TIMES = st.one_of(st.none(), st.integers(-62_135_596_800_000, 253_402_300_799_999))
CONTENTS = st.fixed_dictionaries(
    {
        "type": TEXTS, "value": TEXTS, "summary": TEXTS, "source_agency": TEXTS, "source_authority": TEXTS,
        "source_case": TEXTS, "offence_codes": LISTS, "handling": LISTS, "observed_at": TIMES,
        "max_penalty_years": st.one_of(st.none(), st.floats(allow_nan=False)), "tlp": TEXTS,
        "grading_information": st.one_of(st.none(), st.integers(-9, 9)),
        "relevance": st.lists(st.fixed_dictionaries({"kind": st.text(max_size=5), "detail": st.text(max_size=9)})),
    }
)  # fmt: skip
ENVELOPES = st.fixed_dictionaries(
    {
        "id": st.text(max_size=40), "indicator_id": st.text(max_size=40), "item_id": st.text(max_size=150),
        "version": st.integers(-(2**31), 2**31 - 1), "amendment": st.integers(0, 9), "retain_until": TIMES,
        "review_at": TIMES, "kind": st.sampled_from(["ITEM", "CORRECTION", "RECALL"]), "redacted": LISTS,
    }
)  # fmt: skip


def encode(envelope: dict[str, Any], content: dict[str, Any]) -> bytes:
    data = get_codec("notice_content").encode(fill_defaults("notice_content", content))
    return get_codec("notice").encode({**notice_record(STATE), **envelope, "content": data})


def read_slowly(data: bytes | None) -> ReadNotice | tuple[str, str]:
    """Return what the codec makes of bytes: a notice, or the cause and text of its error."""
    try:
        return notice_decoder._read_any(data, STATE, None)
    except DecodeError as error:
        return error.cause, str(error)


def read(decoder: NoticeDecoder, data: bytes | None) -> ReadNotice | tuple[str, str]:
    try:
        return decoder.read(data)
    except DecodeError as error:
        return error.cause, str(error)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(ENVELOPES, CONTENTS), min_size=1, max_size=4))
def test_every_notice_is_read_as_the_codec_reads_it(parts: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    decoder = NoticeDecoder(STATE)
    for envelope, content in parts * 2:  # the second time, what they have in common is remembered
        data = encode(envelope, content)
        assert read(decoder, data) == read_slowly(data)
        assert decoder.read(data).notice == decode_notice(data, STATE)


@settings(max_examples=500, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(["flip", "cut", "insert", "long", "swap"]))
def test_altered_bytes_are_read_or_refused_as_by_the_codec(rng: random.Random, how: str) -> None:
    decoder = NoticeDecoder(STATE)
    seeds = [notice_bytes(STATE, f"{number}.example", identity="id") for number in range(2)]
    for seed in seeds:
        decoder.read(seed)  # so that known ends are met
    data = bytearray(rng.choice(seeds))
    place = rng.randrange(10, len(data))
    match how:
        case "flip":
            data[place] ^= 1 << rng.randrange(8)
        case "cut":
            del data[place:]
        case "insert":
            data[place:place] = rng.randbytes(rng.randrange(1, 4))
        case "long":  # a number in more bytes than it needs
            data[place : place + 1] = bytes([data[place] | 0x80, 0])
        case "swap":
            data[place:] = seeds[0][rng.randrange(10, len(seeds[0])) :]
    assert read(decoder, bytes(data)) == read_slowly(bytes(data))


def test_a_version_of_more_than_64_bits_is_read_as_by_the_codec() -> None:
    data = notice_bytes(STATE, version=LONG_MAX)
    place, length = data.index(encode_long(LONG_MAX)), len(encode_long(LONG_MAX))
    altered = data[:place] + b"\xfe" + b"\xff" * (length - 2) + b"\x7f" + data[place + length :]
    assert read(NoticeDecoder(STATE), altered) == read_slowly(altered)


@pytest.mark.parametrize("data", [None, b"", b"\xc3\x01", b"\x00junk", notice_bytes("FR"), notice_bytes(STATE)[:-1]])
def test_what_is_no_notice_to_this_state_is_refused(data: bytes | None) -> None:
    refused = read(NoticeDecoder(STATE), data)
    assert refused == read_slowly(data)
    assert isinstance(refused[0], str)


def test_usual_notices_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = NoticeDecoder(STATE)

    def refuse(*_: object) -> ReadNotice:
        raise AssertionError("a notice was decoded by the codec")

    monkeypatch.setattr(notice_decoder, "_read_any", refuse)
    for number in range(40):
        case = {"source_case": f"case {number}", "observed_at": 1_767_225_600_000 + number, "handling": ["H2"]}
        assert decoder.read(encode({"version": number}, case)).notice.content["source_case"] == f"case {number}"
    assert (len(decoder._terms), len(decoder._middles), len(decoder._reasons)) == (1, 1, 1)


def test_a_program_may_change_the_lists_that_it_is_given() -> None:
    decoder, data = NoticeDecoder(STATE), encode({}, {"handling": ["H2"]})
    decoder.read(data).notice.content["handling"].append("mine")
    assert decoder.read(data).notice.content["handling"] == ["H2"]


def test_many_lengths_of_middles_are_forgotten_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice_decoder, "_LENGTHS_MAX", 3)
    decoder = NoticeDecoder(STATE)
    for length in range(8):
        data = encode({}, {"handling": ["x" * length]})
        assert decoder.read(data) == read_slowly(data)
        assert len(decoder._middle_lengths) <= 3


def test_what_a_new_decision_changes_is_not_in_the_digest() -> None:
    decoder, record = NoticeDecoder(STATE), notice_record(STATE)

    def digest(**changes: Any) -> bytes:
        return decoder.read(get_codec("notice").encode({**record, **changes})).digest

    other_reason = encode({}, {"type": "domain-name", "value": "example.org", "source_agency": "Agency"})
    same = get_codec("notice").decode(other_reason)["content"]
    pack = {**record["pack"], "version": "2026.2"}
    assert len({digest(), digest(sent_at=5), digest(pack=pack), digest(content=same), digest(basis=None)}) == 1
    condition = {**record["conditions"][0], "text": "Another text."}
    said = get_codec("notice_content").encode(fill_defaults("notice_content", {"value": "other"}))
    changed = [digest(kind="CORRECTION"), digest(version=2), digest(conditions=[condition]), digest(content=said)]
    assert len({digest(), digest(indicator_id="x"), *changed}) == 6
