"""The domestic-law disclosure filter: one pack, on one day, with one version of the directory.

A decision depends only on the facts that the pack asks for, on why each State is considered, and on the
directory; so it is remembered under exactly those. The memo changes no result: a filter with an empty memo
decides the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from sharing.law.combine import Finding, combine_terms
from sharing.law.constraints import Conjunction, Operator, Test
from sharing.law.facts import FACTS, FactValue, Record, Scope
from sharing.law.pack import Pack, Rule
from sharing.law.recipients import RecipientBook, TreatyBasis
from sharing.law.record_reader import Raw, RawReader
from sharing.law.treaties import TreatyTable
from sharing.model.audience import Audience
from sharing.model.decision import Reason, RecipientDecision, Terms, Verdict, most_open
from sharing.model.vocabulary import Effect, RelevanceKind

MEMO_ENTRIES_MAX = 20_000
"""A bound against a flood of items of which none is like another: some 50 MB. The memo is then begun anew."""

PROFILES_MAX = 20_000
"""A bound against a flood of combinations of offences, each of which is looked up for each State: some 40 MB."""


class Profile(NamedTuple):
    """What is known of one recipient.

    Attributes:
        facts: Recipient facts and facts of the moment.
        basis: The treaty basis.
        kind: Recipients of the same kind answer every test of the pack alike, so one decision serves them all.
    """

    facts: Mapping[str, FactValue]
    basis: TreatyBasis
    kind: int


class Entry(NamedTuple):
    """A rule in force, or what an item leaves of it.

    Attributes:
        when: What has still to hold.
        settled: By part of `when`: it asks about the item alone, so that it is the same for all recipients.
        names: The States that it obliges to send to.
    """

    rule: Rule
    when: Conjunction
    settled: tuple[bool, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, rule: Rule) -> Entry:
        """Return a rule's entry, before any item comes."""
        settled = tuple(all(_about_item(test) for test in part.tests()) for part in rule.when.parts)
        return cls(rule, rule.when, settled, named_states(rule))

    def open(self, item: Mapping[str, FactValue]) -> Entry | None:
        """Return what an item leaves of it: without the parts that hold; None when a part does not."""
        left = []
        parts = iter(zip(self.when.parts, self.settled, strict=True))
        for part, settled in parts:
            if settled:
                try:
                    held = part.evaluate(item)
                except Exception:  # noqa: BLE001 examined again, and counted, for each kind of recipient
                    left += [part, *(other for other, _ in parts)]
                    break
                if held is False:
                    return None
                if held:
                    continue
            left.append(part)
        return Entry(self.rule, Conjunction(tuple(left)), (), self.names)


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
    _entries: tuple[Entry, ...] = field(init=False)
    _tests: tuple[Test, ...] = field(init=False)
    _book: RecipientBook = field(init=False)
    _memo: dict[Hashable, Verdict] = field(init=False, default_factory=dict)
    _profiles: dict[Hashable, Profile] = field(init=False, default_factory=dict)
    _kinds: dict[Hashable, int] = field(init=False, default_factory=dict)
    _numbers: Iterator[int] = field(init=False, default_factory=count)

    def __post_init__(self) -> None:
        self._entries = tuple(Entry.of(rule) for rule in self.pack.rules_on(self.day))
        tests = tuple(dict.fromkeys(test for entry in self._entries for test in entry.rule.when.tests()))
        # Dual criminality is looked up by the offence codes, so these are always read.
        asked = {"offence.codes", *(test.fact for test in tests)}
        self.reader = RawReader(f for f in FACTS.values() if f.scope is Scope.INDICATOR and f.name in asked)
        self._tests = tuple(test for test in tests if not _about_item(test))
        self._book = RecipientBook(self.pack, self.treaties, self.day, self.authorities)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force, in the order of their ids."""
        return tuple(entry.rule for entry in self._entries)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the indicator facts that a decision depends on."""
        return tuple(fact.name for fact in self.reader.facts)

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
        return self._examine(self._entries, {**item, **recipient})

    def profile(self, state: str, codes: FactValue, *, named: bool) -> Profile:
        """Return what is known of one recipient, for an item with these offence codes that names it or does not."""
        key = (state, codes, named)
        found = self._profiles.get(key)
        if found is None:
            facts, basis = self._book.look_up(state, named=named, codes=codes if isinstance(codes, frozenset) else None)
            if len(self._profiles) >= PROFILES_MAX:
                self._profiles.clear()
                self._kinds.clear()
            # Numbers are never given twice, so that a decision in which both are cleared confuses no two kinds.
            kind = self._kinds.setdefault((basis, self._answers(facts)), next(self._numbers))
            found = self._profiles[key] = Profile(facts, basis, kind)
        return found

    def _answers(self, facts: Mapping[str, FactValue]) -> Hashable:
        """Return how the pack's tests on recipients come out; where one fails, the facts themselves."""
        try:
            return tuple(test.evaluate(facts) for test in self._tests)
        except Exception:  # noqa: BLE001 examined, and counted, with the rule that it belongs to
            return facts["recipient.state"]

    def _interpret(self, raw: Raw) -> dict[str, FactValue]:
        values = (value for part in raw for value in part)
        return {fact.name: fact.interpret(value) for fact, value in zip(self.reader.facts, values, strict=True)}

    def _decide(self, raw: Raw, audience: Audience) -> Verdict:
        item = self._interpret(raw)
        codes = item["offence.codes"]
        left = self._settle(item)
        considered = dict(audience.states)
        considered.pop(self.pack.state, None)
        obliged = self._obliged(left, item, considered)
        if obliged:
            for state, reason in obliged:
                considered[state] = (*considered.get(state, ()), reason)
            considered = dict(sorted(considered.items()))
        alike: dict[int, Terms] = {}
        terms = []
        known = self._profiles.get
        for state in considered:
            named = state in audience.named
            profile = known((state, codes, named)) or self.profile(state, codes, named=named)
            found = alike.get(profile.kind)
            if found is None:
                findings = self._examine(left, {**item, **profile.facts})
                found = alike[profile.kind] = combine_terms(findings, profile.basis)
            terms.append(found)
        decisions = map(RecipientDecision, considered, considered.values(), terms)
        return Verdict(tuple(decisions), most_open(found.outcome for found in alike.values()))

    def _settle(self, item: Mapping[str, FactValue]) -> list[Entry | Finding]:
        """Return what an item alone leaves of the rules: findings that are every recipient's, and open rules."""
        left: list[Entry | Finding] = []
        for entry in self._entries:
            if all(entry.settled):
                left += self._examine((entry,), item)
            else:
                rest = entry.open(item)
                if rest is not None:
                    left.append(rest)
        return left

    def _examine(self, left: Iterable[Entry | Finding], facts: Mapping[str, FactValue]) -> list[Finding]:
        """Return the rules that hold or cannot be decided; what is found already stays."""
        findings: list[Finding] = []
        for entry in left:
            if isinstance(entry, Finding):
                findings.append(entry)
                continue
            rule = entry.rule
            try:
                held = entry.when.evaluate(facts)
                missing = tuple(dict.fromkeys(entry.when.missing(facts))) if held is None else ()
            except Exception:  # noqa: BLE001 whatever failed, a rule that failed withholds
                self.rule_errors[rule.id] = self.rule_errors.get(rule.id, 0) + 1
                held, missing = None, ("error",)
            if held is not False:
                findings.append(Finding(rule, held, missing))
        return findings

    def _obliged(
        self, left: Iterable[Entry | Finding], item: Mapping[str, FactValue], considered: Mapping[str, Any]
    ) -> list[tuple[str, Reason]]:
        """Return the States that a rule obliges to send to by name, where nothing else made them relevant."""
        found = []
        for entry in left:
            if isinstance(entry, Finding):  # about the item alone: it names no State
                continue
            for state in entry.names:
                if state in considered or state == self.pack.state:
                    continue
                facts = self.profile(state, item["offence.codes"], named=False).facts
                if any(finding.held for finding in self._examine((entry,), {**item, **facts})):
                    found.append((state, Reason(RelevanceKind.OBLIGATION, entry.rule.id)))
        return found


def _about_item(test: Test) -> bool:
    return FACTS[test.fact].scope is Scope.INDICATOR


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
