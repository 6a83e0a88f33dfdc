"""An officer at the command line: the options that name him or her, the key that signs, and the register.

The worker decides whether a ruling counts. What the command finds out beforehand saves the officer a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.console import err
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import ask_passphrase
from sharing.console.connection import ConsoleConnection
from sharing.console.register_lookup import read_own_keys, require_officer
from sharing.conversation.asks import Officer
from sharing.errors import InputError
from sharing.kafka.officer_topic import read_register
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key import OFFICER_ROLE, PrivateKey
from sharing.keystore.private_key_file import read_key_header, read_private_key
from sharing.officers.entry import OfficerEntry
from sharing.trust.signatures import SigningKey
from sharing.trust.verification import shorten

OfficerOption = Annotated[str, typer.Option("--as", metavar="OFFICER", help="Your id in the register of officers.")]
KeyOption = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The officer's private key, made by `officers make-key`.")
]
OfficerPassphrase = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="File whose first line is the passphrase of the officer's key; without it, the command asks.",
    ),
]


@dataclass(frozen=True, slots=True)
class OfficerDesk:
    """An officer who rules.

    Attributes:
        id: Id of the officer.
        key: Signs rulings.
        officer: The officer, as the register has him or her; None if the register could not be verified here.
    """

    id: str
    key: SigningKey
    officer: Officer | None


def open_officer_desk(console: ConsoleConnection, officer: str, key: Path, passphrase_file: Path | None) -> OfficerDesk:
    """Return an officer with the key that signs.

    Raises:
        InputError: The file is no officer's key of this State, the passphrase is wrong, or the register does not name
            the officer or the key, or not any more.
        InfrastructureError: The register cannot be read.
    """
    header = read_key_header(key)
    if (header.role, header.state) != (OFFICER_ROLE, console.state):
        raise InputError(
            f"{key} is a {header.role} key of {header.state}, not an officer's key of {console.state}; "
            "`sharing officers make-key` makes one, and --state names the State"
        )
    entry = find_in_register(console, officer)
    if entry is not None and header.key.key_id not in {each.key_id for each in entry.keys}:
        raise InputError(
            f"officer {entry.id}: the register does not name the key {shorten(header.key.key_id)}; use the officer's "
            "own key, or have a registrar enter this one with `sharing officers add`"
        )
    # Not the setting for the passphrase of the online keys: an officer's key has one that only the officer knows.
    passphrase = (
        ask_passphrase(str(key), "--passphrase-file", is_new=False)
        if passphrase_file is None
        else read_passphrase_file(passphrase_file)
    )
    private: PrivateKey = read_private_key(key, passphrase)
    return OfficerDesk(officer, private.to_signing_key(), None if entry is None else entry.to_officer())


def find_in_register(console: ConsoleConnection, officer: str) -> OfficerEntry | None:
    """Return an officer's entry in the register; None, with a message, if the register cannot be verified here.

    Raises:
        InputError: The register does not name the officer, or not any more.
        InfrastructureError: The register cannot be read.
    """
    now = read_clock()
    keys = read_own_keys(console, now)
    if keys is None:
        err.print(
            f"the register of officers is not checked here: set SHARING_TRUST_FILE with the pinned root of "
            f"{console.state}, or SHARING_KEY_FOLDER; the worker checks it"
        )
        return None
    register = read_register(console.servers, keys, console.properties, console.framing, clock=read_clock)
    return require_officer(register, officer, now)
