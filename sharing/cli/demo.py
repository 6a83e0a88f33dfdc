"""`sharing demo`: the main job on shipped data, live."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from sharing.cli.console import AsJson, err, out, print_json
from sharing.errors import InputError
from sharing.serialization.codec import codec_of
from sharing.testing.demo.outcome_watcher import Seen
from sharing.testing.demo.report import DemoReport
from sharing.testing.demo.run import run_demo
from sharing.testing.demo.scenario import TellingCase
from sharing.topology.topics import DECISIONS, NOTICES, OFFERS, URGENT

_COLOURS = {"DISCLOSE": "green", "OFFER": "cyan", "HOLD": "yellow", "WITHHOLD": "red"}


class BrokerChoice(StrEnum):
    """On which broker."""

    EMBEDDED = "embedded"
    KAFKA = "kafka"


def demo(
    broker: Annotated[
        BrokerChoice, typer.Option("--broker", help="The embedded one, or a real Kafka.")
    ] = BrokerChoice.EMBEDDED,
    secure: Annotated[
        bool, typer.Option("--secure", help="With kafka: each party with a certificate and its own rights.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the main job: four gates, real MISP data and telling cases; ends with a table that adds up."""
    if secure and broker is not BrokerChoice.KAFKA:
        raise InputError("--secure needs --broker kafka: the embedded broker knows no certificates")
    # The story goes where the results do not: a program that asks for JSON reads standard output.
    console = Console(stderr=as_json, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        report = run_demo(broker, _DemoPrinter(progress), secure=secure)
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    if not (report.adds_up and report.minutes_verified):
        for identity in report.differing:
            err.print(f"the decision on {identity} is missing, doubled, or not reached again")
        raise typer.Exit(1)


class _DemoPrinter:
    """Prints the telling cases as they are decided and delivered, and counts the rest."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("decided", total=None)

    def tell(self, what: str) -> None:
        self._line(f"[dim]· {escape(what)}[/]")

    def progress(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)

    def show(self, seen: Seen, case: TellingCase | None) -> None:
        if case is None:
            return
        if seen.kind is DECISIONS:
            self._decision(seen, case)
        elif seen.kind in {NOTICES, URGENT}:
            self._notice(seen)
        elif seen.kind is OFFERS:
            record = seen.record
            self._line(f"[cyan]offer[/]  {record['from_state']} → {seen.state} ({record['category'].lower()})", 3)
            for condition in record["conditions"]:
                self._line(f"[dim]to accept: {escape(condition['text'])}[/]", 12)

    def _decision(self, seen: Seen, case: TellingCase) -> None:
        self._line(f"\n[bold]{seen.state}: {escape(case.title)}[/] ({case.indicator.type})")
        for recipient in seen.record["recipients"]:
            outcome = recipient["outcome"]
            reason = "; ".join(one["detail"] for one in recipient["relevance"])
            self._line(f"[{_COLOURS[outcome]}]{outcome}[/] {recipient['state']}: {escape(_why(recipient))}", 3)
            self._line(f"[dim]considered because: {escape(reason)}[/]", 12)

    def _notice(self, seen: Seen) -> None:
        record = seen.record
        content = codec_of("notice_content").decode(record["content"])
        lane = " [bold red]urgent[/]" if seen.kind is URGENT else ""
        item = escape(f"{content['type']} {content['value']}")
        self._line(f"[green]notice[/]{lane} {record['from_state']} → {seen.state}: {item}", 3)
        for condition in record["conditions"]:
            self._line(f"[dim]bound: {escape(condition['text'])}[/]", 12)

    def _line(self, text: str, indent: int = 0) -> None:
        self._progress.console.print(Padding(text, (0, 0, 0, indent)))  # the bar stays below


_OPENING = frozenset({"PERMIT", "APPROVAL", "DENY", "OBLIGE"})
"""Effects that tell why an outcome is what it is; conditions are told with the notice or the offer."""


def _why(recipient: dict[str, Any]) -> str:
    rules = [rule for rule in recipient["rules"] if rule["effect"] in _OPENING]
    made = "; ".join(f"{rule['citation']} [{rule['id']}]" for rule in rules)
    if recipient["outcome"] == "HOLD":
        role = recipient["approver"].replace("_", " ").lower()
        return f"until the {role} approves; {made}"
    if recipient["outcome"] != "WITHHOLD" or any(rule["effect"] == "DENY" for rule in rules):
        return made
    missing = ", ".join(dict.fromkeys(entry["fact"] for entry in recipient["undecided"]))
    return f"not known: {missing}" if missing else "no rule permits it"


def _show(report: DemoReport) -> None:
    published = ("published", "disclosed", "offered", "held", "withheld", "quarantined")
    out.print()
    out.print(_table("What became of what each State published", published, report))
    out.print(_table("What each State received", ("notices", "offers", "delivered"), report))
    total = " + ".join(f"{report.total(name)} {name}" for name in published[1:])
    mark = "[green]adds up[/]" if report.adds_up else "[red]DOES NOT ADD UP[/]"
    out.print(f"{report.total('published')} published = {total}: {mark}")
    checked = "[green]the same bytes[/]" if report.minutes_verified else "[red]DIFFERENT[/]"
    out.print(f"Every decision made again from indicator, law pack and directory: {checked}")
    out.print(f"{report.broker} broker, {report.seconds:.1f} s")


def _table(title: str, names: tuple[str, ...], report: DemoReport) -> Table:
    table = Table("State", *names, title=title, title_justify="left")
    for state, one in report.states.items():
        figures = [getattr(one, name) for name in names]
        if any(figures):
            table.add_row(state, *(str(figure) for figure in figures))
    table.add_section()
    table.add_row("all", *(str(report.total(name)) for name in names), style="bold")
    return table
