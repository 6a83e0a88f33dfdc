"""Contradictory rules: unfulfillable or overridden obligations, competing or unused approvers, clashing conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from sharing.law.lint.analysis import PackAnalysis, RuleCube
from sharing.law.lint.decision_space import EVIDENCE_TEST
from sharing.law.lint.findings import LintFinding, LintSeverity, RuleLocator, join_names
from sharing.law.lint_codes import LintCode
from sharing.law.search.cubes import Cover, Cube, intersect_covers
from sharing.model.effects import FORBIDDING_EFFECTS, OBLIGING_EFFECTS, PERMITTING_EFFECTS
from sharing.model.vocabulary import ConditionKind


@dataclass(frozen=True, slots=True)
class _Conflicts:
    """The search for conflicts in one pack.

    Attributes:
        permitted: Where a rule permits sharing.
        withheld: Where nothing can be shared, no matter what is permitted.
    """

    analysis: PackAnalysis
    locator: RuleLocator
    permitted: Cover
    withheld: list[RuleCube]

    def find_obligation_conflicts(self, number: int) -> Iterator[LintFinding]:
        """Yield that an obligation can never be fulfilled, or else which rules override it under some facts."""
        analysis = self.analysis
        rule, obligation = analysis.pack.rules[number], analysis.holds_in[number]
        if analysis.find_uncovered(intersect_covers(obligation, self.permitted), self.withheld) is None:
            severity, reason, causes = self._explain_unfulfillable(obligation)
            yield self.locator.make_finding(
                severity,
                LintCode.UNFULFILLABLE,
                (number, rule.id),
                f"the obligation can never be fulfilled: {reason}",
                analysis.build_counterexample(obligation[0], number, *causes),
            )
            return
        overriding = [
            (deny, overlap)
            for deny in analysis.list_rules_with_effect(*FORBIDDING_EFFECTS)
            if (overlap := analysis.keep_possible(intersect_covers(obligation, analysis.holds_in[deny])))
        ]
        own = [entry for entry in overriding if entry[0] in analysis.own_rules]
        common = [entry for entry in overriding if entry[0] not in analysis.own_rules]
        for group in (own, common):
            if group:
                names = [analysis.pack.rules[deny].id for deny, _ in group]
                deny, overlap = group[0]
                yield self.locator.make_finding(
                    LintSeverity.NOTICE,
                    LintCode.DUTY_FORBIDDEN,
                    (number, rule.id),
                    f"the obligation is overridden when sharing is forbidden by {join_names(names, 'or')}",
                    analysis.build_counterexample(overlap[0], number, deny),
                )

    def _explain_unfulfillable(self, obligation: Cover) -> tuple[LintSeverity, str, tuple[int, ...]]:
        """Return how serious it is that nothing can be shared under an obligation, why, and the rules that cause it."""
        analysis = self.analysis
        permitted_obligation = analysis.keep_possible(intersect_covers(obligation, self.permitted))
        if not permitted_obligation:
            return LintSeverity.ERROR, "whenever it applies, no rule permits anything", ()
        if analysis.find_uncovered(obligation, self.withheld) is None:
            blocked, when = obligation, "whenever it applies"
        else:
            blocked, when = permitted_obligation, "whenever it applies and sharing is permitted"
        forbidden = analysis.find_forbidden()
        is_certain = analysis.find_uncovered(blocked, forbidden) is None
        causes = analysis.find_covering_rules(blocked, forbidden if is_certain else self.withheld)
        names = join_names([analysis.pack.rules[cause].id for cause in causes]) or "the lack of a treaty basis"
        if is_certain:
            return LintSeverity.ERROR, f"{when}, sharing is prevented by {names}", causes
        return LintSeverity.WARNING, f"{when}, a fact required by {names} is unknown for every State concerned", causes

    def _find_shared(self, first: int, second: int) -> Cube | None:
        """Return where two rules hold together and something is shared or waits for approval."""
        return self._find_shared_in(self.analysis.holds_in[first], self.analysis.holds_in[second])

    def _find_shared_in(self, first: Cover, second: Cover) -> Cube | None:
        both = intersect_covers(first, second)
        if not both:
            return None
        return self.analysis.find_uncovered(intersect_covers(both, self.permitted), self.withheld)

    def find_competing_approvers(self) -> Iterator[LintFinding]:
        """Yield pairs of rules that can ask two persons at once although the decision names only one approver.

        These are approvals, and prohibitions of which it is unknown whether their exception lifts them.
        """
        analysis, rules = self.analysis, self.analysis.pack.rules
        numbers = analysis.find_asking_rules()
        conflicts: dict[tuple[str | None, str | None], list[tuple[int, int, Cube]]] = {}
        for first, second in combinations(numbers, 2):
            approvers = (rules[first].asked_role, rules[second].asked_role)
            is_own = first in analysis.own_rules or second in analysis.own_rules
            if approvers[0] != approvers[1] and is_own:
                cube = self._find_shared_in(analysis.asks_in[first], analysis.asks_in[second])
                if cube is not None:
                    conflicts.setdefault(approvers, []).append((first, second, cube))
        for (named, not_named), pairs in conflicts.items():
            first, second, cube = pairs[0]
            others = [f"{rules[a].id} with {rules[b].id}" for a, b, _ in pairs[1:]]
            suffix = f" (the same holds for {join_names(others)})" if others else ""
            own = second if second in analysis.own_rules else first
            named_rules = {rules[number].id for a, b, _ in pairs for number in (a, b)}
            yield self.locator.make_finding(
                LintSeverity.WARNING,
                LintCode.TWO_APPROVERS,
                (own, rules[own].id),
                f"{rules[first].id} and {rules[second].id} can apply together; the decision then names {named} "
                f"as approver, and {not_named} is not asked{suffix}",
                analysis.build_counterexample(cube, first, second),
                others=tuple(sorted(named_rules - {rules[own].id})),
            )

    def find_unused_approvals(self) -> Iterator[LintFinding]:
        """Yield rules that ask for two officers although no item is ever held because of them."""
        analysis = self.analysis
        for number in analysis.find_asking_rules():
            rule = analysis.pack.rules[number]
            if rule.asked_approvals == 1 or number not in analysis.own_rules:
                continue
            asked = intersect_covers(analysis.asks_in[number], self.permitted)
            if analysis.find_uncovered(asked, self.withheld) is None:
                yield self.locator.make_finding(
                    LintSeverity.WARNING,
                    LintCode.APPROVALS_UNUSED,
                    (number, rule.id),
                    f"approvals: {rule.asked_approvals} has no effect: no item is ever held because of this rule",
                    within=("needs" if rule.exception is None else "exception", "approvals"),
                )

    def find_evidence_clashes(self) -> Iterator[LintFinding]:
        """Yield conditions that forbid the use as evidence, although the item is shared as evidence."""
        mask = self.analysis.space.masks[EVIDENCE_TEST]
        shared_as_evidence = intersect_covers(self.permitted, [{mask.dimension: mask.true}])
        for number in self.analysis.own_rules:
            rule = self.analysis.pack.rules[number]
            if rule.condition is None or rule.condition.kind is not ConditionKind.NO_EVIDENCE:
                continue
            cube = self.analysis.find_uncovered(
                intersect_covers(self.analysis.holds_in[number], shared_as_evidence), self.withheld
            )
            if cube is not None:
                yield self.locator.make_finding(
                    LintSeverity.NOTICE,
                    LintCode.CONDITIONS_CLASH,
                    (number, rule.id),
                    "this condition forbids the use as evidence, but it can apply to an item in the form EVIDENCE",
                    self.analysis.space.build_counterexample(cube, {*rule.list_fact_names(), "form"}),
                )

    def find_retention_clashes(self) -> Iterator[LintFinding]:
        """Yield pairs of conditions that can hold together and state the retention in different words."""
        rules = self.analysis.pack.rules
        numbers = [
            number
            for number, rule in enumerate(rules)
            if rule.condition is not None and rule.condition.kind is ConditionKind.RETENTION
        ]
        for first, second in combinations(numbers, 2):
            earlier, later = rules[first].condition, rules[second].condition
            if earlier is None or later is None or earlier.text == later.text or second not in self.analysis.own_rules:
                continue
            cube = self._find_shared(first, second)
            if cube is not None:
                yield self.locator.make_finding(
                    LintSeverity.NOTICE,
                    LintCode.CONDITIONS_CLASH,
                    (second, rules[second].id),
                    f"this condition and {rules[first].id} can apply together, and their texts on retention differ",
                    self.analysis.build_counterexample(cube, first, second),
                    others=(rules[first].id,),
                )


def find_conflicts(analysis: PackAnalysis, locator: RuleLocator) -> Iterator[LintFinding]:
    """Yield conflicts that involve at least one of the pack's own rules."""
    permits = analysis.list_rules_with_effect(*PERMITTING_EFFECTS)
    permitted = [cube for number in permits for cube in analysis.holds_in[number]]
    conflicts = _Conflicts(analysis, locator, permitted, analysis.find_withheld())
    for number in analysis.list_rules_with_effect(*OBLIGING_EFFECTS):
        if number in analysis.own_rules and analysis.holds_in[number]:
            yield from conflicts.find_obligation_conflicts(number)
    yield from conflicts.find_competing_approvers()
    yield from conflicts.find_unused_approvals()
    yield from conflicts.find_evidence_clashes()
    yield from conflicts.find_retention_clashes()
