"""`sharing demo`: run the whole bus live, on sample data."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, assert_never

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column
from rich.text import Text

from sharing.cli.shared.console import AsJson, add_row, err, make_table, out, print_json, print_line
from sharing.errors import InputError
from sharing.law.fact_questions import QUESTIONS
from sharing.model.effects import FORBIDDING_EFFECTS
from sharing.model.recipient_terms import EVALUATION_FAILED, UndecidedRule, describe_undecided
from sharing.model.vocabulary import Effect, Outcome
from sharing.serialization.codec import get_codec
from sharing.testing.demo.attacks import AttackResult
from sharing.testing.demo.conversation import ConversationStep
from sharing.testing.demo.outcome_watcher import ObservedRecord
from sharing.testing.demo.report import DemoReport
from sharing.testing.demo.run import run_demo
from sharing.testing.demo.scenario import DemoCase
from sharing.topology.topics import DECISIONS, NOTICES, OFFERS, URGENT

_QUESTIONS_SHOWN: Final = 2


class BrokerChoice(StrEnum):
    """The broker to run the demo on."""

    EMBEDDED = "embedded"
    KAFKA = "kafka"


def demo(
    broker: Annotated[
        BrokerChoice, typer.Option("--broker", help="The embedded broker, or a real Kafka.")
    ] = BrokerChoice.EMBEDDED,
    secure: Annotated[
        bool,
        typer.Option(
            "--secure",
            help="With kafka: certificates and ACLs for each principal, and attacks on it.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the workers of six States on real MISP data and demo cases; officers answer; the totals must add up."""
    if secure and broker is not BrokerChoice.KAFKA:
        raise InputError("--secure needs --broker kafka: the embedded broker does not support certificates")
    # With --json, standard output holds the JSON document and nothing else.
    console = err if as_json else out
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        report = run_demo(broker, _DemoPrinter(progress), secure=secure)
    if as_json:
        print_json(report.to_json())
    else:
        _print_report(report)
    if not report.is_right:
        for indicator_id in report.differing_ids:
            err.print(f"the decision on {indicator_id} is missing, duplicated, or cannot be reproduced")
        raise typer.Exit(1)


