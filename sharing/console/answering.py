"""Answers, claims, and passing on: from what an officer states to the act that is signed, and where it is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pydantic import ValidationError

from sharing.console.answer_checks import AnswerParts
from sharing.console.ask_sentences import name_ask
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk, list_partitions, make_references
from sharing.console.ground_checks import require_grounds
from sharing.console.ruling_bus import open_ruling_bus
from sharing.console.ruling_submission import list_every_partition
from sharing.conversation.covering import COVER_DAYS_MAX
from sharing.conversation.vocabulary import Answer, Consequence
from sharing.errors import InputError
from sharing.model.times import DAY_MS
from sharing.model.validation_errors import to_input_error
from sharing.model.vocabulary import Authority
from sharing.rulings.answer_parts import ANSWER_PARTS
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.ruling import TEXT_MAX, Answering, PassingOn
from sharing.rulings.vocabulary import RefusalGround
from sharing.sentences import say


def require_text_length(text: str) -> str:
    """Return an officer's words.

    Raises:
        InputError: There are too many for a ruling.
    """
    if len(text) > TEXT_MAX:
        raise InputError(say("must not have more than %(count)s characters", count=format(TEXT_MAX, ",")), field="text")
    return text


def read_elsewhere(
    terms: Mapping[str, AskedTerms], named: Sequence[FoundAsk], others: Sequence[FoundAsk], given_hash: str
) -> dict[str, AskedTerms]:
    """Return the terms of Asks whose conditions the officer has read elsewhere, and names by their hash.

    Args:
        terms: By which law the Asks are opened, as far as that is known.
        named: The Asks that the officer names.
        others: Asks that are alike to them. That their conditions were read is said only of the same ones.
        given_hash: The hash.

    Raises:
        InputError: One that is named has other conditions.
    """
    for found in named:
        if terms[found.ask.id].conditions_hash not in {None, given_hash}:
            raise InputError(
                say(
                    "%(ask)s has other conditions; read them again, with `sharing asks show` or at the desk",
                    ask=found.ask.id,
                ),
                field="conditions_hash",
            )
    read = {found.ask.id for found in named} | {
        found.ask.id for found in others if terms[found.ask.id].conditions_hash == given_hash
    }
    return {
        ask_id: replace(known, conditions=(), conditions_hash=given_hash, codes=frozenset(), is_known=True)
        if ask_id in read
        else known
        for ask_id, known in terms.items()
    }


def make_answering(
    console: ConsoleConnection,
    found: Sequence[FoundAsk],
    terms: dict[str, AskedTerms],
    parts: AnswerParts,
    now: int,
    until: int | None = None,
) -> Answering:
    """Return the answer to Asks that are alike.

    Args:
        console: The connection.
        found: The Asks.
        terms: By which law they are opened.
        parts: The answer.
        now: The time in UTC milliseconds.
        until: Until when similar later Asks are answered, too; None if they are not.

    Raises:
        InputError: It needs the conditions, and they are not known; it is none that can be signed; or one of its
            grounds is not available.
    """
    first = found[0].ask
    known = terms[first.id]
    try:
        act = Answering(
            asks=make_references(found),
            about=first.kind,
            recipients=tuple(sorted(first.recipients)),
            rule=known.rule,
            conditions_hash=_choose_hash(found[0], known, parts.answer, covers=until is not None),
            answer=parts.answer,
            grounds=parts.grounds,
            own_rule=parts.own_rule,
            relaxed=parts.relaxed,
            facts=parts.facts,
            covers_until=until,
        )
    except ValidationError as error:
        raise to_input_error(error, Answering) from None
    require_grounds(console, found, terms, act, now)
    return act


def make_passing_on(found: Sequence[FoundAsk], authority: Authority) -> PassingOn:
    """Return that Asks are passed on to another kind of authority.

    Raises:
        InputError: No kind is named, or there are too many Asks.
    """
    if authority is Authority.UNKNOWN:
        raise InputError(
            say("name the kind of authority that must answer, such as the public prosecutor (PROSECUTOR)"),
            field="authority",
        )
    return PassingOn(asks=make_references(found), authority=authority)


def require_coverable(found: FoundAsk, until: int, parts: AnswerParts, now: int) -> int:
    """Return until when similar later Asks are answered, too, in UTC milliseconds.

    Args:
        found: An Ask that is answered.
        until: The time that the officer gives, in UTC milliseconds.
        parts: The answer.
        now: The time in UTC milliseconds.

    Raises:
        InputError: Such Asks, or this answer, must be looked at each time; or the time is over or too far ahead.
    """
    field = "covers_until"
    if not now < until <= now + COVER_DAYS_MAX * DAY_MS:
        raise InputError(
            say("must be a time in the future, at most %(days)s days ahead", days=COVER_DAYS_MAX), field=field
        )
    if not found.ask.row.can_be_covered:
        raise InputError(
            say("each question of the kind %(kind)s is answered separately; leave this out", kind=found.ask.kind.value),
            field=field,
        )
    if RefusalGround.HUMAN_RIGHTS in parts.grounds:
        raise InputError(
            say("whether a human right stands against an item must be examined for each item; leave this out"),
            field=field,
        )
    return until


def list_copies(console: ConsoleConnection, act: Answering, asks: Collection[FoundAsk]) -> dict[int, str]:
    """Return the partitions to which an answer is written: of its Asks; if it covers later ones, all.

    Args:
        console: The connection.
        act: The answer.
        asks: The Asks that it names.

    Raises:
        InfrastructureError: No broker answers, or the topic does not exist.
    """
    own = list_partitions(list(asks))
    if act.covers_until is None:
        return own
    return list_every_partition(open_ruling_bus(console), act.asks[0].item) | own


def _choose_hash(found: FoundAsk, terms: AskedTerms, answer: Answer, *, covers: bool) -> str | None:
    """Return the hash of the conditions that the answer is about.

    Raises:
        InputError: The answer needs it, and the conditions are not known.
    """
    is_needed = "conditions_hash" in ANSWER_PARTS.get(answer, (frozenset(), frozenset()))[0] or (
        covers and (bool(terms.codes) or not terms.is_known)
    )
    if is_needed and (terms.conditions_hash is None or not terms.are_read):
        raise InputError(
            name_ask(
                found.ask.id,
                say(
                    "the answer %(answer)s is about conditions, and they cannot be read here; set SHARING_READER_KEY "
                    "to open the offer in the inbox, or give the hash of those that you have read",
                    answer=answer,
                ),
            ),
            field="conditions_hash",
        )
    is_releasing = found.ask.row.answers[answer] is Consequence.RELEASE
    return terms.conditions_hash if is_needed or (is_releasing and terms.are_read) else None
