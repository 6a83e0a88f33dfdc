"""The forms of the intake: what is typed about an item, and the answers of an interview."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sharing.desk.intake.answers import TOGETHER, can_be_empty, list_values, read_answer
from sharing.desk.intake.item_draft import ItemBasics, ItemDraft
from sharing.desk.intake.open_questions import OpenQuestion
from sharing.desk.web.catalogue import _, translate_error
from sharing.desk.web.code_words import name_type
from sharing.desk.web.forms import Form
from sharing.desk.web.typed_fields import FACT_PREFIX, LABELS, NO_MEMBER
from sharing.desk.web.value_words import name_value
from sharing.desk.web.wording import fold
from sharing.errors import InputError
from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS, FactKind
from sharing.law.questions.questionnaire import CITATIONS_MAX
from sharing.model.indicator_record import SHORT_TEXT_MAX, TEXT_MAX
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Handling, Pap, Tlp, Urgency

QUESTIONS_ON_PAGE: Final = 6
EXAMPLE_MAX: Final = 40
"""How many characters of an example a list of types shows."""

LISTED_MAX: Final = 8
"""With more values, a question has a list to choose from."""

_SHORT: Final = (
    "case", "nexus", "nexus_reason", "modus_operandi", "urgency_reason", "observed_at", "retain_until",
)  # fmt: skip
_TYPES: Final = tuple(sorted(VALUE_TYPES))


class FieldOfQuestion(NamedTuple):
    """A question as a field of a page.

    Attributes:
        name: Name of the field.
        question: The question.
        citations: The first articles that ask it; none if none is named.
        hidden: How many more there are.
        kind: `radios`, `select`, `checkboxes` or `number`.
        options: The values that can be chosen, with their names.
    """

    name: str
    question: str
    citations: tuple[str, ...]
    hidden: int
    kind: str
    options: tuple[tuple[str, str], ...]


def list_type_options() -> list[tuple[str, str]]:
    """Return the types of items in words, in the order of these, each with its code and an example."""
    named = [(name, name_type(name), _shorten(VALUE_TYPES[name].example)) for name in _TYPES]
    named.sort(key=lambda each: fold(each[1]))
    return [(name, _("%(type)s, such as %(example)s", type=words, example=example)) for name, words, example in named]


def _shorten(example: str) -> str:
    return example if len(example) <= EXAMPLE_MAX else f"{example[:EXAMPLE_MAX]}…"


def list_options(kind: type[Handling | Tlp | Pap | Urgency], name: str) -> list[tuple[str, str]]:
    """Return the values of a marking, or of the urgency, with their names.

    Args:
        kind: The values.
        name: What the vocabulary of facts calls it.
    """
    return [(str(value), name_value(str(value), name)) for value in kind if value != "UNKNOWN"]


def read_basics(form: Form) -> ItemBasics:
    """Return what was typed about an item. Only its length and characters are checked here."""
    typed = {name: form.read_text(name, length_max=SHORT_TEXT_MAX) for name in _SHORT}
    return ItemBasics(
        type=form.read_choice("type", _TYPES, required=_("Choose what it is.")),
        value=form.read_text("value", required=_("Enter the value."), length_max=TEXT_MAX),
        summary=form.read_text("summary", length_max=TEXT_MAX, lines=True),
        handling_text=form.read_text("handling_text", length_max=TEXT_MAX, lines=True),
        handling=form.read_choices("handling", tuple(map(str, Handling))),
        tlp=form.read_choice("tlp", tuple(map(str, Tlp))),
        pap=form.read_choice("pap", tuple(map(str, Pap))),
        urgency=form.read_choice("urgency", tuple(map(str, Urgency))),
        **typed,
    )


def fill_basics(basics: ItemBasics) -> Form:
    """Return the form of what was typed before."""
    return Form.of(basics.model_dump())


def make_fields(questions: Iterable[OpenQuestion]) -> list[FieldOfQuestion]:
    """Return the questions of one page as fields; those that are answered together stay together."""
    fields: list[FieldOfQuestion] = []
    for asked in make_all_fields(questions):
        is_partner = asked.name.removeprefix(FACT_PREFIX) in TOGETHER
        if len(fields) >= QUESTIONS_ON_PAGE and not (
            is_partner and fields[-1].name.removeprefix(FACT_PREFIX) in TOGETHER
        ):
            break
        fields.append(asked)
    return fields


def make_all_fields(questions: Iterable[OpenQuestion]) -> list[FieldOfQuestion]:
    """Return questions as fields, with those that are answered together next to each other."""
    fields: dict[str, FieldOfQuestion] = {}
    for asked in questions:
        for name in TOGETHER.get(asked.fact, (asked.fact,)):
            if name not in fields:
                fields[name] = _make_field(name, asked.citations if name == asked.fact else ())
    return list(fields.values())


def _make_field(name: str, citations: tuple[str, ...]) -> FieldOfQuestion:
    fact = FACTS[name]
    options = [(value, name_value(value, name)) for value in list_values(fact)]
    if fact.kind is FactKind.SET:
        if can_be_empty(fact):
            options.append((NO_MEMBER, _("None of these")))
        kind = "checkboxes"
    elif not options:
        kind = "number"
    else:
        kind = "radios" if len(options) <= LISTED_MAX else "select"
    shown = citations[:CITATIONS_MAX]
    hidden = len(citations) - len(shown)
    return FieldOfQuestion(f"{FACT_PREFIX}{name}", QUESTIONS[name], shown, hidden, kind, tuple(options))


def fill_answers(draft: ItemDraft, names: Iterable[str]) -> Form:
    """Return the form of what was answered before."""
    return Form.of(
        {
            f"{FACT_PREFIX}{name}": (list(draft.answers[name]) or [NO_MEMBER]) if name in draft.answers else [""]
            for name in names
        }
    )


def read_asked(form: Form) -> list[str]:
    """Return the facts that a page has asked for; unknown names are left out."""
    return [name for name in dict.fromkeys(form.get_all("asked")) if name in QUESTIONS][: len(QUESTIONS)]


def read_answers(form: Form) -> dict[str, tuple[str, ...] | None]:
    """Return the answers of a page, by fact; None is "not known". What is wrong is said at its field."""
    answers: dict[str, tuple[str, ...] | None] = {}
    for name in read_asked(form):
        try:
            answers[name] = read_answer(name, tuple(form.get_all(f"{FACT_PREFIX}{name}")))
        except InputError as error:
            form.refuse(f"{FACT_PREFIX}{name}", translate_error(error))
    for name in answers:
        partners = TOGETHER.get(name, ())
        if len({answers.get(partner) is None for partner in partners}) > 1:
            form.refuse(
                f"{FACT_PREFIX}{partners[-1]}", _("source and information must be graded together, or not at all")
            )
    return answers


def refuse_all(form: Form, wrong: dict[str, str], *, facts_here: bool) -> None:
    """Say at its field what is wrong with an item.

    Args:
        form: The form.
        wrong: The sentences, by field of the item.
        facts_here: Whether the page asks for facts; otherwise what is wrong with one is said of the form as a whole.
    """
    basics = ItemBasics.model_fields
    for name, sentence in wrong.items():
        if name in basics:
            form.refuse(name, say_wrong(name, sentence))
        elif name in QUESTIONS and facts_here:
            form.refuse(f"{FACT_PREFIX}{name}", _(sentence))
        else:
            form.refuse("", say_wrong(name, sentence))


def say_wrong(name: str, sentence: str) -> str:
    """Return what is wrong with a field, with its name before it; "" names none."""
    fault = _(sentence)
    return _("%(field)s: %(fault)s", field=name_field(name), fault=fault) if name else fault


def name_field(name: str) -> str:
    """Return what a field of an item is called on the pages of the intake; its name if they do not have it."""
    return _(LABELS.get(name) or QUESTIONS.get(name, name))
