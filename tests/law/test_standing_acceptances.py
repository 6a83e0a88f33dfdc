"""What was accepted beforehand is sent at once, and a standing acceptance changes nothing else."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.gate.gate import Gate
from sharing.conversation.terms import is_no_less_open
from sharing.disclosure.law_in_force import LawInForce
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_values import FactValue
from sharing.law.reading.pack_reader import parse_pack
from sharing.law.standing_acceptances import StandingAcceptances
from sharing.model.decision import RecipientDecision, Verdict
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.recipient_terms import Condition
from sharing.model.standing_acceptance import StandingAcceptance, hash_condition_text
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import Effect, OffenceCode, Outcome, Urgency
from sharing.packs.library import load_shipped_treaties
from tests.disclosure.situations import open_directory
from tests.law import scenarios
from tests.law.accepted import make_acceptance, with_acceptances
from tests.law.scenarios import PROVIDERS, SCENARIOS, get_law, write_item
from tests.law.strategies import COMMON_RULES
from tests.processors.gate.gate_fixtures import (
    DAY_MS,
    DIRECTORY,
    EMERGENCY,
    HELD,
    LAW,
    NEVER_COLUMNAR,
    NOW_MS,
    OFFERED,
    PACK,
    decode_by_topic,
    indicator_form,
    make_message,
)

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "200"))
RULE = "bus.standing-acceptance"
STATES = ("AT", "BE", "CH", "DE", "FR", "GB", "JP", "US")


def open_context(directory: Directory = DIRECTORY, now_ms: int = NOW_MS) -> DecisionContext:
    return DecisionContext.open(LAW, load_shipped_treaties(), directory, now_ms)


def decide(directory: Directory, now_ms: int = NOW_MS, **changes: Any) -> RecipientDecision:
    """Return the decision on an item for the United States."""
    record = Indicator.parse(indicator_form(**changes)).to_record()
    recipients = open_context(directory, now_ms).decide(record, now_ms).recipients
    return next(each for each in recipients if each.state == "US")


OFFER = decide(DIRECTORY, **OFFERED)
ACCEPTED = make_acceptance("CH", OFFER.conditions)


def accept(*acceptances: StandingAcceptance) -> Directory:
    return with_acceptances(DIRECTORY, US=acceptances)


def test_what_was_accepted_is_disclosed_and_cited() -> None:
    assert OFFER.outcome is Outcome.OFFER
    decision = decide(accept(ACCEPTED), **OFFERED)
    assert decision.outcome is Outcome.DISCLOSE
    added = decision.rules[-1]
    assert (added.id, added.effect) == (RULE, Effect.RECORD)
    assert ACCEPTED.id in added.citation
    assert decision.terms == replace(OFFER.terms, outcome=Outcome.DISCLOSE, rules=(*OFFER.rules, added))


def make_wrong_text(condition: Condition) -> Condition:
    return replace(condition, text=condition.text + " ")


@pytest.mark.parametrize(
    ("changes", "is_covered"),
    [
        ({}, True),
        ({"offences": ["LAUNDERING"], "urgency": ["ORDINARY"]}, True),
        ({"offences": ["ICT_FRAUD_THEFT"]}, False),
        ({"urgency": ["EMERGENCY", "URGENT"]}, False),
        ({"from_state": "DE"}, False),
        ({"valid_from": "2026-03-01T12:00:00Z"}, True),
        ({"valid_from": "2026-03-01T12:00:00.001Z"}, False),
        ({"valid_until": "2026-03-01T12:00:00.001Z"}, True),
        ({"valid_until": "2026-03-01T12:00:00Z"}, False),
    ],
)
def test_only_items_of_the_accepted_kind_and_time_are_covered(changes: dict[str, Any], is_covered: bool) -> None:
    decision = decide(accept(make_acceptance("CH", OFFER.conditions, **changes)), **OFFERED)
    assert decision.outcome is (Outcome.DISCLOSE if is_covered else Outcome.OFFER)
    if not is_covered:
        assert decision.terms == OFFER.terms


def apply(conditions: list[Condition], *accepted: StandingAcceptance) -> RecipientDecision:
    """Return what becomes of an offer with these conditions."""
    offer = OFFER._replace(terms=replace(OFFER.terms, conditions=tuple(conditions)))
    item: dict[str, FactValue] = {"offence.codes": frozenset({"LAUNDERING"}), "urgency": "ORDINARY"}
    (decision,) = StandingAcceptances({"US": accepted}).apply(Verdict.from_recipients((offer,)), item).recipients
    return decision


def test_every_condition_must_be_covered_with_its_text() -> None:
    first, second = conditions = [*OFFER.conditions, replace(OFFER.conditions[0], code="ch.second", text="Not so.")]
    for accepted in (
        [first],
        [second],
        [make_wrong_text(first), second],
        [replace(first, code="ch.other"), second],
        [first, replace(second, text=first.text)],
    ):
        assert apply(conditions, make_acceptance("CH", accepted)).outcome is Outcome.OFFER
    together = make_acceptance("CH", [first], signature="1" * 128), make_acceptance("CH", [second])
    decision = apply(conditions, *together)
    assert decision.outcome is Outcome.DISCLOSE
    assert all(each.id in decision.rules[-1].citation for each in together)


@pytest.mark.parametrize("missing", ["offence.codes", "urgency"])
def test_what_is_unknown_about_the_item_is_not_covered(missing: str) -> None:
    known: dict[str, FactValue] = {"offence.codes": frozenset({"LAUNDERING"}), "urgency": "ORDINARY"}
    acceptances, verdict = StandingAcceptances({"US": [ACCEPTED]}), Verdict.from_recipients((OFFER,))
    assert acceptances.apply(verdict, known).outcome is Outcome.DISCLOSE
    absent = {name: value for name, value in known.items() if name != missing}
    for item in (absent, {**known, missing: None}, {**known, missing: frozenset()}):
        assert acceptances.apply(verdict, item) is verdict


def test_another_state_does_not_accept_for_it() -> None:
    assert decide(with_acceptances(DIRECTORY, DE=[ACCEPTED]), **OFFERED).outcome is Outcome.OFFER


@pytest.mark.parametrize("offence", [{"codes": ["LAUNDERING", "ICT_FRAUD_THEFT"]}])
def test_an_item_with_a_further_offence_is_not_covered(offence: dict[str, Any]) -> None:
    assert decide(DIRECTORY, offence=offence).outcome is Outcome.OFFER
    accepted = make_acceptance("CH", decide(DIRECTORY, offence=offence).conditions, offences=["LAUNDERING"])
    assert decide(accept(accepted), offence=offence).outcome is Outcome.OFFER


def test_an_unknown_urgency_is_not_covered() -> None:
    accepted = accept(make_acceptance("CH", decide(DIRECTORY, **OFFERED, urgency="UNKNOWN").conditions))
    assert decide(accepted, **OFFERED, urgency="UNKNOWN").outcome is Outcome.OFFER


def test_an_emergency_without_officer_and_reason_is_ordinary() -> None:
    accepted = accept(make_acceptance("CH", OFFER.conditions, urgency=["EMERGENCY"]))
    assert decide(accepted, **OFFERED, **EMERGENCY).outcome is Outcome.DISCLOSE
    assert decide(accepted, **OFFERED, urgency="EMERGENCY").outcome is Outcome.OFFER


def test_an_approval_is_not_skipped_and_nothing_withheld_is_opened() -> None:
    for changes in ({**OFFERED, **HELD}, {**OFFERED, "form": "EVIDENCE"}):
        before = decide(DIRECTORY, **changes)
        assert before.outcome in {Outcome.HOLD, Outcome.WITHHOLD}
        assert decide(accept(ACCEPTED), **changes).terms == before.terms


def test_a_state_without_topics_gets_nothing() -> None:
    directory = Directory(accept(ACCEPTED).entries, receiving_states=frozenset({"DE"}))
    assert decide(directory, **OFFERED).outcome is Outcome.WITHHOLD


def test_the_context_ends_when_an_acceptance_begins_ends_or_is_revoked() -> None:
    directory = accept(make_acceptance("CH", OFFER.conditions, valid_until="2026-03-01T13:00:00Z"))
    end = NOW_MS + 3_600_000
    context = open_context(directory)
    assert context.is_valid_for(directory, end - 1)
    assert not context.is_valid_for(directory, end)
    assert not context.is_valid_for(DIRECTORY, NOW_MS)
    assert decide(directory, end - 1, **OFFERED).outcome is Outcome.DISCLOSE
    assert decide(directory, end, **OFFERED).outcome is Outcome.OFFER
    later = accept(make_acceptance("CH", OFFER.conditions, valid_from="2026-03-01T13:00:00Z"))
    assert not open_context(later).is_valid_for(later, end)


def test_a_revocation_binds_from_the_next_batch() -> None:
    gate = Gate(LAW, load_shipped_treaties())
    for directory, topic in ((accept(ACCEPTED), "exchange.us.notices"), (DIRECTORY, "exchange.us.offers")):
        written = decode_by_topic(gate.process_batch([make_message(**OFFERED)], directory, NOW_MS))
        assert [name for name in written if name.startswith("exchange.us.")] == [topic]


@pytest.mark.parametrize("columnar_min", [1, NEVER_COLUMNAR])
def test_decision_draft_and_notice_agree_on_both_paths(columnar_min: int) -> None:
    accepted = make_acceptance("CH", OFFER.conditions, urgency=["URGENT"])
    numbers = range(1, 41)
    urgency = {number: "URGENT" if number % 2 else "ORDINARY" for number in numbers}
    messages = [make_message(number, **OFFERED, urgency=urgency[number]) for number in numbers]
    gate = Gate(LAW, load_shipped_treaties(), has_conversation=True, columnar_min=columnar_min)
    written = decode_by_topic(gate.process_batch(messages, accept(accepted), NOW_MS))
    cited = {"id": RULE, "effect": "RECORD"}
    notices = [each for each in written["exchange.us.urgent"] if "kind" in each]
    assert len(notices) == 20
    for notice in notices:
        assert {key: notice["rules"][-1][key] for key in cited} == cited
        assert accepted.id in notice["rules"][-1]["citation"]
        assert len(notice["conditions"]) == len(OFFER.conditions)
        assert notice["condition_model"] == "PRE_ACCEPT"
    assert len(written["exchange.us.offers"]) == 20
    outcomes, drafts = (
        {
            each["indicator_id"]: next(one for one in each["recipients"] if one["state"] == "US")
            for each in written[f"national.ch.{topic}"]
        }
        for topic in ("decisions", "drafts")
    )
    for notice in notices:
        assert outcomes[notice["indicator_id"]]["outcome"] == "DISCLOSE"
        assert outcomes[notice["indicator_id"]]["rules"] == notice["rules"]
        assert drafts[notice["indicator_id"]]["rules"] == notice["rules"]
    assert sum(each["outcome"] == "OFFER" for each in outcomes.values()) == 20


def test_the_conversation_asks_the_same_law() -> None:
    record = Indicator.parse(indicator_form(**OFFERED)).to_record()
    accepted = LawInForce(open_context(accept(ACCEPTED))).at(record, NOW_MS)("US")
    assert (accepted.outcome, accepted.accept_first) == (Outcome.DISCLOSE, False)
    revoked = LawInForce(open_context()).at(record, NOW_MS)("US")
    assert (revoked.outcome, revoked.accept_first) == (Outcome.OFFER, True)
    assert not is_no_less_open(revoked, accepted), "what waits when it is revoked is decided again"
    assert is_no_less_open(accepted, revoked)


@st.composite
def acceptances(draw: st.DrawFn, provider: str, conditions: list[Condition]) -> StandingAcceptance:
    chosen = draw(st.lists(st.sampled_from(conditions), min_size=1, unique_by=lambda each: each.code))
    altered = [make_wrong_text(each) if draw(st.integers(0, 9)) == 0 else each for each in chosen]
    some = st.lists(st.sampled_from(sorted(OffenceCode)), min_size=1, unique=True).map(sorted)
    urgency = st.lists(st.sampled_from(["EMERGENCY", "ORDINARY", "URGENT"]), min_size=1, unique=True).map(sorted)
    every = sorted(str(each) for each in OffenceCode)
    return make_acceptance(
        provider if draw(st.integers(0, 9)) else "XC",
        altered if draw(st.booleans()) else conditions,
        offences=draw(some) if draw(st.integers(0, 3)) == 0 else every,
        urgency=draw(urgency),
        valid_until=draw(st.sampled_from(["2026-12-31T00:00:00Z", "2026-01-02T00:00:00Z"])),
        signature=draw(st.sampled_from(["0", "1", "2"])) * 128,
    )


def expects_disclosure(
    decision: RecipientDecision,
    record: dict[str, Any],
    provider: str,
    accepted: tuple[StandingAcceptance, ...],
    now: int,
) -> bool:
    """A second reading of the rule that shares no code with the first: does an offer become a disclosure?"""
    urgency = record["urgency"]
    if urgency == "EMERGENCY" and not (record["source"]["officer"] and record["urgency_reason"]):
        urgency = "ORDINARY"
    pairs = set()
    for each in accepted:
        if each.from_state != provider or not to_milliseconds(each.valid_from) <= now < to_milliseconds(
            each.valid_until
        ):
            continue
        codes = record["offence"]["codes"]
        if codes and all(code in each.offences for code in codes) and Urgency(urgency) in each.urgency:
            pairs |= {(one.code, one.text_hash) for one in each.conditions}
    return all((one.code, hash_condition_text(one.text)) in pairs for one in decision.conditions)


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_nothing_but_an_offer_becomes_anything_but_a_disclosure(data: st.DataObject) -> None:
    provider = data.draw(st.sampled_from([each for each in PROVIDERS if each != "EU"]))  # a template is no State
    scenario = data.draw(st.sampled_from(sorted(SCENARIOS)))
    urgency = data.draw(st.sampled_from([{}, {"urgency": "ORDINARY"}, EMERGENCY, {"urgency": "URGENT"}]))
    record = Indicator.parse(write_item(scenario, provider, **urgency)).to_record()
    law, now = get_law(provider), scenarios.NOW_MS
    entries = {state: open_directory(state, "POLICE").entries[state] for state in STATES}
    plain = DecisionContext.open(law.pack, law.treaties, Directory(entries), now)
    before = plain.decide(record, now).recipients
    accepted = {}
    for each in before:
        conditions = list({one.code: one for one in each.conditions}.values())
        if each.state in entries and conditions:
            accepted[each.state] = tuple(
                data.draw(st.lists(acceptances(provider, conditions), max_size=3), label=each.state)
            )
    directory = with_acceptances(Directory(entries), **accepted)
    context = DecisionContext.open(law.pack, law.treaties, directory, now)
    after = context.decide(record, now).recipients
    assert [each.state for each in after] == [each.state for each in before]
    for old, new in zip(before, after, strict=True):
        assert new.relevance == old.relevance
        if old.outcome is Outcome.OFFER and expects_disclosure(old, record, provider, accepted.get(old.state, ()), now):
            assert new.outcome is Outcome.DISCLOSE
            assert new.terms == replace(old.terms, outcome=Outcome.DISCLOSE, rules=new.rules)
            assert new.rules[:-1] == old.rules
            assert new.rules[-1].id == RULE
        else:
            assert new.terms == old.terms
    assert context.decide(record, now) is context.decide(record, now), "equal items share one verdict"


def test_the_day_of_the_law_still_counts() -> None:
    tomorrow = NOW_MS + DAY_MS
    assert decide(accept(ACCEPTED), tomorrow, **OFFERED).outcome is Outcome.WITHHOLD


def test_urgency_counts_also_under_a_law_that_does_not_ask_for_it() -> None:
    text = re.sub(r"  - \{id: ch\.approval.*?\}\}\n", "", PACK, flags=re.DOTALL)  # an approval asks for the urgency
    law = parse_pack(text, "ch.yaml", load_shipped_treaties(), COMMON_RULES["small"])
    directory = accept(make_acceptance("CH", OFFER.conditions, urgency=["URGENT"]))
    plain, context = (
        DecisionContext.open(law, load_shipped_treaties(), each, NOW_MS) for each in (DIRECTORY, directory)
    )
    assert "urgency" not in plain.disclosure_filter.fact_names
    for urgency, outcome in (("ORDINARY", Outcome.OFFER), ("URGENT", Outcome.DISCLOSE), ("ORDINARY", Outcome.OFFER)):
        record = Indicator.parse(indicator_form(**OFFERED, urgency=urgency)).to_record()
        decided = {each.state: each.outcome for each in context.decide(record, NOW_MS).recipients}
        assert decided["US"] is outcome
