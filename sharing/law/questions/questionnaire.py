"""The questions about an item, as an officer is shown them: the most decisive first, each with what its answers do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sharing.model.vocabulary import Outcome

CITATIONS_MAX = 3
"""A question shows at most this many articles; `Question.rules` has all rules."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the officer who provides an item.

    Attributes:
        fact: The fact that its answer states.
        question: The question.
        citations: The articles that ask it, those of the State's own law first.
        answers: For each answer, the most open outcome that it leaves possible for any recipient.
        rules: Ids of the rules that ask it.
        needs: The fewest other answers with which this one changes an outcome.
    """

    fact: str
    question: str
    citations: tuple[str, ...]
    answers: Mapping[str, Outcome]
    rules: tuple[str, ...]
    needs: int

    @property
    def citation(self) -> str:
        """The first articles that ask it, and how many more do, as text."""
        hidden = len(self.citations) - CITATIONS_MAX
        return "; ".join([*self.citations[:CITATIONS_MAX], *([f"and {hidden} more"] if hidden > 0 else [])])

    @property
    def settling_share(self) -> float:
        """The share of the answers after which nothing can be sent any longer."""
        return sum(outcome is Outcome.WITHHOLD for outcome in self.answers.values()) / max(len(self.answers), 1)


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """The questions about an item.

    Attributes:
        questions: The questions, the most decisive first. If there are none, no answer can change an outcome.
        complete: Whether no search was cut short. Otherwise some questions may be unnecessary.
    """

    questions: tuple[Question, ...]
    complete: bool


def describe_answers(question: Question) -> list[tuple[str, str]]:
    """Return the outcomes that the answers to a question leave possible, the most open first, each with its answers."""
    groups: dict[Outcome, list[str]] = {}
    for answer, outcome in question.answers.items():
        groups.setdefault(outcome, []).append(answer)
    return [(outcome.value, ", ".join(groups[outcome])) for outcome in Outcome if outcome in groups]
