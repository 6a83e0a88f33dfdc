"""The gate as a function of a batch: everything is accounted for, and nothing leaves that may not."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.exactly_once.batch import OutputRecord
from processors.gate import gate as gate_module
from processors.gate.gate import BatchResult, Gate, conserves
from sharing.errors import InputError
from sharing.ids import NAMESPACE
from sharing.law.constraints import Conjunction
from sharing.law.decision_context import DecisionContext
from sharing.law.pack import Pack
from sharing.law.pack_reader import parse_pack
from sharing.law.redact import build_content
from sharing.model.decision import Decision, Verdict
from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.indicator import Indicator
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Outcome
from sharing.packs.library import common_rules, shipped_treaties
from sharing.serialization.codec import RECORD_BYTES_MAX, codec_of
from sharing.topology.topics import TABLE

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
DAY_MS = 24 * 60 * 60 * 1000
NOW_MS = int(NOON.timestamp() * 1000)
MARKER = "MARKER-b7f3"

PACK = """\
state: CH
version: 2026.1
title: A pack for the gate
disclaimer: None of this is law.
consolidated_at: 2026-01-01
maintainers: []
treaty_preference: [BUDAPEST, UNCAC]
approvers: {JUDGE: A judge}
assessments:
  - {states: [DE, FR, IE, US], date: 2026-01-01, source: invented,
     facts: {mistreatment_risk: false, persecution_risk: false}}
rules:
  - {id: ch.permit, citation: art. 1, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {form: [INFORMATION, EXISTENCE]}, effect: PERMIT}
  - {id: ch.condition, citation: art. 2, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {offence.codes: LAUNDERING}, effect: CONDITION, needs: {condition: {kind: PURPOSE, text: Only so.}}}
  - {id: ch.approval, citation: art. 3, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {collection: INTERCEPTION}, effect: APPROVAL, needs: {approver: JUDGE}}
  - {id: ch.redact, citation: art. 4, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {recipient.state: US}, effect: REDACT, needs: {redact: [summary, offence_codes]}}
  - {id: ch.oblige, citation: art. 5, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {recipient.state: DE, offence.codes: ICT_FRAUD_THEFT}, effect: OBLIGE}
  - {id: ch.tomorrow, citation: art. 6, paraphrase: p, source: K, verified: false, valid: {from: 2026-03-02},
     when: {}, effect: DENY}
"""


def make_pack(text: str = PACK) -> Pack:
    return parse_pack(text, "ch.yaml", shipped_treaties(), common_rules())


LAW = make_pack()


def entry(state: str, **changes: Any) -> DirectoryEntry:
    return DirectoryEntry.read(
        {
            "state": state,
            "announced_at": "2026-01-01T00:00:00Z",
            "authority": {"name": "n", "kind": "POLICE"},
            **changes,
        }
    )


def directory_of(*entries: DirectoryEntry, version: int = 7) -> Directory:
    return Directory({one.state: one for one in entries}, version)


DIRECTORY = directory_of(
    entry("DE"), entry("FR", interests=[{"id": "money", "offences": ["LAUNDERING"]}]), entry("IE"), entry("US")
)


@dataclass(frozen=True)
class Message:
    """A record of the topic."""

    data: bytes | None
    name: bytes | None
    place: int = 0

    def key(self) -> bytes | None:
        return self.name

    def value(self) -> bytes | None:
        return self.data

    def topic(self) -> str:
        return "national.ch.indicators"

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return self.place

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (1, NOW_MS)


def form(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return an indicator that goes to the United States at once."""
    return {
        "id": str(uuid.UUID(int=number, version=4)),
        "type": "domain-name",
        "value": "malware.example.org",
        "summary": "a summary",
        "source": {"state": "CH", "agency": "Police", "officer": "o-1", "authority": "POLICE", "case": "c-1"},
        "form": "INFORMATION",
        "offence": {"codes": ["ILLEGAL_ACCESS"]},
        "collection": "SEARCH",
        "live_case_harm": False,
        "character": [],
        "urgency": "ORDINARY",
        "nexus": [{"state": "US", "reason": "seen there"}],
        **changes,
    }


OFFERED: dict[str, Any] = {"offence": {"codes": ["LAUNDERING"]}}
HELD: dict[str, Any] = {"collection": "INTERCEPTION"}
WITHHELD: dict[str, Any] = {"form": "EVIDENCE"}
FULL_OF_MARKERS: dict[str, Any] = {
    "value": f"{MARKER.lower()}.example.org",
    "summary": MARKER,
    "handling_text": MARKER,
    "source": {"state": "CH", "agency": MARKER, "officer": MARKER, "authority": "POLICE", "case": MARKER},
    "offence": {"codes": ["ILLEGAL_ACCESS"], "modus_operandi": [MARKER]},
}


