"""`sharing law explain`: why an item goes where it goes, why not elsewhere, and what would change it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.console import AsJson, out
from sharing.cli.forecast import read_directory
from sharing.errors import InputError
from sharing.identity import content_id
from sharing.interop.files import read_file
from sharing.interop.reading import Format, Intake, SourceInfo
from sharing.law.explain import Explanation, explain
from sharing.law_library import Law, find_law
from sharing.model.countries import country_name, normalise_country
from sharing.model.decision import Decision
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.times import format_time, to_milliseconds
from sharing.settings import load_settings
from sharing.sitting import Sitting


@dataclass(frozen=True, slots=True)
class Explained:
    """One item, its decision, and why."""

    indicator: Indicator
    decision: Decision
    why: list[Explanation]


def explain_file(
    file: Annotated[Path, typer.Argument(help="JSON lines, one indicator a line.")],
    state: Annotated[str, typer.Option("--state", help="The providing State, such as CH.")],
    to: Annotated[str | None, typer.Option("--to", help="One receiving State, considered or not.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="The instant, RFC 3339 with a zone; now when not given.")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="YAML with the States' entries; a sample when not given."),
    ] = None,
    packs: Annotated[
        Path | None,
        typer.Option("--packs", help="A folder of packs; else SHARING_PACKS, else those shipped."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide indicators without a broker, and say why, why not, and which missing fact would change it."""
    law = find_law(state, load_settings(packs=packs).packs)
    now_ms = read_instant(at) if at else int(time.time() * 1000)
    only = normalise_country(to) if to else None
    for explained in explain_lines(file, law, read_directory(directory, None), now_ms, only):
        if as_json:
            document = {
                **json.loads(explained.decision.to_json()),
                "why": [asdict(one) for one in explained.why],
            }
            typer.echo(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
        else:
            _print(explained, law)


def read_instant(text: str) -> int:
    """Return an RFC 3339 time in UTC milliseconds.

    Raises:
        InputError: It is not one, or has no zone.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise InputError("--at must be a time with a zone, such as 2026-03-01T12:00:00Z")
    return to_milliseconds(instant.astimezone(UTC))


def explain_lines(file: Path, law: Law, directory: Directory, now_ms: int, only: str | None) -> Iterator[Explained]:
    """Explain each indicator of a file of JSON lines.

    Raises:
        InputError: A line is not an acceptable indicator of that State; the message says which and why.
    """
    ids = (content_id(f"{file.name}/{number}") for number in itertools.count(1))
    source = SourceInfo(law.pack.state, "unnamed")
    reading = read_file(file, Intake(source, lambda: next(ids), format=Format.JSONL))
    if reading.not_published:
        raise InputError("; ".join(f"{entry.file}:{entry.place}: {entry.reason}" for entry in reading.not_published))
    sitting = Sitting.open(law.pack, law.treaties, directory, now_ms)
    for placed in reading.indicators:
        record = placed.indicator.to_wire()
        why = explain(sitting.law, record, sitting.finder.find(record), now_ms, only)
        yield Explained(placed.indicator, sitting.decision(record, now_ms), why)


def _print(explained: Explained, law: Law) -> None:
    item = explained.indicator
    codes = ", ".join(item.offence.codes) or "no offence stated"
    out.print(
        f"[bold]{item.type}[/] ({codes}), {item.form}, under the law of {country_name(law.pack.state)} ",
        end="",
    )
    out.print(f"{law.pack.version} at {format_time(explained.decision.decided_at)}", markup=False)
    if not explained.why:
        out.print("  goes to nobody: nothing in it points to a State, and no State declared an interest that it meets.")
    for why in explained.why:
        _print_one(why)
    out.print()


def _print_one(why: Explanation) -> None:
    out.print(f"  [bold]{why.state} {why.outcome}[/]: ", end="")
    out.print(why.sentence, markup=False)
    for rule in why.applied:
        checked = "" if rule.verified else " (not checked against a text)"
        out.print(f"    {rule.effect:<9} {rule.citation} [{rule.id}]{checked}: {rule.paraphrase}", markup=False)
    for rule in why.undecided:
        out.print(f"    undecided {rule.citation} [{rule.id}]: missing {', '.join(rule.missing)}", markup=False)
    for near in why.near:
        out.print(
            f"    nearly    {near.effect} {near.citation} [{near.id}], but for: {near.kept_out_by}",
            markup=False,
            style="dim",
        )
    for change in why.would_change:
        facts = " and ".join(f"{name} were {value}" for name, value in change.facts)
        out.print(f"    if {facts}: {change.outcome}", markup=False)
    if why.human:
        out.print(f"    next: {why.human}", markup=False)
