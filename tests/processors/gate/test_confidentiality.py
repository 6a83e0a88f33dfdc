"""Outputs contain only what their reader may see."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from processors.gate.gate import Gate
from sharing.columnar import decoding
from sharing.model.relevance_reason import Reason
from sharing.model.vocabulary import Outcome, RelevanceKind
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec, read_schema_text
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    FULL_OF_MARKERS,
    HELD,
    LAW,
    MARKER,
    NEVER_COLUMNAR,
    NOW_MS,
    OFFERED,
    PACK,
    WITHHELD,
    contains_marker,
    decode_by_topic,
    decode_content,
    decode_output,
    make_message,
    make_pack,
    process_messages,
)
from tests.relevance.test_nexus import EXAMPLES


@pytest.mark.parametrize("changes", [WITHHELD, {"nexus": []}, {"live_case_harm": True}, {"offence": {"codes": []}}])
def test_no_output_contains_content_of_a_withheld_indicator(changes: dict[str, Any]) -> None:
    result = process_messages(make_message(**{**FULL_OF_MARKERS, **changes}))
    assert result.outcomes == Counter([Outcome.WITHHOLD])
    for output in result.output_records:
        assert not contains_marker(output.value)
        assert not contains_marker(output.key)
        assert output.headers is None or not contains_marker(repr(output.headers).encode())


def test_an_offer_contains_no_content() -> None:
    offence = {"codes": ["LAUNDERING"], "modus_operandi": [MARKER]}
    marked = {**FULL_OF_MARKERS, "offence": offence, "enables_request": "YES"}
    result = process_messages(make_message(nexus=[{"state": "US", "reason": MARKER}], **marked))
    offers = [output for output in result.output_records if output.topic.endswith(".offers")]
    assert len(offers) == 2
    for output in offers:
        assert not contains_marker(output.value)
    by_topic = {output.topic: decode_output(output) for output in offers}
    offer = by_topic.pop("exchange.us.offers")
    # The law redacts the offences for this State, in an offer as in a notice.
    assert (offer["category"], offer["offence_codes"], offer["basis"]) == ("NETWORK", [], "BUDAPEST")
    assert [other["offence_codes"] for other in by_topic.values()] == [["LAUNDERING"]]
    assert offer["relevance"] == ["NEXUS_STATED"]
    assert [condition["code"] for condition in offer["conditions"]] == ["ch.condition"]


def test_a_notice_envelope_contains_no_content_and_its_content_no_officer() -> None:
    result = process_messages(
        make_message(nexus=[{"state": "US", "reason": MARKER}], findings={"own_task_need": True}, **FULL_OF_MARKERS)
    )
    (output,) = (output for output in result.output_records if output.topic == "exchange.us.notices")
    notice = decode_output(output)
    content = decode_content(notice)
    assert not contains_marker(repr({**notice, "content": b""}).encode())
    assert not contains_marker(output.key)
    assert content["value"] == FULL_OF_MARKERS["value"]
    assert content["relevance"] == [{"kind": "NEXUS_STATED", "detail": MARKER}]
    assert repr(content).count(MARKER) == 5  # agency, case, handling text, modus operandi, reason
    assert "own_task_need" not in repr(content)
    officer = {**FULL_OF_MARKERS["source"], "officer": "officer-17"}
    result = process_messages(make_message(**{**FULL_OF_MARKERS, "source": officer}))
    (output,) = (output for output in result.output_records if "exchange" in output.topic)
    assert b"officer-17" not in (output.value or b"")


def test_redacted_fields_are_not_disclosed() -> None:
    (notice,) = decode_by_topic(process_messages(make_message()))["exchange.us.notices"]
    assert notice["redacted"] == ["offence_codes", "summary"]
    assert (decode_content(notice)["summary"], decode_content(notice)["offence_codes"]) == (None, [])
    (other,) = decode_by_topic(process_messages(make_message(nexus=[{"state": "IE", "reason": "r"}])))[
        "exchange.ie.notices"
    ]
    assert other["redacted"] == []
    assert decode_content(other)["summary"] == "a summary"


def test_states_with_different_redactions_get_different_contents() -> None:
    nexus = [{"state": "IE", "reason": "one"}, {"state": "US", "reason": "two"}, {"state": "DE", "reason": "three"}]
    by_topic = decode_by_topic(process_messages(make_message(nexus=nexus)))
    contents = {state: decode_content(by_topic[f"exchange.{state}.notices"][0]) for state in ("de", "ie", "us")}
    assert {state: content["summary"] for state, content in contents.items()} == {
        "de": "a summary", "ie": "a summary", "us": None,
    }  # fmt: skip
    assert [content["relevance"][0]["detail"] for content in contents.values()] == ["three", "one", "two"]


def test_a_notice_of_existence_contains_no_value() -> None:
    result = process_messages(
        make_message(**{**FULL_OF_MARKERS, "form": "EXISTENCE", "offence": {"codes": ["ILLEGAL_ACCESS"]}})
    )
    (notice,) = decode_by_topic(result)["exchange.us.notices"]
    content = decode_content(notice)
    assert (content["value"], content["source_case"], content["handling_text"]) == (None, None, None)
    assert notice["form"] == "EXISTENCE"


def test_a_draft_contains_the_original_record_and_the_officer() -> None:
    message = make_message(**HELD)
    (draft,) = decode_by_topic(process_messages(message))["national.ch.drafts"]
    assert draft["content"] == message.data
    assert draft["officer"] == "o-1"
    assert [(recipient["state"], recipient["approver"]) for recipient in draft["recipients"]] == [("US", "JUDGE")]


TWO_REDACTIONS = make_pack(
    PACK
    + """\
  - {id: ch.redact-ie, citation: art. 7, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {recipient.state: IE}, effect: REDACT, needs: {redact: [source_case]}}
