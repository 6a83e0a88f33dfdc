"""The cases notice when a pack goes wrong, and the run that says so can be believed."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sharing.law.cases import run_cases
from sharing.packs.library import Law, common_rules, find_pack, shipped_packs
from tests.law import mutation
from tests.law.mutants import mutants_of
from tests.law.mutation import examine, lines, listed, main, tally
from tests.law.shipped import case_files

if TYPE_CHECKING:
    from sharing.law.pack import Rule


@pytest.mark.parametrize("code", shipped_packs())
def test_a_case_notices_every_slip_in_a_pack(code: str) -> None:
    found = examine(code)
    assert found.ok, "\n".join(lines([found]))


def test_everything_that_is_listed_as_equivalent_is_about_a_rule_that_is_shipped() -> None:
    """What no pack has any more, no tally would tell as stale."""
    ids = {rule.id for rule in common_rules().rules}
    ids |= {rule.id for code in shipped_packs() for rule in find_pack(code).pack.rules}
    assert {rule.partition(" from ")[0] for rule, _ in listed()} <= ids


# --- The slips ---


@cache
def law_of(code: str) -> Law:
    return find_pack(code)


def rule(rule_id: str) -> Rule:
    return next(rule for rule in law_of(rule_id[:2].upper()).pack.rules if rule.id == rule_id)


def changes(rule_id: str) -> set[str]:
    law = law_of(rule_id[:2].upper())
    return {mutant.change for mutant in mutants_of(rule(rule_id), law.pack, law.treaties)}


def test_a_prohibition_is_changed_in_each_of_its_parts() -> None:
    assert changes("us.usc-26-6103") == {
        "removed", "effect PERMIT", "effect OBLIGE", "effect RECORD", "from a day earlier", "from a day later",
        "when collection removed", "when collection negated", "when collection with CONTENT_DATA",
    }  # fmt: skip


def test_a_permission_is_widened_by_each_value() -> None:
    widened = {change for change in changes("us.frcrp-6-e-3-e-iv") if " with " in change}
    assert {change for change in widened if "purpose" in change} == {
        f"when purpose with {purpose}" for purpose in ("DETECTION", "EXECUTION", "PREVENTION", "PUBLIC_SECURITY")
    }
    assert "when collection with INTERCEPTION" in widened
    assert "when findings.foreign_law_violation with NO" in widened
    assert "when purpose without INVESTIGATION" in changes("us.frcrp-6-e-3-e-iv")


def test_needs_alternatives_numbers_and_last_days_are_changed() -> None:
    assert {"condition removed", "condition text", "condition kind CONFIDENTIALITY"} <= changes("us.usc-18-2517-7.use")
    assert "approver ATTORNEY_FOR_THE_GOVERNMENT" in changes("us.frcrp-6-e-3-e-iv.order")
    assert {"when any_of.0 removed", "when any_of removed", "when any_of.1.origin.state negated"} <= changes(
        "us.third-party.origin"
    )
    assert {"to a day earlier", "to a day later", "to removed"} <= changes("de.irg-92c")
    years = "when offence.max_penalty_years"
    assert {f"{years} 2", f"{years} 4", f"{years} negated"} <= changes("fr.cpp-695-9-38")


@pytest.mark.parametrize("code", ["CH", "US"])
def test_what_is_worked_out_for_a_slip_is_what_a_pack_with_it_does(code: str) -> None:
    """The run works on findings, not on packs, to be fast; here packs are made, and their cases run."""
    law = find_pack(code)
    file = case_files(code)[f"{code.lower()}.yaml"]
    pack, tried = mutation.try_cases(law, file)
    own = [one for one in pack.rules if not one.id.startswith("common.")]
    mutants = [mutant for one in own for mutant in mutants_of(one, pack, law.treaties)]
    for mutant in mutants[:: len(mutants) // 20]:
        if mutant.rule is not None:
            rules = tuple(mutant.rule if one is mutant.original else one for one in pack.rules)
            failed = {r.case.name for r in run_cases(file, replace(pack, rules=rules), law.treaties) if r.differences}
            assert {one.case.name for one in tried if one.notices(mutant)} == failed, mutant.change


# --- The run ---


def test_without_its_cases_the_slips_of_a_rule_survive() -> None:
    law, file = law_of("US"), case_files("US")["us.yaml"]
    fewer = replace(file, cases=tuple(case for case in file.cases if case.rule != "us.usc-18-2517-7"))
    found = tally("US", law, [fewer])
    assert not found.ok
    assert ("us.usc-18-2517-7", "when collection with FIU_REPORT") in found.unexplained
    assert any("NO CASE NOTICES" in line for line in lines([found]))


def test_a_slip_that_is_listed_and_killed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {**listed(), ("us.usc-26-6103", "removed"): "said", ("us.usc-26-6103", "no such"): "said"}
    monkeypatch.setattr(mutation, "listed", lambda: more)
    found = examine("US")
    assert not found.ok
    assert found.stale == [("us.usc-26-6103", "no such"), ("us.usc-26-6103", "removed")]


def test_two_versions_of_a_rule_on_one_day_are_refused() -> None:
    law = law_of("US")
    first = rule("us.usc-26-6103")
    earlier = replace(first, valid=replace(first.valid, start=dt.date(1990, 1, 1), end=dt.date(2003, 1, 23)))
    pack = replace(law.pack, rules=(*law.pack.rules, earlier))
    found = {m.change: mutation.refused(m, pack) for m in mutants_of(first, pack, law.treaties)}
    assert found["from a day earlier"]
    assert not found["from a day later"]
    assert not found["removed"]


def test_the_table_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
