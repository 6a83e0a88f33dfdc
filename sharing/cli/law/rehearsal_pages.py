"""The report of a rehearsal as text that a ministry can print."""

from __future__ import annotations

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from sharing.cli.law.rehearsal_report import DISCLAIMER, RehearsalReport, sort_changes
from sharing.cli.shared.console import add_row, make_table, out, unwrapped_column
from sharing.console.printable import to_printable
from sharing.law.rehearsal import ChangeTally, OutcomeChange, RehearsalSummary
from sharing.model.countries import country_name
from sharing.model.times import format_time
from sharing.model.vocabulary import Outcome

WIDTH = 96
"""Width of the printed report in characters, also on a wider terminal."""


def print_report(report: RehearsalReport) -> None:
    """Print the report."""
    _print_header(report)
    _print_pack_differences(report)
    summary = report.summary
    if summary.altered:
        _print_outcome_matrix(summary)
        _print_states(summary)
        _print_rules(report)
        _print_terms(summary)
        _print_examples(summary)
    _print_authorities(report)
    out.print()
    _print_block(DISCLAIMER)


def _print_header(report: RehearsalReport) -> None:
    summary, admission = report.summary, report.admission
    _print_block(f"Rehearsal of an amendment: {country_name(report.before.state)}", style="bold")
    out.print()
    facts = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2, 0, 0))
    for name, pack in (("current law", report.before), ("candidate", report.after)):
        add_row(facts, name, f"{pack.code} {pack.version}, {pack.title}")
        add_row(facts, "", f"sha256 {pack.sha256}")
    add_row(facts, "decided", f"as of {format_time(report.at_ms)}, with version {report.directory_version} "
            "of the directory")  # fmt: skip
    sources = ", ".join(report.sources)
    add_row(facts, "recorded", f"{admission.admitted:,} indicators from {sources}; {admission.rejected:,} not read")
    _print_block(facts)
    out.print()
    states = sum(any(change.altered for change in changes) for changes in summary.states.values())
    if summary.altered:
        text = (
            f"The amendment would change the result of {summary.altered:,} of {summary.items:,} indicators, "
            f"for {states} of {len(summary.states)} States considered."
        )
    else:
        text = f"Nothing would change: the results of all {summary.items:,} indicators are the same for every State."
    _print_block(text, style="bold")
    if report.failed_rules:
        failed = ", ".join(report.failed_rules)
        _print_block(f"The evaluation of these rules failed for some indicators: {failed}.", style="bold")


def _print_pack_differences(report: RehearsalReport) -> None:
    if report.before.sha256 == report.after.sha256:
        _print_block("The candidate is the current law: their hashes are the same.")
    if not report.edits and not report.other_differences:
        return
    _print_title("How the packs differ on that day")
    table = make_table(unwrapped_column("rule"), "difference")
    for edit in report.edits:
        add_row(table, edit.id, ", ".join(edit.changes))
    for name in report.other_differences:
        add_row(table, f"({name})", "differs; not a rule")
    _print_block(table)


def _print_outcome_matrix(summary: RehearsalSummary) -> None:
    _print_title("By outcome (indicators, each counted under its most permissive outcome)")
    outcomes = [outcome for outcome in Outcome if any(outcome in pair for pair in summary.outcomes)]
    table = make_table(unwrapped_column("now / amended"), *(_make_number_column(str(outcome)) for outcome in outcomes))
    for before in outcomes:
        row = [summary.outcomes.get((before, after), 0) for after in outcomes]
        if any(row):
            add_row(table, before, *(f"{count:,}" if count else "-" for count in row))
    _print_block(table)


