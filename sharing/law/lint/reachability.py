"""Dead rules and alternatives, facts that can never be known, and values that never occur."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from sharing.law.constraints import AnyOf, Conjunction, FactTest, Operator
from sharing.law.facts import FACTS, FactScope
from sharing.law.lint.alternatives import (
    ALWAYS_FALSE,
    find_lost,
    get_alternative,
    isolate_alternative,
    iter_alternative_paths,
    rate_redundancy,
    replace_alternative,
)
from sharing.law.lint.analysis import PackAnalysis
from sharing.law.lint.decision_space import RECIPIENT_DIMENSION
from sharing.law.lint.exceptions import find_useless_exception
from sharing.law.lint.findings import LintFinding, LintSeverity, RuleLocator, join_names
from sharing.law.lint.item_dimensions import INDEPENDENT_OF_STATE, OFFENCE_FACTS
from sharing.law.lint.recipient_timeline import OFFENCES
from sharing.law.lint_codes import LintCode
from sharing.law.pack import Rule
from sharing.model.effects import RESTRICTING_EFFECTS
from sharing.yaml_files.source import KeyPath

_WITHHOLDS_WHEN_UNDECIDED = "its only effect is to withhold when a fact is unknown"


def find_unreachable(analysis: PackAnalysis, locator: RuleLocator) -> Iterator[LintFinding]:
    """Yield the pack's own rules, and alternatives in them, that hold under no combination of facts."""
    for number in analysis.own_rules:
        rule = analysis.pack.rules[number]
        if analysis.holds_in[number]:
            yield from _find_useless_alternatives(analysis, locator, number)
            yield from find_useless_exception(analysis, locator, number)
            continue
        if rule.exception is not None and analysis.compute_cover(replace(rule, exception=None)):
            sentence = "the rule can never apply: whenever it does, its exception lifts it or asks a person"
            yield locator.make_finding(
                LintSeverity.ERROR, LintCode.UNREACHABLE, (number, rule.id), sentence, within=("exception",)
            )
            continue
        core = _find_unsatisfiable_core(analysis, rule)
        requirements = join_names([_describe_part(part) for part in core]) or "its dates"
        sentence = f"the rule can never apply: no combination of facts meets these requirements: {requirements}"
        undecided = [*analysis.undecided_in[number], *analysis.asks_in[number]]
        if undecided and rule.effect in RESTRICTING_EFFECTS and not _contradicts_itself(core):
            yield locator.make_finding(
                LintSeverity.NOTICE,
                LintCode.ONLY_UNDECIDED,
                (number, rule.id),
                f"{sentence}; {_WITHHOLDS_WHEN_UNDECIDED}",
                analysis.build_counterexample(undecided[0], number),
            )
        else:
            yield locator.make_finding(
                LintSeverity.ERROR, LintCode.UNREACHABLE, (number, rule.id), sentence, within=("when",)
            )


def _find_unsatisfiable_core(analysis: PackAnalysis, rule: Rule) -> list[FactTest | AnyOf]:
    """Return parts of a rule that cannot hold together, none of which can be left out."""
    parts = list(_iter_required_parts(rule.when))
    for part in list(parts):
        others = [other for other in parts if other is not part]
        if not analysis.compute_cover(replace(rule, when=Conjunction(tuple(others)))):
            parts = others
    return parts


def _iter_required_parts(when: Conjunction) -> Iterator[FactTest | AnyOf]:
    """Yield the parts that must hold. A single remaining alternative counts as required."""
    for part in when.parts:
        alternatives = [one for one in part.alternatives if one != ALWAYS_FALSE] if isinstance(part, AnyOf) else []
        if len(alternatives) == 1:
            yield from _iter_required_parts(alternatives[0])
        else:
            yield part


def _contradicts_itself(core: list[FactTest | AnyOf]) -> bool:
    """Return whether the parts require two values of one fact. This is a mistake even if the fact is unknown."""
    tests = [test for part in core for test in part.iter_tests()]
    return len(tests) > 1 and len({test.fact for test in tests}) == 1


