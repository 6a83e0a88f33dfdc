"""The domestic-law disclosure filter: one pack, on one day, with one version of the directory.

A decision depends only on the facts that the pack asks for, on why each State is considered, and on the
directory; so it is remembered under exactly those. The memo changes no result: a filter with an empty memo
decides the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from sharing.law.combine import Finding, combine
from sharing.law.constraints import Operator, Test
from sharing.law.facts import FACTS, Fact, FactValue, Record, Scope
from sharing.law.pack import Pack, Rule
from sharing.law.recipients import TreatyBasis, choose_basis, recipient_facts
from sharing.law.treaties import TreatyTable
from sharing.model.audience import Audience
from sharing.model.decision import Reason, RecipientDecision, Verdict
from sharing.model.vocabulary import Effect, RelevanceKind

MEMO_ENTRIES_MAX = 20_000
"""A bound against a flood of items of which none is like another: some 50 MB. The memo is then begun anew."""

PROFILES_MAX = 20_000
"""A bound against a flood of combinations of offences, each of which is looked up for each State: some 40 MB."""

Raw = tuple[tuple[Hashable, ...], ...]
"""What is read of a record, in the order of the reader's facts: the key under which a verdict is remembered."""


class RawReader:
    """Reads some facts of records: plain fields together, then what is worked out, then the officer's findings.

    Attributes:
        facts: In the order in which they are read.
    """

    def __init__(self, facts: Iterable[Fact]) -> None:
        wanted = list(facts)
        direct = [fact for fact in wanted if fact.direct]
        findings = [fact for fact in wanted if fact.name.startswith("findings.")]
        derived = [fact for fact in wanted if fact not in direct and fact not in findings]
        self.facts = (*direct, *derived, *findings)
        # Two names at least, so that the getter always gives a tuple.
        names = [fact.name for fact in direct]
        self._direct = itemgetter(*names) if len(names) > 1 else lambda record: tuple(record[name] for name in names)
        self._derived = [fact.read for fact in derived if fact.read is not None]
        self._findings = [fact.name.removeprefix("findings.") for fact in findings]
        self._no_findings = (None,) * len(findings)

    def read(self, record: Record, now_ms: int) -> Raw:
        """Return what a record says, at an instant in UTC milliseconds."""
        stated = record["findings"]
        return (
            self._direct(record),
            tuple([read(record, now_ms) for read in self._derived]),
            tuple([stated.get(name) for name in self._findings]) if stated else self._no_findings,
        )


class Profile(NamedTuple):
    """What is known of one recipient.

    Attributes:
        facts: Recipient facts and facts of the moment.
        basis: The treaty basis.
        kind: Recipients of the same kind answer every test of the pack alike, so one decision serves them all.
    """

    facts: Mapping[str, FactValue]
    basis: TreatyBasis
    kind: Hashable


