"""A whole gate on a real Kafka: old versions, topics that change, and what is written to stop it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sharing.clients.publisher import Publisher
from sharing.kafka.directory_topic import announce_entry
from sharing.kafka.topic_admin import apply_topics
from sharing.model.vocabulary import Outcome
from sharing.serialization.codec import get_codec
from sharing.topology.topics import DECISIONS, INDICATORS, NOTICES, QUARANTINE, list_topics
from tests.faults.gate_process import GateProcess
from tests.kafka.compressed_batches import write_bomb
from tests.kafka.directory_fixtures import make_entry
from tests.kafka.topic_io import read_records
from tests.processors.services.test_directory_on_kafka import OPEN_ITEM
from tests.support.audit_entries import list_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka

STATE = "CH"
ITEM: dict[str, Any] = {**OPEN_ITEM, "nexus": [{"state": "DE", "reason": "r"}]}
UNIT = Path(__file__).parents[3] / "deploy" / "systemd" / "sharing-gate@.service"


@pytest.fixture
def exchange(fresh_kafka: KafkaBroker) -> KafkaBroker:
    """A cluster on which Switzerland and Germany exchange information."""
    apply_topics(fresh_kafka.bootstrap, list_topics([STATE, "DE"], 2), 1)
    announce_entry(fresh_kafka.bootstrap, make_entry("DE"))
    return fresh_kafka


def read_decisions(kafka: KafkaBroker) -> list[dict[str, Any]]:
    return list_entries(read_records(kafka, DECISIONS.topic(STATE)))


def publish(kafka: KafkaBroker, *items: dict[str, Any], agency: str = "fedpol") -> None:
    with Publisher(kafka.bootstrap, STATE, agency) as publisher:
        for item in items:
            publisher.publish(item)


def run_gate(kafka: KafkaBroker, folder: Path, is_done: Callable[[], bool], **settings: str) -> str:
    """Run a gate until a condition holds, and stop it; return its log."""
    folder.mkdir(exist_ok=True)
    with GateProcess(kafka.bootstrap, STATE, folder, **settings) as gate:
        gate.wait_until(is_done, poll_s=0.2)
        assert gate.stop() == 0, gate.read_log_tail()
        return gate.log.read_text()


def test_a_withdrawn_item_does_not_come_back_after_a_restart(exchange: KafkaBroker, tmp_path: Path) -> None:
    item = {**ITEM, "id": "0195d3c0-1111-7abc-8def-000000000001"}
    publish(exchange, item, {**item, "action": "WITHDRAW", "version": 3, "reason": "wrong"})
    run_gate(exchange, tmp_path / "first", lambda: len(read_decisions(exchange)) == 2)
    publish(exchange, item, {**item, "version": 2, "action": "SUPERSEDE"})
    run_gate(exchange, tmp_path / "second", lambda: len(read_decisions(exchange)) == 4)
    first, _, *later = (decision["recipients"][0] for decision in read_decisions(exchange))
    assert first["outcome"] == Outcome.DISCLOSE
    for recipient in later:
        assert (recipient["outcome"], recipient["rules"][0]["id"]) == (Outcome.WITHHOLD, "bus.withdrawn")
        assert "withdrawn by version 3" in recipient["rules"][0]["citation"]
    assert len(read_records(exchange, NOTICES.topic("DE"))) == 1


def test_a_shared_topic_is_read_until_it_is_deleted_when_agencies_get_their_own(
    exchange: KafkaBroker, tmp_path: Path
) -> None:
    """A publisher that was started before the agencies had topics keeps writing to the shared one."""
    with Publisher(exchange.bootstrap, STATE, "fedpol") as running:
        running.publish({**ITEM, "value": "before.example.com"})
        apply_topics(exchange.bootstrap, list_topics([STATE, "DE"], 2, {STATE: ["fedpol", "customs"]}), 1)
        running.publish({**ITEM, "value": "after.example.com"})
    publish(exchange, {**ITEM, "value": "own.example.com"})
    publish(exchange, {**ITEM, "value": "customs.example.com"}, agency="customs")
    topics = Counter(
        topic
        for topic in (INDICATORS.topic(STATE), INDICATORS.topic(STATE, "fedpol"), INDICATORS.topic(STATE, "customs"))
        for _ in read_records(exchange, topic)
    )
    assert sorted(topics.values()) == [1, 1, 2]
    log = run_gate(exchange, tmp_path, lambda: len(read_decisions(exchange)) == 4, agencies="fedpol,customs")
    assert f"{INDICATORS.topic(STATE)} is read too" in log
    assert read_records(exchange, QUARANTINE.topic(STATE)) == []


@pytest.mark.parametrize(("codec", "megabytes"), [("gzip", 230), ("lz4", 55), ("zstd", 120)])
def test_a_bomb_neither_stops_the_gate_nor_takes_more_memory_than_it_has(
    exchange: KafkaBroker, tmp_path: Path, codec: str, megabytes: int
) -> None:
    publish(exchange, *[{**ITEM, "value": f"a-{number}.example.com"} for number in range(10)])
    for partition in range(2):
        write_bomb(exchange, INDICATORS.topic(STATE), megabytes, codec, partition=partition)
    publish(exchange, *[{**ITEM, "value": f"b-{number}.example.com"} for number in range(10)])
    with GateProcess(exchange.bootstrap, STATE, tmp_path) as gate:
        gate.wait_until(lambda: len(read_decisions(exchange)) == 20, poll_s=0.2)
        assert gate.process is not None
        peak = read_peak_memory(gate.process.pid)
        assert gate.stop() == 0, gate.read_log_tail()
    quarantined = [
        get_codec("quarantine").decode(each.value()) for each in read_records(exchange, "national.ch.quarantine")
    ]
    assert sorted(each["partition"] for each in quarantined) == [0, 1]
    assert {each["stage"] for each in quarantined} == {"READ"}
    assert peak < read_memory_max()


def read_peak_memory(pid: int) -> int:
    """Return the most memory that a process has had resident, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def read_memory_max() -> int:
    """Return the memory that the unit gives a gate, in bytes."""
    (line,) = (line for line in UNIT.read_text().splitlines() if line.startswith("MemoryMax="))
    assert line.endswith("G")
    return int(line.removeprefix("MemoryMax=").removesuffix("G")) * 2**30
