"""The cases kill every mutant of the shipped packs, and the mutation run itself is correct."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from sharing.errors import PackError
from sharing.law.cases.runs import run_cases, run_cases_in_detail
from sharing.law.mutation import EquivalentMutants, is_killed, is_refused, make_mutants, parse_equivalents, score_rules
from sharing.model.vocabulary import Effect
from sharing.packs.library import Law, find_law_by_code, list_shipped_pack_codes, load_common_rules
from tests.law.mutation import equivalent_mutants, score_pack
from tests.law.shipped import load_case_files

if TYPE_CHECKING:
    from sharing.law.pack import Rule

NONE_LISTED = EquivalentMutants()


@pytest.mark.parametrize("code", list_shipped_pack_codes())
def test_the_cases_of_a_pack_kill_every_mutant(code: str) -> None:
    score = score_pack(code)
    assert (score.unexplained, score.stale) == ([], [])
    assert score.is_passed


def test_every_listed_equivalent_mutant_is_of_a_shipped_rule() -> None:
    """An entry for a rule that no pack contains would not be reported as stale."""
    ids = {rule.id for rule in load_common_rules().rules}
    ids |= {rule.id for code in list_shipped_pack_codes() for rule in find_law_by_code(code).pack.rules}
    assert {rule.partition(" from ")[0] for rule, _ in equivalent_mutants().reasons} <= ids


# --- Mutants ---


@cache
def load_law(code: str) -> Law:
    return find_law_by_code(code)


def rule(rule_id: str) -> Rule:
    return next(rule for rule in load_law(rule_id[:2].upper()).pack.rules if rule.id == rule_id)


def changes_of(rule_id: str) -> set[str]:
    law = load_law(rule_id[:2].upper())
    return {mutant.change for mutant in make_mutants(rule(rule_id), law.pack, law.treaties)}


def test_a_prohibition_is_mutated_in_each_part() -> None:
    assert changes_of("us.usc-26-6103") == {
        "removed", "effect PERMIT", "effect OBLIGE", "effect RECORD", "from a day earlier", "from a day later",
        "when collection removed", "when collection negated", "when collection with CONTENT_DATA",
    }  # fmt: skip


def test_a_permission_is_extended_by_each_value() -> None:
    extended = {change for change in changes_of("us.frcrp-6-e-3-e-iv") if " with " in change}
    assert {change for change in extended if "purpose" in change} == {
        f"when purpose with {purpose}" for purpose in ("DETECTION", "EXECUTION", "PREVENTION", "PUBLIC_SECURITY")
    }
    assert "when collection with INTERCEPTION" in extended
    assert "when findings.foreign_law_violation with NO" in extended
    assert "when purpose without INVESTIGATION" in changes_of("us.frcrp-6-e-3-e-iv")


def test_effect_parameters_alternatives_numbers_and_last_days_are_mutated() -> None:
    assert {"condition removed", "condition text", "condition kind CONFIDENTIALITY"} <= changes_of(
        "us.usc-18-2517-7.use"
    )
    assert "approver ATTORNEY_FOR_THE_GOVERNMENT" in changes_of("us.frcrp-6-e-3-e-iv.order")
    assert {"when any_of.0 removed", "when any_of removed", "when any_of.1.origin.state negated"} <= changes_of(
        "us.third-party.origin"
    )
    assert {"to a day earlier", "to a day later", "to removed"} <= changes_of("de.irg-92c")
    years = "when offence.max_penalty_years"
    assert {f"{years} 2", f"{years} 4", f"{years} negated"} <= changes_of("fr.cpp-695-9-38")


def test_a_rule_is_mutated_where_its_instrument_covers_nothing() -> None:
    """Where treaties were not looked up, the test on the instrument is undecided, and a case can tell this apart."""
    assert {
        "when source.authority with COURT", "when source.authority removed",
        "when findings.customs_infringement with NO",
    } <= changes_of("de.naples-17")  # fmt: skip


def test_no_recipient_without_a_competent_authority_is_added_to_a_rule_of_a_state() -> None:
    """A rule of the bus withholds there anyway."""
    assert not any(change.endswith("recipient.authority with NONE") for change in changes_of("de.naples-17"))
    law = load_law("CH")
    common = next(rule for rule in law.pack.rules if rule.id == "common.authority-known")
    assert any("recipient.authority" in mutant.change for mutant in make_mutants(common, law.pack, law.treaties))


def test_no_instrument_that_does_not_bind_the_state_is_added() -> None:
    """It never covers an item."""
    law = load_law("US")
    binding = {name for name, entry in law.treaties.instruments.items() if "US" in entry.parties} | {
        *law.pack.bilateral
    }
    changes = {mutant.change for rule in law.pack.rules for mutant in make_mutants(rule, law.pack, law.treaties)}
    added = {change.rpartition(" ")[2] for change in changes if "recipient.treaties with " in change}
    assert added <= binding


@pytest.mark.parametrize("code", list_shipped_pack_codes())
def test_each_change_of_a_rule_has_its_own_description(code: str) -> None:
    law = load_law(code)
    for each in law.pack.rules:
        changes = Counter(mutant.change for mutant in make_mutants(each, law.pack, law.treaties))
        assert max(changes.values()) == 1, each.id


@pytest.mark.parametrize("code", ["CH", "US"])
def test_a_mutant_is_killed_exactly_if_a_mutated_pack_fails(code: str) -> None:
    """For speed the mutation run combines rule results again; here the mutated packs are built and their cases run."""
    law = find_law_by_code(code)
    file = load_case_files(code)[f"{code.lower()}.yaml"]
    pack, runs = run_cases_in_detail(file, law.pack, law.treaties)
    own_rules = [rule for rule in pack.rules if not rule.is_common]
    mutants = [mutant for rule in own_rules for mutant in make_mutants(rule, pack, law.treaties)]
    for mutant in mutants[:: len(mutants) // 20]:
        if mutant.rule is not None:
            rules = tuple(mutant.rule if rule is mutant.original else rule for rule in pack.rules)
            results = run_cases(file, replace(pack, rules=rules), law.treaties)
            failed = {result.case.name for result in results if result.differences}
            assert {run.case.name for run in runs if is_killed(mutant, run)} == failed, mutant.change


@pytest.mark.parametrize("code", list_shipped_pack_codes())
def test_a_case_run_in_detail_has_the_decision_of_the_case(code: str) -> None:
    law = load_law(code)
    for file in load_case_files(code).values():
        _, runs = run_cases_in_detail(file, law.pack, law.treaties)
        for run, result in zip(runs, run_cases(file, law.pack, law.treaties), strict=True):
            assert run.decide(run.results.values()) == result.decision
            assert (run.case, run.line) == (result.case, result.line)


# --- Score ---


def test_without_its_cases_the_mutants_of_a_rule_survive() -> None:
    law, file = load_law("US"), load_case_files("US")["us.yaml"]
    fewer = replace(file, cases=tuple(case for case in file.cases if case.rule != "us.usc-18-2517-7"))
    score = score_rules(law.pack, law.treaties, [fewer], equivalent_mutants())
    assert not score.is_passed
    assert any(rule == "us.usc-18-2517-7" for rule, _ in score.unexplained)


def test_a_listed_mutant_that_is_killed_is_reported() -> None:
    stale = {("us.usc-26-6103", "removed"): "reason", ("us.usc-26-6103", "no such"): "reason"}
    extended = replace(equivalent_mutants(), reasons={**equivalent_mutants().reasons, **stale})
    law = load_law("US")
    score = score_rules(law.pack, law.treaties, list(load_case_files("US").values()), extended)
    assert not score.is_passed
    assert score.stale == [("us.usc-26-6103", "no such"), ("us.usc-26-6103", "removed")]


def test_without_the_list_its_mutants_are_to_be_corrected() -> None:
    law = load_law("JP")
    score = score_rules(law.pack, law.treaties, list(load_case_files("JP").values()), NONE_LISTED)
    assert set(score.unexplained) == set(equivalent_mutants().select(score.rules))
    assert not score.is_passed


def test_a_pack_whose_cases_fail_is_not_mutated() -> None:
    law, file = load_law("US"), load_case_files("US")["us.yaml"]
    changed = replace(law.pack, rules=tuple(replace(rule, effect=Effect.DENY) for rule in law.pack.rules))
    with pytest.raises(PackError, match=r"us\.cases\.yaml:\d+: the case '.*' fails"):
        score_rules(changed, law.treaties, [file], NONE_LISTED)
    with pytest.raises(PackError, match="has no cases"):
        score_rules(law.pack, law.treaties, [], NONE_LISTED)


def test_mutants_with_overlapping_versions_are_refused() -> None:
    law = load_law("US")
    first = rule("us.usc-26-6103")
    earlier = replace(first, valid=replace(first.valid, start=dt.date(1990, 1, 1), end=dt.date(2003, 1, 23)))
    pack = replace(law.pack, rules=(*law.pack.rules, earlier))
    refused = {m.change: is_refused(m, pack) for m in make_mutants(first, pack, law.treaties)}
    assert refused["from a day earlier"]
    assert not refused["from a day later"]
    assert not refused["removed"]


# --- The list of equivalent mutants ---


def entry(**changes: str) -> str:
    fields = {"rule": "at.example-1", "changes": "[removed, effect RECORD]", "reason": "Because.", **changes}
    return "  - " + "\n    ".join(f"{name}: {value}" for name, value in fields.items() if value) + "\n"


def test_a_list_of_equivalent_mutants_is_read() -> None:
    listed = parse_equivalents("equivalent:\n" + entry() + entry(rule="at.example-2", changes="[removed]"), "e.yaml")
    assert listed.reasons == {
        ("at.example-1", "removed"): "Because.",
        ("at.example-1", "effect RECORD"): "Because.",
        ("at.example-2", "removed"): "Because.",
    }
    assert list(listed.select({"at.example-2"})) == [("at.example-2", "removed")]
    listed.require_known({"at.example-1", "at.example-2"})
    with pytest.raises(
        PackError, match=r"e\.yaml:5: .*no pack has a rule 'at\.example-2'; did you mean 'at.example-1'"
    ):
        listed.require_known({"at.example-1"})
    assert NONE_LISTED.select({"at.example-1"}) == {}
    NONE_LISTED.require_known(set())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (entry(reason=""), r"e\.yaml:2: equivalent\.0\.reason: is missing"),
        (entry(reason='""'), r"equivalent\.0\.reason: must not be empty"),
        (entry(changes="[]"), r"equivalent\.0\.changes: must not be empty"),
        (entry(why="Because."), r"equivalent\.0\.why: unknown field"),
        (entry() + entry(), r"e\.yaml:\d+: equivalent\.1\.changes: 'removed' is listed twice for this rule"),
    ],
)
def test_a_list_that_cannot_be_understood_is_refused(text: str, message: str) -> None:
    with pytest.raises(PackError, match=message):
        parse_equivalents("equivalent:\n" + text, "e.yaml")
