"""Partitions are prepared only if this worker has all of the state that their records need, and the broker answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from confluent_kafka import TopicPartition

from processors.exactly_once.assignment import Assignment
from processors.exactly_once.committed_positions import CommittedPositions
from processors.exactly_once.input_logs import InputLogs, LogsUnavailableError
from processors.exactly_once.reached_ends import ReachedEnds
from processors.exactly_once.read_horizon import ReadHorizon

if TYPE_CHECKING:
    from collections.abc import Mapping


class StubInputLogs:
    """Two input topics, and a count of how often start offsets were chosen."""

    topics = ("in", "also")
    topic_ids: Mapping[str, str] = {"in": "", "also": ""}

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.chosen = 0

    def choose_start_offsets(self, *_: Any) -> None:
        self.chosen += 1
        if self.failure is not None:
            raise self.failure


def prepare(logs: StubInputLogs, **numbers: list[int]) -> bool:
    assignment = Assignment(logs, None, lambda: None, CommittedPositions(), ReachedEnds())  # type: ignore[arg-type]  # it has what is used
    return assignment.prepare_partitions([TopicPartition(topic, each) for topic in numbers for each in numbers[topic]])


def test_equal_numbers_of_all_topics_are_prepared() -> None:
    logs = StubInputLogs()
    assert prepare(logs, **{"in": [0, 2], "also": [2, 0]})
    assert logs.chosen == 1


@pytest.mark.parametrize("numbers", [{"in": [0, 1], "also": [0, 1, 2]}, {"in": [2]}, {"also": [0]}])
def test_nothing_is_read_while_another_worker_has_part_of_the_state(numbers: dict[str, list[int]]) -> None:
    """As when a topic was created between the starts of two workers: they would keep the state of one item twice."""
    logs = StubInputLogs()
    assert not prepare(logs, **numbers)
    assert logs.chosen == 0


def test_an_empty_assignment_needs_no_preparation() -> None:
    logs = StubInputLogs()
    assert prepare(logs)
    assert logs.chosen == 0


def test_nothing_is_read_until_the_broker_answers() -> None:
    assert not prepare(StubInputLogs(LogsUnavailableError("no broker answers")), **{"in": [0], "also": [0]})


def test_an_assignment_and_a_revocation_end_what_is_known_of_the_reading() -> None:
    """Reading may start again before what was read and not committed."""
    forgotten: list[str] = []
    horizon = cast("ReadHorizon", SimpleNamespace(forget=lambda: forgotten.append("")))
    logs = cast("InputLogs", StubInputLogs())
    assignment = Assignment(
        logs, None, lambda: forgotten.append("settled"), CommittedPositions(), ReachedEnds(), horizon
    )
    assert assignment.prepare_partitions([TopicPartition("in", 0), TopicPartition("also", 0)])
    assert forgotten == [""]
    assignment.give_up_partitions({0})
    assert forgotten == ["", "settled", ""], "after what is being committed"
