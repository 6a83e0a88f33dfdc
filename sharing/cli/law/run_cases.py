"""`sharing law test`: run the cases of the packs."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from sharing.cli.law.options import PacksOption
from sharing.cli.law.pack_choice import choose_packs
from sharing.cli.shared.console import AsJson, err, out, print_json, print_line
from sharing.law.cases import CaseResult, run_cases
from sharing.packs.library import list_pack_files, load_cases, load_common_cases, load_law
from sharing.settings import load_settings


def run_pack_cases(
    states: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STATE]...", help="States whose packs are tested; all by default."),
    ] = None,
    packs: PacksOption = None,
    as_json: AsJson = False,
) -> None:
    """Run the cases of the packs and report passes and failures."""
    folder = load_settings(packs=packs).packs
    results: list[tuple[str, CaseResult]] = []
    for pack_file in choose_packs(list_pack_files(folder), states):
        law = load_law(pack_file)
        own_cases = load_cases(pack_file)
        if own_cases is None:
            err.print(f"{pack_file.name}: there is no file with its cases")
        # The cases of the common rules are written for the shipped pack of Switzerland.
        for cases in (own_cases, load_common_cases() if folder is None and law.pack.state == "CH" else None):
            if cases is not None:
                results += [(cases.document.source, result) for result in run_cases(cases, law.pack, law.treaties)]
    failed = [(source, result) for source, result in results if result.differences]
    if as_json:
        print_json({"cases": len(results), "failed": [_to_case_document(source, result) for source, result in failed]})
    else:
        _print_results(results, failed)
    if failed or not results:
        raise typer.Exit(1)


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
