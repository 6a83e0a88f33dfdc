"""`sharing asks list`: the open Asks of both directions, the most pressing first."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Annotated, Any, NamedTuple

import typer

from sharing.cli.asks.who import WhoOption, find_bar, open_register
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, out, print_json, print_labelled, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.unreadable import exit_if_incomplete, print_unreadable
from sharing.console.alike import group_alike
from sharing.console.asked_law import find_terms
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import (
    describe_kind,
    describe_silence,
    describe_time_left,
    join_codes,
    list_law,
)
from sharing.console.found_asks import FoundAsk, list_found, rank_ask
from sharing.console.found_covers import list_covers
from sharing.console.printable import to_printable
from sharing.console.readers import open_optional_reader
from sharing.conversation.vocabulary import AskKind
from sharing.conversation_state.item_keys import read_item_key
from sharing.conversation_state.open_asks import show_ask
from sharing.errors import DecodeError
from sharing.kafka.conversation_reader import EntryTable, keep_open_entry
from sharing.kafka.unreadable_records import Unreadable, UnreadableRecord
from sharing.model.vocabulary import Urgency
from sharing.rulings.asked_terms import AskedTerms

_POLL_SECONDS = 1.0
_ID_MAX = 40
_CONSEQUENCE = (
    "open questions may be missing from the list, and questions after a batch that cannot be read may be listed "
    "although they have ended; ask the operators to restore the topic (docs/maintain.md)"
)


class ListOptions(NamedTuple):
    """How Asks are listed.

    Attributes:
        with_law: Whether it is looked up by which law each is asked.
        each: Whether alike ones are listed one by one.
        as_json: Whether they are listed as JSON lines.
        officer: Id of the officer whose Asks are listed; None for all.
        refused: Why entries cannot be decoded, by their keys, since they were listed last.
        unreadable: What could not be read when it was looked up by which law is asked.
    """

    with_law: bool
    each: bool
    as_json: bool
    officer: str | None
    refused: dict[bytes, DecodeError]
    unreadable: Unreadable


def list_asks(
    officer: WhoOption = None,
    state: StateOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also questions that have ended and are still remembered.")
    ] = False,
    kind: Annotated[AskKind | None, typer.Option("--kind", help="Only questions of this kind.")] = None,
    each: Annotated[
        bool, typer.Option("--each", help="List similar questions one by one, not as one entry with their number.")
    ] = (False),
    with_law: Annotated[
        bool | None,
        typer.Option(
            "--law/--no-law",
            help="Also look up the rules behind each question, which reads decisions.",
            show_default="with --json",
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep running, and list again when anything changes.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """List what people are asked about items of the State and of others: time left, whom, what silence means.

    Questions that are alike are one entry with their number; `asks answer ASK ANSWER --alike` answers them. With --as,
    only what this officer may answer. Exit code 1: an entry could not be read; the others are listed, and it is named
    with its place.
    """
    options = ListOptions(as_json if with_law is None else with_law, each, as_json, officer, {}, [])
    console = connect_console(bootstrap, state)
    known = None if officer is None else open_register(console, officer)
    keep = _keep_any if every else keep_open_entry
    table: EntryTable[bytes] = EntryTable(
        console.servers, console.state, keep, console.properties, skip_unreadable=True
    )

    def select() -> list[FoundAsk]:
        options.refused.clear()
        found = (
            one
            for one in list_found(table.entries, options.refused)
            if (every or one.ask.is_open) and kind in {None, one.ask.kind}
        )
        if officer is not None:
            now = read_clock()
            found = (one for one in found if find_bar(console, one, officer, known, now) is None)
        return sorted(found, key=rank_ask)

    with closing(table):
        table.read()
        listed = select()
        _print_all(console, listed, options)
        if not as_json:
            for cover in list_covers(table.covers, read_clock()):
                print_line(cover.describe(read_clock()))
        told = _print_unreadable(table, options, set())
        while watch and not out.is_closed:
            if table.follow(_POLL_SECONDS):
                before, listed = listed, select()
                _print_changes(console, before, listed, options)
                told |= _print_unreadable(table, options, told)
    exit_if_incomplete(len(told), _CONSEQUENCE)


def _keep_any(key: bytes, entry: bytes) -> bytes:
    del key
    return entry


def _print_all(console: ConsoleConnection, listed: list[FoundAsk], options: ListOptions) -> None:
    now = read_clock()
    terms = _look_up(console, listed, options.unreadable) if options.with_law else None
    if options.as_json:
        for found in listed:
            print_json(_describe(found, now, terms))
        return
    for group in ((found,) for found in listed) if options.each else group_alike(listed, terms):
        _print_group(console, group, now, terms)
    if not listed:
        nobody = (
            "there are no open questions"
            if options.officer is None
            else f"there are no open questions for {to_printable(options.officer)}"
        )
        err.print(f"{console.state}: {nobody}")


def _print_changes(
    console: ConsoleConnection, before: list[FoundAsk], after: list[FoundAsk], options: ListOptions
) -> None:
    if not options.as_json:
        if out.is_terminal:
            out.clear()
        _print_all(console, after, options)
        return
    known = {found.ask.id: found.ask for found in before}
    changed = [found for found in after if known.get(found.ask.id) != found.ask]
    _print_all(console, changed, options)
    left = known.keys() - {found.ask.id for found in after}
    status = "ENDED" if options.officer is None else "LEFT"  # another officer may still have to answer it
    for ask_id in sorted(left):
        print_json({"id": ask_id, "status": status})


def _print_unreadable(
    table: EntryTable[bytes], options: ListOptions, told: set[UnreadableRecord]
) -> set[UnreadableRecord]:
    """Print what could not be read and was not printed before. Return all that was printed."""
    found = {*table.list_unreadable(), *options.unreadable}
    for key, error in options.refused.items():
        kept = table.entries[key]
        found.add(UnreadableRecord(table.topic, kept.partition, None, None, f"{_name_entry(key)}: {error}"))
    options.unreadable.clear()
    print_unreadable(found - told)
    return told | found


def _name_entry(key: bytes) -> str:
    try:
        return f"the entry of item {read_item_key(key).item[:_ID_MAX]}"
    except DecodeError:
        return "an entry whose key does not name an item"


def _look_up(console: ConsoleConnection, listed: list[FoundAsk], unreadable: Unreadable) -> Mapping[str, AskedTerms]:
    is_received = any(found.provider != console.state for found in listed)
    with open_optional_reader(console.settings, console.servers, console.state, console.properties,
                              is_wanted=is_received) as reader:  # fmt: skip
        return find_terms(console, listed, reader, unreadable)


def _describe(found: FoundAsk, now: int, terms: Mapping[str, AskedTerms] | None) -> dict[str, Any]:
    """Return an Ask as scripts rely on it. `law` is null where it was not looked up."""
    law = None if terms is None else list_law(terms[found.ask.id].rules)
    shown = show_ask(found.ask, found.item, found.provider, now).to_json()
    return {**shown, "status": found.ask.status.value, "dossier": None, "law": law}


def _print_group(
    console: ConsoleConnection, group: tuple[FoundAsk, ...], now: int, terms: Mapping[str, AskedTerms] | None
) -> None:
    """Print Asks that are alike as one: the first, which has the least time left, and how many there are."""
    found, count = group[0], len(group)
    ask = found.ask
    left = describe_time_left(ask.expires_at, now) if ask.is_open else ask.status.lower()
    urgency = "" if ask.urgency is Urgency.ORDINARY else f"  {ask.urgency}"
    number = f" ({count:,} alike)" if count > 1 else ""
    style = "bold red" if urgency and ask.is_open else "bold"
    print_line(f"{left}{urgency}: {describe_kind(ask.kind)}{number}", style=style)
    more = f", the first of {count:,}; --each lists each" if count > 1 else ""
    print_labelled("ask", f"{ask.id}{more}")
    item = found.item if count == 1 else f"{len({each.item for each in group}):,} items"
    print_labelled("item", f"{item} of {found.provider}, for {join_codes(ask.recipients)}")
    asked = [ask.state, ask.role or "any officer", ask.authority or "contact point"]
    needed = f"; {ask.needed} officers must answer" if ask.needed > 1 else ""
    elsewhere = "" if ask.state == console.state else "; it is answered there"
    print_labelled("asked", f"{', '.join(asked)}{needed}{elsewhere}")
    print_labelled("claimed", _describe_claims(group, now))
    for rule in terms[ask.id].rules if terms is not None else ():
        print_labelled("law", f"{rule.citation} [{rule.id}] {rule.effect}")
    if ask.is_open:
        print_labelled("silence", describe_silence(ask.row))


def _describe_claims(group: tuple[FoundAsk, ...], now: int) -> str:
    claimants = [claimant for found in group if (claimant := found.ask.find_claimant(now)) is not None]
    if not claimants:
        return "by nobody"
    number = "" if len(group) == 1 else f"{len(claimants):,} of {len(group):,} "
    return f"{number}by {join_codes(set(claimants))}"
