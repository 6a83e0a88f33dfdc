"""The State's own keys, and officers in the register that those keys verify."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from sharing.console.connection import ConsoleConnection
from sharing.console.printable import to_printable
from sharing.errors import InputError
from sharing.kafka.directory_pins import find_own_pin
from sharing.kafka.directory_reader import DirectoryReader
from sharing.keystore.online_keys import OnlineKeys
from sharing.model.times import format_time
from sharing.model.validation_errors import suggest_nearest
from sharing.officers.entry import OfficerEntry
from sharing.officers.register import Register
from sharing.trust.key_statement import TrustedKeys

_SHOWN_MAX: Final = 40


def read_own_keys(console: ConsoleConnection, now: int) -> TrustedKeys | None:
    """Return the keys of the State, with which the register is verified; None if no root of it is known.

    A key folder may be an older copy, so the State's key statement in the directory is used if it is newer.

    Args:
        console: The connection.
        now: The time in UTC milliseconds.

    Raises:
        InputError: The key folder is another State's or is damaged, or there is none and the directory has no keys.
        InfrastructureError: The directory cannot be read.
        TrustError: The keys do not verify.
    """
    settings = console.settings
    own = None if settings.key_folder is None else OnlineKeys.open(settings.key_folder, state=console.state)
    if own is not None:
        own.get_trusted_keys(now)  # a damaged folder is reported before a broker that is not running
    pin = find_own_pin(settings, console.state)
    if pin is None:
        return None
    reader = DirectoryReader(
        console.servers, console.properties, framing=console.framing, pins={pin.state: pin}, states=[pin.state]
    )
    with closing(reader):
        reader.read_to_end()
    if own is not None:
        own.follow_published(lambda: reader.find_newest_keys(pin.state))
        return own.get_newest_keys(now)
    keys = reader.trusted_keys.get(pin.state)
    if keys is None:
        reason = reader.unreadable.get(pin.state, "it has not stated them")
        raise InputError(
            f"the keys of {pin.state} are not known ({reason}), so no officer is trusted; look "
            "at `sharing directory show`, or ask the registrar"
        )
    return keys


def require_officer(register: Register, officer: str, now: int) -> OfficerEntry:
    """Return the entry of an officer who may rule now.

    Args:
        register: The register.
        officer: Id of the officer.
        now: The time in UTC milliseconds.

    Raises:
        InputError: The register does not name the officer, or not any more. The message says why.
    """
    entry = register.find_officer(officer, now)
    if entry is None:
        raise InputError(_explain_missing(register, officer, now))
    return entry


def _explain_missing(register: Register, officer: str, now: int) -> str:
    shown = to_printable(officer)[:_SHOWN_MAX]
    found = register.find_newest(officer, now)
    if found is None:
        known = [each.entry.id for each in register.list_newest(now)]
        return (
            f"{shown} is not an officer of {register.state}{suggest_nearest(officer, known)}; a registrar can add one"
        )
    return f"officer {found.entry.id} {_describe_end(found.entry, now)}; ask a registrar"


def _describe_end(entry: OfficerEntry, now: int) -> str:
    if entry.revoked_at is not None and entry.is_revoked(now):
        return f"was revoked at {format_time(entry.revoked_at)}"
    if now >= entry.valid_until:
        return f"may no longer answer: the entry expired at {format_time(entry.valid_until)}"
    if now < entry.valid_from:
        return f"may answer from {format_time(entry.valid_from)}"
    return "is not in force: what two registrars must sign has ended, or a signing key was revoked"
