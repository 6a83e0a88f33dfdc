"""A fault that cannot be injected is tried again, and then reported apart from violations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from sharing.topology.topics import DIRECTORY, INDICATORS
from tests.faults import __main__ as campaign_program
from tests.faults import log_injections
from tests.faults.bus import Bus
from tests.faults.findings import Findings
from tests.faults.log_injections import BOMB_ATTEMPTS, bomb_directory, bomb_gate, bomb_subscriber
from tests.faults.schedule import Fault, FaultKind

FAULT = Fault(FaultKind.BOMB_INPUT, "CH", 0.5, 0.2, 11)
BOMBS = [bomb_gate, bomb_subscriber, bomb_directory]


@dataclass
class _Bus:
    """A bus whose broker confirms the bombs as listed."""

    answers: list[int | None]
    bootstrap: str = "127.0.0.1:1"
    seed: int = 5
    topics: list[str] = field(default_factory=list)
    waits: int = 0
    failures: list[str] = field(default_factory=list)
    not_injected: list[str] = field(default_factory=list)
    directory_bombs: dict[str, list[int]] = field(default_factory=lambda: {"CH": []})
    repairs: list[str] = field(default_factory=list)

    def wait_until_healthy(self) -> None:
        self.waits += 1

    def publish_bomb(self, topic: str, partition: int, key: bytes, codec: str) -> int | None:
        del partition, key, codec
        self.topics.append(topic)
        return self.answers.pop(0)

    def repair_later(self, after_s: float, target: str, repair: Callable[[], None]) -> None:
        del after_s, repair
        self.repairs.append(target)


@pytest.mark.parametrize("inject", BOMBS)
def test_a_bomb_that_is_not_confirmed_is_published_again(inject: Callable[[Bus, Fault], None]) -> None:
    bus = _Bus([None, None, 7])
    inject(cast(Bus, bus), FAULT)
    assert len(bus.topics) == bus.waits == 3
    assert bus.failures == bus.not_injected == []
    assert bus.directory_bombs["CH"] == ([7] if bus.topics[0] == DIRECTORY.topic("CH") else [])


@pytest.mark.parametrize("inject", BOMBS)
def test_after_some_attempts_it_counts_as_not_injected(inject: Callable[[Bus, Fault], None]) -> None:
    bus = _Bus([None] * 100)
    inject(cast(Bus, bus), FAULT)
    assert len(bus.topics) == BOMB_ATTEMPTS
    assert bus.failures == []
    assert bus.directory_bombs["CH"] == []
    assert bus.not_injected == [f"the bomb for {bus.topics[0]} was not confirmed in {BOMB_ATTEMPTS} attempts"]


def test_an_entry_that_an_unconfirmed_bomb_may_have_replaced_is_announced_again() -> None:
    bus = _Bus([None] * BOMB_ATTEMPTS)
    bomb_directory(cast(Bus, bus), FAULT)
    assert bus.repairs == ["directory CH"]


def test_a_confirmed_bomb_is_published_once() -> None:
    bus = _Bus([7])
    bomb_gate(cast(Bus, bus), FAULT)
    assert bus.topics == [INDICATORS.topic("CH")]


@pytest.mark.parametrize("seed", [2, 3], ids=["abandoned", "aborted"])
def test_a_transaction_that_cannot_be_opened_counts_as_not_injected(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class _Producer:
        def init_transactions(self, timeout_s: float) -> None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{timeout_s:g} s"))

    monkeypatch.setattr(log_injections, "make_producer", lambda _: _Producer())
    bus = _Bus([])
    log_injections.hold_transaction(cast(Bus, bus), Fault(FaultKind.BOMB_INPUT, "CH", 0.5, 0.2, seed))
    assert bus.failures == []
    assert [line.partition(":")[0] for line in bus.not_injected] == ["no transaction could be held open"]


def test_a_fault_that_was_not_injected_is_reported_and_is_no_violation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["faults"])
    result = campaign_program._load_result(campaign_program._read_arguments())
    findings = Findings(not_injected=["the bomb for a topic was not confirmed"])
    assert findings.is_clean
    campaign_program._add_findings(result, findings, seed=5, rounds=1)
    assert not campaign_program._has_violations(result)
    assert result["failed"] == 0
    campaign_program._print_result(result, 1)
    assert "not injected, which is no violation: chapter seed 5: the bomb for a topic" in capsys.readouterr().out
