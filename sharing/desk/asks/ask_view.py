"""Everything about one Ask, as its page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sharing.console.alike import select_alike
from sharing.console.answer_checks import RulingRefusedError, require_answerable
from sharing.console.ask_sentences import strip_ask
from sharing.console.conversation_words import CONSEQUENCE_WORDS, list_escalation_instants
from sharing.console.found_asks import FoundAsk
from sharing.console.found_covers import FoundCover
from sharing.conversation.asks import Officer
from sharing.conversation.deliveries import Conversation
from sharing.conversation.vocabulary import Answer, Consequence, DeliveryStatus
from sharing.desk.asks.answer_forms import AnswerForm, FactField, list_answer_forms, list_fact_fields
from sharing.desk.board.ask_words import describe_asked, describe_silence
from sharing.desk.board.refusal_words import describe_refusal_here
from sharing.desk.board.shown_law import ShownLaw, show_law
from sharing.desk.services import DeskServices
from sharing.desk.web.catalogue import _, mark_message
from sharing.desk.web.code_words import show_state
from sharing.desk.web.wording import capitalise
from sharing.errors import InputError
from sharing.model.recipient_terms import Condition
from sharing.model.vocabulary import ConditionKind, Effect
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.ruling import ASKS_MAX
from sharing.sentences import get_sentence

MAY_NOT: Final[Mapping[ConditionKind, str]] = MappingProxyType(
    {
        ConditionKind.CONFIDENTIALITY: mark_message("You must keep it confidential"),
        ConditionKind.PURPOSE: mark_message("You may use it for this purpose only"),
        ConditionKind.NO_EVIDENCE: mark_message("You may not use it as evidence"),
        ConditionKind.ONWARD_CONSENT: mark_message("You may not pass it on without consent"),
        ConditionKind.RETENTION: mark_message("You may not keep it for longer"),
        ConditionKind.DELETE_OR_CORRECT: mark_message("You must delete or correct it when told to"),
        ConditionKind.REPORT_USE: mark_message("You must report how it was used"),
        ConditionKind.HANDLING: mark_message("You must handle it as follows"),
        ConditionKind.OTHER: mark_message("This also binds you"),
    }
)
"""What each kind of condition says to the State that receives an item, in a few words."""

IT_MAY_NOT: Final[Mapping[ConditionKind, str]] = MappingProxyType(
    {
        ConditionKind.CONFIDENTIALITY: mark_message("It must keep it confidential"),
        ConditionKind.PURPOSE: mark_message("It may use it for this purpose only"),
        ConditionKind.NO_EVIDENCE: mark_message("It may not use it as evidence"),
        ConditionKind.ONWARD_CONSENT: mark_message("It may not pass it on without consent"),
        ConditionKind.RETENTION: mark_message("It may not keep it for longer"),
        ConditionKind.DELETE_OR_CORRECT: mark_message("It must delete or correct it when told to"),
        ConditionKind.REPORT_USE: mark_message("It must report how it was used"),
        ConditionKind.HANDLING: mark_message("It must handle it as follows"),
        ConditionKind.OTHER: mark_message("This also binds it"),
    }
)
"""The same, to the State that provides the item: of the State that receives it."""


EFFECT_WORDS: Final[Mapping[Effect, str]] = MappingProxyType(
    {
        Effect.DENY: mark_message("It may not be disclosed."),
        Effect.APPROVAL: mark_message("An officer must approve it."),
        Effect.REDACT: mark_message("Parts of it are redacted."),
        Effect.CONDITION: mark_message("It is disclosed under conditions."),
        Effect.PERMIT: mark_message("It may be disclosed."),
        Effect.OBLIGE: mark_message("The State is obliged to provide it."),
        Effect.RECORD: mark_message("It is recorded that this rule was considered."),
    }
)
"""What a rule that asks says, in words."""


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """A condition as a page shows it.

    Attributes:
        heading: What one may or may not do.
        text: The text that binds.
        code: Its code.
        is_required: Whether the law requires it, so that no officer leaves it out; None if that is not known.
        has_exception: Whether what clears an accused may be disclosed in spite of it.
    """

    heading: str
    text: str
    code: str
    is_required: bool | None
    has_exception: bool


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """When the next contact point is notified.

    Attributes:
        at: When, in UTC milliseconds.
        is_made: Whether it was.
    """

    at: int
    is_made: bool


@dataclass(frozen=True, slots=True)
class AskView:
    """Everything about one Ask.

    Attributes:
        found: The Ask.
        terms: By which law it is asked; None if that cannot be looked up now.
        conditions: The conditions whose texts are known.
        unknown_codes: Codes of the others.
        escalations: When the next contact points are notified.
        bar: Why the officer may not answer it; None if he or she may.
        answers: The forms of the answers; none if the officer may not answer.
        facts: The facts that are asked for.
        alike: How many other open Asks are alike.
        covers: Answers that are also given to later Asks like this one.
        is_here: Whether people of this State are asked.
        claimant: Id of the officer who has claimed it; None if nobody has.
        is_own_claim: Whether it is the officer who looks at it, and who can give that up.
    """

    found: FoundAsk
    terms: AskedTerms | None
    conditions: tuple[ConditionRow, ...]
    unknown_codes: tuple[str, ...]
    escalations: tuple[EscalationStep, ...]
    bar: str | None
    answers: tuple[AnswerForm, ...]
    facts: tuple[FactField, ...]
    alike: int
    covers: tuple[FoundCover, ...]
    is_here: bool
    claimant: str | None
    is_own_claim: bool

    @property
    def what(self) -> str:
        """What is asked."""
        return describe_asked(self.found.ask)

    @property
    def silence(self) -> str:
        """What happens when nobody answers."""
        return describe_silence(self.found.ask)

    @property
    def signatures(self) -> int:
        """How many signatures it takes to answer it and all that are alike."""
        return -(-(self.alike + 1) // ASKS_MAX)

    @property
    def law(self) -> ShownLaw:
        """By which law it is asked, and which kind of information it is about."""
        return show_law(self.terms or AskedTerms(is_known=False))


def make_ask_view(
    services: DeskServices, found: FoundAsk, terms: AskedTerms | None, officer: Officer, now: int
) -> AskView:
    """Return everything about an Ask.

    Args:
        services: What the pages need of the world.
        found: The Ask.
        terms: By which law it is asked; None if that cannot be looked up now.
        officer: Who looks at it.
        now: The time in UTC milliseconds.
    """
    ask, view = found.ask, services.board.view()
    known = terms or AskedTerms(is_known=False)
    required = _find_required(found)
    headings = IT_MAY_NOT if found.provider == services.console.state else MAY_NOT
    bar = _find_bar(services, found, officer, now)
    instants = list_escalation_instants(ask.opened_at, ask.expires_at, ask.kind)
    may_answer = bar is None and ask.is_open
    return AskView(
        found=found,
        terms=terms,
        conditions=tuple(_make_condition(each, required, headings) for each in known.conditions),
        unknown_codes=tuple(sorted(known.codes - {each.code for each in known.conditions})),
        escalations=tuple(EscalationStep(at, step <= ask.escalated) for step, at in enumerate(instants, 1)),
        bar=bar,
        answers=list_answer_forms(found, known) if may_answer else (),
        facts=list_fact_fields(ask.facts),
        alike=len(select_alike(found, view.asks)) if ask.is_open else 0,
        covers=tuple(cover for cover in view.covers if cover.until > now and cover.is_for(found, known)),
        is_here=ask.state == services.console.state,
        claimant=ask.find_claimant(now),
        is_own_claim=ask.find_claimant(now) == officer.id,
    )


def list_consequences(found: FoundAsk) -> Sequence[tuple[Answer, str]]:
    """Return the answers that an Ask takes, and what each does."""
    return [(answer, _(CONSEQUENCE_WORDS[does])) for answer, does in found.ask.row.answers.items()]


def is_releasing(found: FoundAsk, answer: Answer) -> bool:
    """Return whether an answer lets something leave."""
    return found.ask.row.answers[answer] is Consequence.RELEASE


def _make_condition(
    condition: Condition, required: frozenset[str] | None, headings: Mapping[ConditionKind, str]
) -> ConditionRow:
    return ConditionRow(
        heading=_(headings[condition.kind]),
        text=condition.text,
        code=condition.code,
        is_required=None if required is None else condition.code in required,
        has_exception=condition.exculpatory_exception,
    )


def _find_required(found: FoundAsk) -> frozenset[str] | None:
    """Return the codes of the conditions that the law requires; None of an item of another State."""
    kept = found.decode_kept()
    if not isinstance(kept, Conversation):
        return None
    waiting = [each for each in kept.list_deliveries(DeliveryStatus.WAITING) if found.ask.id in each.guards]
    return frozenset().union(*(each.terms.required for each in waiting))


def _find_bar(services: DeskServices, found: FoundAsk, officer: Officer, now: int) -> str | None:
    """Return why an officer may not answer an Ask; None if he or she may."""
    ask = found.ask
    if ask.state != services.console.state:
        return _("People of %(state)s are asked, and answer there.", state=show_state(ask.state))
    try:
        require_answerable(services.console, found, officer.id, officer, now)
    except RulingRefusedError as error:
        return f"{capitalise(describe_refusal_here(error.refusal))}."
    except InputError as error:
        return _(strip_ask(get_sentence(error), ask.id))
    return None