def message(data: dict[str, Any], place: int = 0) -> Message:
    record = Indicator.read(data).to_wire()
    return Message(codec_of("indicator").encode(record), record["id"].encode(), place)


def sent(number: int = 1, **changes: Any) -> Message:
    return message(form(number, **changes), number)


def run(*messages: Message, pack: Pack = LAW, directory: Directory = DIRECTORY, now_ms: int = NOW_MS) -> BatchResult:
    processed = Gate(pack, shipped_treaties()).process(messages, directory, now_ms)
    assert conserves(messages, processed)
    return processed


SCHEMAS = {kind.name: kind.schema for kind in TABLE}


def opened(output: OutputRecord) -> dict[str, Any]:
    """Return what an output says."""
    assert output.value is not None
    return codec_of(SCHEMAS[output.topic.rpartition(".")[2]]).decode(output.value)


def by_topic(processed: BatchResult) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for output in processed.outputs:
        found.setdefault(output.topic, []).append(opened(output))
    return found


def content_of(notice: dict[str, Any]) -> dict[str, Any]:
    return codec_of("notice_content").decode(notice["content"])


# --- What each outcome writes ---

KEPT = ["national.ch.decisions", "national.ch.drafts"]


@pytest.mark.parametrize(
    ("changes", "outcome", "topics"),
    [
        ({}, Outcome.DISCLOSE, ["exchange.us.notices", *KEPT]),
        ({"urgency": "URGENT"}, Outcome.DISCLOSE, ["exchange.us.urgent", *KEPT]),
        ({"urgency": "EMERGENCY"}, Outcome.DISCLOSE, ["exchange.us.urgent", *KEPT]),
        (OFFERED, Outcome.OFFER, ["exchange.fr.offers", "exchange.us.offers", *KEPT]),
        (HELD, Outcome.HOLD, KEPT),
        (WITHHELD, Outcome.WITHHOLD, ["national.ch.decisions"]),
        ({"nexus": []}, Outcome.WITHHOLD, ["national.ch.decisions"]),
    ],
)
def test_each_outcome_writes_what_it_may(changes: dict[str, Any], outcome: Outcome, topics: list[str]) -> None:
    processed = run(sent(**changes))
    assert processed.outcomes == Counter([outcome])
    assert sorted(output.topic for output in processed.outputs) == topics
    assert {output.key for output in processed.outputs} == {form()["id"].encode()}


def test_nobody_considered_is_a_decision_all_the_same() -> None:
    (decision,) = by_topic(run(sent(nexus=[])))["national.ch.decisions"]
    assert decision["recipients"] == []


def test_an_item_counts_under_the_most_open_of_its_outcomes() -> None:
    both = [{"state": "US", "reason": "r"}, {"state": "IE", "reason": "r"}, {"state": "SO", "reason": "r"}]
    processed = run(sent(nexus=both, **OFFERED))
    # Ireland is bound by UNCAC only, where conditions travel with the content; nobody looked up Somalia.
    assert processed.deliveries == Counter({Outcome.DISCLOSE: 1, Outcome.OFFER: 2, Outcome.WITHHOLD: 1})
    assert processed.outcomes == Counter([Outcome.DISCLOSE])
    (notice,) = by_topic(processed)["exchange.ie.notices"]
    assert [condition["text"] for condition in notice["conditions"]] == ["Only so."]
    (draft,) = by_topic(processed)["national.ch.drafts"]
    assert [(one["state"], one["outcome"]) for one in draft["recipients"]] == [
        ("FR", "OFFER"), ("IE", "DISCLOSE"), ("US", "OFFER"),
    ]  # fmt: skip


def test_an_obligation_reaches_a_state_that_nothing_pointed_to() -> None:
    (notice,) = by_topic(run(sent(nexus=[], offence={"codes": ["ICT_FRAUD_THEFT"]})))["exchange.de.notices"]
    assert notice["obligation"]
    assert notice["relevance"] == ["OBLIGATION"]
    assert content_of(notice)["relevance"] == [{"kind": "OBLIGATION", "detail": "ch.oblige"}]


