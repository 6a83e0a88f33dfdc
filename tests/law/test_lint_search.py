"""Lint's search agrees with brute force, and what it shows can occur: through the engine, which it does not use."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.facts import FACTS, FactScope
from sharing.law.filter import DisclosureFilter
from sharing.law.lint import Combination, LintCode, LintFinding, LintSeverity, Subject, lint_pack
from sharing.law.lint.examination import examine
from sharing.law.lint.findings import LintLocation
from sharing.law.lint.shadowed import How, find_shadowed
from sharing.law.lint.unreachable import find_unreachable
from sharing.law.pack import Pack
from sharing.law.pack_reader import parse_pack
from sharing.law.treaties import TreatyTable
from sharing.model.indicator import Indicator
from sharing.model.values import VALUE_TYPES
from sharing.packs.library import common_rules, pack_files, read_cases, read_law, read_text
from sharing.yaml_source import read_yaml
from tests.law.lint_brute import enumerate_all
from tests.law.strategies import COMMONS, TREATIES, dump, packs, searched

COMMON = len(COMMONS["small"].rules)
DAY = dt.date(2026, 11, 25)

# Each group of facts is small enough to be listed whole.
GROUPS = (
    ("form", "personal_data", "recipient.eu", "treaty_basis"),
    ("form", "offence.max_penalty_years", "recipient.named"),
    ("origin.state", "origin.foreign", "origin.consent", "collection"),
    ("grading.source", "grading.information", "recipient.adequacy"),
    ("offence.codes", "recipient.dual_criminality", "personal_data"),
    ("handling", "recipient.authority", "tlp"),
    ("recipient.treaties", "recipient.state", "condition_model", "urgency"),
)


@given(st.data())
@settings(parent=searched(0.06), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_search_agrees_with_brute_force(data: st.DataObject) -> None:
    text = dump(data.draw(packs(data.draw(st.sampled_from(GROUPS)))))
    treaties = TREATIES["small"]
    pack = parse_pack(text, "ch.yaml", treaties, COMMONS["small"])
    searched_pack = examine(pack, treaties, COMMON)
    brute = enumerate_all(pack, treaties)
    for number, rule in enumerate(pack.rules):
        seen = brute.seen(number)
        assert bool(searched_pack.holds[number]) is (True in seen), rule
        assert bool(searched_pack.undecided[number]) is (None in seen), rule
        for cube, held in (
            *((cube, True) for cube in searched_pack.holds[number]),
            *((cube, None) for cube in searched_pack.undecided[number]),
        ):
            shown = searched_pack.show(cube, number)
            assert rule.valid.holds(shown.day)
            assert rule.when.evaluate(shown.facts) is held
    place = LintLocation(read_yaml(text, "ch.yaml"), COMMON)
    shadowed = {}
    for finding in find_shadowed(searched_pack, place):
        if finding.code is LintCode.SHADOWED:
            (how,) = (how for how in How if told_as(how, finding.sentence))
            shadowed[number_of(finding, place, pack)] = how.name
    assert shadowed == brute.shadowed(COMMON)
    unreachable = {number_of(one, place, pack) for one in find_unreachable(searched_pack, place) if is_whole(one)}
    assert unreachable == {n for n in range(COMMON, len(pack.rules)) if True not in brute.seen(n)}


def told_as(how: How, sentence: str) -> bool:
    before, after = how.value.split("{}")
    return sentence.startswith(before) and sentence.endswith(after)


def is_whole(finding: LintFinding) -> bool:
    return "alternative" not in finding.sentence


def number_of(finding: LintFinding, place: LintLocation, pack: Pack) -> int:
    """Return which rule a finding is about: the last that begins at its line or above."""
    lines = [place.document.line(("rules", index)) for index in range(len(pack.rules) - COMMON)]
    return COMMON + max(index for index, line in enumerate(lines) if line <= finding.line)


# --- What is shown can occur ---


def shipped(place: Any) -> tuple[Pack, TreatyTable, list[LintFinding]]:
    law = read_law(place)
    subject = Subject(law.pack, read_yaml(read_text(place), place.name), read_cases(place), len(common_rules().rules))
    return law.pack, law.treaties, lint_pack(subject, law.treaties, DAY)


@pytest.mark.parametrize("place", [pytest.param(place, id=place.name) for place in pack_files()])
def test_shipped_packs_have_no_errors_and_every_combination_shown_is_real(place: Any) -> None:
    pack, treaties, found = shipped(place)
    assert [one for one in found if one.severity is LintSeverity.ERROR] == []
    shown = [one for one in found if one.combination is not None and not pack.is_template]
    for one in shown:
        assert one.combination is not None
        is_real(one.combination, pack, treaties)
        held = {
            rule.when.evaluate(one.combination.facts)
            for rule in pack.rules_on(one.combination.day)
            if rule.id == one.rule
        }
        assert held == ({None} if one.code is LintCode.ONLY_UNDECIDED else {True}), one


def is_real(combination: Combination, pack: Pack, treaties: TreatyTable) -> None:
    """Check that a record, a directory and a day have exactly these facts."""
    facts = combination.facts
    now_ms = int(dt.datetime.combine(combination.day, dt.time(12), dt.UTC).timestamp() * 1000)
    authority = facts.get("recipient.authority") or "UNKNOWN"
    law = DisclosureFilter(pack, treaties, combination.day, {combination.state: str(authority)})
    record = Indicator.read(item(facts, pack.state)).to_wire()
    codes = facts.get("offence.codes")
    recipient = law.profile(combination.state, codes, named=facts.get("recipient.named") == "YES").facts
    for name, value in facts.items():
        fact = FACTS[name]
        if fact.scope is FactScope.INDICATOR:
            assert fact.read is not None
            assert fact.interpret(fact.read(record, now_ms)) == value, name
        elif name in combination.told or name == "condition_model":
            assert recipient[name] == value, name


def item(facts: Any, state: str) -> dict[str, Any]:
    """Return an indicator, as JSON gives it, that has these facts."""
    data: dict[str, Any] = {
        "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "version": 2, "reason": "r", "value": "x", "handling_text": "t",
        "source": {"state": state, "agency": "a"}, "offence": {}, "grading": {}, "origin": {}, "findings": {},
    }  # fmt: skip
    for name, value in facts.items():
        if FACTS[name].scope is not FactScope.INDICATOR or name == "origin.foreign" or value is None:
            continue
        plain = (
            sorted(value)
            if isinstance(value, frozenset)
            else None
            if value == "NONE" and name != "subject_class"
            else value
        )
        plain = {"YES": True, "NO": False}.get(plain, plain) if isinstance(plain, str) else plain
        if name == "retention_expired":
            data["retain_until"] = "1971-01-01T00:00:00Z" if plain else None
            continue
        first, _, rest = name.partition(".")
        if rest:
            data[first][rest] = round(value) if isinstance(value, float) and name == "grading.information" else plain
        else:
            data[first] = plain
    data["type"] = data.get("type", "mutex")
    data["value"] = VALUE_TYPES[data["type"]].example
    return data
