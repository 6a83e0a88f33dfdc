"""What an officer has filled in, as the act that will be signed: forms of pages, checked as the worker would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sharing.console.ask_sentences import strip_ask
from sharing.console.ruled_facts import collect_facts, make_fact
from sharing.console.ruling_submission import AnyAct
from sharing.conversation.asks import Officer
from sharing.conversation.vocabulary import Answer
from sharing.desk.board.answer_words import name_answer
from sharing.desk.rulings.prepared_ruling import FollowingAsks
from sharing.desk.web.catalogue import _, mark_message
from sharing.desk.web.forms import Form
from sharing.desk.web.plain_text import MARK, to_plain
from sharing.desk.web.sessions import SignedIn
from sharing.desk.web.typed_fields import FACT_PREFIX
from sharing.errors import InputError
from sharing.rulings.facts import RuledFact
from sharing.sentences import Sentence, get_sentence

if TYPE_CHECKING:
    from sharing.desk.rulings.service import RulingService


@dataclass(frozen=True, slots=True)
class RulingDraft:
    """An act that was checked, and not signed. Its `repr` does not show the text.

    Attributes:
        act: What is ruled.
        items: For each partition to which it is written, an item that it is about.
        text: The officer's words.
        summary: What it will do, in sentences.
        following: The alike Asks that need a further signature; None if there are none.
    """

    act: AnyAct
    items: Mapping[int, str]
    text: str = field(repr=False)
    summary: tuple[str, ...]
    following: FollowingAsks | None = None


@dataclass(frozen=True, slots=True)
class DraftContext:
    """Who fills in a form, when, and what is known.

    Attributes:
        service: The rulings of this desk.
        signed_in: The officer.
        now: The time in UTC milliseconds.
    """

    service: RulingService
    signed_in: SignedIn
    now: int

    @property
    def id(self) -> str:
        """Id of the officer."""
        return self.signed_in.officer.id

    @property
    def officer(self) -> Officer:
        """The officer, as the conversation knows him or her."""
        return self.signed_in.officer.to_officer()


def read_text(form: Form) -> str:
    """Return the officer's words, with line breaks as they are signed.

    Raises:
        InputError: They have characters that cannot be seen.
    """
    return require_seen(form.get("text").replace("\r\n", "\n").replace("\r", "\n").strip(), "text")


def require_seen(text: str, name: str) -> str:
    """Return a text in which everything can be seen: what is signed must be what the officer has read.

    Raises:
        InputError: It has characters that hide, turn or control text, such as those of text that was pasted.
    """
    if MARK in to_plain(text):
        raise InputError(_("This has characters that cannot be seen. Type it instead of pasting it."), field=name)
    return text


def read_facts(form: Form) -> tuple[RuledFact, ...]:
    """Return the facts that a form states: one field for each, repeated for the values of a set.

    Raises:
        InputError: One is not a fact of an item, or has a value that is none of its list.
    """
    stated = []
    for name in form.values:
        if name.startswith(FACT_PREFIX):
            values = [value for value in form.get_all(name) if value.strip()]
            if values:
                stated.append(make_fact(name.removeprefix(FACT_PREFIX), values))
    return collect_facts(sorted(stated, key=lambda fact: fact.name))


def explain(error: InputError, form: Form) -> tuple[str, str]:
    """Return the field of a form that an error is about, and what is said there.

    Args:
        error: The error: it names a part of a ruling.
        form: The form.
    """
    label, name = _FIELDS.get(error.field, ("", ""))
    if error.field == "facts":
        name = next((each for each in form.values if each.startswith(FACT_PREFIX)), "")
    text = _say_answers(get_sentence(error))
    for ask_id in form.get_all("ask")[:1]:
        text = strip_ask(text, ask_id)
    if name and not form.values.get(name) and name not in form.values:
        name = name if name in _OPTIONAL else ""
    return name, f"{_(label)}: {_(text)}" if label else _(text)


def _say_answers(text: str) -> str:
    """Return what an error says with answers as their buttons say them: at the command line, officers type codes."""
    if not isinstance(text, Sentence):
        return text
    said = {
        name: _("“%(text)s”", text=name_answer(value)) if isinstance(value, Answer) else value
        for name, value in text.values.items()
    }
    return Sentence(text.template, **said)


_FIELDS: Mapping[str, tuple[str, str]] = {
    "grounds": (mark_message("Grounds of refusal"), "ground"),
    "own_rule": (mark_message("Rule of your own law"), "rule"),
    "facts": (mark_message("Facts"), ""),
    "relaxed": (mark_message("Conditions that stay"), "relaxed"),
    "text": (mark_message("Your text"), "text"),
    "covers_until": (mark_message("Until when later questions get the same answer"), "later_until"),
    "conditions_hash": (mark_message("Conditions"), "conditions_hash"),
    "authority": (mark_message("Authority"), "authority"),
    "states": (mark_message("States"), "state"),
    "unmet": (mark_message("Conditions"), "unmet"),
    "our_law": (mark_message("Law of ours"), "our_law"),
}
"""The label and the name of the field of each part of a ruling."""

_OPTIONAL = frozenset({"ground", "relaxed", "authority", "state", "text", "rule", "later_until", "unmet", "our_law"})
"""Fields that a browser leaves out where nothing is chosen."""
