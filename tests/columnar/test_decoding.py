"""Decoding by columns gives what decoding one by one gives, whatever the bytes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sharing.columnar.decoding import ALONE_MAX, BulkDecoder
from sharing.errors import DecodeError
from sharing.model.indicator import Indicator
from sharing.serialization.codec import RECORD_BYTES_MAX, codec_of, schema_text
from tests.bench.workload import make_indicators

DECODER = BulkDecoder(codec_of("indicator"), schema_text("indicator"))
GOOD = [value for _, value in make_indicators(64, 0.5)]
FULL = codec_of("indicator").encode(
    Indicator.read(
        {
            "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab",
            "version": 2,
            "action": "SUPERSEDE",
            "type": "person",
            "value": "Ægidius Ünal|1970-01-01",
            "summary": "Zürich — 東京",
            "source": {"state": "CH", "agency": "a", "officer": "o", "authority": "POLICE", "case": "c"},
            "offence": {"codes": ["LAUNDERING"], "modifiers": ["LEGAL_PERSON"], "max_penalty_years": 0.5},
            "grading": {"source": "A", "information": 1, "admiralty": "B2"},
            "origin": {"state": "DE", "consent": True},
            "handling": ["H0", "H3"],
            "handling_text": "t",
            "character": ["POLITICAL"],
            "findings": {"own_task_need": True, "serious_offence": False},
            "nexus": [{"state": "NL", "reason": "r"}, {"state": "DE", "reason": "s"}],
            "observed_at": "1969-12-31T23:59:59.999Z",
            "review_at": "9999-12-31T23:59:59.999Z",
            "retain_until": "2026-01-01T00:00:00+14:00",
        }
    ).to_wire()
)


def alone(value: bytes | None) -> Any:
    """Return what the reference path makes of a value."""
    try:
        return codec_of("indicator").decode(value)
    except DecodeError as error:
        return (error.cause, str(error))


def together(values: Sequence[bytes | None]) -> list[Any]:
    """Return what decoding by columns makes of values."""
    return [(one.cause, str(one)) if isinstance(one, DecodeError) else one for one in DECODER.decode(values)]


def test_a_full_record_has_every_field_alike() -> None:
    values = [FULL] * ALONE_MAX
    assert together(values) == [alone(FULL)] * ALONE_MAX


@pytest.mark.parametrize("count", [0, 1, ALONE_MAX - 1, ALONE_MAX, 64])
def test_batches_of_any_size(count: int) -> None:
    assert together(GOOD[:count]) == [alone(value) for value in GOOD[:count]]


def test_one_bad_record_among_many_is_found_and_the_others_are_read() -> None:
    bad: list[bytes | None] = [
        None,
        b"",
        b"\x00abc",
        GOOD[0][:-1],
        GOOD[0] + b"\x00",
        b"\xc3\x01" + bytes(8) + GOOD[0][10:],
    ]
    for place, value in enumerate(bad):
        values = [*GOOD[: 20 + place], value, *GOOD[20 + place :]]
        assert together(values) == [alone(one) for one in values]
    assert together([*GOOD, bytes(RECORD_BYTES_MAX + 1)])[-1][0] == "OVERSIZED"


def _mutate(draw: random.Random, value: bytes) -> bytes:
    data = bytearray(value)
    for _ in range(draw.randrange(1, 4)):
        place = draw.randrange(10, len(data))
        match draw.randrange(3):
            case 0:
                data[place] = draw.randrange(256)
            case 1:
                del data[place]
            case _:
                data.insert(place, draw.randrange(256))
    return bytes(data)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
@example(0)
def test_mutated_records_are_read_or_refused_alike(seed: int) -> None:
    draw = random.Random(seed)
    values = [draw.choice([*GOOD, FULL]) for _ in range(ALONE_MAX * 2)]
    for place in draw.sample(range(len(values)), draw.randrange(1, 6)):
        values[place] = _mutate(draw, values[place])
    assert together(values) == [alone(one) for one in values]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=ALONE_MAX, max_size=ALONE_MAX * 2))
def test_arbitrary_bytes_behind_the_header_are_read_or_refused_alike(bodies: list[bytes]) -> None:
    values = [codec_of("indicator").header + body for body in bodies]
    assert together(values) == [alone(one) for one in values]
