"""Outputs contain only what their reader may see."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from sharing.model.vocabulary import Outcome
from tests.processors.gate.gate_fixtures import (
    FULL_OF_MARKERS,
    HELD,
    MARKER,
    WITHHELD,
    contains_marker,
    decode_by_topic,
    decode_content,
    decode_output,
    make_message,
    process_messages,
)


@pytest.mark.parametrize("changes", [WITHHELD, {"nexus": []}, {"live_case_harm": True}, {"offence": {"codes": []}}])
def test_no_output_contains_content_of_a_withheld_indicator(changes: dict[str, Any]) -> None:
    result = process_messages(make_message(**{**FULL_OF_MARKERS, **changes}))
    assert result.outcomes == Counter([Outcome.WITHHOLD])
    for output in result.output_records:
        assert not contains_marker(output.value)
        assert not contains_marker(output.key)
        assert output.headers is None or not contains_marker(repr(output.headers).encode())


def test_an_offer_contains_no_content() -> None:
    marked = {**FULL_OF_MARKERS, "offence": {"codes": ["LAUNDERING"], "modus_operandi": [MARKER]}}
    result = process_messages(make_message(nexus=[{"state": "US", "reason": MARKER}], **marked))
    offers = [output for output in result.output_records if output.topic.endswith(".offers")]
    assert len(offers) == 2
    for output in offers:
        assert not contains_marker(output.value)
    offer = decode_output(next(output for output in offers if output.topic == "exchange.us.offers"))
    assert (offer["category"], offer["offence_codes"], offer["basis"]) == ("NETWORK", ["LAUNDERING"], "BUDAPEST")
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
    assert notice["seal"] == {"suite": "NONE", "key_id": None, "parameters": b""}


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
