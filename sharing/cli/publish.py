"""`sharing publish`: files onto the bus, every part of them accounted for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sharing.cli.console import AsJson, Bootstrap, err, out, print_json, progress_bar, settings_with_broker
from sharing.cli.forecast import Forecast, forecast, read_directory
from sharing.interop.files import load_profile, read_files
from sharing.interop.profile import NO_PROFILE
from sharing.interop.reading import Format, Intake, Reading, SourceInfo
from sharing.law_library import find_law
from sharing.model.vocabulary import Outcome
from sharing.publisher import Publisher, new_id
from sharing.settings import load_settings


def publish(
    files: Annotated[list[Path], typer.Argument(help="JSON lines or MISP events.")],
    state: Annotated[str, typer.Option("--state", help="The publishing State, such as CH.")],
    agency: Annotated[str, typer.Option("--agency", help="Name of the agency.")],
    file_format: Annotated[Format, typer.Option("--format", help="Format of the files.")] = Format.AUTO,
    profile: Annotated[Path | None, typer.Option("--profile", help="YAML with the facts that the files lack.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Publish nothing; show who would get what, and why.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Publish the rest when a file cannot be read.")
    ] = False,
    directory: Annotated[
        Path | None, typer.Option("--directory", help="With --dry-run: YAML with the States' entries.")
    ] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Publish the indicators of some files; list what is not published, with its place and reason."""
    source = SourceInfo(state, agency)
    law = find_law(source.state, load_settings().packs)
    facts = load_profile(profile) if profile is not None else NO_PROFILE
    servers = None if dry_run else settings_with_broker(bootstrap)[1]
    with progress_bar("reading", None) as report:
        intake = Intake(source, new_id, facts, file_format, on_progress=lambda _, share: report(share * 100))
        reading = read_files(files, intake, keep_going=keep_going)
    if servers is not None:
        _publish_all(reading, source, servers)
    expected = forecast(law, read_directory(directory, servers or bootstrap), reading.indicators)
    for error in reading.unreadable:
        err.print(f"not read: {error}")
    if as_json:
        print_json(_document(reading, expected, dry_run=dry_run))
    else:
        _show(reading, expected, dry_run=dry_run)
    if reading.unreadable:
        raise typer.Exit(2)


def _publish_all(reading: Reading, source: SourceInfo, servers: str) -> None:
    with (
        progress_bar("publishing", len(reading.indicators)) as report,
        Publisher(servers, source.state, source.agency) as publisher,
    ):
        for done, placed in enumerate(reading.indicators, start=1):
            publisher.publish(placed.indicator)
            report(done)


def _document(reading: Reading, expected: Forecast, *, dry_run: bool) -> dict[str, Any]:
    return {
        "files": list(reading.files),
        "read": reading.read,
        "published": len(reading.indicators),
        "not_published": [
            {"file": entry.file, "place": entry.place, "reason": entry.reason} for entry in reading.not_published
        ],
        "recipients": {
            state: dict(sorted(counts.items())) if dry_run else counts.total() - counts[Outcome.WITHHOLD]
            for state, counts in sorted(expected.recipients.items())
        },
    }


def _show(reading: Reading, expected: Forecast, *, dry_run: bool) -> None:
    verb = "would be published" if dry_run else "published"
    out.print(f"{reading.read} read, {len(reading.indicators)} {verb}, {len(reading.not_published)} not")
    if reading.not_published:
        _show_listed(reading)
    table = Table("State", "outcome", "indicators", "by which law, or why not")
    for (state, outcome, why), count in sorted(
        expected.reasons.items(), key=lambda item: (item[0][0], item[0][1], -item[1])
    ):
        table.add_row(state, outcome, str(count), why)
    if expected.reasons:
        out.print(table)
    elif reading.indicators:
        out.print("They point to no State, and no State declared an interest that they meet: they would go to nobody.")
    err.print("What the gate decides counts; this is what the law pack that is installed here says.")


def _show_listed(reading: Reading) -> None:
    table = Table("not published", "how many", "for example")
    counts = Counter(entry.cause for entry in reading.not_published)
    for cause, count in counts.most_common():
        first = next(entry for entry in reading.not_published if entry.cause is cause)
        table.add_row(cause, str(count), f"{first.file} {first.place}: {first.reason}")
    out.print(table)
    err.print("--json lists each with its place.")
