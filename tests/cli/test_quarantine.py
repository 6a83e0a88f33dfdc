"""`sharing quarantine`: causes, places and remedies of what was not processed, and nothing of its content."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.ids import make_quarantine_id
from sharing.serialization.codec import get_codec
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.topics import QUARANTINE
from tests.cli.conftest import Call
from tests.kafka.topic_io import write_records

ITEM = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
AT = 1_772_366_400_000
SECRET = b"the value of an item"


def make_record(offset: int, cause: str, **changes: Any) -> bytes:
    record = {
        "id": make_quarantine_id("national.ch.indicators", 0, offset),
        "state": "CH",
        "topic": "national.ch.indicators",
        "partition": 0,
        "offset": offset,
        "quarantined_at": AT + offset * 1000,
        "stage": "CHECK",
        "cause": cause,
        "message": f"what is wrong with {offset}",
        "indicator_id": None,
        "pack": None,
        "record": SECRET,
        **changes,
    }
    return get_codec("quarantine").encode(record)


@pytest.fixture
def quarantine(bus: EmbeddedBroker) -> EmbeddedBroker:
    """A State with four quarantined records, the newest of which is on the first partition."""
    topic = QUARANTINE.topic("CH")
    bus.create_topics([topic], 2)
    write_records(bus, topic, [make_record(1, "FIELD_VALUE", indicator_id=ITEM)], partition=1)
    foreign = make_record(2, "UNKNOWN_KEY", topic="exchange.ch.notices", record=None)
    bomb = make_record(3, "BAD_COMPRESSION", stage="READ", record=None)
    write_records(bus, topic, [foreign, bomb, make_record(4, "FIELD_VALUE")])
    return bus


@pytest.mark.usefixtures("quarantine")
def test_a_list_shows_causes_places_and_no_content(call: Call) -> None:
    result = call("quarantine", "list", "--state", "ch")
    assert (result.code, result.err) == (0, "")
    rows = [line.split() for line in result.out.splitlines()]
    assert [row[2] for row in rows if "what" in row] == ["FIELD_VALUE", "UNKNOWN_KEY", "BAD_COMPRESSION", "FIELD_VALUE"]
    assert "national.ch.indicators[0]@1" in result.out
    assert ITEM in result.out
    assert rows[-1][:2] == ["4", "quarantined:"]
    assert "FIELD_VALUE 2" in result.out
    assert SECRET.decode() not in result.out


@pytest.mark.usefixtures("quarantine")
def test_a_list_can_be_narrowed(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_STATE", "CH")
    found = call("quarantine", "list", "--cause", "field_value", "--json").json_lines
    assert [record["offset"] for record in found] == [1, 4]
    newest = call("quarantine", "list", "--last", "1", "--json")
    assert [record["offset"] for record in newest.json_lines] == [4]
    assert "the last 1 of 4 are shown" in newest.err
    assert "CH has no such quarantined record" in call("quarantine", "list", "--cause", "EMPTY").out
    assert call("quarantine", "list", "--last", "0", "--json").out.count("\n") == 4
    assert call("quarantine", "list", "--since", "2999-01-01T00:00:00Z", "--json").out == ""


def test_an_empty_list_says_so(call: Call, bus: EmbeddedBroker) -> None:
    bus.create_topics([QUARANTINE.topic("CH")], 1)
    assert call("quarantine", "list", "--state", "CH").out == "CH has no quarantined record\n"


@pytest.mark.usefixtures("quarantine")
def test_one_record_is_shown_with_its_remedy(call: Call) -> None:
    own = call("quarantine", "show", ITEM[:8], "--state", "CH").out
    assert "FIELD_VALUE at stage CHECK" in own
    assert f"{len(SECRET)} bytes, as received" in own
    assert "the agency corrects it and publishes it again, with the same id" in own
    foreign_id = make_quarantine_id("national.ch.indicators", 0, 2)
    foreign = call("quarantine", "show", foreign_id, "--state", "CH", "--json").json_document
    assert (foreign["cause"], foreign["record_bytes"], foreign["at"]) == (
        "UNKNOWN_KEY",
        None,
        "2026-03-01T12:00:02.000Z",
    )
    assert "the State that sent it corrects the cause" in foreign["remedy"]
    unread = call("quarantine", "show", make_quarantine_id("national.ch.indicators", 0, 3), "--state", "CH").out
    assert "by reference" in unread
    assert "in smaller batches" in unread


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("list",), 2, "--state is missing; give it, or set SHARING_STATE"),
        (("list", "--state", "ZZ"), 2, "--state ZZ: must be an ISO 3166-1"),
        (("list", "--state", "CH", "--last", "-1"), 2, "--last -1: must be 0 or more"),
        (("list", "--state", "CH", "--cause", ""), 2, "--cause '': must not be empty"),
        (("list", "--state", "CH", "--since", "yesterday"), 2, "--since yesterday: must be a time with a zone"),
        (("show", "018f", "--state", "CH"), 2, "give at least 8 characters"),
        (("show", "018f3c1e-ffff", "--state", "CH"), 2, "no quarantined record of CH has it"),
        (("list", "--state", "NL"), 3, "national.nl.quarantine: does not exist"),
        (("list", "--state", "CH", "--bootstrap", "127.0.0.1:1"), 3, "no broker answers at 127.0.0.1:1"),
    ],
)
@pytest.mark.usefixtures("quarantine", "short_connect_timeout")
def test_wrong_use_is_one_message(call: Call, arguments: tuple[str, ...], code: int, message: str) -> None:
    result = call("quarantine", *arguments)
    assert (result.code, result.out) == (code, "")
    assert message in result.error


@pytest.mark.kafka
def test_only_the_console_may_read_it(secure_kafka: SecureKafka, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in (("console.ch", 0), ("agency.ch.fedpol", 3), ("partner.ch", 3)):
        for variable, value in secure_kafka.environment(name).items():
            monkeypatch.setenv(variable, value)
        result = call("quarantine", "list", "--state", "CH", "--json")
        assert result.code == code, (name, result)


def test_what_is_no_quarantine_record_is_named_and_ends_no_list(call: Call, quarantine: EmbeddedBroker) -> None:
    """Also where nothing else is selected. Batches that cannot be read, and other lists: test_unreadable_records.py."""
    write_records(quarantine, QUARANTINE.topic("CH"), [b"no record"])
    named = "unreadable: national.ch.quarantine[0]@3: the record is not in Avro"
    for options, shown in (((), 4), (("--cause", "FIELD_VALUE"), 2), (("--cause", "NONE"), 0)):
        result = call("quarantine", "list", "--state", "CH", "--json", *options)
        assert (result.code, len(result.json_lines), named in result.err) == (1, shown, True)
        assert "the list is not complete" in result.err
