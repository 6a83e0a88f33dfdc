"""Signs and writes rulings for commands, and prints what the State's worker makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

import typer

from sharing.cli.shared.console import err, print_json, print_line
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.officer_desk import OfficerDesk
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import describe_act
from sharing.console.ruling_bus import open_ruling_bus
from sharing.console.ruling_submission import AnyAct, RulingOutcome, RulingSigner
from sharing.console.ruling_submission import submit_ruling as submit_to_bus
from sharing.model.times import format_time
from sharing.rulings.act import Act

WAIT_SECONDS: Final = 10.0

TextOption = Annotated[
    str, typer.Option("--text", help="Your reasons, for the file. They stay in the State; do not name anyone.")
]
WaitOption = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", min=0.0, max=3600.0, help="How long to wait until the worker has acted."),
]


def submit_ruling(
    console: ConsoleConnection,
    desk: OfficerDesk,
    act: AnyAct,
    items: Mapping[int, str],
    text: str,
    wait_seconds: float,
) -> RulingOutcome:
    """Sign a ruling, write a copy to each partition, and wait for what the worker does.

    Args:
        console: The connection.
        desk: The officer.
        act: What is ruled.
        items: For each partition, an item that the ruling is about.
        text: The officer's words, for the file.
        wait_seconds: How long to wait.

    Raises:
        InputError: The ruling is not one that can be signed.
        InfrastructureError: The broker does not confirm it, or what the worker does cannot be read.
    """
    signer = RulingSigner(desk.id, desk.key)
    return submit_to_bus(open_ruling_bus(console), signer, act, items, text, wait_seconds, read_clock())


def describe_outcome(outcome: RulingOutcome) -> dict[str, Any]:
    """Return what became of a ruling as JSON."""
    return {
        "ruling": outcome.digest,
        "written": [{"partition": number, "offset": offset} for number, offset in sorted(outcome.written.items())],
        "acts": [describe_for_scripts(act) for _, act in outcome.acts],
        "refused": [reason for _, reason in outcome.refusals],
        "waiting_for": sorted(outcome.silent),
    }


def describe_for_scripts(act: Act) -> dict[str, Any]:
    """Return an act as JSON: its fields that are not empty, with instants in RFC 3339 form; without keys."""
    record = replace(act, ruling_key=None).to_record()
    record |= {"at": format_time(act.at), "answers": [
        {"by": given.by, "answer": given.answer.value, "at": format_time(given.at)} for given in act.answers
    ]}  # fmt: skip
    if act.covers_until is not None:
        record["covers_until"] = format_time(act.covers_until)
    return {name: value for name, value in record.items() if value not in (None, [], "")}


def report_outcome(outcome: RulingOutcome, *, as_json: bool) -> None:
    """Print what became of a ruling.

    Raises:
        Exit: With 1, if anything of it was refused.
    """
    if as_json:
        print_json(describe_outcome(outcome))
    else:
        for line in dict.fromkeys(describe_act(act) for _, act in outcome.acts):  # once, if on several partitions
            print_line(line)
        for _, reason in outcome.refusals:
            print_line(f"refused: {reason}")
        if outcome.silent:
            err.print(
                f"the ruling {outcome.digest[:16]} is written, and the State's worker has not acted on it yet"
                f"{_name_partitions(outcome)}; `sharing items show` says when it has"
            )
    if outcome.is_refused:
        raise typer.Exit(1)


def _name_partitions(outcome: RulingOutcome) -> str:
    if len(outcome.silent) == len(outcome.written):
        return ""
    return f" on partitions {', '.join(map(str, sorted(outcome.silent)))}"
