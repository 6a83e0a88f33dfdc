"""`sharing items send-again`: what other States refused, because its key was revoked, is sent again."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, NamedTuple

import typer

from sharing.cli.items.open import open_opening_desk
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import parse_instant
from sharing.cli.shared.officer_desk import KeyOption, OfficerOption, OfficerPassphrase
from sharing.cli.shared.ruling_desk import WAIT_SECONDS, TextOption, WaitOption, require_text_length, submit_ruling
from sharing.cli.shared.states import read_state
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import describe_refusal
from sharing.console.printable import to_printable
from sharing.conversation.receiver import ReceivedItem
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.conversation_state.entries import decode_entry
from sharing.errors import InputError
from sharing.kafka.conversation_reader import EntryTable
from sharing.ruling_submission import RulingOutcome
from sharing.rulings.act import ActKind
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind

_SENDING = frozenset({ActKind.NOTICE_SENT, ActKind.ASK_REPEATED, ActKind.REPLY_RESULT, ActKind.REPLIED})


class _Sent(NamedTuple):
    """An item about which something was sent.

    Attributes:
        item: Its id.
        provider: The State that provides it.
        indicator: Id of the indicator, of an item of the State's own.
        changed_at: When something about it has changed last, in UTC milliseconds.
    """

    item: str
    provider: str
    indicator: str
    changed_at: int


def send_items_again(
    officer: OfficerOption,
    key: KeyOption,
    items: Annotated[
        list[str] | None, typer.Argument(metavar="[ITEM]…", help="Ids of items, own ones or those of other States.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="All items about which something has changed since.")
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="STATE", help="A State to which; default: all that got it.")
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
    offers, answers. The law is asked again before content leaves.
    """
    if bool(items) == (since is not None):
        raise InputError("name items, or give --since with the time from which on others refused what was sent")
    console = connect_console(bootstrap, state)
    states = tuple(sorted({read_state("--to", code) for code in to})) if to else None
    since_ms = None if since is None else parse_instant(since, "--since")
    chosen = _choose(console, items or [], since_ms)
    desk = open_opening_desk(console, officer, key, passphrase_file)
    require_text_length(text)
    counts, refused = Counter[str](), list[tuple[str, str]]()
    for number, found in chosen:
        is_own = found.provider == console.state
        act = Opening(
            opens=OpeningKind.RESEND, provider=found.provider, item=found.item, partition=number,
            states=states if is_own else None,
        )  # fmt: skip
        outcome = submit_ruling(console, desk, act, {number: found.item}, text, wait)
        _count(found, outcome, counts, refused)
    _report(console, counts, refused, as_json=as_json)


def _choose(console: ConsoleConnection, names: list[str], since_ms: int | None) -> list[tuple[int, _Sent]]:
    """Return the items that the user means, with their partitions, in the order of their ids.

    Raises:
        InputError: A name is that of no item about which anything was sent.
    """
    table: EntryTable[_Sent] = EntryTable(console.servers, console.state, _keep_sent, console.properties)
    table.read()
    known = sorted((kept.value, kept.partition) for kept in table.entries.values())
    if since_ms is not None:
        return [(number, sent) for sent, number in known if sent.changed_at >= since_ms]
    chosen = []
    for name in names:
        found = [(number, sent) for sent, number in known if name in {sent.item, sent.indicator}]
        if not found:
            raise InputError(f"{to_printable(name)[:40]}: nothing was sent about such an item, or it ended long ago")
        chosen += found
    return chosen


def _keep_sent(key: bytes, entry: bytes) -> _Sent | None:
    kept = decode_entry(key, entry)
    if isinstance(kept, ReceivedItem):
        is_answered = any(ask.given and ask_id not in kept.results for ask_id, ask in kept.asks.items())
        return _Sent(kept.item, kept.from_state, "", kept.changed_at) if is_answered else None
    conversation = kept.conversation
    is_sent = any(conversation.list_deliveries(DeliveryStatus.SENT)) or any(
        ask.row.asks_recipient for ask in conversation.asks.values()
    )
    sent = _Sent(conversation.item, conversation.state, conversation.indicator, conversation.changed_at)
    return sent if is_sent else None


def _count(found: _Sent, outcome: RulingOutcome, counts: Counter[str], refused: list[tuple[str, str]]) -> None:
    reasons = [describe_refusal(act.reason) for _, act in outcome.acts if act.reason is not None]
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
                f"{counts['waiting']:,} orders are written, and nobody has acted on them yet; the worker of "
                f"{console.state} will, and `sharing items show` tells"
            )
    if refused:
        raise typer.Exit(1)