@dataclass(slots=True)
class DisclosureFilter:
    """Decides under one pack on one day.

    Attributes:
        pack: The providing State's law.
        treaties: Who is bound by what.
        day: The UTC day whose law applies.
        authorities: State to the kind of its receiving authority, from the directory.
        rule_errors: How often the evaluation of each rule failed; such a rule withholds.
        reader: Reads of a record what a decision depends on.
    """

    pack: Pack
    treaties: TreatyTable
    day: dt.date
    authorities: Mapping[str, str]
    rule_errors: dict[str, int] = field(default_factory=dict)
    reader: RawReader = field(init=False)
    _rules: tuple[Rule, ...] = field(init=False)
    _reads: tuple[Fact, ...] = field(init=False)
    _memo: dict[Hashable, Verdict] = field(init=False, default_factory=dict)
    _profiles: dict[Hashable, Profile] = field(init=False, default_factory=dict)
    _tests: tuple[Test, ...] = field(init=False)

    def __post_init__(self) -> None:
        self._rules = self.pack.rules_on(self.day)
        asked = {name for rule in self._rules for name in rule.when.names()}
        # Dual criminality is looked up by the offence codes, so these are always read.
        asked |= {"offence.codes"}
        self._reads = tuple(fact for fact in FACTS.values() if fact.scope is Scope.INDICATOR and fact.name in asked)
        self.reader = RawReader(self._reads)
        self._reads = self.reader.facts
        tests = (test for rule in self._rules for test in rule.when.tests())
        self._tests = tuple(dict.fromkeys(test for test in tests if FACTS[test.fact].scope is not Scope.INDICATOR))

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force, in the order of their ids."""
        return self._rules

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the indicator facts that a decision depends on."""
        return tuple(fact.name for fact in self._reads)

    def decide(self, record: Record, audience: Audience, now_ms: int) -> Verdict:
        """Decide for every considered State.

        Args:
            record: The indicator's record.
            audience: The States to consider, and why; the agency's named ones are those with a stated nexus.
            now_ms: The instant, in UTC milliseconds; its day must be the filter's.

        Returns:
            What each considered State gets, obliged ones included. Alike items share one verdict.
        """
        return self.decide_read(self.reader.read(record, now_ms), audience)

    def decide_read(self, raw: Raw, audience: Audience) -> Verdict:
        """Decide, as `decide` does, for what `reader` has read of a record already."""
        key = (raw, audience)
        decided = self._memo.get(key)
        if decided is None:
            decided = self._decide(raw, audience)
            if len(self._memo) >= MEMO_ENTRIES_MAX:
                self._memo.clear()
            self._memo[key] = decided
        return decided

    def forget(self) -> None:
        """Forget every verdict. Nothing is decided differently; it only takes longer once."""
        self._memo.clear()

    def item_facts(self, record: Record, now_ms: int) -> dict[str, FactValue]:
        """Return the indicator facts that the pack asks for."""
        return self._interpret(self.reader.read(record, now_ms))

    def findings(self, item: Mapping[str, FactValue], recipient: Mapping[str, FactValue]) -> list[Finding]:
        """Return the rules that hold or cannot be decided for one recipient, in the order of their ids."""
        return self._examine(self._rules, {**item, **recipient})

    def profile(self, state: str, codes: FactValue, *, named: bool) -> Profile:
        """Return what is known of one recipient, for an item with these offence codes that names it or does not."""
        key = (state, codes, named)
        found = self._profiles.get(key)
        if found is None:
            facts = recipient_facts(
                self.pack,
                self.treaties,
                self.day,
                state,
                authority=self.authorities.get(state),
                named=named,
                codes=codes if isinstance(codes, frozenset) else None,
            )
            basis, _ = choose_basis(self.pack, self.treaties, state, self.day)
            if len(self._profiles) >= PROFILES_MAX:
                self._profiles.clear()
            found = self._profiles[key] = Profile(facts, basis, (basis, self._answers(facts)))
        return found

    def _answers(self, facts: Mapping[str, FactValue]) -> Hashable:
        """Return how the pack's tests on recipients come out; where one fails, the facts themselves."""
        try:
            return tuple(test.evaluate(facts) for test in self._tests)
        except Exception:  # noqa: BLE001 examined, and counted, with the rule that it belongs to
            return facts["recipient.state"]

    def _interpret(self, raw: Raw) -> dict[str, FactValue]:
        values = (value for part in raw for value in part)
        return {fact.name: fact.interpret(value) for fact, value in zip(self._reads, values, strict=True)}

    def _decide(self, raw: Raw, audience: Audience) -> Verdict:
        item = self._interpret(raw)
        # Rules that the item alone rules out are out for every recipient.
        candidates = [rule for rule in self._rules if not _excluded(rule, item)]
        considered = {state: reasons for state, reasons in audience.states if state != self.pack.state}
        for state, reason in self._obliged(candidates, item, considered):
            considered[state] = (*considered.get(state, ()), reason)
        alike: dict[Hashable, RecipientDecision] = {}
        decisions = []
        for state in sorted(considered):
            reasons = considered[state]
            named = any(reason.kind is RelevanceKind.NEXUS_STATED for reason in reasons)
            profile = self.profile(state, item["offence.codes"], named=named)
            model = alike.get(profile.kind)
            if model is None:
                findings = self._examine(candidates, {**item, **profile.facts})
                model = alike[profile.kind] = combine(state, findings, profile.basis, reasons)
            decisions.append(model.to(state, reasons))
        return Verdict.of(tuple(decisions))

    def _examine(self, rules: Sequence[Rule], facts: Mapping[str, FactValue]) -> list[Finding]:
        findings = []
        for rule in rules:
            try:
                held = rule.when.evaluate(facts)
                missing = tuple(dict.fromkeys(rule.when.missing(facts))) if held is None else ()
            except Exception:  # noqa: BLE001 whatever failed, a rule that failed withholds
                self.rule_errors[rule.id] = self.rule_errors.get(rule.id, 0) + 1
                held, missing = None, ("error",)
            if held is not False:
                findings.append(Finding(rule, held, missing))
        return findings

    def _obliged(
        self, rules: Sequence[Rule], item: Mapping[str, FactValue], considered: Mapping[str, Any]
    ) -> list[tuple[str, Reason]]:
        """Return the States that a rule obliges to send to by name, where nothing else made them relevant."""
        found = []
        for rule in rules:
            for state in named_states(rule):
                if state in considered or state == self.pack.state:
                    continue
                facts = self.profile(state, item["offence.codes"], named=False).facts
                if any(finding.held for finding in self._examine([rule], {**item, **facts})):
                    found.append((state, Reason(RelevanceKind.OBLIGATION, rule.id)))
        return found


def _excluded(rule: Rule, item: Mapping[str, FactValue]) -> bool:
    """Return whether a test on the item alone rules the rule out; one that fails to evaluate does not."""
    for part in rule.when.parts:
        if isinstance(part, Test) and part.fact in item:
            try:
                if part.evaluate(item) is False:
                    return True
            except Exception:  # noqa: BLE001 examined again, and counted, for each recipient
                return False
    return False


def named_states(rule: Rule) -> tuple[str, ...]:
    """Return the States that an OBLIGE rule names: only such a rule brings a State into consideration by itself."""
    if rule.effect is not Effect.OBLIGE:
        return ()
    for part in rule.when.parts:
        if (
            isinstance(part, Test)
            and part.fact == "recipient.state"
            and part.operator is Operator.ANY_OF
            and not part.negated
            and isinstance(part.operand, frozenset)
        ):
            return tuple(sorted(part.operand))
    return ()
