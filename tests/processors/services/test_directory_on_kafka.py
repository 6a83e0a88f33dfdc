"""A gate on a real Kafka, and a directory whose topics are attacked, recreated and missing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sharing.clients.publisher import Publisher
from sharing.kafka.directory_topic import announce_entry
from sharing.model.vocabulary import Outcome
from sharing.testing.broker.process import find_free_port
from sharing.topology.topics import DECISIONS, DIRECTORY, NOTICES, list_topics
from tests.faults.gate_process import GateProcess
from tests.kafka.directory_fixtures import create_directory, delete_topic, make_entry, write_bomb
from tests.kafka.topic_io import read_records
from tests.processors.health.endpoint_client import EndpointClient
from tests.processors.worker_fixtures import ITEM
from tests.support.audit_entries import list_entries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka

STATE = "CH"
OPEN_ITEM = {
    **ITEM,
    "collection": "OPEN_SOURCE",
    "secrecy_domain": False,
    "personal_data": False,
    "live_case_harm": False,
    "character": [],
    "purpose": "DETECTION",
}
"""An item that the Swiss pack discloses to each of these States."""


class RunningGate:
    """A gate of Switzerland on a broker, an agency that publishes to it, and what comes out."""

    def __init__(self, kafka: KafkaBroker, gate: GateProcess, client: EndpointClient) -> None:
        self.kafka = kafka
        self.gate = gate
        self._client = client
        self._count = 0

    def publish(self, *states: str) -> dict[str, tuple[str, list[str]]]:
        """Publish an item that concerns these States; return outcome and rules for each of them, once it is decided."""
        item = {**OPEN_ITEM, "value": f"bad-{self._count}.example.com"}
        item["nexus"] = [{"state": state, "reason": "r"} for state in states]
        with Publisher(self.kafka.bootstrap, STATE, "fedpol") as publisher:
            publisher.publish(item)
        self._count += 1
        self.gate.wait_until(lambda: self._client.read_samples()["sharing_indicators_read_total", ()] >= self._count)
        decisions = list_entries(read_records(self.kafka, DECISIONS.topic(STATE)))
        last = max(decisions, key=lambda decision: decision["decided_at"])
        return {
            recipient["state"]: (recipient["outcome"], [rule["id"] for rule in recipient["rules"]])
            for recipient in last["recipients"]
            if recipient["state"] in states
        }

    def count_notices(self, state: str) -> int:
        return len(read_records(self.kafka, NOTICES.topic(state)))

    def await_metric(self, name: str, state: str, value: float) -> None:
        self.gate.wait_until(lambda: self._client.read_samples().get((name, (state,)), 0) == value)

    def await_entries(self, count: int) -> None:
        self.gate.wait_until(lambda: self._client.read_samples()["sharing_directory_entries", ()] == count)

    def read_readiness(self) -> Any:
        status, body = self._client.get_json("/ready")
        assert status == 200, body
        return body["checks"]["directory"]["reason"]


@pytest.fixture
def running(fresh_kafka: KafkaBroker, tmp_path: Path) -> Iterator[RunningGate]:
    """A gate of Switzerland. Germany and France take part; the Netherlands have announced themselves only."""
    for topic in list_topics([STATE, "DE", "FR"], 2).values():
        fresh_kafka.create_topics([topic.name], topic.partitions)
    create_directory(fresh_kafka, ["NL"])
    for state in ("DE", "FR", "NL"):
        announce_entry(fresh_kafka.bootstrap, make_entry(state))
    port = find_free_port()
    client = EndpointClient(port)
    settings = {"web_port": str(port), "directory_interval_ms": "0"}
    with GateProcess(fresh_kafka.bootstrap, STATE, tmp_path, **settings) as gate:
        gate.wait_until(client.is_ready)
        yield RunningGate(fresh_kafka, gate, client)
        assert gate.stop() == 0, gate.read_log_tail()


def test_a_state_without_topics_is_withheld_from_until_they_are_created(running: RunningGate) -> None:
    decided = running.publish("DE", "NL")
    assert decided["DE"][0] == Outcome.DISCLOSE
    assert decided["NL"] == (Outcome.WITHHOLD, ["bus.no-topics"])
    running.await_metric("sharing_directory_without_topics", "NL", 1)
    assert running.read_readiness().endswith("; nothing goes to: NL has no topics")
    for topic in list_topics(["NL"], 2).values():
        running.kafka.create_topics([topic.name], topic.partitions)
    running.await_metric("sharing_directory_without_topics", "NL", 0)
    assert running.publish("NL")["NL"][0] == Outcome.DISCLOSE
    assert Counter(state for state in ("DE", "NL") for _ in range(running.count_notices(state))) == {"DE": 1, "NL": 1}


def test_a_state_whose_topics_have_fewer_partitions_is_withheld_from(running: RunningGate) -> None:
    """Outputs go to the partition of their input, which those topics do not have; nothing could be committed."""
    for topic in list_topics(["NL"], 1).values():
        running.kafka.create_topics([topic.name], topic.partitions)
    decided = running.publish("DE", "NL")
    assert (decided["DE"][0], decided["NL"]) == (Outcome.DISCLOSE, (Outcome.WITHHOLD, ["bus.no-topics"]))


def test_a_bomb_stops_what_goes_to_its_state_and_nothing_else(running: RunningGate) -> None:
    assert running.publish("DE", "FR")["DE"][0] == Outcome.DISCLOSE
    write_bomb(running.kafka.bootstrap, "DE", "zstd", 120)
    running.await_metric("sharing_directory_unreadable", "DE", 1)
    assert "DE cannot be read (_BAD_COMPRESSION)" in running.read_readiness()
    decided = running.publish("DE", "FR")
    assert (decided["DE"][0], decided["FR"][0]) == (Outcome.WITHHOLD, Outcome.DISCLOSE)
    announce_entry(running.kafka.bootstrap, make_entry("DE"))
    running.await_metric("sharing_directory_unreadable", "DE", 0)
    assert running.publish("DE", "FR")["DE"][0] == Outcome.DISCLOSE


def test_after_its_topic_was_recreated_a_state_in_no_directory_gets_nothing(running: RunningGate) -> None:
    assert running.publish("DE")["DE"][0] == Outcome.DISCLOSE
    delete_topic(running.kafka, DIRECTORY.topic("DE"))
    create_directory(running.kafka, ["DE"])
    running.await_entries(2)
    assert running.publish("DE", "FR")["DE"][0] == Outcome.WITHHOLD
    assert running.count_notices("DE") == 1
