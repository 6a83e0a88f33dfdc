"""`sharing law list`: the packs, and how many of their rules were checked."""

from __future__ import annotations

from typing import Any

from sharing.cli.law.options import PacksOption
from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, unwrapped_column
from sharing.packs.library import list_pack_files, load_cases, load_law
from sharing.packs.signature import is_signature_valid, read_public_keys, read_signature
from sharing.settings import load_settings


def list_packs(packs: PacksOption = None, as_json: AsJson = False) -> None:
    """List the packs: State, version, hash, and the numbers of rules, of rules checked against a text, and of cases."""
    settings = load_settings(packs=packs)
    keys = read_public_keys(settings.pack_key)
    rows: list[dict[str, Any]] = []
    for file in list_pack_files(settings.packs):
        pack = load_law(file).pack
        cases = load_cases(file)
        rows.append(
            {
                "state": pack.code,
                "version": pack.version,
                "sha256": pack.sha256,
                "rules": len(pack.rules),
                "verified": sum(rule.verified for rule in pack.rules),
                "cases": len(cases.cases) if cases else 0,
                "signed": is_signature_valid(pack.sha256, read_signature(file) or "", keys) if keys else None,
            }
        )
    if as_json:
        print_json(rows)
        return
    names = ("state", "version", "rules", "verified", "cases", *(("signed",) if keys else ()))
    table = make_table(*map(unwrapped_column, ("State", *names[1:], "sha256")))
    for row in rows:
        add_row(table, *(row[name] for name in names), f"{row['sha256'][:16]}…")
    out.print(table)
    err.print("Packs are illustrations for each State's own lawyers to correct; they are not legal advice.")
