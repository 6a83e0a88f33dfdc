"""What the worker would refuse of a ruling, found before it is written.

An `InputError` names the part of the answer that it is about as its `field`: the command line adds the name of an
option, the desk that of a field of a form.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sharing.console.ask_sentences import ENDED_WORDS, PART_WORDS, name_ask
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import describe_refusal, join_codes
from sharing.console.found_asks import FoundAsk
from sharing.conversation.asks import Officer
from sharing.conversation.deliveries import Conversation, Delivery
from sharing.conversation.events import Claimed, PassedOn
from sharing.conversation.handling import find_handling_refusal
from sharing.conversation.vocabulary import Answer, DeliveryStatus, Refusal
from sharing.errors import InputError
from sharing.rulings.answer_parts import ANSWER_PARTS
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.facts import RuledFact
from sharing.rulings.vocabulary import RefusalGround
from sharing.sentences import say


class RulingRefusedError(InputError):
    """The conversation would refuse a ruling.

    Attributes:
        ask: Id of the Ask.
        refusal: Why.
    """

    def __init__(self, message: str, ask: str, refusal: Refusal) -> None:
        super().__init__(message, field="asks")
        self.ask = ask
        self.refusal = refusal


class RulingOfficer(Protocol):
    """The officer who rules."""

    @property
    def id(self) -> str:
        """Id of the officer."""
        ...

    @property
    def officer(self) -> Officer | None:
        """The officer, as the register has him or her; None if the register could not be verified here."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerParts:
    """What an officer answers. Its `repr` does not show the text.

    Attributes:
        answer: The answer.
        text: The officer's words.
        grounds: For a refusal, its grounds.
        own_rule: Id of the rule of one's own law, for the ground OWN_LAW.
        facts: The facts supplied.
        relaxed: Codes of the conditions under which the item is offered again; None if none are named.
    """

    answer: Answer
    text: str = field(default="", repr=False)
    grounds: tuple[RefusalGround, ...] = ()
    own_rule: str | None = None
    facts: tuple[RuledFact, ...] = ()
    relaxed: tuple[str, ...] | None = None


def require_handled(
    console: ConsoleConnection,
    asks: Sequence[FoundAsk],
    by: RulingOfficer,
    now: int,
    authority: str | None = None,
    *,
    ends_claim: bool = False,
) -> None:
    """Refuse to claim Asks, to give up the claim, or to pass them on, where the conversation would.

    Args:
        console: The connection.
        asks: The Asks.
        by: The officer.
        now: The time in UTC milliseconds.
        authority: The authority to which they are passed on; None if they are claimed.
        ends_claim: Whether a claim is given up.

    Raises:
        InputError: It would.
    """
    for found in asks:
        ask = found.ask
        officer = _require_own(console, found, by.id, by.officer)
        event: Claimed | PassedOn = (
            Claimed(ask.id, officer, now, ends_claim, nonce=ask.nonce)
            if authority is None
            else PassedOn(ask.id, officer, authority, now, nonce=ask.nonce)
        )
        _refuse(found, find_handling_refusal(ask, event))


def require_answered(
    console: ConsoleConnection, asks: Sequence[FoundAsk], by: RulingOfficer, parts: AnswerParts, now: int
) -> None:
    """Refuse an answer where the conversation would, or that lacks what it needs.

    Raises:
        InputError: It would, or it does.
    """
    for found in asks:
        officer = _require_own(console, found, by.id, by.officer)
        if parts.answer not in found.ask.row.answers:
            raise InputError(
                name_ask(
                    found.ask.id,
                    say(
                        "this question does not take the answer %(answer)s; it takes %(answers)s",
                        answer=parts.answer,
                        answers=", ".join(found.ask.row.answers),
                    ),
                ),
                field="answer",
            )
        _refuse(found, found.ask.find_refusal(officer, parts.answer, now, found.ask.nonce))
        _require_parts(parts)
        _require_facts(found, parts)
        _require_relaxed(found, parts)


def require_alike(asks: Sequence[FoundAsk], terms: dict[str, AskedTerms]) -> None:
    """Refuse one answer to Asks that differ in what a ruling says of all of them.

    Raises:
        InputError: They differ. The message says in what.
    """
    compared: dict[str, Callable[[FoundAsk], object]] = {
        say("the providing State"): lambda found: found.provider,
        say("kind"): lambda found: found.ask.kind,
        say("the receiving States"): lambda found: found.ask.recipients,
        say("the rule that requires it"): lambda found: terms[found.ask.id].rule,
        say("the conditions"): lambda found: terms[found.ask.id].conditions_hash,
    }
    first = asks[0]
    for found in asks[1:]:
        for name, read in compared.items():
            if read(found) != read(first):
                raise InputError(
                    say(
                        "%(first)s and %(second)s differ in %(what)s; answer each separately",
                        first=first.ask.id,
                        second=found.ask.id,
                        what=name,
                    ),
                    field="asks",
                )


