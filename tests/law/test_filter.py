"""The whole filter: missing facts and restrictions never make it more open, and its verdicts are deterministic."""

from __future__ import annotations

import copy
import datetime as dt
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law import filter as filter_module
from sharing.law.authorities import AuthoritiesByState, list_sole_authorities
from sharing.law.combination import combine_results
from sharing.law.constraints import Conjunction, FactTest, Operator
from sharing.law.fact_reader import FactReader
from sharing.law.fact_values import FactValue
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack, Rule
from sharing.law.reading.pack_reader import parse_pack
from sharing.law.redaction import CONTENT_FIELDS, build_content
from sharing.law.rulebook import list_mandatory_recipients
from sharing.law.treaty_basis import TreatyBasis
from sharing.model.decision import Decision, PackReference, RecipientDecision, Verdict
from sharing.model.effects import RESTRICTING_EFFECTS
from sharing.model.indicator import Indicator
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import Effect, Outcome, RelevanceKind
from sharing.relevance.audience import EMPTY_AUDIENCE, Audience
from sharing.serialization.codec import get_codec
from tests.law.shipped import STATES, Item, find_law, load_items, sample_items
from tests.law.strategies import (
    AUDIENCES,
    AUTHORITIES,
    COMMON_RULES,
    DAY,
    DAYS,
    NOON,
    NOW_MS,
    TREATIES,
    conjunctions,
    dump_yaml,
    packs,
    records,
    search_settings,
)
from tests.model.indicator_forms import valid_forms

OPENNESS = {"WITHHOLD": 0, "HOLD": 1, "OFFER": 2, "DISCLOSE": 3}
QUIET = list(HealthCheck)
NAMED = (Reason(RelevanceKind.NEXUS_STATED, "named"),)
READ_RAW = {name: fact.read_raw for name, fact in FACTS.items() if fact.read_raw is not None}


def openness(decision: RecipientDecision | None) -> int:
    """Return how open a decision is; a State that is not considered gets nothing."""
    return 0 if decision is None else OPENNESS[decision.outcome]


def index_by_state(verdict: Verdict) -> dict[str, RecipientDecision]:
    return {recipient.state: recipient for recipient in verdict.recipients}


def make_pack(data: dict[str, Any]) -> Pack:
    return parse_pack(dump_yaml(data), "ch.yaml", TREATIES["small"], COMMON_RULES["small"])


def make_filter(data: dict[str, Any], authorities: AuthoritiesByState) -> DisclosureFilter:
    return DisclosureFilter(make_pack(data), TREATIES["small"], DAY, authorities)


