"""An officer at the command line: the options that name him or her, the key that signs, and the register.

The worker decides whether a ruling counts. What the command finds out beforehand saves the officer a refusal.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from sharing.cli.shared.console import err, to_printable
from sharing.cli.shared.console_connection import ConsoleConnection
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import ask_passphrase
from sharing.conversation.asks import Officer
from sharing.errors import InputError
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.officer_topic import read_register
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.passphrases import read_passphrase_file
from sharing.keystore.private_key import OFFICER_ROLE, PrivateKey
from sharing.keystore.private_key_file import read_key_header, read_private_key
from sharing.model.times import format_time
from sharing.model.validation_errors import suggest_nearest
from sharing.officers.entry import OfficerEntry
from sharing.officers.register import Register
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.signatures import SigningKey
from sharing.trust.verification import shorten

OfficerOption = Annotated[str, typer.Option("--as", metavar="OFFICER", help="Your id in the register of officers.")]
KeyOption = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The officer's private key, as `officers make-key` has made it.")
]
OfficerPassphrase = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="Its first line is the passphrase of the officer's key; without it, the command asks.",
    ),
]
_SHOWN_MAX: Final = 40


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
    keys = _read_own_keys(console, now)
    if keys is None:
        err.print(
            f"the register of officers is not looked at here: set SHARING_TRUST_FILE with the pinned root of "
            f"{console.state}, or SHARING_KEY_FOLDER; the worker looks"
        )
        return None
    register = read_register(console.servers, keys, console.properties, console.framing, clock=read_clock)
    entry = register.find_officer(officer, now)
    if entry is None:
        raise InputError(_explain_missing(register, officer, now))
    return entry


def _read_own_keys(console: ConsoleConnection, now: int) -> TrustedKeys | None:
    """Return the keys of the State, with which the register is verified; None if no root of it is known here."""
    settings = console.settings
    if settings.key_folder is not None:
        return OnlineKeys.open(settings.key_folder).get_trusted_keys(now)
    pin = (read_directory_pins(settings) or {}).get(console.state)
    if pin is None:
        return None
    reader = DirectoryReader(
        console.servers, console.properties, framing=console.framing, pins={pin.state: pin}, states=[pin.state]
    )
    with closing(reader):
        reader.read_to_end()
    keys = reader.trusted_keys.get(pin.state)
    if keys is None:
        reason = reader.unreadable.get(pin.state, "it has not stated them")
        raise InputError(
            f"the keys of {pin.state} are not known ({reason}), so no officer is believed; run "
            "`sharing directory check`, or ask the registrar"
        )
    return keys


def _explain_missing(register: Register, officer: str, now: int) -> str:
    shown = to_printable(officer)[:_SHOWN_MAX]
    found = register.find_newest(officer, now)
    if found is None:
        known = [each.entry.id for each in register.list_newest(now)]
        return f"{shown} is no officer of {register.state}{suggest_nearest(officer, known)}; a registrar can add one"
    return f"officer {found.entry.id} {_describe_end(found.entry, now)}; ask a registrar"


def _describe_end(entry: OfficerEntry, now: int) -> str:
    if entry.revoked_at is not None and entry.is_revoked(now):
        return f"was revoked at {format_time(entry.revoked_at)}"
    if now >= entry.valid_until:
        return f"may answer no more since {format_time(entry.valid_until)}, when the entry expired"
    if now < entry.valid_from:
        return f"may answer from {format_time(entry.valid_from)}"
    return "is not in force: what two registrars must sign has ended, or a signing key was revoked"
