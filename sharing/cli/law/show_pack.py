"""`sharing law show`: a pack, rule by rule."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharing.cli.law.options import PacksOption
from sharing.cli.shared.console import AsJson, out, print_json, print_labelled, print_line
from sharing.cli.shared.states import read_pack_code
from sharing.law.pack import Pack, Rule
from sharing.packs.library import find_law_by_code
from sharing.settings import load_settings


def show_pack(
    state: Annotated[str, typer.Argument(metavar="STATE", help="The State, such as CH, or EU for the template.")],
    packs: PacksOption = None,
    as_json: AsJson = False,
) -> None:
    """Show a pack: for each rule its article, effect and conditions, and whether it was checked."""
    pack = find_law_by_code(read_pack_code("STATE", state), load_settings(packs=packs).packs).pack
    if as_json:
        print_json(_to_pack_document(pack))
        return
    print_line(f"{pack.title} {pack.version}, consolidated {pack.consolidated_at}", style="bold")
    print_line(pack.disclaimer)
    print_line(f"treaty basis, in this order: {', '.join(pack.treaty_preference)}")
    for rule in pack.rules:
        _print_rule(rule)


def _print_rule(rule: Rule) -> None:
    until = f" to {rule.valid.end}" if rule.valid.end else ""
    checked = "checked" if rule.verified else "not checked against a text"
    out.print()
    print_line(f"{rule.effect} {rule.id}: {rule.citation} ({rule.nature})", style="bold")
    print_line(rule.paraphrase, indent=2)
    print_labelled("when", rule.when)
    if rule.exception is not None:
        decides = "decides" if rule.exception.approvals == 1 else f"decides ({rule.exception.approvals} officers)"
        print_labelled("except", f"{rule.exception.when}; if that is unknown, {rule.exception.approver} {decides}")
    if rule.replaces:
        print_labelled("replaces", rule.replaces)
    parameter = _describe_effect_parameter(rule)
    if parameter:
        print_labelled(*parameter)
    print_labelled("from", f"{rule.valid.start}{until}; {checked} ({rule.source})", style="dim")
    if rule.note:
        print_labelled("note", rule.note, style="dim")


def _describe_effect_parameter(rule: Rule) -> tuple[str, str] | None:
    """Return the approver, condition or redacted fields of a rule, as a label and a text."""
    if rule.approver:
        return "approver", rule.approver if rule.approvals == 1 else f"{rule.approver}, {rule.approvals} officers"
    if rule.condition:
        return "condition", f"({rule.condition.kind}) {rule.condition.text}"
    return ("redacts", ", ".join(rule.redact)) if rule.redact else None


def _to_pack_document(pack: Pack) -> dict[str, Any]:
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
                "nature": str(rule.nature),
                "when": str(rule.when),
                "exception": (
                    None
                    if rule.exception is None
                    else {"when": str(rule.exception.when), "approver": rule.exception.approver}
                ),
                "approver": rule.asked_role,
                "approvals": None if rule.asked_role is None else rule.asked_approvals,
                "replaces": rule.replaces or None,
                "from": str(rule.valid.start),
                "to": str(rule.valid.end) if rule.valid.end else None,
                "verified": rule.verified,
                "source": rule.source,
                "note": rule.note,
            }
            for rule in pack.rules
        ],
    }
