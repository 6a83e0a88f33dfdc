"""The gate's agent commits what the gate decides, and stops the process when a batch is not conserved."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from processors.agents import gate_agent
from processors.agents.gate_agent import GateAgent, decide_batch
from processors.exactly_once.batch import Batch, ConservationError, Output, OutputRecord
from processors.gate.gate import BatchResult, Gate
from processors.gate.input_records import InputRecords
from processors.health.clock_check import ClockError
from sharing.errors import SharingError
from sharing.model.directory import Directory
from sharing.packs.library import load_shipped_treaties
from tests.bench.workload import make_indicators
from tests.processors.gate.gate_fixtures import DIRECTORY, INVALID_MESSAGES, LAW, NOW_MS, Message, make_message
from tests.processors.health.health_fixtures import SampleGrowth, make_observer
from tests.support.audit_entries import unpack_blocks

MESSAGES = [make_message(1), INVALID_MESSAGES["malformed"][0], make_message(3)]


class ForgetfulGate(Gate):
    """Forgets the first record of each batch."""

    def process_parts(self, records: InputRecords, *arguments: Any) -> Iterator[BatchResult]:
        return super().process_parts(records.slice(1, len(records)), *arguments)


class MuteGate(Gate):
    """Decides on every record, but loses the last output."""

    def process_parts(self, records: InputRecords, *arguments: Any) -> Iterator[BatchResult]:
        for result in super().process_parts(records, *arguments):
            position = max(result.outputs.other_outputs)
            result.outputs.other_outputs[position] = result.outputs.other_outputs[position][:-1]
            result.written = result.outputs.count_by_topic_kind()
            yield result


class ConfusedGate(Gate):
    """Processes as many records as it is given, but the first one twice and the second one not at all."""

    def process_parts(self, records: InputRecords, *arguments: Any) -> Iterator[BatchResult]:
        places = [0, 0, *range(2, len(records))]
        chosen = [records.messages[place] for place in places]
        return super().process_parts(InputRecords.read(chosen), *arguments)


class LazyGate(Gate):
    """Leaves out the last part of each batch."""

    def process_parts(self, records: InputRecords, *arguments: Any) -> Iterator[BatchResult]:
        return iter(list(super().process_parts(records, *arguments))[:-1])


def make_batch(messages: list[Message]) -> Batch:
    return Batch(messages, NOW_MS, {})


def decide_whole_batch(gate: Gate, batch: Batch) -> tuple[list[OutputRecord], BatchResult]:
    """Return all outputs of a batch as single records, and its counts."""
    result = BatchResult()
    return unpack_blocks(decide_batch(gate, batch, DIRECTORY, result)), result


def sort_by_topic(outputs: Iterable[OutputRecord]) -> list[OutputRecord]:
    """Return outputs by topic and partition; those of one partition stay in order."""
    return sorted(outputs, key=lambda output: (output.topic, output.partition))


@pytest.mark.parametrize("chunk_records", [1, 2, 10_000])
def test_a_batch_is_decided_in_chunks(chunk_records: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_agent, "DECISION_CHUNK_RECORDS", chunk_records)
    outputs, result = decide_whole_batch(Gate(LAW, load_shipped_treaties()), make_batch(MESSAGES))
    expected = Gate(LAW, load_shipped_treaties()).process_batch(MESSAGES, DIRECTORY, NOW_MS)
    assert sort_by_topic(outputs) == sort_by_topic(expected.output_records)
    assert replace(result, outputs=expected.outputs) == expected


@pytest.mark.parametrize("surplus", [0, 1, 2])
def test_no_record_is_lost_above_ten_thousand(surplus: int) -> None:
    """A chunk ends after 10,000 records; the next one begins with the record after them."""
    batch = make_batch([Message(value, key) for key, value in make_indicators(10_000 + surplus, 0.0)])
    outputs, result = decide_whole_batch(Gate(LAW, load_shipped_treaties()), batch)
    decided = [output.key for output in outputs if output.topic == "national.ch.decisions"]
    assert decided == [message.key() for message in batch.messages]
    assert result.outcomes.total() == 10_000 + surplus


@pytest.mark.parametrize("gate_class", [ForgetfulGate, MuteGate, ConfusedGate])
def test_a_batch_that_is_not_conserved_is_rejected(gate_class: type[Gate]) -> None:
    with pytest.raises(ConservationError, match="a record or an output is missing or counted twice"):
        list(decide_batch(gate_class(LAW, load_shipped_treaties()), make_batch(MESSAGES), DIRECTORY, BatchResult()))


def test_a_batch_of_which_a_part_is_missing_is_rejected() -> None:
    """Each of the other parts is conserved by itself."""
    gate = LazyGate(LAW, load_shipped_treaties(), part_bytes_max=1)
    with pytest.raises(ConservationError, match="the totals of its parts do not match the batch"):
        list(decide_batch(gate, make_batch(MESSAGES), DIRECTORY, BatchResult()))


@pytest.mark.parametrize("stray", [-1, 1])
def test_chunks_that_overlap_or_leave_a_gap_are_rejected(stray: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk is conserved by itself."""
    cut = InputRecords.slice
    monkeypatch.setattr(gate_agent, "DECISION_CHUNK_RECORDS", 2)
    monkeypatch.setattr(InputRecords, "slice", lambda self, start, stop: cut(self, start + stray if start else 0, stop))
    batch = make_batch([*MESSAGES, make_message(4), make_message(5)])
    with pytest.raises(ConservationError):
        list(decide_batch(Gate(LAW, load_shipped_treaties()), batch, DIRECTORY, BatchResult()))


