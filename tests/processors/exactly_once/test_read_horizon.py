"""Up to which instant everything has been read: from ends that are queried, and from what the consumer has passed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from processors.exactly_once.read_horizon import REPLICATION_MS, Partition, ReadHorizon

NOW = 1_000_000
ASSIGNED = [("replies", 0), ("urgent", 0), ("replies", 1), ("urgent", 1)]


@dataclass
class FakeQuery:
    """A query whose answer comes when a test gives it."""

    partitions: list[Partition]
    ends: Mapping[Partition, int] | None = None

    def take(self) -> Mapping[Partition, int] | None:
        return self.ends


@dataclass
class FakeCluster:
    """A clock, and the queries that were begun."""

    now_ms: int = NOW
    queries: list[FakeQuery] = field(default_factory=list)

    def begin(self, partitions: Iterable[Partition]) -> FakeQuery:
        self.queries.append(FakeQuery(list(partitions)))
        return self.queries[-1]


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def horizon(cluster: FakeCluster) -> ReadHorizon:
    return ReadHorizon(cluster.begin, lambda: cluster.now_ms)


def answer(cluster: FakeCluster, horizon: ReadHorizon, **ends: int) -> Mapping[int, int]:
    """Answer the last query: the ends by topic, the same in each partition."""
    query = cluster.queries[-1]
    query.ends = {(topic, number): ends[topic] for topic, number in query.partitions if topic in ends}
    return horizon.advance(ASSIGNED)


def test_nothing_is_queried_while_nobody_waits_or_the_instant_has_not_come(
    cluster: FakeCluster, horizon: ReadHorizon
) -> None:
    horizon.advance(ASSIGNED)
    horizon.want({0: NOW - REPLICATION_MS + 1})
    horizon.advance(ASSIGNED)
    assert (cluster.queries, horizon.wait_s) == ([], 0)
    cluster.now_ms += 1
    horizon.advance(ASSIGNED)
    assert [query.partitions for query in cluster.queries] == [[("replies", 0), ("urgent", 0)]]


def test_an_instant_counts_once_the_consumer_is_past_the_end_of_each_topic(
    cluster: FakeCluster, horizon: ReadHorizon
) -> None:
    horizon.want({0: NOW - 5_000, 1: NOW - 5_000})
    horizon.advance(ASSIGNED)
    cluster.now_ms += 60_000  # a slow answer: the instant is that before the query
    assert answer(cluster, horizon, replies=3, urgent=0) == {}
    horizon.note_passed({("replies", 0): 3, ("urgent", 1): 0})
    assert horizon.advance(ASSIGNED) == {}
    assert not horizon.is_reached
    assert horizon.wait_s == pytest.approx(64.8)
    horizon.note_passed({("urgent", 0): 0})
    assert horizon.advance(ASSIGNED) == {0: NOW - REPLICATION_MS}
    assert horizon.is_reached
    horizon.note_passed({("replies", 1): 2})
    assert 1 not in horizon.advance(ASSIGNED), "a record before the end is missing: hidden by an open transaction"
    horizon.note_passed({("replies", 1): 4})
    assert horizon.advance(ASSIGNED).keys() == {0, 1}
    horizon.want({0: cluster.now_ms + 1})
    assert not horizon.is_reached
    assert horizon.wait_s == 0


def test_an_end_that_is_awaited_is_kept_although_more_arrives(cluster: FakeCluster, horizon: ReadHorizon) -> None:
    horizon.want({0: NOW - 5_000})
    horizon.advance(ASSIGNED)
    answer(cluster, horizon, replies=10, urgent=0)
    horizon.note_passed({("urgent", 0): 0})
    for passed in range(8, 10):
        horizon.note_passed({("replies", 0): passed})
        cluster.now_ms += 1_000
        assert horizon.advance(ASSIGNED) == {}
    assert len(cluster.queries) == 1
    horizon.note_passed({("replies", 0): 10})
    assert horizon.advance(ASSIGNED) == {0: NOW - REPLICATION_MS}


def test_an_end_that_is_not_known_is_queried_again(cluster: FakeCluster, horizon: ReadHorizon) -> None:
    horizon.want({0: NOW - 5_000})
    horizon.advance(ASSIGNED)
    horizon.note_passed({("replies", 0): 9, ("urgent", 0): 9})
    assert answer(cluster, horizon, replies=3) == {}
    assert len(cluster.queries) == 2
    assert answer(cluster, horizon, replies=3, urgent=3).keys() == {0}


def test_an_assignment_forgets_everything_so_that_a_batch_comes_at_once(
    cluster: FakeCluster, horizon: ReadHorizon
) -> None:
    assert horizon.is_reached, "nobody was asked what to wait for"
    horizon.want({0: NOW - 5_000})
    assert not horizon.is_reached
    horizon.advance(ASSIGNED)
    horizon.note_passed({("replies", 0): 9, ("urgent", 0): 9})
    assert answer(cluster, horizon, replies=3, urgent=3) == {0: NOW - REPLICATION_MS}
    horizon.forget()
    assert horizon.is_reached
    horizon.want({0: NOW - 5_000})
    assert horizon.advance(ASSIGNED) == {}, "what was passed before may have to be read again"
    assert answer(cluster, horizon, replies=3, urgent=3) == {}


def test_a_partition_that_was_given_up_is_not_waited_for(cluster: FakeCluster, horizon: ReadHorizon) -> None:
    horizon.want({0: NOW - 5_000, 1: NOW - 5_000})
    horizon.advance(ASSIGNED)
    horizon.note_passed(dict.fromkeys(ASSIGNED, 9))
    query = cluster.queries[-1]
    query.ends = dict.fromkeys(ASSIGNED, 3)
    assert horizon.advance(ASSIGNED[:2]) == {0: NOW - REPLICATION_MS}
