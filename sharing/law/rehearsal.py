"""Rehearses an amendment: decides recorded items under two packs, and counts the differences by State and by rule.

Both laws decide as of the same time, with the same directory and for the same audiences. Items with equal facts share a
verdict under each law, so they are counted by pairs of verdicts, and each pair is compared once. Only the id of an item
is retained.

Nothing is sent to a State without a competent authority under any law, so an amendment shows no effect for it. A
rehearsal can therefore supply authorities for States that have not announced any yet; States for which no authority was
competent even so are listed as untested.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import NamedTuple

from sharing.law.authorities import AuthoritiesByState
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack, Rule
from sharing.model.decision import RecipientDecision, Verdict
from sharing.model.directory import CompetentAuthority
from sharing.model.indicator_record import WireRecord
from sharing.model.vocabulary import Authority, Outcome
from sharing.relevance.audience import Audience

PAIRS_MAX = 10_000
"""Distinct pairs of verdicts that are counted before they are compared and released."""

VerdictPair = tuple[Verdict, Verdict]
"""The verdicts under the current law and under the candidate."""

NOT_CONSIDERED = "NOT CONSIDERED"
"""Replaces the outcome where one law does not consider a State, because only the other law obliges to send to it."""


class TermAspect(StrEnum):
    """A term of a decision that may change for a State, in addition to the outcome."""

    CONDITION = "condition"
    APPROVER = "approver"
    APPROVALS = "approvals"
    REDACTION = "field"
    BASIS = "treaty basis"
    CONDITION_MODEL = "conditions bind"
    OBLIGATION = "duty to send"
    AUTHORITY = "receiving authority"
    FACT = "fact"
    EFFECT = "effect of"
    CITATION = "citation of"


class OutcomeChange(NamedTuple):
    """A State's outcome before and after. `altered` is true if anything changes for the State."""

    before: str
    after: str
    altered: bool


class TermChange(NamedTuple):
    """The change of one term. `name` is the condition, field, fact or rule; an empty `before` or `after` means none."""

    aspect: TermAspect
    name: str
    before: str
    after: str


