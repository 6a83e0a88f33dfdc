"""What the people of simulated States do with what they are asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sharing.conversation.vocabulary import Answer, AskKind
from sharing.rulings.vocabulary import RefusalGround
from tests.stories.states import PutQuestion, State
from tests.stories.world import World

PARTS: Mapping[Answer, Mapping[str, Any]] = {
    Answer.REFUSED: {"grounds": (RefusalGround.DISCRETION,)},
    Answer.RELAX: {"relaxed": ()},
}


class Answering:
    """People who give the same answers whenever they are asked, and each question one.

    Args:
        answers: What they answer, by kind of question. They leave others alone.
        minutes: How long they take.
        officer: Which officer answers.
    """

    def __init__(self, answers: Mapping[AskKind, Answer], minutes: float = 0, officer: str = "2") -> None:
        self.answers = answers
        self.officer = officer
        self.minutes = minutes
        self.given: set[tuple[str, str]] = set()

    def __call__(self, world: World, state: State) -> bool:
        due = [question for question in state.list_questions() if self._wants(world, question)]
        for question in due:
            given = self.answers[question.ask.kind]
            self.given.add((question.ask.id, question.ask.nonce))
            state.answer(question, given, self.officer, **PARTS.get(given, {}))
        return bool(due)

    def _wants(self, world: World, question: PutQuestion) -> bool:
        ask = question.ask
        is_new = (ask.id, ask.nonce) not in self.given
        waited = world.bus.now - ask.opened_at
        return is_new and ask.kind in self.answers and waited >= self.minutes * 60_000


ACKNOWLEDGE = {AskKind.ACK_RECALL: Answer.ACKNOWLEDGED}


def accepting(**options: Any) -> Answering:
    return Answering({AskKind.ACCEPT: Answer.ACCEPTED, **ACKNOWLEDGE}, **options)


def declining() -> Answering:
    return Answering({AskKind.ACCEPT: Answer.DECLINED, **ACKNOWLEDGE})


def unable_to_comply() -> Answering:
    return Answering({AskKind.ACCEPT: Answer.CANNOT_COMPLY, **ACKNOWLEDGE})


def providing(**answers: Answer) -> Answering:
    """Return people at home: they approve, and give the answers that are named."""
    named = {AskKind[kind]: answer for kind, answer in answers.items()}
    return Answering({AskKind.APPROVE: Answer.APPROVED, AskKind.CONFIRM_IN_WRITING: Answer.CONFIRMED, **named})


__all__ = ["Answering", "Callable", "accepting", "declining", "providing", "unable_to_comply"]
