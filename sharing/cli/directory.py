"""`sharing directory`: show and announce receiving authorities, contact points and interests of States."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.clock_comparison import require_clock_of_readers
from sharing.cli.shared.connection import Bootstrap, load_broker_settings
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.directory_source import warn_unconfirmed, warn_unreadable
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.own_directory import open_directory_writer
from sharing.cli.shared.standing_acceptances import accept_conditions, require_upheld
from sharing.cli.shared.states import read_state
from sharing.directory.announcements import encode_entry as encode_signed_entry
from sharing.errors import InputError, SettingsError
from sharing.kafka.clients import look_up_topics
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_topic import announce_entry, encode_entry, parse_entries, remove_entry
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.kafka.tls import read_identity, tls_properties
from sharing.model.directory import CompetentAuthority, Directory, DirectoryEntry
from sharing.model.times import format_time
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.text_file import read_text_file
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import DIRECTORY, NOTICES

app = typer.Typer(
    name="directory", help="Receiving authorities, contact points and interests of States.", no_args_is_help=True
)


@app.command("show", short_help="Show the entries of all States, and which topics cannot be read.")
def show_directory(bootstrap: Bootstrap = None, as_json: AsJson = False) -> None:
    """Show each State's entry, which topics are unreadable or refused, and the version."""
    settings, servers = load_broker_settings(bootstrap)
    directory, unreadable, unconfirmed = _read_directory(settings, servers)
    version = directory.get_version(read_clock())
    if as_json:
        entries = [entry.model_dump(mode="json", by_alias=True) for entry in directory.entries.values()]
        print_json({"version": version, "entries": entries, "unreadable": unreadable, "unconfirmed": unconfirmed})
        return
    table = make_table(unwrapped_column("State"), "authorities", "contact points", "interests", "announced", "until")
    for entry in directory.entries.values():
        points = (point for authority in entry.authorities for point in authority.contact_points)
        contacts = "; ".join(f"{point.name} ({point.hours})" for point in points)
        interests = ", ".join(interest.id for interest in entry.interests)
        add_row(
            table,
            entry.state,
            "\n".join(_describe_authority(authority) for authority in entry.authorities),
            contacts or "-",
            interests or "-",
            f"{entry.announced_at:%Y-%m-%d %H:%M}Z",
            f"{entry.valid_until:%Y-%m-%d %H:%M}Z" if entry.valid_until else "-",
        )
    out.print(table)
    warn_unreadable(unreadable)
    warn_unconfirmed(unconfirmed)
    err.print(f"version {version}")


def _describe_authority(authority: CompetentAuthority) -> str:
    """Return an authority with its kind, and its competence if it is limited."""
    limits = (*authority.competence.offences, *(f"from {kind}" for kind in authority.competence.senders))
    return f"{authority.name} ({authority.kind}{': ' if limits else ''}{', '.join(limits)})"


@app.command("announce")
def announce_entries(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML with `entries:`, one per State.")],
    state: Annotated[str | None, typer.Option("--state", help="Announce only this State's entry.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Announce the entries of a file, each for its own State. With a key folder, the entry is signed."""
    settings, servers = load_broker_settings(bootstrap)
    framing, tls = load_framing(settings, None), tls_properties(settings)
    entries = parse_entries(read_text_file(file), file.name)
    if state is not None:
        code = read_state("--state", state)
        entries = [entry for entry in entries if entry.state == code]
        if not entries:
            raise InputError(f"{file} has no entry for {code}")
    _check_own_state(settings, [entry.state for entry in entries])
    for entry in entries:
        encode_entry(entry, framing)  # refuses one that is too large before any is announced
    _check_notice_topics(servers, tls, entries)
    require_clock_of_readers(servers, tls, "nothing was announced")
    writer = open_directory_writer(settings, servers, tls, framing)
    if writer is not None:
        _require_keys_of(writer, [entry.state for entry in entries])
    require_upheld(settings, servers, tls, framing, entries)
    for entry in entries:
        if writer is None:
            announce_entry(servers, entry, tls, framing=framing)
        else:
            writer.announce(encode_signed_entry(entry))
    effective_by = format_time(read_clock() + settings.directory_interval_ms)
    if as_json:
        print_json({"announced": [entry.state for entry in entries], "effective_by": effective_by})
    else:
        err.print(f"announced: {', '.join(entry.state for entry in entries)}")
        err.print(
            "in effect within seconds; after another change in the last "
            f"{settings.directory_interval_ms / 1000:g} s, by {effective_by}"
        )


app.command("accept", short_help="Accept conditions of another State before it offers anything.")(accept_conditions)


@app.command("remove")
def remove_own_entry(
    state: Annotated[str | None, typer.Option("--state", help="The State. Default: SHARING_STATE.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Remove a State's entry: nothing is sent to it any more. With a key folder, the removal is signed and stays."""
    settings, servers = load_broker_settings(bootstrap)
    code = read_state("--state", state) if state is not None else settings.state
    if code is None:
        raise SettingsError("which State? give --state CH, or set SHARING_STATE")
    framing, tls = load_framing(settings, None), tls_properties(settings)
    _check_own_state(settings, [code])
    require_clock_of_readers(servers, tls, f"the entry of {code} was not removed")
    writer = open_directory_writer(settings, servers, tls, framing)
    if writer is None:
        remove_entry(servers, code, tls)
    else:
        _require_keys_of(writer, [code])
        writer.announce(None)
    if as_json:
        print_json({"removed": code})
    else:
        err.print(f"removed: {code}; in effect within seconds")


def _require_keys_of(writer: DirectoryWriter, states: list[str]) -> None:
    """Check that the keys are those of the State, before anything is signed.

    Raises:
        InputError: They are another State's.
    """
    foreign = [state for state in states if state != writer.state]
    if foreign:
        raise InputError(
            f"the key folder is that of {writer.state}, and cannot sign for {', '.join(foreign)}; give --state "
            f"{writer.state}, or the folder of that State"
        )


def _check_own_state(settings: Settings, states: list[str]) -> None:
    """Check that officers announce only their own State, before any entry is announced.

    Raises:
        InputError: An entry is for another State.
    """
    identity = read_identity(settings)
    if identity is None or identity.principal is None or identity.principal.role is not Role.CONSOLE:
        return
    own_state = identity.principal.state
    foreign = [state for state in states if state != own_state]
    if foreign:
        raise InputError(
            f"{identity.name} may announce {own_state} only, not {', '.join(foreign)}; give --state {own_state}"
        )


def _check_notice_topics(servers: str, tls: Mapping[str, str], entries: list[DirectoryEntry]) -> None:
    """Check that every announced State has topics: without them, every gate withholds from it.

    Raises:
        InputError: A State has no topics.
    """
    present = look_up_topics(servers, tls)
    needed = (NOTICES, DIRECTORY)
    missing = [entry.state for entry in entries if any(kind.topic(entry.state) not in present for kind in needed)]
    if missing:
        raise InputError(
            f"{', '.join(missing)} has no topics on this cluster: every gate would withhold everything from it. "
            f"Nothing was announced. Create the topics first: sharing topics apply --states {','.join(missing)}"
        )


def _read_directory(settings: Settings, servers: str) -> tuple[Directory, dict[str, str], dict[str, str]]:
    """Return the directory, why each State without an entry has none, and why some entries cannot be confirmed."""
    reader = DirectoryReader(
        servers,
        tls_properties(settings),
        framing=load_framing(settings, None),
        pins=read_directory_pins(settings),
    )
    try:
        return reader.read_to_end(), dict(reader.unreadable), dict(reader.unconfirmed)
    finally:
        reader.close()
