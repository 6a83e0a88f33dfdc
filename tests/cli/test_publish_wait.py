"""`sharing publish --wait` and `sharing items show --agency`: an agency learns what became of its items."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from sharing.cli.publish import outcome_waiting
from sharing.model.recipient_terms import RuleReference
from sharing.model.vocabulary import Effect, Outcome
from sharing.outcomes.outcome import DecidedGroup, DecidedOutcome, FollowedOutcome, QuarantinedOutcome, Told
from sharing.serialization.codec import get_codec
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import INDICATORS, OUTCOMES
from tests.cli.conftest import Call
from tests.cli.outcome_clock import stop_clock
from tests.cli.test_publish import CH, ITEM, make_items, write_lines
from tests.kafka.topic_io import read_records, write_records
from tests.outcomes.outcome_fixtures import NOW_MS, TOLD, make_block, make_group, make_tag
from tests.processors.gate.gate_fixtures import PACK
from tests.support.waiting import TIMEOUT_S

COMMAND = import_module("sharing.cli.publish")
SHOWING = import_module("sharing.cli.items.outcomes")
DECIDED = TOLD[0]
NOBODY = DecidedOutcome(True, ())
QUARANTINED = QuarantinedOutcome("OPEN", "UNKNOWN_KEY", "it is sealed to a key that this gate does not have")
PARTITIONS = 2
ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
OTHER_ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ac"


class FakeGate:
    """Tells of each published item what the test says, as soon as the broker has confirmed all of them."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.broker = broker
        self.told: Sequence[Told] = ()
        self.agency = "fedpol"
        self.blocks: list[bytes] = []

    def tell(self) -> None:
        for block in self.blocks:
            write_records(self.broker, OUTCOMES.topic("CH"), [block])
        for told, record in zip(self.told, read_records(self.broker, INDICATORS.topic("CH")), strict=False):
            item = get_codec("indicator").decode(record.value())
            self.tell_item(item["id"], told, item["version"], record.partition() or 0)

    def tell_item(self, identity: str, told: Told, version: int = 1, partition: int = 0, amendment: int = 0) -> None:
        block = make_block((identity, make_tag(told, version, amendment, self.agency)), partition=partition)
        write_records(self.broker, OUTCOMES.topic("CH"), [block], partition=partition)


