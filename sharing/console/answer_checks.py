"""What the worker would refuse of a ruling, found before it is written.

An `InputError` names the part of the answer that it is about as its `field`: the command line adds the name of an
option, the desk that of a field of a form.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import describe_refusal, join_codes
from sharing.console.found_asks import FoundAsk
from sharing.conversation.asks import Officer
from sharing.conversation.deliveries import Conversation, Delivery
from sharing.conversation.events import Claimed, PassedOn
from sharing.conversation.handling import find_handling_refusal
from sharing.conversation.vocabulary import Answer, DeliveryStatus, Refusal
from sharing.errors import InputError
from sharing.model.times import to_utc_day
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys
from sharing.rulings.alikeness import find_unavailable_ground
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import ANSWER_PARTS, Answering
from sharing.rulings.vocabulary import FAULT_SENTENCES, GROUND_INSTRUMENTS, RefusalGround

PART_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "grounds": "a ground of refusal",
        "facts": "facts",
        "relaxed": "the conditions that stay, perhaps none",
        "text": "grounds in words",
    }
)
"""The parts of an answer, by their fields."""


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
                f"{found.ask.id}: this Ask does not take the answer {parts.answer}; it takes "
                f"{', '.join(found.ask.row.answers)}",
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
        "the providing State": lambda found: found.provider,
        "kind": lambda found: found.ask.kind,
        "the receiving States": lambda found: found.ask.recipients,
        "the rule that asks": lambda found: terms[found.ask.id].rule,
        "the conditions": lambda found: terms[found.ask.id].conditions_hash,
    }
    first = asks[0]
    for found in asks[1:]:
        for name, read in compared.items():
            if read(found) != read(first):
                raise InputError(
                    f"{first.ask.id} and {found.ask.id} differ in {name}; answer each by itself", field="asks"
                )


def require_grounds(
    console: ConsoleConnection, asks: Sequence[FoundAsk], terms: dict[str, AskedTerms], act: Answering, now: int
) -> None:
    """Refuse grounds of refusal that are not available.

    Raises:
        InputError: One is that of a treaty that is not in force between the States, or discretion is the only one and
            a rule obliges the State.
    """
    for found in asks:
        others = found.ask.recipients if found.provider == console.state else {found.provider}
        in_force = _list_in_force(console, others, now) if set(act.grounds) & set(GROUND_INSTRUMENTS) else frozenset()
        obliged = found.provider == console.state and terms[found.ask.id].is_obligatory
        fault = find_unavailable_ground(act, is_obliged=obliged, in_force=in_force)
        if fault is not None:
            raise InputError(FAULT_SENTENCES[fault], field="grounds")


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
            f"{ask.id}: people of {ask.state} are asked, and answer there; {console.state} waits for them", field="asks"
        )
    return known or Officer(officer_id, "", frozenset() if ask.role is None else frozenset({ask.role}))


def _refuse(found: FoundAsk, refusal: Refusal | None) -> None:
    if refusal is None:
        return
    role = f"; it asks for the role {found.ask.role}" if refusal is Refusal.WRONG_ROLE else ""
    ended = f"; it is {found.ask.status.lower()}" if refusal is Refusal.NOT_OPEN else ""
    raise RulingRefusedError(f"{found.ask.id}: {describe_refusal(refusal)}{role}{ended}", found.ask.id, refusal)


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
        raise InputError(f"the answer {parts.answer} needs {PART_WORDS[missing[0]]}", field=missing[0])
    if surplus:
        raise InputError(
            f"the answer {parts.answer} takes no such part: {PART_WORDS[surplus[0]]}; leave it out", field=surplus[0]
        )
    if (RefusalGround.OWN_LAW in parts.grounds) != (parts.own_rule is not None):
        raise InputError(
            "the ground OWN_LAW needs the id of the rule of your own law, and no other ground does", field="own_rule"
        )


def _require_facts(found: FoundAsk, parts: AnswerParts) -> None:
    other = [fact.name for fact in parts.facts if fact.name not in found.ask.facts]
    if other:
        raise InputError(
            f"{found.ask.id} does not ask for {', '.join(other)}; it asks for {join_codes(found.ask.facts)}",
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
            raise InputError(f"the law requires {join_codes(required - named)}; name it too", field="relaxed")
        if not named <= conditions:
            raise InputError(
                f"{join_codes(named - conditions)} is no condition of this item; it has {join_codes(conditions)}",
                field="relaxed",
            )
        if named == conditions:
            raise InputError(
                "this leaves out no condition; name fewer, of those that the law does not require", field="relaxed"
            )


def _list_guarded(conversation: Conversation, ask: str) -> Collection[Delivery]:
    waiting = conversation.list_deliveries(DeliveryStatus.WAITING)
    return [delivery for delivery in waiting if ask in delivery.guards]


def _list_in_force(console: ConsoleConnection, others: Collection[str], now: int) -> frozenset[str]:
    """Return the instruments that bind this State and each of the others today."""
    settings = console.settings
    law = find_law(console.state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    day = to_utc_day(now)
    common = [law.treaties.common_instruments(console.state, other, day) or frozenset[str]() for other in others]
    return frozenset.intersection(*map(frozenset, common)) if common else frozenset()