def make_pack_data(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a pack with some rules, for which only `when` and `effect` are needed."""
    return {
        "state": "CH", "version": "1", "title": "t", "disclaimer": "d", "consolidated_at": DAY, "maintainers": [],
        "treaty_preference": ["BUDAPEST", "UNCAC"], "approvers": {"JUDGE": "A judge"},
        "rules": [
            {"id": f"t.{number}", "citation": "c", "nature": "statute", "paraphrase": "p", "source": "K",
             "verified": False, "valid": {"from": DAYS[0]}, "when": {}, **rule}
            for number, rule in enumerate(rules)
        ],
        **changes,
    }  # fmt: skip


PERMIT: dict[str, Any] = {"effect": "PERMIT"}
RECORD: dict[str, Any] = {**load_items("CH")[0].record(), "form": "INFORMATION", "action": "PUBLISH"}
TO_US = Audience([("US", NAMED)])
SITUATIONS = st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True).flatmap(
    lambda names: st.tuples(
        st.just(tuple(names)),
        packs(tuple(names)),
        AUTHORITIES,
        st.lists(st.tuples(records(tuple(names)), AUDIENCES), min_size=2, max_size=4),
    )
)


# --- Restrictions and missing facts ---


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(SITUATIONS, st.sampled_from(sorted(RESTRICTING_EFFECTS)), st.data())
def test_an_additional_restriction_never_makes_the_outcome_more_open(
    situation: Any, effect: Effect, data: st.DataObject
) -> None:
    names, pack, authorities, pairs = situation
    needs = {
        Effect.APPROVAL: {"approver": "JUDGE"},
        Effect.CONDITION: {"condition": {"kind": "OTHER", "text": "t"}},
        Effect.REDACT: {"redact": ["value"]},
    }.get(effect, {})
    base = {key: value for key, value in pack["rules"][0].items() if key != "exception" or effect is Effect.DENY}
    rule = {
        **base, "id": "zz.more", "valid": {"from": DAYS[0]}, "effect": str(effect), "needs": needs,
        "when": data.draw(conjunctions(names)),
    }  # fmt: skip
    before = make_filter(pack, authorities)
    after = make_filter({**pack, "rules": [*pack["rules"], rule]}, authorities)
    for record, audience in pairs:
        old, new = (index_by_state(law.decide(record, audience, NOW_MS)) for law in (before, after))
        assert old.keys() == new.keys()
        for state, decision in new.items():
            assert openness(decision) <= openness(old[state])
            if decision.outcome is not Outcome.WITHHOLD:
                assert set(decision.redacted) >= set(old[state].redacted)
                assert set(decision.conditions) >= set(old[state].conditions)


UNKNOWNS: dict[str, Any] = {
    "source.authority": "UNKNOWN", "offence.codes": [], "offence.max_penalty_years": None, "form": "UNKNOWN",
    "collection": "UNKNOWN", "subject_class": "UNKNOWN", "assertion": "UNKNOWN", "purpose": "UNKNOWN",
    "urgency": "UNKNOWN", "secrecy_domain": "UNKNOWN", "personal_data": "UNKNOWN", "special_category": "UNKNOWN",
    "origin.consent": "UNKNOWN", "enables_request": "UNKNOWN", "live_case_harm": "UNKNOWN", "character": None,
    "grading.source": None, "grading.information": None, "findings": {}, "offence.organised_group": "UNKNOWN",
    "origin.consent_obtainable": "UNKNOWN", "minor": "UNKNOWN", "exculpatory": "UNKNOWN", "us_person": "UNKNOWN",
}  # fmt: skip
"""The unknown value of each fact of a record. Facts for which null is an answer (marks, handling, origin.state,
retention) have no unknown value, and removing a mark may make the outcome more open."""


def is_no_more_open(after: RecipientDecision, before: RecipientDecision | None) -> bool:
    """Return whether a decision with fewer facts is no more open than the one before.

    Where an exception was ruled out and is unknown now, a person is asked; the item does not leave.
    """
    undecided = {entry.rule for entry in after.undecided}
    asks = any(rule.effect is Effect.APPROVAL and rule.id in undecided for rule in after.rules)
    return openness(after) <= openness(before) or (after.outcome is Outcome.HOLD and asks)


def hide_fact(record: dict[str, Any], name: str) -> dict[str, Any]:
    changed = copy.deepcopy(record)
    *parents, last = name.split(".")
    container = changed
    for parent in parents:
        container = container[parent]
    container[last] = UNKNOWNS[name]
    return changed


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(SITUATIONS, st.data())
def test_a_missing_fact_never_makes_the_outcome_more_open(situation: Any, data: st.DataObject) -> None:
    _, pack, authorities, pairs = situation
    law = make_filter(pack, authorities)
    for record, audience in pairs:
        before = index_by_state(law.decide(record, audience, NOW_MS))
        for name in UNKNOWNS:
            after = index_by_state(law.decide(hide_fact(record, name), audience, NOW_MS))
            for state, decision in after.items():
                assert is_no_more_open(decision, before.get(state)), (name, state)
        unlisted = {state: kind for state, kind in authorities.items() if state not in before}
        for state, decision in index_by_state(make_filter(pack, unlisted).decide(record, audience, NOW_MS)).items():
            assert is_no_more_open(decision, before[state])


@pytest.mark.parametrize("state", STATES)
def test_a_missing_fact_never_makes_the_outcome_of_a_shipped_pack_more_open(state: str) -> None:
    found = find_law(state)
    laws: dict[Any, DisclosureFilter] = {}
    opened = 0
    for item in sample_items(state, 40):
        day = to_utc_day(item.now_ms)
        law = laws.setdefault(
            (day, item.recipient, item.authority),
            DisclosureFilter(found.pack, found.treaties, day, list_sole_authorities({item.recipient: item.authority})),
        )
        audience = Audience([(item.recipient, NAMED)])
        record = item.record()
        before = index_by_state(law.decide(record, audience, item.now_ms))
        opened += openness(before.get(item.recipient)) > 0
        for name in UNKNOWNS:
            for to, decision in index_by_state(law.decide(hide_fact(record, name), audience, item.now_ms)).items():
                assert is_no_more_open(decision, before.get(to)), (item.name, name, to)
    assert opened > 0


@pytest.mark.parametrize("state", STATES)
def test_a_missing_recipient_fact_never_makes_the_outcome_of_a_shipped_pack_more_open(state: str) -> None:
    """This includes facts from the treaty table and from assessments."""
    found = find_law(state)
    for item in sample_items(state, 25):
        law = DisclosureFilter(
            found.pack, found.treaties, to_utc_day(item.now_ms), list_sole_authorities({item.recipient: item.authority})
        )
        facts = law.read_item_facts(item.record(), item.now_ms)
        recipient, basis, *_ = law.profile_recipient(item.recipient, facts, named=True)
        before = combine_results(item.recipient, law.evaluate_rules(facts, recipient), basis, ())
        for name in recipient:
            without: dict[str, FactValue] = {**recipient, name: None}
            if name in ("treaty_basis", "condition_model", "recipient.treaties"):
                without |= {"treaty_basis": None, "condition_model": None, "recipient.treaties": None}
                basis_without = TreatyBasis(None, None)
            else:
                basis_without = basis
            after = combine_results(item.recipient, law.evaluate_rules(facts, without), basis_without, ())
            assert openness(after) <= openness(before), (item.name, name)


# --- Unknown facts withhold, whatever the pack ---


def find_permitted_item(state: str) -> tuple[Item, DisclosureFilter]:
    """Return an item that a shipped pack discloses or offers."""
    found = find_law(state)
    for item in load_items(state):
        law = DisclosureFilter(
            found.pack, found.treaties, to_utc_day(item.now_ms), list_sole_authorities({item.recipient: item.authority})
        )
        verdict = law.decide(item.record(), Audience([(item.recipient, NAMED)]), item.now_ms)
        if verdict.outcome in (Outcome.DISCLOSE, Outcome.OFFER):
            return item, law
    raise AssertionError(f"no case of {state} is disclosed or offered")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("authority", [None, "UNKNOWN"])
def test_a_recipient_with_an_unknown_authority_gets_nothing(state: str, authority: str | None) -> None:
    item, law = find_permitted_item(state)
    unlisted = replace_authorities(law, list_sole_authorities({item.recipient: authority}))
    verdict = unlisted.decide(item.record(), Audience([(item.recipient, NAMED)]), item.now_ms)
    (decision,) = (decision for decision in verdict.recipients if decision.state == item.recipient)
    assert decision.outcome is Outcome.WITHHOLD
    assert "common.authority-known" in {entry.rule for entry in decision.undecided}


def replace_authorities(law: DisclosureFilter, authorities: AuthoritiesByState) -> DisclosureFilter:
    return DisclosureFilter(law.pack, law.treaties, law.day, authorities)


@pytest.mark.parametrize("state", STATES)
def test_an_item_without_an_offence_is_withheld(state: str) -> None:
    item, law = find_permitted_item(state)
    record = item.record(**{"offence.codes": []})
    verdict = law.decide(record, Audience([(item.recipient, NAMED)]), item.now_ms)
    assert verdict.outcome is Outcome.WITHHOLD
    assert "common.offence-stated" in {entry.rule for decision in verdict.recipients for entry in decision.undecided}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("to", ["SO", "KP", "AQ"])
def test_a_state_whose_treaties_were_not_looked_up_gets_nothing(state: str, to: str) -> None:
    item, law = find_permitted_item(state)
    law = replace_authorities(law, list_sole_authorities({to: item.authority}))
    verdict = law.decide(item.record(), Audience([(to, NAMED)]), item.now_ms)
    assert index_by_state(verdict)[to].outcome is Outcome.WITHHOLD
    assert index_by_state(verdict)[to].condition_model is None


def test_an_agreement_does_not_replace_treaties_that_were_not_looked_up() -> None:
    bilateral = {
        "state": "SO", "valid": {"from": DAYS[0]}, "condition_model": "PRE_ACCEPT", "source": "K", "verified": False,
        "scope": {}, "authorities": {"from": [str(RECORD["source"]["authority"])], "to": ["POLICE"]},
    }  # fmt: skip
    law = make_filter(make_pack_data(PERMIT, bilateral={"one": bilateral}), list_sole_authorities({"SO": "POLICE"}))
    verdict = law.decide(RECORD, Audience([("SO", NAMED)]), NOW_MS)
    assert verdict.outcome is Outcome.WITHHOLD
    preferred = make_pack_data(PERMIT, bilateral={"one": bilateral}, treaty_preference=["BILATERAL:one"])
    verdict = make_filter(preferred, list_sole_authorities({"SO": "POLICE"})).decide(
        RECORD, Audience([("SO", NAMED)]), NOW_MS
    )
    assert verdict.recipients[0].basis == "BILATERAL:one"
    assert verdict.outcome is Outcome.DISCLOSE


def test_before_the_first_day_of_a_pack_everything_is_withheld() -> None:
    pack = make_pack(make_pack_data(PERMIT, {**PERMIT, "valid": {"from": DAYS[3]}}))
    for day, outcome in ((DAYS[0], Outcome.DISCLOSE), (DAYS[0] - dt.timedelta(days=1), Outcome.WITHHOLD)):
        law = DisclosureFilter(pack, TREATIES["shipped"], day, list_sole_authorities({"US": "POLICE"}))
        assert law.decide(RECORD, TO_US, NOW_MS).outcome is outcome
    assert law.rules == COMMON_RULES["small"].rules


# --- Rules whose evaluation fails ---


class FailingConjunction(Conjunction):
    """A conjunction whose evaluation always fails."""

    def evaluate(self, facts: Any) -> bool | None:
        raise ZeroDivisionError("secret value in a message")


def with_rule(pack: Pack, effect: Effect, when: Conjunction) -> Pack:
    rule = next(rule for rule in pack.rules if rule.id == "t.0")
    needs: dict[str, Any] = {"approver": "JUDGE"} if effect is Effect.APPROVAL else {}
    return replace(pack, rules=(*pack.rules, replace(rule, id="t.broken", effect=effect, when=when, **needs)))


WRONG_KIND = FactTest("form", Operator.AT_LEAST, 3.0)
FALSE = FactTest("action", Operator.ANY_OF, frozenset({"WITHDRAW"}))
TRUE = FactTest("action", Operator.ANY_OF, frozenset({"PUBLISH"}))


@pytest.mark.parametrize("effect", sorted(RESTRICTING_EFFECTS))
@pytest.mark.parametrize(
    "when",
    [
        FailingConjunction(()),
        Conjunction((WRONG_KIND,)),
        Conjunction((TRUE, WRONG_KIND)),
        Conjunction((WRONG_KIND, FALSE)),
    ],
    ids=["raises", "wrong kind", "true and wrong kind", "wrong kind and false"],
)
def test_a_failing_restriction_withholds_and_is_counted_and_named(effect: Effect, when: Conjunction) -> None:
    pack = with_rule(make_pack(make_pack_data(PERMIT)), effect, when)
    law = DisclosureFilter(pack, TREATIES["small"], DAY, list_sole_authorities({"US": "POLICE"}))
    (decision,) = law.decide(RECORD, TO_US, NOW_MS).recipients
    assert decision.outcome is Outcome.WITHHOLD
    assert [(entry.rule, entry.fact) for entry in decision.undecided] == [("t.broken", "error")]
    assert decision.explanation == "evaluation failed: t.broken"
    assert law.rule_errors == {"t.broken": 1}
    assert "secret" not in repr(decision)


def test_a_failing_permission_does_not_permit() -> None:
    pack = with_rule(make_pack(make_pack_data({"effect": "RECORD"})), Effect.PERMIT, FailingConjunction(()))
    law = DisclosureFilter(pack, TREATIES["small"], DAY, list_sole_authorities({"US": "POLICE"}))
    assert law.decide(RECORD, TO_US, NOW_MS).outcome is Outcome.WITHHOLD
    assert law.rule_errors == {"t.broken": 1}


def test_a_failing_obligation_changes_nothing() -> None:
    names_france = FactTest("recipient.state", Operator.ANY_OF, frozenset({"FR"}))
    pack = with_rule(make_pack(make_pack_data(PERMIT)), Effect.OBLIGE, Conjunction((WRONG_KIND, names_france)))
    law = DisclosureFilter(pack, TREATIES["small"], DAY, list_sole_authorities({"US": "POLICE"}))
    (decision,) = law.decide(RECORD, TO_US, NOW_MS).recipients
    assert decision.outcome is Outcome.DISCLOSE
    assert law.rule_errors["t.broken"] >= 1


# --- The same verdict in any order ---


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(SITUATIONS, st.randoms(use_true_random=False))
def test_the_order_of_rules_and_of_items_never_matters(situation: Any, random: Any) -> None:
    _, pack, authorities, pairs = situation
    law = make_filter(pack, authorities)
    shuffled = copy.deepcopy(pack)
    random.shuffle(shuffled["rules"])
    for rule in shuffled["rules"]:
        alternatives = rule["when"].get("any_of", [])
        random.shuffle(alternatives)
    shuffled_law = make_filter(shuffled, authorities)
    expected = [law.decide(record, audience, NOW_MS).recipients for record, audience in pairs]
    in_reverse = [shuffled_law.decide(record, audience, NOW_MS).recipients for record, audience in reversed(pairs)]
    for actual, wanted in zip(reversed(in_reverse), expected, strict=True):
        assert [sort_missing(decision) for decision in actual] == [sort_missing(decision) for decision in wanted]


def sort_missing(decision: RecipientDecision) -> RecipientDecision:
    """Sort the missing facts, because their order follows the order of the alternatives."""
    undecided = tuple(sorted(decision.undecided, key=lambda entry: (entry.rule, entry.fact)))
    return decision._replace(terms=replace(decision.terms, undecided=undecided))


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(SITUATIONS)
def test_a_cached_verdict_equals_a_fresh_one(situation: Any) -> None:
    _, pack, authorities, pairs = situation
    law = make_filter(pack, authorities)
    first = [law.decide(record, audience, NOW_MS) for record, audience in pairs]
    again = [
        law.decide(copy.deepcopy(record), Audience(audience.reasons_by_state), NOW_MS) for record, audience in pairs
    ]
    assert all(before is after for before, after in zip(first, again, strict=True))
    for verdict, (record, audience) in zip(first, pairs, strict=True):
        fresh = make_filter(pack, authorities).decide(record, audience, NOW_MS)
        assert fresh.recipients == verdict.recipients
        assert fresh.outcome is verdict.outcome
    law.clear_verdicts()
    assert [law.decide(record, audience, NOW_MS).recipients for record, audience in pairs] == [
        verdict.recipients for verdict in first
    ]


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(SITUATIONS)
def test_a_state_gets_the_same_alone_as_with_others(situation: Any) -> None:
    """The decision for one State does not depend on the other considered States."""
    _, pack, authorities, pairs = situation
    law = make_filter(pack, authorities)
    for record, audience in pairs:
        together = index_by_state(law.decide(record, audience, NOW_MS))
        for state, reasons in audience.reasons_by_state:
            if state == "CH":
                continue
            alone = index_by_state(law.decide(record, Audience([(state, reasons)]), NOW_MS))
            assert alone[state] == together[state]


def test_the_number_of_cached_verdicts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_module, "VERDICTS_MAX", 3)
    law = make_filter(
        make_pack_data({**PERMIT, "when": {"offence.max_penalty_years": {"at_least": 5}}}),
        list_sole_authorities({"US": "POLICE"}),
    )
    for _ in range(2):
        for years in range(12):
            record = copy.deepcopy(RECORD)
            record["offence"]["max_penalty_years"] = years
            assert (law.decide(record, TO_US, NOW_MS).outcome is Outcome.DISCLOSE) is (years >= 5)
            assert len(law._verdicts) <= 3


def test_the_number_of_cached_profiles_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_module, "PROFILES_MAX", 4)
    law = make_filter(make_pack_data(PERMIT), list_sole_authorities(dict.fromkeys(("FR", "GB", "US"), "POLICE")))
    audience = Audience((state, NAMED) for state in ("FR", "GB", "US"))
    expected = make_filter(make_pack_data(PERMIT), list_sole_authorities(dict.fromkeys(("FR", "GB", "US"), "POLICE")))
    for codes in (["LAUNDERING"], ["COPYRIGHT"], ["LAUNDERING", "COPYRIGHT"], ["LAUNDERING"]):
        record = {**RECORD, "offence": {**RECORD["offence"], "codes": codes}}
        recipients = law.decide(record, audience, NOW_MS).recipients
        assert recipients == expected.decide(record, audience, NOW_MS).recipients
        assert len(law._profiles) <= 4


def test_only_the_facts_that_the_pack_tests_are_read() -> None:
    law = make_filter(
        make_pack_data({**PERMIT, "when": {"form": "INFORMATION"}}), list_sole_authorities({"US": "POLICE"})
    )
    # The offence codes and the sender's kind choose the receiving authority and the instruments that cover the item.
    assert set(law.fact_names) == {"form", "offence.codes", "source.authority"}
    other = copy.deepcopy(RECORD)
    other |= {"id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "value": "another", "summary": "else", "urgency": "URGENT"}
    assert law.decide(other, TO_US, NOW_MS) is law.decide(RECORD, TO_US, NOW_MS)
    other["form"] = "EVIDENCE"
    assert law.decide(other, TO_US, NOW_MS) is not law.decide(RECORD, TO_US, NOW_MS)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(valid_forms(), st.sets(st.sampled_from(sorted(READ_RAW))))
def test_the_facts_are_read_together_as_each_is_read_alone(form: dict[str, Any], names: set[str]) -> None:
    record = Indicator.parse(form).to_record()
    reader = FactReader(FACTS[name] for name in names)
    raw = [value for part in reader.read_raw_facts(record, NOW_MS) for value in part]
    assert {fact.name: value for fact, value in zip(reader.facts, raw, strict=True)} == {
        name: READ_RAW[name](record, NOW_MS) for name in names
    }


def test_retention_that_expires_within_a_day_is_decided_by_the_time() -> None:
    law = make_filter(
        make_pack_data(PERMIT, {"effect": "DENY", "when": {"retention_expired": True}}),
        list_sole_authorities({"US": "POLICE"}),
    )
    record = {**RECORD, "retain_until": NOON}
    assert law.decide(record, TO_US, NOW_MS - 1).outcome is Outcome.DISCLOSE
    assert law.decide(record, TO_US, NOW_MS).outcome is Outcome.WITHHOLD
    assert law.decide(record, TO_US, NOW_MS - 1).outcome is Outcome.DISCLOSE


# --- The same bytes ---


def build_decision(record: dict[str, Any], verdict: Verdict, now_ms: int) -> Decision:
    pack = PackReference("CH", "1", "0")
    return Decision(record["id"], record["version"], now_ms, "CH", pack, "v", verdict.recipients)


def digest_of_cases() -> str:
    """Return a digest of the bytes of every decision on the cases of two packs."""
    digest = hashlib.sha256()
    for state in ("CH", "JP"):
        found = find_law(state)
        for item in sample_items(state, 12):
            kinds = dict.fromkeys(("US", "GB", "FR", "DE", "NL", "JP", "CH", item.recipient), item.authority)
            authorities = list_sole_authorities(kinds)
            law = DisclosureFilter(found.pack, found.treaties, to_utc_day(item.now_ms), authorities)
            audience = Audience((name, NAMED) for name in authorities)
            record = item.record()
            decision = build_decision(record, law.decide(record, audience, item.now_ms), item.now_ms)
            digest.update(decision.to_json().encode())
            digest.update(get_codec("decision").encode(decision.to_record()))
    return digest.hexdigest()


def test_another_process_produces_the_same_bytes() -> None:
    """The iteration order of sets differs from one process to the next."""
    here = digest_of_cases()
    assert digest_of_cases() == here
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", "import test_filter; print(test_filter.digest_of_cases())"],
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert run.stdout.strip() == here


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(SITUATIONS)
def test_a_decision_is_unchanged_by_encoding_and_decoding(situation: Any) -> None:
    _, pack, authorities, pairs = situation
    law = make_filter(pack, authorities)
    for record, audience in pairs:
        decision = build_decision(record, law.decide(record, audience, NOW_MS), NOW_MS)
        codec = get_codec("decision")
        data = codec.encode(decision.to_record())
        repeated = build_decision(record, law.decide(record, audience, NOW_MS), NOW_MS)
        assert codec.encode(repeated.to_record()) == data
        decoded = codec.decode(data)
        assert codec.encode(decoded) == data
        assert [recipient["state"] for recipient in decoded["recipients"]] == [
            recipient.state for recipient in decision.recipients
        ]


# --- Considered States ---


def test_an_empty_audience_has_no_recipients() -> None:
    verdict = make_filter(make_pack_data(PERMIT), list_sole_authorities({"US": "POLICE"})).decide(
        RECORD, EMPTY_AUDIENCE, NOW_MS
    )
    assert verdict.recipients == ()
    assert verdict.outcome is Outcome.WITHHOLD


def test_the_providing_state_is_never_a_recipient() -> None:
    oblige = {"effect": "OBLIGE", "when": {"recipient.state": ["CH", "FR"]}}
    law = make_filter(
        make_pack_data(PERMIT, oblige), list_sole_authorities({"US": "POLICE", "CH": "POLICE", "FR": "POLICE"})
    )
    verdict = law.decide(RECORD, Audience([("CH", NAMED), ("US", NAMED)]), NOW_MS)
    assert list(index_by_state(verdict)) == ["FR", "US"]


def test_an_obligation_adds_the_states_that_it_names() -> None:
    oblige = {"effect": "OBLIGE", "when": {"recipient.state": ["UK", "US"], "form": "INFORMATION"}}
    law = make_filter(make_pack_data(PERMIT, oblige), list_sole_authorities({"US": "POLICE", "GB": "POLICE"}))
    verdict = law.decide({**RECORD, "form": "INFORMATION"}, TO_US, NOW_MS)
    assert list(index_by_state(verdict)) == ["GB", "US"]
    assert index_by_state(verdict)["GB"].relevance == (Reason(RelevanceKind.OBLIGATION, "t.1"),)
    assert index_by_state(verdict)["US"].relevance == NAMED  # was considered already
    assert all(decision.is_obligatory for decision in verdict.recipients)
    assert list(index_by_state(law.decide({**RECORD, "form": "EVIDENCE"}, TO_US, NOW_MS))) == ["US"]
    assert list(index_by_state(law.decide({**RECORD, "form": "UNKNOWN"}, TO_US, NOW_MS))) == ["US"]


def test_two_obligations_are_two_reasons() -> None:
    oblige = {"effect": "OBLIGE", "when": {"recipient.state": "FR"}}
    verdict = make_filter(make_pack_data(PERMIT, oblige, oblige), {}).decide(RECORD, EMPTY_AUDIENCE, NOW_MS)
    assert [reason.detail for reason in verdict.recipients[0].relevance] == ["t.1", "t.2"]


@pytest.mark.parametrize(
    ("effect", "when", "states"),
    [
        ("OBLIGE", {"recipient.state": "FR"}, ("FR",)),
        ("OBLIGE", {"recipient.state": ["US", "FR"]}, ("FR", "US")),
        ("OBLIGE", {"recipient.state": {"not": "FR"}}, ()),
        ("OBLIGE", {"any_of": [{"recipient.state": "FR"}]}, ()),
        ("OBLIGE", {"recipient.eu": True}, ()),
        ("PERMIT", {"recipient.state": "FR"}, ()),
    ],
)
def test_only_an_obligation_that_names_states_directly_adds_them(
    effect: str, when: dict[str, Any], states: tuple[str, ...]
) -> None:
    pack = make_pack(make_pack_data({"effect": effect, "when": when}))
    (rule,) = (rule for rule in pack.rules if rule.id == "t.0")
    assert list_mandatory_recipients(rule) == states


# --- Redaction ---


@search_settings(0.1)
@given(records(), st.sets(st.sampled_from(sorted(CONTENT_FIELDS)) | st.sampled_from(["officer", "findings"])))
def test_redaction_only_removes_fields(record: dict[str, Any], redacted: set[str]) -> None:
    full, redacted_content = build_content(record, ()), build_content(record, redacted)
    assert redacted_content.keys() == full.keys() == CONTENT_FIELDS.keys()
    for name, value in redacted_content.items():
        assert value in (None, []) if name in redacted else value == full[name]


def test_the_officer_and_the_findings_are_never_in_the_content() -> None:
    record = {**RECORD, "findings": {"request_grantable": "YES"}}
    record["source"] = {**record["source"], "officer": "MARKER"}
    assert "MARKER" not in repr(build_content(record, ()))
    assert "request_grantable" not in repr(build_content(record, ()))


def test_the_rules_in_force_are_sorted_by_id() -> None:
    rules: list[dict[str, Any]] = [
        {**PERMIT, "id": "t.b"}, {**PERMIT, "id": "t.a", "valid": {"from": DAYS[3]}},
        {**PERMIT, "id": "t.a", "valid": {"from": DAYS[0], "to": DAYS[2]}},
    ]  # fmt: skip
    law = make_filter(make_pack_data(*rules), {})
    assert [rule.id for rule in law.rules] == ["common.audit", "t.a", "t.b"]
    rule: Rule = law.rules[1]
    assert rule.valid.end == DAYS[2]
