"""`sharing law`: the packs, what they say, and whether their cases hold."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from sharing.cli.console import AsJson, add_row, err, make_table, out, print_json, say, say_labelled, whole
from sharing.cli.law.explain import explain_file
from sharing.cli.law.lint import lint_packs
from sharing.cli.law.pack_choice import Packs, choose_packs
from sharing.cli.law.rehearse import rehearse
from sharing.cli.law.sign import sign_pack
from sharing.law.cases import CaseResult, run_cases
from sharing.law.pack import Pack, Rule
from sharing.packs.library import common_cases, find_pack, pack_files, read_cases, read_law
from sharing.packs.signature import is_signed, read_public_keys, read_signature
from sharing.settings import load_settings

app = typer.Typer(
    name="law", help="Law packs: what they are, whether they are sound, what they do.", no_args_is_help=True
)
app.command("lint", short_help="Find rules that can never apply, or that others make pointless.")(lint_packs)
app.command("explain", short_help="Say why an item goes where it goes, and why not elsewhere.")(explain_file)
app.command("sign", short_help="Sign a pack with the key of the State's law office.")(sign_pack)
app.command("rehearse", short_help="Show what an amendment would change.")(rehearse)


@app.command("list", short_help="List the packs, and how much of them was checked.")
def list_packs(packs: Packs = None, as_json: AsJson = False) -> None:
    """List the packs: State, version, hash, how many rules, how many of them checked against a text, how many cases."""
    settings = load_settings(packs=packs)
    keys = read_public_keys(settings.pack_key)
    rows: list[dict[str, Any]] = []
    for place in pack_files(settings.packs):
        pack = read_law(place).pack
        cases = read_cases(place)
        rows.append(
            {
                "state": pack.code,
                "version": pack.version,
                "sha256": pack.sha256,
                "rules": len(pack.rules),
                "verified": sum(rule.verified for rule in pack.rules),
                "cases": len(cases.cases) if cases else 0,
                "signed": is_signed(pack.sha256, read_signature(place) or "", keys) if keys else None,
            }
        )
    if as_json:
        print_json(rows)
        return
    names = ("state", "version", "rules", "verified", "cases", *(("signed",) if keys else ()))
    table = make_table(*map(whole, ("State", *names[1:], "sha256")))
    for row in rows:
        add_row(table, *(row[name] for name in names), f"{row['sha256'][:16]}…")
    out.print(table)
    err.print("Packs are illustrations for each State's own lawyers to correct; they are not legal advice.")


@app.command(short_help="Show a pack, rule by rule.")
def show(
    state: Annotated[str, typer.Argument(metavar="STATE", help="The State, such as CH, or EU for the template.")],
    packs: Packs = None,
    as_json: AsJson = False,
) -> None:
    """Show a pack: each rule with its clause, what it does, when, and whether it was checked."""
    pack = find_pack(state, load_settings(packs=packs).packs).pack
    if as_json:
        print_json(_pack_document(pack))
        return
    say(f"{pack.title} {pack.version}, consolidated {pack.consolidated_at}", style="bold")
    say(pack.disclaimer)
    say(f"treaty basis, in this order: {', '.join(pack.treaty_preference)}")
    for rule in pack.rules:
        _show_rule(rule)


@app.command("test")
def run_all(
    states: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STATE]...", help="States whose packs are tested; all when none is named."),
    ] = None,
    packs: Packs = None,
    as_json: AsJson = False,
) -> None:
    """Run the cases beside the packs, and report like a test runner."""
    folder = load_settings(packs=packs).packs
    results: list[tuple[str, CaseResult]] = []
    for place in choose_packs(pack_files(folder), states):
        law = read_law(place)
        own = read_cases(place)
        if own is None:
            err.print(f"{place.name}: no cases stand beside it")
        for file in (own, common_cases() if folder is None and law.pack.state == "CH" else None):
            if file is not None:
                results += [(file.document.source, result) for result in run_cases(file, law.pack, law.treaties)]
    failed = [(source, result) for source, result in results if result.differences]
    if as_json:
        print_json({"cases": len(results), "failed": [_case_document(source, result) for source, result in failed]})
    else:
        _report(results, failed)
    if failed or not results:
        raise typer.Exit(1)


def _show_rule(rule: Rule) -> None:
    until = f" to {rule.valid.end}" if rule.valid.end else ""
    checked = "checked" if rule.verified else "not checked against a text"
    out.print()
    say(f"{rule.effect} {rule.id}: {rule.citation}", style="bold")
    say(rule.paraphrase, indent=2)
    say_labelled("when", rule.when)
    needed = _needed(rule)
    if needed:
        say_labelled(*needed)
    say_labelled("from", f"{rule.valid.start}{until}; {checked} ({rule.source})", style="dim")
    if rule.note:
        say_labelled("note", rule.note, style="dim")


def _report(results: list[tuple[str, CaseResult]], failed: list[tuple[str, CaseResult]]) -> None:
    counts = Counter(source for source, _ in results)
    broken = Counter(source for source, _ in failed)
    for source, count in counts.items():
        mark = f", {broken[source]} failed" if broken[source] else ""
        say(f"{source}: {count - broken[source]} passed{mark}")
    for source, result in failed:
        out.print()
        say(f"{source}:{result.line}: {result.case.name} [{result.case.rule}]", style="red")
        for difference in result.differences:
            say(difference, indent=2)
    out.print()
    say(f"{len(results) - len(failed)} passed, {len(failed)} failed")


def _case_document(source: str, result: CaseResult) -> dict[str, Any]:
    return {
        "file": source,
        "line": result.line,
        "name": result.case.name,
        "rule": result.case.rule,
        "differences": list(result.differences),
    }


def _needed(rule: Rule) -> tuple[str, str] | None:
    """Return what the rule's effect needs, as a label and a text."""
    if rule.approver:
        return "approver", rule.approver
    if rule.condition:
        return "condition", f"({rule.condition.kind}) {rule.condition.text}"
    return ("takes out", ", ".join(rule.redact)) if rule.redact else None


def _pack_document(pack: Pack) -> dict[str, Any]:
    return {
        "state": pack.code,
        "version": pack.version,
        "sha256": pack.sha256,
        "title": pack.title,
        "disclaimer": pack.disclaimer,
        "consolidated_at": str(pack.consolidated_at),
        "treaty_preference": list(pack.treaty_preference),
        "rules": [
            {
                "id": rule.id,
                "effect": str(rule.effect),
                "citation": rule.citation,
                "paraphrase": rule.paraphrase,
                "when": str(rule.when),
                "from": str(rule.valid.start),
                "to": str(rule.valid.end) if rule.valid.end else None,
                "verified": rule.verified,
                "source": rule.source,
                "note": rule.note,
            }
            for rule in pack.rules
        ],
    }
