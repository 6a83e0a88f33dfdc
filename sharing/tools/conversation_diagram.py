"""Draws the two state machines of the conversation, and the table of kinds, from the code, into a page.

    python -m sharing.tools.conversation_diagram docs/conversation.md

What leads from one status to another is found by trying: every sequence of a few events is given to `advance`, and each
change of a status that is seen becomes an arrow. So the page shows what the code does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from sharing.conversation.asks import Ask, Officer, Publisher
from sharing.conversation.deliveries import Conversation, find_pending_end
from sharing.conversation.events import Decided, Event, RecallOrdered, Replied, Ruled, TimePassed
from sharing.conversation.kinds import KINDS
from sharing.conversation.provider import advance
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import Answer, AskKind, Consequence
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import Outcome, Urgency
from sharing.tools.script import insert_between, parse_paths, run_script

BEGIN: Final = "<!-- begin: made by `make diagram` -->"
END: Final = "<!-- end of what is made -->"

DEPTH: Final = 4
"""How many events the longest sequences have. Another one finds no further arrow, as a test shows."""

_ROLE: Final = "APPROVER"
_PROVIDER, _RECIPIENT = "CH", "DE"
_PUBLISHER: Final = Publisher("agency", "publisher")
_OFFICER: Final = Officer("officer", "office", frozenset({_ROLE}))
_START: Final = DAY_MS
_NEW: Final = "[*]"
_DECIDED, _SILENCE, _STRICTER = "decided", "silence on", ", but the law is stricter"
_UNDECIDED: Final = "SUPPLIED, but no decision within a day"
_URGENCIES: Final = (Urgency.ORDINARY, Urgency.URGENT, Urgency.EMERGENCY)

_CONDITION: Final = frozenset({"condition"})
_WITHHELD: Final = Terms(_RECIPIENT, Outcome.WITHHOLD)
_TERMS: Final = (
    Terms(_RECIPIENT, Outcome.DISCLOSE),
    Terms(_RECIPIENT, Outcome.OFFER, _CONDITION, optional=_CONDITION, accept_first=True),
    Terms(_RECIPIENT, Outcome.HOLD, approver=_ROLE),
    _WITHHELD,
    Terms(_RECIPIENT, Outcome.WITHHOLD, missing=frozenset({"live_case_harm"})),
)
"""What the law may say about an item."""

Arrow = tuple[str, str, str]
"""Status before and after, and what leads from one to the other."""


class Arrows(NamedTuple):
    """What leads from one status to another.

    Attributes:
        deliveries: Between the statuses of deliveries.
        asks: Between those of Asks.
        openings: For each kind of Ask, what opens one.
    """

    deliveries: set[Arrow]
    asks: set[Arrow]
    openings: dict[AskKind, set[str]]


def find_arrows(depth: int = DEPTH) -> Arrows:
    """Return all arrows.

    Args:
        depth: How many events the longest sequences have.
    """
    arrows = Arrows(set(), set(), {kind: set() for kind in KINDS})
    seen: set[str] = set()
    reached = [_Reached(Conversation("00000000-0000-4000-8000-000000000001", _PROVIDER), _TERMS[0], _START)]
    for _ in range(depth):
        next_reached: list[_Reached] = []
        for before in reached:
            for label, event, law, now in _list_events(before):
                after, _ = advance(before.conversation, event, now, lambda _, law=law: law)  # type: ignore[misc]
                _note_arrows(arrows, before.conversation, after, label)
                if (key := repr(after)) not in seen:
                    seen.add(key)
                    next_reached.append(_Reached(after, law, now))
        reached = next_reached
    return arrows


def render_diagrams() -> str:
    """Return the diagrams and the table as Markdown."""
    arrows = find_arrows()
    parts = (
        "The delivery of a revision of an item to a State:",
        _render_diagram(arrows.deliveries),
        "An Ask:",
        _render_diagram(arrows.asks),
        "The kinds of Asks:",
        "\n".join(_render_kinds(arrows.openings)),
    )
    return "\n\n".join(parts)


def insert_diagrams(page: str) -> str:
    """Return the page with the diagrams between its markers.

    Raises:
        InputError: The page does not contain both markers.
    """
    return insert_between(page, BEGIN, END, render_diagrams())


class _Reached(NamedTuple):
    """A state that a sequence of events has led to, the law that was decided last, and the time."""

    conversation: Conversation
    law: Terms
    now: int


def _list_events(before: _Reached) -> Iterator[tuple[str, Event, Terms, int]]:
    """Yield what may happen next, each with the law in force then and the time."""
    conversation, law, now = before.conversation, before.law, before.now + 1
    version = conversation.revision.version + 1
    for terms in _TERMS:
        decided = Decided(
            Revision(version), _PUBLISHER, Urgency.ORDINARY, (terms,), is_sent=version == 1, indicator="indicator"
        )
        yield f"{_DECIDED} {_describe(terms)}", decided, terms, now
        if terms.outcome is Outcome.DISCLOSE:
            emergency = replace(decided, urgency=Urgency.EMERGENCY)
            yield f"{_DECIDED} {_describe(terms)}, an emergency", emergency, terms, now
    if version == 1:
        return
    withdrawn = Decided(Revision(version), _PUBLISHER, Urgency.ORDINARY, None, is_sent=False, indicator="indicator")
    yield "withdrawn", withdrawn, law, now
    yield "recalled by an officer", RecallOrdered(_OFFICER, roles=frozenset({_ROLE})), law, now
    pending = find_pending_end(conversation)
    closings = [ask.closes_at for ask in conversation.asks.values() if ask.is_open]
    if pending is not None and all(pending < closes_at for closes_at in closings):  # otherwise another end comes first
        yield _UNDECIDED, TimePassed(), law, pending
    for ask in conversation.asks.values():
        if not ask.is_open:
            continue
        if pending is None or ask.closes_at < pending:
            yield f"{_SILENCE} {ask.kind}", TimePassed(), law, ask.closes_at
        for answer, consequence in ask.row.answers.items():
            event = _answer(ask, answer, now)
            yield f"{answer}", event, law, now
            if consequence is Consequence.RELEASE:
                yield f"{answer}{_STRICTER}", event, _WITHHELD, now


def _answer(ask: Ask, answer: Answer, now: int) -> Ruled | Replied:
    if ask.row.asks_recipient:
        return Replied(ask.id, ask.state, answer, now)
    facts = ask.facts if answer is Answer.SUPPLIED else frozenset()
    return Ruled(ask.id, _OFFICER, answer, now, facts, nonce=ask.nonce)


def _describe(terms: Terms) -> str:
    return f"{terms.outcome}, facts missing" if terms.missing else str(terms.outcome)


def _note_arrows(arrows: Arrows, before: Conversation, after: Conversation, label: str) -> None:
    """Add what has changed. What is forgotten is in no arrow."""
    for key, delivery in after.deliveries.items():
        earlier = before.deliveries.get(key)
        if earlier is None:
            arrows.deliveries.add((_NEW, str(delivery.status), label))
        elif earlier.status is not delivery.status:
            arrows.deliveries.add((str(earlier.status), str(delivery.status), _shorten(label)))
    for ask_id, ask in after.asks.items():
        known = before.asks.get(ask_id)
        if known is None:
            arrows.asks.add((_NEW, str(ask.status), ""))
            arrows.openings[ask.kind].add(label)
        elif known.status is not ask.status:
            arrows.asks.add((str(known.status), str(ask.status), _shorten(label)))


def _shorten(label: str) -> str:
    """Return what has happened to something that was there before: not what was decided, but that it was."""
    if label.startswith(_DECIDED):
        return "decided again"
    return "silence" if label.startswith(_SILENCE) else label.removesuffix(_STRICTER)


def _render_diagram(arrows: set[Arrow]) -> str:
    labels: dict[tuple[str, str], set[str]] = {}
    for before, after, label in arrows:
        labels.setdefault((before, after), set()).add(label)
    lines = [
        f"    {before} --> {after}{': ' if any(names) else ''}{'<br/>'.join(sorted(names))}"
        for (before, after), names in sorted(labels.items())
    ]
    return "\n".join(("```mermaid", "stateDiagram-v2", *lines, "```"))


def _render_kinds(openings: Mapping[AskKind, set[str]]) -> Iterator[str]:
    yield "| kind | asked is | opened by | answers, and what each does | silence | lasts: ordinary, urgent, emergency |"
    yield "|---|---|---|---|---|---|"
    for kind, row in KINDS.items():
        asked = "the receiving State" if row.asks_recipient else "the providing State"
        asked += ", four eyes" if row.four_eyes else ""
        answers = "; ".join(f"`{answer}`: {consequence}" for answer, consequence in row.answers.items())
        lasts = ", ".join(_describe_time(row.lasts[urgency]) for urgency in _URGENCIES)
        silence = str(row.silence)
        if row.asks_recipient and row.silence is Consequence.REPEAT:
            silence += ", unless that State has left"
        yield f"| `{kind}` | {asked} | {'; '.join(sorted(openings[kind]))} | {answers} | {silence} | {lasts} |"


def _describe_time(milliseconds: int) -> str:
    return f"{milliseconds // DAY_MS} d" if milliseconds >= DAY_MS else f"{milliseconds // HOUR_MS} h"


def main(arguments: list[str]) -> int:
    """Write the diagrams into the page given as the only argument. Return the exit code."""
    (page,) = parse_paths("sharing.tools.conversation_diagram", arguments, "PAGE.md")
    return run_script(lambda: _write_page(page))


def _write_page(path: Path) -> None:
    path.write_text(insert_diagrams(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
