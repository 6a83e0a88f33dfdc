"""Answers that cover Asks which are put later: what the command refuses, and where the ruling is written."""

from __future__ import annotations

from collections.abc import Sequence

from sharing.cli.shared.instants import parse_instant
from sharing.console.answer_checks import AnswerParts
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk, list_partitions
from sharing.conversation.covering import COVER_DAYS_MAX
from sharing.errors import InputError
from sharing.model.times import DAY_MS
from sharing.ruling_submission import list_every_partition
from sharing.rulings.ruling import Answering
from sharing.rulings.vocabulary import RefusalGround


def parse_later(found: FoundAsk, text: str, parts: AnswerParts, now: int) -> int:
    """Return until when alike Asks that are put later are answered, too, in UTC milliseconds.

    Args:
        found: An Ask that is answered.
        text: The time that the user gives.
        parts: The answer.
        now: The time in UTC milliseconds.

    Raises:
        InputError: Such Asks, or this answer, must be looked at each time; or the time is over or too far ahead.
    """
    until = parse_instant(text, "--later-until")
    if not now < until <= now + COVER_DAYS_MAX * DAY_MS:
        raise InputError(f"--later-until must be a time in the future, at most {COVER_DAYS_MAX} days ahead")
    if not found.ask.row.can_be_covered:
        raise InputError(
            f"--later-until: each Ask of the kind {found.ask.kind} is answered by itself; leave the option out"
        )
    if RefusalGround.HUMAN_RIGHTS in parts.grounds:
        raise InputError(
            "--later-until: whether a human right stands against an item is looked at for each; leave the option out"
        )
    return until


def list_copies(console: ConsoleConnection, act: Answering, asks: Sequence[FoundAsk]) -> dict[int, str]:
    """Return the partitions to which an answer is written: of its Asks; if it covers later ones, all.

    Args:
        console: The connection.
        act: The answer.
        asks: The Asks that it names.

    Raises:
        InfrastructureError: No broker answers, or the topic does not exist.
    """
    if act.covers_until is None:
        return list_partitions(asks)
    return list_every_partition(console.open_ruling_bus(), asks[0].item) | list_partitions(asks)
