"""`sharing doctor`: whether a gate works for each State, and that a first run finds nothing wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from sharing.cli.doctor import gates
from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.grouping import group_findings
from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, make_consumer
from sharing.kafka.gate_status import GateStatus, read_gate_status
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.samples import sample_directory
from sharing.topology.topics import INDICATORS
from tests.cli.conftest import Call
from tests.cli.test_doctor import get_finding
from tests.kafka.topic_io import write_records
from tests.support.waiting import wait_until


def make_finding(check: str, detail: str = "missing", *, ok: bool = False) -> CheckResult:
    return CheckResult(check, ok=ok, detail=detail, remedy="" if ok else "make them")


def test_findings_that_say_the_same_are_one() -> None:
    findings = [make_finding(f"topic t{number}") for number in range(14)]
    (grouped,) = group_findings(findings)
    assert (grouped.check, grouped.ok, grouped.remedy) == ("topic", False, "make them")
    assert grouped.detail == f"14 missing: {', '.join(f't{number}' for number in range(12))} and 2 more"
    others = [make_finding("topic a"), make_finding("topic b"), make_finding("topic c", "has 2 partitions")]
    assert list(group_findings(others)) == others
    packs = [make_finding(f"pack {name}", f"{name} 1", ok=True) for name in "abc"]
    in_order, bad = group_findings([*packs[:2], make_finding("pack d"), packs[2]])
    assert bad.check == "pack d"
    assert in_order.detail == "3 in order: a, b, c"
    same_check = [make_finding("keys", "ends soon")] * 3
    assert list(group_findings(same_check)) == same_check


@pytest.mark.kafka
def test_a_first_run_that_follows_the_readme_finds_nothing_wrong(
    call: Call, fresh_kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_BOOTSTRAP", fresh_kafka.bootstrap)
    Path("directory.yaml").write_bytes(sample_directory()[0].encode())
    assert call("topics", "apply", "--states", "CH,DE,NL,JP,FR,US").code == 0
    assert call("directory", "announce", "directory.yaml").code == 0
    result = call("doctor")
    assert (result.code, result.err) == (0, ""), result.out
    assert "BAD " not in result.out
    assert "warn gate: 6 no gate yet, and nothing waits: CH, DE, FR, JP, NL, US" in result.out

    def describe(_: str, group: str, *_more: object) -> GateStatus:
        known = {"national.ch.gate": GateStatus(2, True, 5), "national.de.gate": stopped_gate}
        return known.get(group, GateStatus(0, False, 0))

    stopped_gate = GateStatus(0, False, 0)
    monkeypatch.setattr(gates, "read_gate_status", describe)
    result = call("doctor")
    assert (result.code, result.err) == (0, ""), result.out
    assert {line[:4] for line in result.out.splitlines()} == {"ok  ", "note"}, "one gate works, as the page says"
    assert "note gate: 5 no gate yet, and nothing waits: DE, FR, JP, NL, US" in result.out
    named = get_finding(call("doctor", "--states", "ch,de", "--json"), "gate DE")
    assert (named["ok"], named["warning"], named["note"]) == (True, True, False), "somebody asks for it"
    monkeypatch.setenv("SHARING_STATE", "DE")
    assert get_finding(call("doctor", "--json"), "gate DE")["warning"]
    monkeypatch.delenv("SHARING_STATE")
    stopped_gate = GateStatus(0, True, 0)
    found = call("doctor", "--states", "CH,DE", "--json")
    assert found.code == 1
    working, stopped = get_finding(found, "gate CH"), get_finding(found, "gate DE")
    assert (working["ok"], working["detail"]) == (True, "works with 2 workers; at most 5 records wait")
    assert (stopped["ok"], stopped["remedy"]) == (False, "start it: sharing gate --state DE")
    assert "no gate is running, and at most 0 records wait" in stopped["detail"]
    monkeypatch.setattr(gates, "read_gate_status", refuse)
    assert get_finding(call("doctor", "--states", "CH", "--json"), "gates")["detail"] == "refused"


def refuse(*_: object) -> GateStatus:
    raise InfrastructureError("refused")


@pytest.mark.kafka
def test_what_waits_for_a_gate_and_who_works_is_read_from_the_broker(kafka: KafkaBroker, state: str) -> None:
    topic, group = INDICATORS.topic(state), f"national.{state.lower()}.gate"
    kafka.create_topics([topic], 2)

    def read() -> GateStatus:
        return read_gate_status(kafka.bootstrap, group, {topic: 2})

    assert read() == GateStatus(0, has_worked=False, waiting=0)
    write_records(kafka, topic, [b"1", b"2", b"3"])
    assert read() == GateStatus(0, has_worked=False, waiting=3)
    consumer = make_consumer(client_properties(kafka.bootstrap, {"group.id": group}))
    consumer.subscribe([topic])

    def is_working() -> bool:
        consumer.poll(0.1)
        return read().workers == 1

    wait_until(is_working, "the consumer is a member")
    wait_until(lambda: consumer.poll(0.1) is None and bool(consumer.assignment()), "it has its partitions")
    consumer.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    assert read() == GateStatus(1, has_worked=True, waiting=1)
    consumer.close()
    assert read() == GateStatus(0, has_worked=True, waiting=1)
