"""What one officer may answer: the option of `asks list` and `asks show` that names him or her."""

from __future__ import annotations

from typing import Annotated

import typer

from sharing.cli.shared.officer_desk import find_in_register
from sharing.console.answer_checks import require_answerable
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.conversation.asks import Officer
from sharing.errors import InputError

AsksArgument = Annotated[
    list[str], typer.Argument(metavar="ASK", help="Ids of questions; for open ones, the first characters are enough.")
]
WhoOption = Annotated[
    str | None,
    typer.Option("--as", metavar="OFFICER", help="Id of an officer in the register: what he or she may answer."),
]


def open_register(console: ConsoleConnection, officer: str) -> Officer | None:
    """Return an officer of the register; None, with a message, if the register cannot be verified here.

    Raises:
        InputError: The register does not name the officer, or not any more.
        InfrastructureError: The register cannot be read.
    """
    entry = find_in_register(console, officer)
    return None if entry is None else entry.to_officer()


def find_bar(
    console: ConsoleConnection, found: FoundAsk, officer_id: str, known: Officer | None, now: int
) -> str | None:
    """Return why an officer may not answer an Ask; None if he or she may, as far as this program can tell.

    Args:
        console: The connection.
        found: The Ask.
        officer_id: Id of the officer.
        known: The officer, as the register has him or her; None if the register could not be verified here.
        now: The time in UTC milliseconds.
    """
    try:
        require_answerable(console, found, officer_id, known, now)
    except InputError as error:
        return str(error).removeprefix(f"{found.ask.id}: ")
    return None
