"""`sharing asks claim`, `unclaim` and `pass-on`: who deals with Asks."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.asks.who import AsksArgument
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.officer_desk import KeyOption, OfficerDesk, OfficerOption, OfficerPassphrase, open_officer_desk
from sharing.cli.shared.option_names import naming_options
from sharing.cli.shared.ruling_desk import WAIT_SECONDS, WaitOption, report_outcome, submit_ruling
from sharing.console.answer_checks import require_handled
from sharing.console.answering import make_passing_on
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk, find_asks, list_partitions, make_references
from sharing.model.vocabulary import Authority
from sharing.rulings.ruling import Claiming


def claim_asks(
    asks: AsksArgument,
    officer: OfficerOption,
    key: KeyOption,
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Say that you deal with questions, so that others can see it, for half an hour. It bars nobody."""
    console = connect_console(bootstrap, state)
    found = find_asks(console, asks)
    desk = open_officer_desk(console, officer, key, passphrase_file)
    _rule_on_claim(console, desk, found, wait, as_json=as_json, is_ended=False)


def unclaim_asks(
    asks: AsksArgument,
    officer: OfficerOption,
    key: KeyOption,
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Give up your claim of questions before it ends by itself."""
    console = connect_console(bootstrap, state)
    found = find_asks(console, asks)
    desk = open_officer_desk(console, officer, key, passphrase_file)
    _rule_on_claim(console, desk, found, wait, as_json=as_json, is_ended=True)


def pass_on_asks(
    asks: AsksArgument,
    authority: Annotated[Authority, typer.Option("--authority", help="Kind of the authority that must answer.")],
    officer: OfficerOption,
    key: KeyOption,
    passphrase_file: OfficerPassphrase = None,
    wait: WaitOption = WAIT_SECONDS,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Pass questions on to another kind of authority of the State. The deadline stays, and a claim ends."""
    console = connect_console(bootstrap, state)
    found = find_asks(console, asks)
    desk = open_officer_desk(console, officer, key, passphrase_file)
    require_handled(console, found, desk, read_clock(), str(authority))
    with naming_options():
        act = make_passing_on(found, authority)
    report_outcome(submit_ruling(console, desk, act, list_partitions(found), "", wait), as_json=as_json)


def _rule_on_claim(
    console: ConsoleConnection, desk: OfficerDesk, found: list[FoundAsk], wait: float, *, as_json: bool, is_ended: bool
) -> None:
    """Rule that the officer deals with Asks, or no longer does, and print what the worker makes of it."""
    require_handled(console, found, desk, read_clock(), ends_claim=is_ended)
    act = Claiming(asks=make_references(found), is_ended=is_ended)
    report_outcome(submit_ruling(console, desk, act, list_partitions(found), "", wait), as_json=as_json)