def test_a_decision_names_law_directory_and_instant() -> None:
    (decision,) = by_topic(run(sent()))["national.ch.decisions"]
    assert decision["pack"] == asdict(LAW.reference)
    assert (decision["state"], decision["directory_version"], decision["version"]) == ("CH", 7, 1)
    assert decision["decided_at"] == NOON
    (recipient,) = decision["recipients"]
    assert [rule["id"] for rule in recipient["rules"]] == ["ch.permit", "ch.redact"]
    assert recipient["relevance"] == [{"kind": "NEXUS_STATED", "detail": "seen there"}]


def test_ids_are_made_of_cause_and_recipient() -> None:
    (notice,) = by_topic(run(sent()))["exchange.us.notices"]
    assert notice["id"] == str(uuid.uuid5(uuid.UUID(str(NAMESPACE)), f"notice/CH/{form()['id']}/1/US"))
    offers = by_topic(run(sent(**OFFERED)))
    for state in ("FR", "US"):
        (offer,) = offers[f"exchange.{state.lower()}.offers"]
        assert offer["id"] == str(uuid.uuid5(uuid.UUID(str(NAMESPACE)), f"offer/CH/{form()['id']}/1/{state}"))


# --- Versions ---


def test_a_later_version_is_a_correction_and_another_notice() -> None:
    (first,) = by_topic(run(sent()))["exchange.us.notices"]
    (second,) = by_topic(run(sent(action="SUPERSEDE", version=2)))["exchange.us.notices"]
    assert (first["kind"], second["kind"]) == ("ITEM", "CORRECTION")
    assert first["id"] != second["id"]
    assert (first["version"], second["version"]) == (1, 2)


def test_a_withdrawal_is_withheld_from_all_and_goes_to_the_conversation() -> None:
    processed = run(sent(action="WITHDRAW", version=2, reason="mistaken"))
    found = by_topic(processed)
    assert set(found) == {"national.ch.decisions", "national.ch.drafts"}
    assert processed.outcomes == Counter([Outcome.WITHHOLD])
    (decision,), (draft,) = found["national.ch.decisions"], found["national.ch.drafts"]
    assert [rule["id"] for rule in decision["recipients"][0]["rules"]] == ["common.withdrawn"]
    assert (draft["action"], draft["recipients"], draft["version"]) == ("WITHDRAW", [], 2)


def test_a_correction_that_is_withheld_goes_to_the_conversation_too() -> None:
    """Who received the first version has to be told."""
    found = by_topic(run(sent(action="SUPERSEDE", version=2, **WITHHELD)))
    assert set(found) == {"national.ch.decisions", "national.ch.drafts"}


# --- What leaves, and what does not ---


def leaks(data: bytes | None) -> bool:
    return MARKER.encode() in (data or b"") or MARKER.lower().encode() in (data or b"")


@pytest.mark.parametrize("changes", [WITHHELD, {"nexus": []}, {"live_case_harm": True}, {"offence": {"codes": []}}])
def test_nothing_of_a_withheld_item_is_in_any_output(changes: dict[str, Any]) -> None:
    processed = run(sent(**{**FULL_OF_MARKERS, **changes}))
    assert processed.outcomes == Counter([Outcome.WITHHOLD])
    for output in processed.outputs:
        assert not leaks(output.value)
        assert not leaks(output.key)
        assert output.headers is None or not leaks(repr(output.headers).encode())


def test_an_offer_holds_no_content() -> None:
    marked = {**FULL_OF_MARKERS, "offence": {"codes": ["LAUNDERING"], "modus_operandi": [MARKER]}}
    processed = run(sent(nexus=[{"state": "US", "reason": MARKER}], **marked))
    offers = [output for output in processed.outputs if output.topic.endswith(".offers")]
    assert len(offers) == 2
    for output in offers:
        assert not leaks(output.value)
    offer = opened(next(output for output in offers if output.topic == "exchange.us.offers"))
    assert (offer["category"], offer["offence_codes"], offer["basis"]) == ("NETWORK", ["LAUNDERING"], "BUDAPEST")
    assert offer["relevance"] == ["NEXUS_STATED"]
    assert [condition["code"] for condition in offer["conditions"]] == ["ch.condition"]


