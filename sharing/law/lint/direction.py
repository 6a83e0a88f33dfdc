"""Mistakes of direction: a missing `not`, a weakened prohibition. The pack stays consistent but says the opposite.

One version of a pack shows such a mistake only where something else in it tells the direction:

- `inverted-test`: facts with a known bad answer. A risk that is present and a safeguard that is absent speak against
  sharing, so a DENY that requires the absence of the risk, or the presence of the safeguard, is missing a `not`; and so
  is a PERMIT or an exception that requires the risk.
- `only-recorded`: a RECORD that tests such a fact for its bad answer, where the item can leave without an approval.
- `words-forbid`: a RECORD whose paraphrase says that something must not happen. This check reads English words.

No direction is known for any other fact: «collection is SEARCH» and «collection is not SEARCH» are equally plausible
in a permission. For these, only the comparison of two versions (`sharing.law.comparison`) shows what a change opens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharing.law.constraints import Conjunction, FactTest
from sharing.law.facts import FACTS
from sharing.law.lint.analysis import PackAnalysis
from sharing.law.lint.findings import LintFinding, LintSeverity, RuleLocator, join_names
from sharing.law.lint_codes import LintCode
from sharing.law.search.cubes import intersect_covers
from sharing.model.effects import PERMITTING_EFFECTS
from sharing.model.vocabulary import Effect
from sharing.yaml_files.source import KeyPath

RISKS = frozenset(
    {
        "recipient.death_penalty_risk",
        "recipient.capital_offence",
        "recipient.mistreatment_risk",
        "recipient.persecution_risk",
        "live_case_harm",
        "retention_expired",
        "findings.essential_interest_harm",
        "findings.person_safety_harm",
        "findings.subject_interests_prevail",
        "findings.mistreatment_substantial_risk",
        "findings.overseas_disclosure_barred",
    }
)
"""Facts whose answer YES speaks against sharing."""

SAFEGUARDS = frozenset(
    {
        "recipient.adequacy",
        "recipient.safeguards",
        "recipient.dual_criminality",
        "recipient.reciprocity",
        "recipient.equal_secrecy",
        "recipient.sole_purpose",
        "origin.consent",
        "findings.death_penalty_assurance",
        "findings.capital_strict_necessity",
        "findings.case_specific_safeguards",
        "findings.disclosure_proportionate",
        "findings.domestic_sharing_lawful",
        "findings.foreign_telecom_authorisation",
        "findings.interception_evidence_barred",
        "findings.interception_safeguards",
        "findings.mistreatment_risk_mitigable",
        "findings.privacy_interference_justified",
        "findings.request_grantable",
        "findings.strictly_necessary",
    }
)
"""Facts whose answer NO speaks against sharing."""

_FORBIDDING_WORDS = re.compile(
    r"\b(?:nothing|nobody|no one|none|not|never|no|only|cannot|forbid\w*|forbidden|prohibit\w*|refus\w+|bars?|barred|"
    r"withheld|unlawful)\b",
    re.IGNORECASE,
)
"""Words with which a paraphrase says that something must not happen."""


def find_mistakes_of_direction(analysis: PackAnalysis, locator: RuleLocator) -> Iterator[LintFinding]:
    """Yield the pack's own rules that seem to be missing a `not`, or whose prohibition seems to be weakened."""
    for number in analysis.own_rules:
        yield from _find_inverted_tests(analysis, locator, number)
        if analysis.pack.rules[number].effect is Effect.RECORD:
            yield from _find_only_recorded(analysis, locator, number)
            yield from _find_forbidding_words(analysis, locator, number)


def _find_inverted_tests(analysis: PackAnalysis, locator: RuleLocator, number: int) -> Iterator[LintFinding]:
    rule = analysis.pack.rules[number]
    parts: list[tuple[Conjunction, KeyPath, str, str]] = []
    if rule.effect is Effect.DENY:
        parts.append((rule.when, ("when",), "NO", "the prohibition applies"))
    if rule.effect in PERMITTING_EFFECTS:
        parts.append((rule.when, ("when",), "YES", "the permission applies"))
    if rule.exception is not None:
        parts.append((rule.exception.when, ("exception", "when"), "YES", "the exception lifts the prohibition"))
    for when, path, risk_answer, effect in parts:
        for test in dict.fromkeys(when.iter_tests()):
            required = _find_required_answer(test)
            # A permission may require that a safeguard is absent: derogations are written that way.
            if (test.fact in RISKS and required == risk_answer) or (
                test.fact in SAFEGUARDS and required == "YES" and rule.effect is Effect.DENY and risk_answer == "NO"
            ):
                kind = "a risk" if test.fact in RISKS else "a safeguard"
                sentence = f"{effect} only if {test.fact} is {required}, and that is {kind}: is a `not` missing?"
                within = (*path, test.fact)
                yield locator.make_finding(
                    LintSeverity.WARNING, LintCode.INVERTED_TEST, (number, rule.id), sentence, within=within
                )


def _find_required_answer(test: FactTest) -> str | None:
    """Return the only answer to a yes-or-no fact for which a test is true; None for another fact or test."""
    if not FACTS[test.fact].is_tristate or not isinstance(test.operand, frozenset):
        return None
    answers = {"YES", "NO"} - test.operand if test.negated else test.operand
    return next(iter(answers)) if len(answers) == 1 else None


def _find_only_recorded(analysis: PackAnalysis, locator: RuleLocator, number: int) -> Iterator[LintFinding]:
    """Yield a finding if a harm leads only to a RECORD and the item can then be sent without an approval."""
    rule = analysis.pack.rules[number]
    harms = sorted(
        {
            test.fact
            for test in rule.when.iter_tests()
            if _find_required_answer(test) == ("YES" if test.fact in RISKS else "NO")
            and test.fact in RISKS | SAFEGUARDS
        }
    )
    if not harms:
        return
    permitted = [
        cube
        for permit in analysis.list_rules_with_effect(*PERMITTING_EFFECTS)
        for cube in intersect_covers(analysis.holds_in[number], analysis.holds_in[permit])
    ]
    asking = analysis.list_cubes_of_asking_rules(analysis.find_asking_rules())
    cube = analysis.find_uncovered(permitted, [*analysis.find_withheld(), *asking])
    if cube is not None:
        sentence = (
            f"the rule tests {join_names(harms)} for the answer that speaks against sharing, but only records it: "
            "the item can leave, and nobody is asked"
        )
        yield locator.make_finding(
            LintSeverity.WARNING,
            LintCode.ONLY_RECORDED,
            (number, rule.id),
            sentence,
            analysis.build_counterexample(cube, number),
            within=("effect",),
        )


def _find_forbidding_words(analysis: PackAnalysis, locator: RuleLocator, number: int) -> Iterator[LintFinding]:
    rule = analysis.pack.rules[number]
    words = dict.fromkeys(word.lower() for word in _FORBIDDING_WORDS.findall(rule.paraphrase))
    if words:
        sentence = f"the paraphrase says «{'», «'.join(words)}», but a RECORD forbids nothing"
        yield locator.make_finding(
            LintSeverity.WARNING, LintCode.WORDS_FORBID, (number, rule.id), sentence, within=("effect",)
        )
