"""Redundant rules: rules that other rules make pointless.

A rule is *redundant* when removing it would change no decision under any combination of facts, even if everything else
were permitted: no outcome, condition, redaction, approver or obligation. The logic is three-valued, so an undecided
restriction counts too: it withholds, and is redundant only where something else also withholds. The same applies to an
exception that asks a person: it is redundant only where the item is withheld, or where the decision names that person
anyway, or another one whose rule takes precedence. It does not count that a decision names a rule that its exception
lifted.

A restriction of something that nothing permits is not redundant but *idle*: a later permission would make it effective.

Rules are tried from the last to the first, and a rule already found redundant is not used to make another redundant. Of
two equal rules the later one is reported, and all reported rules can be removed together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from sharing.law.lint.analysis import PackAnalysis, RuleCube
from sharing.law.lint.findings import LintFinding, LintSeverity, RuleLocator, join_names
from sharing.law.lint_codes import LintCode
from sharing.law.rulebook import list_mandatory_recipients
from sharing.law.search.cubes import Cover, Cube, intersect_covers, subtract_cubes
from sharing.model.effects import PERMITTING_EFFECTS, RESTRICTING_EFFECTS
from sharing.model.vocabulary import Effect


class RedundancyKind(Enum):
    """Why a rule is redundant. The value is the sentence of the finding."""

    FORBIDDEN = "whenever this rule applies, sharing is already prevented by {}"
    UNDECIDED = (
        "whenever this rule applies, nothing can be shared: a fact required by {} is unknown for every State concerned"
    )
    SAME_EFFECT = "removing this rule would change no decision: the same effect already follows from {}"


@dataclass(frozen=True, slots=True)
class Redundancy:
    """Why a rule is redundant, and the rules that make it so."""

    causes: tuple[int, ...]
    kind: RedundancyKind


@dataclass(frozen=True, slots=True)
class NeededWhenUndecided:
    """A rule that others make redundant where it holds, but that is the only rule to withhold where it is undecided.

    Attributes:
        causes: The other rules.
        cube: Combinations under which only this rule withholds.
    """

    causes: tuple[int, ...]
    cube: Cube


def find_redundant_rules(analysis: PackAnalysis, locator: RuleLocator) -> Iterator[LintFinding]:
    """Yield the pack's own rules that are redundant or idle."""
    removed: set[int] = set()
    for number in reversed(analysis.own_rules):
        rule = analysis.pack.rules[number]
        if not analysis.holds_in[number]:
            continue
        result = explain_redundancy(analysis, number, removed)
        names = [analysis.pack.rules[cause].id for cause in result.causes] if result else []
        cause_names = join_names(names) or "the lack of a treaty basis"
        if isinstance(result, Redundancy):
            removed.add(number)
            severity = LintSeverity.ERROR if result.kind is RedundancyKind.FORBIDDEN else LintSeverity.WARNING
            if result.kind is RedundancyKind.SAME_EFFECT and len(names) > 1:
                severity = LintSeverity.NOTICE  # laws overlap, and each may be cited
            counterexample = analysis.build_counterexample(analysis.holds_in[number][0], number, *result.causes)
            yield locator.make_finding(
                severity, LintCode.REDUNDANT, (number, rule.id), result.kind.value.format(cause_names), counterexample
            )
        elif isinstance(result, NeededWhenUndecided):
            sentence = (
                f"whenever this rule applies, the same effect already follows from {cause_names}; "
                "this rule's only effect is to withhold when a fact is unknown"
            )
            counterexample = analysis.build_counterexample(result.cube, number, *result.causes)
            yield locator.make_finding(
                LintSeverity.NOTICE, LintCode.ONLY_UNDECIDED, (number, rule.id), sentence, counterexample
            )
        elif rule.effect in RESTRICTING_EFFECTS and not _can_hold_with_permission(analysis, number):
            sentence = "the restriction has no effect: whenever it applies, nothing is permitted anyway"
            yield locator.make_finding(LintSeverity.NOTICE, LintCode.IDLE, (number, rule.id), sentence)


