"""`sharing law test`: run the cases of the packs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.law.coverage_report import LocatedCoverage, print_coverage, to_coverage_document
from sharing.cli.law.options import PacksOption
from sharing.cli.law.pack_choice import choose_packs, load_case_files, locate_rules
from sharing.cli.shared.console import AsJson, err, out, print_json, print_line
from sharing.law.cases import CaseFile
from sharing.law.cases.coverage import measure_coverage
from sharing.law.cases.runs import CaseResult, run_cases, run_cases_in_detail
from sharing.packs.library import Law, list_pack_files, load_cases, load_law
from sharing.settings import load_settings


def run_pack_cases(
    states: Annotated[
        list[str] | None,
        typer.Argument(metavar="STATE", help="States whose packs are tested; all by default."),
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Also show which branches of each rule no case exercises.")
    ] = False,
    packs: PacksOption = None,
    as_json: AsJson = False,
) -> None:
    """Run the cases of the packs and report passes and failures."""
    folder = load_settings(packs=packs).packs
    results: list[tuple[str, CaseResult]] = []
    measured: list[LocatedCoverage] = []
    for pack_file in choose_packs(list_pack_files(folder), states):
        law = load_law(pack_file)
        files = load_case_files(pack_file, law, folder)
        if load_cases(pack_file) is None:
            err.print(f"{pack_file.name}: there is no file with its cases")
        for cases in files:
            results += [(cases.document.source, result) for result in run_cases(cases, law.pack, law.treaties)]
        if coverage:
            measured += _measure_pack(pack_file, law, files)
    failed = [(source, result) for source, result in results if result.differences]
    if as_json:
        document = {"cases": len(results), "failed": [_to_case_document(source, result) for source, result in failed]}
        print_json({**document, "coverage": to_coverage_document(measured)} if coverage else document)
    else:
        _print_results(results, failed)
        if coverage:
            print_coverage(measured)
    if failed or not results:
        raise typer.Exit(1)


def _measure_pack(file: Traversable | Path, law: Law, case_files: list[CaseFile]) -> Iterator[LocatedCoverage]:
    """Yield the coverage of a pack's own rules, and of the common rules if their cases run with it."""
    runs = [run for cases in case_files for run in run_cases_in_detail(cases, law.pack, law.treaties)[1]]
    places = locate_rules(file, law)
    tested = {run.case.rule for run in runs}
    with_common = any(rule.is_common and rule.id in tested for rule in law.pack.rules)
    rules = [rule for rule in law.pack.rules if with_common or not rule.is_common]
    for entry in measure_coverage(rules, runs):
        yield LocatedCoverage(law.pack.code, *places[entry.rule], entry)


def _print_results(results: list[tuple[str, CaseResult]], failed: list[tuple[str, CaseResult]]) -> None:
    counts = Counter(source for source, _ in results)
    failures = Counter(source for source, _ in failed)
    for source, count in counts.items():
        suffix = f", {failures[source]} failed" if failures[source] else ""
        print_line(f"{source}: {count - failures[source]} passed{suffix}")
    for source, result in failed:
        out.print()
        print_line(f"{source}:{result.line}: {result.case.name} [{result.case.rule}]", style="red")
        for difference in result.differences:
            print_line(difference, indent=2)
    out.print()
    print_line(f"{len(results) - len(failed)} passed, {len(failed)} failed")


def _to_case_document(source: str, result: CaseResult) -> dict[str, Any]:
    return {
        "file": source,
        "line": result.line,
        "name": result.case.name,
        "rule": result.case.rule,
        "differences": list(result.differences),
    }