def test_a_notices_envelope_holds_no_content_and_its_content_no_officer() -> None:
    processed = run(
        sent(nexus=[{"state": "US", "reason": MARKER}], findings={"own_task_need": True}, **FULL_OF_MARKERS)
    )
    (output,) = (one for one in processed.outputs if one.topic == "exchange.us.notices")
    notice = opened(output)
    content = content_of(notice)
    assert not leaks(repr({**notice, "content": b""}).encode())
    assert not leaks(output.key)
    assert content["value"] == FULL_OF_MARKERS["value"]
    assert content["relevance"] == [{"kind": "NEXUS_STATED", "detail": MARKER}]
    assert repr(content).count(MARKER) == 5  # agency, case, handling text, modus operandi, reason
    assert "own_task_need" not in repr(content)
    officer = {**FULL_OF_MARKERS["source"], "officer": "officer-17"}
    (output,) = (one for one in run(sent(**{**FULL_OF_MARKERS, "source": officer})).outputs if "exchange" in one.topic)
    assert b"officer-17" not in (output.value or b"")
    assert notice["seal"] == {"suite": "NONE", "key_id": None, "parameters": b""}


def test_what_the_law_takes_out_does_not_leave() -> None:
    (notice,) = by_topic(run(sent()))["exchange.us.notices"]
    assert notice["redacted"] == ["offence_codes", "summary"]
    assert (content_of(notice)["summary"], content_of(notice)["offence_codes"]) == (None, [])
    (other,) = by_topic(run(sent(nexus=[{"state": "IE", "reason": "r"}])))["exchange.ie.notices"]
    assert other["redacted"] == []
    assert content_of(other)["summary"] == "a summary"


def test_states_with_different_redactions_get_different_contents() -> None:
    nexus = [{"state": "IE", "reason": "one"}, {"state": "US", "reason": "two"}, {"state": "DE", "reason": "three"}]
    found = by_topic(run(sent(nexus=nexus)))
    contents = {state: content_of(found[f"exchange.{state}.notices"][0]) for state in ("de", "ie", "us")}
    assert {state: content["summary"] for state, content in contents.items()} == {
        "de": "a summary", "ie": "a summary", "us": None,
    }  # fmt: skip
    assert [content["relevance"][0]["detail"] for content in contents.values()] == ["three", "one", "two"]


def test_of_a_holdings_existence_the_value_stays_at_home() -> None:
    processed = run(sent(**{**FULL_OF_MARKERS, "form": "EXISTENCE", "offence": {"codes": ["ILLEGAL_ACCESS"]}}))
    (notice,) = by_topic(processed)["exchange.us.notices"]
    content = content_of(notice)
    assert (content["value"], content["source_case"], content["handling_text"]) == (None, None, None)
    assert notice["form"] == "EXISTENCE"


def test_a_draft_is_the_item_as_it_came_with_its_officer() -> None:
    item = sent(**HELD)
    (draft,) = by_topic(run(item))["national.ch.drafts"]
    assert draft["content"] == item.data
    assert draft["officer"] == "o-1"
    assert [(one["state"], one["approver"]) for one in draft["recipients"]] == [("US", "JUDGE")]


# --- What cannot be processed ---

GOOD = sent(9)


def unlike(key: str) -> Message:
    return replace(GOOD, name=key.encode())


def spoilt(**changes: Any) -> Message:
    """Return a record that the library would not have sent."""
    record = Indicator.read(form(9)).to_wire()
    for name, value in changes.items():
        record[name] = {**record[name], **value} if isinstance(value, dict) and name != "findings" else value
    return Message(codec_of("indicator").encode(record), str(record["id"]).encode(), 9)