@pytest.fixture
def gate(bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> FakeGate:
    bus.create_topics([OUTCOMES.topic("CH")], PARTITIONS)
    fake = FakeGate(bus)
    send = COMMAND.send_items

    def send_and_tell(*arguments: Any) -> Any:
        fates = send(*arguments)
        fake.tell()
        return fates

    monkeypatch.setattr(COMMAND, "send_items", send_and_tell)
    return fake


def publish(call: Call, count: int, *options: str) -> Any:
    return call("publish", write_lines("i.jsonl", *make_items(count)), *CH, "--no-seal", "--wait", *options)


def test_it_says_how_each_item_was_decided_for_whom_and_by_which_rule(call: Call, gate: FakeGate) -> None:
    gate.told = [DECIDED, DECIDED, NOBODY]
    result = publish(call, 3)
    assert result.code == 0, result
    assert "3 decided by the gate, 0 quarantined, 0 not known yet" in result.out
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert ["DE", "it is sent (DISCLOSE)", "2", "art. 1 [ch.permit]"] in rows
    assert ["FR", "it is withheld (WITHHOLD)", "2", "missing: form; people are asked"] in rows
    assert any(
        row[:3] == ["none", "it is withheld (WITHHOLD)", "1"] and "no State was considered" in row[3] for row in rows
    )


def test_scripts_get_the_same(call: Call, gate: FakeGate) -> None:
    gate.told = [DECIDED, QUARANTINED]
    result = publish(call, 2, "--json")
    document = result.json_document
    assert result.code == 1
    told = document["outcomes"]
    assert (told["decided"], told["missing"]) == (1, [])
    assert {"state": "NL", "outcome": "DISCLOSE", "why": "art. 1 [ch.permit]", "items": 1} in told["lines"]
    (quarantined,) = told["quarantined"]
    assert quarantined["id"] in document["ids"]
    assert (quarantined["stage"], quarantined["cause"]) == ("OPEN", "UNKNOWN_KEY")


def test_a_quarantined_item_is_listed_with_the_reason(call: Call, gate: FakeGate) -> None:
    gate.told = [QUARANTINED, DECIDED]
    result = publish(call, 2)
    assert result.code == 1
    assert "OPEN UNKNOWN_KEY" in result.out
    assert QUARANTINED.message in result.out


def test_a_quarantined_record_whose_version_is_unknown_is_that_of_its_key(call: Call, gate: FakeGate) -> None:
    """A sealed record that cannot be opened says nothing of itself."""
    file = write_lines("i.jsonl", {**ITEM, "id": ID})
    gate.blocks = [make_block((ID, make_tag(QUARANTINED, 0, 0, "")))]
    result = call("publish", file, *CH, "--no-seal", "--wait", "--json")
    assert [each["id"] for each in result.json_document["outcomes"]["quarantined"]] == [ID]


def test_what_is_missing_when_the_time_is_over_is_named(
    call: Call, gate: FakeGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_clock(monkeypatch, 1)
    gate.told = [DECIDED]
    result = publish(call, 8, "--timeout", "0.8", "--json")
    assert result.code == 3
    missing = result.json_document["outcomes"]["missing"]
    assert len(missing) == 7
    assert "has no result yet for 7 of 8 published items after 0.8 s" in result.error
    assert " and 2 more" in result.error
    assert sum(identity in result.error for identity in missing) == 5
    assert result.json_document["published"] == 8


def test_neither_another_agencys_items_nor_what_was_said_before_count(call: Call, gate: FakeGate) -> None:
    file = write_lines("i.jsonl", {**ITEM, "id": ID})
    gate.tell_item(ID, DECIDED)  # of an earlier run
    gate.agency = "customs"
    gate.told = [DECIDED]
    result = call("publish", file, *CH, "--no-seal", "--wait", "--timeout", "0.5")
    assert result.code == 3, result
    assert ID in result.error


def test_amendments_and_what_follows_are_not_waited_for(call: Call, gate: FakeGate) -> None:
    file = write_lines("i.jsonl", {**ITEM, "id": ID})
    gate.blocks = [make_block((ID, make_tag(DECIDED, 1, 1))), make_block((ID, make_tag(TOLD[7])))]
    assert call("publish", file, *CH, "--no-seal", "--wait", "--timeout", "0.5").code == 3


def test_two_versions_are_two_outcomes(call: Call, gate: FakeGate, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_versions(identity: str) -> Path:
        later = {**ITEM, "id": identity, "version": 2, "action": "SUPERSEDE"}
        return write_lines("i.jsonl", {**ITEM, "id": identity}, later)

    gate.blocks = [make_block((ID, make_tag(DECIDED, 2)))]
    with monkeypatch.context() as patch:
        stop_clock(patch, 1)
        first = call("publish", write_versions(ID), *CH, "--no-seal", "--wait", "--timeout", "0.5", "--json")
    assert (first.code, first.json_document["outcomes"]["missing"]) == (3, [ID])
    gate.blocks = [make_block((OTHER_ID, make_tag(DECIDED, 2)), (OTHER_ID, make_tag(NOBODY, 1)))]
    second = call("publish", write_versions(OTHER_ID), *CH, "--no-seal", "--wait", "--json")
    assert (second.code, second.json_document["outcomes"]["decided"]) == (0, 2)


def test_nothing_is_published_where_there_is_no_topic(call: Call, bus: EmbeddedBroker) -> None:
    result = publish(call, 1)
    assert result.code == 3
    assert result.error.startswith("national.ch.outcomes: does not exist, or no permission to see it; create it with")
    assert read_records(bus, INDICATORS.topic("CH")) == []


def test_an_agency_without_a_topic_among_those_that_have_one_is_told_so(call: Call, bus: EmbeddedBroker) -> None:
    bus.create_topics([OUTCOMES.topic("CH", "customs")], 1)
    result = publish(call, 1)
    assert (result.code, "the agencies visible here are customs" in result.error) == (3, True)


def test_a_block_of_a_later_release_is_an_error_after_the_report(call: Call, gate: FakeGate) -> None:
    gate.blocks = [b"\xc3\x01" + b"LATER..." + b"\0"]
    result = publish(call, 2, "--json")
    assert result.code == 2
    assert "national.ch.outcomes[0] at offset 0" in result.error
    assert "update this reader" in result.error
    assert result.json_document["published"] == 2


def test_a_block_that_names_another_state_is_an_error(call: Call, gate: FakeGate) -> None:
    gate.blocks = [make_block((ID, make_tag(DECIDED)), state="DE")]
    result = publish(call, 1)
    assert (result.code, "names another State than CH" in result.error) == (2, True), result


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit(143)])
def test_an_interruption_while_it_waits_does_not_take_the_report(
    call: Call, gate: FakeGate, monkeypatch: pytest.MonkeyPatch, signal: Any
) -> None:
    def interrupt(*_: Any) -> None:
        raise signal

    monkeypatch.setattr(outcome_waiting.OutcomeWait, "_take", interrupt)
    result = publish(call, 2, "--json")
    assert result.code in {130, 143}
    assert (result.json_document["published"], len(result.json_document["outcomes"]["missing"])) == (2, 2)
    assert "interrupted while waiting: the items are published" in result.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--timeout", "5"], "--timeout needs --wait"),
        (["--wait", "--dry-run"], "--dry-run publishes nothing"),
        (["--wait", "--timeout", "nan"], "--timeout"),
        (["--wait", "--timeout", "inf"], "--timeout must be a number of seconds"),
        (["--wait", "--timeout", "0"], "--timeout"),
    ],
)
def test_options_that_do_not_fit_are_refused(call: Call, bus: EmbeddedBroker, options: list[str], message: str) -> None:
    result = call("publish", write_lines("i.jsonl", ITEM), *CH, *options)
    assert result.code == 2
    assert message in result.err
    assert read_records(bus, INDICATORS.topic("CH")) == []


