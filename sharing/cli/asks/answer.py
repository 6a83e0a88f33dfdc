"""`sharing asks answer`: an officer answers Asks that are alike, with his or her signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer
from pydantic import ValidationError

from sharing.cli.asks.answer_alike import report_alike, submit_alike
from sharing.cli.asks.later import list_copies, parse_later
from sharing.cli.asks.who import AsksArgument
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.inbox_options import open_optional_reader
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.officer_desk import KeyOption, OfficerOption, OfficerPassphrase, open_officer_desk
from sharing.cli.shared.ruling_desk import (
    WAIT_SECONDS,
    TextOption,
    WaitOption,
    report_outcome,
    require_text_length,
    submit_ruling,
)
from sharing.console.alike import select_alike, sort_out
from sharing.console.answer_checks import AnswerParts, require_alike, require_answered, require_grounds
from sharing.console.asked_law import find_terms
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk, find_asks, make_references, read_open
from sharing.console.ruled_facts import parse_facts
from sharing.conversation.covering import COVER_DAYS_MAX
from sharing.conversation.vocabulary import Answer, Consequence
from sharing.errors import InputError
from sharing.model.validation_errors import to_input_error
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.ruling import ANSWER_PARTS, Answering
from sharing.rulings.vocabulary import RefusalGround


def answer_asks(
    asks: AsksArgument,
    answer: Annotated[
        Answer, typer.Argument(metavar="ANSWER", help="The answer; `asks show` lists those that an Ask takes.")
    ],
    officer: OfficerOption,
    key: KeyOption,
    text: TextOption = "",
    ground: Annotated[
        list[RefusalGround] | None, typer.Option("--ground", help="A ground of refusal; repeat it for all.")
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option("--rule", metavar="RULE", help="With --ground OWN_LAW: id of the rule of your own law."),
    ] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option("--fact", metavar="NAME=VALUE", help="With SUPPLIED: a fact; separate values of a set by commas."),
    ] = None,
    relax: Annotated[
        list[str] | None,
        typer.Option("--relax", metavar="CODE", help="With RELAX: a condition that stays; repeat it for all."),
    ] = None,
    relax_none: Annotated[bool, typer.Option("--relax-none", help="With RELAX: no condition stays.")] = False,
    conditions_hash: Annotated[
        str | None,
        typer.Option(
            "--conditions-hash", metavar="DIGITS", help="Hash of the conditions that you have read elsewhere."
        ),
    ] = None,
    alike: Annotated[
        bool, typer.Option("--alike", help="Answer all open Asks that are alike to ASK, as `asks list` groups them.")
    ] = False,
    later_until: Annotated[
        str | None,
        typer.Option(
            "--later-until",
            metavar="TIME",
            help=f"Answer alike Asks that are put later, too, until this time, at most {COVER_DAYS_MAX} days ahead.",
        ),
    ] = None,
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Answer Asks that are alike, the answer last, and wait for what the State's worker makes of it.

    The ruling is signed over the Asks, their nonces, the answer, and the conditions. If no worker runs, it is written
    all the same, and the worker takes it when it runs. Exit code 1: it was refused.
    """
    if relax and relax_none:
        raise InputError("--relax and --relax-none contradict each other; give one of them")
    require_text_length(text)
    relaxed = () if relax_none else tuple(sorted(set(relax))) if relax else None
    grounds = tuple(sorted(set(ground or ())))
    parts = AnswerParts(answer, text, grounds, rule, parse_facts(fact), relaxed)
    if alike and len(asks) > 1:
        raise InputError("--alike: name one Ask; all that are alike to it are answered")
    console = connect_console(bootstrap, state)
    found = find_asks(console, asks)
    desk = open_officer_desk(console, officer, key, passphrase_file)
    now = read_clock()
    require_answered(console, found, desk, parts, now)
    until = None if later_until is None else parse_later(found[0], later_until, parts, now)
    others = select_alike(found[0], read_open(console)) if alike else []
    terms = _find_terms(console, found, others, conditions_hash)
    require_alike(found, terms)
    act = _make_answering(found, terms[found[0].ask.id], parts, until)
    require_grounds(console, found, terms, act, now)
    if alike:
        fitting, left_out = sort_out(console, found[0], others, desk, parts, terms, now)
        report_alike(submit_alike(console, desk, act, [*found, *fitting], left_out, text, wait), as_json=as_json)
        return
    outcome = submit_ruling(console, desk, act, list_copies(console, act, found), text, wait)
    report_outcome(outcome, as_json=as_json)


def _find_terms(
    console: ConsoleConnection, found: list[FoundAsk], others: list[FoundAsk], given_hash: str | None
) -> dict[str, AskedTerms]:
    """Return the terms of the Asks that the user names, and of others that are alike.

    Raises:
        InputError: The hash that was given is that of other conditions.
    """
    is_received = any(each.provider != console.state for each in [*found, *others])
    with open_optional_reader(console.settings, console.servers, console.state, console.properties,
                              is_wanted=is_received and given_hash is None) as reader:  # fmt: skip
        terms = find_terms(console, [*found, *others], reader)
    if given_hash is None:
        return terms
    for ask_id, known in ((each.ask.id, terms[each.ask.id]) for each in found):
        if known.conditions_hash not in {None, given_hash}:
            raise InputError(
                f"--conditions-hash: {ask_id} has other conditions; read them again with `sharing asks show`"
            )
    # The officer says that the conditions were read elsewhere. Of the alike Asks that is said only of the same ones.
    read = {each.ask.id for each in found} | {
        each.ask.id for each in others if terms[each.ask.id].conditions_hash == given_hash
    }
    return {
        ask_id: replace(known, conditions=(), conditions_hash=given_hash, codes=frozenset(), is_known=True)
        if ask_id in read
        else known
        for ask_id, known in terms.items()
    }


def _make_answering(found: list[FoundAsk], terms: AskedTerms, parts: AnswerParts, until: int | None) -> Answering:
    first = found[0].ask
    read_hash = _choose_hash(found[0], terms, parts.answer, covers=until is not None)
    try:
        return Answering(
            asks=make_references(found),
            about=first.kind,
            recipients=tuple(sorted(first.recipients)),
            rule=terms.rule,
            conditions_hash=read_hash,
            answer=parts.answer,
            grounds=parts.grounds,
            own_rule=parts.own_rule,
            relaxed=parts.relaxed,
            facts=parts.facts,
            covers_until=until,
        )
    except ValidationError as error:
        raise to_input_error(error, Answering) from None


def _choose_hash(found: FoundAsk, terms: AskedTerms, answer: Answer, *, covers: bool) -> str | None:
    """Return the hash of the conditions that the answer is about.

    Raises:
        InputError: The answer needs it, and the conditions are not known here.
    """
    is_needed = "conditions_hash" in ANSWER_PARTS.get(answer, (frozenset(), frozenset()))[0] or (
        covers and (bool(terms.codes) or not terms.is_known)
    )
    if is_needed and (terms.conditions_hash is None or not terms.are_read):
        raise InputError(
            f"{found.ask.id}: the answer {answer} is about conditions, and they cannot be read here; set "
            "SHARING_READER_KEY to open the offer in the inbox, or give --conditions-hash of those that you have read"
        )
    is_releasing = found.ask.row.answers[answer] is Consequence.RELEASE
    return terms.conditions_hash if is_needed or (is_releasing and terms.are_read) else None
