"""The output policy: which outputs an indicator requires, given its verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from processors.gate.output_policy import (
    Delivery,
    DeliveryKind,
    OutputPolicy,
    RequiredOutputs,
    derive_required_outputs,
    is_drafted,
)
from sharing.law.decision_context import DecisionContext
from sharing.model.decision import RecipientDecision, Verdict
from sharing.model.vocabulary import NoticeLane, Outcome
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec
from tests.processors.gate.gate_fixtures import DIRECTORY, LAW, NOW_MS, make_message

RECORD: dict[str, Any] = get_codec("indicator").decode(make_message().data)
CLOSED = RequiredOutputs(is_closed=True, deliveries=(), lane=None)
DECIDED = DecisionContext.open(LAW, load_shipped_treaties(), DIRECTORY, NOW_MS).decide(RECORD, NOW_MS).recipients[0]


def make_recipient(state: str, outcome: Outcome) -> RecipientDecision:
    return DECIDED._replace(state=state, terms=replace(DECIDED.terms, outcome=outcome))


def make_verdict(**outcomes: Outcome) -> Verdict:
    """Return the verdict with these outcomes by State."""
    return Verdict.from_recipients(tuple(make_recipient(state, outcome) for state, outcome in outcomes.items()))


MIXED = make_verdict(DE=Outcome.HOLD, FR=Outcome.OFFER, IE=Outcome.WITHHOLD, US=Outcome.DISCLOSE)
VERSIONS: list[dict[str, Any]] = [
    {"version": 1, "action": "PUBLISH"}, {"version": 2, "action": "PUBLISH"}, {"version": 2, "action": "SUPERSEDE"},
    {"version": 3, "action": "WITHDRAW"},
]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("urgency", "lane", "topics"),
    [
        ("ORDINARY", NoticeLane.ORDINARY, ("exchange.fr.offers", "exchange.us.notices")),
        ("URGENT", NoticeLane.URGENT, ("exchange.fr.urgent", "exchange.us.urgent")),
        ("EMERGENCY", NoticeLane.URGENT, ("exchange.fr.urgent", "exchange.us.urgent")),
    ],
)
def test_each_recipient_gets_what_its_outcome_requires(
    version: dict[str, Any], urgency: str, lane: NoticeLane, topics: tuple[str, str]
) -> None:
    required = derive_required_outputs(
        {**RECORD, **version, "urgency": urgency, "urgency_reason": "a child is missing"}, MIXED
    )
    deliveries = (Delivery(DeliveryKind.OFFER, 1, topics[0]), Delivery(DeliveryKind.NOTICE, 3, topics[1]))
    assert required == RequiredOutputs(is_closed=False, deliveries=deliveries, lane=lane)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("is_amendment", [False, True])
def test_with_a_conversation_the_gate_sends_first_versions_only(version: dict[str, Any], is_amendment: bool) -> None:
    record = {**RECORD, **version}
    required = derive_required_outputs(record, MIXED, is_amendment=is_amendment, has_conversation=True)
    assert not required.is_closed
    assert bool(required.deliveries) is (required.lane is not None) is (version["version"] == 1 and not is_amendment)


def test_what_is_withheld_only_for_facts_that_people_can_supply_is_open() -> None:
    asked, withheld = frozenset({"DE"}), make_verdict(DE=Outcome.WITHHOLD)
    required = derive_required_outputs(RECORD, withheld, asked, has_conversation=True)
    assert required == RequiredOutputs(is_closed=False, asked=asked)
    assert derive_required_outputs(RECORD, withheld, has_conversation=True) == CLOSED


def test_an_amendment_that_is_withheld_is_open_too() -> None:
    """States may have what is amended."""
    withheld = make_verdict(DE=Outcome.WITHHOLD)
    required = derive_required_outputs(RECORD, withheld, is_amendment=True, has_conversation=True)
    assert required == RequiredOutputs(is_closed=False)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("verdict", [make_verdict(DE=Outcome.OFFER), make_verdict(DE=Outcome.HOLD)])
def test_an_indicator_without_a_notice_has_no_lane_but_is_open(version: dict[str, Any], verdict: Verdict) -> None:
    required = derive_required_outputs({**RECORD, **version, "urgency": "URGENT"}, verdict)
    assert (required.is_closed, required.lane) == (False, None)


@pytest.mark.parametrize("verdict", [make_verdict(), make_verdict(DE=Outcome.WITHHOLD)])
def test_an_indicator_withheld_from_everyone_is_closed_unless_it_corrects_an_earlier_one(verdict: Verdict) -> None:
    first, *later = [derive_required_outputs({**RECORD, **version}, verdict) for version in VERSIONS]
    assert first == CLOSED
    assert later == [CLOSED._replace(is_closed=False)] * len(later)


def test_a_draft_lists_every_recipient_that_may_still_get_the_indicator() -> None:
    assert [outcome for outcome in Outcome if is_drafted(outcome)] == [Outcome.DISCLOSE, Outcome.OFFER, Outcome.HOLD]


def test_cached_outputs_equal_derived_ones() -> None:
    policy = OutputPolicy()
    verdicts = [MIXED, make_verdict(DE=Outcome.WITHHOLD), make_verdict(DE=Outcome.DISCLOSE)]
    records = [{**RECORD, **version, "urgency": urgency} for version in VERSIONS for urgency in ("ORDINARY", "URGENT")]
    for _ in range(2):
        for verdict in verdicts:
            for record in records:
                assert policy.get_required_outputs(record, verdict) == derive_required_outputs(record, verdict)
