"""`sharing law`: list, show, test, check, sign and compare law packs."""

from __future__ import annotations

import typer

from sharing.cli.lazy_group import CommandSource, add_placeholders, lazy_group

COMMANDS = {
    "list": CommandSource(
        "sharing.cli.law.list_packs", "list_packs", "List the packs and how many of their rules were checked."
    ),
    "show": CommandSource("sharing.cli.law.show_pack", "show_pack", "Show a pack, rule by rule."),
    "explain": CommandSource(
        "sharing.cli.law.explain", "explain_file", "Explain which States receive an item and why."
    ),
    "questions": CommandSource(
        "sharing.cli.law.questions", "ask_questions", "Show which questions an officer must answer about an item."
    ),
    "test": CommandSource("sharing.cli.law.run_cases", "run_pack_cases", "Run the test cases of the packs."),
    "lint": CommandSource(
        "sharing.cli.law.lint", "lint_packs", "Find rules that can never apply, are redundant or contradict."
    ),
    "mutate": CommandSource(
        "sharing.cli.law.mutate", "mutate_packs", "Change each rule in one place; for each change a case must fail."
    ),
    "compare": CommandSource(
        "sharing.cli.law.compare", "compare_packs", "Show what a new version of a pack opens and closes."
    ),
    "rehearse": CommandSource("sharing.cli.law.rehearse", "rehearse", "Show what an amendment would change."),
    "sign": CommandSource("sharing.cli.law.sign", "sign_pack_file", "Sign a pack with the key of the law office."),
}

app = typer.Typer(
    name="law",
    cls=lazy_group(COMMANDS, "sharing law"),
    help="Law packs: list, show, test, check, explain, sign and compare them.",
    no_args_is_help=True,
)
add_placeholders(app, COMMANDS)
