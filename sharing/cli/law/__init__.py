"""`sharing law`: list, show, test, check, sign and compare law packs."""

from __future__ import annotations

import typer

from sharing.cli.law.compare import compare_packs
from sharing.cli.law.explain import explain_file
from sharing.cli.law.lint import lint_packs
from sharing.cli.law.list_packs import list_packs
from sharing.cli.law.mutate import mutate_packs
from sharing.cli.law.questions import ask_questions
from sharing.cli.law.rehearse import rehearse
from sharing.cli.law.run_cases import run_pack_cases
from sharing.cli.law.show_pack import show_pack
from sharing.cli.law.sign import sign_pack_file

app = typer.Typer(
    name="law", help="Law packs: list, show, test, check, explain, sign and compare them.", no_args_is_help=True
)
app.command("lint", short_help="Find rules that can never apply, are redundant or contradict each other.")(lint_packs)
app.command("explain", short_help="Explain which States receive an item and why.")(explain_file)
app.command("sign", short_help="Sign a pack with the key of the State's law office.")(sign_pack_file)
app.command("rehearse", short_help="Show what an amendment would change.")(rehearse)
app.command("questions", short_help="Show which questions an officer must answer about an item.")(ask_questions)
app.command("compare", short_help="Show what a new version of a pack opens and closes, over all facts.")(compare_packs)
app.command("mutate", short_help="Change each rule in one place; for each change a case must fail.")(mutate_packs)
app.command("list", short_help="List the packs and how many of their rules were checked.")(list_packs)
app.command("show", short_help="Show a pack, rule by rule.")(show_pack)
app.command("test")(run_pack_cases)
