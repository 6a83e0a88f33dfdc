"""The questions that an officer must answer about an item: those whose answer can change an outcome, computed exactly.

A fact is asked for if, for one of the recipients and with some answers to the other open questions, the outcome with an
answer differs from the outcome without one. The most decisive questions come first:

1. by the share of their answers that settle the matter: nothing can leave any more, whatever else is answered;
2. by the number of other answers that they need: the fewest with which their own answer changes an outcome;
3. in the order of the vocabulary.

Both numbers are exact. The work is bounded (`STEPS_MAX`); if a search is cut short, the question is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS, NONE, Facts
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Rule
from sharing.law.question_sources import find_sources
from sharing.law.search.answers import STATED_BY_OFFICERS, AnswerCubes
from sharing.law.search.authority_choice import cover_chosen_authority
from sharing.law.search.cheapest import CheapestSearch, SearchLimitError
from sharing.law.search.cubes import Cover, Cube, intersect_covers
from sharing.law.search.dimensions import AUTHORITY, CODES, NAMED, RECIPIENT_DIMENSION, ItemSpace
from sharing.law.search.law_covers import LawCovers, list_space_tests
from sharing.law.search.recipients import RecipientViews, list_recipient_points
from sharing.law.search.regions import compute_regions
from sharing.law.search.ternary import complement, restrict, simplify
from sharing.model.vocabulary import Outcome

STEPS_MAX = 200_000
"""The search is cut short after this many steps. An item needs a few thousand."""

CITATIONS_MAX = 3
"""A question names at most this many articles; `Question.rules` has all rules."""

_FROM_OPEN_TO_CLOSED = (Outcome.DISCLOSE, Outcome.OFFER, Outcome.HOLD)
_SUPPOSED = frozenset({CODES, "source.authority"})
"""Without these nothing leaves: an item without offences or sender is withheld."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the officer who provides an item.

    Attributes:
        fact: The fact that its answer states.
        question: The question.
        citation: The articles that ask it.
        answers: For each answer, the most open outcome that it leaves possible for any recipient.
        rules: Ids of the rules that ask it.
        needs: The fewest other answers with which this one changes an outcome.
    """

    fact: str
    question: str
    citation: str
    answers: Mapping[str, Outcome]
    rules: tuple[str, ...]
    needs: int

    @property
    def settling_share(self) -> float:
        """The share of the answers after which nothing can leave any more."""
        return sum(outcome is Outcome.WITHHOLD for outcome in self.answers.values()) / max(len(self.answers), 1)


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """The questions about an item.

    Attributes:
        questions: The questions, the most decisive first. Without any, no answer can change an outcome.
        complete: Whether no search was cut short. Otherwise some questions may be unnecessary.
    """

    questions: tuple[Question, ...]
    complete: bool


BARE_ITEM: Facts = MappingProxyType(
    {"action": "PUBLISH", "handling": frozenset(), "tlp": NONE, "pap": NONE, "retention_expired": "NO"}
)
"""What is known of a typical item of a State: it is published, unmarked, and not too old."""


def find_typical_questions(
    law: DisclosureFilter, recipients: Iterable[str] | None = None, steps_max: int = STEPS_MAX
) -> Questionnaire:
    """Return the questions that a State's law can ask at all: about an item of which nothing is known.

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
    """Return the questions about an item, as far as its facts are known.

    Args:
        law: The law of the day, with the directory.
        known: Facts of the item by name; None and missing ones are unknown, and are asked for if they matter.
        recipients: The States that are considered.
        named: Those of them that the agency names as concerned.
        any_authority: Whether to suppose that any kind of authority may receive it, whatever the directory says.
        unanswerable: Facts that nobody answers: they stay unknown.
        steps_max: The search is cut short after this many steps.
    """
    stated = {name: value for name, value in known.items() if value is not None}
    states = sorted(set(recipients) - {law.pack.state})
    if not states:
        return Questionnaire((), complete=True)
    return _Inquiry(
        law, stated, states, frozenset(named), any_authority=any_authority, steps_max=steps_max,
        unanswerable=frozenset(unanswerable),
    ).ask()  # fmt: skip


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
    """Return the questions about an item for each recipient by itself, as `find_questions` does for all together.

    States that the law cannot tell apart share one questionnaire. What holds for all recipients is computed once.

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
    inquiry = _Inquiry(
        law, stated, first, frozenset(named), any_authority=False, steps_max=steps_max,
        unanswerable=frozenset(unanswerable), impossible=impossible,
    )  # fmt: skip
    asked = {state: inquiry.ask_for(state) for state in first}
    return {state: asked[states[0]] for states in alike.values() for state in states}


def describe_answers(question: Question) -> list[tuple[str, str]]:
    """Return the outcomes that the answers to a question leave possible, the most open first, each with its answers."""
    groups: dict[Outcome, list[str]] = {}
    for answer, outcome in question.answers.items():
        groups.setdefault(outcome, []).append(answer)
    return [(outcome.value, ", ".join(groups[outcome])) for outcome in Outcome if outcome in groups]


class _Inquiry:
    """The search for the questions about one item."""

    def __init__(
        self, law: DisclosureFilter, known: Facts, states: list[str], named: frozenset[str], *, any_authority: bool,
        steps_max: int, unanswerable: frozenset[str] = frozenset(), impossible: Sequence[Facts] = (),
    ) -> None:  # fmt: skip
        self._law = law
        self._known = known
        self._unanswerable = unanswerable - known.keys()
        laws = [(law.pack, law.treaties)]
        self._points = list_recipient_points(laws, states, [law.day], merge=any_authority and not named)
        self._space = ItemSpace(list_space_tests(*laws[0]), law.pack.state, len(self._points), known)
        self._answers = AnswerCubes(self._space, known)
        self._base = self._space.locate(_without_derived({**known, **dict.fromkeys(self._unanswerable)}, self._space))
        views = [point.views[0] for point in self._points]
        self._covers = LawCovers(*laws[0], self._space, views, self._base)
        self._regions = compute_regions(self._covers, self._space)
        self._impossible = self._find_impossible(named, any_authority=any_authority)
        self._impossible += [cube for facts in impossible if (cube := self._locate_all(facts)) is not None]
        known_dimensions = {number for number, points in self._base.items() if self._space.all_points[number] != points}
        self._costs = [
            (0,) * len(dimension.points) if number in known_dimensions else dimension.costs
            for number, dimension in enumerate(self._space.dimensions)
        ]
        self._steps_max = steps_max
        self._begin()

    def _begin(self) -> None:
        """Begin the search inside `_base`."""
        self._search = CheapestSearch(self._space.all_points, self._costs, self._steps_max)
        self._permitted = restrict(self._regions.permitted, self._base)
        self._most_open: dict[frozenset[tuple[int, int]], Outcome] = {}
        self._is_complete = True

    def _locate_all(self, facts: Facts) -> Cube | None:
        """Return where these facts have their values; None if no test depends on one of them."""
        return self._space.locate(facts) if facts.keys() <= self._space.fact_names else None

    def _find_impossible(self, named: frozenset[str], *, any_authority: bool) -> Cover:
        """Return what cannot be: another authority than the chosen one, a State named that is not, and the reverse."""
        impossible: Cover = []
        is_named = self._space.locate({NAMED: "YES"})
        for index, point in enumerate(self._points):
            cube: Cube = {RECIPIENT_DIMENSION: 1 << index}
            if is_named and not (any_authority and not named):
                excluded = self._space.locate({NAMED: "NO" if point.state in named else "YES"})
                impossible.append({**cube, **excluded})
            if not any_authority and AUTHORITY in self._space.fact_names:
                chosen = cover_chosen_authority(self._space, self._law.authorities.get(point.state), 1 << index)
                others = complement(chosen, self._space.all_points)
                impossible += restrict(others, cube)
        return simplify(impossible)

    def ask_for(self, state: str) -> Questionnaire:
        """Return the questions for one of the recipients."""
        index = next(index for index, point in enumerate(self._points) if point.state == state)
        self._base = {**self._base, RECIPIENT_DIMENSION: 1 << index}
        self._begin()
        return self.ask()

    def ask(self) -> Questionnaire:
        """Return the questions."""
        questions = []
        if self._find_most_open({}) is not Outcome.WITHHOLD:
            for name in FACTS:
                is_open = name not in self._known and name not in self._unanswerable
                if is_open and name in QUESTIONS and name in self._space.fact_names:
                    question = self._make_question(name)
                    if question is not None:
                        questions.append(question)
        questions.sort(key=lambda question: (-question.settling_share, question.needs))
        return Questionnaire(tuple(questions), self._is_complete)

    def _make_question(self, name: str) -> Question | None:
        """Return the question for a fact, or None if its answer never matters."""
        unanswered, answered = self._answers.locate_unanswered(name), self._answers.locate_answers(name)
        if not answered or unanswered is None:
            return None
        needs = self._count_needed(name, unanswered, list(answered.values()))
        if needs is None:
            return None
        rules, citations = find_sources(name, self._law, self._points, self._may_apply)
        hidden = len(citations) - CITATIONS_MAX
        return Question(
            fact=name,
            question=QUESTIONS[name],
            citation="; ".join([*citations[:CITATIONS_MAX], *([f"and {hidden} more"] if hidden > 0 else [])]),
            answers={answer: self._find_most_open(cube) for answer, cube in answered.items()},
            rules=rules,
            needs=needs,
        )

    def _find(self, cubes: Cover, covering: Cover) -> Cube | None:
        """Return the cheapest combination of some cubes outside of others; any of them if the search is cut short."""
        try:
            return self._search.find(cubes, [*covering, *self._impossible])
        except SearchLimitError:
            self._is_complete = False
            return cubes[0] if cubes else None

    def _find_most_open(self, answer: Cube) -> Outcome:
        """Return the most open outcome that an answer leaves possible."""
        key = frozenset(answer.items())
        if key not in self._most_open:
            self._most_open[key] = self._search_most_open(answer)
        return self._most_open[key]

    def _search_most_open(self, answer: Cube) -> Outcome:
        permitted = restrict(self._permitted, answer)
        for outcome in _FROM_OPEN_TO_CLOSED:
            if self._find(permitted, self._regions.find_blocking(outcome)) is not None:
                return outcome
        return Outcome.WITHHOLD

    def _count_needed(self, name: str, unanswered: Cube, answers: list[Cube]) -> int | None:
        """Return the fewest other answers with which an answer changes an outcome; None if none ever does."""
        own = self._space.list_dimensions(name)
        answered = _join_answers(answers) if len(own) == 1 else [{}]
        permitted = intersect_covers(self._permitted, answered)
        can_close = any(rule.exception and name in rule.exception.when.list_fact_names() for rule in self._law.rules)
        counts = []
        for outcome in _FROM_OPEN_TO_CLOSED:
            blocking = self._regions.find_blocking(outcome)
            if name in _SUPPOSED:
                found = [self._find(permitted, blocking)]
            else:
                # What the law says without an answer, as a statement about the other facts. What does not depend on
                # the answer is the same with one, so the difference begins at what does.
                was_permitted = _project(restrict(self._permitted, unanswered), own)
                was_blocking = _project(restrict(_depending(blocking, own), unanswered), own)
                found = [
                    self._find(intersect_covers(was_blocking, permitted), blocking),
                    self._find(
                        intersect_covers(_depending(self._permitted, own), answered), [*blocking, *was_permitted]
                    ),
                ]
                if can_close:  # an answer to an exception can also close what a person would have been asked
                    blocked = intersect_covers(restrict(_depending(blocking, own), self._base), answered)
                    still_blocking = _project(restrict(blocking, unanswered), own)
                    found.append(self._find(intersect_covers(was_permitted, blocked), still_blocking))
            counts += [self._count_stated(cube, own) for cube in found if cube is not None]
            if 0 in counts:
                break
        return min(counts, default=None)

    def _count_stated(self, cube: Cube, own: frozenset[int]) -> int:
        return self._search.bound.of_cube({number: points for number, points in cube.items() if number not in own})

    def _may_apply(self, rule: Rule) -> bool:
        number = self._law.pack.rules.index(rule)
        return bool(restrict(self._covers.cover_rule(number).possible, self._base))


def _without_derived(known: Facts, space: ItemSpace) -> Facts:
    """Return the known facts that the space has, without those that follow from others."""
    return {name: value for name, value in known.items() if name in space.fact_names and name in STATED_BY_OFFICERS}


def _join_answers(answers: list[Cube]) -> Cover:
    """Return where a fact of one dimension has any of some answers."""
    number = next(iter(answers[0]))
    points = 0
    for cube in answers:
        points |= cube[number]
    return [{number: points}]


def _project(cover: Cover, dimensions: frozenset[int]) -> Cover:
    """Return a cover without its restrictions on some dimensions."""
    return [{number: points for number, points in cube.items() if number not in dimensions} for cube in cover]


def _depending(cover: Cover, dimensions: frozenset[int]) -> Cover:
    """Return the cubes of a cover that some dimensions restrict."""
    return [cube for cube in cover if not dimensions.isdisjoint(cube)]
