"""Columnar decoding gives the same results as the record path, for any bytes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sharing.columnar.decoding import BULK_MIN, BulkDecoder
from sharing.errors import DecodeError
from sharing.model.indicator import Indicator
from sharing.serialization.codec import RECORD_BYTES_MAX, get_codec, read_schema_text
from tests.bench.workload import make_indicators

DECODER = BulkDecoder(get_codec("indicator"), read_schema_text("indicator"))
VALID = [value for _, value in make_indicators(64, 0.5)]
FULL = get_codec("indicator").encode(
    Indicator.parse(
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
    ).to_record()
)


def decode_singly(value: bytes | None) -> Any:
    """Return the result of the record path for a value."""
    try:
        return get_codec("indicator").decode(value)
    except DecodeError as error:
        return (error.cause, str(error))


def decode_together(values: Sequence[bytes | None]) -> list[Any]:
    """Return the results of columnar decoding for values."""
    return [
        (result.cause, str(result)) if isinstance(result, DecodeError) else result for result in DECODER.decode(values)
    ]


def test_every_field_of_a_full_record_is_equal() -> None:
    values = [FULL] * BULK_MIN
    assert decode_together(values) == [decode_singly(FULL)] * BULK_MIN


@pytest.mark.parametrize("count", [0, 1, BULK_MIN - 1, BULK_MIN, 64])
def test_batches_of_any_size(count: int) -> None:
    assert decode_together(VALID[:count]) == [decode_singly(value) for value in VALID[:count]]


def test_one_invalid_record_does_not_affect_the_others() -> None:
    invalid: list[bytes | None] = [
        None,
        b"",
        b"\x00abc",
        VALID[0][:-1],
        VALID[0] + b"\x00",
        b"\xc3\x01" + bytes(8) + VALID[0][10:],
    ]
    for position, invalid_value in enumerate(invalid, start=20):
        values = [*VALID[:position], invalid_value, *VALID[position:]]
        assert decode_together(values) == [decode_singly(value) for value in values]
    assert decode_together([*VALID, bytes(RECORD_BYTES_MAX + 1)])[-1][0] == "OVERSIZED"


def mutate(draw: random.Random, value: bytes) -> bytes:
    data = bytearray(value)
    for _ in range(draw.randrange(1, 4)):
        index = draw.randrange(10, len(data))
        match draw.randrange(3):
            case 0:
                data[index] = draw.randrange(256)
            case 1:
                del data[index]
            case _:
                data.insert(index, draw.randrange(256))
    return bytes(data)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
@example(0)
def test_mutated_records_have_equal_results(seed: int) -> None:
    draw = random.Random(seed)
    values = [draw.choice([*VALID, FULL]) for _ in range(BULK_MIN * 2)]
    for position in draw.sample(range(len(values)), draw.randrange(1, 6)):
        values[position] = mutate(draw, values[position])
    assert decode_together(values) == [decode_singly(value) for value in values]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=BULK_MIN, max_size=BULK_MIN * 2))
def test_arbitrary_bytes_after_the_header_have_equal_results(bodies: list[bytes]) -> None:
    values = [get_codec("indicator").header + body for body in bodies]
    assert decode_together(values) == [decode_singly(value) for value in values]
