"""The columnar partitioner gives the partitions of the Java clients' partitioner, for any ids."""

from __future__ import annotations

import pyarrow as pa
import pytest
from aiokafka.partitioner import murmur2  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.columnar.partitioner import (
    ID_LENGTH,
    compute_partitions,
    find_misplaced_keys,
    find_misplaced_rows,
)

SETTINGS = settings(max_examples=200, deadline=None, derandomize=True, database=None)
IDS = st.uuids().map(lambda identity: str(identity).encode()) | st.binary(min_size=ID_LENGTH, max_size=ID_LENGTH)
COUNTS = st.integers(1, 200)


def find_partition(key: bytes, partition_count: int) -> int:
    """Return the partition of a key, as aiokafka computes it: one key at a time, in Python."""
    return int((murmur2(key) & 0x7FFFFFFF) % partition_count)


@SETTINGS
@given(ids=st.lists(IDS, max_size=40), partition_count=COUNTS, skipped=st.integers(0, 3))
def test_the_partitions_are_those_of_the_java_clients(ids: list[bytes], partition_count: int, skipped: int) -> None:
    """Also for an odd number of ids, and for a slice of an array."""
    column = pa.array(ids, pa.binary())[skipped:]
    expected = [find_partition(key, partition_count) for key in ids[skipped:]]
    assert compute_partitions(column, partition_count).to_pylist() == expected


@SETTINGS
@given(keys=st.lists(st.none() | st.binary(max_size=50) | IDS, max_size=30), partition_count=COUNTS, data=st.data())
def test_misplaced_records_are_found(keys: list[bytes | None], partition_count: int, data: st.DataObject) -> None:
    """Other keys are left out: such a record is refused in any case, because its key is not its id."""
    right = [0 if key is None else find_partition(key, partition_count) for key in keys]
    moved = data.draw(st.sets(st.integers(0, len(keys) - 1))) if keys and partition_count > 1 else set()
    actual = [(place + (row in moved)) % partition_count for row, place in enumerate(right)]
    is_id = [key is not None and len(key) == ID_LENGTH for key in keys]
    found = find_misplaced_keys(keys, pa.array(actual, pa.uint32()), partition_count)
    assert found == [row for row in sorted(moved) if is_id[row]]


@pytest.mark.parametrize("type_", [pa.string(), pa.binary()])
def test_a_row_is_misplaced_if_it_is_on_another_partition(type_: pa.DataType) -> None:
    ids = ["018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "018f3c1e-7b1a-7c3d-8e2f-0123456789ac"]
    right = [find_partition(key.encode(), 12) for key in ids]
    column = pa.array(ids, pa.string()).cast(type_)
    assert find_misplaced_rows(column, pa.array(right, pa.uint32()), 12) == []
    assert find_misplaced_rows(column, pa.array([right[0], right[1] + 1], pa.uint32()), 12) == [1]
