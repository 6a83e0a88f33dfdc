"""Two approvals: how a pack asks for them, what a decision then needs, and where it is shown."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sharing.errors import PackError
from sharing.law.authorities import list_sole_authorities
from sharing.law.cases import parse_cases
from sharing.law.cases.runs import run_cases
from sharing.law.comparison import compare_laws
from sharing.law.comparison.differences import Difference, DifferenceKind, LawVersion
from sharing.law.explanation import Explanation, explain_outcomes
from sharing.law.filter import DisclosureFilter
from sharing.law.mutation import make_mutants
from sharing.law.pack import Pack
from sharing.law.rehearsal import Rehearsal, TermAspect
from sharing.model.decision import RecipientDecision
from sharing.model.indicator import Indicator
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import Outcome, RelevanceKind
from sharing.packs.library import load_shipped_treaties
from sharing.relevance.audience import Audience
from tests.processors.gate.gate_fixtures import NOW_MS, PACK, indicator_form, make_pack

APPROVAL = "effect: APPROVAL, needs: {approver: JUDGE}"
TWO = PACK.replace(APPROVAL, "effect: APPROVAL, needs: {approver: JUDGE, approvals: 2}")
assert TWO != PACK
HELD: dict[str, Any] = {"collection": "INTERCEPTION"}
AUDIENCE = Audience([("FR", (Reason(RelevanceKind.NEXUS_STATED, "r"),))])


def open_filter(text: str) -> DisclosureFilter:
    authorities = list_sole_authorities({"FR": "POLICE"})
    return DisclosureFilter(make_pack(text), load_shipped_treaties(), to_utc_day(NOW_MS), authorities)


def write(**changes: Any) -> dict[str, Any]:
    record: dict[str, Any] = Indicator.parse(indicator_form(1, **changes)).to_record()
    return record


def decide(text: str, **changes: Any) -> RecipientDecision:
    (decision,) = open_filter(text).decide(write(**changes), AUDIENCE, NOW_MS).recipients
    return decision


def add_rule(text: str, effect: str, when: str = "{collection: INTERCEPTION}", rule_id: str = "ch.more") -> str:
    return (
        f"{text}  - {{id: {rule_id}, citation: art. 9, paraphrase: p, source: K, verified: false, "
        f"valid: {{from: 2020-01-01}},\n     nature: statute, when: {when}, {effect}}}\n"
    )


# --- How a pack asks ---


def find_approvals(pack: Pack, rule_id: str) -> int:
    (rule,) = (rule for rule in pack.rules if rule.id == rule_id)
    return rule.asked_approvals


@pytest.mark.parametrize(("written", "number"), [("", 1), (", approvals: 1", 1), (", approvals: 2", 2)])
def test_a_rule_asks_for_one_approval_unless_it_says_two(written: str, number: int) -> None:
    text = PACK.replace(APPROVAL, f"effect: APPROVAL, needs: {{approver: JUDGE{written}}}")
    assert find_approvals(make_pack(text), "ch.approval") == number
    exception = f"effect: DENY, exception: {{when: {{minor: true}}, approver: JUDGE{written}}}"
    assert find_approvals(make_pack(add_rule(PACK, exception)), "ch.more") == number


@pytest.mark.parametrize("written", ["0", "3", "-1", "true", "two", '"2"', "2.0", "null", "[2]", "0x2"])
def test_any_other_number_is_refused(written: str) -> None:
    for text, key in (
        (PACK.replace(APPROVAL, f"effect: APPROVAL, needs: {{approver: JUDGE, approvals: {written}}}"), r"needs"),
        (
            add_rule(
                PACK, f"effect: DENY, exception: {{when: {{minor: true}}, approver: JUDGE, approvals: {written}}}"
            ),
            r"exception",
        ),
    ):
        with pytest.raises(PackError, match=rf"^ch\.yaml:\d+: rules\.\d\.{key}\.approvals: must be 1 or 2: [^\n]*$"):
            make_pack(text)


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("effect", ["PERMIT", "DENY", "OBLIGE", "RECORD"])
def test_a_rule_that_asks_nobody_says_no_number(effect: str, number: int) -> None:
    with pytest.raises(
        PackError, match=rf"needs\.approvals: effect {effect} must not have approvals \(rule ch\.more\)"
    ):
        make_pack(add_rule(PACK, f"effect: {effect}, needs: {{approvals: {number}}}"))


def test_an_approval_without_a_role_is_refused_also_with_a_number() -> None:
    with pytest.raises(PackError, match="effect APPROVAL needs approver"):
        make_pack(PACK.replace(APPROVAL, "effect: APPROVAL, needs: {approvals: 2}"))


# --- What a decision needs ---


def test_a_decision_needs_two_where_the_rule_asks_for_two() -> None:
    assert (decide(PACK, **HELD).outcome, decide(PACK, **HELD).approvals) == (Outcome.HOLD, 1)
    assert (decide(TWO, **HELD).outcome, decide(TWO, **HELD).approvals) == (Outcome.HOLD, 2)
    assert decide(TWO, collection="OPEN_SOURCE").approvals is None


def test_two_are_needed_where_any_rule_that_asks_asks_for_two() -> None:
    """The decision names the role of one rule; it must not make do with fewer officers for that."""
    roles = PACK.replace("approvers: {JUDGE: A judge}", "approvers: {JUDGE: A judge, MINISTER: A minister}")
    both = add_rule(roles, "effect: APPROVAL, needs: {approver: MINISTER, approvals: 2}")
    assert (decide(both, **HELD).approver, decide(both, **HELD).approvals) == ("JUDGE", 2)
    apart = add_rule(roles, "effect: APPROVAL, needs: {approver: MINISTER, approvals: 2}", "{collection: OPEN_SOURCE}")
    assert decide(apart, **HELD).approvals == 1


def test_an_exception_that_is_unknown_asks_for_two() -> None:
    text = add_rule(
        PACK, "effect: DENY, exception: {when: {minor: true}, approver: JUDGE, approvals: 2}",
        "{collection: OPEN_SOURCE}",
    )  # fmt: skip
    unknown, lifted = (decide(text, collection="OPEN_SOURCE", minor=minor) for minor in (None, True))
    assert (unknown.outcome, unknown.approver, unknown.approvals) == (Outcome.HOLD, "JUDGE", 2)
    assert (lifted.outcome is Outcome.HOLD, lifted.approvals) == (False, None)


# --- Cases ---

CASES = """\
base:
  indicator:
    type: domain-name
    value: malware.example.org
    source: {state: CH, agency: Police, authority: POLICE}
    form: INFORMATION
    offence: {codes: [ILLEGAL_ACCESS]}
    collection: INTERCEPTION
    live_case_harm: false
    character: []
    nexus: [{state: FR, reason: r}]
  recipient: FR
  authority: POLICE
  at: 2026-03-01T12:00:00Z
