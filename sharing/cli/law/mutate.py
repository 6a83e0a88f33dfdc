"""`sharing law mutate`: change each rule of the packs in one place, and show the changes that no case notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.law.options import PacksOption
from sharing.cli.law.pack_choice import choose_packs, load_case_files, locate_rules
from sharing.cli.shared.console import AsJson, out, print_json, print_line, progress_bar
from sharing.errors import PackError
from sharing.law.mutation import (
    MINIMUM_KILLED_PERCENT,
    EquivalentMutants,
    PackScore,
    name_rule,
    parse_equivalents,
    score_rules,
)
from sharing.packs.library import list_pack_files, load_law
from sharing.settings import load_settings
from sharing.text_file import read_text_file

Places = dict[str, tuple[str, int]]
"""Rule name to its file and line."""


def mutate_packs(
    states: Annotated[
        list[str] | None,
        typer.Argument(metavar="STATE", help="States whose packs are mutated; all by default."),
    ] = None,
    equivalent: Annotated[
        Path | None,
        typer.Option(
            "--equivalent", metavar="FILE", help="YAML file that lists changes which no case can notice, with reasons."
        ),
    ] = None,
    packs: PacksOption = None,
    as_json: AsJson = False,
) -> None:
    """Change each rule of the packs in one place at a time: for each change a case must fail.

    A change that no case notices shows what the cases leave open. Exits with 1 if there is one that is not listed as
    equivalent, if a listed one is noticed, or if too few are noticed in a pack.
    """
    folder = load_settings(packs=packs).packs
    text = None if equivalent is None else read_text_file(equivalent, PackError)
    listed = EquivalentMutants() if equivalent is None or text is None else parse_equivalents(text, equivalent.name)
    files = choose_packs(list_pack_files(folder), states)
    scores: list[PackScore] = []
    places: Places = {}
    with progress_bar("mutating", len(files)) as report:
        for done, file in enumerate(files):
            report(done)
            law = load_law(file)
            case_files = load_case_files(file, law, folder)
            scores.append(score_rules(law.pack, law.treaties, case_files, listed))
            rules = locate_rules(file, law)
            places |= {name_rule(rule, rules): place for rule, place in rules.items()}
    if not states:
        listed.require_known(frozenset().union(*(score.rules for score in scores)))
    if as_json:
        print_json(_to_document(scores, places))
    else:
        _print_report(scores, places)
    if not all(score.is_passed for score in scores):
        raise typer.Exit(1)


def _print_report(scores: list[PackScore], places: Places) -> None:
    print_line(f"{'pack':8}{'mutants':>9}{'killed':>9}{'%':>8}{'survivors':>11}  explained", style="bold")
    for score in scores:
        survivors = len(score.survived)
        explained = survivors - len(score.unexplained)
        print_line(
            f"{score.name:8}{score.mutants:9}{score.mutants - survivors:9}{score.percent:8.1f}{survivors:11}"
            f"  {explained}"
        )
    for score in scores:
        for line in _describe_survivors(score, places):
            print_line(line)
    out.print()
    wrong = sum(len(score.unexplained) + len(score.stale) for score in scores)
    is_passed = all(score.is_passed for score in scores)
    print_line("nothing to correct" if is_passed else f"{wrong} to correct" if wrong else "more cases are needed")


def _describe_survivors(score: PackScore, places: Places) -> Iterator[str]:
    """Yield a line for each survivor, with its reason, and for whatever else is wrong with a pack."""
    for rule, change in score.survived:
        file, line = places[rule]
        yield f"{file}:{line}: {rule}: {change}: {score.equivalent.get((rule, change), 'NO CASE FAILS')}"
    for rule, change in score.stale:
        file, line = places[rule]
        yield f"{file}:{line}: {rule}: {change}: LISTED AS EQUIVALENT, but killed or not a mutant: remove it"
    if score.percent < MINIMUM_KILLED_PERCENT:
        yield f"{score.name}: FEWER THAN {MINIMUM_KILLED_PERCENT:g} % ARE KILLED"


def _to_document(scores: list[PackScore], places: Places) -> list[dict[str, Any]]:
    return [
        {
            "pack": score.name,
            "mutants": score.mutants,
            "killed": score.mutants - len(score.survived),
            "percent": round(score.percent, 1),
            "survivors": [
                {
                    "file": places[rule][0],
                    "line": places[rule][1],
                    "rule": rule,
                    "change": change,
                    "reason": score.equivalent.get((rule, change)),
                }
                for rule, change in score.survived
            ],
            "stale": [{"rule": rule, "change": change} for rule, change in score.stale],
        }
        for score in scores
    ]
