"""Decision coverage: a branch counts as exercised exactly if some case exercises it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sharing.law.cases import parse_cases
from sharing.law.cases.coverage import RuleCoverage, compute_percentage, measure_coverage
from sharing.law.cases.runs import CaseRun, run_cases_in_detail
from sharing.law.reading.pack_reader import parse_pack
from sharing.packs.library import find_law_by_code, list_shipped_pack_codes, load_common_rules, load_shipped_treaties
from tests.law.shipped import load_case_files
from tests.law.strategies import dump_yaml

PACK: dict[str, Any] = {
    "state": "CH", "version": "1", "title": "t", "disclaimer": "d", "consolidated_at": dt.date(2026, 1, 1),
    "maintainers": [], "treaty_preference": ["BUDAPEST"], "approvers": {"JUDGE": "A judge"},
    "assessments": [
        {"states": ["DE"], "date": dt.date(2020, 1, 1), "source": "test",
         "facts": {"mistreatment_risk": False, "persecution_risk": False}}
    ],
}  # fmt: skip
BASE = {
    "indicator": {
        "type": "mutex", "value": "x", "source": {"state": "CH", "agency": "a", "authority": "POLICE"},
        "form": "INFORMATION", "offence": {"codes": ["ILLEGAL_ACCESS"]}, "collection": "OPEN_SOURCE",
        "live_case_harm": False, "character": [], "secrecy_domain": False, "minor": False,
    },
    "recipient": "DE", "authority": "POLICE", "at": "2026-03-01T12:00:00Z",
}  # fmt: skip


def rule(effect: str, when: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": "ch.x", "citation": "art. 1", "nature": "statute", "paraphrase": "A rule.", "source": "S1",
        "verified": True, "valid": {"from": dt.date(2020, 1, 1)}, "when": when, "effect": effect, **fields,
    }  # fmt: skip


PERMIT = {**rule("PERMIT", {"form": ["INFORMATION", "EVIDENCE"]}), "id": "ch.permit"}


def measure(tested: dict[str, Any], *given: dict[str, Any], at: str | None = None) -> RuleCoverage:
    """Return the coverage of a rule by one case for each set of facts. A permission stands beside it."""
    text = dump_yaml({**PACK, "rules": [PERMIT, tested]})
    treaties = load_shipped_treaties()
    pack = parse_pack(text, "ch.yaml", treaties, load_common_rules())
    cases = [
        {"name": str(number), "rule": "ch.x", "kind": "decides", "given": facts, "expect": {"outcome": "WITHHOLD"},
         **({"at": at} if at else {})}
        for number, facts in enumerate(given)
    ]  # fmt: skip
    file = parse_cases(dump_yaml({"base": BASE, "cases": cases}), "ch.cases.yaml")
    _, runs = run_cases_in_detail(file, pack, treaties)
    (coverage,) = measure_coverage([next(each for each in pack.rules if each.id == "ch.x")], runs)
    return coverage


def covered(*arguments: Any, **options: Any) -> set[str]:
    return set(map(str, measure(*arguments, **options).covered))


def missing(*arguments: Any, **options: Any) -> set[str]:
    return set(map(str, measure(*arguments, **options).missing))


def unexercised(tested: dict[str, Any]) -> set[str]:
    """Return all branches of a rule: those that are missing while it is not in force."""
    return missing(tested, {}, at="2019-12-31T12:00:00Z")


SECRET = rule("DENY", {"secrecy_domain": True})
TEST = "test secrecy_domain is YES"


def test_a_rule_is_true_false_or_undecided() -> None:
    assert covered(SECRET, {"secrecy_domain": True}) == {"rule true", f"{TEST} true", "decisive"}
    assert covered(SECRET, {"secrecy_domain": False}) == {"rule false", f"{TEST} false"}
    assert covered(SECRET, {"secrecy_domain": None}) == {"rule undecided", "decisive"}
    every = [{"secrecy_domain": answer} for answer in (True, False, None)]
    assert missing(SECRET, *every) == set()
    assert missing(SECRET, *every[:2]) == {"rule undecided"}
    assert unexercised(SECRET) == {
        "rule true",
        "rule false",
        "rule undecided",
        f"{TEST} true",
        f"{TEST} false",
        "decisive",
    }


def test_each_test_is_true_and_false_whatever_the_others_are() -> None:
    both = rule("DENY", {"secrecy_domain": True, "form": "EVIDENCE"})
    assert covered(both, {"secrecy_domain": True}) == {"rule false", f"{TEST} true", "test form is EVIDENCE false"}


def test_each_alternative_is_true() -> None:
    either = rule("DENY", {"any_of": [{"secrecy_domain": True}, {"form": "EVIDENCE", "any_of": [{"minor": True}]}]})
    found = covered(either, {"secrecy_domain": True})
    assert "alternative (secrecy_domain is YES) true" in found
    assert missing(either, {"secrecy_domain": True}) >= {
        "alternative (form is EVIDENCE and one of: (minor is YES)) true", "alternative (minor is YES) true",
    }  # fmt: skip
    assert "alternative (minor is YES) true" in covered(either, {"minor": True})


CONDITION = rule("CONDITION", {}, needs={"condition": {"kind": "PURPOSE", "text": "So."}})
LIFTED = rule("DENY", {"secrecy_domain": True}, exception={"when": {"minor": True}, "approver": "JUDGE"})


@pytest.mark.parametrize(("minor", "answer"), [(True, "YES"), (False, "NO"), (None, "UNKNOWN")])
@pytest.mark.parametrize("secret", [True, None])
def test_an_exception_is_true_false_or_undecided_where_its_rule_matters(
    minor: bool | None, answer: str, secret: bool | None
) -> None:
    found = covered(LIFTED, {"secrecy_domain": secret, "minor": minor})
    assert {branch for branch in found if branch.startswith("exception")} == {f"exception {answer}"}
    assert ("decisive" in found) is (answer != "YES")
    in_exception = (
        {f"test in the exception: minor is YES {'true' if minor else 'false'}"} if minor is not None else set()
    )
    assert {branch for branch in found if "in the exception" in branch} == in_exception


def test_an_exception_of_a_rule_that_does_not_apply_is_not_exercised() -> None:
    assert covered(LIFTED, {"minor": True}) == {"rule false", f"{TEST} false"}
    assert {"exception YES", "exception NO", "exception UNKNOWN"} <= missing(LIFTED, {"minor": True})


@pytest.mark.parametrize(
    ("tested", "given", "is_decisive"),
    [
        (SECRET, {"secrecy_domain": True, "live_case_harm": True}, False),  # withheld anyway
        (rule("APPROVAL", {}, needs={"approver": "JUDGE"}), {}, True),
        (rule("APPROVAL", {}, needs={"approver": "JUDGE"}), {"live_case_harm": True}, False),
        (CONDITION, {"treaty_basis": "UNCAC"}, True),  # the outcome is the same: the condition is attached
        (rule("REDACT", {}, needs={"redact": ["summary"]}), {}, True),
        (rule("OBLIGE", {}), {}, True),
        (rule("PERMIT", {}), {}, False),  # another permission stands beside it
        (rule("PERMIT", {}), {"form": "EXISTENCE"}, True),
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_is_decisive_if_the_decision_is_another_one_without_it(
    tested: dict[str, Any], given: dict[str, Any], is_decisive: bool
) -> None:
    assert ("decisive" in covered(tested, given)) is is_decisive


def test_branches_that_cannot_exist_are_not_counted() -> None:
    assert unexercised(rule("RECORD", {})) == {"rule true"}
    assert unexercised(rule("RECORD", {"tlp": "RED"})) == {
        "rule true", "rule false", "test tlp is RED true", "test tlp is RED false",
    }  # fmt: skip
    every = ["INFORMATION", "EVIDENCE", "EXISTENCE"]
    assert unexercised(rule("RECORD", {"form": every})) == {
        "rule true", "rule undecided", "test form is EVIDENCE or EXISTENCE or INFORMATION true",
    }  # fmt: skip
    assert unexercised(rule("RECORD", {"form": {"not": every}})) == {
        "rule false", "rule undecided", "test form is not EVIDENCE or EXISTENCE or INFORMATION false",
    }  # fmt: skip
    empty_set = rule("RECORD", {"character": {"not": ["POLITICAL", "MILITARY", "RELIGIOUS", "RACIAL"]}})
    assert "rule true" in unexercised(empty_set)


def test_a_case_outside_the_days_of_a_rule_exercises_nothing() -> None:
    assert covered(SECRET, {"secrecy_domain": True}, at="2019-12-31T12:00:00Z") == set()
    assert covered(SECRET, {"secrecy_domain": True}, at="2020-01-01T12:00:00Z") != set()


def test_versions_of_a_rule_are_measured_apart() -> None:
    text = dump_yaml(
        {
            **PACK,
            "rules": [
                {**SECRET, "valid": {"from": dt.date(2020, 1, 1), "to": dt.date(2025, 12, 31)}},
                {**SECRET, "valid": {"from": dt.date(2026, 1, 1)}},
            ],
        }
    )
    treaties = load_shipped_treaties()
    pack = parse_pack(text, "ch.yaml", treaties, load_common_rules())
    cases = [{"name": "n", "rule": "ch.x", "kind": "decides", "expect": {"outcome": "WITHHOLD"}}]
    file = parse_cases(dump_yaml({"base": BASE, "cases": cases}), "ch.cases.yaml")
    _, runs = run_cases_in_detail(file, pack, treaties)
    earlier, later = measure_coverage([rule for rule in pack.rules if rule.id == "ch.x"], runs)
    assert not earlier.covered
    assert later.covered


def test_the_percentage_counts_branches() -> None:
    half = measure(SECRET, {"secrecy_domain": True})
    assert (len(half.covered), len(half.missing)) == (3, 3)
    assert compute_percentage([half]) == 50
    assert compute_percentage([half, measure(SECRET, *({"secrecy_domain": a} for a in (True, False, None)))]) == 75
    assert compute_percentage([]) == 100


@pytest.mark.parametrize("code", list_shipped_pack_codes())
def test_the_cases_of_a_shipped_pack_exercise_almost_every_branch(code: str) -> None:
    """Every rule is true, false and undecided, or lint says that it cannot be; the rest is shown by the command.

    An exception that only asks contradicts its rule, so it is never true where the rule holds; of the others, mutation
    shows that a case fails without them.
    """
    law = find_law_by_code(code)
    runs: list[CaseRun] = []
    for file in load_case_files(code).values():
        runs += run_cases_in_detail(file, law.pack, law.treaties)[1]
    coverage = measure_coverage([rule for rule in law.pack.rules if code == "CH" or not rule.is_common], runs)
    assert compute_percentage(coverage) >= 94
    for entry in coverage:
        kinds = {str(branch) for branch in entry.missing if "in the exception" not in str(branch)}
        kinds -= {"decisive", "rule true", "exception YES"}
        assert not any(kind.startswith(("rule", "alternative", "exception")) for kind in kinds), (entry.rule.id, kinds)
