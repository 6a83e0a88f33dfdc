"""The partition of one key is that of the Java clients' partitioner."""

from __future__ import annotations

from aiokafka.partitioner import murmur2  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.kafka.key_partition import find_partition


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(key=st.binary(max_size=50), partitions=st.integers(1, 200))
def test_the_partition_is_that_of_the_java_clients(key: bytes, partitions: int) -> None:
    assert find_partition(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions
