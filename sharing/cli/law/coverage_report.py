"""The coverage of a pack by its cases: as a table of what is missing, and as a JSON document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sharing.cli.shared.console import add_row, make_table, out, print_line, unwrapped_column
from sharing.law.cases.coverage import RuleCoverage, compute_percentage


@dataclass(frozen=True, slots=True)
class LocatedCoverage:
    """The coverage of a rule, and where the rule is.

    Attributes:
        pack: Code of the pack with which its cases ran.
        file: Name of the file of the rule.
        line: Its line there.
    """

    pack: str
    file: str
    line: int
    coverage: RuleCoverage


def print_coverage(entries: list[LocatedCoverage]) -> None:
    """Print each rule of which a branch is missing, and the percentage of each pack and of all."""
    incomplete = [entry for entry in entries if entry.coverage.missing]
    if incomplete:
        out.print()
        table = make_table(unwrapped_column("at"), unwrapped_column("rule"), unwrapped_column("branches"), "missing")
        for entry in incomplete:
            covered, missing = entry.coverage.covered, entry.coverage.missing
            count = f"{len(covered)} of {len(covered) + len(missing)}"
            place = f"{entry.file}:{entry.line}"
            add_row(table, place, entry.coverage.rule.id, count, "; ".join(map(str, missing)))
        out.print(table)
    out.print()
    for pack in dict.fromkeys(entry.pack for entry in entries):
        print_line(f"{pack}: {_describe_share(entry for entry in entries if entry.pack == pack)}")
    print_line(f"coverage: {_describe_share(entries)}", style="bold")


def to_coverage_document(entries: list[LocatedCoverage]) -> dict[str, Any]:
    """Return the coverage as a JSON document."""
    packs = dict.fromkeys(entry.pack for entry in entries)
    return {
        **_to_share_document(entries),
        "packs": [
            {"pack": pack, **_to_share_document(entry for entry in entries if entry.pack == pack)} for pack in packs
        ],
        "rules": [
            {
                "file": entry.file,
                "line": entry.line,
                "rule": entry.coverage.rule.id,
                "covered": list(map(str, entry.coverage.covered)),
                "missing": list(map(str, entry.coverage.missing)),
            }
            for entry in entries
        ],
    }


def _count_branches(entries: Iterable[LocatedCoverage]) -> tuple[int, int, float]:
    """Return the number of covered branches, the number of all, and the percentage."""
    coverage = [entry.coverage for entry in entries]
    covered = sum(len(entry.covered) for entry in coverage)
    return covered, covered + sum(len(entry.missing) for entry in coverage), compute_percentage(coverage)


def _describe_share(entries: Iterable[LocatedCoverage]) -> str:
    covered, branches, percent = _count_branches(entries)
    return f"{_round_down(percent):.1f} % ({covered} of {branches} branches)"


def _to_share_document(entries: Iterable[LocatedCoverage]) -> dict[str, Any]:
    covered, branches, percent = _count_branches(entries)
    return {"covered": covered, "branches": branches, "percent": _round_down(percent)}


def _round_down(percent: float) -> float:
    """Return a percentage with one decimal, so that 100 means that nothing is missing."""
    return int(percent * 10) / 10
