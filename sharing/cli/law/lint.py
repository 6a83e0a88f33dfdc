"""`sharing law lint`: check packs for rules that are dead, redundant, contradictory or badly maintained."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Iterable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.law.options import PacksOption
from sharing.cli.law.pack_choice import choose_packs
from sharing.cli.shared.console import AsJson, out, print_json, print_line
from sharing.cli.shared.instants import parse_day
from sharing.law.lint import (
    LintCode,
    LintFinding,
    LintSeverity,
    LintSubject,
    describe_counterexample,
    lint_common_rules,
    lint_pack,
)
from sharing.law.reading.pack_reader import read_pack_yaml
from sharing.packs.library import (
    COMMON_RULES_FILE,
    list_pack_files,
    load_cases,
    load_common_cases,
    load_common_rules,
    load_law,
    read_common_rules_text,
    read_law_file,
)
from sharing.settings import load_settings

_ACCEPTED = "accepted"
_STYLES = {LintSeverity.ERROR: "red", LintSeverity.WARNING: "yellow", LintSeverity.NOTICE: ""}


def lint_packs(
    states: Annotated[
        list[str] | None,
        typer.Argument(metavar="STATE", help="States whose packs are checked; all by default."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 on warnings, too, unless the pack accepts them.")
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="DAY",
            help="Report rules that expired before this day, such as 2026-03-01; today by default.",
        ),
    ] = None,
    packs: PacksOption = None,
    as_json: AsJson = False,
) -> None:
    """Find rules that can never apply, are redundant, contradict each other, or lack citations, checks or cases.

    The search covers every combination of facts: each example shown can occur, and no combination is missed. Findings
    that a pack accepts are shown with its reason, and do not count.
    """
    day = dt.datetime.now(dt.UTC).date() if at is None else parse_day(at, "--at")
    files = choose_packs(list_pack_files(load_settings(packs=packs).packs), states)
    findings = list(itertools.chain.from_iterable(_lint_all(files, day)))
    counts = _count(findings)
    if as_json:
        totals = {f"{severity}s": counts[severity] for severity in LintSeverity} | {"accepted": counts[_ACCEPTED]}
        print_json({"packs": len(files), **totals, "findings": [_to_document(finding) for finding in findings]})
    else:
        _print_report(findings, [COMMON_RULES_FILE, *(file.name for file in files)])
        print_line(f"{_format_count(len(files), 'pack')}: {_format_counts(counts)}")
    if counts[LintSeverity.ERROR] or (strict and counts[LintSeverity.WARNING]):
        raise typer.Exit(1)


def _lint_all(files: list[Traversable | Path], day: dt.date) -> Iterable[list[LintFinding]]:
    """Yield the findings in the common rules, then those of each pack."""
    common_count = len(load_common_rules().rules)
    # The common rules are shipped, so they are checked with the shipped treaty table. A custom table may list few
    # States, which is not a fault of the common rules.
    shipped = load_law(list_pack_files()[0])
    common_subject = LintSubject(
        shipped.pack, read_pack_yaml(read_common_rules_text(), COMMON_RULES_FILE), load_common_cases(), common_count
    )
    yield lint_common_rules(common_subject, shipped.treaties, day)
    for file in files:
        law = load_law(file)
        subject = LintSubject(law.pack, read_pack_yaml(read_law_file(file), file.name), load_cases(file), common_count)
        yield lint_pack(subject, law.treaties, day)


def _print_report(findings: list[LintFinding], sources: Iterable[str]) -> None:
    for source in sources:
        findings_in_file = [finding for finding in findings if finding.source == source]
        print_line(f"{source}: {_format_counts(_count(findings_in_file))}", style="bold")
        open_findings = [finding for finding in findings_in_file if not finding.accepted]
        unverified = [finding.rule for finding in open_findings if finding.code is LintCode.UNVERIFIED]
        for finding in open_findings:
            if finding.code is not LintCode.UNVERIFIED:
                _print_finding(finding)
        if unverified:
            print_line(f"warning unverified: not checked against a published text: {', '.join(unverified)}", indent=2)
        _print_accepted(findings_in_file)
        out.print()


def _print_accepted(findings: list[LintFinding]) -> None:
    """Print each reason for which findings are accepted, with their rules."""
    rules: dict[tuple[LintCode, str], list[str]] = {}
    for finding in findings:
        if finding.accepted:
            rules.setdefault((finding.code, finding.accepted), []).append(finding.rule)
    for (code, reason), names in rules.items():
        print_line(f"accepted {code} [{', '.join(dict.fromkeys(names))}]: {reason}", indent=2, style="dim")


def _count(findings: Iterable[LintFinding]) -> Counter[str]:
    """Return the number of findings of each severity that are not accepted, and of those that are."""
    return Counter(_ACCEPTED if finding.accepted else str(finding.severity) for finding in findings)


def _format_counts(counts: Counter[str]) -> str:
    accepted = [f"{counts[_ACCEPTED]} accepted"] if counts[_ACCEPTED] else []
    return ", ".join([*(_format_count(counts[severity], severity) for severity in LintSeverity), *accepted])


def _format_count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _print_finding(finding: LintFinding) -> None:
    rule = f" [{finding.rule}]" if finding.rule else ""
    print_line(
        f"{finding.severity} {finding.code}, {finding.source}:{finding.line}{rule}: {finding.sentence}",
        indent=2,
        style=_STYLES[finding.severity],
    )
    if finding.counterexample is not None:
        print_line(f"for example: {describe_counterexample(finding.counterexample)}", indent=4, style="dim")


def _to_document(finding: LintFinding) -> dict[str, Any]:
    counterexample = finding.counterexample
    return {
        "file": finding.source,
        "line": finding.line,
        "rule": finding.rule,
        "severity": finding.severity,
        "code": finding.code,
        "sentence": finding.sentence,
        "accepted": finding.accepted or None,
        "combination": None
        if counterexample is None
        else {
            "recipient": counterexample.state,
            "day": str(counterexample.day),
            "facts": {name: _to_json_value(counterexample.facts[name]) for name in counterexample.relevant},
        },
    }


def _to_json_value(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value
