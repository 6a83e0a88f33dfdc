"""The filter gives the same verdict in any order and in any process, cached or not."""

from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.law import filter as filter_module
from sharing.law.authorities import list_sole_authorities
from sharing.law.fact_reader import FactReader
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.model.decision import Decision, PackReference, RecipientDecision, Verdict
from sharing.model.indicator import Indicator
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import Outcome
from sharing.relevance.audience import Audience
from sharing.serialization.codec import get_codec
from tests.law.filter_fixtures import (
    NAMED,
    PERMIT,
    QUIET,
    READ_RAW,
    RECORD,
    SITUATIONS,
    TO_US,
    index_by_state,
    make_filter,
    make_pack_data,
)
from tests.law.shipped import find_law, sample_items
from tests.law.strategies import DAYS, NOON, NOW_MS, search_settings
from tests.model.indicator_forms import valid_forms


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
            [sys.executable, "-c", "import test_determinism; print(test_determinism.digest_of_cases())"],
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


def test_the_rules_in_force_are_sorted_by_id() -> None:
    rules: list[dict[str, Any]] = [
        {**PERMIT, "id": "t.b"}, {**PERMIT, "id": "t.a", "valid": {"from": DAYS[3]}},
        {**PERMIT, "id": "t.a", "valid": {"from": DAYS[0], "to": DAYS[2]}},
    ]  # fmt: skip
    law = make_filter(make_pack_data(*rules), {})
    assert [rule.id for rule in law.rules] == ["common.audit", "t.a", "t.b"]
    assert law.rules[1].valid.end == DAYS[2]
