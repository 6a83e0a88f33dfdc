"""`sharing publish`: publish indicators from files; every part of a file is published or listed with a reason."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing._publisher import Publisher
from sharing.cli.publish.dry_run import DryRunResult, decide_locally
from sharing.cli.shared.connection import Bootstrap, load_broker_settings
from sharing.cli.shared.console import (
    AsJson,
    add_row,
    err,
    make_table,
    out,
    print_json,
    print_line,
    progress_bar,
    unwrapped_column,
)
from sharing.cli.shared.directory_source import read_directory
from sharing.errors import InfrastructureError, InputError, NotDeliveredError
from sharing.geoip import open_geoip_lookup
from sharing.ids import make_imported_id
from sharing.interop.files import load_profile, read_files
from sharing.interop.id_secret import make_missing_secret_error, read_id_secret
from sharing.interop.import_context import FileFormat, ImportContext, PublisherIdentity
from sharing.interop.import_results import ImportResult, LocatedIndicator
from sharing.interop.publishing_profile import NO_PROFILE
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.tls import tls_properties
from sharing.model.urgency import is_substantiated
from sharing.model.vocabulary import Outcome, Urgency
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys
from sharing.relevance.nexus import no_geo_lookup
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings, load_settings

EMERGENCIES_SHOWN = 5
"""How many emergencies that are decided as ordinary a warning lists."""


def publish(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="JSON lines or MISP events.")],
    state: Annotated[str, typer.Option("--state", help="The publishing State, such as CH.")],
    agency: Annotated[str, typer.Option("--agency", help="Name of the agency.")],
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
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Publish indicators from files. List what is not published, with its position and the reason."""
    if directory is not None and not dry_run:
        raise InputError("--directory needs --dry-run; otherwise the gate decides with the directory of the bus")
    publisher = PublisherIdentity(state, agency)
    settings = load_settings(bootstrap=bootstrap, seal_indicators=False if no_seal else None)
    law = find_law(publisher.state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    locate = no_geo_lookup if settings.geoip is None else open_geoip_lookup(settings.geoip)
    facts = load_profile(profile) if profile is not None else NO_PROFILE
    servers = settings.bootstrap if dry_run else load_broker_settings(bootstrap)[1]
    tls = tls_properties(settings)
    make_id = _choose_ids(settings, publisher, dry_run=dry_run)
    imported = _read_files(files, ImportContext(publisher, make_id, facts, file_format), keep_going=keep_going)
    # Read the directory before publishing: a failure after it would look as if nothing had been published.
    entries = read_directory(directory, settings, tls)
    undelivered = (
        None if dry_run or servers is None else _publish_indicators(imported, publisher, servers, tls, settings)
    )
    expected = decide_locally(law, entries, _find_delivered(imported, undelivered), locate)
    for error in imported.unreadable:
        err.print(f"not read: {error}")
    _warn_of_unsubstantiated_emergencies(imported)
    if as_json:
        print_json(_to_document(imported, expected, undelivered, dry_run=dry_run))
    else:
        _print_summary(imported, expected, undelivered, dry_run=dry_run)
    if undelivered is not None:
        raise undelivered
    if imported.unreadable:
        raise typer.Exit(2)


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


def _publish_indicators(
    imported: ImportResult, identity: PublisherIdentity, servers: str, tls: Mapping[str, str], settings: Settings
) -> NotDeliveredError | None:
    """Publish the indicators.

    Returns:
        The error with the indicators that the broker did not confirm, or None.

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
    reason, missing_ids = "", []
    done = 0
    with progress_bar("publishing", len(imported.indicators)) as set_done:
        try:
            for located in imported.indicators:
                publisher.publish(located.indicator)
                done += 1
                set_done(done)
        except InfrastructureError as error:
            reason = str(error)
            missing_ids = [located.indicator.id for located in imported.indicators[done:]]
        try:
            publisher.flush()
        except NotDeliveredError as error:
            reason = reason or str(error)
            missing_ids += error.ids
    return NotDeliveredError(reason, tuple(missing_ids)) if missing_ids else None


def _find_delivered(imported: ImportResult, undelivered: NotDeliveredError | None) -> Iterator[LocatedIndicator]:
    missing_ids = frozenset(undelivered.ids) if undelivered is not None else frozenset()
    return (located for located in imported.indicators if located.indicator.id not in missing_ids)


def _to_document(
    imported: ImportResult, expected: DryRunResult, undelivered: NotDeliveredError | None, *, dry_run: bool
) -> dict[str, Any]:
    published = sum(1 for _ in _find_delivered(imported, undelivered))
    missing_ids = frozenset(undelivered.ids) if undelivered is not None else frozenset()
    unconfirmed = [
        {
            "file": located.file,
            "place": located.position,
            "reason": f"the broker did not confirm it; publish it again with the id {located.indicator.id}",
        }
        for located in imported.indicators
        if located.indicator.id in missing_ids
    ]
    rejected = [{"file": entry.file, "place": entry.position, "reason": entry.reason} for entry in imported.unpublished]
    return {
        "files": list(imported.files),
        "read": imported.total,
        "published": published,
        "not_published": [*rejected, *unconfirmed],
        "recipients": {
            state: dict(sorted(counts.items())) if dry_run else counts.total() - counts[Outcome.WITHHOLD]
            for state, counts in sorted(expected.recipients.items())
        },
    }


def _print_summary(
    imported: ImportResult, expected: DryRunResult, undelivered: NotDeliveredError | None, *, dry_run: bool
) -> None:
    verb = "would be published" if dry_run else "published"
    published = sum(1 for _ in _find_delivered(imported, undelivered))
    print_line(f"{imported.total} read, {published} {verb}, {imported.total - published} not published")
    if imported.unpublished:
        _print_not_published(imported)
    table = make_table(
        unwrapped_column("State"), unwrapped_column("outcome"), unwrapped_column("items"), "by which law, or why not"
    )
    for (state, outcome, why), count in sorted(
        expected.reasons.items(), key=lambda item: (item[0][0], item[0][1], -item[1])
    ):
        add_row(table, state, outcome, count, why)
    if expected.reasons:
        out.print()
        out.print(table)
    elif published:
        print_line("No State would receive them: they point to no State and match no declared interest.")
    err.print("This is a prediction with the law pack installed here. The gate's decision is what counts.")


def _warn_of_unsubstantiated_emergencies(imported: ImportResult) -> None:
    """Say which items state an emergency for which nobody answers: they are decided as ordinary."""
    places = [
        f"{located.file} {located.position}"
        for located in imported.indicators
        if located.indicator.urgency is Urgency.EMERGENCY and not is_substantiated(located.indicator.to_record())
    ]
    if places:
        hidden = len(places) - EMERGENCIES_SHOWN
        more = f" and {hidden} more" if hidden > 0 else ""
        err.print(
            f"warning: decided as ORDINARY, because an EMERGENCY needs source.officer and urgency_reason: "
            f"{', '.join(places[:EMERGENCIES_SHOWN])}{more}"
        )


def _print_not_published(imported: ImportResult) -> None:
    table = make_table(unwrapped_column("not published"), unwrapped_column("count"), "for example")
    counts = Counter(entry.cause for entry in imported.unpublished)
    for cause, count in counts.most_common():
        first = next(entry for entry in imported.unpublished if entry.cause is cause)
        add_row(table, cause, count, f"{first.file} {first.position}: {first.reason}")
    out.print()
    out.print(table)
    err.print("Use --json to list every entry with its position.")
