"""The numbers of messages: what is missing is named, and what is no attack is accepted."""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.seal.sequences import (
    Arrival,
    MissingNumbers,
    Receipt,
    StreamId,
    StreamPosition,
    classify_arrival,
    identify_stream,
    take_next_numbers,
)
from tests.seal.seal_fixtures import make_message, seal, verify
from tests.trust.trust_fixtures import NOW

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
STORED = StreamPosition(NOW, 5)
Missing = MissingNumbers


@pytest.mark.parametrize(
    ("stored", "began_at", "sequence", "is_known", "expected"),
    [
        (STORED, NOW, 6, False, Receipt(Arrival.IN_ORDER, None, StreamPosition(NOW, 6))),
        (STORED, NOW, 7, False, Receipt(Arrival.GAP, Missing(6, 6), StreamPosition(NOW, 7))),
        (STORED, NOW, 100, False, Receipt(Arrival.GAP, Missing(6, 99), StreamPosition(NOW, 100))),
        (STORED, NOW, 5, True, Receipt(Arrival.REPEATED, None, STORED)),
        (STORED, NOW, 1, True, Receipt(Arrival.REPEATED, None, STORED)),
        (STORED, NOW, 5, False, Receipt(Arrival.OUT_OF_ORDER, None, STORED)),
        (STORED, NOW, 1, False, Receipt(Arrival.OUT_OF_ORDER, None, STORED)),
        # The twin of a known message with the next number: the number is used.
        (STORED, NOW, 6, True, Receipt(Arrival.REPEATED, None, StreamPosition(NOW, 6))),
        # A known message with a later number hides no gap.
        (STORED, NOW, 9, True, Receipt(Arrival.REPEATED, Missing(6, 8), StreamPosition(NOW, 9))),
        (None, NOW, 1, False, Receipt(Arrival.NEW_STREAM, None, StreamPosition(NOW, 1))),
        (None, NOW, 4, False, Receipt(Arrival.NEW_STREAM, Missing(1, 3), StreamPosition(NOW, 4))),
        (STORED, NOW + 1, 1, False, Receipt(Arrival.NEW_STREAM, None, StreamPosition(NOW + 1, 1))),
        (STORED, NOW + 1, 3, False, Receipt(Arrival.NEW_STREAM, Missing(1, 2), StreamPosition(NOW + 1, 3))),
        (STORED, NOW + 1, 1, True, Receipt(Arrival.REPEATED, None, StreamPosition(NOW + 1, 1))),
        (STORED, NOW - 1, 9, False, Receipt(Arrival.OUT_OF_ORDER, None, STORED)),
        (STORED, NOW - 1, 9, True, Receipt(Arrival.REPEATED, None, STORED)),
    ],
)
def test_an_arrival_is_classified(
    stored: StreamPosition | None, began_at: int, sequence: int, is_known: bool, expected: Receipt
) -> None:
    assert classify_arrival(stored, began_at, sequence, is_known=is_known) == expected


@SETTINGS
@given(st.integers(1, 40), st.integers())
def test_every_dropped_number_is_named_and_no_other(count: int, seed: int) -> None:
    """Messages are dropped, repeated and reordered: named is what had not arrived when a later one did."""
    generator = random.Random(seed)
    numbers: list[int] = []
    position: StreamPosition | None = None
    for _ in range(count):
        more, position = take_next_numbers(position, generator.choice((1, 2, 3)), NOW)
        numbers += more
    count = len(numbers)
    assert numbers == list(range(1, count + 1))
    arriving = [number for number in numbers if generator.random() < 0.7 for _ in range(generator.choice((1, 1, 2)))]
    for _ in range(3):
        if len(arriving) > 1:
            index = generator.randrange(len(arriving) - 1)
            arriving[index], arriving[index + 1] = arriving[index + 1], arriving[index]
    stored: StreamPosition | None = None
    seen: set[int] = set()
    named: set[int] = set()
    for number in arriving:
        receipt = classify_arrival(stored, NOW, number, is_known=number in seen)
        highest = max(seen, default=0)
        missing = set() if receipt.missing is None else set(range(receipt.missing.first, receipt.missing.last + 1))
        assert missing == set(range(highest + 1, number))
        assert (receipt.arrival is Arrival.REPEATED) is (number in seen)
        named |= missing
        seen.add(number)
        stored = receipt.position
    assert named >= set(range(1, max(seen, default=0))) - seen
    assert stored == (StreamPosition(NOW, max(seen)) if seen else None)


def test_a_sender_that_lost_its_state_begins_a_new_stream() -> None:
    numbers, position = take_next_numbers(None, 3, NOW)
    assert (numbers, position) == (range(1, 4), StreamPosition(NOW, 3))
    assert take_next_numbers(position, 1, NOW + 99) == (range(4, 5), StreamPosition(NOW, 4))
    assert take_next_numbers(None, 1, NOW + 99) == (range(1, 2), StreamPosition(NOW + 99, 1))


def test_a_stream_is_identified_by_its_sender_too() -> None:
    envelope = verify(seal(make_message())[0]).envelope
    assert identify_stream(envelope) == StreamId("CH", "gate", 3, "notices")