def explain_redundancy(
    analysis: PackAnalysis, number: int, removed: set[int]
) -> Redundancy | NeededWhenUndecided | None:
    """Return why the other rules make a rule redundant; None when they do not.

    Args:
        analysis: The pack.
        number: A rule that can hold.
        removed: Rules that count as removed.
    """
    effect = analysis.pack.rules[number].effect
    withheld = analysis.find_withheld({number, *removed})
    match effect:
        case Effect.OBLIGE | Effect.RECORD:  # the decision names such a rule even if the item is withheld
            return _check_same_effect(analysis, number, removed, [])
        case Effect.PERMIT:
            blocked = _check_blocked(analysis, number, removed, withheld)
            return blocked or _check_same_effect(analysis, number, removed, withheld)
        case Effect.APPROVAL | Effect.REDACT | Effect.CONDITION:
            blocked = _check_blocked(analysis, number, removed, withheld)
            result = blocked or _check_same_effect(analysis, number, removed, withheld)
        case Effect.DENY:
            result = _check_same_effect(analysis, number, removed, withheld)
        case _:
            assert_never(effect)
    result = result and _check_asking(analysis, number, removed, result, withheld)
    return None if result is None else _check_undecided(analysis, number, result, withheld)


def _check_blocked(
    analysis: PackAnalysis, number: int, removed: set[int], withheld: Sequence[RuleCube]
) -> Redundancy | None:
    """Return why nothing can be shared wherever a rule holds; None when something can."""
    holds_in = analysis.holds_in[number]
    forbidden = analysis.find_forbidden({number, *removed})
    result = _check_covered(analysis, holds_in, forbidden, RedundancyKind.FORBIDDEN)
    return result or _check_covered(analysis, holds_in, withheld, RedundancyKind.UNDECIDED)


def _check_same_effect(
    analysis: PackAnalysis, number: int, removed: set[int], withheld: Sequence[RuleCube]
) -> Redundancy | None:
    """Return why the effect of a rule follows from other rules, or has no consequence where the item is withheld.

    An effect may have several parts, and other rules may provide them separately: each redacted field, for example.
    """
    causes: set[int] = set()
    for same_effect in _find_same_effect(analysis, number, removed):
        covering = [*same_effect, *withheld]
        part = _check_covered(analysis, analysis.holds_in[number], covering, RedundancyKind.SAME_EFFECT)
        if part is None:
            return None
        causes.update(part.causes)
    return Redundancy(tuple(sorted(causes)), RedundancyKind.SAME_EFFECT)


def _check_asking(
    analysis: PackAnalysis, number: int, removed: set[int], result: Redundancy, withheld: Sequence[RuleCube]
) -> Redundancy | None:
    """Check a rule where it asks a person: there the decision must be the same without it."""
    asks_in = analysis.asks_in[number]
    if not asks_in:
        return result
    others = [other for other in analysis.find_asking_rules() if other != number and other not in removed]
    causes = set(result.causes)
    for same in _find_same_approval(analysis, number, others):
        part = _check_covered(analysis, asks_in, [*same, *withheld], result.kind)
        if part is None:
            return None
        causes.update(part.causes)
    return Redundancy(tuple(sorted(causes)), result.kind)


def _check_covered(
    analysis: PackAnalysis, cover: Cover, covering: Sequence[RuleCube], kind: RedundancyKind
) -> Redundancy | None:
    if analysis.find_uncovered(cover, covering) is not None:
        return None
    return Redundancy(analysis.find_covering_rules(cover, covering), kind)


