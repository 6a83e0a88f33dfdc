"""`sharing law explain`: why an item goes where it goes, why not elsewhere, and what would change it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from sharing.cli.console import AsJson, out, print_json, printable, say, say_labelled
from sharing.cli.dry_run import read_directory
from sharing.cli.law.reach import show_reach
from sharing.errors import InputError
from sharing.geoip import open_lookup
from sharing.ids import content_id
from sharing.interop.files import read_file
from sharing.interop.reading import FileFormat, ImportContext, SourceInfo
from sharing.law.combine import RESTRICTIONS
from sharing.law.decision_context import DecisionContext
from sharing.law.explain import ExplainedRule, Explanation, explain
from sharing.model.countries import country_name, normalise_country
from sharing.model.decision import FAILED, Decision
from sharing.model.indicator import Indicator
from sharing.model.times import format_time, to_milliseconds
from sharing.model.vocabulary import Effect, Outcome
from sharing.packs.archive import find_version
from sharing.packs.library import Law, find_law
from sharing.packs.signature import read_public_keys
from sharing.relevance.nexus import no_lookup
from sharing.settings import load_settings

TOLD_MAX = 5
"""Of lines that are no indicators, how many are told."""

CHANGES_SHOWN = 8
"""Of the missing facts that would change an outcome, how many combinations a person is shown."""


@dataclass(frozen=True, slots=True)
class ExplainedItem:
    """One item, its decision, and why."""

    indicator: Indicator
    decision: Decision
    why: list[Explanation]


def explain_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, one indicator a line.")],
    state: Annotated[str, typer.Option("--state", help="The providing State, such as CH.")],
    to: Annotated[str | None, typer.Option("--to", help="One receiving State, considered or not.")] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Which States could receive it, on which terms, relevance apart.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The instant, RFC 3339 with a zone; the present minute when not given."),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="YAML with the States' entries; a sample when not given."),
    ] = None,
    packs: Annotated[
        Path | None,
        typer.Option("--packs", help="A folder of packs; else SHARING_PACKS, else those shipped."),
    ] = None,
    pack: Annotated[
        str | None,
        typer.Option("--pack", help="The pack that the State adopted, such as EU; else SHARING_PACK, else its own."),
    ] = None,
    version_hash: Annotated[
        str | None,
        typer.Option("--hash", help="SHA-256 of the pack's version, also from archive/ in the folder."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide indicators without a broker, and say why, why not, and which missing fact would change it."""
    settings = load_settings(packs=packs, pack=pack)
    keys = read_public_keys(settings.pack_key)
    law = (
        find_law(state, settings.packs, settings.pack, keys=keys)
        if version_hash is None
        else find_version(state, version_hash, settings.packs, settings.pack, keys=keys)
    )
    # To the minute: whoever runs it again, to compare, gets the same bytes.
    now_ms = int(time.time()) // 60 * 60_000 if at is None else read_instant(at)
    if everyone and to is not None:
        raise InputError("--everyone asks of all States; leave --to out")
    only = None if to is None else normalise_country(to)
    locate = no_lookup if settings.geoip is None else open_lookup(settings.geoip)
    items = read_items(file, law.pack.state)
    sitting = DecisionContext.open(law.pack, law.treaties, read_directory(directory, None), now_ms, locate)
    if everyone:
        show_reach(items, sitting, now_ms, as_json=as_json)
        return
    for explained in explain_items(items, sitting, now_ms, only):
        if as_json:
            decision = json.loads(explained.decision.to_json())
            print_json({**decision, "why": [asdict(one) for one in explained.why]})
        else:
            _print(explained, law)


def read_instant(text: str, option: str = "--at") -> int:
    """Return an RFC 3339 time, given with an option, in UTC milliseconds.

    Raises:
        InputError: It is not one, or has no zone.
    """
    try:
        instant = datetime.fromisoformat(text)
        utc = instant.astimezone(UTC) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):  # the second: at the edge of the calendar, in a zone beyond it
        utc = None
    if utc is None:
        raise InputError(f"{option} must be a time with a zone, such as 2026-03-01T12:00:00Z")
    return to_milliseconds(utc)


