"""The search for the questions about one item, over all answers to all open questions."""

from __future__ import annotations

from collections.abc import Sequence

from sharing.law.fact_questions import QUESTIONS
from sharing.law.fact_values import Facts
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Rule
from sharing.law.questions.questionnaire import Question, Questionnaire
from sharing.law.questions.sources import find_sources
from sharing.law.search.answers import STATED_BY_OFFICERS, AnswerCubes
from sharing.law.search.authority_choice import cover_chosen_authority
from sharing.law.search.cheapest_search import CheapestSearch, SearchLimitError
from sharing.law.search.cubes import Cover, Cube, intersect_covers
from sharing.law.search.dimensions import AUTHORITY, CODES, NAMED, RECIPIENT_DIMENSION
from sharing.law.search.item_space import ItemSpace
from sharing.law.search.law_covers import LawCovers, list_space_tests
from sharing.law.search.recipients import list_recipient_points
from sharing.law.search.regions import compute_regions
from sharing.law.search.ternary import complement, restrict, simplify
from sharing.model.vocabulary import Outcome

_FROM_OPEN_TO_CLOSED = (Outcome.DISCLOSE, Outcome.OFFER, Outcome.HOLD)
_SUPPOSED = frozenset({CODES, "source.authority"})
"""Without these nothing is sent: an item without offences or sender is withheld."""


class QuestionSearch:
    """The search for the questions about one item.

    Args:
        law: The law of the day, with the directory.
        known: The facts of the item that are known.
        states: The States that are considered, sorted, without the providing State.
        named: Those of them that the agency names as concerned.
        any_authority: Whether to assume that any kind of authority may receive it, no matter what the directory says.
        steps_max: The search is cut short after this many steps.
        unanswerable: Facts that nobody answers: they stay unknown.
        impossible: Combinations of facts that the item cannot have.
    """

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
        self._base = self._space.locate(_drop_derived({**known, **dict.fromkeys(self._unanswerable)}, self._space))
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
        """Return the impossible combinations: an authority that is not the chosen one, or a wrong `named`."""
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

    def find_questions_for(self, state: str) -> Questionnaire:
        """Return the questions for one of the recipients."""
        index = next(index for index, point in enumerate(self._points) if point.state == state)
        self._base = {**self._base, RECIPIENT_DIMENSION: 1 << index}
        self._begin()
        return self.find_questions()

    def find_questions(self) -> Questionnaire:
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
        return Question(
            fact=name,
            question=QUESTIONS[name],
            citations=tuple(citations),
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
                was_blocking = _project(restrict(_select_depending(blocking, own), unanswered), own)
                found = [
                    self._find(intersect_covers(was_blocking, permitted), blocking),
                    self._find(
                        intersect_covers(_select_depending(self._permitted, own), answered), [*blocking, *was_permitted]
                    ),
                ]
                if can_close:  # an answer to an exception can also close what a person would have been asked
                    blocked = intersect_covers(restrict(_select_depending(blocking, own), self._base), answered)
                    still_blocking = _project(restrict(blocking, unanswered), own)
                    found.append(self._find(intersect_covers(was_permitted, blocked), still_blocking))
            counts += [self._count_stated(cube, own) for cube in found if cube is not None]
            if 0 in counts:
                break
        return min(counts, default=None)

    def _count_stated(self, cube: Cube, own: frozenset[int]) -> int:
        return self._search.bound.find_least_cost(
            {number: points for number, points in cube.items() if number not in own}
        )

    def _may_apply(self, rule: Rule) -> bool:
        number = self._law.pack.rules.index(rule)
        return bool(restrict(self._covers.cover_rule(number).possible, self._base))


def _drop_derived(known: Facts, space: ItemSpace) -> Facts:
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


def _select_depending(cover: Cover, dimensions: frozenset[int]) -> Cover:
    """Return the cubes of a cover that some dimensions restrict."""
    return [cube for cube in cover if not dimensions.isdisjoint(cube)]
