"""The questions of lint answered by brute force: every record, State and day, with the engine. For small packs only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

from sharing.law.authorities import list_sole_authorities
from sharing.law.combination import RuleResult, combine_results
from sharing.law.fact_values import FactValue
from sharing.law.facts import FACTS, FactKind, FactScope
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack, Rule
from sharing.law.rulebook import list_mandatory_recipients
from sharing.law.treaties import Coverage, TreatyTable
from sharing.law.treaty_basis import TreatyBasis
from sharing.model.vocabulary import ConditionModel, Effect

STATES = ("AD", "CH", "FR", "GB", "JP", "SO", "US")
NEVER_UNKNOWN = {"action", "type", "handling", "tlp", "pap", "retention_expired"}

TruthValue = bool | None | str
"""Whether a rule has its effect; None if it is undecided; LIFTED if its exception lifts it; ASKS if it asks."""

LIFTED, ASKS = "lifted", "asks"
Evaluation = tuple[ConditionModel | None, tuple[TruthValue, ...]]
"""The condition model and the truth value of each rule (False while not in force) under one combination of facts."""


@dataclass(frozen=True)
class BruteForceLint:
    """A pack with all distinct evaluations of its rules."""

    pack: Pack
    evaluations: frozenset[Evaluation]

    def truth_values(self, number: int) -> set[TruthValue]:
        return {values[number] for _, values in self.evaluations}

    def find_redundant(self, common_count: int) -> dict[int, str]:
        """Return the redundant rules, tried from the last to the first, and why they are redundant."""
        removed: set[int] = set()
        redundant: dict[int, str] = {}
        for number in reversed(range(common_count, len(self.pack.rules))):
            if True in self.truth_values(number) and self._is_redundant(number, removed):
                redundant[number] = self._find_kind(number, removed)
                removed.add(number)
        return redundant

    def _is_redundant(self, number: int, removed: set[int]) -> bool:
        rule = self.pack.rules[number]
        if rule.effect is Effect.RECORD:
            return False
        if rule.effect is Effect.OBLIGE:
            others = [
                other
                for other, other_rule in enumerate(self.pack.rules)
                if other_rule.effect is Effect.OBLIGE
                and other not in {number, *removed}
                and set(list_mandatory_recipients(rule)) <= set(list_mandatory_recipients(other_rule))
            ]
            holding = [values for _, values in self.evaluations if values[number] is True]
            return all(any(values[other] is True for other in others) for values in holding)
        return all(
            self._decide(evaluation, removed, permit_all=rule.effect is not Effect.PERMIT)
            == self._decide(evaluation, {number, *removed}, permit_all=rule.effect is not Effect.PERMIT)
            for evaluation in self.evaluations
        )

    def _find_kind(self, number: int, removed: set[int]) -> str:
        effect = self.pack.rules[number].effect
        if effect in {Effect.DENY, Effect.OBLIGE}:
            return "SAME_EFFECT"
        denials = [
            other
            for other, other_rule in enumerate(self.pack.rules)
            if other_rule.effect is Effect.DENY and other not in removed
        ]
        holding = [evaluation for evaluation in self.evaluations if evaluation[1][number] is True]
        if all(model is None or any(values[other] is True for other in denials) for model, values in holding):
            return "FORBIDDEN"
        is_withheld = all(
            self._decide(evaluation, {number, *removed}, permit_all=True)[0] == "WITHHOLD" for evaluation in holding
        )
        return "UNDECIDED" if is_withheld else "SAME_EFFECT"

    def _decide(self, evaluation: Evaluation, removed: set[int], *, permit_all: bool) -> tuple[Any, ...]:
        model, values = evaluation
        results = [
            _make_result(rule, values[number])
            for number, rule in enumerate(self.pack.rules)
            if number not in removed and values[number] is not False
        ]
        if permit_all:
            permission = replace(self.pack.rules[0], id="~", effect=Effect.PERMIT)
            results.append(RuleResult(permission, True))
        results.sort(key=lambda result: result.rule.id)
        decision = combine_results("FR", results, TreatyBasis("BUDAPEST" if model else None, model), ())
        conditions = {(condition.kind, condition.text) for condition in decision.conditions}
        return str(decision.outcome), conditions, decision.redacted, decision.approver, decision.approvals


def enumerate_evaluations(pack: Pack, treaties: TreatyTable) -> BruteForceLint:
    """Evaluate the rules of a small pack under every combination of facts."""
    tested_facts = sorted({test.fact for rule in pack.rules for test in rule.iter_tests()})
    items = list(_iter_items(tested_facts, pack, treaties))
    evaluations: set[Evaluation] = set()
    seen: set[Any] = set()
    for day in _find_change_days(pack, treaties):
        in_force = tuple(rule.valid.contains(day) for rule in pack.rules)
        for item, find_facts in product(items, _iter_recipients(pack, treaties, day, tested_facts)):
            recipient, model = find_facts(item)
            facts = {**item, **recipient}
            key = (in_force, model, tuple(facts[name] for name in tested_facts))
            if key not in seen:
                seen.add(key)
                values = (
                    evaluate_rule(rule, facts) if is_in_force else False
                    for rule, is_in_force in zip(pack.rules, in_force, strict=True)
                )
                evaluations.add((model, tuple(values)))
    return BruteForceLint(pack, frozenset(evaluations))


def evaluate_rule(rule: Rule, facts: Mapping[str, FactValue]) -> TruthValue:
    """Return the truth value of a rule in force."""
    held = rule.when.evaluate(facts)
    if held is None and rule.asks_undecided and facts["urgency"] == "EMERGENCY":
        return ASKS
    if held is False or rule.exception is None:
        return held
    match rule.exception.when.evaluate(facts):
        case True:
            return LIFTED
        case None:
            return ASKS
        case _:
            return held


def _make_result(rule: Rule, value: TruthValue) -> RuleResult:
    if value in (LIFTED, ASKS):
        return RuleResult(rule, True, (), True) if value == LIFTED else RuleResult(rule, True, ("x",), None)
    return RuleResult(rule, None, ("x",)) if value is None else RuleResult(rule, True)


def _find_change_days(pack: Pack, treaties: TreatyTable) -> list[dt.date]:
    days = {rule.valid.start for rule in pack.rules} | {assessment.date for assessment in pack.assessments}
    periods = [rule.valid for rule in pack.rules] + [agreement.valid for agreement in pack.bilateral.values()]
    for instrument in treaties.instruments.values():
        periods += instrument.parties.values()
        days |= {instrument.in_force} if instrument.in_force else set()
    for members in treaties.memberships.values():
        periods += members.values()
    days |= {period.start for period in periods}
    days |= {period.end + dt.timedelta(days=1) for period in periods if period.end}
    first = min(rule.valid.start for rule in pack.rules)
    return sorted(day for day in days if day >= first)


def _iter_recipients(pack: Pack, treaties: TreatyTable, day: dt.date, tested_facts: Sequence[str]) -> Iterator[Any]:
    asked = (test.operand for rule in pack.rules for test in rule.iter_tests() if test.fact == "recipient.authority")
    kinds = {kind for operand in asked if isinstance(operand, frozenset) for kind in operand}
    if tests_treaties(tested_facts):
        kinds = kinds.union(*(coverage.receivers for coverage in _iter_coverages(pack, treaties)))
    if "recipient.authority" in tested_facts:
        kinds |= {"COURT", "TAX"}
    authorities = sorted(kinds | {"POLICE", "NONE", "UNKNOWN"} if kinds else {"POLICE"})
    for authority in authorities:
        law = DisclosureFilter(pack, treaties, day, list_sole_authorities(dict.fromkeys(STATES, authority)))
        for state, named in product(sorted(set(STATES) - {pack.state}), (True, False)):

            def find_facts(
                item: Mapping[str, FactValue], state: str = state, named: bool = named, law: DisclosureFilter = law
            ) -> tuple[Any, Any]:
                full = {**dict.fromkeys(law.recipient_inputs), **item}
                profile = law.profile_recipient(state, full, named=named)
                return profile.facts, profile.basis.condition_model

            yield find_facts


def tests_treaties(tested_facts: Sequence[str]) -> bool:
    """Return whether a rule asks for what depends on the instruments that cover an item."""
    return not {"recipient.treaties", "treaty_basis", "condition_model"}.isdisjoint(tested_facts)


def _iter_coverages(pack: Pack, treaties: TreatyTable) -> Iterator[Coverage]:
    """Yield what each instrument and agreement is a basis for."""
    yield from (agreement.coverage for agreement in pack.bilateral.values())
    yield from (instrument.coverage for instrument in treaties.instruments.values())


def _iter_items(tested_facts: Sequence[str], pack: Pack, treaties: TreatyTable) -> Iterator[Mapping[str, FactValue]]:
    """Yield the facts of every record, as the engine reads them."""
    names = {name for name in tested_facts if FACTS[name].scope is FactScope.INDICATOR} | (
        {"offence.codes"} if "recipient.dual_criminality" in tested_facts else set()
    )
    if tests_treaties(tested_facts):
        scopes = (test.fact for coverage in _iter_coverages(pack, treaties) for test in coverage.scope.iter_tests())
        names |= {"source.authority", *(name for name in scopes if FACTS[name].scope is FactScope.INDICATOR)}
    dimensions: list[list[dict[str, FactValue]]] = []
    if names & {"collection", "origin.state", "origin.foreign"}:
        dimensions.append(list(_iter_origins(pack)))
    if names & {"grading.source", "grading.information"}:
        grades: list[dict[str, FactValue]] = [
            {"grading.source": s, "grading.information": n} for s in "ABCX" for n in (1, 2, 3, 4)
        ]
        dimensions.append([*grades, {"grading.source": None, "grading.information": None}])
    joint = {"collection", "origin.state", "origin.foreign", "grading.source", "grading.information"}
    dimensions += [[{name: value} for value in _iter_values(name)] for name in sorted(names - joint)]
    for parts in product(*dimensions):
        yield {name: value for part in parts for name, value in part.items()}


def _iter_origins(pack: Pack) -> Iterator[dict[str, FactValue]]:
    for state, collection in product([None, "FR", "US", "CH", "JP"], [*FACTS["collection"].values, "UNKNOWN"]):
        record = {"origin": {"state": state}, "source": {"state": pack.state}, "collection": collection}
        facts = {}
        for name in ("collection", "origin.state", "origin.foreign"):
            read = FACTS[name].read_raw
            assert read is not None
            facts[name] = FACTS[name].interpret_raw(read(record, 0))
        yield facts


def _iter_values(name: str) -> Iterator[FactValue]:
    fact = FACTS[name]
    if name not in NEVER_UNKNOWN:
        yield None
    if fact.kind is FactKind.NUMBER:
        yield from (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 4.5, 5.0, 50.0, 100.0)
    elif fact.kind is FactKind.SET:
        members = (
            ["ILLEGAL_ACCESS", "LAUNDERING", "COPYRIGHT", "ICT_FORGERY"]
            if name == "offence.codes"
            else sorted(fact.values)
        )
        for size in range(1 if name == "offence.codes" else 0, len(members) + 1):
            yield from map(frozenset, combinations(members, size))
    else:
        yield from sorted(fact.values)
