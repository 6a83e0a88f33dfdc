"""`sharing law compare`: what a new version of a pack opens and closes, over all facts."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.law.options import PacksOption, read_decision_time
from sharing.cli.shared.console import AsJson, err, out, print_json, print_labelled, print_line
from sharing.cli.shared.states import read_pack_code, read_state
from sharing.errors import InputError
from sharing.law.comparison import STEPS_MAX, compare_laws
from sharing.law.comparison.differences import Comparison, Difference, DifferenceKind, LawVersion
from sharing.law.lint.findings import describe_value
from sharing.model.times import to_utc_day
from sharing.packs.library import TREATIES_FILE, Law, adopt_law, find_law_by_code, load_law, read_law_texts
from sharing.settings import Settings, load_settings


def compare_packs(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The current pack: a file, or a State such as CH.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The file with the amended pack.")],
    state: Annotated[
        str | None, typer.Option("--state", help="The State that adopts a template. Default: SHARING_STATE.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="Compare from the day of this time on. Default: today.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if the new pack opens anything.")] = False,
    steps: Annotated[
        int, typer.Option("--steps", min=1, help="Cut the search short after this many steps.")
    ] = STEPS_MAX,
    packs: PacksOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what a new version of a pack opens that was closed, and closes that was open, over all facts.

    The search covers every item, recipient, authority and later day: where it shows nothing, there is nothing. Each
    item shown is the smallest, and both packs have decided it.
    """
    laws = _read_laws(old, new, load_settings(packs=packs), state)
    day = to_utc_day(read_decision_time(at))
    comparison = compare_laws(laws[0], laws[1], day, steps)
    if as_json:
        print_json(
            {
                "opens": [_to_document(difference) for difference in comparison.opens],
                "closes": [_to_document(difference) for difference in comparison.closes],
                "complete": comparison.complete,
            }
        )
    else:
        _print_comparison(comparison, laws, day)
    if not comparison.complete:
        err.print("the search was cut short, so there may be more: raise --steps")
    if not comparison.complete or (strict and comparison.opens):
        raise typer.Exit(1)


def _read_laws(old: str, new: Path, settings: Settings, state: str | None) -> tuple[LawVersion, LawVersion]:
    """Return the two laws. The new one uses the treaty table in its own folder, or else that of the old one.

    Raises:
        SharingError: A pack cannot be read, or a template has no State that adopts it.
    """
    current = (
        load_law(Path(old)) if Path(old).is_file() else find_law_by_code(read_pack_code("OLD", old), settings.packs)
    )
    texts = read_law_texts(new)
    if not new.with_name(TREATIES_FILE).is_file():
        texts = replace(texts, treaties_text=current.treaties.text)
    return _adopt(current, state, settings), _adopt(texts.parse_law(), state, settings)


def _adopt(law: Law, state: str | None, settings: Settings) -> LawVersion:
    if state is not None:
        law = adopt_law(law, read_state("--state", state))
    elif law.pack.is_template:
        if settings.state is None:
            raise InputError(
                f"--state is missing: it names the State that adopts the template {law.pack.code}; give it, or set "
                "SHARING_STATE"
            )
        law = adopt_law(law, settings.state)
    return LawVersion(law.pack, law.treaties)


def _to_document(difference: Difference) -> dict[str, Any]:
    return {
        "item": difference.item,
        "to": difference.to,
        "was": difference.was,
        "is": difference.is_,
        "rules": difference.rules,
        "kind": difference.kind,
        "detail": difference.detail,
        "authority": difference.authority,
        "day": str(difference.day),
        "basis": {"was": difference.basis_was, "is": difference.basis_is},
    }


def _print_comparison(comparison: Comparison, laws: tuple[LawVersion, LawVersion], day: dt.date) -> None:
    old, new = (law.pack for law in laws)
    print_line(f"{old.state}: {old.version} and {new.version}, from {day} on", style="bold")
    if not comparison.opens and comparison.complete:
        print_line("opens nothing that was closed")
    for difference in comparison.opens:
        _print_difference("opens", difference)
    if not comparison.closes and comparison.complete:
        print_line("closes nothing that was open")
    for difference in comparison.closes:
        _print_difference("closes", difference)


def _print_difference(verb: str, difference: Difference) -> None:
    authority = difference.authority or "unknown authority"
    print_line(
        f"{verb}: {_describe(verb, difference)}; to {difference.to} ({authority}) on {difference.day}", style="bold"
    )
    facts = "; ".join(f"{name} {describe_value(value)}" for name, value in difference.facts.items())
    print_labelled("item", facts or "states nothing")
    if difference.rules:
        print_labelled("rules", ", ".join(difference.rules))
    if difference.basis_was != difference.basis_is:
        print_labelled("basis", f"{difference.basis_was or 'none'} → {difference.basis_is or 'none'}")
    out.print()


def _describe(verb: str, difference: Difference) -> str:
    outcomes = f"{difference.was} → {difference.is_}"
    if difference.kind is DifferenceKind.OUTCOME:
        return outcomes
    detail = f" {difference.detail}" if difference.detail else ""
    match difference.kind:
        case DifferenceKind.APPROVER | DifferenceKind.EXCULPATORY:
            change = ""
        case DifferenceKind.APPROVALS:
            change = " of one officer instead of two" if verb == "opens" else " of two officers instead of one"
        case DifferenceKind.OBLIGATION:
            change = " that is new" if verb == "opens" else " that is gone"
        case _:
            change = " that is gone" if verb == "opens" else " that is new"
    return f"{difference.kind}{detail}{change} ({outcomes})"
