"""An outcome or effect that the gate does not know is an error, never a silently missing output."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any, cast

import pytest

from processors.exactly_once.batch import DEFAULT_LIMITS
from processors.gate import output_plans
from processors.gate.asked_states import NOBODY, AskedStates
from processors.gate.encoded_tails import EncodedTails
from processors.gate.outcome_tags import OutcomeTags
from processors.gate.outcome_tally import ItemStanding, OutcomeTally
from processors.gate.output_plans import OutputPlanner
from processors.gate.output_policy import (
    Delivery,
    OutputPolicy,
    RequiredOutputs,
    derive_required_outputs,
    get_notice_lane,
    is_closed,
)
from processors.gate.record_writer import RecordWriter
from sharing.law.decision_context import DecisionContext
from sharing.model.bounded_cache import BoundedCache
from sharing.model.decision import Verdict
from sharing.model.vocabulary import Outcome
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec
from tests.processors.gate.gate_fixtures import DIRECTORY, LAW, NOW_MS, make_message


class Unknown(StrEnum):
    """A member that was added to a vocabulary, but not to the gate."""

    ESCALATE = "ESCALATE"


ESCALATE = cast("Any", Unknown.ESCALATE)
MESSAGE = make_message(nexus=[{"state": "IE", "reason": "r"}, {"state": "US", "reason": "r"}])
RECORD = get_codec("indicator").decode(MESSAGE.data)
TAGS = OutcomeTags(DEFAULT_LIMITS, 1_000_000)


@pytest.fixture
def context() -> DecisionContext:
    return DecisionContext.open(LAW, load_shipped_treaties(), DIRECTORY, NOW_MS)


@pytest.fixture
def tails(context: DecisionContext, monkeypatch: pytest.MonkeyPatch) -> EncodedTails:
    """Encoders that accept any outcome, as new schemas would."""
    monkeypatch.setattr(EncodedTails, "encode_decision_tail", lambda *_: b"")
    monkeypatch.setattr(EncodedTails, "encode_draft_tail", lambda *_: b"")
    return make_tails(context)


def make_tails(context: DecisionContext) -> EncodedTails:
    return EncodedTails(LAW.reference, "CH", context.directory_version, BoundedCache(10))


@pytest.fixture
def verdict(context: DecisionContext) -> Verdict:
    """A verdict that discloses to one recipient and has the unknown outcome for another."""
    known = context.decide(RECORD, NOW_MS)
    first, second = known.recipients
    unknown = second._replace(terms=replace(second.terms, outcome=ESCALATE))
    return Verdict((first, unknown), Outcome.DISCLOSE)


def test_the_policy_rejects_an_unknown_outcome(verdict: Verdict) -> None:
    with pytest.raises(AssertionError, match="ESCALATE"):
        derive_required_outputs(RECORD, verdict)


def test_the_record_writer_rejects_an_unknown_delivery(tails: EncodedTails, verdict: Verdict) -> None:
    required = RequiredOutputs(is_closed=False, deliveries=(Delivery(ESCALATE, 1, "topic"),))
    with pytest.raises(AssertionError, match="ESCALATE"):
        RecordWriter(tails, NOW_MS).build_outputs(MESSAGE, MESSAGE.value(), RECORD, verdict, required)


def test_the_output_planner_rejects_an_unknown_outcome(
    context: DecisionContext, tails: EncodedTails, verdict: Verdict
) -> None:
    planner = OutputPlanner(context, tails, OutputPolicy(), AskedStates(None), DEFAULT_LIMITS, TAGS)
    with pytest.raises(AssertionError, match="ESCALATE"):
        planner._build_plan(RECORD, verdict, NOBODY)


def test_the_output_planner_rejects_an_unknown_delivery(
    context: DecisionContext, tails: EncodedTails, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    required = RequiredOutputs(is_closed=False, deliveries=(Delivery(ESCALATE, 1, "topic"),))
    policy = OutputPolicy()
    monkeypatch.setattr(policy, "get_required_outputs", lambda *_: required)
    with pytest.raises(AssertionError, match="ESCALATE"):
        OutputPlanner(context, tails, policy, AskedStates(None), DEFAULT_LIMITS, TAGS)._build_plan(
            RECORD, verdict, NOBODY
        )


def test_a_draft_rejects_an_unknown_outcome(context: DecisionContext, verdict: Verdict) -> None:
    with pytest.raises(AssertionError, match="ESCALATE"):
        make_tails(context).encode_draft_tail(RECORD, verdict)


def test_an_unknown_outcome_is_neither_closed_nor_without_a_lane(verdict: Verdict) -> None:
    unknown = replace(verdict, outcome=ESCALATE)
    for function in (is_closed, get_notice_lane):
        with pytest.raises(AssertionError, match="ESCALATE"):
            function(RECORD, unknown)


def test_conservation_rejects_an_unknown_outcome(verdict: Verdict) -> None:
    known = verdict.recipients[0]
    of_recipient = Verdict((known, known._replace(terms=replace(known.terms, outcome=ESCALATE))), Outcome.DISCLOSE)
    of_item = Verdict((known,), ESCALATE)
    for unknown in (of_recipient, of_item):
        with pytest.raises(AssertionError, match="ESCALATE"):
            OutcomeTally.from_verdict(unknown, RECORD, ItemStanding())


def test_an_unknown_plan_has_no_size() -> None:
    with pytest.raises(AssertionError, match="ESCALATE"):
        output_plans._count_tail_bytes(ESCALATE)
