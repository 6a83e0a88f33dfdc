"""The cases kill every mutant of the shipped packs, and the mutation run itself is correct."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sharing.law.cases import run_cases
from sharing.packs.library import Law, find_law_by_code, list_shipped_pack_codes, load_common_rules
from tests.law import mutation
from tests.law.mutants import make_mutants
from tests.law.mutation import equivalent_mutants, format_report, main, score_pack, score_rules
from tests.law.shipped import load_case_files

if TYPE_CHECKING:
    from sharing.law.pack import Rule


@pytest.mark.parametrize("code", list_shipped_pack_codes())
def test_the_cases_of_a_pack_kill_every_mutant(code: str) -> None:
    score = score_pack(code)
    assert score.is_passed, "\n".join(format_report([score]))


def test_every_listed_equivalent_mutant_is_of_a_shipped_rule() -> None:
    """An entry for a rule that no pack contains would not be reported as stale."""
    ids = {rule.id for rule in load_common_rules().rules}
    ids |= {rule.id for code in list_shipped_pack_codes() for rule in find_law_by_code(code).pack.rules}
    assert {rule.partition(" from ")[0] for rule, _ in equivalent_mutants()} <= ids


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


@pytest.mark.parametrize("code", ["CH", "US"])
def test_a_mutant_is_killed_exactly_if_a_mutated_pack_fails(code: str) -> None:
    """For speed the mutation run combines rule results again; here the mutated packs are built and their cases run."""
    law = find_law_by_code(code)
    file = load_case_files(code)[f"{code.lower()}.yaml"]
    pack, runs = mutation.run_unchanged(law, file)
    own_rules = [rule for rule in pack.rules if not rule.id.startswith("common.")]
    mutants = [mutant for rule in own_rules for mutant in make_mutants(rule, pack, law.treaties)]
    for mutant in mutants[:: len(mutants) // 20]:
        if mutant.rule is not None:
            rules = tuple(mutant.rule if rule is mutant.original else rule for rule in pack.rules)
            results = run_cases(file, replace(pack, rules=rules), law.treaties)
            failed = {result.case.name for result in results if result.differences}
            assert {run.case.name for run in runs if run.kills(mutant)} == failed, mutant.change


# --- Report ---


def test_without_its_cases_the_mutants_of_a_rule_survive() -> None:
    law, file = load_law("US"), load_case_files("US")["us.yaml"]
    fewer = replace(file, cases=tuple(case for case in file.cases if case.rule != "us.usc-18-2517-7"))
    score = score_rules("US", law, [fewer])
    assert not score.is_passed
    assert ("us.usc-18-2517-7", "when collection with FIU_REPORT") in score.unexplained
    assert any("NO CASE FAILS" in line for line in format_report([score]))


def test_a_listed_mutant_that_is_killed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = {("us.usc-26-6103", "removed"): "reason", ("us.usc-26-6103", "no such"): "reason"}
    extended = {**equivalent_mutants(), **stale}
    monkeypatch.setattr(mutation, "equivalent_mutants", lambda: extended)
    score = score_pack("US")
    assert not score.is_passed
    assert score.stale == [("us.usc-26-6103", "no such"), ("us.usc-26-6103", "removed")]


def test_mutants_with_overlapping_versions_are_refused() -> None:
    law = load_law("US")
    first = rule("us.usc-26-6103")
    earlier = replace(first, valid=replace(first.valid, start=dt.date(1990, 1, 1), end=dt.date(2003, 1, 23)))
    pack = replace(law.pack, rules=(*law.pack.rules, earlier))
    refused = {m.change: mutation.is_refused(m, pack) for m in make_mutants(first, pack, law.treaties)}
    assert refused["from a day earlier"]
    assert not refused["from a day later"]
    assert not refused["removed"]


def test_the_report_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jp", "--json", str(tmp_path / "table.json")]) == 0
    (row,) = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert row["pack"] == "JP"
    assert row["killed"] + len(row["survivors"]) == row["mutants"]
    assert all(survivor["reason"] for survivor in row["survivors"])
    printed = capsys.readouterr().out
    assert f"JP {row['mutants']}" in " ".join(printed.split())
    with pytest.raises(SystemExit) as end:
        main(["QQ"])
    assert end.value.code == 2
