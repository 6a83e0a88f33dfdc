"""`sharing publish`: publish indicators from files; every part of a file is published or listed with a reason."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sharing._publisher import Publisher
from sharing.cli.publish.dry_run import decide_locally
from sharing.cli.publish.publishing import PublishingRun, publish_indicators
from sharing.cli.publish.report import (
    print_remedy,
    print_summary,
    to_document,
    warn_of_unsubstantiated_emergencies,
)
from sharing.cli.shared.connection import Bootstrap, load_broker_settings
from sharing.cli.shared.console import AsJson, err, print_json, progress_bar
from sharing.cli.shared.directory_source import read_directory
from sharing.cli.shared.states import read_state
from sharing.errors import InputError, NotDeliveredError
from sharing.geoip import open_geoip_lookup
from sharing.ids import make_imported_id
from sharing.interop.files import load_profile, read_files
from sharing.interop.id_secret import make_missing_secret_error, read_id_secret
from sharing.interop.import_context import FileFormat, ImportContext, PublisherIdentity
from sharing.interop.import_results import ImportResult
from sharing.interop.publishing_profile import NO_PROFILE
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.tls import tls_properties
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys
from sharing.relevance.nexus import no_geo_lookup
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings, load_settings


def publish(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="JSON lines or MISP events; - is standard input.")
    ],
    state: Annotated[
        str | None, typer.Option("--state", help="The publishing State, such as CH. Default: SHARING_STATE.")
    ] = None,
    agency: Annotated[str | None, typer.Option("--agency", help="Name of the agency. Default: SHARING_AGENCY.")] = None,
    file_format: Annotated[FileFormat, typer.Option("--format", help="Format of the files.")] = FileFormat.AUTO,
    profile: Annotated[
        Path | None, typer.Option("--profile", help="YAML with facts that the files do not contain.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Publish nothing; show who would get what, and why.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Skip files that cannot be read, and publish the others.")
    ] = False,
    no_seal: Annotated[
        bool, typer.Option("--no-seal", help="Do not seal; only where the State runs its own cluster.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="With --dry-run: YAML with the States' entries. Default: the broker's."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print how many items were published, and errors.")] = False,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Publish indicators from files. List what is not published, with its position and the reason."""
    if directory is not None and not dry_run:
        raise InputError("--directory needs --dry-run; otherwise the gate decides with the directory of the bus")
    settings = load_settings(
        bootstrap=bootstrap,
        seal_indicators=False if no_seal else None,
        state=None if state is None else read_state("--state", state),
        agency=agency,
    )
    publisher = _identify_publisher(settings)
    law = find_law(publisher.state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    locate = no_geo_lookup if settings.geoip is None else open_geoip_lookup(settings.geoip)
    facts = load_profile(profile) if profile is not None else NO_PROFILE
    servers = settings.bootstrap if dry_run else load_broker_settings(bootstrap)[1]
    tls = tls_properties(settings)
    make_id = _choose_ids(settings, publisher, dry_run=dry_run)
    imported = _read_files(files, ImportContext(publisher, make_id, facts, file_format), keep_going=keep_going)
    # Read the directory before publishing: a failure after it would look as if nothing had been published.
    entries = read_directory(directory, settings, tls)
    if dry_run or servers is None:
        run = PublishingRun(imported.indicators)
    else:
        run = _publish(imported, publisher, servers, tls, settings)
    expected = decide_locally(law, entries, run.confirmed, locate)
    for error in imported.unreadable:
        err.print(f"not read: {error}")
    warn_of_unsubstantiated_emergencies(imported.indicators)
    if as_json:
        print_json(to_document(imported, expected, run, dry_run=dry_run))
    else:
        print_summary(imported, expected, run, dry_run=dry_run, quiet=quiet)
    _raise_failure(imported, run)


def _identify_publisher(settings: Settings) -> PublisherIdentity:
    """Return the publishing State and agency, from the options or the settings.

    Raises:
        InputError: One of them is missing or wrong.
    """
    for name, value in (("state", settings.state), ("agency", settings.agency)):
        if value is None:
            raise InputError(f"--{name} is missing; give it, or set SHARING_{name.upper()}")
    return PublisherIdentity(str(settings.state), str(settings.agency))


def _choose_ids(settings: Settings, publisher: PublisherIdentity, *, dry_run: bool) -> Callable[[Sequence[str]], str]:
    """Return the function that makes the ids of items from files. A dry run without a secret shows no id, and uses any.

    Raises:
        SettingsError: The secret cannot be used; or, when the function is called, none is set.
    """
    if settings.id_secret_file is not None:
        secret = read_id_secret(settings.id_secret_file)
    elif dry_run:
        secret = secrets.token_bytes(32)
    else:
        return _refuse_id
    return partial(make_imported_id, secret, publisher.state, publisher.agency)


def _refuse_id(_: Sequence[str]) -> str:
    raise make_missing_secret_error()


def _read_files(files: list[Path], context: ImportContext, *, keep_going: bool) -> ImportResult:
    # Files are read one after another. A file that cannot be read at all reports no progress.
    order = {str(path): number for number, path in enumerate(files)}
    with progress_bar("reading", len(files), as_percentage=True) as set_done:
        reporting = ImportContext(
            context.publisher,
            context.make_id,
            context.profile,
            context.format,
            on_progress=lambda file, done: set_done(order.get(file, 0) + done),
        )
        return read_files(files, reporting, keep_going=keep_going)


def _publish(
    imported: ImportResult, identity: PublisherIdentity, servers: str, tls: Mapping[str, str], settings: Settings
) -> PublishingRun:
    """Publish the indicators.

    Raises:
        InfrastructureError: No broker answers, the State's topic does not exist, or it has announced no valid seal key:
            nothing was published.
        InputError: The State's root is not pinned: nothing was published.
    """
    framing = load_framing(settings, identity.state)
    pins = read_directory_pins(settings) if settings.seal_indicators else None
    publisher = Publisher(
        servers, identity.state, identity.agency,
        properties=tls, framing=framing, pins=pins, state_folder=settings.state_folder,
    )  # fmt: skip
    with progress_bar("publishing", len(imported.indicators)) as set_done:
        return publish_indicators(publisher, imported.indicators, set_done)


def _raise_failure(imported: ImportResult, run: PublishingRun) -> None:
    """End with the exit code that fits, after the report.

    Raises:
        NotDeliveredError: The broker did not confirm some indicators.
        Exit: A file could not be read (2), or something that should have been published may not be (1).
    """
    if run.interruption is not None:
        print_remedy(run)
        raise run.interruption
    if run.failure is not None:
        raise NotDeliveredError(str(run.failure), tuple(located.indicator.id for located in run.unconfirmed))
    if imported.unreadable:
        raise typer.Exit(2)
    if run.refused or any(entry.is_refused for entry in imported.unpublished):
        raise typer.Exit(1)
