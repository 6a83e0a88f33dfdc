"""Escalation messages: that a question is waiting, and for how long. They say nothing about its item.

A message travels over systems that are not trusted with content: mail servers, telephones, chat services. So it has the
id of the Ask, its kind, the State, the urgency, the time left and a link, and nothing else: no value, no category, no
name, not the other State.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sharing.conversation_state.escalations import Escalation, EscalationCause
from sharing.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from sharing.model.vocabulary import Urgency

LISTED_MAX: Final = 50
"""How many questions a document lists; the others are counted. Those with the least time left come first."""

ALIKE_LINES_MAX: Final = 3
"""How many similar questions its text names; the others are counted. They do not differ in anything that the text
says."""

_ID_DIGITS: Final = 32
_URGENCIES: Final = (Urgency.UNKNOWN, Urgency.ORDINARY, Urgency.URGENT, Urgency.EMERGENCY)

_CAUSE_TEXTS: Final = {
    EscalationCause.OPENED: "new",
    EscalationCause.UNANSWERED: "not answered yet",
    EscalationCause.OVERDUE: "overdue, asked again",
}


@dataclass(frozen=True, slots=True)
class EscalationMessage:
    """One message about one or more questions.

    Attributes:
        id: The same for the same questions, so that a message that arrives twice is recognised.
        subject: One line.
        body: The text.
        document: The same as JSON.
    """

    id: str
    subject: str
    body: str
    document: dict[str, Any]


def make_message(
    escalations: Sequence[Escalation], now_ms: int, link: str | None = None, unlisted: int = 0
) -> EscalationMessage:  # fmt: skip
    """Return the message about some questions: a digest if there are several.

    Args:
        escalations: At least one.
        now_ms: The time, in UTC milliseconds.
        link: Where the console shows an Ask, without its id; None for no link.
        unlisted: How many more there are.
    """
    ordered = sorted(escalations, key=lambda each: (each.expires_at, each.key))
    listed, more = ordered[:LISTED_MAX], max(0, len(ordered) - LISTED_MAX) + unlisted
    lines = _list_lines(ordered, now_ms, link)
    if unlisted:
        lines.append(f"… and {unlisted:,} more")
    message_id, first, number = _make_id(ordered), ordered[0], len(listed) + more
    what = f"{first.kind} waits" if number == 1 else f"{number:,} questions wait"
    urgent = _find_highest(ordered)
    return EscalationMessage(
        message_id,
        f"[{first.state}] {urgent}: {what}, {format_time_left(first.expires_at, now_ms)}",
        "\n".join([*lines, ""]),
        {
            "id": message_id,
            "state": first.state,
            "questions": [_to_json(each, now_ms, link) for each in listed],
            "more": more,
        },
    )


def format_time_left(expires_at: int, now_ms: int) -> str:
    """Return the time left until an instant in words, in its two largest units."""
    left = expires_at - now_ms
    if left < MINUTE_MS:
        return "less than a minute left" if left > 0 else "no time left"
    days, hours, minutes = left // DAY_MS, left % DAY_MS // HOUR_MS, left % HOUR_MS // MINUTE_MS
    parts = [(days, "d"), (hours, "h")] if days else [(hours, "h"), (minutes, "min")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) + " left"


def _list_lines(ordered: Sequence[Escalation], now_ms: int, link: str | None) -> list[str]:
    """Return the lines of a text: each kind of question in the position of its most urgent one."""
    groups: dict[tuple[str, str], list[Escalation]] = {}
    for each in ordered:
        groups.setdefault(_name_kind(each), []).append(each)
    lines = []
    for (what, state), alike in groups.items():
        lines += [_describe(each, now_ms, link) for each in alike[:ALIKE_LINES_MAX]]
        if len(alike) > ALIKE_LINES_MAX:
            lines.append(f"  … and {len(alike) - ALIKE_LINES_MAX:,} more {what}: {state}")
    return lines


def _name_kind(escalation: Escalation) -> tuple[str, str]:
    """Return what is asked, how urgently, and why people are notified."""
    asked = "" if escalation.is_own else "another State is asked, "
    return f"{escalation.urgency} {escalation.kind}", f"{asked}{_CAUSE_TEXTS[escalation.mark.cause]}"


def _describe(escalation: Escalation, now_ms: int, link: str | None) -> str:
    what, state = _name_kind(escalation)
    named = what if escalation.shown_id is None else f"{what} {escalation.shown_id}"
    line = f"{named}: {state}, {format_time_left(escalation.expires_at, now_ms)}"
    target = _make_link(escalation, link)
    return line if target is None else f"{line}\n  {target}"


def _to_json(escalation: Escalation, now_ms: int, link: str | None) -> dict[str, Any]:
    return {
        "ask": escalation.shown_id,
        "kind": escalation.kind.value,
        "urgency": escalation.urgency.value,
        "cause": escalation.mark.cause.value,
        "asks_another_state": not escalation.is_own,
        "for_superior": escalation.is_last_step,
        "seconds_left": max(0, escalation.expires_at - now_ms) // 1000,
        "link": _make_link(escalation, link),
    }


def _make_link(escalation: Escalation, link: str | None) -> str | None:
    if link is None:
        return None
    base = link.rstrip("/")
    return base if escalation.shown_id is None else f"{base}/{escalation.shown_id}"


def _make_id(escalations: Sequence[Escalation]) -> str:
    digest = hashlib.sha256(b"sharing/escalation-message/v1")
    for each in escalations:
        digest.update(hashlib.sha256(each.key.encode()).digest() + each.mark.encode())
    return digest.hexdigest()[:_ID_DIGITS]


def _find_highest(escalations: Sequence[Escalation]) -> Urgency:
    return max((each.urgency for each in escalations), key=_URGENCIES.index)