def _describe_part(part: FactTest | AnyOf) -> str:
    if isinstance(part, FactTest) and part.negated and part.operand == FACTS[part.fact].values:
        return f"{part.fact} has none of its values"
    return str(part)


# --- Alternatives ---


def _find_useless_alternatives(analysis: PackAnalysis, locator: RuleLocator, number: int) -> Iterator[LintFinding]:
    """Yield alternatives that can be removed from a rule without changing where it holds."""
    rule, when = analysis.pack.rules[number], analysis.pack.rules[number].when
    for path in iter_alternative_paths(when):
        alternative = get_alternative(when, path)
        without = replace(rule, when=replace_alternative(when, path, ALWAYS_FALSE))
        if find_lost(analysis, analysis.holds_in[number], analysis.compute_cover(without)) is not None:
            continue
        no_longer_asked = find_lost(analysis, analysis.asks_in[number], analysis.compute_asking_cover(without))
        if no_longer_asked is not None and rule.exception is not None:
            continue
        isolated = replace(rule, when=isolate_alternative(when, path), exception=None)
        is_reachable = bool(analysis.compute_cover(isolated))
        undecided = no_longer_asked or find_lost(
            analysis, analysis.may_hold_in[number], analysis.compute_cover(without, include_undecided=True)
        )
        reason = "adds nothing: whenever it applies, another alternative does" if is_reachable else "can never apply"
        sentence = f"the alternative ({alternative}) {reason}"
        within: KeyPath = ("when", *path)
        is_mistake = not is_reachable and _contradicts_itself(_find_unsatisfiable_core(analysis, isolated))
        if undecided is not None and rule.effect in RESTRICTING_EFFECTS and not is_mistake:
            sentence += f"; {_WITHHOLDS_WHEN_UNDECIDED}"
            counterexample = analysis.build_counterexample(undecided, number)
            yield locator.make_finding(
                LintSeverity.NOTICE, LintCode.ONLY_UNDECIDED, (number, rule.id), sentence, counterexample, within
            )
        elif is_reachable:
            # Of two equal alternatives only one is reported, so the reported one counts as removed from here on.
            when = without.when
            yield locator.make_finding(
                rate_redundancy(alternative),
                LintCode.REDUNDANT_ALTERNATIVE,
                (number, rule.id),
                sentence,
                within=within,
            )
        else:
            yield locator.make_finding(
                LintSeverity.ERROR, LintCode.UNREACHABLE_ALTERNATIVE, (number, rule.id), sentence, within=within
            )


# --- Facts and values ---


def find_facts_never_known(analysis: PackAnalysis, locator: RuleLocator, day: dt.date) -> Iterator[LintFinding]:
    """Yield facts that rules (including common ones) test but that this pack cannot answer for any State.

    Args:
        analysis: The pack.
        locator: Where its own rules are in their file.
        day: The day on which rules count as expired; for an expired rule the finding is only a warning.
    """
    for number, rule in enumerate(analysis.pack.rules):
        days = analysis.space.select_points(analysis.space.timeline.find_rule_intervals(rule.valid))
        if rule.exception is not None and number in analysis.own_rules:
            yield from _find_exception_never_known(analysis, locator, number, days)
        for name in sorted(rule.when.list_fact_names()):
            if _is_never_known(analysis, rule.when, name, days):
                is_expired = rule.valid.end is not None and rule.valid.end < day
                yield _make_never_known(
                    analysis, locator, number, LintSeverity.WARNING if is_expired else LintSeverity.ERROR, name,
                    f"{name} is never known while the rule is in force: {_explain_unknown(name)}; "
                    "the rule always stays undecided",
                )  # fmt: skip
            elif name in OFFENCE_FACTS and number in analysis.own_rules:
                key = name.removeprefix("recipient.")
                assessed = {
                    code
                    for answers_by_code in analysis.space.timeline.iter_offence_answers()
                    for code, answers in answers_by_code.items()
                    if getattr(answers, key) is not None
                }
                missing = [code for code in OFFENCES if code not in assessed]
                if missing:
                    yield _make_never_known(
                        analysis, locator, number, LintSeverity.NOTICE, name,
                        f"{name} is not assessed for any State for {join_names(missing)}: "
                        "it is unknown for every item with one of these offences",
                    )  # fmt: skip


