"""The picture of who would get an item, and why not: what the gate would decide now, in words.

The decision is made by the function that the gate uses, with the State's law and the directory as the desk knows it.
Only the gate's own decision counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sharing.law.combination import RuleResult
from sharing.law.counterfactuals import Counterfactual, find_counterfactuals
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_questions import QUESTIONS
from sharing.law.fact_values import Facts
from sharing.law.pack import Rule
from sharing.model.countries import country_name
from sharing.model.decision import RecipientDecision
from sharing.model.effects import FORBIDDING_EFFECTS, PERMITTING_EFFECTS, RESTRICTING_EFFECTS
from sharing.model.indicator_record import WireRecord
from sharing.model.recipient_terms import EVALUATION_FAILED, RuleReference
from sharing.model.relevance_reason import is_named_by_agency
from sharing.model.vocabulary import Nature, Outcome, RelevanceKind

SEARCHED_FACTS_MAX: Final = 2
"""With more missing facts, their combinations are not searched: each of them is named instead."""

CHANGES_MAX: Final = 4
RULES_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class WordedRule:
    """A rule in words.

    Attributes:
        paraphrase: What it says; "" for a rule of the bus, whose citation says it.
        citation: The article.
        is_caution: Whether it is a caution beyond that article, and not itself law.
        missing: The questions whose answers decide it; empty if it is decided.
    """

    paraphrase: str
    citation: str
    is_caution: bool = False
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FactChange:
    """What would change the outcome for a State.

    Attributes:
        answers: Each fact with its question and its value.
        outcome: The outcome then.
    """

    answers: tuple[tuple[str, str, str], ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class PictureRow:
    """What one State gets.

    Attributes:
        state: Its code.
        name: Its name.
        outcome: The outcome.
        because: Why it is considered: kinds of relevance.
        approver: Role that must approve; None if none.
        approvals: How many officers with that role must approve.
        conditions: Texts of the conditions.
        redacted: Fields that it does not get.
        rules: The rules that decide, the decisive ones first.
        changes: What would change the outcome.
        missing: The questions that are open for it, in the order of the vocabulary.
    """

    state: str
    name: str
    outcome: Outcome
    because: tuple[RelevanceKind, ...]
    approver: str | None
    approvals: int
    conditions: tuple[str, ...]
    redacted: tuple[str, ...]
    rules: tuple[WordedRule, ...]
    changes: tuple[FactChange, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Who would get an item.

    Attributes:
        rows: The States that are considered, the most open outcome first.
    """

    rows: tuple[PictureRow, ...]

    def count(self, outcome: str) -> int:
        """Return how many States have an outcome."""
        return sum(row.outcome == outcome for row in self.rows)


def draw_picture(context: DecisionContext, record: WireRecord, now_ms: int) -> Picture:
    """Return who would get an item.

    Args:
        context: The law and the directory.
        record: The item.
        now_ms: The time of the decision, in UTC milliseconds.
    """
    rules = {rule.id: rule for rule in context.disclosure_filter.rules}
    item = context.disclosure_filter.read_item_facts(record, now_ms)
    order = tuple(Outcome)
    rows = [_make_row(context, rules, item, each) for each in context.decide(record, now_ms).recipients]
    return Picture(tuple(sorted(rows, key=lambda row: (order.index(row.outcome), row.state))))


def _make_row(context: DecisionContext, rules: Mapping[str, Rule], item: Facts, made: RecipientDecision) -> PictureRow:
    terms = made.terms
    return PictureRow(
        state=made.state,
        name=country_name(made.state),
        outcome=made.outcome,
        because=tuple(dict.fromkeys(reason.kind for reason in made.relevance)),
        approver=None if terms.approver is None else context.disclosure_filter.pack.approvers[terms.approver],
        approvals=terms.approvals or 1,
        conditions=tuple(condition.text for condition in terms.conditions),
        redacted=terms.redacted,
        rules=_word_rules(rules, made),
        changes=_find_changes(context, item, made),
        missing=_list_missing(made),
    )


def _word_rules(rules: Mapping[str, Rule], made: RecipientDecision) -> tuple[WordedRule, ...]:
    """Return the rules that decide the outcome: what forbids; else what is not known; else what permits."""
    terms = made.terms
    if made.outcome is not Outcome.WITHHOLD:
        wanted = RESTRICTING_EFFECTS | PERMITTING_EFFECTS
        applied = [rule for rule in terms.rules if rule.effect in wanted or rule.id not in rules]
        return _limit([_word(rules, rule) for rule in applied])
    forbidding = [rule for rule in terms.rules if rule.effect in FORBIDDING_EFFECTS]
    if forbidding:
        worded = [_word(rules, rule) for rule in forbidding]
        return _limit(sorted(worded, key=lambda rule: rule.is_caution))
    missing: dict[str, list[str]] = {}
    for entry in terms.undecided:
        missing.setdefault(entry.rule, []).append(entry.fact)
    restricting = [name for name in missing if name in rules and rules[name].effect in RESTRICTING_EFFECTS]
    return _limit([_word_undecided(rules[name], missing[name]) for name in restricting or missing if name in rules])


def _limit(rules: list[WordedRule]) -> tuple[WordedRule, ...]:
    return tuple(dict.fromkeys(rules))[:RULES_MAX]


def _word(rules: Mapping[str, Rule], reference: RuleReference) -> WordedRule:
    rule = rules.get(reference.id)
    if rule is None:
        return WordedRule("", reference.citation)
    return WordedRule(rule.paraphrase, rule.citation, rule.nature is Nature.CAUTION)


def _word_undecided(rule: Rule, facts: Sequence[str]) -> WordedRule:
    asked = tuple(QUESTIONS[fact] for fact in facts if fact in QUESTIONS)
    return WordedRule(rule.paraphrase, rule.citation, rule.nature is Nature.CAUTION, asked)


def _list_missing(made: RecipientDecision) -> tuple[str, ...]:
    """Return the questions about the item that are open for a State; what is unknown of the State is no question."""
    if made.outcome is not Outcome.WITHHOLD or any(rule.effect in FORBIDDING_EFFECTS for rule in made.terms.rules):
        return ()
    facts = {entry.fact for entry in made.terms.undecided}
    return tuple(question for fact, question in QUESTIONS.items() if fact in facts)


def _find_changes(context: DecisionContext, item: Facts, made: RecipientDecision) -> tuple[FactChange, ...]:
    """Return which answers would change the outcome for a State, where few are missing."""
    facts = {entry.fact for entry in made.terms.undecided if entry.fact != EVALUATION_FAILED}
    if not facts or len(facts) > SEARCHED_FACTS_MAX:
        return ()
    law = context.disclosure_filter
    known = dict(item)
    profile = law.profile_recipient(made.state, known, named=is_named_by_agency(made.relevance))
    results: Sequence[RuleResult] = law.evaluate_rules(known, profile.facts)
    changes = find_counterfactuals(law, {**known, **profile.facts}, results, made)
    return tuple(_word_change(change) for change in changes[:CHANGES_MAX])


def _word_change(change: Counterfactual) -> FactChange:
    answers = tuple((fact, QUESTIONS.get(fact, fact), value) for fact, value in change.facts)
    return FactChange(answers, Outcome(change.outcome))
