"""Which questions about an item are open: those whose answer can still change who gets it, and no others.

The law's questions are found by the search that `sharing law questions` uses. Which States are considered at all, and
what they have accepted beforehand, can also depend on the offences and the urgency; where it does, these are asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from sharing.law.combination import combine_results
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_questions import QUESTIONS, read_all_facts
from sharing.law.fact_values import Facts, FactValue
from sharing.law.questions import find_questions
from sharing.law.rulebook import list_mandatory_recipients
from sharing.law.standing_acceptances import ACCEPTANCE_FACTS
from sharing.model.directory import Interest
from sharing.model.indicator_record import WireRecord
from sharing.model.vocabulary import Outcome

_CODES, _URGENCY = "offence.codes", "urgency"
_CRITERIA: Final = {"offences": _CODES, "urgency": _URGENCY}


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question that is open.

    Attributes:
        fact: The fact that its answer states.
        question: The question, in words.
        citations: The articles that ask it; none if none does, but a State's interest or acceptance depends on it.
    """

    fact: str
    question: str
    citations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenQuestions:
    """The open questions about an item.

    Attributes:
        questions: The questions, the most decisive first.
        is_complete: Whether the search was not cut short. Otherwise some questions may be unnecessary.
    """

    questions: tuple[OpenQuestion, ...]
    is_complete: bool = True


def find_open_questions(
    context: DecisionContext, record: WireRecord, now_ms: int, declined: Collection[str] = ()
) -> OpenQuestions:
    """Return the open questions about an item.

    Args:
        context: The law and the directory.
        record: The item, as far as it is known.
        now_ms: The time of the decision, in UTC milliseconds.
        declined: The facts to which the answer is "not known": they stay unknown.
    """
    law = context.disclosure_filter
    known = read_all_facts(record, now_ms)
    audience = context.finder.find_audience(record)
    considered = {state for state, _ in audience.reasons_by_state} | set(_list_obliged(context))
    possible = dict(_list_possible(context, record, known, declined, now_ms))
    recipients = considered | possible.keys()
    found = find_questions(law, known, recipients, audience.named_by_agency, unanswerable=declined)
    asked = [OpenQuestion(each.fact, each.question, each.citations) for each in found.questions]
    settled = {question.fact for question in found.questions} | set(declined)
    others = {fact for fact in ACCEPTANCE_FACTS if known[fact] is None} - settled
    more = [
        OpenQuestion(fact, QUESTIONS[fact])
        for fact in sorted(others & _find_relevant(context, record, known, possible, others, declined, now_ms))
    ]
    return OpenQuestions((*asked, *more), found.complete)


def _find_relevant(
    context: DecisionContext,
    record: WireRecord,
    known: Facts,
    possible: Mapping[str, frozenset[str]],
    others: AbstractSet[str],
    declined: Collection[str],
    now_ms: int,
) -> set[str]:
    """Return the facts that decide whether a State is considered that would get something, or accepts beforehand."""
    if not others:
        return set()
    relevant: set[str] = set()
    for state, facts in possible.items():
        if not facts & others <= relevant and _may_get_anything(context, record, known, state, declined, now_ms):
            relevant |= facts
    audience = context.finder.find_audience(record)
    states = {each.state for each in context.disclosure_filter.decide(record, audience, now_ms).recipients}
    if (states | possible.keys()) & context.acceptances.by_state.keys():
        relevant |= ACCEPTANCE_FACTS
    return relevant


def _may_get_anything(
    context: DecisionContext,
    record: WireRecord,
    known: Facts,
    state: str,
    declined: Collection[str],
    now_ms: int,
) -> bool:
    """Return whether a State that is not considered would get something, or could after an answer."""
    law = context.disclosure_filter
    item = law.read_item_facts(record, now_ms)
    profile = law.profile_recipient(state, item, named=False)
    results = law.evaluate_rules(item, profile.facts)
    if combine_results(state, results, profile.basis, (), profile.to_authority).outcome is not Outcome.WITHHOLD:
        return True
    return bool(find_questions(law, known, [state], unanswerable=declined).questions)


def _list_obliged(context: DecisionContext) -> Iterator[str]:
    """Yield the States that a rule can name as mandatory recipients."""
    law = context.disclosure_filter
    for rule in law.rules:
        yield from (state for state in list_mandatory_recipients(rule) if state != law.pack.state)


def _list_possible(
    context: DecisionContext, record: WireRecord, known: Facts, declined: Collection[str], now_ms: int
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the States that are not considered yet, with the unknown facts on which that depends."""
    audience = context.finder.find_audience(record)
    considered = {state for state, _ in audience.reasons_by_state}
    pointed = {
        state
        for state, reasons in audience.reasons_by_state
        if any(str(reason.kind).startswith("NEXUS") for reason in reasons)
    }
    for state, interests in context.directory.get_interests(now_ms).items():
        if state in considered or state == context.disclosure_filter.pack.state:
            continue
        found = (_find_dependence(each, record, known, pointed) for each in interests)
        depends = [facts for facts in found if facts and facts.isdisjoint(declined)]
        if depends:
            yield state, frozenset().union(*depends)


def _find_dependence(interest: Interest, record: WireRecord, known: Facts, pointed: Collection[str]) -> frozenset[str]:
    """Return the unknown facts on which it depends whether an interest matches; none if it certainly does not."""
    tags = record["offence"]["modus_operandi"]
    fixed = (
        (interest.types, {record["type"]}),
        (interest.nexus, set(pointed)),
        (interest.modus_operandi, set(tags)),
    )
    if any(wanted and found.isdisjoint(wanted) for wanted, found in fixed):
        return frozenset()
    unknown = set()
    for criterion, fact in _CRITERIA.items():
        wanted, value = getattr(interest, criterion), known[fact]
        if not wanted:
            continue
        if value is None:
            unknown.add(fact)
        elif _list_members(value).isdisjoint(wanted):
            return frozenset()
    return frozenset(unknown)


def _list_members(value: FactValue) -> frozenset[str]:
    if isinstance(value, frozenset):
        return value
    return frozenset({value}) if isinstance(value, str) else frozenset()
