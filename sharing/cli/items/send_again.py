"""`sharing items send-again`: what other States refused, because its key was revoked, is sent again."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from sharing.cli.items.open import open_opening_desk
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import parse_instant
from sharing.cli.shared.officer_desk import KeyOption, OfficerOption, OfficerPassphrase
from sharing.cli.shared.option_names import naming_options
from sharing.cli.shared.ruling_desk import WAIT_SECONDS, TextOption, WaitOption, submit_ruling
from sharing.cli.shared.states import read_state
from sharing.console.answering import require_text_length
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import describe_refusal
from sharing.console.openings import PlacedItem, SentItem, choose_sent, make_opening, read_sent
from sharing.console.ruling_submission import RulingOutcome
from sharing.errors import InputError
from sharing.rulings.act import ActKind
from sharing.rulings.vocabulary import OpeningKind

_SENDING = frozenset({ActKind.NOTICE_SENT, ActKind.ASK_REPEATED, ActKind.REPLY_RESULT, ActKind.REPLIED})


def send_items_again(
    officer: OfficerOption,
    key: KeyOption,
    items: Annotated[
        list[str] | None, typer.Argument(metavar="ITEM", help="Ids of items, own ones or those of other States.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="All items about which something has changed since this time."),
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="STATE", help="A State to send it to; default: all that got it.")
    ] = None,
    text: TextOption = "",
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Send again what was sent about items, with the same ids, under the gate key in force: each message counts once.

    For what other States refused because the key was revoked at once: items that people released, corrections, recalls,
    offers, answers. The law is evaluated again before content leaves.
    """
    if bool(items) == (since is not None):
        raise InputError("name items, or give --since with the time from which other States refused what was sent")
    console = connect_console(bootstrap, state)
    states = tuple(sorted({read_state("--to", code) for code in to})) if to else None
    since_ms = None if since is None else parse_instant(since, "--since")
    chosen = _choose(console, items or [], since_ms)
    desk = open_opening_desk(console, officer, key, passphrase_file)
    with naming_options():
        require_text_length(text)
    counts, refused = Counter[str](), list[tuple[str, str]]()
    for number, found in chosen:
        is_own = found.provider == console.state
        act = make_opening(
            console, found.item, number, OpeningKind.RESEND, provider=found.provider, states=states if is_own else None
        )
        outcome = submit_ruling(console, desk, act, {number: found.item}, text, wait)
        _count(found, outcome, counts, refused)
    _report(console, counts, refused, as_json=as_json)


def _choose(console: ConsoleConnection, names: list[str], since_ms: int | None) -> list[PlacedItem]:
    """Return the items that the user means, in the order of their ids, or of the names.

    Raises:
        InputError: A name is that of no item about which anything was sent.
    """
    known = read_sent(console)
    if since_ms is not None:
        return [placed for placed in known if placed.sent.changed_at >= since_ms]
    return list(choose_sent(known, names))


def _count(found: SentItem, outcome: RulingOutcome, counts: Counter[str], refused: list[tuple[str, str]]) -> None:
    reasons: list[str] = [describe_refusal(act.reason) for _, act in outcome.acts if act.reason is not None]
    reasons += [reason for _, reason in outcome.refusals]
    refused += [(found.item, reason) for reason in reasons]
    counts["messages"] += sum(act.kind in _SENDING for _, act in outcome.acts)
    counts["refused" if reasons else "waiting" if outcome.silent else "items"] += 1


def _report(
    console: ConsoleConnection, counts: Counter[str], refused: list[tuple[str, str]], *, as_json: bool
) -> None:  # fmt: skip
    """Print what became of the orders.

    Raises:
        Exit: With 1, if any was refused.
    """
    if as_json:
        print_json(
            {
                "items": counts["items"],
                "messages": counts["messages"],
                "waiting": counts["waiting"],
                "refused": [{"item": item, "reason": reason} for item, reason in refused],
            }
        )
    else:
        print_line(f"{counts['messages']:,} messages about {counts['items']:,} items sent again")
        for item, reason in refused:
            print_line(f"not sent again: {item}: {reason}")
        if counts["waiting"]:
            err.print(
                f"{counts['waiting']:,} orders are written, and the worker of {console.state} has not acted on "
                "them yet; `sharing items show` says when it has"
            )
    if refused:
        raise typer.Exit(1)
