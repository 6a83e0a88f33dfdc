"""The domestic-law disclosure filter: one pack, on one day, with one version of the directory.

A decision depends only on the facts that the pack asks for, on why each State is considered, and on the
directory; so it is remembered under exactly those. The memo changes no result: a filter with an empty memo
decides the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sharing.law.combine import RuleFinding, combine_terms
from sharing.law.fact_reader import FactReader, RawFacts
from sharing.law.facts import FACTS, Facts, FactScope, FactValue
from sharing.law.pack import Pack, Rule
from sharing.law.recipients import RecipientBook, TreatyBasis
from sharing.law.rulebook import Answers, ItemRules, RuleBook, named_states
from sharing.law.treaties import TreatyTable
from sharing.model.audience import Audience
from sharing.model.decision import Reason, RecipientDecision, Terms, Verdict, most_open
from sharing.model.record import WireRecord
from sharing.model.vocabulary import RelevanceKind

__all__ = [
    "MEMO_ENTRIES_MAX",
    "PROFILES_MAX",
    "DisclosureFilter",
    "FactReader",
    "RawFacts",
    "RecipientProfile",
    "named_states",
]

MEMO_ENTRIES_MAX = 20_000
"""A bound against a flood of items of which none is like another: some 50 MB. The memo is then begun anew."""

PROFILES_MAX = 20_000
"""A bound against a flood of combinations of offences, each of which is looked up for each State: some 40 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class RecipientKind:
    """Recipients of one kind have this basis and answer every test of the pack so: one decision serves them all.

    Compared by identity.
    """

    basis: TreatyBasis
    answers: Answers


class RecipientProfile(NamedTuple):
    """What is known of one recipient.

    Attributes:
        facts: Recipient facts and facts of the moment.
        basis: The treaty basis.
        kind: Shared with all recipients that the pack does not tell apart.
    """

    facts: Facts
    basis: TreatyBasis
    kind: RecipientKind


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
    reader: FactReader = field(init=False)
    _book: RuleBook = field(init=False)
    _recipients: RecipientBook = field(init=False)
    _memo: dict[Hashable, Verdict] = field(init=False, default_factory=dict)
    _profiles: dict[Hashable, RecipientProfile] = field(init=False, default_factory=dict)
    _kinds: dict[Hashable, RecipientKind] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._book = RuleBook(self.pack.rules_on(self.day), self.rule_errors)
        self._recipients = RecipientBook(self.pack, self.treaties, self.day, self.authorities)
        # Dual criminality is looked up by the offence codes, so these are always read.
        asked = {"offence.codes", *(test.fact for test in self._book.tests)}
        self.reader = FactReader(f for f in FACTS.values() if f.scope is FactScope.INDICATOR and f.name in asked)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force, in the order of their ids."""
        return self._book.rules

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the indicator facts that a decision depends on."""
        return tuple(fact.name for fact in self.reader.facts)

    def decide(self, record: WireRecord, audience: Audience, now_ms: int) -> Verdict:
        """Decide for every considered State.

        Args:
            record: The indicator's record.
            audience: The States to consider, and why; the agency's named ones are those with a stated nexus.
            now_ms: The instant, in UTC milliseconds; its day must be the filter's.

        Returns:
            What each considered State gets, obliged ones included. Alike items share one verdict.
        """
        return self.decide_read(self.reader.read(record, now_ms), audience)

    def decide_read(self, raw: RawFacts, audience: Audience) -> Verdict:
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

    def item_facts(self, record: WireRecord, now_ms: int) -> dict[str, FactValue]:
        """Return the indicator facts that the pack asks for."""
        return self._interpret(self.reader.read(record, now_ms))

    def findings(self, item: Facts, recipient: Facts) -> list[RuleFinding]:
        """Return the rules that hold or cannot be decided for one recipient, in the order of their ids."""
        return self._book.examine({**item, **recipient})

    def profile(self, state: str, codes: FactValue, *, named: bool) -> RecipientProfile:
        """Return what is known of one recipient, for an item with these offence codes that names it or does not."""
        key = (state, codes, named)
        found = self._profiles.get(key)
        if found is None:
            stated = codes if isinstance(codes, frozenset) else None
            facts, basis = self._recipients.look_up(state, named=named, codes=stated)
            if len(self._profiles) >= PROFILES_MAX:
                self._profiles.clear()
                self._kinds.clear()
            answers = self._book.answer(facts)
            kind = self._kinds.setdefault((basis, answers), RecipientKind(basis, answers))
            found = self._profiles[key] = RecipientProfile(facts, basis, kind)
        return found

    def _interpret(self, raw: RawFacts) -> dict[str, FactValue]:
        values = (value for part in raw for value in part)
        return {fact.name: fact.interpret(value) for fact, value in zip(self.reader.facts, values, strict=True)}

    def _decide(self, raw: RawFacts, audience: Audience) -> Verdict:
        item = self._interpret(raw)
        codes = item["offence.codes"]
        rules = self._book.settle(item)
        considered = dict(audience.states)
        considered.pop(self.pack.state, None)
        obliged = self._obliged(rules, item, considered)
        if obliged:
            for state, reason in obliged:
                considered[state] = (*considered.get(state, ()), reason)
            considered = dict(sorted(considered.items()))
        alike: dict[RecipientKind, Terms] = {}
        same: dict[Hashable, Terms] = {}
        terms = []
        known = self._profiles.get
        for state in considered:
            named = state in audience.named
            profile = known((state, codes, named)) or self.profile(state, codes, named=named)
            found = alike.get(profile.kind)
            if found is None:
                findings = rules.find(profile.kind.answers, profile.facts)
                follows = (profile.basis, *map(id, findings))
                found = same.get(follows)
                if found is None:
                    found = same[follows] = combine_terms(findings, profile.basis)
                alike[profile.kind] = found
            terms.append(found)
        decisions = map(RecipientDecision, considered, considered.values(), terms)
        return Verdict(tuple(decisions), most_open(found.outcome for found in same.values()))

    def _obliged(self, rules: ItemRules, item: Facts, considered: Mapping[str, Any]) -> list[tuple[str, Reason]]:
        """Return the States that a rule obliges to send to by name, where nothing else made them relevant."""
        found = []
        for rule, state in rules.obligations():
            if state in considered or state == self.pack.state:
                continue
            facts = self.profile(state, item["offence.codes"], named=False).facts
            finding = self._book.examine_rule(rule, {**item, **facts})
            if finding is not None and finding.held:
                found.append((state, Reason(RelevanceKind.OBLIGATION, rule.id)))
        return found