@dataclass(slots=True)
class ChangeTally:
    """A number of items, and the ids of a few of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, count: int, ids: list[str], examples_max: int) -> None:
        """Count equal items, some of whose ids are known."""
        self.count += count
        for item_id in ids:  # an item may have been counted before, for another State
            if len(self.examples) < examples_max and item_id not in self.examples:
                self.examples.append(item_id)


@dataclass(slots=True)
class RuleTally:
    """How often a rule determines an outcome, before and after; `added` and `removed` count where that changes."""

    before: int = 0
    after: int = 0
    added: ChangeTally = field(default_factory=ChangeTally)
    removed: ChangeTally = field(default_factory=ChangeTally)


@dataclass(slots=True)
class RehearsalSummary:
    """The changes that an amendment would make.

    Attributes:
        items: Number of rehearsed items.
        altered: Number of items for which anything changes for any State.
        outcomes: Items by the outcome of their verdict, before and after.
        states: For each State, items by the change of its outcome.
        rules: For each rule, how often it determines an outcome, counted for each item and State.
        terms: Changes of other terms, counted for each item and State.
        untested: For each State, items for which no authority is competent or known: withheld no matter what the laws
            say.
    """

    items: int = 0
    altered: int = 0
    outcomes: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    states: dict[str, dict[OutcomeChange, ChangeTally]] = field(default_factory=dict)
    rules: dict[str, RuleTally] = field(default_factory=dict)
    terms: dict[TermChange, ChangeTally] = field(default_factory=dict)
    untested: dict[str, ChangeTally] = field(default_factory=dict)


class Rehearsal:
    """Replays items under two laws.

    Args:
        before: The current law, on the day of the rehearsal.
        after: The candidate, on the same day and with the same directory.
        examples_max: How many ids of items are recorded for each change.
    """

    def __init__(self, before: DisclosureFilter, after: DisclosureFilter, examples_max: int = 3) -> None:
        self._before = before
        self._after = after
        self._examples_max = examples_max
        self._uses_same_facts = before.reader.facts == after.reader.facts
        self._pairs: dict[VerdictPair, ChangeTally] = {}
        self._summary = RehearsalSummary()

    def replay_item(self, record: WireRecord, audience: Audience, now_ms: int) -> None:
        """Decide on one item under both laws, and count the result."""
        self.count_pair(self.decide_pair(record, audience, now_ms), record["id"])

    def decide_pair(self, record: WireRecord, audience: Audience, now_ms: int) -> VerdictPair:
        """Decide on one item under both laws; items with equal facts get the same pair."""
        raw_before = self._before.reader.read_raw_facts(record, now_ms)
        raw_after = raw_before if self._uses_same_facts else self._after.reader.read_raw_facts(record, now_ms)
        return self._before.decide_raw(raw_before, audience), self._after.decide_raw(raw_after, audience)

    def count_pair(self, pair: VerdictPair, item_id: str) -> None:
        """Count an item by the verdicts on it."""
        tally = self._pairs.get(pair)
        if tally is None:
            if len(self._pairs) >= PAIRS_MAX:
                self._compare_pairs()
            tally = self._pairs[pair] = ChangeTally()
        tally.count += 1
        if len(tally.examples) < self._examples_max:
            tally.examples.append(item_id)

    def summarise(self) -> RehearsalSummary:
        """Return the summary of the items replayed so far."""
        self._compare_pairs()
        return self._summary

    def _compare_pairs(self) -> None:
        for (before, after), tally in self._pairs.items():
            self._compare_verdicts(before, after, tally)
        self._pairs.clear()

    def _compare_verdicts(self, before: Verdict, after: Verdict, tally: ChangeTally) -> None:
        summary = self._summary
        summary.items += tally.count
        summary.outcomes[before.outcome, after.outcome] += tally.count
        decisions_before = {decision.state: decision for decision in before.recipients}
        decisions_after = {decision.state: decision for decision in after.recipients}
        any_altered = False
        for state in sorted(decisions_before.keys() | decisions_after.keys()):
            old, new = decisions_before.get(state), decisions_after.get(state)
            altered = list_terms(old) != list_terms(new)
            any_altered = any_altered or altered
            change = OutcomeChange(_describe_outcome(old), _describe_outcome(new), altered)
            self._add_tally(summary.states.setdefault(state, {}).setdefault(change, ChangeTally()), tally)
            self._count_rules(old, new, tally)
            if all(decision is None or decision.to_authority is None for decision in (old, new)):
                self._add_tally(summary.untested.setdefault(state, ChangeTally()), tally)
            if altered:
                for term_change in _find_term_changes(old, new):
                    self._add_tally(summary.terms.setdefault(term_change, ChangeTally()), tally)
        summary.altered += tally.count if any_altered else 0

    def _count_rules(self, old: RecipientDecision | None, new: RecipientDecision | None, tally: ChangeTally) -> None:
        rules_before, rules_after = _list_rule_ids(old), _list_rule_ids(new)
        for rule in sorted(rules_before | rules_after):
            rule_tally = self._summary.rules.setdefault(rule, RuleTally())
            rule_tally.before += tally.count if rule in rules_before else 0
            rule_tally.after += tally.count if rule in rules_after else 0
            if rule not in rules_before:
                self._add_tally(rule_tally.added, tally)
            elif rule not in rules_after:
                self._add_tally(rule_tally.removed, tally)

    def _add_tally(self, total: ChangeTally, tally: ChangeTally) -> None:
        total.add(tally.count, tally.examples, self._examples_max)


def list_terms(decision: RecipientDecision | None) -> tuple[object, ...]:
    """Return the terms of a decision, without the State and the reasons why it was considered."""
    return () if decision is None else (decision.terms,)


_SUPPLIED_KINDS = tuple(kind for kind in Authority if kind not in {Authority.UNKNOWN, Authority.OTHER})


def supply_authorities(announced: AuthoritiesByState, states: Collection[str]) -> AuthoritiesByState:
    """Return the authorities of each State, supplied for those that have announced none.

    Such a State gets one authority of each kind, competent for everything. So an item is addressed to an authority of
    the sender's own kind, as everywhere else; one whose sender is unknown still has no known receiving authority.

    Args:
        announced: The authorities in the directory.
        states: The States that need some.
    """
    supplied = tuple(CompetentAuthority(name=f"Supplied ({kind})", kind=kind) for kind in _SUPPLIED_KINDS)
    return {**{state: supplied for state in states if state not in announced}, **announced}


class RuleEdit(NamedTuple):
    """A rule in force that differs between two packs. `changes` is `new`, `gone`, or names of changed attributes."""

    id: str
    changes: tuple[str, ...]


def compare_rules(before: DisclosureFilter, after: DisclosureFilter) -> list[RuleEdit]:
    """Return how the rules in force differ, sorted by id, whether or not they apply to any item."""
    rules_before = {rule.id: rule for rule in before.rules}
    rules_after = {rule.id: rule for rule in after.rules}
    edits = []
    for rule_id in sorted(rules_before.keys() | rules_after.keys()):
        old, new = rules_before.get(rule_id), rules_after.get(rule_id)
        if old is None or new is None:
            edits.append(RuleEdit(rule_id, ("new" if old is None else "gone",)))
        elif old != new:
            names = (attribute.name for attribute in fields(Rule) if attribute.init)  # the others follow from these
            changes = tuple(name for name in names if getattr(old, name) != getattr(new, name))
            edits.append(RuleEdit(rule_id, changes))
    return edits


def compare_supporting_data(before: DisclosureFilter, after: DisclosureFilter) -> list[str]:
    """Return the other parts of two laws that differ and can change decisions, by their names in a pack."""
    names = ("treaty_preference", "bilateral", "approvers", "assessments")
    differing = [name for name in names if _read_attribute(before.pack, name) != _read_attribute(after.pack, name)]
    return [*differing, *(["treaty table"] if before.treaties != after.treaties else [])]


def _read_attribute(pack: Pack, name: str) -> object:
    value = getattr(pack, name)
    return dict(value) if isinstance(value, dict) else value


def _describe_outcome(decision: RecipientDecision | None) -> str:
    return NOT_CONSIDERED if decision is None else str(decision.outcome)


def _list_rule_ids(decision: RecipientDecision | None) -> set[str]:
    return set() if decision is None else {rule.id for rule in decision.rules}


_COUNTED_ELSEWHERE = frozenset({TermAspect.EFFECT, TermAspect.CITATION, TermAspect.APPROVALS})


def _find_term_changes(old: RecipientDecision | None, new: RecipientDecision | None) -> Iterator[TermChange]:
    """Yield each aspect that differs; a State that is not considered has no terms."""
    terms_before, terms_after = _index_terms(old), _index_terms(new)
    for key in sorted(terms_before.keys() | terms_after.keys()):
        before, after = terms_before.get(key, ""), terms_after.get(key, "")
        # A rule that is added or removed is counted among the rules, and an approval by its approver.
        if before != after and (key[0] not in _COUNTED_ELSEWHERE or (before and after)):
            yield TermChange(*key, before, after)


def _index_terms(decision: RecipientDecision | None) -> dict[tuple[TermAspect, str], str]:
    if decision is None:
        return {}
    terms = {
        (TermAspect.CONDITION, condition.code): f"({condition.kind}) {condition.text}"
        for condition in decision.conditions
    }
    terms |= {(TermAspect.REDACTION, name): "redacted" for name in decision.redacted}
    terms |= {(TermAspect.FACT, undecided.fact): "missing" for undecided in decision.undecided}
    terms |= {(TermAspect.EFFECT, rule.id): str(rule.effect) for rule in decision.rules}
    terms |= {(TermAspect.CITATION, rule.id): rule.citation for rule in decision.rules}
    terms[TermAspect.APPROVER, ""] = decision.approver or ""
    terms[TermAspect.APPROVALS, ""] = str(decision.approvals or "")
    terms[TermAspect.BASIS, ""] = decision.basis or ""
    terms[TermAspect.CONDITION_MODEL, ""] = str(decision.condition_model or "")
    terms[TermAspect.OBLIGATION, ""] = "yes" if decision.is_obligatory else ""
    terms[TermAspect.AUTHORITY, ""] = decision.to_authority or ""
    return terms
