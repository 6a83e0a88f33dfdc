"""The facts that an officer can correct, as fields of a form: names, questions and permitted values."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from sharing.desk.web.code_words import MARKING_QUESTIONS
from sharing.disclosure.amendments import CORRECTABLE
from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS, FactKind

_FINDINGS = "findings."


class CorrectableFact(NamedTuple):
    """A fact that can be corrected.

    Attributes:
        name: Its name in the vocabulary of facts.
        question: The question that it answers, as a message of the catalogue.
        values: Its permitted values; none for a number.
        is_set: Whether it may have several of them.
    """

    name: str
    question: str
    values: tuple[str, ...]
    is_set: bool

    @property
    def field(self) -> str:
        """The name of its field in a form."""
        return f"fact:{self.name}"


@cache
def list_fact_fields(*, are_findings: bool) -> tuple[CorrectableFact, ...]:
    """Return the facts that an officer can correct.

    Args:
        are_findings: Whether the answers to questions that only some laws ask are wanted, or the other facts.
    """
    return tuple(_make_fact(name) for name in sorted(CORRECTABLE) if name.startswith(_FINDINGS) is are_findings)


def _make_fact(name: str) -> CorrectableFact:
    fact = FACTS[name]
    question = QUESTIONS.get(name) or MARKING_QUESTIONS[name]
    return CorrectableFact(name, question, tuple(sorted(fact.values)), fact.kind is FactKind.SET)