def _print_states(summary: RehearsalSummary) -> None:
    _print_title("By State")
    table = make_table(
        unwrapped_column("State"),
        "",
        unwrapped_column("now"),
        unwrapped_column("amended"),
        _make_number_column("indicators"),
    )
    unaltered = 0
    for state, changes in sorted(summary.states.items()):
        altered = [(change, tally) for change, tally in sort_changes(changes) if change.altered]
        unaltered += not altered
        for number, (change, tally) in enumerate(altered):
            names = (state, country_name(state)) if number == 0 else ("", "")
            add_row(table, *names, change.before, _describe_after(change), f"{tally.count:,}")
    _print_block(table)
    if unaltered:
        _print_block(f"Nothing changes for {unaltered} other State{'s' if unaltered > 1 else ''}.", indent=2)


def _print_rules(report: RehearsalReport) -> None:
    edited = {edit.id for edit in report.edits}
    rows = [
        (name, tally)
        for name, tally in sorted(report.summary.rules.items())
        if name in edited or tally.added.count or tally.removed.count
    ]
    if rows:
        _print_title("By rule (how often it decides, counted once per indicator and State)")
        table = make_table(
            unwrapped_column("rule"),
            *map(_make_number_column, ("now", "amended", "newly decides", "no longer decides")),
        )
        for name, tally in rows:
            counts = (tally.before, tally.after, tally.added.count, tally.removed.count)
            add_row(table, name, *(f"{count:,}" for count in counts))
        _print_block(table)


def _print_terms(summary: RehearsalSummary) -> None:
    if summary.terms:
        _print_title("Conditions, approvers and other terms (counted once per indicator and State)")
        table = make_table("term", "now", "amended", _make_number_column("count"))
        for change, tally in sorted(summary.terms.items()):
            term = f"{change.aspect} {change.name}".rstrip()
            add_row(table, term, change.before or "-", change.after or "-", f"{tally.count:,}")
        _print_block(table)


def _print_examples(summary: RehearsalSummary) -> None:
    examples: list[tuple[str, ChangeTally]] = [
        (f"{state}: {change.before} to {_describe_after(change)}", tally)
        for state, changes in sorted(summary.states.items())
        for change, tally in sort_changes(changes)
        if change.altered
    ]
    for name, rule in sorted(summary.rules.items()):
        examples += [(f"{name} newly decides", rule.added), (f"{name} no longer decides", rule.removed)]
    examples = [(text, tally) for text, tally in examples if tally.examples]
    if examples:
        _print_title("Examples (ids of indicators)")
        table = Table.grid(Column(overflow="fold"), unwrapped_column("id"), padding=(0, 2, 0, 0))
        for text, tally in examples:
            for number, identity in enumerate(tally.examples):
                add_row(table, text if number == 0 else "", identity)
        _print_block(table)


def _print_authorities(report: RehearsalReport) -> None:
    """Print for which States authorities were supplied, and which could not be tested because they have none."""
    untested = sorted(report.summary.untested.items())
    if not report.supplied and not untested:
        return
    _print_title("Receiving authorities")
    if report.supplied:
        _print_block(
            "Not in the directory, and tested with supplied authorities, of which one of the sender's own kind "
            f"receives: {', '.join(report.supplied)}. In operation they receive nothing before they announce one.",
            indent=2,
        )
    if untested:
        _print_block(
            "Not tested, because no authority is competent or known: nothing leaves, whatever the law says.", indent=2
        )
        table = make_table(unwrapped_column("State"), "", _make_number_column("indicators"))
        for state, tally in untested:
            add_row(table, state, country_name(state), f"{tally.count:,}")
        _print_block(table)


def _print_title(text: str) -> None:
    out.print()
    _print_block(text, style="bold")


def _print_block(content: RenderableType, *, indent: int = 0, style: str = "") -> None:
    """Print something within the width of the report. Markup in a text is not interpreted."""
    block = Text(to_printable(content), style=style) if isinstance(content, str) else content
    out.print(Padding(block, (0, 0, 0, indent), expand=False), width=min(out.width, WIDTH))


def _make_number_column(name: str) -> Column:
    return Column(name, justify="right", no_wrap=True)


def _describe_after(change: OutcomeChange) -> str:
    return f"{change.after}, on other terms" if change.before == change.after else change.after
