"""`sharing asks show`: one Ask, with all that an officer must know to answer it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharing.cli.asks.who import WhoOption, find_bar, open_register
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, print_json, print_labelled, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.console.asked_law import find_terms
from sharing.console.conversation_words import (
    describe_answers,
    describe_kind,
    describe_silence,
    describe_time_left,
    format_revision,
    join_codes,
    list_escalation_instants,
    list_law,
)
from sharing.console.found_asks import FoundAsk, find_asks
from sharing.console.found_covers import read_covers
from sharing.console.readers import open_optional_reader
from sharing.conversation.vocabulary import Answer
from sharing.conversation_state.open_asks import show_ask
from sharing.law.fact_questions import QUESTIONS
from sharing.model.times import format_time
from sharing.rulings.answer_parts import ANSWER_PARTS
from sharing.rulings.asked_terms import AskedTerms

PART_OPTIONS = {
    "grounds": "--ground",
    "facts": "--fact",
    "relaxed": "--relax or --relax-none",
    "text": "--text",
    "conditions_hash": "conditions that were read",
}


def show_asked(
    ask: Annotated[
        str, typer.Argument(metavar="ASK", help="Id of the question; for an open one, the first characters are enough.")
    ],
    officer: WhoOption = None,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Show what is asked, of whom, until when, under which conditions and by which law; and what each answer does."""
    console = connect_console(bootstrap, state)
    (found,) = find_asks(console, [ask])
    is_received = found.provider != console.state
    with open_optional_reader(console.settings, console.servers, console.state, console.properties,
                              is_wanted=is_received) as reader:  # fmt: skip
        terms = find_terms(console, [found], reader)[found.ask.id]
    now = read_clock()
    covers = [cover for cover in read_covers(console, now) if cover.is_for(found, terms)]
    bar = None if officer is None else find_bar(console, found, officer, open_register(console, officer), now)
    if as_json:
        asker = {} if officer is None else {"officer": officer, "barred": bar}
        covering = {"covers": [cover.to_json() for cover in covers]}
        print_json({**describe_found(found, terms, now), **covering, **asker})
    else:
        _print(found, terms, now)
        for cover in covers:
            print_labelled("later", cover.describe(now))
        if officer is not None:
            print_labelled("officer", f"{officer}: {bar or 'may answer it, as far as this command can tell'}")


def describe_found(found: FoundAsk, terms: AskedTerms, now: int) -> dict[str, Any]:
    """Return an Ask as JSON, with everything that is known of it."""
    ask = found.ask
    escalations = list_escalation_instants(ask.opened_at, ask.expires_at, ask.kind)
    return {
        **show_ask(ask, found.item, found.provider, now).to_json(),
        "status": ask.status.value,
        "round": ask.round,
        "nonce": ask.nonce,
        "version": ask.revision.version,
        "amendment": ask.revision.amendment,
        "partition": found.partition,
        "needed": ask.needed,
        "escalations": [format_time(instant) for instant in escalations],
        "escalated": ask.escalated,
        "effects": {answer.value: consequence.value for answer, consequence in ask.row.answers.items()},
        "facts": [{"name": name, "question": QUESTIONS.get(name)} for name in sorted(ask.facts)],
        "conditions": [{"code": each.code, "text": each.text} for each in terms.conditions],
        "condition_codes": sorted(terms.codes),
        "conditions_hash": terms.conditions_hash,
        "basis": terms.basis,
        "obligation": terms.is_obligatory,
        "dossier": None,
        "law": list_law(terms.rules),
        "given": [
            {"answer": given.answer.value, "by": given.officer, "at": format_time(given.at)} for given in ask.given
        ],
    }


def _print(found: FoundAsk, terms: AskedTerms, now: int) -> None:
    ask = found.ask
    print_line(f"{describe_kind(ask.kind)} [{ask.kind}]", style="bold")
    round_text = f", round {ask.round}" if ask.round > 1 else ""
    print_labelled("ask", f"{ask.id}, {ask.status.lower()}{round_text}")
    revision = format_revision(*ask.revision)
    print_labelled("item", f"{found.item} of {found.provider}, version {revision}, {ask.urgency}")
    print_labelled("for", join_codes(ask.recipients))
    needed = f"; {ask.needed} officers must answer" if ask.needed > 1 else ""
    asked = (ask.state, ask.role or "any officer", ask.authority or "contact point")
    print_labelled("asked", f"{', '.join(asked)}{needed}")
    claimant = ask.find_claimant(now)
    if claimant is not None:
        print_labelled("claimed", f"by {claimant} until {format_time(ask.claimed_until)}")
    _print_times(found, now)
    for given in ask.given:
        print_labelled("given", f"{given.answer} by {given.officer} at {format_time(given.at)}")
    for answer, effect in describe_answers(ask.row).items():
        print_labelled("answer", f"{answer}: {effect}{_describe_needs(answer)}")
    for name in sorted(ask.facts):
        print_labelled("fact", f"{name}: {QUESTIONS.get(name, 'what is it?')}")
    _print_terms(terms)
    print_labelled("nonce", ask.nonce, style="dim")


def _print_times(found: FoundAsk, now: int) -> None:
    ask = found.ask
    if not ask.is_open:
        return
    print_labelled("deadline", f"{format_time(ask.expires_at)} ({describe_time_left(ask.expires_at, now)})")
    for step, instant in enumerate(list_escalation_instants(ask.opened_at, ask.expires_at, ask.kind), 1):
        made = "was notified" if step <= ask.escalated else "is notified"
        print_labelled("escalates", f"{format_time(instant)}: the contact point of step {step} {made}")
    print_labelled("silence", describe_silence(ask.row))


def _describe_needs(answer: Answer) -> str:
    needed, allowed = ANSWER_PARTS.get(answer, (frozenset(), frozenset()))
    parts = [f"needs {PART_OPTIONS[name]}" for name in sorted(needed) if name in PART_OPTIONS]
    parts += [f"may have {PART_OPTIONS[name]}" for name in sorted(allowed) if name in PART_OPTIONS]
    return f" ({'; '.join(parts)})" if parts else ""


def _print_terms(terms: AskedTerms) -> None:
    for condition in terms.conditions:
        print_labelled("condition", f"{condition.text} [{condition.code}]")
    unknown = terms.codes - {condition.code for condition in terms.conditions}
    for code in sorted(unknown):
        print_labelled("condition", f"[{code}] its text is not known")
    if terms.conditions_hash is not None:
        print_labelled("hash", f"{terms.conditions_hash} of the conditions")
    for rule in terms.rules:
        print_labelled("law", f"{rule.citation} [{rule.id}] {rule.effect}")
    if terms.basis is not None:
        print_labelled("basis", terms.basis)
    if terms.is_obligatory:
        print_labelled("duty", "a rule obliges the State to provide it: discretion is not a ground of refusal")
