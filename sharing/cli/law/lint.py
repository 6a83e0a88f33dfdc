"""`sharing law lint`: whether packs are sound law, decided by search over all facts."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.console import AsJson, out, print_json, say
from sharing.cli.law.pack_choice import Packs, choose_packs
from sharing.errors import InputError
from sharing.law.lint import LintCode, LintFinding, LintSeverity, Subject, described, lint_common, lint_pack
from sharing.packs.library import (
    COMMON,
    common_cases,
    common_rules,
    common_text,
    pack_files,
    read_cases,
    read_law,
    read_text,
)
from sharing.settings import load_settings
from sharing.yaml_source import read_yaml

_STYLES = {LintSeverity.ERROR: "red", LintSeverity.WARNING: "yellow", LintSeverity.NOTICE: ""}


def lint_packs(
    states: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STATE]...", help="States whose packs are linted; all when none is named."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count, too.")] = False,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="DAY", help="The day on which one asks, such as 2026-03-01; else today."),
    ] = None,
    packs: Packs = None,
    as_json: AsJson = False,
) -> None:
    """Find rules that can never apply, that others make pointless, that cannot be obeyed, or that are not proved.

    The search over the facts is complete: what is shown can occur, and what is not found is not there.
    """
    day = dt.datetime.now(dt.UTC).date() if at is None else _read_day(at)
    places = choose_packs(pack_files(load_settings(packs=packs).packs), states)
    found = list(itertools.chain.from_iterable(_lint_all(places, day)))
    counts = Counter(finding.severity for finding in found)
    if as_json:
        totals = {f"{severity}s": counts[severity] for severity in LintSeverity}
        print_json({"packs": len(places), **totals, "findings": [_document(finding) for finding in found]})
    else:
        _report(found, [COMMON, *(place.name for place in places)])
        say(f"{_count(len(places), 'pack')}: {_counted(counts)}")
    if counts[LintSeverity.ERROR] or (strict and counts[LintSeverity.WARNING]):
        raise typer.Exit(1)


def _lint_all(places: list[Traversable | Path], day: dt.date) -> Iterable[list[LintFinding]]:
    """Yield what is found: in the common rules once, then pack by pack."""
    common = len(common_rules().rules)
    # The common rules are shipped, and so judged with what is shipped: a treaty table of one's own may know few States,
    # which is no fault of theirs.
    shipped = read_law(pack_files()[0])
    shared = Subject(shipped.pack, read_yaml(common_text(), COMMON), common_cases(), common)
    yield lint_common(shared, shipped.treaties, day)
    for place in places:
        law = read_law(place)
        own = Subject(law.pack, read_yaml(read_text(place), place.name), read_cases(place), common)
        yield lint_pack(own, law.treaties, day)


def _read_day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InputError("--at must be a day, such as 2026-03-01") from None


def _report(found: list[LintFinding], sources: Iterable[str]) -> None:
    for source in sources:
        of_file = [finding for finding in found if finding.source == source]
        counts = Counter(finding.severity for finding in of_file)
        say(f"{source}: {_counted(counts)}", style="bold")
        unverified = [finding.rule for finding in of_file if finding.code is LintCode.UNVERIFIED]
        for finding in of_file:
            if finding.code is not LintCode.UNVERIFIED:
                _say(finding)
        if unverified:
            say(f"warning unverified: not checked against a published text: {', '.join(unverified)}", indent=2)
        out.print()


def _counted(counts: Counter[LintSeverity]) -> str:
    return ", ".join(_count(counts[severity], severity) for severity in LintSeverity)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _say(finding: LintFinding) -> None:
    about = f" [{finding.rule}]" if finding.rule else ""
    say(
        f"{finding.severity} {finding.code}, {finding.source}:{finding.line}{about}: {finding.sentence}",
        indent=2,
        style=_STYLES[finding.severity],
    )
    if finding.combination is not None:
        say(f"with {described(finding.combination)}", indent=4, style="dim")


def _document(finding: LintFinding) -> dict[str, Any]:
    shown = finding.combination
    return {
        "file": finding.source,
        "line": finding.line,
        "rule": finding.rule,
        "severity": finding.severity,
        "code": finding.code,
        "sentence": finding.sentence,
        "combination": None
        if shown is None
        else {
            "recipient": shown.state,
            "day": str(shown.day),
            "facts": {name: _plain(shown.facts[name]) for name in shown.told},
        },
    }


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value
