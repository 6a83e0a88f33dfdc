"""`sharing topics`: the table, and a cluster brought to it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

import sharing.topology.topics
from sharing.packs.library import shipped_states
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import TABLE, TopicKind, TopicScope
from tests.cli.conftest import Call

OF_STATES = tuple(kind for kind in TABLE if kind.scope is not TopicScope.DIRECTORY)
PARTNERS = """\
partitions: 3
replication: 1
states:
  CH: {agencies: [fedpol, customs]}
  NL: {}
"""


def test_list_is_the_table(call: Call) -> None:
    rows = call("topics", "list", "--states", "ch, NL", "--partitions", "6", "--json").document
    assert len(rows) == 2 * len(OF_STATES) + len(TABLE) - len(OF_STATES)
    first = rows[0]
    assert first == {
        "name": "national.ch.indicators",
        "partitions": 6,
        "schema": "indicator",
        "key": "indicator id",
        "writer": "agencies",
        "reader": "gate",
        "config": {"cleanup.policy": "delete", "retention.ms": str(30 * 86_400_000)},
    }
    assert {row["name"].split(".")[1] for row in rows} == {"ch", "nl", "directory", "clock"}
    everyone = call("topics", "list", "--json").document
    assert len(everyone) == len(shipped_states()) * len(OF_STATES) + len(TABLE) - len(OF_STATES)


@pytest.mark.parametrize("width", ["80", "140"])
def test_no_name_is_broken_in_a_terminal(call: Call, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    names = {row["name"] for row in call("topics", "list", "--json").document}
    monkeypatch.setenv("COLUMNS", width)
    done = call("topics", "list")
    assert names <= set(done.out.split())
    assert max(map(len, done.out.splitlines())) <= int(width)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--states", ""), "--states is empty"),
        (("--states", " , "), "--states is empty"),
        (("--states", "CH,Germny"), "did you mean DE (Germany)?"),
    ],
)
def test_wrong_states_are_told(call: Call, arguments: tuple[str, ...], message: str) -> None:
    for command in ("list", "apply"):
        done = call("topics", command, *arguments, *(("--bootstrap", "127.0.0.1:1") if command == "apply" else ()))
        assert done.code == 2
        assert message in done.error


@pytest.mark.usefixtures("impatient")
def test_apply_needs_a_broker_that_is_named_and_answers(call: Call) -> None:
    done = call("topics", "apply")
    assert done.code == 2
    assert "no broker is named: give --bootstrap HOST:PORT, or set SHARING_BOOTSTRAP" in done.error
    done = call("topics", "apply", "--bootstrap", "127.0.0.1:1", "--json")
    assert done.code == 3
    assert "no broker answers at 127.0.0.1:1" in done.error
    assert done.out == ""


def test_the_embedded_broker_cannot_be_brought_to_it(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.kafka.topic_admin.ADMIN_SECONDS_MAX", 0.5)
    done = call("topics", "apply", "--states", "CH")
    assert done.code == 3
    assert "the embedded broker never has one" in done.error


def test_a_partners_file_says_which_topics_there_are(call: Call, clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clean / "partners.yaml").write_text(PARTNERS)
    rows = call("topics", "list", "--partners", "partners.yaml", "--json").document
    own = [row["name"] for row in rows if row["schema"] == "indicator"]
    assert own == ["national.ch.indicators.customs", "national.ch.indicators.fedpol", "national.nl.indicators"]
    assert {row["partitions"] for row in rows} == {1, 3}
    monkeypatch.setenv("SHARING_PARTNERS", "partners.yaml")
    assert call("topics", "list", "--json").document == rows
    some = call("topics", "list", "--states", "NL", "--partitions", "5", "--json").document
    assert {row["partitions"] for row in some} == {1, 5}
    assert {row["name"].split(".")[1] for row in some} == {"nl", "directory", "clock"}
    done = call("topics", "list", "--states", "DE")
    assert (done.code, done.error) == (2, "--states: DE is not in partners.yaml; add it there")
    (clean / "partners.yaml").write_text(PARTNERS.replace("agencies", "agency"))
    done = call("topics", "list")
    assert done.code == 2
    assert "partners.yaml:4" in done.error


def test_acls_are_shown_in_each_form(call: Call, clean: Path) -> None:
    (clean / "partners.yaml").write_text(PARTNERS)
    given = ("topics", "acls", "--partners", "partners.yaml")
    table = call(*given)
    assert table.code == 0
    assert re.search(r"^gate\.ch +Read, Describe +topic +national\.ch\.indicators… *$", table.out, re.MULTILINE)
    assert re.search(r"^gate\.ch +not Write +topic +exchange\.directory *$", table.out, re.MULTILINE)
    entries = call(*given, "--json").document
    assert {
        "principal": "User:agency.ch.fedpol", "permission": "Allow", "operation": "Write", "resource": "topic",
        "pattern": "literal", "name": "national.ch.indicators.fedpol",
    } in entries  # fmt: skip
    commands = call(*given, "--format", "kafka-acls").out.splitlines()
    assert len([line for line in commands if line.startswith("kafka-configs.sh")]) == 9
    denials = [line for line in commands if "--deny-principal User:gate.ch" in line]
    assert len(denials) == 1
    assert denials[0].endswith("--operation Write --topic 'exchange.directory'")
    manifests = list(yaml.safe_load_all(call(*given, "--format", "strimzi", "--cluster", "bus").out))
    assert {one["kind"] for one in manifests} == {"KafkaTopic", "KafkaUser"}
    assert {one["metadata"]["labels"]["strimzi.io/cluster"] for one in manifests} == {"bus"}
    (user,) = [one for one in manifests if one["metadata"]["name"] == "agency.ch.customs"]
    assert user["spec"]["authentication"] == {"type": "tls"}
    assert user["spec"]["quotas"] == {"producerByteRate": 20_000_000, "consumerByteRate": 50_000_000}
    rules = user["spec"]["authorization"]["acls"]
    # The three forms say the same.
    flat = {(rule["resource"]["name"], operation) for rule in rules for operation in rule["operations"]}
    assert flat == {
        (entry["name"], entry["operation"]) for entry in entries if entry["principal"] == "User:agency.ch.customs"
    }


@pytest.mark.kafka
def test_acls_need_an_authorizer(call: Call, kafka: KafkaBroker, table: tuple[TopicKind, ...]) -> None:
    done = call("topics", "apply", "--acls", "--states", "VU", "--partitions", "2", "--bootstrap", kafka.bootstrap)
    assert done.code == 3
    assert "authorizer.class.name" in done.error


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> tuple[TopicKind, ...]:
    """The table without what is one for all tests on a broker."""
    monkeypatch.setattr(sharing.topology.topics, "TABLE", OF_STATES)
    return OF_STATES


@pytest.mark.kafka
def test_apply_makes_once_and_then_says_the_same(
    call: Call, kafka: KafkaBroker, table: tuple[TopicKind, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_BOOTSTRAP", kafka.bootstrap)
    first = call("topics", "apply", "--states", "ZW", "--partitions", "2")
    assert (first.code, first.err) == (0, "7 created, 0 were there already\n")
    assert first.out.splitlines() == [f"created  {kind.topic('zw')}" for kind in table]
    again = call("topics", "apply", "--states", "ZW", "--partitions", "2", "--json")
    assert (again.code, again.err) == (0, "")
    assert again.document == [{"topic": kind.topic("zw"), "change": "same", "detail": ""} for kind in table]


@pytest.mark.kafka
def test_what_differs_is_told_and_exits_with_1(
    call: Call, kafka: KafkaBroker, table: tuple[TopicKind, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setattr(sharing.topology.topics, "TABLE", table[:1])
    assert call("topics", "apply", "--states", "ZM", "--partitions", "2").code == 0
    monkeypatch.setattr(
        sharing.topology.topics, "TABLE", (dataclasses.replace(table[0], retention_ms=1000), *table[1:2])
    )
    done = call("topics", "apply", "--states", "ZM", "--partitions", "3")
    assert done.code == 1
    assert done.err == "1 created, 1 were there already\n"
    assert "differs  national.zm.indicators: has 2 partitions, the table says 3" in done.out
    assert "retention.ms is 2592000000, the table says 1000" in done.out
    document = call("topics", "apply", "--states", "ZM", "--partitions", "3", "--json").document
    assert [row["change"] for row in document] == ["differs", "same"]
