"""`sharing directory`: contact points, receiving authorities and interests of the States."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.connection import Bootstrap, settings_with_broker
from sharing.cli.console import AsJson, add_row, err, make_table, out, print_json, whole
from sharing.errors import InputError
from sharing.kafka.clients import look_up_topics
from sharing.kafka.directory_topic import DirectoryReader, announce, read_entries
from sharing.kafka.tls import read_identity, tls_properties
from sharing.model.countries import normalise_country
from sharing.model.directory import Directory, DirectoryEntry
from sharing.packs.library import read_text
from sharing.serialization.schema_registry import open_framing
from sharing.settings import Settings
from sharing.topology.topics import NOTICES, Role

app = typer.Typer(
    name="directory", help="Who may be told: contact points, authorities, interests.", no_args_is_help=True
)


@app.command()
def show(bootstrap: Bootstrap = None, as_json: AsJson = False) -> None:
    """Show every State's entry, and how far the directory was read."""
    settings, servers = settings_with_broker(bootstrap)
    directory = _read(settings, servers)
    if as_json:
        entries = [entry.model_dump(mode="json") for entry in directory.entries.values()]
        print_json({"version": directory.version, "entries": entries})
        return
    table = make_table(whole("State"), "receiving authority", "contact points", "interests", "announced", "until")
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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML with `entries:`, each a State's entry.")],
    state: Annotated[str | None, typer.Option("--state", help="Announce only this State's entry.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Announce the entries of a file, each under its own State."""
    settings, servers = settings_with_broker(bootstrap)
    framing, tls = open_framing(settings, None), tls_properties(settings)
    entries = read_entries(read_text(file), file.name)
    if state is not None:
        code = normalise_country(state)
        entries = [entry for entry in entries if entry.state == code]
        if not entries:
            raise InputError(f"{file} has no entry of {code}")
    _require_own(settings, entries)
    _require_topics(servers, tls, entries)
    for entry in entries:
        announce(servers, entry, tls, framing=framing)
    if as_json:
        print_json({"announced": [entry.state for entry in entries]})
    else:
        err.print(f"announced: {', '.join(entry.state for entry in entries)}")


def _require_own(settings: Settings, entries: list[DirectoryEntry]) -> None:
    """Return when officers announce their own State: the broker cannot tell one key of the topic from another.

    Raises:
        InputError: They do not.
    """
    identity = read_identity(settings)
    if identity is None or identity.principal is None or identity.principal.role is not Role.CONSOLE:
        return
    own = identity.principal.state
    strange = [entry.state for entry in entries if entry.state != own]
    if strange:
        raise InputError(f"{identity.name} speaks for {own} only, not for {', '.join(strange)}; give --state {own}")


def _require_topics(servers: str, tls: Mapping[str, str], entries: list[DirectoryEntry]) -> None:
    """Return when everyone has topics: a gate stops at its first item for a State that cannot be written to.

    Raises:
        InputError: Somebody has none.
    """
    present = look_up_topics(servers, tls)
    lost = [entry.state for entry in entries if NOTICES.topic(entry.state) not in present]
    if lost:
        raise InputError(
            f"no topics of {', '.join(lost)} here, and nothing is announced: each gate would stop at its first item "
            f"for it; make them first: sharing topics apply --states {','.join(lost)}"
        )


def _read(settings: Settings, servers: str) -> Directory:
    reader = DirectoryReader(servers, tls_properties(settings), framing=open_framing(settings, None))
    try:
        return reader.read_to_end()
    finally:
        reader.close()
