"""Batches shrink when their outputs are large or their transactions expire, and grow again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.exactly_once.batch_size import FIRST_BATCH_RECORDS, BatchSizer

MEGABYTE = 1_000_000


def test_the_first_batch_is_small_and_small_outputs_allow_full_batches() -> None:
    sizer = BatchSizer(10_000, 64 * MEGABYTE, 60)
    assert sizer.limit == FIRST_BATCH_RECORDS
    sizer.count_committed(1, 300, 1)
    assert sizer.limit == 10_000


def test_a_batch_without_records_changes_nothing() -> None:
    sizer = BatchSizer(10_000, 64 * MEGABYTE, 60)
    sizer.count_committed(1_000, 300, 1)
    sizer.count_committed(0, 300, 1)
    assert sizer.limit == 10_000


def test_large_outputs_allow_fewer_records() -> None:
    sizer = BatchSizer(10_000, 64 * MEGABYTE, 60)
    sizer.count_committed(1_000, 193 * MEGABYTE, 1)
    assert sizer.limit == 331
    sizer.count_committed(331, 1_000, 1)
    assert sizer.limit == 10_000


def test_each_expired_transaction_halves_the_batch_until_one_is_committed() -> None:
    sizer = BatchSizer(10_000, 64 * MEGABYTE, 60)
    sizer.count_committed(1_000, 1_000, 1)
    limits = []
    for _ in range(3):
        sizer.count_expired(sizer.limit)
        limits.append(sizer.limit)
    assert limits == [5_000, 2_500, 1_250]
    sizer.count_committed(3, 3, 1)
    assert sizer.limit == 1_250, "a batch that was not full shows nothing"
    for expected in (2_500, 5_000, 10_000, 10_000):
        sizer.count_committed(sizer.limit, 3, 30)
        assert sizer.limit == expected


def test_a_batch_does_not_grow_again_when_twice_as_many_records_would_take_too_long() -> None:
    """Otherwise every second transaction would expire."""
    sizer = BatchSizer(10_000, 64 * MEGABYTE, 60)
    sizer.count_expired(1_000)
    sizer.count_committed(500, 3, 31)
    assert sizer.limit == 500
    sizer.count_committed(500, 3, 29)
    assert sizer.limit == 1_000


def test_only_a_batch_of_one_record_cannot_be_halved() -> None:
    sizer = BatchSizer(10_000, 64 * MEGABYTE, 60)
    limits = []
    while sizer.count_expired(sizer.limit):
        limits.append(sizer.limit)
    assert limits == [500, 250, 125, 62, 31, 15, 7, 3, 1]
    assert sizer.limit == 1
    assert not sizer.count_expired(0), "such a batch has only what cannot be read"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20_000), st.integers(0, 10**10))))
def test_a_batch_may_always_have_a_record_and_never_more_than_the_maximum(
    batches: list[tuple[bool, int, int]],
) -> None:
    sizer = BatchSizer(10_000, 64 * MEGABYTE, 60)
    for committed, records, output_bytes in batches:
        if committed:
            sizer.count_committed(records, output_bytes, 1)
        else:
            sizer.count_expired(records)
        assert 1 <= sizer.limit <= 10_000
