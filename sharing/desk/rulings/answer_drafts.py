"""Claims, passing on, and answers: from the form of an Ask's page, or of several alike Asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sharing.console.alike import LeftOut, select_alike, sort_out
from sharing.console.answer_checks import (
    AnswerParts,
    RulingRefusedError,
    require_alike,
    require_answered,
    require_handled,
)
from sharing.console.answering import (
    list_copies,
    make_answering,
    make_passing_on,
    require_coverable,
    require_text_length,
)
from sharing.console.found_asks import FoundAsk, list_partitions, make_references
from sharing.console.ground_checks import find_own_citation
from sharing.conversation.vocabulary import Answer
from sharing.desk.board.refusal_words import say_refusal_here
from sharing.desk.rulings.prepared_ruling import FollowingAsks
from sharing.desk.rulings.ruling_draft import DraftContext, RulingDraft, read_facts, read_text, require_seen
from sharing.desk.rulings.summaries import summarise_answer, summarise_claim, summarise_passing_on, summarise_unclaim
from sharing.desk.web.forms import Form
from sharing.errors import InputError
from sharing.model.times import to_milliseconds
from sharing.model.vocabulary import Authority
from sharing.rulings.answer_parts import ANSWER_PARTS
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.ruling import ASKS_MAX, Answering, Claiming
from sharing.rulings.vocabulary import RefusalGround
from sharing.sentences import say


def draft_claim(context: DraftContext, form: Form) -> RulingDraft:
    """Return a claim of the Asks that a form names.

    Raises:
        InputError: The officer may not claim one of them.
    """
    found = read_asks(context, form)
    _require_handled(context, found, None)
    if form.get("alike") == "1" and len(found) == 1:
        now, officer = context.now, context.officer
        others = select_alike(found[0], context.service.board.view().asks)
        found += [
            each
            for each in others
            if each.ask.find_bar(officer, now, each.ask.nonce) is None and each.ask.find_claimant(now) != officer.id
        ]
    chosen, rest = found[:ASKS_MAX], found[ASKS_MAX:]
    act, summary = Claiming(asks=make_references(chosen)), summarise_claim(chosen, len(rest))
    return RulingDraft(act, list_partitions(chosen), "", summary, _find_following(rest))


def draft_unclaim(context: DraftContext, form: Form) -> RulingDraft:
    """Return that the officer gives up the claim of the Asks that a form names.

    Raises:
        InputError: The officer has not claimed one of them.
    """
    found = read_asks(context, form)
    _require_handled(context, found, None, ends_claim=True)
    act = Claiming(asks=make_references(found), is_ended=True)
    return RulingDraft(act, list_partitions(found), "", summarise_unclaim(found))


def draft_passing_on(context: DraftContext, form: Form) -> RulingDraft:
    """Return that the Asks which a form names are passed on.

    Raises:
        InputError: No authority is named, or the officer may not pass one of them on.
    """
    chosen = form.get("authority")
    authority = Authority(chosen) if chosen in Authority.__members__.values() else Authority.UNKNOWN
    found = read_asks(context, form)
    act = make_passing_on(found, authority)
    _require_handled(context, found, str(authority))
    return RulingDraft(act, list_partitions(found), "", summarise_passing_on(found, authority))


def draft_answer(context: DraftContext, form: Form) -> RulingDraft:
    """Return an answer to the Asks that a form names, and to those that are alike, if it says so.

    Raises:
        InputError: The worker would refuse it, or the page is older than what is asked now.
        InfrastructureError: By which law it is asked cannot be looked up.
    """
    console, service = context.service.console, context.service
    parts = _read_parts(form)
    found = read_asks(context, form)
    if parts.answer is Answer.CANNOT_COMPLY:
        parts = replace(parts, text=_say_unmet(form, parts.text))
    try:
        require_answered(console, found, context, parts, context.now)
    except RulingRefusedError as error:
        raise InputError(_refuse(error), field="asks") from None
    until = _read_until(context, found[0], form, parts)
    is_bulk = form.get("alike") == "1"
    if is_bulk and len(found) > 1:
        raise InputError(say("Name one question; all questions like it are answered."), field="asks")
    others = select_alike(found[0], service.board.view().asks) if is_bulk else []
    terms = service.asked_law.require([*found, *others])
    require_alike(found, terms)
    _require_read(terms[found[0].ask.id], parts, form.get("conditions_hash"))
    _require_unmet_known(form, terms[found[0].ask.id])
    act = make_answering(console, found, terms, parts, context.now, until)
    left_out: list[LeftOut] = []
    chosen, rest = list(found), list[FoundAsk]()
    if is_bulk:
        fitting, left_out = sort_out(console, found[0], others, context, parts, terms, context.now)
        room = ASKS_MAX - len(chosen)
        chosen, rest = [*chosen, *fitting[:room]], fitting[room:]
        act = Answering(**{**dict(act), "asks": make_references(chosen)})
    cited = None if act.own_rule is None else find_own_citation(console, act.own_rule)
    summary = summarise_answer(act, chosen, terms[found[0].ask.id], left_out, len(rest), cited=cited)
    return RulingDraft(act, list_copies(console, act, chosen), parts.text, summary, _find_following(rest))


def _find_following(rest: Sequence[FoundAsk]) -> FollowingAsks | None:
    """Return the alike Asks for which there is no room under this signature."""
    return FollowingAsks(rest[0].ask.id, rest[0].ask.nonce, len(rest)) if rest else None


def read_asks(context: DraftContext, form: Form) -> list[FoundAsk]:
    """Return the Asks that a form names, if each is open and in the round that the page has shown.

    Raises:
        InputError: One is not.
    """
    ids, nonces = form.get_all("ask"), form.get_all("nonce")
    if not ids or len(ids) != len(nonces):
        raise InputError(say("No question is named; choose one in the list."), field="asks")
    if len(ids) > ASKS_MAX:
        raise InputError(
            say("These are too many for one signature; choose at most %(count)s.", count=ASKS_MAX), field="asks"
        )
    if len(set(ids)) < len(ids):
        raise InputError(say("A question is named twice; choose each once."), field="asks")
    found = []
    for ask_id, nonce in zip(ids, nonces, strict=True):
        each = context.service.board.find(ask_id)
        if each is None:
            raise InputError(
                say(
                    "The question is no longer open: it was answered or cancelled, or its time is over. Nothing was "
                    "sent."
                ),
                field="asks",
            )
        if each.ask.nonce != nonce:
            raise InputError(
                say(
                    "The question was asked again after this page was loaded; reload the page and read it. Nothing "
                    "was sent."
                ),
                field="asks",
            )
        found.append(each)
    return found


def _read_parts(form: Form) -> AnswerParts:
    """Return the parts of an answer.

    Raises:
        InputError: One is none of its list.
    """
    chosen = form.get("answer")
    if chosen not in Answer.__members__.values():
        raise InputError(say("Choose an answer."), field="answer")
    grounds = set(form.get_all("ground"))
    if not grounds <= set(RefusalGround.__members__.values()):
        raise InputError(say("choose grounds of the list"), field="grounds")
    relaxed = tuple(sorted(set(form.get_all("relaxed"))))
    keeps_none = form.get("relax_none") == "1"
    if relaxed and keeps_none:
        raise InputError(say("either conditions stay, or none does; choose one of both"), field="relaxed")
    return AnswerParts(
        answer=Answer(chosen),
        text=require_text_length(read_text(form)),
        grounds=tuple(sorted(map(RefusalGround, grounds))),
        own_rule=form.get("rule").strip() or None,
        facts=read_facts(form),
        relaxed=relaxed or (() if keeps_none else None),
    )


def _say_unmet(form: Form, text: str) -> str:
    """Return the officer's words with what cannot be complied with, and why not: a ruling has no fields of its own.

    Raises:
        InputError: It is not said which conditions, or which law stands against them.
    """
    unmet, law = sorted(set(form.get_all("unmet"))), require_seen(form.get("our_law").strip(), "our_law")
    if not unmet:
        raise InputError(say("choose the conditions that cannot be complied with"), field="unmet")
    if not law:
        raise InputError(say("name the law of ours that stands against them"), field="our_law")
    return require_text_length(f"Cannot comply with {', '.join(unmet)}, because of {law}. {text}".strip())


def _require_unmet_known(form: Form, terms: AskedTerms) -> None:
    """Refuse a condition that is none of the offer.

    Raises:
        InputError: There is one.
    """
    if not set(form.get_all("unmet")) <= terms.codes:
        raise InputError(say("choose conditions of this offer"), field="unmet")


def _read_until(context: DraftContext, found: FoundAsk, form: Form, parts: AnswerParts) -> int | None:
    """Return until when later Asks are answered, too, in UTC milliseconds; None if they are not.

    A browser sends a time without a zone; it is that of the officer.

    Raises:
        InputError: It is no time, or not one that may be chosen.
    """
    text = form.get("later_until").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        zoned = at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(context.signed_in.session.time_zone))
        until = to_milliseconds(zoned.astimezone(UTC))
    except (ValueError, OverflowError, KeyError):
        raise InputError(say("must be a day and a time"), field="covers_until") from None
    return require_coverable(found, until, parts, context.now)


def _require_read(terms: AskedTerms, parts: AnswerParts, shown_hash: str) -> None:
    """Refuse to sign conditions that the page has not shown: they are others now, or it has shown none.

    Raises:
        InputError: It is so.
    """
    needs_hash = "conditions_hash" in ANSWER_PARTS.get(parts.answer, (frozenset(), frozenset()))[0]
    if (shown_hash or needs_hash) and terms.conditions_hash is not None and shown_hash != terms.conditions_hash:
        raise InputError(
            say("The page does not show the conditions as they are; load it again and read them. Nothing was sent."),
            field="asks",
        )
    if needs_hash and terms.conditions_hash is None:
        raise InputError(
            say(
                "The conditions of this offer cannot be read at this desk, so it cannot be answered here. The operator "
                "sets a reader's key; or answer where they can be read."
            ),
            field="asks",
        )


def _require_handled(
    context: DraftContext, found: Sequence[FoundAsk], authority: str | None, *, ends_claim: bool = False
) -> None:
    try:
        require_handled(context.service.console, found, context, context.now, authority, ends_claim=ends_claim)
    except RulingRefusedError as error:
        raise InputError(_refuse(error), field="asks") from None


def _refuse(error: RulingRefusedError) -> str:
    return say("The worker would refuse this: %(reason)s. Nothing was sent.", reason=say_refusal_here(error.refusal))
