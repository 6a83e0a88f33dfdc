"""`sharing asks answer`: an officer answers questions that are alike, with his or her signature."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.asks.answer_alike import report_alike, submit_alike
from sharing.cli.asks.later import parse_later
from sharing.cli.asks.who import AsksArgument
from sharing.cli.given_values import FACT_METAVAR
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.officer_desk import KeyOption, OfficerOption, OfficerPassphrase, open_officer_desk
from sharing.cli.shared.option_names import naming_options
from sharing.cli.shared.ruling_desk import (
    WAIT_SECONDS,
    TextOption,
    WaitOption,
    report_outcome,
    submit_ruling,
)
from sharing.console.alike import select_alike, sort_out
from sharing.console.answer_checks import AnswerParts, require_alike, require_answered
from sharing.console.answering import list_copies, make_answering, read_elsewhere, require_text_length
from sharing.console.asked_law import find_terms
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk, find_asks, read_open
from sharing.console.ground_checks import find_own_citation
from sharing.console.printable import to_printable
from sharing.console.readers import open_optional_reader
from sharing.console.ruled_facts import parse_facts
from sharing.conversation.covering import COVER_DAYS_MAX
from sharing.conversation.vocabulary import Answer
from sharing.errors import InputError
from sharing.rulings.asked_terms import AskedTerms
from sharing.rulings.vocabulary import RefusalGround


def answer_asks(
    asks: AsksArgument,
    answer: Annotated[
        Answer, typer.Argument(metavar="ANSWER", help="The answer; `asks show` lists those that a question takes.")
    ],
    officer: OfficerOption,
    key: KeyOption,
    text: TextOption = "",
    ground: Annotated[
        list[RefusalGround] | None, typer.Option("--ground", help="A ground of refusal; can be repeated.")
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option("--rule", metavar="RULE", help="With --ground OWN_LAW: id of the rule of your own law."),
    ] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option("--fact", metavar=FACT_METAVAR, help="With SUPPLIED: a fact; separate values of a set by commas."),
    ] = None,
    relax: Annotated[
        list[str] | None,
        typer.Option("--relax", metavar="CODE", help="With RELAX: a condition that stays; can be repeated."),
    ] = None,
    relax_none: Annotated[bool, typer.Option("--relax-none", help="With RELAX: no condition stays.")] = False,
    conditions_hash: Annotated[
        str | None,
        typer.Option(
            "--conditions-hash", metavar="DIGITS", help="Hash of the conditions that you have read elsewhere."
        ),
    ] = None,
    alike: Annotated[
        bool, typer.Option("--alike", help="Answer all open questions like ASK, as `asks list` groups them.")
    ] = False,
    later_until: Annotated[
        str | None,
        typer.Option(
            "--later-until",
            metavar="TIME",
            help=f"Also answer similar later questions until this time, at most {COVER_DAYS_MAX} days ahead.",
        ),
    ] = None,
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Answer questions that are alike, the answer last, and wait for what the State's worker makes of it.

    The ruling is signed over the questions, their nonces, the answer, and the conditions. If no worker runs, it is
    written all the same, and the worker takes it when it runs. Exit code 1: it was refused.
    """
    if relax and relax_none:
        raise InputError("--relax and --relax-none contradict each other; give one of them")
    with naming_options():
        require_text_length(text)
        relaxed = () if relax_none else tuple(sorted(set(relax))) if relax else None
        grounds = tuple(sorted(set(ground or ())))
        parts = AnswerParts(answer, text, grounds, rule, parse_facts(fact), relaxed)
    if alike and len(asks) > 1:
        raise InputError("--alike: name one question; all questions like it are answered")
    console = connect_console(bootstrap, state)
    found = find_asks(console, asks)
    desk = open_officer_desk(console, officer, key, passphrase_file)
    now = read_clock()
    with naming_options():
        require_answered(console, found, desk, parts, now)
        until = None if later_until is None else parse_later(found[0], later_until, parts, now)
        others = select_alike(found[0], read_open(console)) if alike else []
        terms = _find_terms(console, found, others, conditions_hash)
        require_alike(found, terms)
        act = make_answering(console, found, terms, parts, now, until)
    if act.own_rule is not None and find_own_citation(console, act.own_rule) is None:
        err.print(f"note: your law pack has no rule {to_printable(act.own_rule)}: the log will not name it")
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
    return read_elsewhere(terms, found, others, given_hash)