def show(call: Call, *arguments: str) -> Any:
    return call("items", "show", *arguments, "--state", "CH")


ASKED = FollowedOutcome("ASKED", ("FR",), "SUPPLY_FACT", NOW_MS, None, None, ("form",))


def test_an_agency_sees_its_item_in_time(call: Call, gate: FakeGate, monkeypatch: pytest.MonkeyPatch) -> None:
    for told in (DECIDED, ASKED, FollowedOutcome("ANSWERED", ("FR",), "SUPPLY_FACT", answer="SUPPLIED")):
        gate.tell_item(ID, told, partition=find(ID))
    gate.tell_item(ID, FollowedOutcome("AMENDED", facts=("form",)), 1, find(ID), 1)
    gate.tell_item(ID, FollowedOutcome("SENT", ("FR",)), 1, find(ID), 1)
    gate.tell_item(ID, FollowedOutcome("RECALLED", ("DE",)), 1, find(ID))
    gate.agency = "customs"
    gate.tell_item(ID, NOBODY, partition=find(ID))
    result = show(call, ID, "--agency", "fedpol", "--json")
    assert result.code == 0, result
    document = result.json_document
    assert (document["id"], document["version"], document["amendment"], document["state"]) == (ID, 1, 1, "CH")
    whats = [line["what"] for line in document["timeline"]]
    assert whats == ["DECIDED", "DECIDED", "ASKED", "ANSWERED", "AMENDED", "SENT", "RECALLED"]
    assert document["deliveries"] == {"DE": "RECALLED", "FR": "SENT", "NL": "SENT"}
    assert document["open_asks"] == []
    first = document["timeline"][0]
    assert first["law"] == [{"rule": "ch.permit", "citation": "art. 1", "effect": "PERMIT"}]
    assert all({"at", "what", "state", "by", "law", "text"} <= set(line) for line in document["timeline"])
    monkeypatch.setenv("SHARING_AGENCY", "fedpol")
    text = show(call, ID)
    assert text.code == 0
    assert f"indicator {ID} of fedpol, CH" in text.out
    assert "decided for DE, NL: it is sent (DISCLOSE), art. 1 [ch.permit]; sent [version 1]" in text.out
    assert "delivery   DE: RECALLED" in text.out
    asked = "supply the facts without which the law withholds an item (FR)"
    assert f"answered, facts supplied (SUPPLIED): {asked}" in text.out


