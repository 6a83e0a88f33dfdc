"""The gate's agent commits what the gate decides, and stops the process when a batch is not conserved."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from processors import gate_agent
from processors.exactly_once.batch import Batch, ConsumedRecord, Output, OutputRun
from processors.gate.gate import BatchResult, Gate
from processors.gate_agent import ConservationError, GateAgent, decide_batch
from sharing.errors import SharingError
from sharing.model.directory import Directory
from sharing.packs.library import load_shipped_treaties
from tests.processors.gate.gate_fixtures import DIRECTORY, INVALID_MESSAGES, LAW, NOW_MS, Message, make_message
from tests.processors.health.health_fixtures import SampleGrowth, make_observer

MESSAGES = [make_message(1), INVALID_MESSAGES["malformed"][0], make_message(3)]


class ForgetfulGate(Gate):
    """Forgets the first record of each batch."""

    def process_batch(self, messages: Iterable[ConsumedRecord], directory: Directory, now_ms: int) -> BatchResult:
        return super().process_batch(list(messages)[1:], directory, now_ms)


class MuteGate(Gate):
    """Decides on every record, but loses the last output."""

    def process_batch(self, messages: Iterable[ConsumedRecord], directory: Directory, now_ms: int) -> BatchResult:
        result = super().process_batch(messages, directory, now_ms)
        position = max(result.outputs.other_outputs)
        result.outputs.other_outputs[position] = result.outputs.other_outputs[position][:-1]
        result.written = result.outputs.count_by_topic_kind()
        return result


class OverlappingMessages(list[Message]):
    """Messages whose slices overlap: a defect in the division of a batch into chunks."""

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(slice(max(0, index.start - 1), index.stop))


def make_batch(messages: list[Message]) -> Batch:
    return Batch(messages, NOW_MS, {})


@pytest.mark.parametrize("chunk_records", [1, 2, 10_000])
def test_a_batch_is_decided_in_chunks(chunk_records: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_agent, "DECISION_CHUNK_RECORDS", chunk_records)
    result = BatchResult()
    outputs = list(decide_batch(Gate(LAW, load_shipped_treaties()), make_batch(MESSAGES), DIRECTORY, result))
    topics = Counter[str]()
    for output in outputs:
        topics[output.topic] += len(output.values) if isinstance(output, OutputRun) else 1
    expected = Gate(LAW, load_shipped_treaties()).process_batch(MESSAGES, DIRECTORY, NOW_MS)
    assert topics == Counter(output.topic for output in expected.output_records)
    assert (result.outcomes, result.quarantined, result.written) == (
        expected.outcomes, expected.quarantined, expected.written,
    )  # fmt: skip


@pytest.mark.parametrize("gate_class", [ForgetfulGate, MuteGate])
def test_a_batch_that_is_not_conserved_is_rejected(gate_class: type[Gate]) -> None:
    with pytest.raises(ConservationError, match="a record or an output is missing or counted twice"):
        list(decide_batch(gate_class(LAW, load_shipped_treaties()), make_batch(MESSAGES), DIRECTORY, BatchResult()))


def test_chunks_whose_totals_do_not_match_the_batch_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk is conserved by itself, but a record is processed twice."""
    monkeypatch.setattr(gate_agent, "DECISION_CHUNK_RECORDS", 2)
    batch = make_batch(OverlappingMessages(MESSAGES))
    with pytest.raises(ConservationError, match="the totals of its chunks do not match the batch"):
        list(decide_batch(Gate(LAW, load_shipped_treaties()), batch, DIRECTORY, BatchResult()))


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


def run_agent(gate: Gate, *, serves_web: bool) -> tuple[FakeLoop, Any, list[str]]:
    """Run an agent for two batches. Return its loop, its observer, and the calls of the HTTP endpoints."""
    loop, observer, calls = FakeLoop(), make_observer(), list[str]()

    async def get_snapshot() -> Directory:
        return DIRECTORY

    @asynccontextmanager
    async def use_gate() -> AsyncIterator[Gate]:
        yield gate

    async def await_scrape() -> None:
        calls.append("await_scrape")

    async def iter_batches() -> AsyncIterator[Batch]:
        yield make_batch(MESSAGES)
        yield make_batch(MESSAGES[:1])

    agent = GateAgent(
        cast("Any", loop),
        cast("Any", SimpleNamespace(get_snapshot=get_snapshot)),
        cast("Any", SimpleNamespace(use_gate=use_gate)),
        observer,
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
