"""The option by which an answer covers later Asks."""

from __future__ import annotations

from sharing.cli.shared.instants import parse_instant
from sharing.console.answer_checks import AnswerParts
from sharing.console.answering import require_coverable
from sharing.console.found_asks import FoundAsk


def parse_later(found: FoundAsk, text: str, parts: AnswerParts, now: int) -> int:
    """Return until when similar later Asks are answered, too, in UTC milliseconds.

    Args:
        found: An Ask that is answered.
        text: The time that the user gives.
        parts: The answer.
        now: The time in UTC milliseconds.

    Raises:
        InputError: Such Asks, or this answer, must be looked at each time; or the time is none, over or too far ahead.
    """
    return require_coverable(found, parse_instant(text, "--later-until"), parts, now)
