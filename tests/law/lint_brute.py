"""Lint's questions answered by brute force: every record, State and day, through the engine. For small packs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

from sharing.law.combine import RuleFinding, combine
from sharing.law.facts import FACTS, FactKind, FactScope, FactValue
from sharing.law.filter import DisclosureFilter, named_states
from sharing.law.pack import Pack
from sharing.law.recipients import TreatyBasis
from sharing.law.treaties import TreatyTable
from sharing.model.vocabulary import ConditionModel, Effect

STATES = ("AD", "CH", "FR", "GB", "JP", "SO", "US")
NEVER_UNKNOWN = {"action", "type", "handling", "tlp", "pap", "retention_expired"}

Held = bool | None
Vector = tuple[ConditionModel | None, tuple[Held, ...]]
"""How each rule comes out (False on days when it is not in force), and the condition model, at some combination."""


@dataclass(frozen=True)
class Brute:
    """A pack, and every way in which its rules can come out."""

    pack: Pack
    vectors: frozenset[Vector]

    def seen(self, number: int) -> set[Held]:
        return {held[number] for _, held in self.vectors}

    def shadowed(self, common: int) -> dict[int, str]:
        """Return the rules that can be left out, tried from the last to the first, and how they are shadowed."""
        gone: set[int] = set()
        found: dict[int, str] = {}
        for number in reversed(range(common, len(self.pack.rules))):
            if True in self.seen(number) and self._pointless(number, gone):
                found[number] = self._how(number, gone)
                gone.add(number)
        return found

    def _pointless(self, number: int, gone: set[int]) -> bool:
        rule = self.pack.rules[number]
        if rule.effect is Effect.RECORD:
            return False
        if rule.effect is Effect.OBLIGE:
            others = [
                other
                for other, one in enumerate(self.pack.rules)
                if one.effect is Effect.OBLIGE
                and other not in {number, *gone}
                and set(named_states(rule)) <= set(named_states(one))
            ]
            return all(any(held[other] for other in others) for _, held in self.vectors if held[number])
        return all(
            self._decide(vector, gone, floor=rule.effect is not Effect.PERMIT)
            == self._decide(vector, {number, *gone}, floor=rule.effect is not Effect.PERMIT)
            for vector in self.vectors
        )

    def _how(self, number: int, gone: set[int]) -> str:
        effect = self.pack.rules[number].effect
        if effect in {Effect.DENY, Effect.OBLIGE}:
            return "SAME"
        denies = [other for other, one in enumerate(self.pack.rules) if one.effect is Effect.DENY and other not in gone]
        holding = [vector for vector in self.vectors if vector[1][number]]
        if all(model is None or any(held[other] for other in denies) for model, held in holding):
            return "FORBIDDEN"
        withheld = all(self._decide(vector, {number, *gone}, floor=True)[0] == "WITHHOLD" for vector in holding)
        return "UNDECIDED" if withheld else "SAME"

    def _decide(self, vector: Vector, gone: set[int], *, floor: bool) -> tuple[Any, ...]:
        model, held = vector
        findings = [
            RuleFinding(rule, held[number], ("x",) if held[number] is None else ())
            for number, rule in enumerate(self.pack.rules)
            if number not in gone and held[number] is not False
        ]
        if floor:
            always = replace(self.pack.rules[0], id="~", effect=Effect.PERMIT)
            findings.append(RuleFinding(always, True))
        findings.sort(key=lambda finding: finding.rule.id)
        made = combine("FR", findings, TreatyBasis("BUDAPEST" if model else None, model), ())
        conditions = {(condition.kind, condition.text) for condition in made.conditions}
        return str(made.outcome), conditions, made.redacted, made.approver


def enumerate_all(pack: Pack, treaties: TreatyTable) -> Brute:
    """Return every way in which the rules of a small pack can come out."""
    asked = sorted({name for rule in pack.rules for name in rule.when.names()})
    items = list(_items(asked, pack))
    vectors: set[Vector] = set()
    seen: set[Any] = set()
    for day in _days(pack, treaties):
        in_force = tuple(rule.valid.holds(day) for rule in pack.rules)
        for item, (recipient, model) in product(items, _recipients(pack, treaties, day, asked)):
            facts = {**item, **recipient(item.get("offence.codes"))}
            key = (in_force, model, tuple(facts[name] for name in asked))
            if key not in seen:
                seen.add(key)
                held = (
                    rule.when.evaluate(facts) if on else False for rule, on in zip(pack.rules, in_force, strict=True)
                )
                vectors.add((model, tuple(held)))
    return Brute(pack, frozenset(vectors))


def _days(pack: Pack, treaties: TreatyTable) -> list[dt.date]:
    days = {rule.valid.start for rule in pack.rules} | {one.date for one in pack.assessments}
    periods = [rule.valid for rule in pack.rules] + [one.valid for one in pack.bilateral.values()]
    for instrument in treaties.instruments.values():
        periods += instrument.parties.values()
        days |= {instrument.in_force} if instrument.in_force else set()
    for members in treaties.memberships.values():
        periods += members.values()
    days |= {period.start for period in periods}
    days |= {period.end + dt.timedelta(days=1) for period in periods if period.end}
    first = min(rule.valid.start for rule in pack.rules)
    return sorted(day for day in days if day >= first)


def _recipients(pack: Pack, treaties: TreatyTable, day: dt.date, asked: Sequence[str]) -> Iterator[Any]:
    authorities = ["POLICE", "COURT", "TAX", "UNKNOWN"] if "recipient.authority" in asked else ["POLICE"]
    dual = "recipient.dual_criminality" in asked
    seen: set[Any] = set()
    for authority in authorities:
        law = DisclosureFilter(pack, treaties, day, dict.fromkeys(STATES, authority))
        for state, named in product(sorted(set(STATES) - {pack.state}), (True, False)):
            facts = law.profile(state, None, named=named).facts
            key = tuple(facts[name] for name in [*asked, "condition_model"] if name in facts)
            if key in seen and not dual:
                continue
            seen.add(key)

            def known(codes: FactValue, state: str = state, named: bool = named, law: Any = law) -> Any:
                return law.profile(state, codes if dual else None, named=named).facts

            yield known, facts["condition_model"]


def _items(asked: Sequence[str], pack: Pack) -> Iterator[Mapping[str, FactValue]]:
    """Yield the facts of every record, as they are read from it."""
    names = {name for name in asked if FACTS[name].scope is FactScope.INDICATOR} | (
        {"offence.codes"} if "recipient.dual_criminality" in asked else set()
    )
    dims: list[list[dict[str, FactValue]]] = []
    if names & {"collection", "origin.state", "origin.foreign"}:
        dims.append(list(_origins(pack)))
    if names & {"grading.source", "grading.information"}:
        grades: list[dict[str, FactValue]] = [
            {"grading.source": s, "grading.information": n} for s in "ABCX" for n in (1, 2, 3, 4)
        ]
        dims.append([*grades, {"grading.source": None, "grading.information": None}])
    joint = {"collection", "origin.state", "origin.foreign", "grading.source", "grading.information"}
    dims += [[{name: value} for value in _values(name)] for name in sorted(names - joint)]
    for chosen in product(*dims):
        yield {name: value for part in chosen for name, value in part.items()}


def _origins(pack: Pack) -> Iterator[dict[str, FactValue]]:
    for state, collection in product([None, "FR", "US", "CH", "JP"], [*FACTS["collection"].values, "UNKNOWN"]):
        record = {"origin": {"state": state}, "source": {"state": pack.state}, "collection": collection}
        facts = {}
        for name in ("collection", "origin.state", "origin.foreign"):
            read = FACTS[name].read
            assert read is not None
            facts[name] = FACTS[name].interpret(read(record, 0))
        yield facts


def _values(name: str) -> Iterator[FactValue]:
    fact = FACTS[name]
    if name not in NEVER_UNKNOWN:
        yield None
    if fact.kind is FactKind.NUMBER:
        yield from (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 4.5, 5.0, 50.0, 100.0)
    elif fact.kind is FactKind.SEVERAL:
        few = (
            ["ILLEGAL_ACCESS", "LAUNDERING", "COPYRIGHT", "ICT_FORGERY"]
            if name == "offence.codes"
            else sorted(fact.values)
        )
        for size in range(1 if name == "offence.codes" else 0, len(few) + 1):
            yield from map(frozenset, combinations(few, size))
    else:
        yield from sorted(fact.values)