BAD: dict[str, tuple[Message, str, str]] = {
    "empty": (Message(None, b"k"), "DECODE", "EMPTY"),
    "no Avro": (Message(b'{"value": "' + MARKER.encode() + b'"}', b"k"), "DECODE", "NOT_AVRO"),
    "registry": (Message(b"\x00\x00\x00\x00\x01" + MARKER.encode(), b"k"), "DECODE", "REGISTRY_FRAMING"),
    "unknown schema": (Message(b"\xc3\x01abcdefgh" + MARKER.encode(), b"k"), "DECODE", "UNKNOWN_SCHEMA"),
    "malformed": (Message(codec_of("indicator").header + MARKER.encode(), b"k"), "DECODE", "MALFORMED"),
    "cut": (replace(GOOD, data=(GOOD.data or b"")[:-3]), "DECODE", "MALFORMED"),
    "left over": (replace(GOOD, data=(GOOD.data or b"") + MARKER.encode()), "DECODE", "MALFORMED"),
    "another schema": (Message(codec_of("decision").header + b"x", b"k"), "DECODE", "UNKNOWN_SCHEMA"),
    "oversized": (Message(b"\xc3\x01" + b"x" * RECORD_BYTES_MAX, b"k"), "DECODE", "OVERSIZED"),
    "foreign": (spoilt(source={"state": "FR"}), "CHECK", "FIELD_SOURCE_STATE"),
    "no State": (spoilt(source={"state": MARKER}), "CHECK", "FIELD_SOURCE_STATE"),
    "wrong key": (unlike(str(uuid.UUID(int=1, version=4))), "CHECK", "FIELD_ID"),
    "key is content": (unlike(MARKER), "CHECK", "FIELD_ID"),
    "no key": (replace(GOOD, name=None), "CHECK", "FIELD_ID"),
    "id is content": (spoilt(id=MARKER), "CHECK", "FIELD_ID"),
    "type": (spoilt(type=MARKER), "CHECK", "FIELD_TYPE"),
    "value": (spoilt(value=f"{MARKER} "), "CHECK", "FIELD_VALUE"),
    "offence": (spoilt(offence={"codes": [MARKER]}), "CHECK", "FIELD_OFFENCE_CODES"),
    "findings": (spoilt(findings={MARKER: "YES"}), "CHECK", "FIELD_FINDINGS"),
    "nexus": (spoilt(nexus=[{"state": MARKER, "reason": MARKER}]), "CHECK", "FIELD_NEXUS_STATE"),
    "grading": (spoilt(grading={"admiralty": MARKER}), "CHECK", "FIELD_GRADING_ADMIRALTY"),
    "mark": (spoilt(tlp=MARKER), "CHECK", "FIELD_TLP"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_processed_is_quarantined_with_its_cause_and_without_content(name: str) -> None:
    item, stage, cause = BAD[name]
    item = replace(item, place=41)
    processed = run(item)
    assert processed.quarantined == Counter([cause])
    assert processed.outcomes == Counter()
    (output,) = processed.outputs
    assert output.topic == "national.ch.quarantine"
    found = opened(output)
    assert (found["stage"], found["cause"]) == (stage, cause)
    assert (found["topic"], found["partition"], found["offset"]) == ("national.ch.indicators", 3, 41)
    assert found["id"] == str(uuid.uuid5(uuid.UUID(str(NAMESPACE)), "quarantine/national.ch.indicators/3/41"))
    assert output.key == found["id"].encode()
    assert found["record"] == (None if name in ("oversized", "empty") else item.data)
    # The record itself will be sealed; all the rest is readable.
    assert not leaks(repr({**found, "record": None}).encode())
    assert len(found["message"]) > 10


def test_a_quarantine_names_the_indicator_where_it_is_known_to_be_one() -> None:
    def named(name: str) -> Any:
        return by_topic(run(BAD[name][0]))["national.ch.quarantine"][0]["indicator_id"]

    assert named("foreign") == named("wrong key") == named("value") == form(9)["id"]
    assert named("no Avro") is named("id is content") is None


def test_a_failure_of_the_gates_own_is_quarantined_without_its_text() -> None:
    def locate(address: str) -> str | None:
        raise OSError(f"no such page for {address} {MARKER}")

    gate = Gate(LAW, shipped_treaties(), locate)
    batch = [sent(1, type="ipv4-addr", value="198.51.100.7"), sent(2)]
    processed = gate.process(batch, DIRECTORY, NOW_MS)
    assert conserves(batch, processed)
    assert processed.quarantined == Counter(["UNEXPECTED"])
    assert processed.outcomes == Counter([Outcome.DISCLOSE])
    (found,) = by_topic(processed)["national.ch.quarantine"]
    assert found["message"] == "the gate failed on this record (OSError)"
    assert found["indicator_id"] == form(1)["id"]


def test_a_record_that_cannot_be_written_is_quarantined_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "OUTPUT_BYTES_MAX", 2_000)
    batch = [sent(1, summary="x" * 3_000), sent(2)]
    processed = run(*batch)
    assert processed.quarantined == Counter(["OUTPUT_OVERSIZED"])
    assert {output.key for output in processed.outputs if output.topic.endswith("decisions")} == {
        form(2)["id"].encode()
    }


def test_a_rule_that_fails_withholds_and_counts_with_each_indicator() -> None:
    class Broken(Conjunction):
        def evaluate(self, facts: Any) -> bool | None:
            raise ZeroDivisionError

    rules = [replace(rule, when=Broken(())) if rule.id == "ch.approval" else rule for rule in LAW.rules]
    gate = Gate(replace(LAW, rules=tuple(rules)), shipped_treaties())
    processed = gate.process([sent()], DIRECTORY, NOW_MS)
    assert processed.outcomes == Counter([Outcome.WITHHOLD])
    (decision,) = by_topic(processed)["national.ch.decisions"]
    assert decision["recipients"][0]["undecided"] == [{"rule": "ch.approval", "fact": "error"}]
    assert processed.rule_errors == {"ch.approval": 1}
    more = gate.process([sent(number) for number in range(2, 5)], DIRECTORY, NOW_MS)
    assert more.rule_errors == {"ch.approval": 3}  # what is alike is not asked of the law again


# --- Conservation, whatever comes ---

_GOOD_CHANGES = st.sampled_from(
    [{}, OFFERED, HELD, WITHHELD, {"nexus": []}, {"urgency": "URGENT"}, {"form": "UNKNOWN"},
     {"offence": {"codes": ["ICT_FRAUD_THEFT"]}, "nexus": []},
     {"action": "SUPERSEDE", "version": 2}, {"action": "WITHDRAW", "version": 3, "reason": "r"},
     {"type": "phone-number", "value": "+4930901820"}, {"type": "iban", "value": "DE89370400440532013000"},
     {"nexus": [{"state": state, "reason": "r"} for state in ("CH", "DE", "FR", "IE", "SO", "US")]}]
)  # fmt: skip
_KNOWN = {
    repr((number, changes)): sent(number, **changes)
    for number in range(1, 4)
    for changes in ({}, OFFERED, HELD, WITHHELD)
}
_MESSAGES = st.one_of(
    st.builds(lambda number, changes: sent(number, **changes), st.integers(1, 30), _GOOD_CHANGES),
    st.sampled_from([bad for bad, *_ in BAD.values()]),
    st.builds(Message, st.binary(max_size=60), st.none() | st.binary(max_size=8)),
    st.builds(
        lambda tail, good: replace(good, data=(good.data or b"")[:-1] + tail), st.binary(max_size=3),
        st.sampled_from([*_KNOWN.values()]),
    ),
)  # fmt: skip
SETTINGS = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@SETTINGS
@given(st.lists(_MESSAGES, max_size=40))
def test_every_record_is_accounted_for_once_whatever_comes(batch: list[Message]) -> None:
    processed = Gate(LAW, shipped_treaties()).process(batch, DIRECTORY, NOW_MS)
    assert conserves(batch, processed)
    found = by_topic(processed)
    decisions = found.get("national.ch.decisions", [])
    assert len(decisions) == processed.outcomes.total()
    assert len(found.get("national.ch.quarantine", [])) == processed.quarantined.total()
    given_out = Counter(recipient["outcome"] for decision in decisions for recipient in decision["recipients"])
    assert given_out == Counter({str(outcome): count for outcome, count in processed.deliveries.items()})
    for suffix, outcome in ((("notices", "urgent"), "DISCLOSE"), (("offers",), "OFFER")):
        written = sum(len(records) for topic, records in found.items() if topic.rpartition(".")[2] in suffix)
        assert written == given_out[outcome]
    # A draft goes with everything but a first version that is withheld from all.
    assert len(found.get("national.ch.drafts", [])) <= len(decisions)
    for output in processed.outputs:
        assert output.topic.startswith(("national.ch.", "exchange."))
        assert not output.topic.startswith("exchange.ch.")


@SETTINGS
@given(st.lists(_MESSAGES, min_size=1, max_size=40), st.integers(1, 40))
def test_a_batch_is_decided_as_its_parts_and_as_its_records_alone(batch: list[Message], size: int) -> None:
    together = Gate(LAW, shipped_treaties()).process(batch, DIRECTORY, NOW_MS)
    remembering = Gate(LAW, shipped_treaties())
    parts = [remembering.process(batch[at : at + size], DIRECTORY, NOW_MS) for at in range(0, len(batch), size)]
    assert [output for part in parts for output in part.outputs] == together.outputs
    alone = [
        output
        for item in batch[:4]
        for output in Gate(LAW, shipped_treaties()).process([item], DIRECTORY, NOW_MS).outputs
    ]
    assert together.outputs[: len(alone)] == alone
    total = BatchResult()
    for part in parts:
        total.add(part)
    assert (total.outcomes, total.deliveries, total.quarantined) == (
        together.outcomes, together.deliveries, together.quarantined,
    )  # fmt: skip
    assert remembering.process(batch, DIRECTORY, NOW_MS).outputs == together.outputs


def test_an_empty_batch_is_nothing() -> None:
    assert run().outputs == []


def test_what_is_not_conserved_is_seen() -> None:
    batch = [sent(1), sent(2)]
    assert not conserves(batch, run(sent(1)))


# --- Heads and tails ---


def expected_outputs(item: Message, record: dict[str, Any], verdict: Verdict) -> dict[str, list[bytes]]:
    """Return what is to be written, each record encoded as one: the slow way."""
    seal = {"suite": "NONE", "key_id": None, "parameters": b""}
    signature = {"algorithm": "NONE", "key_id": None, "value": b""}
    reference = LAW.reference
    decision = Decision(record["id"], record["version"], NOW_MS, "CH", reference, DIRECTORY.version, verdict.recipients)
    found: dict[str, list[bytes]] = {"national.ch.decisions": [codec_of("decision").encode(decision.to_wire())]}
    drafted = []
    for one in verdict.recipients:
        whole = one.to_wire()
        legal = {name: whole[name] for name in ("basis", "condition_model", "rules", "conditions", "obligation")}
        terms = {
            **legal, "from_state": "CH", "to_state": one.state, "urgency": record["urgency"], "form": record["form"],
            "pack": asdict(reference), "relevance": sorted({str(reason.kind) for reason in one.relevance}),
            "indicator_id": record["id"], "version": record["version"], "sent_at": NOW_MS, "signature": signature,
        }  # fmt: skip
        name = f"/CH/{record['id']}/{record['version']}/{one.state}"
        if one.outcome is Outcome.DISCLOSE:
            content = {**build_content(record, one.redacted), "relevance": whole["relevance"]}
            notice = {
                **terms, "id": str(uuid.uuid5(uuid.UUID(str(NAMESPACE)), "notice" + name)), "seal": seal,
                "kind": "ITEM" if record["action"] == "PUBLISH" else "CORRECTION", "to_authority": None,
                "redacted": one.redacted, "review_at": record["review_at"], "retain_until": record["retain_until"],
                "content": codec_of("notice_content").encode(content),
            }  # fmt: skip
            lane = "urgent" if record["urgency"] in ("URGENT", "EMERGENCY") else "notices"
            found.setdefault(f"exchange.{one.state.lower()}.{lane}", []).append(codec_of("notice").encode(notice))
        if one.outcome is Outcome.OFFER:
            offer = {
                **terms, "id": str(uuid.uuid5(uuid.UUID(str(NAMESPACE)), "offer" + name)), "expires_at": None,
                "category": str(VALUE_TYPES[record["type"]].group), "offence_codes": record["offence"]["codes"],
            }  # fmt: skip
            found.setdefault(f"exchange.{one.state.lower()}.offers", []).append(codec_of("offer").encode(offer))
        if one.outcome is not Outcome.WITHHOLD:
            more = {name: whole[name] for name in ("state", "outcome", "approver", "relevance", "redacted")}
            drafted.append({**legal, **more})
    if drafted or record["action"] != "PUBLISH":
        draft = {
            "indicator_id": record["id"], "version": record["version"], "decided_at": NOW_MS, "state": "CH",
            "officer": record["source"]["officer"], "content": item.data, "seal": seal, "action": record["action"],
            "urgency": record["urgency"], "pack": asdict(reference), "recipients": drafted,
        }  # fmt: skip
        found["national.ch.drafts"] = [codec_of("draft").encode(draft)]
    return found


@SETTINGS
@given(
    st.lists(st.tuples(st.integers(1, 9), _GOOD_CHANGES, st.sampled_from(["2027-01-01T00:00:00Z", None])), max_size=12)
)
def test_what_is_written_in_parts_is_what_would_be_written_whole(items: list[tuple[int, dict[str, Any], Any]]) -> None:
    gate = Gate(LAW, shipped_treaties())
    sitting = DecisionContext.open(LAW, shipped_treaties(), DIRECTORY, NOW_MS)
    for number, changes, retain_until in items:
        item = sent(number, **{"retain_until": retain_until, **changes})
        record = codec_of("indicator").decode(item.data)
        expected = expected_outputs(item, record, sitting.decide(record, NOW_MS))
        came: dict[str, list[bytes | None]] = {}
        for output in gate.process([item], DIRECTORY, NOW_MS).outputs:
            came.setdefault(output.topic, []).append(output.value)
        assert came == expected


# --- When law, day or directory move on ---


def outcome_at(gate: Gate, now_ms: int, directory: Directory = DIRECTORY) -> Outcome:
    (outcome,) = gate.process([sent()], directory, now_ms).outcomes
    return outcome


MIDNIGHT_MS = NOW_MS + DAY_MS // 2


def test_the_law_changes_at_midnight_utc() -> None:
    gate = Gate(LAW, shipped_treaties())
    assert outcome_at(gate, NOW_MS) is Outcome.DISCLOSE
    assert outcome_at(gate, MIDNIGHT_MS - 1) is Outcome.DISCLOSE
    assert outcome_at(gate, MIDNIGHT_MS) is Outcome.WITHHOLD
    assert outcome_at(gate, MIDNIGHT_MS - 1) is Outcome.DISCLOSE  # a clock that was set back


def test_an_entry_of_the_directory_ends_when_it_says() -> None:
    ends = NOON + dt.timedelta(hours=1)
    directory = directory_of(entry("US", valid_until=ends.isoformat()))
    gate = Gate(LAW, shipped_treaties())
    ends_ms = int(ends.timestamp() * 1000)
    assert outcome_at(gate, NOW_MS, directory) is Outcome.DISCLOSE
    assert outcome_at(gate, ends_ms - 1, directory) is Outcome.DISCLOSE
    assert outcome_at(gate, ends_ms, directory) is Outcome.WITHHOLD
    assert outcome_at(gate, ends_ms + 1, directory) is Outcome.WITHHOLD


def test_an_interest_ends_with_its_entry() -> None:
    ends = NOON + dt.timedelta(hours=1)
    interested = entry("FR", valid_until=ends.isoformat(), interests=[{"id": "i", "types": ["domain-name"]}])
    gate = Gate(LAW, shipped_treaties())
    for now_ms, considered in ((NOW_MS, ["FR"]), (int(ends.timestamp() * 1000), [])):
        (decision,) = by_topic(gate.process([sent(nexus=[])], directory_of(interested), now_ms))[
            "national.ch.decisions"
        ]
        assert [one["state"] for one in decision["recipients"]] == considered


def test_a_directory_that_moved_on_is_used_at_once() -> None:
    gate = Gate(LAW, shipped_treaties())
    assert outcome_at(gate, NOW_MS, directory_of()) is Outcome.WITHHOLD
    assert outcome_at(gate, NOW_MS, directory_of(entry("US"))) is Outcome.DISCLOSE
    assert outcome_at(gate, NOW_MS, directory_of(entry("US", authority={"name": "n"}))) is Outcome.WITHHOLD


def test_within_a_sitting_everything_is_remembered() -> None:
    gate = Gate(LAW, shipped_treaties())
    gate.process([sent()], DIRECTORY, NOW_MS)
    bench = gate._bench
    gate.process([sent(2)], DIRECTORY, NOW_MS + 1)
    assert gate._bench is bench
    gate.process([sent(2)], DIRECTORY, NOW_MS + DAY_MS)
    assert gate._bench is not bench


def test_what_expires_within_the_day_is_decided_by_the_batchs_instant() -> None:
    gate = Gate(LAW, shipped_treaties())
    item = sent(retain_until="2026-03-01T12:00:01Z")
    outcomes = [
        next(iter(gate.process([item], DIRECTORY, now_ms).outcomes)) for now_ms in (NOW_MS, NOW_MS + 999, NOW_MS + 1000)
    ]
    assert outcomes == [Outcome.DISCLOSE, Outcome.DISCLOSE, Outcome.WITHHOLD]


def test_a_clock_before_the_law_lets_nothing_out() -> None:
    long_ago = int(dt.datetime(1999, 1, 1, tzinfo=dt.UTC).timestamp() * 1000)
    assert run(sent(), now_ms=long_ago).outcomes == Counter([Outcome.WITHHOLD])


def test_decisions_in_other_words_of_the_same_law_differ_in_their_hash_only() -> None:
    other = make_pack(PACK + "# a remark\n")
    one, two = (by_topic(run(sent(), pack=pack))["national.ch.decisions"][0] for pack in (LAW, other))
    assert one["pack"]["sha256"] != two["pack"]["sha256"]
    assert one["recipients"] == two["recipients"]


def test_the_gates_own_checks_raise_what_the_publisher_must_mend() -> None:
    with pytest.raises(InputError, match="the gate of CH takes only what that State's own agencies publish"):
        Gate(LAW, shipped_treaties())._admit(BAD["foreign"][0], codec_of("indicator").decode(BAD["foreign"][0].data))
