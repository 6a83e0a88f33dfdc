"""The questions that an officer must answer about an item: those whose answer can change an outcome, computed exactly.

A question is asked if, for one of the recipients and with some answers to the other open questions, the outcome with an
answer differs from the outcome without one. The most decisive questions come first:

1. by the share of their answers that settle the matter: nothing can be sent any longer, no matter what else is
   answered;
2. by the number of other answers that they need: the fewest with which their own answer changes an outcome;
3. in the order of the vocabulary.

Both numbers are exact. The work is bounded (`STEPS_MAX`); if a search is cut short, the question is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from types import MappingProxyType

from sharing.law.fact_values import NONE, Facts
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.questions.questionnaire import Questionnaire
from sharing.law.questions.search import QuestionSearch
from sharing.law.search.recipients import RecipientViews

STEPS_MAX = 200_000
"""The search is cut short after this many steps. An item needs a few thousand."""

BARE_ITEM: Facts = MappingProxyType(
    {"action": "PUBLISH", "handling": frozenset(), "tlp": NONE, "pap": NONE, "retention_expired": "NO"}
)
"""What is known about a typical item of a State: it is published, unmarked, and not too old."""


def find_typical_questions(
    law: DisclosureFilter, recipients: Iterable[str] | None = None, steps_max: int = STEPS_MAX
) -> Questionnaire:
    """Return the questions that a State's law can ask at all: about an item about which nothing is known.

    Args:
        law: The law of the day. Its directory is ignored: any kind of authority may receive the item.
        recipients: The States that are considered; None for all.
        steps_max: The search is cut short after this many steps.
    """
    states = FACTS["recipient.state"].values if recipients is None else recipients
    return find_questions(law, BARE_ITEM, states, any_authority=True, steps_max=steps_max)


def find_questions(
    law: DisclosureFilter,
    known: Facts,
    recipients: Iterable[str],
    named: Collection[str] = (),
    *,
    any_authority: bool = False,
    unanswerable: Collection[str] = (),
    steps_max: int = STEPS_MAX,
) -> Questionnaire:
    """Return the questions about an item, given its known facts.

    Args:
        law: The law of the day, with the directory.
        known: Facts of the item by name; None and missing ones are unknown, and are asked for if they matter.
        recipients: The States that are considered.
        named: Those of them that the agency names as concerned.
        any_authority: Whether to assume that any kind of authority may receive it, no matter what the directory says.
        unanswerable: Facts that nobody answers: they stay unknown.
        steps_max: The search is cut short after this many steps.
    """
    stated = {name: value for name, value in known.items() if value is not None}
    states = sorted(set(recipients) - {law.pack.state})
    if not states:
        return Questionnaire((), complete=True)
    return QuestionSearch(
        law, stated, states, frozenset(named), any_authority=any_authority, steps_max=steps_max,
        unanswerable=frozenset(unanswerable),
    ).find_questions()  # fmt: skip


def find_questions_by_recipient(
    law: DisclosureFilter,
    known: Facts,
    recipients: Iterable[str],
    named: Collection[str] = (),
    *,
    unanswerable: Collection[str] = (),
    impossible: Sequence[Facts] = (),
    steps_max: int = STEPS_MAX,
) -> dict[str, Questionnaire]:
    """Return the questions about an item for each recipient separately, as `find_questions` does for all together.

    States that the law cannot tell apart share one questionnaire. What applies to all recipients is computed once.

    Args:
        law: As for `find_questions`.
        known: As for `find_questions`.
        recipients: As for `find_questions`.
        named: As for `find_questions`.
        unanswerable: Facts that nobody answers: they stay unknown.
        impossible: Combinations of facts that the item cannot have.
        steps_max: The search for one recipient is cut short after this many steps.
    """
    stated = {name: value for name, value in known.items() if value is not None}
    views = RecipientViews(law.pack, law.treaties)
    alike: dict[Hashable, list[str]] = {}
    for state in sorted(set(recipients) - {law.pack.state}):
        authorities = law.authorities.get(state)
        tested = state if state in views.tested_states else ""
        key = (tested, views.view(state, law.day).key, authorities and tuple(authorities), state in named)
        alike.setdefault(key, []).append(state)
    if not alike:
        return {}
    first = [states[0] for states in alike.values()]
    search = QuestionSearch(
        law, stated, first, frozenset(named), any_authority=False, steps_max=steps_max,
        unanswerable=frozenset(unanswerable), impossible=impossible,
    )  # fmt: skip
    asked = {state: search.find_questions_for(state) for state in first}
    return {state: asked[states[0]] for states in alike.values() for state in states}
