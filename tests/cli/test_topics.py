"""`sharing topics`: the table, and a cluster brought to it."""

from __future__ import annotations

import dataclasses

import pytest

import sharing.topics
from sharing.broker.embedded import EmbeddedBroker
from sharing.broker.kafka import KafkaBroker
from sharing.law_library import shipped_states
from sharing.topics import DIRECTORY, TABLE, TopicKind
from tests.cli.conftest import Call


def test_list_is_the_table(call: Call) -> None:
    rows = call("topics", "list", "--states", "ch, NL", "--partitions", "6", "--json").document
    assert len(rows) == 2 * (len(TABLE) - 1) + 1
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
    assert {row["name"].split(".")[1] for row in rows} == {"ch", "nl", "directory"}
    everyone = call("topics", "list", "--json").document
    assert len(everyone) == len(shipped_states()) * (len(TABLE) - 1) + 1


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


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> tuple[TopicKind, ...]:
    """The table without the directory, which is one for all tests on a broker."""
    found = tuple(kind for kind in TABLE if kind is not DIRECTORY)
    monkeypatch.setattr(sharing.topics, "TABLE", found)
    return found


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
    monkeypatch.setattr(sharing.topics, "TABLE", table[:1])
    assert call("topics", "apply", "--states", "ZM", "--partitions", "2").code == 0
    monkeypatch.setattr(sharing.topics, "TABLE", (dataclasses.replace(table[0], retention_ms=1000), *table[1:2]))
    done = call("topics", "apply", "--states", "ZM", "--partitions", "3")
    assert done.code == 1
    assert done.err == "1 created, 1 were there already\n"
    assert "differs  national.zm.indicators: has 2 partitions, the table says 3" in done.out
    assert "retention.ms is 2592000000, the table says 1000" in done.out
    document = call("topics", "apply", "--states", "ZM", "--partitions", "3", "--json").document
    assert [row["change"] for row in document] == ["differs", "same"]
