"""`sharing topics`: the topic table, and applying it to a cluster."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

import sharing.topology.topics
from sharing.packs.library import list_shipped_states
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topic_kinds import TopicKind, TopicScope
from sharing.topology.topics import TOPIC_KINDS
from tests.cli.conftest import Call

OF_STATES = tuple(kind for kind in TOPIC_KINDS if kind.scope is not TopicScope.SHARED)
PARTNERS = """\
partitions: 3
replication: 1
states:
  CH: {agencies: [fedpol, customs]}
  NL: {}
"""


def test_list_prints_the_topic_table(call: Call) -> None:
    rows = call("topics", "list", "--states", "ch, NL", "--partitions", "6", "--json").json_document
    assert len(rows) == 2 * len(OF_STATES) + len(TOPIC_KINDS) - len(OF_STATES)
    first = rows[0]
    assert first == {
        "name": "national.ch.indicators",
        "partitions": 6,
        "schema": "indicator",
        "key": "indicator id",
        "writer": "agencies",
        "reader": "gate",
        "config": {
            "cleanup.policy": "delete",
            "retention.ms": str(30 * 86_400_000),
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": "280000",
        },
    }
    assert {row["name"].split(".")[1] for row in rows} == {"ch", "nl", "clock"}
    all_rows = call("topics", "list", "--json").json_document
    assert len(all_rows) == len(list_shipped_states()) * len(OF_STATES) + len(TOPIC_KINDS) - len(OF_STATES)


@pytest.mark.parametrize("width", ["80", "140"])
def test_names_are_not_wrapped_in_a_terminal(call: Call, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    names = {row["name"] for row in call("topics", "list", "--json").json_document}
    monkeypatch.setenv("COLUMNS", width)
    result = call("topics", "list")
    assert names <= set(result.out.split())
    assert max(map(len, result.out.splitlines())) <= int(width)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--states", ""), "--states: a value is empty"),
        (("--states", " , "), "--states: a value is empty"),
        (("--states", "CH,Germny"), "did you mean DE (Germany)?"),
    ],
)
def test_wrong_states_are_rejected(call: Call, arguments: tuple[str, ...], message: str) -> None:
    for command in ("list", "apply"):
        result = call("topics", command, *arguments, *(("--bootstrap", "127.0.0.1:1") if command == "apply" else ()))
        assert result.code == 2
        assert message in result.error


@pytest.mark.usefixtures("short_connect_timeout")
def test_apply_needs_a_configured_broker_that_answers(call: Call) -> None:
    result = call("topics", "apply")
    assert result.code == 2
    assert "no broker is configured: give --bootstrap HOST:PORT, or set SHARING_BOOTSTRAP" in result.error
    result = call("topics", "apply", "--bootstrap", "127.0.0.1:1", "--json")
    assert result.code == 3
    assert "no broker answers at 127.0.0.1:1" in result.error
    assert result.out == ""


def test_apply_does_not_work_on_the_embedded_broker(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.kafka.topic_admin.ADMIN_SECONDS_MAX", 0.5)
    result = call("topics", "apply", "--states", "CH")
    assert result.code == 3
    assert "the embedded broker never has one" in result.error


def test_a_partners_file_determines_the_topics(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_folder / "partners.yaml").write_text(PARTNERS)
    rows = call("topics", "list", "--partners", "partners.yaml", "--json").json_document
    indicator_topics = [row["name"] for row in rows if row["schema"] == "indicator"]
    assert indicator_topics == [
        "national.ch.indicators.customs",
        "national.ch.indicators.fedpol",
        "national.nl.indicators",
    ]
    assert {row["partitions"] for row in rows} == {1, 3}
    monkeypatch.setenv("SHARING_PARTNERS", "partners.yaml")
    assert call("topics", "list", "--json").json_document == rows
    some = call("topics", "list", "--states", "NL", "--partitions", "5", "--json").json_document
    assert {row["partitions"] for row in some} == {1, 5}
    assert {row["name"].split(".")[1] for row in some} == {"nl", "clock"}
    result = call("topics", "list", "--states", "DE")
    assert (result.code, result.error) == (2, "--states: DE is not in partners.yaml; add it there")
    (empty_folder / "partners.yaml").write_text(PARTNERS.replace("agencies", "agency"))
    result = call("topics", "list")
    assert result.code == 2
    assert "partners.yaml:4" in result.error


def test_acls_are_printed_in_each_format(call: Call, empty_folder: Path) -> None:
    (empty_folder / "partners.yaml").write_text(PARTNERS)
    command = ("topics", "acls", "--partners", "partners.yaml")
    table = call(*command)
    assert table.code == 0
    assert re.search(r"^gate\.ch\tRead, Describe\ttopic\tnational\.ch\.indicators… *$", table.out, re.MULTILINE)
    assert re.search(r"^gate\.ch\tDescribeConfigs\ttopic\texchange\.… *$", table.out, re.MULTILINE)
    entries = call(*command, "--json").json_document
    assert {
        "principal": "User:agency.ch.fedpol", "permission": "Allow", "operation": "Write", "resource": "topic",
        "pattern": "literal", "name": "national.ch.indicators.fedpol",
    } in entries  # fmt: skip
    commands = call(*command, "--format", "kafka-acls").out.splitlines()
    assert len([line for line in commands if line.startswith("kafka-configs.sh")]) == 10
    assert [line for line in commands if "--deny-principal" in line] == []
    manifests = list(yaml.safe_load_all(call(*command, "--format", "strimzi", "--cluster", "bus").out))
    assert {manifest["kind"] for manifest in manifests} == {"KafkaTopic", "KafkaUser"}
    assert {manifest["metadata"]["labels"]["strimzi.io/cluster"] for manifest in manifests} == {"bus"}
    (user,) = [manifest for manifest in manifests if manifest["metadata"]["name"] == "agency.ch.customs"]
    assert user["spec"]["authentication"] == {"type": "tls-external"}
    assert user["spec"]["quotas"] == {
        "producerByteRate": 20_000_000,
        "consumerByteRate": 50_000_000,
        "requestPercentage": 200,
    }
    rules = user["spec"]["authorization"]["acls"]
    # All three formats contain the same entries.
    flat = {(rule["resource"]["name"], operation) for rule in rules for operation in rule["operations"]}
    assert flat == {
        (entry["name"], entry["operation"]) for entry in entries if entry["principal"] == "User:agency.ch.customs"
    }


@pytest.mark.kafka
def test_acls_need_an_authorizer(call: Call, kafka: KafkaBroker, table: tuple[TopicKind, ...]) -> None:
    result = call("topics", "apply", "--acls", "--states", "VU", "--partitions", "2", "--bootstrap", kafka.bootstrap)
    assert result.code == 3
    assert "authorizer.class.name" in result.error


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> tuple[TopicKind, ...]:
    """The topic table without the topics that all tests on a broker share."""
    monkeypatch.setattr(sharing.topology.topics, "TOPIC_KINDS", OF_STATES)
    return OF_STATES


@pytest.mark.kafka
def test_apply_creates_topics_once_and_then_reports_same(
    call: Call, kafka: KafkaBroker, table: tuple[TopicKind, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_BOOTSTRAP", kafka.bootstrap)
    first = call("topics", "apply", "--states", "ZW", "--partitions", "2")
    assert (first.code, first.err) == (0, f"{len(table)} created, 0 already existed\n")
    assert first.out.splitlines() == [f"created  {kind.topic('zw')}" for kind in table]
    again = call("topics", "apply", "--states", "ZW", "--partitions", "2", "--json")
    assert (again.code, again.err) == (0, "")
    assert again.json_document == [{"topic": kind.topic("zw"), "change": "same", "detail": ""} for kind in table]


@pytest.mark.kafka
def test_differences_are_reported_with_exit_code_1(
    call: Call, kafka: KafkaBroker, table: tuple[TopicKind, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setattr(sharing.topology.topics, "TOPIC_KINDS", table[:1])
    assert call("topics", "apply", "--states", "ZM", "--partitions", "2").code == 0
    monkeypatch.setattr(
        sharing.topology.topics, "TOPIC_KINDS", (dataclasses.replace(table[0], retention_ms=1000), *table[1:2])
    )
    result = call("topics", "apply", "--states", "ZM", "--partitions", "3")
    assert result.code == 1
    assert result.err == "1 created, 1 already existed\n"
    assert "differs  national.zm.indicators: has 2 partitions, the table says 3" in result.out
    assert "retention.ms is 2592000000, the table says 1000" in result.out
    document = call("topics", "apply", "--states", "ZM", "--partitions", "3", "--json").json_document
    assert [row["change"] for row in document] == ["differs", "same"]


def test_a_table_in_a_pipe_has_tabs_and_no_padding(call: Call) -> None:
    lines = call("topics", "list", "--states", "CH").out.splitlines()
    assert lines[0].split("\t") == ["topic", "partitions", "retention", "batch", "key", "writer → reader"]
    assert all(line.count("\t") == 5 and "  " not in line and "─" not in line for line in lines)
