"""A law, a directory, messages and helpers that the tests of the gate share."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from processors.exactly_once.batch import OutputRecord
from processors.gate.gate import BatchResult, Gate, is_conserved
from sharing.law.pack import Pack
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.indicator import Indicator
from sharing.model.record_times import CREATE_TIME
from sharing.packs.library import load_common_rules, load_shipped_treaties
from sharing.serialization.codec import RECORD_BYTES_MAX, get_codec
from sharing.topology.topics import TOPIC_KINDS

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
DAY_MS = 24 * 60 * 60 * 1000
NOW_MS = int(NOON.timestamp() * 1000)
MARKER = "MARKER-b7f3"
"""A text in place of content, to detect leaks of content."""

TOPIC = "national.ch.indicators"

NEVER_COLUMNAR = 10**9
"""A `columnar_min` with which a gate processes every record on the record path."""

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
     nature: statute, when: {form: [INFORMATION, EXISTENCE]}, effect: PERMIT}
  - {id: ch.condition, citation: art. 2, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {offence.codes: LAUNDERING}, effect: CONDITION,
     needs: {condition: {kind: PURPOSE, text: Only so.}}}
  - {id: ch.approval, citation: art. 3, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {collection: INTERCEPTION}, effect: APPROVAL, needs: {approver: JUDGE}}
  - {id: ch.redact, citation: art. 4, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {recipient.state: US}, effect: REDACT, needs: {redact: [summary, offence_codes]}}
  - {id: ch.oblige, citation: art. 5, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {recipient.state: DE, offence.codes: ICT_FRAUD_THEFT}, effect: OBLIGE}
  - {id: ch.tomorrow, citation: art. 6, paraphrase: p, source: K, verified: false, valid: {from: 2026-03-02},
     nature: statute, when: {}, effect: DENY}
"""


def make_pack(text: str = PACK) -> Pack:
    """Return a pack from its text, with the shipped treaties and common rules."""
    return parse_pack(text, "ch.yaml", load_shipped_treaties(), load_common_rules())


LAW = make_pack()


def directory_entry(state: str, **changes: Any) -> DirectoryEntry:
    """Return a State's entry in the directory."""
    return DirectoryEntry.parse(
        {
            "state": state,
            "announced_at": "2026-01-01T00:00:00Z",
            "authorities": [{"name": "n", "kind": "POLICE"}],
            **changes,
        }
    )


def make_directory(*entries: DirectoryEntry) -> Directory:
    """Return a directory with these entries."""
    return Directory({entry.state: entry for entry in entries})


DIRECTORY = make_directory(
    directory_entry("DE"),
    directory_entry("FR", interests=[{"id": "money", "offences": ["LAUNDERING"]}]),
    directory_entry("IE"),
    directory_entry("US"),
)


@dataclass(frozen=True)
class Message:
    """A consumed record of an indicator topic."""

    data: bytes | None
    record_key: bytes | None
    record_offset: int = 0
    record_partition: int = 3
    record_headers: tuple[tuple[str, bytes | None], ...] = ()
    published_at: int = NOW_MS
    topic_name: str = TOPIC
    time_kind: int = CREATE_TIME

    def key(self) -> bytes | None:
        return self.record_key

    def value(self) -> bytes | None:
        return self.data

    def topic(self) -> str:
        return self.topic_name

    def partition(self) -> int:
        return self.record_partition

    def offset(self) -> int:
        return self.record_offset

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.record_headers) or None

    def timestamp(self) -> tuple[int, int]:
        return (self.time_kind, self.published_at)


