"""`sharing items recall`, `correct` and `withdraw`: what an officer begins without having been asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.officer_desk import (
    KeyOption,
    OfficerDesk,
    OfficerOption,
    OfficerPassphrase,
    open_officer_desk,
)
from sharing.cli.shared.ruling_desk import (
    WAIT_SECONDS,
    TextOption,
    WaitOption,
    report_outcome,
    require_text_length,
    submit_ruling,
)
from sharing.cli.shared.states import read_state
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import join_codes
from sharing.console.own_items import OwnItem, require_own_item
from sharing.console.ruled_facts import parse_facts
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.disclosure.amendments import CORRECTABLE
from sharing.errors import InputError
from sharing.model.validation_errors import suggest_nearest, to_input_error
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind

ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="Id of the item, or of its indicator.")]


def recall_item(
    item: ItemArgument,
    officer: OfficerOption,
    key: KeyOption,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="STATE", help="A State that must use it no longer; default: all that have it."),
    ] = None,
    text: TextOption = "",
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Recall an item: the States that have it are told to use it no longer, and must acknowledge that."""
    console = connect_console(bootstrap, state)
    states = tuple(sorted({read_state("--to", code) for code in to})) if to else None
    found = require_own_item(console, item)
    _require_recallable(found, states)
    opening = _make_opening(console, found, OpeningKind.RECALL, states=states)
    desk = open_opening_desk(console, officer, key, passphrase_file)
    outcome = submit_ruling(console, desk, opening, _place(found), require_text_length(text), wait)
    report_outcome(outcome, as_json=as_json)


def correct_item(
    item: ItemArgument,
    officer: OfficerOption,
    key: KeyOption,
    fact: Annotated[
        list[str],
        typer.Option("--fact", metavar="NAME=VALUE", help="A fact as it is; separate values of a set by commas."),
    ],
    text: TextOption = "",
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Correct facts of an item. The gate decides again, and each State that has it gets a correction or a recall."""
    facts = parse_facts(fact)
    for each in facts:
        if each.name not in CORRECTABLE:
            raise InputError(
                f"--fact {each.name}: only the agency states it, with a new version of the item"
                f"{suggest_nearest(each.name, CORRECTABLE)}"
            )
    console = connect_console(bootstrap, state)
    found = require_own_item(console, item)
    opening = _make_opening(console, found, OpeningKind.CORRECTION, facts=facts)
    desk = open_opening_desk(console, officer, key, passphrase_file)
    outcome = submit_ruling(console, desk, opening, _place(found), require_text_length(text), wait)
    report_outcome(outcome, as_json=as_json)


def withdraw_item(
    item: ItemArgument,
    officer: OfficerOption,
    key: KeyOption,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the file. It stays in the State; name nobody.")],
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw an item: every State that has it is told to use it no longer, and nothing of it is sent any more."""
    if not reason.strip():
        raise InputError("--reason must not be empty: it says why the item is withdrawn")
    console = connect_console(bootstrap, state)
    found = require_own_item(console, item)
    opening = _make_opening(console, found, OpeningKind.WITHDRAWAL)
    desk = open_opening_desk(console, officer, key, passphrase_file)
    outcome = submit_ruling(console, desk, opening, _place(found), require_text_length(reason, "--reason"), wait)
    report_outcome(outcome, as_json=as_json)


def open_opening_desk(console: ConsoleConnection, officer: str, key: Path, passphrase_file: Path | None) -> OfficerDesk:
    """Return the officer, if he or she has a role that may begin something about an item.

    Raises:
        InputError: As `open_officer_desk`, or the officer has no such role.
    """
    desk = open_officer_desk(console, officer, key, passphrase_file)
    if desk.officer is not None:
        settings = console.settings
        law = find_law(console.state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
        if not desk.officer.roles & set(law.pack.approvers):
            raise InputError(
                f"officer {desk.id} has no role that may recall, correct or withdraw an item, or have it sent again; "
                f"the law of {console.state} names {join_codes(law.pack.approvers)}"
            )
    return desk


def _place(found: OwnItem) -> dict[int, str]:
    return {found.partition: found.conversation.item}


def _make_opening(console: ConsoleConnection, found: OwnItem, opens: OpeningKind, **parts: Any) -> Opening:
    try:
        return Opening(
            opens=opens, provider=console.state, item=found.conversation.item, partition=found.partition, **parts
        )
    except ValidationError as error:
        raise to_input_error(error, Opening) from None


def _require_recallable(found: OwnItem, states: tuple[str, ...] | None) -> None:
    """Refuse a recall from States that neither have the item nor wait for it."""
    standing = {
        delivery.state
        for status in (DeliveryStatus.SENT, DeliveryStatus.WAITING)
        for delivery in found.conversation.list_deliveries(status)
    }
    named = standing if states is None else set(states)
    if not named & standing:
        have = f"; {join_codes(standing)} {'does' if len(standing) == 1 else 'do'}" if standing else ""
        raise InputError(
            f"{found.conversation.item}: there is nothing to recall: {join_codes(named) or 'no State'} neither has the "
            f"item nor waits for it{have}"
        )
