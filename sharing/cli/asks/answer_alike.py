"""Answers Asks that are alike in as many rulings as they need, and counts what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import typer

from sharing.cli.shared.console import err, print_json, print_line
from sharing.cli.shared.officer_desk import OfficerDesk
from sharing.cli.shared.ruling_desk import submit_ruling
from sharing.console.alike import LeftOut
from sharing.console.answering import list_copies
from sharing.console.connection import ConsoleConnection
from sharing.console.conversation_words import describe_act, describe_refusal
from sharing.console.found_asks import FoundAsk, make_references
from sharing.console.ruling_submission import RulingOutcome
from sharing.errors import InfrastructureError
from sharing.rulings.act import ActKind
from sharing.rulings.ruling import ASKS_MAX, Answering

_ANSWERED = frozenset({ActKind.ASK_ENDED, ActKind.ASK_CHANGED, ActKind.REPLIED})


@dataclass(slots=True)
class AlikeOutcome:
    """What became of the answer to Asks that are alike.

    Attributes:
        rulings: The rulings that were written.
        answered: Ids of the Asks on which the worker has acted.
        waiting: Ids of those on which the worker has not acted yet.
        left_out: The Asks that the answer does not fit, or that the worker has refused, with the reason.
    """

    left_out: list[LeftOut]
    rulings: list[RulingOutcome] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "rulings": [outcome.digest for outcome in self.rulings],
            "answered": self.answered,
            "waiting_for": self.waiting,
            "not_answered": [each._asdict() for each in self.left_out],
            "covers_later": self.covers_later,
        }

    @property
    def covers_later(self) -> bool:
        """Whether the worker has said that similar later Asks are answered, too."""
        return any(act.kind is ActKind.COVER_BEGUN for ruling in self.rulings for _, act in ruling.acts)


def submit_alike(
    console: ConsoleConnection,
    desk: OfficerDesk,
    act: Answering,
    asks: Sequence[FoundAsk],
    left_out: list[LeftOut],
    text: str,
    wait_seconds: float,
) -> AlikeOutcome:
    """Answer Asks by rulings of at most 200, one after the other. The first one covers later Asks, if any does.

    Args:
        console: The connection.
        desk: The officer.
        act: The answer to one of them.
        asks: The Asks, ordered by partition.
        left_out: The similar Asks that the answer does not fit.
        text: The officer's words, for the file.
        wait_seconds: How long to wait for what the worker does with a ruling. If it does nothing with one, the next
            ones are only written.

    Raises:
        InputError: The ruling is not one that can be signed.
        InfrastructureError: The broker does not confirm a ruling. Those before it are written; that is said.
    """
    outcome = AlikeOutcome(left_out)
    for place, chunk in enumerate(_split(asks)):
        until = None if place else act.covers_until
        part = Answering(**{**dict(act), "asks": make_references(chunk), "covers_until": until})
        try:
            ruled = submit_ruling(console, desk, part, list_copies(console, part, chunk), text, wait_seconds)
        except InfrastructureError:
            done = len(outcome.answered) + len(outcome.waiting)
            err.print(
                f"{done} of {len(asks)} questions are in rulings that were written; run the command again for the rest"
            )
            raise
        outcome.rulings.append(ruled)
        _count(outcome, chunk, ruled)
        wait_seconds = 0.0 if ruled.silent else wait_seconds
    return outcome


def report_alike(outcome: AlikeOutcome, *, as_json: bool) -> None:
    """Print how many Asks were answered, how many wait for the worker, and which were not answered and why.

    Raises:
        Exit: With 1, if any was not answered.
    """
    if as_json:
        print_json(outcome.to_json())
    else:
        every = len(outcome.answered) + len(outcome.waiting) + len(outcome.left_out)
        rulings = "1 ruling" if len(outcome.rulings) == 1 else f"{len(outcome.rulings)} rulings"
        print_line(f"answered {len(outcome.answered)} of {every} similar questions, by {rulings}")
        begun = [act for ruling in outcome.rulings for _, act in ruling.acts if act.kind is ActKind.COVER_BEGUN]
        for line in dict.fromkeys(map(describe_act, begun)):
            print_line(line)
        for left_out in outcome.left_out:
            print_line(f"not answered: {left_out.ask}: {left_out.reason}")
        if outcome.waiting:
            err.print(
                f"{len(outcome.waiting)} questions are in rulings that are written, and the State's worker has not "
                "acted on them yet; `sharing asks list` shows those that are left"
            )
    if outcome.left_out:
        raise typer.Exit(1)


def _split(asks: Sequence[FoundAsk]) -> Iterator[Sequence[FoundAsk]]:
    for start in range(0, len(asks), ASKS_MAX):
        yield asks[start : start + ASKS_MAX]


def _count(outcome: AlikeOutcome, asks: Sequence[FoundAsk], ruled: RulingOutcome) -> None:
    """Note what became of each Ask of a ruling."""
    acted = {act.ask for _, act in ruled.acts if act.kind in _ANSWERED}
    refused = {act.ask: act.reason for _, act in ruled.acts if act.kind is ActKind.RULING_REFUSED}
    quarantined = dict(ruled.refusals)
    for found in asks:
        ask_id, reason = found.ask.id, refused.get(found.ask.id)
        if reason is not None:
            outcome.left_out.append(LeftOut(ask_id, describe_refusal(reason)))
        elif ask_id in acted:
            outcome.answered.append(ask_id)
        elif found.partition in quarantined:
            outcome.left_out.append(LeftOut(ask_id, quarantined[found.partition]))
        else:
            outcome.waiting.append(ask_id)