def _check_undecided(
    analysis: PackAnalysis, number: int, result: Redundancy, withheld: Sequence[RuleCube]
) -> Redundancy | NeededWhenUndecided:
    """Check a rule where it is undecided: there it withholds, and another rule must do the same."""
    undecided_in = analysis.undecided_in[number]
    cube = analysis.find_uncovered(undecided_in, withheld)
    if cube is not None:
        return NeededWhenUndecided(result.causes, cube)
    more_causes = analysis.find_covering_rules(undecided_in, withheld) if undecided_in else ()
    by_same_causes = [rule_cube for rule_cube in withheld if rule_cube[0] in result.causes]
    if set(more_causes) <= set(result.causes) or analysis.find_uncovered(undecided_in, by_same_causes) is None:
        return result
    return Redundancy(tuple(sorted({*result.causes, *more_causes})), result.kind)


def _find_same_effect(analysis: PackAnalysis, number: int, removed: set[int]) -> list[list[RuleCube]]:
    """Return, for each part of a rule's effect, where other rules have the same effect."""
    rule = analysis.pack.rules[number]
    rules = analysis.pack.rules
    others = [
        other for other in analysis.list_rules_with_effect(rule.effect) if other != number and other not in removed
    ]
    match rule.effect:
        case Effect.DENY | Effect.RECORD:
            # Where another rule denies, the item is withheld: the caller accounts for that.
            # The only effect of a RECORD is that the decision names it, which no other rule can do.
            return [[]]
        case Effect.REDACT:
            return [
                analysis.list_cubes_of_rules(other for other in others if name in rules[other].redact)
                for name in rule.redact
            ]
        case Effect.CONDITION:
            condition = rule.condition
            return [
                analysis.list_cubes_of_rules(
                    other
                    for other in others
                    if condition is not None
                    and (present := rules[other].condition) is not None
                    and (present.kind, present.text) == (condition.kind, condition.text)
                )
            ]
        case Effect.APPROVAL:
            asking = [other for other in analysis.find_asking_rules() if other != number and other not in removed]
            return _find_same_approval(analysis, number, asking)
        case Effect.OBLIGE:
            states = set(list_mandatory_recipients(rule))
            return [
                analysis.list_cubes_of_rules(
                    other for other in others if states <= set(list_mandatory_recipients(rules[other]))
                )
            ]
        case Effect.PERMIT:
            return [analysis.list_cubes_of_rules(others)]
        case _:
            assert_never(rule.effect)


def _find_same_approval(analysis: PackAnalysis, number: int, others: Sequence[int]) -> list[list[RuleCube]]:
    """Return where the decision would name the same approver without a rule, and where it would need the same number.

    One officer is always needed where another rule asks; two, only where another rule asks for two.
    """
    rules = analysis.pack.rules
    parts = [_find_same_approver(analysis, number, others)]
    if rules[number].asked_approvals > 1:
        parts.append(analysis.list_cubes_of_asking_rules(each for each in others if rules[each].asked_approvals > 1))
    return parts


def _find_same_approver(analysis: PackAnalysis, number: int, others: Sequence[int]) -> list[RuleCube]:
    """Return where the decision would name the same approver without a rule, or names another approver anyway.

    A decision names the role of the rule with the lowest `approval_rank` that asks one.
    """
    rules = analysis.pack.rules
    rank, approver = rules[number].approval_rank, rules[number].asked_role
    cubes = analysis.list_cubes_of_asking_rules(other for other in others if rules[other].approval_rank <= rank)
    for other in others:
        other_rank = rules[other].approval_rank
        if other_rank > rank and rules[other].asked_role == approver:
            ranked_between = [
                cube
                for third in others
                if rank < rules[third].approval_rank < other_rank and rules[third].asked_role != approver
                for cube in analysis.asks_in[third]
            ]
            remainder = subtract_cubes(analysis.asks_in[other], ranked_between, analysis.space.all_points)
            cubes += [(other, cube) for cube in remainder]
    return cubes


def _can_hold_with_permission(analysis: PackAnalysis, number: int) -> bool:
    """Return whether a rule can hold, or ask a person, together with a permission."""
    permits = analysis.list_rules_with_effect(*PERMITTING_EFFECTS)
    applies_in = [*analysis.holds_in[number], *analysis.asks_in[number]]
    return any(analysis.keep_possible(intersect_covers(applies_in, analysis.holds_in[permit])) for permit in permits)
