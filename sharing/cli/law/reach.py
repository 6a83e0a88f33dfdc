"""`sharing law explain --everyone`: which States could receive an item, and on which terms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from sharing.cli.console import out, print_json, say, say_labelled
from sharing.law.decision_context import DecisionContext
from sharing.law.reach import RecipientGroup, every_state, find_reach
from sharing.model.indicator import Indicator
from sharing.model.times import format_time


def show_reach(items: Iterable[Indicator], sitting: DecisionContext, now_ms: int, *, as_json: bool) -> None:
    """Print, for each item, the States that get the same together, from the most open to the least."""
    states = every_state(sitting.law, sitting.directory)
    for item in items:
        record = item.to_wire()
        groups = find_reach(sitting.law, record, sitting.finder.find(record), states, now_ms)
        if as_json:
            pack = sitting.law.pack.reference
            print_json({"indicator_id": item.id, "state": sitting.law.pack.state, "pack": asdict(pack),
                        "decided_at": format_time(now_ms), "groups": [asdict(group) for group in groups]})  # fmt: skip
            continue
        say(f"{item.type}, {item.form}, to each of {len(states)} States, were it considered", style="bold")
        for group in groups:
            _print_group(group)
        out.print()


def _print_group(group: RecipientGroup) -> None:
    say(f"{group.outcome}, {len(group.states)} States: {', '.join(group.states)}", indent=2)
    if group.ground:
        say_labelled("because", group.ground, indent=4)
        return
    say_labelled("basis", group.basis or "none", indent=4)
    say_labelled("taken out", ", ".join(group.redacted) or "nothing", indent=4)
    for code, text in group.conditions:
        say_labelled("condition", f"{text} [{code}]", indent=4)
    if group.approver:
        say_labelled("approver", group.approver, indent=4)
