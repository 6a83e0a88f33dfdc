"""The report of a rehearsal: a document for programs, and pages that a ministry can print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from sharing.cli.console import add_row, make_table, out, printable, whole
from sharing.law.pack import Pack
from sharing.law.rehearse import Difference, RuleEdit, Shift, ShiftTally
from sharing.model.countries import country_name
from sharing.model.times import format_time
from sharing.model.vocabulary import Outcome
from sharing.replay.admission import AdmissionStats

WIDTH = 96
"""Columns of the printed report, whatever the terminal."""

DISCLAIMER = (
    "Packs are illustrations for each State's own lawyers to correct; this is not legal advice. It tells what would "
    "become of what was recorded, as of one instant; other items may fare otherwise."
)


@dataclass(frozen=True, slots=True)
class RehearsalReport:
    """A rehearsal that is done. `edits` and `besides` tell how the packs differ, whatever was rehearsed."""

    sources: tuple[str, ...]
    intake: AdmissionStats
    at_ms: int
    directory_version: int
    before: Pack
    after: Pack
    edits: list[RuleEdit]
    besides: list[str]
    difference: Difference
    failed_rules: list[str]


def document(report: RehearsalReport) -> dict[str, Any]:
    """Return the report for a program."""
    found = report.difference
    return {
        "state": report.before.state,
        "at": format_time(report.at_ms),
        "directory_version": report.directory_version,
        "now": _reference(report.before),
        "candidate": _reference(report.after),
        "sources": list(report.sources),
        "read": report.intake.read,
        "not_read": report.intake.unread,
        "told": [entry._asdict() for entry in report.intake.told],
        "altered": found.altered,
        "packs": {
            "rules": [{"id": edit.id, "what": list(edit.what)} for edit in report.edits],
            "besides": report.besides,
        },
        "outcomes": [
            {"now": str(now), "then": str(then), "indicators": count}
            for (now, then), count in sorted(found.outcomes.items(), key=lambda entry: tuple(map(_rank, entry[0])))
        ],
        "states": {
            state: [
                {"now": shift.before, "then": shift.after, "altered": shift.altered, **_tally("indicators", tally)}
                for shift, tally in _sorted_shifts(shifts)
            ]
            for state, shifts in sorted(found.states.items())
        },
        "rules": {
            name: {
                "now": tally.before,
                "then": tally.after,
                "comes": _tally("times", tally.comes),
                "ceases": _tally("times", tally.ceases),
            }
            for name, tally in sorted(found.rules.items())
        },
        "terms": [
            {
                "aspect": str(change.aspect),
                "name": change.name,
                "now": change.before,
                "then": change.after,
                **_tally("times", tally),
            }
            for change, tally in sorted(found.terms.items())
        ],
        "failed_rules": report.failed_rules,
        "disclaimer": DISCLAIMER,
    }


def show(report: RehearsalReport) -> None:
    """Print the report."""
    _head(report)
    _edits(report)
    found = report.difference
    if found.altered:
        _print_matrix(found)
        _print_states(found)
        _print_rules(report)
        _print_terms(found)
        _print_examples(found)
    out.print()
    _put(DISCLAIMER)


def _head(report: RehearsalReport) -> None:
    found, intake = report.difference, report.intake
    _put(f"Rehearsal of an amendment: {country_name(report.before.state)}", style="bold")
    out.print()
    facts = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2, 0, 0))
    for name, pack in (("law now", report.before), ("candidate", report.after)):
        add_row(facts, name, f"{pack.code} {pack.version}, {pack.title}")
        add_row(facts, "", f"sha256 {pack.sha256}")
    add_row(facts, "decided", f"as of {format_time(report.at_ms)}, with version {report.directory_version} "
            "of the directory")  # fmt: skip
    add_row(facts, "recorded", f"{intake.read:,} indicators of {', '.join(report.sources)}; {intake.unread:,} not read")
    _put(facts)
    out.print()
    states = sum(any(shift.altered for shift in shifts) for shifts in found.states.values())
    if found.altered:
        text = (
            f"Something would change: for {found.altered:,} of {found.items:,} indicators, and for {states} of "
            f"{len(found.states)} States considered."
        )
    else:
        text = f"Nothing would change: of {found.items:,} indicators, each State gets the same, on the same terms."
    _put(text, style="bold")
    if report.failed_rules:
        _put(f"Could not be evaluated on some, and withheld there: {', '.join(report.failed_rules)}.", style="bold")


def _edits(report: RehearsalReport) -> None:
    if report.before.sha256 == report.after.sha256:
        _put("The candidate is the law that applies now: their hashes are the same.")
    if not report.edits and not report.besides:
        return
    _title("How the packs differ on that day")
    table = make_table(whole("rule"), "what")
    for edit in report.edits:
        add_row(table, edit.id, ", ".join(edit.what))
    for name in report.besides:
        add_row(table, f"({name})", "not a rule, and differs")
    _put(table)


def _print_matrix(found: Difference) -> None:
    _title("Outcome by outcome (indicators, each under the most open outcome that it has)")
    outcomes = [one for one in Outcome if any(one in pair for pair in found.outcomes)]
    table = make_table(whole("now, then:"), *(Column(str(one), justify="right", no_wrap=True) for one in outcomes))
    for now in outcomes:
        row = [found.outcomes.get((now, then), 0) for then in outcomes]
        if any(row):
            add_row(table, now, *(f"{count:,}" if count else "-" for count in row))
    _put(table)


def _print_states(found: Difference) -> None:
    _title("State by State")
    table = make_table(whole("State"), "", whole("now"), whole("then"), _figures("indicators"))
    same = 0
    for state, shifts in sorted(found.states.items()):
        altered = [(shift, tally) for shift, tally in _sorted_shifts(shifts) if shift.altered]
        same += not altered
        for number, (shift, tally) in enumerate(altered):
            first = (state, country_name(state)) if number == 0 else ("", "")
            add_row(table, *first, shift.before, _then(shift), f"{tally.count:,}")
    _put(table)
    if same:
        _put(
            f"For {same} other State{'s' if same > 1 else ''} that they are considered for, nothing changes.", indent=2
        )


def _print_rules(report: RehearsalReport) -> None:
    edited = {edit.id for edit in report.edits}
    rows = [
        (name, tally)
        for name, tally in sorted(report.difference.rules.items())
        if name in edited or tally.comes.count or tally.ceases.count
    ]
    if rows:
        _title("Rule by rule (how often it makes an outcome: once for an indicator and a State)")
        table = make_table(whole("rule"), *map(_figures, ("now", "then", "comes to", "ceases to")))
        for name, tally in rows:
            figures = (tally.before, tally.after, tally.comes.count, tally.ceases.count)
            add_row(table, name, *(f"{figure:,}" for figure in figures))
        _put(table)


def _print_terms(found: Difference) -> None:
    if found.terms:
        _title("Conditions, approvers and other terms (once for an indicator and a State)")
        table = make_table("what", "now", "then", _figures("times"))
        for change, tally in sorted(found.terms.items()):
            what = f"{change.aspect} {change.name}".rstrip()
            add_row(table, what, change.before or "-", change.after or "-", f"{tally.count:,}")
        _put(table)


def _print_examples(found: Difference) -> None:
    told: list[tuple[str, ShiftTally]] = [
        (f"{state}: {shift.before} to {_then(shift)}", tally)
        for state, shifts in sorted(found.states.items())
        for shift, tally in _sorted_shifts(shifts)
        if shift.altered
    ]
    for name, rule in sorted(found.rules.items()):
        told += [(f"{name} comes to decide", rule.comes), (f"{name} ceases to decide", rule.ceases)]
    told = [(text, tally) for text, tally in told if tally.examples]
    if told:
        _title("Examples (ids of indicators)")
        table = Table.grid(Column(overflow="fold"), whole("id"), padding=(0, 2, 0, 0))
        for text, tally in told:
            for number, identity in enumerate(tally.examples):
                add_row(table, text if number == 0 else "", identity)
        _put(table)


def _title(text: str) -> None:
    out.print()
    _put(text, style="bold")


def _put(what: RenderableType, *, indent: int = 0, style: str = "") -> None:
    """Print on the width of the report; a text as it is, without markup."""
    shown = Text(printable(what), style=style) if isinstance(what, str) else what
    out.print(Padding(shown, (0, 0, 0, indent), expand=False), width=min(out.width, WIDTH))


def _figures(name: str) -> Column:
    return Column(name, justify="right", no_wrap=True)


def _then(shift: Shift) -> str:
    return f"{shift.after}, on other terms" if shift.before == shift.after else shift.after


def _sorted_shifts(shifts: dict[Shift, ShiftTally]) -> list[tuple[Shift, ShiftTally]]:
    return sorted(shifts.items(), key=lambda entry: (_rank(entry[0].before), _rank(entry[0].after), entry[0].altered))


def _rank(outcome: str) -> int:
    """Return an outcome's place, from the most open to the most closed; not considered comes last."""
    names = list(map(str, Outcome))
    return names.index(str(outcome)) if outcome in names else len(names)


def _reference(pack: Pack) -> dict[str, str]:
    return {"code": pack.code, "version": pack.version, "sha256": pack.sha256, "title": pack.title}


def _tally(name: str, tally: ShiftTally) -> dict[str, Any]:
    return {name: tally.count, "examples": tally.examples}