"""
)


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
def test_each_state_gets_what_is_redacted_for_it(columnar_min: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what is redacted for another one."""
    monkeypatch.setattr(decoding, "BULK_MIN", 2)
    nexus = [{"state": state, "reason": "r"} for state in ("DE", "IE", "US")]
    gate = Gate(TWO_REDACTIONS, load_shipped_treaties(), columnar_min=columnar_min)
    by_topic = decode_by_topic(
        gate.process_batch([make_message(1, nexus=nexus), make_message(2, nexus=nexus)], DIRECTORY, NOW_MS)
    )
    for state, summary, case in (("de", "a summary", "c-1"), ("ie", "a summary", None), ("us", None, "c-1")):
        for notice in by_topic[f"exchange.{state}.notices"]:
            content = decode_content(notice)
            assert (content["summary"], content["source_case"]) == (summary, case)


def list_text_paths(fields: list[dict[str, Any]], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every field of a schema that holds texts, alone or in a list."""
    for field in fields:
        kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
        for kind in kinds:
            if isinstance(kind, dict) and kind["type"] == "record":
                yield from list_text_paths(kind["fields"], (*path, field["name"]))
            elif isinstance(kind, dict) and kind["type"] == "array" and "fields" in kind["items"]:
                yield from list_text_paths(kind["items"]["fields"], (*path, field["name"]))
            elif kind == "string" or (isinstance(kind, dict) and kind.get("items") == "string"):
                yield (*path, field["name"])


CODES = {
    ("id",), ("type",), ("source", "state"), ("offence", "codes"), ("offence", "modifiers"), ("grading", "admiralty"),
    ("origin", "state"), ("nexus", "state"), ("tlp",), ("pap",),
}  # fmt: skip
"""Fields of an indicator with a closed list of values, or an id."""

WORDS: dict[str, Any] = {
    **FULL_OF_MARKERS,
    "action": "WITHDRAW",
    "version": 2,
    "reason": MARKER,
    "urgency": "EMERGENCY",
    "urgency_reason": MARKER,
    "nexus": [{"state": "US", "reason": MARKER}, {"state": "IE", "reason": MARKER}],
}


def test_the_markers_are_in_every_text_of_an_indicator() -> None:
    """A new text field must be added to the form, so that the next test covers it."""
    record = get_codec("indicator").decode(make_message(**WORDS).data)

    def read_texts(path: tuple[str, ...]) -> str:
        value: Any = record
        for name in path:
            value = [each[name] for each in value] if isinstance(value, list) else value[name]
        return repr(value).upper()

    paths = set(list_text_paths(json.loads(read_schema_text("indicator"))["fields"]))
    assert paths > CODES
    assert {path for path in paths - CODES if MARKER.upper() not in read_texts(path)} == set()


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
@pytest.mark.parametrize(
    "changes", [{}, OFFERED, HELD, WITHHELD, {"handling": ["H3"]}, {"action": "PUBLISH", "version": 1, "reason": None}]
)
def test_a_decision_holds_no_words_of_an_agency(
    changes: dict[str, Any], columnar_min: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions are kept for ever. Drafts and notices keep the words, and their retention ends."""
    monkeypatch.setattr(decoding, "BULK_MIN", 2)
    words = {**WORDS, **changes}
    words["offence"] = {**words["offence"], "modus_operandi": [MARKER]}
    batch = [make_message(1, **words), make_message(2, **words)]
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=columnar_min)
    result = gate.process_batch(batch, DIRECTORY, NOW_MS)
    assert result.quarantined == {}
    decisions = [output for output in result.output_records if output.topic == "national.ch.decisions"]
    assert len(decisions) == 2
    assert not any(contains_marker(output.value) or contains_marker(output.key) for output in decisions)
    for decision in map(decode_output, decisions):
        stated = [recipient["relevance"][0] for recipient in decision["recipients"] if recipient["state"] == "US"]
        assert stated == [{"kind": "NEXUS_STATED", "detail": ""}]


EVIDENCE_CODES = {
    "E.164 prefix", "IMSI country code", "IBAN country", "BIC country", "country of the bank account", "ccTLD",
    "issuing State of the passport", "issuing State of the identity card", "State of the company register",
    "State of the vehicle registration", "IP geolocation",
}  # fmt: skip


@pytest.mark.parametrize("detail", sorted({detail for *_, detail in EXAMPLES if detail}))
def test_a_decision_names_the_kind_of_evidence_without_a_part_of_the_value(detail: str) -> None:
    assert Reason(RelevanceKind.NEXUS_DERIVED, detail).permanent_detail in EVIDENCE_CODES


def test_a_decision_on_a_phone_number_has_no_digit_of_it() -> None:
    result = process_messages(make_message(type="phone-number", value="+4930901820", nexus=[]))
    (decision,) = decode_by_topic(result)["national.ch.decisions"]
    assert [recipient["relevance"] for recipient in decision["recipients"]] == [
        [{"kind": "NEXUS_DERIVED", "detail": "E.164 prefix"}]
    ]


@pytest.mark.parametrize("kind", RelevanceKind)
def test_only_known_kinds_of_relevance_keep_a_detail(kind: RelevanceKind) -> None:
    kept = Reason(kind, MARKER).permanent_detail
    assert bool(kept) is (kind in {RelevanceKind.NEXUS_DERIVED, RelevanceKind.INTEREST, RelevanceKind.OBLIGATION})
