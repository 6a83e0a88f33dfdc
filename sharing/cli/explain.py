"""`sharing law explain`: why an item goes where it goes, why not elsewhere, and what would change it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.console import AsJson, err, out
from sharing.directory import read_entries
from sharing.errors import InputError
from sharing.identity import content_id
from sharing.interop.jsonl import parse_json_lines
from sharing.law.explain import Explanation, explain
from sharing.law.filter import DisclosureFilter
from sharing.law_library import Law, find_law, read_text
from sharing.model.countries import country_name, normalise_country
from sharing.model.decision import Decision
from sharing.model.directory import Directory
from sharing.model.indicator import Indicator
from sharing.model.times import format_time, to_milliseconds, utc_day
from sharing.relevance.audience import AudienceFinder
from sharing.relevance.interests import InterestIndex
from sharing.samples import sample_directory
from sharing.settings import load_settings


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
    as_json: AsJson = False,  # noqa: FBT002 a flag
) -> None:
    """Decide indicators without a broker, and say why, why not, and which missing fact would change it."""
    law = find_law(state, load_settings(packs=packs).packs)
    now_ms = read_instant(at) if at else int(time.time() * 1000)
    only = normalise_country(to) if to else None
    if directory is None:
        err.print("receiving authorities and interests are those of the sample directory; --directory names another")
    entries = read_entries(*(sample_directory() if directory is None else (read_text(directory), directory.name)))
    snapshot = Directory({entry.state: entry for entry in entries})
    for explained in explain_lines(file, law, snapshot, now_ms, only):
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
    """Explain each line of a file.

    Raises:
        InputError: A line is not an acceptable indicator of that State.
    """
    filter_ = DisclosureFilter(law.pack, law.treaties, utc_day(now_ms), directory.authorities(now_ms))
    finder = AudienceFinder(InterestIndex.build(directory.interests(now_ms)))
    for place, data in parse_json_lines(file):
        source = {"state": law.pack.state, "agency": "unnamed", **_mapping(data.get("source"), place)}
        indicator = Indicator.read(
            {"id": content_id(json.dumps(data, sort_keys=True)), **data, "source": source}, place=place
        )
        if indicator.source.state != law.pack.state:
            message = f"source.state is {indicator.source.state}; the law asked for is that of {law.pack.state}"
            raise InputError(f"{file}:{place}: {message}", field="source.state", place=place)
        record = indicator.to_wire()
        audience = finder.find(record)
        verdict = filter_.decide(record, audience, now_ms)
        decision = Decision(
            indicator.id,
            indicator.version,
            now_ms,
            law.pack.state,
            law.pack.reference,
            directory.version,
            verdict.recipients,
        )
        yield Explained(indicator, decision, explain(filter_, record, audience, now_ms, only))


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError("source: must be an object", field="source", place=place)
    return value


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
