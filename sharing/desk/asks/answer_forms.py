"""The forms by which an Ask is answered: one for each answer that it takes, with the fields that this answer needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sharing.console.conversation_words import CONSEQUENCE_WORDS
from sharing.console.found_asks import FoundAsk
from sharing.conversation.vocabulary import Answer, Consequence
from sharing.desk.board.answer_words import ANSWER_LABELS, GROUND_LABELS
from sharing.desk.web.catalogue import _
from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS, FactKind
from sharing.rulings.answer_parts import ANSWER_PARTS
from sharing.rulings.asked_terms import AskedTerms

WARNING_ANSWERS: Final = frozenset({Answer.REFUSED, Answer.WITHDRAW, Answer.DECLINED, Answer.NOT_KNOWN})


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """One answer that an Ask takes.

    Attributes:
        answer: The answer.
        label: Its button.
        consequence: What it does, said before.
        needs_text: Whether it needs words.
        takes_grounds: Whether it may have grounds of refusal.
        needs_grounds: Whether it must have one.
        takes_conditions: Whether the conditions that stay are chosen.
        takes_facts: Whether facts are supplied.
        needs_conditions: Whether it is about conditions that must have been read.
        can_cover: Whether it can also be given to similar later Asks.
        style: How its button looks.
        hint: What the words are for.
    """

    answer: Answer
    label: str
    consequence: str
    needs_text: bool
    takes_grounds: bool
    needs_grounds: bool
    takes_conditions: bool
    takes_facts: bool
    needs_conditions: bool
    can_cover: bool
    style: str
    hint: str


@dataclass(frozen=True, slots=True)
class FactField:
    """A fact that is asked for.

    Attributes:
        name: Its name.
        question: What is asked.
        values: The values that it may have; none of a number.
        is_set: Whether it has several values.
    """

    name: str
    question: str
    values: tuple[str, ...]
    is_set: bool


def list_answer_forms(found: FoundAsk, terms: AskedTerms) -> tuple[AnswerForm, ...]:
    """Return the answers that an Ask takes.

    Args:
        found: The Ask.
        terms: By which law it is opened.
    """
    del terms
    return tuple(_make_form(found, answer, consequence) for answer, consequence in found.ask.row.answers.items())


def list_fact_fields(names: Collection[str]) -> tuple[FactField, ...]:
    """Return the facts that are asked for, in the order of their names."""
    fields = []
    for name in sorted(names):
        fact = FACTS.get(name)
        values = () if fact is None or fact.kind is FactKind.NUMBER else tuple(sorted(map(str, fact.values)))
        is_set = fact is not None and fact.kind is FactKind.SET
        fields.append(FactField(name, _(QUESTIONS.get(name, "What is it?")), values, is_set))
    return tuple(fields)


def list_grounds() -> tuple[tuple[str, str], ...]:
    """Return the grounds of refusal, with their words."""
    return tuple((ground.value, _(words)) for ground, words in GROUND_LABELS.items())


def _make_form(found: FoundAsk, answer: Answer, consequence: Consequence) -> AnswerForm:
    needed, allowed = ANSWER_PARTS.get(answer, (frozenset(), frozenset()))
    return AnswerForm(
        answer=answer,
        label=_(ANSWER_LABELS[answer]),
        consequence=_(CONSEQUENCE_WORDS[consequence]),
        needs_text="text" in needed,
        takes_grounds="grounds" in needed | allowed,
        needs_grounds="grounds" in needed,
        takes_conditions="relaxed" in needed,
        takes_facts="facts" in needed,
        needs_conditions="conditions_hash" in needed,
        can_cover=found.ask.row.can_be_covered,
        style="warning" if answer in WARNING_ANSWERS else "",
        hint=_("For the record. Your text stays in this State; do not name anyone."),
    )