def test_the_outputs_of_one_part_at_a_time_are_in_memory() -> None:
    """Otherwise a batch with many recipients needs gigabytes."""
    alive: list[weakref.ref[BatchResult]] = []

    class WatchedResult(BatchResult):
        __slots__ = ("__weakref__",)

    class WatchedGate(Gate):
        def process_parts(self, *arguments: Any) -> Iterator[BatchResult]:
            for part in super().process_parts(*arguments):
                watched = WatchedResult(**{each.name: getattr(part, each.name) for each in fields(part)})
                assert not any(reference() for reference in alive)
                alive.append(weakref.ref(watched))
                yield watched
                del watched

    gate = WatchedGate(LAW, load_shipped_treaties(), part_bytes_max=1)
    for _ in decide_batch(gate, make_batch([make_message(number) for number in range(1, 9)]), DIRECTORY, BatchResult()):
        pass
    assert len(alive) == 8


class FakeLoop:
    """Takes the outputs of a batch as the exactly-once loop does, without a broker."""

    def __init__(self) -> None:
        self.committed: list[list[Output]] = []
        self.failures: list[SharingError] = []

    @asynccontextmanager
    async def guard_batch(self, _: Batch) -> AsyncIterator[None]:
        try:
            yield
        except SharingError as error:
            self.failures.append(error)

    async def commit_batch(self, _: Batch, outputs: Iterable[Output], on_settled: Callable[[bool], None]) -> None:
        self.committed.append(list(outputs))
        on_settled(True)


def run_agent(gate: Gate, *, serves_web: bool, step_ms: int = 0) -> tuple[FakeLoop, Any, list[str]]:
    """Run an agent for two batches, the second one later. Return loop, observer, and calls of the HTTP endpoints."""
    loop, observer, calls = FakeLoop(), make_observer(), list[str]()

    async def get_snapshot() -> Directory:
        return DIRECTORY

    @asynccontextmanager
    async def use_gate() -> AsyncIterator[Gate]:
        yield gate

    async def wait_until_read() -> None:
        pass

    async def await_scrape() -> None:
        calls.append("await_scrape")

    async def iter_batches() -> AsyncIterator[Batch]:
        yield make_batch(MESSAGES)
        yield replace(make_batch(MESSAGES[:1]), now_ms=NOW_MS + step_ms)

    agent = GateAgent(
        cast("Any", loop),
        cast("Any", SimpleNamespace(get_snapshot=get_snapshot)),
        cast("Any", SimpleNamespace(use_gate=use_gate)),
        observer,
        cast("Any", SimpleNamespace(wait_until_read=wait_until_read)),
        cast("Any", SimpleNamespace(await_scrape=await_scrape)) if serves_web else None,
    )
    asyncio.run(agent.process_batches(iter_batches()))
    return loop, observer, calls


def test_each_batch_is_committed_and_counted() -> None:
    growth = SampleGrowth()
    loop, observer, calls = run_agent(Gate(LAW, load_shipped_treaties()), serves_web=True)
    assert len(loop.committed) == 2
    assert (loop.failures, calls, observer.broken) == ([], [], False)
    assert growth.get("sharing_indicators_accounted_total") == 4


@pytest.mark.parametrize("serves_web", [True, False])
def test_a_batch_that_is_not_conserved_is_not_committed_and_its_metric_is_scraped(*, serves_web: bool) -> None:
    growth = SampleGrowth()
    loop, observer, calls = run_agent(ForgetfulGate(LAW, load_shipped_treaties()), serves_web=serves_web)
    assert loop.committed == []
    assert [type(failure) for failure in loop.failures] == [ConservationError] * 2
    assert observer.broken
    assert calls == (["await_scrape"] * 2 if serves_web else [])
    assert growth.get("sharing_conservation_broken_total") == 2
    assert growth.get("sharing_indicators_accounted_total") == 0


@pytest.mark.parametrize("serves_web", [True, False])
def test_a_batch_under_a_wrong_clock_is_not_decided_and_the_reason_is_scraped(*, serves_web: bool) -> None:
    growth = SampleGrowth()
    loop, observer, calls = run_agent(Gate(LAW, load_shipped_treaties()), serves_web=serves_web, step_ms=-600_000)
    assert len(loop.committed) == 1
    (failure,) = loop.failures
    assert isinstance(failure, ClockError)
    assert "gone back by 10 minutes" in str(failure)
    assert calls == (["await_scrape"] if serves_web else [])
    assert observer.open_seconds() == 0
    assert growth.get("sharing_indicators_accounted_total") == 3
