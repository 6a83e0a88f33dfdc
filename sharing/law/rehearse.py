"""Rehearsing an amendment: what recorded items would get under another pack, tallied State by State, rule by rule.

Both laws decide at one instant, with one directory and for the same audiences. Alike items share a verdict under
each law, so they are counted by pairs of verdicts, and each pair is compared once. What is kept of an item is its id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import NamedTuple

from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack, Rule
from sharing.model.audience import Audience
from sharing.model.decision import RecipientDecision, Verdict
from sharing.model.record import WireRecord
from sharing.model.vocabulary import Outcome

PAIRS_MAX = 10_000
"""A bound against a flood of items of which none is like another; what was counted is then compared, and let go."""

Pair = tuple[Verdict, Verdict]
"""Under the current law, and under the candidate."""

NOT_CONSIDERED = "NOT CONSIDERED"
"""In the place of an outcome: only a rule that obliges to send brings a State into consideration, or no longer."""


class Aspect(StrEnum):
    """What, besides the outcome, may change for a State."""

    CONDITION = "condition"
    APPROVER = "approver"
    REDACTION = "field"
    BASIS = "treaty basis"
    MODEL = "conditions bind"
    OBLIGATION = "duty to send"
    FACT = "fact"
    EFFECT = "effect of"
    CITATION = "citation of"


class Shift(NamedTuple):
    """A State's outcome before and after; `altered` tells whether anything changes for it at all."""

    before: str
    after: str
    altered: bool


class TermChange(NamedTuple):
    """One aspect that changes: of which condition, field, fact or rule, and from what to what ("": nothing)."""

    aspect: Aspect
    name: str
    before: str
    after: str


