"""`sharing items recall`, `correct` and `withdraw`: what an officer begins without having been asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.given_values import FACT_METAVAR
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
from sharing.cli.shared.option_names import naming_options
from sharing.cli.shared.ruling_desk import (
    WAIT_SECONDS,
    TextOption,
    WaitOption,
    report_outcome,
    submit_ruling,
)
from sharing.cli.shared.states import read_state
from sharing.console.answering import require_text_length
from sharing.console.connection import ConsoleConnection
from sharing.console.openings import (
    make_opening,
    place_item,
    require_correctable,
    require_opening_role,
    require_reason,
    require_recallable,
)
from sharing.console.own_items import require_own_item
from sharing.console.ruled_facts import parse_facts
from sharing.rulings.vocabulary import OpeningKind

ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="Id of the item, or of its indicator.")]


def recall_item(
    item: ItemArgument,
    officer: OfficerOption,
    key: KeyOption,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="STATE", help="A State that must no longer use it; default: all that have it."),
    ] = None,
    text: TextOption = "",
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Recall an item: the States that have it are told not to use it any more, and must acknowledge that."""
    console = connect_console(bootstrap, state)
    states = tuple(sorted({read_state("--to", code) for code in to})) if to else None
    found = require_own_item(console, item)
    with naming_options():
        require_text_length(text)
    require_recallable(found, states)
    opening = make_opening(console, found.conversation.item, found.partition, OpeningKind.RECALL, states=states)
    desk = open_opening_desk(console, officer, key, passphrase_file)
    outcome = submit_ruling(console, desk, opening, place_item(found), text, wait)
    report_outcome(outcome, as_json=as_json)


def correct_item(
    item: ItemArgument,
    officer: OfficerOption,
    key: KeyOption,
    fact: Annotated[
        list[str],
        typer.Option(
            "--fact", metavar=FACT_METAVAR, help="A fact with its correct value; separate values of a set by commas."
        ),
    ],
    text: TextOption = "",
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Correct facts of an item. The gate decides again, and each State that has it gets a correction or a recall."""
    with naming_options():
        facts = parse_facts(fact)
        require_correctable(facts)
        require_text_length(text)
    console = connect_console(bootstrap, state)
    found = require_own_item(console, item)
    opening = make_opening(console, found.conversation.item, found.partition, OpeningKind.CORRECTION, facts=facts)
    desk = open_opening_desk(console, officer, key, passphrase_file)
    outcome = submit_ruling(console, desk, opening, place_item(found), text, wait)
    report_outcome(outcome, as_json=as_json)


def withdraw_item(
    item: ItemArgument,
    officer: OfficerOption,
    key: KeyOption,
    reason: Annotated[
        str, typer.Option("--reason", help="The reason, for the file. It stays in the State; do not name anyone.")
    ],
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw an item: every State that has it is told not to use it any more, and nothing of it is sent any more."""
    with naming_options({"text": "--reason"}):
        require_text_length(require_reason(reason))
    console = connect_console(bootstrap, state)
    found = require_own_item(console, item)
    opening = make_opening(console, found.conversation.item, found.partition, OpeningKind.WITHDRAWAL)
    desk = open_opening_desk(console, officer, key, passphrase_file)
    outcome = submit_ruling(console, desk, opening, place_item(found), reason, wait)
    report_outcome(outcome, as_json=as_json)


def open_opening_desk(console: ConsoleConnection, officer: str, key: Path, passphrase_file: Path | None) -> OfficerDesk:
    """Return the officer, if he or she has a role that may begin something about an item.

    Raises:
        InputError: As `open_officer_desk`, or the officer has no such role.
    """
    desk = open_officer_desk(console, officer, key, passphrase_file)
    if desk.officer is not None:
        require_opening_role(console, desk.officer)
    return desk