def _is_never_known(analysis: PackAnalysis, when: Conjunction, name: str, days: int) -> bool:
    """Return whether a fact that a `when` tests is unknown at all these points of the recipient dimension."""
    masks = [analysis.space.masks[test] for test in when.iter_tests() if test.fact == name]
    return bool(days) and all(mask.dimension == RECIPIENT_DIMENSION and not days & ~mask.unknown for mask in masks)


def _find_exception_never_known(
    analysis: PackAnalysis, locator: RuleLocator, number: int, days: int
) -> Iterator[LintFinding]:
    """Yield facts that an exception tests and that are never known, so that it can only ask a person."""
    rule = analysis.pack.rules[number]
    if rule.exception is None:
        return
    for name in sorted(rule.exception.when.list_fact_names()):
        if _is_never_known(analysis, rule.exception.when, name, days):
            sentence = (
                f"{name} is never known while the rule is in force: {_explain_unknown(name)}; "
                f"the exception can only ask {rule.exception.approver}"
            )
            within: KeyPath = ("exception", "when", name)
            yield locator.make_finding(
                LintSeverity.NOTICE, LintCode.NEVER_KNOWN, (number, rule.id), sentence, within=within
            )


def _explain_unknown(name: str) -> str:
    if name in OFFENCE_FACTS:
        return "the pack assesses it for no State"
    if FACTS[name].values == frozenset({"YES", "NO"}):
        return "the pack assesses it for no State in that time"
    return "the treaties of this State, or of all other States, have not been looked up"


def _make_never_known(
    analysis: PackAnalysis, locator: RuleLocator, number: int, severity: LintSeverity, name: str, sentence: str
) -> LintFinding:
    """Return a finding at the rule, or for a common rule at the assessments, where this pack could answer it."""
    rule_id = analysis.pack.rules[number].id
    if number in analysis.own_rules:
        return locator.make_finding(severity, LintCode.NEVER_KNOWN, (number, rule_id), sentence, within=("when", name))
    line = locator.document.line_of(("assessments",))
    return LintFinding(severity, LintCode.NEVER_KNOWN, locator.document.source, line, rule_id, sentence)


def find_values_that_never_occur(analysis: PackAnalysis, locator: RuleLocator) -> Iterator[LintFinding]:
    """Yield values of recipient facts that own rules test and that no State has while the rule is in force."""
    for number in analysis.own_rules:
        rule = analysis.pack.rules[number]
        intervals = analysis.space.timeline.find_rule_intervals(rule.valid)
        in_exception = frozenset(rule.exception.when.iter_tests()) if rule.exception is not None else frozenset()
        for test in rule.iter_tests():
            if test.negated or not _depends_on_state(test) or not isinstance(test.operand, frozenset):
                continue
            occurring = frozenset().union(
                *(analysis.space.occurring_values.get((test.fact, interval), ()) for interval in intervals)
            )
            absent = sorted(test.operand - occurring)
            if absent and (len(absent) < len(test.operand) or test.operator is Operator.INCLUDES):
                yield locator.make_finding(
                    LintSeverity.WARNING,
                    LintCode.NEVER_OCCURS,
                    (number, rule.id),
                    f"while the rule is in force, {test.fact} is never {join_names(absent, 'or')} for any State",
                    within=("exception", "when", test.fact) if test in in_exception else ("when", test.fact),
                )


def _depends_on_state(test: FactTest) -> bool:
    """Return whether the tested fact follows from the State and the day."""
    fact = FACTS[test.fact]
    return fact.scope is not FactScope.INDICATOR and not fact.is_tristate and test.fact not in INDEPENDENT_OF_STATE
