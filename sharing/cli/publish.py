"""`sharing publish`: files onto the bus, every part of them accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing._publisher import Publisher, new_id
from sharing.cli.connection import Bootstrap, settings_with_broker
from sharing.cli.console import AsJson, add_row, err, make_table, out, print_json, progress_bar, say, whole
from sharing.cli.dry_run import Forecast, forecast, read_directory
from sharing.errors import InfrastructureError, InputError, NotDeliveredError
from sharing.geoip import open_lookup
from sharing.interop.files import load_profile, read_files
from sharing.interop.profile import NO_PROFILE
from sharing.interop.reading import FileFormat, FileReading, ImportContext, PlacedIndicator, SourceInfo
from sharing.kafka.tls import tls_properties
from sharing.model.vocabulary import Outcome
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys
from sharing.relevance.nexus import no_lookup
from sharing.serialization.framing import Framing
from sharing.serialization.schema_registry import open_framing
from sharing.settings import load_settings


def publish(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSON lines or MISP events.")],
    state: Annotated[str, typer.Option("--state", help="The publishing State, such as CH.")],
    agency: Annotated[str, typer.Option("--agency", help="Name of the agency.")],
    file_format: Annotated[FileFormat, typer.Option("--format", help="Format of the files.")] = FileFormat.AUTO,
    profile: Annotated[Path | None, typer.Option("--profile", help="YAML with the facts that the files lack.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Publish nothing; show who would get what, and why.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Publish the rest when a file cannot be read.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="With --dry-run: YAML with the States' entries, else the broker's."),
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Publish the indicators of some files; list what is not published, with its place and reason."""
    if directory is not None and not dry_run:
        raise InputError("--directory is for --dry-run; the gate decides with the directory of the bus")
    source = SourceInfo(state, agency)
    settings = load_settings(bootstrap=bootstrap)
    law = find_law(source.state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    locate = no_lookup if settings.geoip is None else open_lookup(settings.geoip)
    facts = load_profile(profile) if profile is not None else NO_PROFILE
    servers = settings.bootstrap if dry_run else settings_with_broker(bootstrap)[1]
    tls = tls_properties(settings)
    reading = _read(files, ImportContext(source, new_id, facts, file_format), keep_going=keep_going)
    # Before anything is published: what cannot be told afterwards would look like a failure to publish.
    entries = read_directory(directory, settings, tls)
    lost = (
        None
        if dry_run or servers is None
        else _publish_all(reading, source, servers, tls, open_framing(settings, source.state))
    )
    expected = forecast(law, entries, _delivered(reading, lost), locate)
    for error in reading.unreadable:
        err.print(f"not read: {error}")
    if as_json:
        print_json(_document(reading, expected, lost, dry_run=dry_run))
    else:
        _show(reading, expected, lost, dry_run=dry_run)
    if lost is not None:
        raise lost
    if reading.unreadable:
        raise typer.Exit(2)


def _read(files: list[Path], intake: ImportContext, *, keep_going: bool) -> FileReading:
    # Files come one after another; one that cannot be read at all is not reported.
    order = {str(path): number for number, path in enumerate(files)}
    with progress_bar("reading", len(files), share=True) as report:
        reporting = ImportContext(
            intake.source,
            intake.make_id,
            intake.profile,
            intake.format,
            on_progress=lambda file, done: report(order.get(file, 0) + done),
        )
        return read_files(files, reporting, keep_going=keep_going)


def _publish_all(
    reading: FileReading, source: SourceInfo, servers: str, tls: Mapping[str, str], framing: Framing
) -> NotDeliveredError | None:
    """Publish; return what the broker did not confirm.

    Raises:
        InfrastructureError: No broker answers, or the State's topic is not there: nothing was published.
    """
    publisher = Publisher(servers, source.state, source.agency, properties=tls, framing=framing)
    reason, missing = "", []
    done = 0
    with progress_bar("publishing", len(reading.indicators)) as report:
        try:
            for placed in reading.indicators:
                publisher.publish(placed.indicator)
                done += 1
                report(done)
        except InfrastructureError as error:
            reason = str(error)
            missing = [placed.indicator.id for placed in reading.indicators[done:]]
        try:
            publisher.flush()
        except NotDeliveredError as error:
            reason = reason or str(error)
            missing += error.ids
    return NotDeliveredError(reason, tuple(missing)) if missing else None


def _delivered(reading: FileReading, lost: NotDeliveredError | None) -> Iterator[PlacedIndicator]:
    missing = frozenset(lost.ids) if lost is not None else frozenset()
    return (placed for placed in reading.indicators if placed.indicator.id not in missing)


def _document(
    reading: FileReading, expected: Forecast, lost: NotDeliveredError | None, *, dry_run: bool
) -> dict[str, Any]:
    delivered = sum(1 for _ in _delivered(reading, lost))
    missing = frozenset(lost.ids) if lost is not None else frozenset()
    unconfirmed = [
        {
            "file": placed.file,
            "place": placed.place,
            "reason": f"the broker did not confirm it; publish it again with the id {placed.indicator.id}",
        }
        for placed in reading.indicators
        if placed.indicator.id in missing
    ]
    listed = [{"file": one.file, "place": one.place, "reason": one.reason} for one in reading.not_published]
    return {
        "files": list(reading.files),
        "read": reading.read,
        "published": delivered,
        "not_published": [*listed, *unconfirmed],
        "recipients": {
            state: dict(sorted(counts.items())) if dry_run else counts.total() - counts[Outcome.WITHHOLD]
            for state, counts in sorted(expected.recipients.items())
        },
    }


def _show(reading: FileReading, expected: Forecast, lost: NotDeliveredError | None, *, dry_run: bool) -> None:
    verb = "would be published" if dry_run else "published"
    delivered = sum(1 for _ in _delivered(reading, lost))
    say(f"{reading.read} read, {delivered} {verb}, {reading.read - delivered} not")
    if reading.not_published:
        _show_listed(reading)
    table = make_table(whole("State"), whole("outcome"), whole("items"), "by which law, or why not")
    for (state, outcome, why), count in sorted(
        expected.reasons.items(), key=lambda item: (item[0][0], item[0][1], -item[1])
    ):
        add_row(table, state, outcome, count, why)
    if expected.reasons:
        out.print()
        out.print(table)
    elif delivered:
        say("They point to no State, and no State declared an interest that they meet: they would go to nobody.")
    err.print("What the gate decides counts; this is what the law pack that is installed here says.")


def _show_listed(reading: FileReading) -> None:
    table = make_table(whole("not published"), whole("how many"), "for example")
    counts = Counter(entry.cause for entry in reading.not_published)
    for cause, count in counts.most_common():
        first = next(entry for entry in reading.not_published if entry.cause is cause)
        add_row(table, cause, count, f"{first.file} {first.place}: {first.reason}")
    out.print()
    out.print(table)
    err.print("--json lists each with its place.")
