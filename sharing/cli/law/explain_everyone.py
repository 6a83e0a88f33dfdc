"""`sharing law explain --everyone`: which States could receive an item, and on which terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from sharing.cli.shared.console import out, print_json, print_labelled, print_line
from sharing.law.decision_context import DecisionContext
from sharing.law.reach import RecipientGroup, group_recipients, list_candidate_states
from sharing.model.indicator import Indicator
from sharing.model.times import format_time


def print_reach(items: Iterable[Indicator], context: DecisionContext, now_ms: int, *, as_json: bool) -> None:
    """Print, for each item, the States in groups with the same result, the most permissive first."""
    states = list_candidate_states(context.disclosure_filter, context.directory)
    for item in items:
        record = item.to_record()
        groups = group_recipients(
            context.disclosure_filter, record, context.finder.find_audience(record), states, now_ms
        )
        if as_json:
            document = {
                "indicator_id": item.id,
                "state": context.disclosure_filter.pack.state,
                "pack": asdict(context.disclosure_filter.pack.reference),
                "decided_at": format_time(now_ms),
                "groups": [{**asdict(group.terms), "states": group.states} for group in groups],
            }
            print_json(document)
            continue
        print_line(
            f"{item.type}, {item.form}: result for each of {len(states)} States if it were considered", style="bold"
        )
        for group in groups:
            _print_group(group)
        out.print()


def _print_group(group: RecipientGroup) -> None:
    terms = group.terms
    print_line(f"{terms.outcome}, {len(group.states)} States: {', '.join(group.states)}", indent=2)
    if terms.ground:
        print_labelled("because", terms.ground, indent=4)
        return
    print_labelled("basis", terms.basis or "none", indent=4)
    print_labelled("redacted", ", ".join(terms.redacted) or "nothing", indent=4)
    for code, text in terms.conditions:
        print_labelled("condition", f"{text} [{code}]", indent=4)
    if terms.approver:
        two = f", {terms.approvals} officers" if terms.approvals > 1 else ""
        print_labelled("approver", f"{terms.approver}{two}", indent=4)