class _DemoPrinter:
    """Prints the demo cases as they are decided and delivered, and counts the other indicators."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("decided", total=None)

    def report_step(self, text: str) -> None:
        self._print_line(f"[dim]· {escape(text)}[/]")

    def report_progress(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total)

    def report_record(self, observed: ObservedRecord, case: DemoCase | None) -> None:
        if case is None:
            return
        if observed.kind is DECISIONS:
            self._print_decision(observed, case)
        elif observed.kind in {NOTICES, URGENT}:
            self._print_notice(observed)
        elif observed.kind is OFFERS:
            self._print_offer(observed)

    def report_attack(self, attack: AttackResult) -> None:
        if attack.refused:
            reason = f"{attack.cause}: {attack.message}"
            self._print_line(f"[green]refused by {attack.state}[/] {escape(f'{attack.detail}: {reason}')}", 3)
        else:
            self._print_line(f"[bold red]NOT REFUSED by {attack.state}[/] {escape(attack.detail)}", 3)

    def report_conversation(self, step: ConversationStep) -> None:
        colour = "bold" if step.is_right else "bold red"
        self._print_line(f"\n[{colour}]{escape(step.title)}[/]")
        for line in step.lines:
            self._print_line(escape(line), 3)

    def _print_decision(self, observed: ObservedRecord, case: DemoCase) -> None:
        self._print_line(f"\n[bold]{observed.state}: {escape(case.title)}[/] ({case.indicator.type})")
        for recipient in observed.record["recipients"]:
            outcome = Outcome(recipient["outcome"])
            why = escape(_explain_outcome(outcome, recipient))
            reasons = "; ".join(reason["detail"] or "named by the agency" for reason in recipient["relevance"])
            self._print_line(f"[{_choose_colour(outcome)}]{outcome}[/] {recipient['state']}: {why}", 3)
            self._print_line(f"[dim]considered because: {escape(reasons)}[/]", 12)

    def _print_notice(self, observed: ObservedRecord) -> None:
        record = observed.record
        content = get_codec("notice_content").decode(record["content"])
        lane = " [bold red]urgent[/]" if observed.kind is URGENT else ""
        indicator = escape(f"{content['type']} {content['value']}")
        self._print_line(f"[green]notice[/]{lane} {record['from_state']} → {observed.state}: {indicator}", 3)
        for condition in record["conditions"]:
            self._print_line(f"[dim]condition: {escape(condition['text'])}[/]", 12)

    def _print_offer(self, observed: ObservedRecord) -> None:
        record = observed.record
        category = record["category"].lower()
        self._print_line(f"[cyan]offer[/]  {record['from_state']} → {observed.state} ({category})", 3)
        for condition in record["conditions"]:
            self._print_line(f"[dim]condition to accept: {escape(condition['text'])}[/]", 12)

    def _print_line(self, text: str, indent: int = 0) -> None:
        console = self._progress.console  # the progress bar stays below what it prints
        if text.startswith("\n"):
            console.print()
        console.print(Padding(Text.from_markup(text.lstrip("\n")), (0, 0, 0, indent), expand=False))


def _choose_colour(outcome: Outcome) -> str:
    match outcome:
        case Outcome.DISCLOSE:
            return "green"
        case Outcome.OFFER:
            return "cyan"
        case Outcome.HOLD:
            return "yellow"
        case Outcome.WITHHOLD:
            return "red"
        case _:
            assert_never(outcome)


def _is_cited(effect: Effect) -> bool:
    """Return whether a printed outcome cites the rule. Conditions are printed with the notice or the offer."""
    match effect:
        case Effect.DENY | Effect.APPROVAL | Effect.PERMIT | Effect.OBLIGE:
            return True
        case Effect.REDACT | Effect.CONDITION | Effect.RECORD:
            return False
        case _:
            assert_never(effect)


def _explain_outcome(outcome: Outcome, recipient: dict[str, Any]) -> str:
    rules = [rule for rule in recipient["rules"] if _is_cited(Effect(rule["effect"]))]
    citations = "; ".join(f"{rule['citation']} [{rule['id']}]" for rule in rules)
    match outcome:
        case Outcome.DISCLOSE | Outcome.OFFER:
            return citations
        case Outcome.HOLD:
            role = recipient["approver"].replace("_", " ").lower()
            return f"until the {role} approves; {citations}"
        case Outcome.WITHHOLD:
            if any(rule["effect"] in FORBIDDING_EFFECTS for rule in rules):
                return citations
            return _describe_undecided([UndecidedRule(**entry) for entry in recipient["undecided"]])
        case _:
            assert_never(outcome)


def _describe_undecided(undecided: Sequence[UndecidedRule]) -> str:
    """Return what is not known, as questions, of which the first few are enough to see; and which rules failed."""
    facts = {entry.fact for entry in undecided} - {EVALUATION_FAILED}
    questions = [*(QUESTIONS[fact] for fact in QUESTIONS if fact in facts), *sorted(facts - QUESTIONS.keys())]
    hidden = len(questions) - _QUESTIONS_SHOWN
    more = f" (and {hidden} more)" if hidden > 0 else ""
    parts = [f"not known: {' '.join(questions[:_QUESTIONS_SHOWN])}{more}"] if questions else []
    failed = describe_undecided(entry for entry in undecided if entry.fact == EVALUATION_FAILED)
    return "; ".join([*parts, *([failed] if failed else [])]) or "no rule permits it"


def _print_report(report: DemoReport) -> None:
    published = ("published", "disclosed", "offered", "held", "withheld", "quarantined")
    _print_counts("Outcomes of what each State published", published, report)
    _print_counts("What each State received", ("notices", "offers", "delivered"), report)
    out.print()
    total = " + ".join(f"{report.total(name)} {name}" for name in published[1:])
    verdict = "[green]adds up[/]" if report.adds_up else "[red]DOES NOT ADD UP[/]"
    out.print(f"{report.total('published')} published = {total}: {verdict}")
    comparison = "[green]same bytes[/]" if report.decisions_verified else "[red]DIFFERENT BYTES[/]"
    out.print(f"Every decision recomputed from indicator, law pack and directory: {comparison}")
    if report.attacks:
        refused = sum(attack.refused for attack in report.attacks)
        verdict = "[green]all refused[/]" if report.attacks_refused else "[red]NOT ALL REFUSED[/]"
        out.print(f"{len(report.attacks)} attacks with valid certificates and rights, {refused} refused: {verdict}")
    verdict = "[green]complete, in order and unchanged[/]" if report.audit.is_verified else "[red]NOT VERIFIED[/]"
    counts = (
        f"{report.audit.records} decisions and acts, {report.audit.witnessed} of them witnessed by two other States"
    )
    out.print(f"The audit logs of all States, {counts}: {verdict}")
    for finding in report.audit.findings:
        out.print(f"  {escape(finding)}")
    if report.proof is not None:
        out.print("[green]A decision is proved:[/]" if report.proof.holds else "[red]A decision is NOT proved:[/]")
        for line in report.proof.lines:
            print_line(f"   {line}")
    out.print(f"{report.broker} broker, {report.seconds:.1f} s")


def _print_counts(title: str, names: tuple[str, ...], report: DemoReport) -> None:
    table = make_table("State", *(Column(name, justify="right") for name in names))
    for state, state_report in report.states.items():
        counts = [getattr(state_report, name) for name in names]
        if any(counts):
            add_row(table, state, *counts)
    table.add_section()
    add_row(table, "all", *(report.total(name) for name in names))
    out.print()
    print_line(title, style="bold")
    out.print(table)