def indicator_form(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return the form of an indicator that is disclosed to the United States."""
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
EMERGENCY: dict[str, Any] = {"urgency": "EMERGENCY", "urgency_reason": "a child is missing"}
"""With the officer that each indicator names."""
WITHHELD: dict[str, Any] = {"form": "EVIDENCE"}
FULL_OF_MARKERS: dict[str, Any] = {
    "value": f"{MARKER.lower()}.example.org",
    "summary": MARKER,
    "handling_text": MARKER,
    "source": {"state": "CH", "agency": MARKER, "officer": MARKER, "authority": "POLICE", "case": MARKER},
    "offence": {"codes": ["ILLEGAL_ACCESS"], "modus_operandi": [MARKER]},
}


def encode_message(form: dict[str, Any], offset: int = 0) -> Message:
    """Return the record of an indicator's form."""
    record = Indicator.parse(form).to_record()
    return Message(get_codec("indicator").encode(record), record["id"].encode(), offset)


def make_message(number: int = 1, **changes: Any) -> Message:
    """Return the record of a valid indicator."""
    return encode_message(indicator_form(number, **changes), number)


def process_messages(
    *messages: Message, pack: Pack = LAW, directory: Directory = DIRECTORY, now_ms: int = NOW_MS
) -> BatchResult:
    """Return the result of a new gate for these records, after checking that it is conserved."""
    result = Gate(pack, load_shipped_treaties()).process_batch(messages, directory, now_ms)
    assert is_conserved(messages, result)
    return result


SCHEMAS = {kind.name: kind.schema for kind in TOPIC_KINDS} | {"decisions": "decision"}  # one decision, not yet a block


def decode_output(output: OutputRecord) -> dict[str, Any]:
    """Return the decoded value of an output."""
    assert output.value is not None
    schema = SCHEMAS[output.topic.rpartition(".")[2]]
    if schema == "notice" and output.value.startswith(get_codec("offer").header):
        schema = "offer"  # an urgent one
    return get_codec(schema).decode(output.value)


def decode_by_topic(result: BatchResult) -> dict[str, list[dict[str, Any]]]:
    """Return the decoded outputs of each topic."""
    by_topic: dict[str, list[dict[str, Any]]] = {}
    for output in result.output_records:
        by_topic.setdefault(output.topic, []).append(decode_output(output))
    return by_topic


def decode_content(notice: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a notice."""
    return get_codec("notice_content").decode(notice["content"])


def contains_marker(data: bytes | None) -> bool:
    """Return whether the marker is in these bytes."""
    return MARKER.encode() in (data or b"") or MARKER.lower().encode() in (data or b"")


VALID_MESSAGE = make_message(9)


def with_key(key: str) -> Message:
    """Return a valid record under this key."""
    return replace(VALID_MESSAGE, record_key=key.encode())


def make_invalid_message(**changes: Any) -> Message:
    """Return a record that the library would not have sent, with these fields changed."""
    record = Indicator.parse(indicator_form(9)).to_record()
    for name, value in changes.items():
        record[name] = {**record[name], **value} if isinstance(value, dict) and name != "findings" else value
    return Message(get_codec("indicator").encode(record), str(record["id"]).encode(), 9)


INVALID_MESSAGES: dict[str, tuple[Message, str, str]] = {
    "empty": (Message(None, b"k"), "DECODE", "EMPTY"),
    "not Avro": (Message(b'{"value": "' + MARKER.encode() + b'"}', b"k"), "DECODE", "NOT_AVRO"),
    "registry": (Message(b"\x00\x00\x00\x00\x01" + MARKER.encode(), b"k"), "DECODE", "REGISTRY_FRAMING"),
    "unknown schema": (Message(b"\xc3\x01abcdefgh" + MARKER.encode(), b"k"), "DECODE", "UNKNOWN_SCHEMA"),
    "malformed": (Message(get_codec("indicator").header + MARKER.encode(), b"k"), "DECODE", "MALFORMED"),
    "cut": (replace(VALID_MESSAGE, data=(VALID_MESSAGE.data or b"")[:-3]), "DECODE", "MALFORMED"),
    "left over": (replace(VALID_MESSAGE, data=(VALID_MESSAGE.data or b"") + MARKER.encode()), "DECODE", "MALFORMED"),
    "another schema": (Message(get_codec("decision").header + b"x", b"k"), "DECODE", "UNKNOWN_SCHEMA"),
    "oversized": (Message(b"\xc3\x01" + b"x" * RECORD_BYTES_MAX, b"k"), "DECODE", "OVERSIZED"),
    "another State": (make_invalid_message(source={"state": "FR"}), "CHECK", "FIELD_SOURCE_STATE"),
    "unknown State": (make_invalid_message(source={"state": MARKER}), "CHECK", "FIELD_SOURCE_STATE"),
    "wrong key": (with_key(str(uuid.UUID(int=1, version=4))), "CHECK", "FIELD_ID"),
    "key is content": (with_key(MARKER), "CHECK", "FIELD_ID"),
    "no key": (replace(VALID_MESSAGE, record_key=None), "CHECK", "FIELD_ID"),
    "id is content": (make_invalid_message(id=MARKER), "CHECK", "FIELD_ID"),
    "type": (make_invalid_message(type=MARKER), "CHECK", "FIELD_TYPE"),
    "value": (make_invalid_message(value=f"{MARKER} "), "CHECK", "FIELD_VALUE"),
    "offence": (make_invalid_message(offence={"codes": [MARKER]}), "CHECK", "FIELD_OFFENCE_CODES"),
    "findings": (make_invalid_message(findings={MARKER: "YES"}), "CHECK", "FIELD_FINDINGS"),
    "nexus": (make_invalid_message(nexus=[{"state": MARKER, "reason": MARKER}]), "CHECK", "FIELD_NEXUS_STATE"),
    "grading": (make_invalid_message(grading={"admiralty": MARKER}), "CHECK", "FIELD_GRADING_ADMIRALTY"),
    "TLP": (make_invalid_message(tlp=MARKER), "CHECK", "FIELD_TLP"),
}
"""Invalid records, each with the stage and the cause of its quarantine."""

EDGE_CHANGES: list[dict[str, Any]] = [
    {"id": "018F3C1E-7B1A-7C3D-8E2F-0123456789AB"},
    {"id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab\n"},
    {"id": "00000000-0000-0000-0000-000000000000"},
    {"value": "malware.example.org\n"},
    {"summary": ""},
    {"summary": "é" * 8_192},
    {"summary": "é" * 8_193},
    {"reason": ""},
    {"tlp": "GOLD"},
    {"version": 0},
    {"version": 2},
    {"handling": ["H3"]},
    {"source": {"state": "CH", "agency": "", "officer": None, "authority": "POLICE", "case": None}},
    {"source": {"state": "CH", "agency": "a", "officer": "", "authority": "POLICE", "case": None}},
    {"source": {"state": "CH", "agency": "a", "officer": None, "authority": "POLICE", "case": "c" * 513}},
]
"""Changes to a record, valid ones at a limit among them, that both paths must treat equally."""

VALID_CHANGES = st.sampled_from(
    [{}, OFFERED, HELD, WITHHELD, {"nexus": []}, {"urgency": "URGENT"}, {"form": "UNKNOWN"},
     {"offence": {"codes": ["ICT_FRAUD_THEFT"]}, "nexus": []},
     {"action": "SUPERSEDE", "version": 2}, {"action": "WITHDRAW", "version": 3, "reason": "r"},
     {"type": "phone-number", "value": "+4930901820"}, {"type": "iban", "value": "DE89370400440532013000"},
     {"nexus": [{"state": state, "reason": "r"} for state in ("CH", "DE", "FR", "IE", "SO", "US")]}]
)  # fmt: skip
KNOWN_MESSAGES = {
    repr((number, changes)): make_message(number, **changes)
    for number in range(1, 4)
    for changes in ({}, OFFERED, HELD, WITHHELD)
}
MESSAGES = st.one_of(
    st.builds(lambda number, changes: make_message(number, **changes), st.integers(1, 30), VALID_CHANGES),
    st.sampled_from([invalid for invalid, *_ in INVALID_MESSAGES.values()]),
    st.builds(Message, st.binary(max_size=60), st.none() | st.binary(max_size=8)),
    st.builds(
        lambda tail, valid: replace(valid, data=(valid.data or b"")[:-1] + tail), st.binary(max_size=3),
        st.sampled_from([*KNOWN_MESSAGES.values()]),
    ),
)  # fmt: skip
HYPOTHESIS_SETTINGS = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
