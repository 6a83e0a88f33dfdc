"""`sharing directory`: show and announce receiving authorities, contact points and interests of States."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.connection import Bootstrap, load_broker_settings
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.errors import InputError
from sharing.kafka.clients import look_up_topics
from sharing.kafka.directory_topic import DirectoryReader, announce_entry, parse_entries
from sharing.kafka.tls import read_identity, tls_properties
from sharing.model.countries import normalise_country
from sharing.model.directory import Directory, DirectoryEntry
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.text_file import read_text_file
from sharing.topology.topics import NOTICES, Role

app = typer.Typer(
    name="directory", help="Receiving authorities, contact points and interests of States.", no_args_is_help=True
)


@app.command("show")
def show_directory(bootstrap: Bootstrap = None, as_json: AsJson = False) -> None:
    """Show the entry of every State, and the version of the directory."""
    settings, servers = load_broker_settings(bootstrap)
    directory = _read_directory(settings, servers)
    if as_json:
        entries = [entry.model_dump(mode="json") for entry in directory.entries.values()]
        print_json({"version": directory.version, "entries": entries})
        return
    table = make_table(
        unwrapped_column("State"), "receiving authority", "contact points", "interests", "announced", "until"
    )
    for entry in directory.entries.values():
        contacts = "; ".join(f"{point.name} ({point.hours})" for point in entry.contact_points)
        interests = ", ".join(interest.id for interest in entry.interests)
        add_row(
            table,
            entry.state,
            f"{entry.authority.name} ({entry.authority.kind})",
            contacts or "-",
            interests or "-",
            f"{entry.announced_at:%Y-%m-%d %H:%M}Z",
            f"{entry.valid_until:%Y-%m-%d %H:%M}Z" if entry.valid_until else "-",
        )
    out.print(table)
    err.print(f"version {directory.version}")


@app.command("announce")
def announce_entries(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML with `entries:`, one per State.")],
    state: Annotated[str | None, typer.Option("--state", help="Announce only this State's entry.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Announce the entries of a file, each for its own State."""
    settings, servers = load_broker_settings(bootstrap)
    framing, tls = load_framing(settings, None), tls_properties(settings)
    entries = parse_entries(read_text_file(file), file.name)
    if state is not None:
        code = normalise_country(state)
        entries = [entry for entry in entries if entry.state == code]
        if not entries:
            raise InputError(f"{file} has no entry for {code}")
    _check_own_state(settings, entries)
    _check_notice_topics(servers, tls, entries)
    for entry in entries:
        announce_entry(servers, entry, tls, framing=framing)
    if as_json:
        print_json({"announced": [entry.state for entry in entries]})
    else:
        err.print(f"announced: {', '.join(entry.state for entry in entries)}")


def _check_own_state(settings: Settings, entries: list[DirectoryEntry]) -> None:
    """Check that officers announce only their own State. The broker cannot: its ACLs do not cover record keys.

    Raises:
        InputError: An entry is for another State.
    """
    identity = read_identity(settings)
    if identity is None or identity.principal is None or identity.principal.role is not Role.CONSOLE:
        return
    own_state = identity.principal.state
    foreign = [entry.state for entry in entries if entry.state != own_state]
    if foreign:
        raise InputError(
            f"{identity.name} may announce {own_state} only, not {', '.join(foreign)}; give --state {own_state}"
        )


def _check_notice_topics(servers: str, tls: Mapping[str, str], entries: list[DirectoryEntry]) -> None:
    """Check that every announced State has topics: without them, a gate stops at its first item for that State.

    Raises:
        InputError: A State has no topics.
    """
    present = look_up_topics(servers, tls)
    missing = [entry.state for entry in entries if NOTICES.topic(entry.state) not in present]
    if missing:
        raise InputError(
            f"{', '.join(missing)} has no topics on this cluster: every gate would stop at its first item for it. "
            f"Nothing was announced. Create the topics first: sharing topics apply --states {','.join(missing)}"
        )


def _read_directory(settings: Settings, servers: str) -> Directory:
    reader = DirectoryReader(servers, tls_properties(settings), framing=load_framing(settings, None))
    try:
        return reader.read_to_end()
    finally:
        reader.close()