cases:
  - {name: n, rule: ch.approval, kind: decides, expect: {outcome: HOLD, approver: JUDGE%s}}
"""


def run_case(text: str, written: str) -> tuple[str, ...]:
    results = run_cases(parse_cases(CASES % written, "ch.cases.yaml"), make_pack(text), load_shipped_treaties())
    (result,) = results
    return tuple(result.differences)


def test_a_case_says_how_many_approve_and_one_if_it_says_nothing() -> None:
    assert run_case(PACK, "") == run_case(PACK, ", approvals: 1") == run_case(TWO, ", approvals: 2") == ()
    assert run_case(TWO, "") == ("approvals: expected 1, got 2",)
    assert run_case(PACK, ", approvals: 2") == ("approvals: expected 2, got 1",)
    with pytest.raises(PackError, match="approvals: must be 1 or 2"):
        run_case(PACK, ", approvals: 3")


def test_each_number_has_a_mutant() -> None:
    for text, mutated in ((PACK, 2), (TWO, 1)):
        pack = make_pack(text)
        (rule,) = (rule for rule in pack.rules if rule.id == "ch.approval")
        mutants = {each.change: each.rule for each in make_mutants(rule, pack, load_shipped_treaties())}
        changed = mutants[f"approvals {mutated}"]
        assert changed is not None
        assert changed.approvals == mutated


# --- Where it is shown ---


def explain(text: str) -> Explanation:
    (explained,) = explain_outcomes(open_filter(text), write(**HELD), AUDIENCE, NOW_MS)
    return explained


def test_an_explanation_says_how_many_must_approve() -> None:
    one, two = explain(PACK), explain(TWO)
    assert (one.sentence, one.human) == ("held for FR until JUDGE approves.", "Approval by A judge")
    assert two.sentence == "held for FR until two officers with the role JUDGE approve."
    assert two.human == "Approval by A judge, and by a second officer with that role"


def compare(old: str, new: str) -> tuple[list[Difference], list[Difference]]:
    treaties = load_shipped_treaties()
    laws = [LawVersion(make_pack(text), treaties) for text in (old, new)]
    comparison = compare_laws(laws[0], laws[1], dt.date(2026, 3, 1))
    return list(comparison.opens), list(comparison.closes)


def test_a_comparison_shows_another_number_and_nothing_else() -> None:
    opens, closes = compare(TWO, PACK)
    assert [(one.kind, one.was, one.is_, one.rules) for one in opens] == [
        (DifferenceKind.APPROVALS, Outcome.HOLD, Outcome.HOLD, ("ch.approval",))
    ]
    assert closes == []
    opens, closes = compare(PACK, TWO)
    assert (opens, [one.kind for one in closes]) == ([], [DifferenceKind.APPROVALS])
    assert compare(TWO, TWO) == ([], [])


def test_a_rule_that_asks_for_two_as_well_changes_nothing() -> None:
    """Where another rule asks for two already, nothing is opened by one that asks for one."""
    before = add_rule(TWO, "effect: APPROVAL, needs: {approver: JUDGE, approvals: 2}")
    after = add_rule(TWO, "effect: APPROVAL, needs: {approver: JUDGE}")
    assert compare(before, after) == ([], [])


def test_a_rehearsal_counts_another_number() -> None:
    rehearsal = Rehearsal(open_filter(PACK), open_filter(TWO), 3)
    rehearsal.replay_item(write(**HELD), AUDIENCE, NOW_MS)
    summary = rehearsal.summarise()
    assert summary.altered == 1
    assert [(*change,) for change in summary.terms] == [(TermAspect.APPROVALS, "", "1", "2")]
