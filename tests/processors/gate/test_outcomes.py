"""The outputs of each outcome and of each version of an indicator."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from dataclasses import asdict
from typing import Any

import pytest

from sharing.ids import ID_NAMESPACE, make_item_id
from sharing.model.vocabulary import Outcome
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    EMERGENCY,
    HELD,
    LAW,
    NOON,
    NOW_MS,
    OFFERED,
    WITHHELD,
    decode_by_topic,
    decode_content,
    indicator_form,
    make_message,
    process_messages,
)

NATIONAL_TOPICS = ["national.ch.decisions", "national.ch.drafts"]


@pytest.mark.parametrize(
    ("changes", "outcome", "topics"),
    [
        ({}, Outcome.DISCLOSE, ["exchange.us.notices", *NATIONAL_TOPICS]),
        ({"urgency": "URGENT"}, Outcome.DISCLOSE, ["exchange.us.urgent", *NATIONAL_TOPICS]),
        (EMERGENCY, Outcome.DISCLOSE, ["exchange.us.urgent", *NATIONAL_TOPICS]),
        ({"urgency": "EMERGENCY"}, Outcome.DISCLOSE, ["exchange.us.notices", *NATIONAL_TOPICS]),  # without a reason
        (OFFERED, Outcome.OFFER, ["exchange.fr.offers", "exchange.us.offers", *NATIONAL_TOPICS]),
        (HELD, Outcome.HOLD, NATIONAL_TOPICS),
        (WITHHELD, Outcome.WITHHOLD, ["national.ch.decisions"]),
        ({"nexus": []}, Outcome.WITHHOLD, ["national.ch.decisions"]),
    ],
)
def test_each_outcome_writes_exactly_its_outputs(changes: dict[str, Any], outcome: Outcome, topics: list[str]) -> None:
    result = process_messages(make_message(**changes))
    assert result.outcomes == Counter([outcome])
    assert sorted(output.topic for output in result.output_records) == topics
    record_id = indicator_form()["id"]
    keys = {output.key for output in result.output_records if output.topic != "national.ch.drafts"}
    assert keys == {record_id.encode()}
    drafts = [output.key for output in result.output_records if output.topic == "national.ch.drafts"]
    assert drafts == [f"{make_item_id('CH', 'Police', record_id)}/1".encode()] * topics.count("national.ch.drafts")


def test_drafts_of_two_agencies_and_of_two_versions_have_different_keys() -> None:
    """The topic is compacted: one of them must not replace another."""
    source = indicator_form()["source"]
    messages = [
        make_message(1),
        make_message(1, source={**source, "agency": "Customs"}),
        make_message(1, version=2, action="SUPERSEDE"),
    ]
    outputs = process_messages(*messages).output_records
    assert len({output.key for output in outputs if output.topic == "national.ch.drafts"}) == len(messages)


def test_an_indicator_without_recipients_still_yields_a_decision() -> None:
    (decision,) = decode_by_topic(process_messages(make_message(nexus=[])))["national.ch.decisions"]
    assert decision["recipients"] == []


def test_an_indicator_counts_under_its_most_open_outcome() -> None:
    nexus = [{"state": "US", "reason": "r"}, {"state": "IE", "reason": "r"}, {"state": "SO", "reason": "r"}]
    offence = {"codes": [*OFFERED["offence"]["codes"], "CORRUPTION"]}
    result = process_messages(make_message(nexus=nexus, **{**OFFERED, "offence": offence, "enables_request": "YES"}))
    # Ireland is bound by UNCAC only, for corruption; there conditions travel with the content. SO is not assessed.
    assert result.deliveries == Counter({Outcome.DISCLOSE: 1, Outcome.OFFER: 2, Outcome.WITHHOLD: 1})
    assert result.outcomes == Counter([Outcome.DISCLOSE])
    (notice,) = decode_by_topic(result)["exchange.ie.notices"]
    assert [condition["text"] for condition in notice["conditions"]] == ["Only so."]
    (draft,) = decode_by_topic(result)["national.ch.drafts"]
    assert [(recipient["state"], recipient["outcome"]) for recipient in draft["recipients"]] == [
        ("FR", "OFFER"), ("IE", "DISCLOSE"), ("US", "OFFER"),
    ]  # fmt: skip


def test_an_obligation_adds_a_recipient_without_other_relevance() -> None:
    (notice,) = decode_by_topic(process_messages(make_message(nexus=[], offence={"codes": ["ICT_FRAUD_THEFT"]})))[
        "exchange.de.notices"
    ]
    assert notice["obligation"]
    assert notice["relevance"] == ["OBLIGATION"]
    assert decode_content(notice)["relevance"] == [{"kind": "OBLIGATION", "detail": "ch.oblige"}]


def test_a_decision_names_law_directory_and_instant() -> None:
    (decision,) = decode_by_topic(process_messages(make_message()))["national.ch.decisions"]
    assert decision["pack"] == asdict(LAW.reference)
    assert (decision["state"], decision["version"]) == ("CH", 1)
    assert decision["directory_version"] == DIRECTORY.get_version(NOW_MS)
    assert decision["decided_at"] == NOON
    (recipient,) = decision["recipients"]
    assert [rule["id"] for rule in recipient["rules"]] == ["ch.permit", "ch.redact"]
    assert recipient["relevance"] == [{"kind": "NEXUS_STATED", "detail": ""}]


def test_ids_derive_from_cause_and_recipient() -> None:
    (notice,) = decode_by_topic(process_messages(make_message()))["exchange.us.notices"]
    assert notice["id"] == str(
        uuid.uuid5(uuid.UUID(str(ID_NAMESPACE)), f"notice/CH/Police/{indicator_form()['id']}/1/US")
    )
    offers = decode_by_topic(process_messages(make_message(**OFFERED)))
    for state in ("FR", "US"):
        (offer,) = offers[f"exchange.{state.lower()}.offers"]
        # That of the Ask which the offer puts, so that the conversation knows it without the gate.
        item = str(uuid.uuid5(uuid.UUID(str(ID_NAMESPACE)), f"item/CH/Police/{indicator_form()['id']}"))
        ask = str(uuid.uuid5(uuid.UUID(str(ID_NAMESPACE)), f"ask/{item}/ACCEPT/1.0/{state}/1"))
        assert (offer["id"], offer["item_id"], offer["amendment"]) == (ask, item, 0)


@pytest.mark.parametrize(
    ("urgency", "topic", "period"),
    [
        ("ORDINARY", "offers", dt.timedelta(days=30)),
        ("UNKNOWN", "offers", dt.timedelta(days=30)),
        ("URGENT", "urgent", dt.timedelta(days=2)),
        ("EMERGENCY", "urgent", dt.timedelta(hours=2)),
    ],
)
def test_an_offer_expires_and_an_urgent_one_goes_to_the_urgent_topic(
    urgency: str, topic: str, period: dt.timedelta
) -> None:
    stated = {} if urgency == "UNKNOWN" else {"urgency": urgency, "urgency_reason": "a child is missing"}
    message = make_message(**OFFERED, **({"urgency": None} if urgency == "UNKNOWN" else stated))
    (offer,) = decode_by_topic(process_messages(message))[f"exchange.us.{topic}"]
    assert (offer["urgency"], offer["sent_at"], offer["expires_at"]) == (urgency, NOON, NOON + period)


@pytest.mark.parametrize("action", ["SUPERSEDE", "PUBLISH"])
def test_a_later_version_is_a_correction_with_another_notice_id(action: str) -> None:
    (first,) = decode_by_topic(process_messages(make_message()))["exchange.us.notices"]
    (second,) = decode_by_topic(process_messages(make_message(action=action, version=2)))["exchange.us.notices"]
    assert (first["kind"], second["kind"]) == ("ITEM", "CORRECTION")
    assert first["id"] != second["id"]
    assert (first["version"], second["version"]) == (1, 2)


def test_a_withdrawal_is_withheld_from_all_and_drafted() -> None:
    result = process_messages(make_message(action="WITHDRAW", version=2, reason="mistaken"))
    by_topic = decode_by_topic(result)
    assert set(by_topic) == {"national.ch.decisions", "national.ch.drafts"}
    assert result.outcomes == Counter([Outcome.WITHHOLD])
    (decision,), (draft,) = by_topic["national.ch.decisions"], by_topic["national.ch.drafts"]
    assert [rule["id"] for rule in decision["recipients"][0]["rules"]] == ["common.withdrawn"]
    assert (draft["action"], draft["recipients"], draft["version"]) == ("WITHDRAW", [], 2)


@pytest.mark.parametrize("action", ["SUPERSEDE", "PUBLISH"])
def test_a_withheld_correction_is_drafted_too(action: str) -> None:
    """The recipients of the first version must learn of it."""
    by_topic = decode_by_topic(process_messages(make_message(action=action, version=2, **WITHHELD)))
    assert set(by_topic) == {"national.ch.decisions", "national.ch.drafts"}