@dataclass(slots=True)
class ShiftTally:
    """How many items, and the ids of a few."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, count: int, ids: list[str], examples_max: int) -> None:
        """Count items alike, of which some ids are known."""
        self.count += count
        for identity in ids:  # an item may come again, for another State
            if len(self.examples) < examples_max and identity not in self.examples:
                self.examples.append(identity)


@dataclass(slots=True)
class RuleTally:
    """How often a rule makes an outcome for a State, before and after; where it comes to, and where it ceases to."""

    before: int = 0
    after: int = 0
    comes: ShiftTally = field(default_factory=ShiftTally)
    ceases: ShiftTally = field(default_factory=ShiftTally)


@dataclass(slots=True)
class Difference:
    """What an amendment would change.

    Attributes:
        items: How many were rehearsed.
        altered: For how many of them anything changes for any State.
        outcomes: Items by the outcome under which each counts, before and after.
        states: For each State, items by what becomes of them.
        rules: For each rule that makes an outcome, how often: once for an item and a State.
        terms: What else changes, once for an item and a State.
    """

    items: int = 0
    altered: int = 0
    outcomes: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    states: dict[str, dict[Shift, ShiftTally]] = field(default_factory=dict)
    rules: dict[str, RuleTally] = field(default_factory=dict)
    terms: dict[TermChange, ShiftTally] = field(default_factory=dict)


class Rehearsal:
    """Replays items under two laws.

    Args:
        before: The current law, on the day of the rehearsal.
        after: The candidate, on the same day and with the same directory.
        examples_max: How many ids are kept for each change.
    """

    def __init__(self, before: DisclosureFilter, after: DisclosureFilter, examples_max: int = 3) -> None:
        self._before = before
        self._after = after
        self._examples_max = examples_max
        self._reads_alike = before.reader.facts == after.reader.facts
        self._pairs: dict[Pair, ShiftTally] = {}
        self._difference = Difference()

    def replay(self, record: WireRecord, audience: Audience, now_ms: int) -> None:
        """Decide on one item under both laws, and count."""
        self.count(self.decide(record, audience, now_ms), record["id"])

    def decide(self, record: WireRecord, audience: Audience, now_ms: int) -> Pair:
        """Decide on one item under both laws; alike items get the same pair."""
        raw = self._before.reader.read(record, now_ms)
        again = raw if self._reads_alike else self._after.reader.read(record, now_ms)
        return self._before.decide_read(raw, audience), self._after.decide_read(again, audience)

    def count(self, pair: Pair, identity: str) -> None:
        """Count an item by what was decided on it."""
        tally = self._pairs.get(pair)
        if tally is None:
            if len(self._pairs) >= PAIRS_MAX:
                self._compare_pairs()
            tally = self._pairs[pair] = ShiftTally()
        tally.count += 1
        if len(tally.examples) < self._examples_max:
            tally.examples.append(identity)

    def difference(self) -> Difference:
        """Return what the items replayed so far tell."""
        self._compare_pairs()
        return self._difference

    def _compare_pairs(self) -> None:
        for (before, after), tally in self._pairs.items():
            self._compare(before, after, tally)
        self._pairs.clear()

    def _compare(self, before: Verdict, after: Verdict, tally: ShiftTally) -> None:
        total = self._difference
        total.items += tally.count
        total.outcomes[before.outcome, after.outcome] += tally.count
        now = {one.state: one for one in before.recipients}
        then = {one.state: one for one in after.recipients}
        any_altered = False
        for state in sorted(now.keys() | then.keys()):
            old, new = now.get(state), then.get(state)
            altered = terms_of(old) != terms_of(new)
            any_altered = any_altered or altered
            shift = Shift(_outcome(old), _outcome(new), altered)
            self._count(total.states.setdefault(state, {}).setdefault(shift, ShiftTally()), tally)
            self._count_rules(old, new, tally)
            if altered:
                for change in _term_changes(old, new):
                    self._count(total.terms.setdefault(change, ShiftTally()), tally)
        total.altered += tally.count if any_altered else 0

    def _count_rules(self, old: RecipientDecision | None, new: RecipientDecision | None, tally: ShiftTally) -> None:
        now, then = _rule_ids(old), _rule_ids(new)
        for rule in sorted(now | then):
            found = self._difference.rules.setdefault(rule, RuleTally())
            found.before += tally.count if rule in now else 0
            found.after += tally.count if rule in then else 0
            if rule not in now:
                self._count(found.comes, tally)
            elif rule not in then:
                self._count(found.ceases, tally)

    def _count(self, total: ShiftTally, tally: ShiftTally) -> None:
        total.add(tally.count, tally.examples, self._examples_max)


def terms_of(decision: RecipientDecision | None) -> tuple[object, ...]:
    """Return all that a decision gives a State, whichever State it is and why ever it was considered."""
    if decision is None:
        return ()
    return (
        decision.outcome, decision.basis, decision.condition_model, decision.rules, decision.undecided,
        decision.conditions, decision.approver, decision.obligation, decision.redacted,
    )  # fmt: skip


class RuleEdit(NamedTuple):
    """A rule in force that two packs have differently: `new`, `gone`, or the names of what was altered."""

    id: str
    what: tuple[str, ...]


def compare_rules(before: DisclosureFilter, after: DisclosureFilter) -> list[RuleEdit]:
    """Return how the rules in force differ, in the order of their ids. What applies is not asked."""
    now = {rule.id: rule for rule in before.rules}
    then = {rule.id: rule for rule in after.rules}
    edits = []
    for name in sorted(now.keys() | then.keys()):
        if name not in now or name not in then:
            edits.append(RuleEdit(name, ("new" if name in then else "gone",)))
        elif now[name] != then[name]:
            old, new = now[name], then[name]
            names = (part.name for part in fields(Rule))
            edits.append(RuleEdit(name, tuple(part for part in names if getattr(old, part) != getattr(new, part))))
    return edits


def compare_rest(before: DisclosureFilter, after: DisclosureFilter) -> list[str]:
    """Return what else of two laws can decide and differs, by the names that a pack gives it."""
    names = ("treaty_preference", "bilateral", "approvers", "assessments")
    differing = [name for name in names if _of(before.pack, name) != _of(after.pack, name)]
    return [*differing, *(["treaty table"] if before.treaties != after.treaties else [])]


def _of(pack: Pack, name: str) -> object:
    value = getattr(pack, name)
    return dict(value) if isinstance(value, dict) else value


def _outcome(decision: RecipientDecision | None) -> str:
    return NOT_CONSIDERED if decision is None else str(decision.outcome)


def _rule_ids(decision: RecipientDecision | None) -> set[str]:
    return set() if decision is None else {rule.id for rule in decision.rules}


def _term_changes(old: RecipientDecision | None, new: RecipientDecision | None) -> Iterator[TermChange]:
    """Yield each aspect that differs; a State that is not considered has none."""
    now, then = _terms(old), _terms(new)
    for key in sorted(now.keys() | then.keys()):
        before, after = now.get(key, ""), then.get(key, "")
        # A rule that comes or ceases is counted among the rules.
        if before != after and (key[0] not in {Aspect.EFFECT, Aspect.CITATION} or (before and after)):
            yield TermChange(*key, before, after)


def _terms(decision: RecipientDecision | None) -> dict[tuple[Aspect, str], str]:
    if decision is None:
        return {}
    terms = {(Aspect.CONDITION, one.code): f"({one.kind}) {one.text}" for one in decision.conditions}
    terms |= {(Aspect.REDACTION, name): "taken out" for name in decision.redacted}
    terms |= {(Aspect.FACT, entry.fact): "missing" for entry in decision.undecided}
    terms |= {(Aspect.EFFECT, rule.id): str(rule.effect) for rule in decision.rules}
    terms |= {(Aspect.CITATION, rule.id): rule.citation for rule in decision.rules}
    terms[Aspect.APPROVER, ""] = decision.approver or ""
    terms[Aspect.BASIS, ""] = decision.basis or ""
    terms[Aspect.MODEL, ""] = str(decision.condition_model or "")
    terms[Aspect.OBLIGATION, ""] = "yes" if decision.obligation else ""
    return terms