def require_answerable(
    console: ConsoleConnection, found: FoundAsk, officer_id: str, known: Officer | None, now: int
) -> None:
    """Refuse an Ask that an officer may not answer, whatever the answer.

    Args:
        console: The connection.
        found: The Ask.
        officer_id: Id of the officer.
        known: The officer, as the register has him or her; None if the register could not be verified here.
        now: The time in UTC milliseconds.

    Raises:
        InputError: The officer may not answer it. The message says why.
    """
    officer = _require_own(console, found, officer_id, known)
    if found.ask.is_open and any(given.officer == officer_id for given in found.ask.given):
        _refuse(found, Refusal.ALREADY_ANSWERED)
    _refuse(found, found.ask.find_bar(officer, now, found.ask.nonce))


def _require_own(console: ConsoleConnection, found: FoundAsk, officer_id: str, known: Officer | None) -> Officer:
    """Return the officer; where the register was not looked at, one who has the role that is asked.

    Raises:
        InputError: People of another State are asked.
    """
    ask = found.ask
    if ask.state != console.state:
        raise InputError(
            name_ask(
                ask.id,
                say(
                    "people of %(state)s are asked, and answer there; %(own)s waits for them",
                    state=ask.state,
                    own=console.state,
                ),
            ),
            field="asks",
        )
    return known or Officer(officer_id, "", frozenset() if ask.role is None else frozenset({ask.role}))


def _refuse(found: FoundAsk, refusal: Refusal | None) -> None:
    if refusal is None:
        return
    role = say("; it asks for the role %(role)s", role=found.ask.role) if refusal is Refusal.WRONG_ROLE else ""
    ended = ENDED_WORDS.get(found.ask.status, "") if refusal is Refusal.NOT_OPEN else ""
    reason = say("%(reason)s%(role)s%(ended)s", reason=describe_refusal(refusal), role=role, ended=ended)
    raise RulingRefusedError(name_ask(found.ask.id, reason), found.ask.id, refusal)


def _require_parts(parts: AnswerParts) -> None:
    needed, allowed = ANSWER_PARTS.get(parts.answer, (frozenset(), frozenset()))
    present = {
        name
        for name, is_there in (
            ("grounds", bool(parts.grounds)), ("facts", bool(parts.facts)), ("relaxed", parts.relaxed is not None),
            ("text", bool(parts.text.strip())),
        )
        if is_there
    }  # fmt: skip
    missing = sorted(needed - present - {"conditions_hash"})
    surplus = sorted(present - needed - allowed - {"text"})
    if missing:
        raise InputError(
            say("the answer %(answer)s needs %(part)s", answer=parts.answer, part=PART_WORDS[missing[0]]),
            field=missing[0],
        )
    if surplus:
        raise InputError(
            say(
                "the answer %(answer)s takes no such part: %(part)s; leave it out",
                answer=parts.answer,
                part=PART_WORDS[surplus[0]],
            ),
            field=surplus[0],
        )
    if (RefusalGround.OWN_LAW in parts.grounds) != (parts.own_rule is not None):
        raise InputError(
            say("a rule of your own law as a ground (OWN_LAW) needs the id of that rule, and no other ground does"),
            field="own_rule",
        )


def _require_facts(found: FoundAsk, parts: AnswerParts) -> None:
    other = [fact.name for fact in parts.facts if fact.name not in found.ask.facts]
    if other:
        raise InputError(
            say(
                "%(ask)s does not ask for %(other)s; it asks for %(facts)s",
                ask=found.ask.id,
                other=", ".join(other),
                facts=join_codes(found.ask.facts),
            ),
            field="facts",
        )


def _require_relaxed(found: FoundAsk, parts: AnswerParts) -> None:
    """Refuse conditions that leave out what the law requires, add any, or leave out none."""
    if parts.relaxed is None:
        return
    kept = found.decode_kept()
    if not isinstance(kept, Conversation):
        return
    named = frozenset(parts.relaxed)
    for delivery in _list_guarded(kept, found.ask.id):
        conditions, required = delivery.terms.conditions, delivery.terms.required
        if not required <= named:
            raise InputError(
                say("the law requires %(codes)s; name it too", codes=join_codes(required - named)), field="relaxed"
            )
        if not named <= conditions:
            raise InputError(
                say(
                    "%(codes)s is no condition of this item; it has %(known)s",
                    codes=join_codes(named - conditions),
                    known=join_codes(conditions),
                ),
                field="relaxed",
            )
        if named == conditions:
            raise InputError(
                say("this leaves out no condition; name fewer, of those that the law does not require"),
                field="relaxed",
            )


def _list_guarded(conversation: Conversation, ask: str) -> Collection[Delivery]:
    waiting = conversation.list_deliveries(DeliveryStatus.WAITING)
    return [delivery for delivery in waiting if ask in delivery.guards]
