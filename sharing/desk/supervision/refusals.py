"""What people refused, and on which grounds: from the acts, which are the audit log.

The worker writes the grounds of a ruling there once it has verified it and acted on it. The officer's words, which are
sealed in the ruling, are not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from sharing.audit.transfers import format_month
from sharing.console.connection import ConsoleConnection
from sharing.console.transfers import read_log
from sharing.conversation.vocabulary import Answer, AskStatus
from sharing.model.times import from_milliseconds
from sharing.rulings.act import Act, ActKind
from sharing.topology.topics import ACTS

REFUSING: Final = frozenset({Answer.REFUSED, Answer.CANNOT_COMPLY, Answer.DECLINED, Answer.WITHDRAW, Answer.NOT_KNOWN})
"""Answers after which an item is not provided, or not taken, as it was asked."""

SHOWN_MAX: Final = 500
NO_GROUND: Final = "not stated"
REFUSAL_COLUMNS: Final = ("month", "asked", "state", "kind", "answer", "grounds", "count")


@dataclass(frozen=True, slots=True)
class GivenGrounds:
    """The grounds that a ruling names.

    Attributes:
        grounds: The grounds, as codes.
        own_rule: Id of the rule of one's own law; None if none is named, or the pack has no such rule.
    """

    grounds: tuple[str, ...] = ()
    own_rule: str | None = None

    def format(self) -> str:
        """Return the grounds as text: codes, and the rule for that of one's own law."""
        named = [f"{code}: {self.own_rule}" if code == "OWN_LAW" and self.own_rule else code for code in self.grounds]
        return ", ".join(named) or NO_GROUND


@dataclass(frozen=True, slots=True)
class RefusalEntry:
    """One refusal.

    Attributes:
        at: When, in UTC milliseconds.
        item: Id of the item.
        provider: The State that provides it.
        ask: Id of the Ask; None for a ruling that changed nothing.
        asked: The State whose people were asked.
        kind: What was asked, as a code; "" for a ruling that changed nothing.
        states: The receiving States.
        answer: The answer; for a ruling that changed nothing, why, as a code.
        by: Id of the officer, or code of another State.
        grounds: The grounds.
        is_void: Whether it is a ruling that changed nothing.
    """

    at: int
    item: str
    provider: str
    ask: str | None
    asked: str
    kind: str
    states: tuple[str, ...]
    answer: str
    by: str
    grounds: GivenGrounds
    is_void: bool = False


class RefusalRow(NamedTuple):
    """What is counted together: no item and no person.

    Attributes:
        month: Year and month, in UTC.
        asked: The State whose people refused.
        state: The receiving States.
        kind: What was asked.
        answer: The answer.
        grounds: The grounds.
    """

    month: str
    asked: str
    state: str
    kind: str
    answer: str
    grounds: str


@dataclass(frozen=True, slots=True)
class RefusalView:
    """What was refused.

    Attributes:
        counts: How often, by row.
        newest: The last refusals, the newest first.
        void: How many rulings changed nothing, by the reason.
    """

    counts: Mapping[RefusalRow, int]
    newest: tuple[RefusalEntry, ...]
    void: Mapping[str, int]

    def list_cells(self) -> list[tuple[str | int, ...]]:
        """Return the cells of a table, in the order of `REFUSAL_COLUMNS`."""
        return [(*row, count) for row, count in sorted(self.counts.items())]


def read_refusals(console: ConsoleConnection) -> RefusalView:
    """Return what was refused, as far back as the audit log goes.

    Raises:
        DecodeError: A record of the log cannot be read: the counts would not be complete.
        InfrastructureError: No broker answers, or a topic cannot be read.
    """
    return view_refusals((Act.from_record(fields) for fields in read_log(console, ACTS, None, None)), console.state)


def view_refusals(acts: Iterable[Act], state: str) -> RefusalView:
    """Return what was refused.

    Args:
        acts: The acts, oldest first within each partition.
        state: The State of the desk.
    """
    counts: Counter[RefusalRow] = Counter()
    void: Counter[str] = Counter()
    entries = []
    for act in acts:
        entry = _read_act(act, state)
        if entry is None:
            continue
        entries.append(entry)
        if entry.is_void:
            void[entry.answer] += 1
        else:
            month = format_month(from_milliseconds(entry.at))
            counts[
                RefusalRow(
                    month, entry.asked, ", ".join(entry.states), entry.kind, entry.answer, entry.grounds.format()
                )
            ] += 1
    entries.sort(key=lambda entry: (-entry.at, entry.item))
    return RefusalView(counts, tuple(entries[:SHOWN_MAX]), dict(sorted(void.items())))


def _read_act(act: Act, state: str) -> RefusalEntry | None:
    given = GivenGrounds(tuple(ground.value for ground in act.grounds), act.own_rule)
    if act.kind is ActKind.RULING_REFUSED and act.reason is not None:
        return RefusalEntry(
            act.at, act.item_id, act.provider, act.ask, state, "", act.states, act.reason.value, act.officer or "",
            given, is_void=True,
        )  # fmt: skip
    has_ended = act.kind is ActKind.ASK_ENDED and act.ask_status is AskStatus.ANSWERED and act.answers
    if not has_ended or act.answers[-1].answer not in REFUSING:
        return None
    last = act.answers[-1]
    kind = "" if act.ask_kind is None else act.ask_kind.value
    asked = act.asked or state
    return RefusalEntry(
        last.at, act.item_id, act.provider, act.ask, asked, kind, act.states, last.answer.value, last.by, given
    )