def read_items(file: Path, state: str) -> list[Indicator]:
    """Return the indicators in a file of JSON lines; one without an id gets the same one each time.

    Raises:
        InputError: A line is not an acceptable indicator of that State; the message says which and why.
    """
    ids = (content_id(f"{file.name}/{number}") for number in itertools.count(1))
    reading = read_file(file, ImportContext(SourceInfo(state, "unnamed"), lambda: next(ids), format=FileFormat.JSONL))
    if reading.not_published:
        told = [f"{entry.file}:{entry.place}: {entry.reason}" for entry in reading.not_published[:TOLD_MAX]]
        rest = len(reading.not_published) - len(told)
        raise InputError("; ".join([*told, f"and {rest} more lines"] if rest else told))
    return [placed.indicator for placed in reading.indicators]


def explain_items(
    items: Iterable[Indicator], sitting: DecisionContext, now_ms: int, only: str | None
) -> Iterator[ExplainedItem]:
    """Explain indicators at an instant: what each considered State gets, or `only` one State."""
    for item in items:
        record = item.to_wire()
        why = explain(sitting.law, record, sitting.finder.find(record), now_ms, only)
        yield ExplainedItem(item, sitting.decision(record, now_ms), why)


def _print(explained: ExplainedItem, law: Law) -> None:
    item = explained.indicator
    codes = ", ".join(item.offence.codes) or "no offence stated"
    instant = format_time(explained.decision.decided_at)
    adopted = f"pack {law.pack.code} " if law.pack.code != law.pack.state else ""
    say(
        f"{item.type} ({codes}), {item.form}, under the law of {country_name(law.pack.state)} "
        f"{adopted}{law.pack.version} at {instant}",
        style="bold",
    )
    if not explained.why:
        say(
            "goes to nobody: nothing in it points to a State, and no State declared an interest that it meets.",
            indent=2,
        )
    for why in explained.why:
        _print_one(why)
    out.print()


def _print_one(why: Explanation) -> None:
    title = Text(f"{why.state} {why.outcome}", style="bold")
    title.append(f": {printable(why.sentence)}", style="not bold")
    out.print(Padding(title, (0, 0, 0, 2), expand=False))
    for rule in why.applied:
        checked = "" if rule.verified else " (not checked against a text)"
        say_labelled(rule.effect, f"{rule.citation} [{rule.id}]{checked}: {rule.paraphrase}", indent=4)
    for rule in why.undecided:
        say_labelled("undecided", f"{rule.citation} [{rule.id}]: {_say_what_is_missing(rule)}", indent=4)
    _print_near(why)
    for change in why.would_change[:CHANGES_SHOWN]:
        facts = " and ".join(f"{name} were {value}" for name, value in change.facts)
        say(f"if {facts}: {change.outcome}", indent=4)
    rest = len(why.would_change) - CHANGES_SHOWN
    if rest > 0:
        say(f"and {rest} more ways in which missing facts would change it; --json tells them", indent=4)
    if why.human:
        say_labelled("next", why.human, indent=4)


def _say_what_is_missing(rule: ExplainedRule) -> str:
    facts = ", ".join(fact for fact in rule.missing if fact != FAILED)
    does = (
        "withholds"
        if rule.effect in RESTRICTIONS
        else "permits nothing"
        if rule.effect == Effect.PERMIT
        else "adds nothing"
    )
    failed = f"its evaluation failed, so it {does}; tell who keeps the pack that {rule.id} fails on this item"
    return "; ".join([f"missing {facts}"] * bool(facts) + [failed] * (FAILED in rule.missing))


def _print_near(why: Explanation) -> None:
    """Print what would have permitted it; of the other rules that one fact keeps out, only how many there are."""
    withheld = why.outcome == Outcome.WITHHOLD
    shown = [near for near in why.near if withheld and near.effect == Effect.PERMIT]
    for near in shown:
        text = f"{near.effect} {near.citation} [{near.id}], but for: {near.kept_out_by}"
        say_labelled("nearly", text, indent=4, style="dim")
    rest = len(why.near) - len(shown)
    if rest:
        say_labelled(
            "nearly", f"{rest} rules do not apply for one reason each; --json tells them", indent=4, style="dim"
        )