def test_two_officers_who_must_approve_are_said_where_the_law_is_known_here(
    call: Call, gate: FakeGate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = RuleReference("ch.approval", "art. 5", Effect.APPROVAL)
    held = DecidedGroup(("FR",), Outcome.HOLD, False, False, None, "JUDGE", (asking,), (), (), ())
    gate.tell_item(ID, DecidedOutcome(False, (held,)), partition=find(ID))
    text = PACK.replace("needs: {approver: JUDGE}", "needs: {approver: JUDGE, approvals: 2}")
    for name, pack in (("two", text), ("one", PACK)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ch.yaml").write_text(pack, encoding="utf-8")
    (tmp_path / "none").mkdir()
    said = {
        "two": "; two officers must approve, with the role JUDGE",
        "one": "; an officer must approve, with the role JUDGE",
        "none": "; an officer must approve, with the role JUDGE",
    }
    for name, words in said.items():
        monkeypatch.setenv("SHARING_PACKS", str(tmp_path / name))
        shown = show(call, ID, "--agency", "fedpol")
        assert (shown.code, words in shown.out) == (0, True), shown


def test_open_questions_are_shown_with_the_time_left(call: Call, gate: FakeGate) -> None:
    gate.tell_item(ID, ASKED, partition=find(ID))
    result = show(call, ID, "--agency", "fedpol")
    assert "open, over: supply the facts without which the law withholds an item (FR)" in result.out
    document = show(call, ID, "--agency", "fedpol", "--json").json_document
    assert document["open_asks"] == [
        {"ask": "SUPPLY_FACT", "states": ["FR"], "revision": "1", "until": "2026-03-01T12:00:00.000Z"}
    ]


def test_an_item_of_which_nothing_was_said_is_an_error(call: Call, gate: FakeGate) -> None:
    result = show(call, ID, "--agency", "fedpol")
    assert result.code == 2
    assert result.error.startswith(f"{ID}: national.ch.outcomes has nothing about such an item of fedpol")


@pytest.mark.parametrize("name", ["x", "update-check.example.nl", ID[:-1]])
def test_what_is_no_id_is_refused(call: Call, gate: FakeGate, name: str) -> None:
    result = show(call, name, "--agency", "fedpol")
    assert result.code == 2
    assert "is not the id of an indicator" in result.error


def test_watching_prints_what_is_said_later(call: Call, gate: FakeGate, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.tell_item(ID, DECIDED, partition=find(ID))
    polls: list[float] = []
    poll = SHOWING.connect_agency.__globals__["OutcomeReader"].poll

    def poll_and_stop(self: Any, seconds: float) -> Any:
        polls.append(seconds)
        if len(polls) == 1:
            gate.tell_item(ID, FollowedOutcome("SENT", ("FR",)), partition=find(ID))
        if len(polls) > 20:
            raise KeyboardInterrupt
        items = poll(self, seconds)
        if items:
            polls.extend([0.0] * 20)
        return items

    monkeypatch.setattr("sharing.kafka.outcome_reader.OutcomeReader.poll", poll_and_stop)
    result = show(call, ID, "--agency", "fedpol", "--watch", "--json")
    assert result.code == 130
    assert [line["what"] for line in map(json.loads, result.out.splitlines())] == ["DECIDED", "DECIDED", "SENT"]


def test_watching_ends_when_nobody_reads_it_any_more(call: Call, gate: FakeGate) -> None:
    gate.tell_item(ID, DECIDED, partition=find(ID))
    command = [sys.executable, "-m", "sharing", "items", "show", ID, "--agency", "fedpol", "--state", "CH", "--watch"]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_later_version_replaces_what_was_told_of_the_earlier_one(call: Call, gate: FakeGate) -> None:
    place = find(ID)
    gate.tell_item(ID, DecidedOutcome(False, (make_group(),)), 1, place)
    gate.tell_item(ID, DecidedOutcome(True, (make_group(TOLD[1].groups[0].outcome, "DE"),)), 2, place)  # type: ignore[union-attr]
    gate.tell_item(ID, FollowedOutcome("CLOSED", ("NL",)), 1, place)
    document = show(call, ID, "--agency", "fedpol", "--json").json_document
    assert (document["version"], document["deliveries"]) == (2, {"DE": "SENT", "NL": "SENT"})


def find(identity: str) -> int:
    locate: Callable[[bytes, int], int] = SHOWING.find_partition
    return locate(identity.encode(), PARTITIONS)
