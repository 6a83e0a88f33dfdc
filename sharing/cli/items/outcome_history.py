"""What was reported to an agency about one item: its lines in time, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sharing.console.conversation_words import format_revision, list_law
from sharing.console.outcome_words import (
    NOBODY_CONSIDERED,
    SHORTENED,
    describe_followed,
    describe_group,
    describe_quarantined,
)
from sharing.conversation.deliveries import FORGOTTEN_MS
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation.vocabulary import AskKind, DeliveryStatus
from sharing.model.times import format_time
from sharing.model.vocabulary import Outcome
from sharing.outcomes.outcome import (
    DecidedGroup,
    DecidedOutcome,
    FollowedKind,
    FollowedOutcome,
    ItemOutcome,
    QuarantinedOutcome,
)

_STATUS: Final = {
    FollowedKind.SENT: DeliveryStatus.SENT,
    FollowedKind.CORRECTED: DeliveryStatus.SENT,
    FollowedKind.RECALLED: DeliveryStatus.RECALLED,
    FollowedKind.CLOSED: DeliveryStatus.CLOSED,
}
_NOT_SENT: Final = frozenset({DeliveryStatus.WAITING, DeliveryStatus.CLOSED})
_OPENING: Final = frozenset({FollowedKind.ASKED, FollowedKind.OFFERED})
_ENDING: Final = frozenset({FollowedKind.ANSWERED, FollowedKind.EXPIRED, FollowedKind.CANCELLED})

QuestionKey = tuple[Revision, str | None, tuple[str, ...]]
"""The state of the item, the kind of the question, and the States that it is about."""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line.

    Attributes:
        at: When, in UTC milliseconds.
        what: DECIDED, QUARANTINED, or what followed.
        revision: The state of the item; None where it is not known.
        text: The same in words.
        details: What it says further, as scripts rely on it.
    """

    at: int
    what: str
    revision: str | None
    text: str
    details: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return it as scripts rely on it."""
        states = self.details.get("states", ())
        return {
            "at": format_time(self.at),
            "what": self.what,
            "state": states[0] if len(states) == 1 else None,
            "by": None,  # who it was is not reported to agencies
            "law": [],
            "text": self.text,
            "revision": self.revision,
            **self.details,
        }


@dataclass(slots=True)
class OutcomeHistory:
    """What was reported to an agency about one item.

    Attributes:
        indicator: Id of the indicator.
        partition: Its partition.
        approvals: How many officers must approve, by the ids of the rules that ask, as far as the law is known.
        lines: The lines, in the order in which they were reported.
        newest: The newest state of the item.
        deliveries: For each State, the state of the item that was reported last, and where its delivery stands.
        questions: The questions that are open, each with the time until which an answer counts.
    """

    indicator: str
    partition: int
    approvals: Mapping[str, int] = field(default_factory=dict)
    lines: list[HistoryLine] = field(default_factory=list)
    newest: Revision = NO_REVISION
    deliveries: dict[str, tuple[Revision, DeliveryStatus]] = field(default_factory=dict)
    questions: dict[QuestionKey, int | None] = field(default_factory=dict)

    def add(self, item: ItemOutcome) -> list[HistoryLine]:
        """Add what was reported next, and return its lines."""
        told = item.told
        self._forget_ended(item.at)
        match told:
            case DecidedOutcome():
                # A decision on an older revision changes nothing; a further one on the newest may reach more States.
                for group in told.groups if item.revision >= self.newest else ():
                    self._take_group(item.revision, group, is_repeated=item.revision == self.newest)
            case QuarantinedOutcome():
                pass
            case _:
                key = item.revision, told.ask, told.states
                if told.what in _OPENING:
                    self.questions[key] = told.until
                elif told.what in _ENDING:
                    self.questions.pop(key, None)
                for state in told.states if told.what in _STATUS else ():
                    self._note(state, item.revision, _STATUS[FollowedKind(told.what)])
                if told.what == FollowedKind.ASKED and told.ask == AskKind.ACK_RECALL:
                    self._note_late_recall(told.states, item.revision)
        if not isinstance(told, FollowedOutcome) or told.what != FollowedKind.AMENDED:
            self.newest = max(self.newest, item.revision)  # what was handed to the gate is not decided yet
        lines = list(_make_lines(item, self.approvals))
        self.lines += lines
        return lines

    def describe_deliveries(self) -> dict[str, str]:
        """Return where the delivery to each State stands."""
        return {state: status.value for state, (_, status) in sorted(self.deliveries.items())}

    def list_questions(self) -> list[dict[str, Any]]:
        """Return the open questions, as scripts rely on them."""
        return [
            {
                "ask": ask, "states": list(states), "revision": format_revision(*revision),
                "until": None if until is None else format_time(until),
            }
            for (revision, ask, states), until in self.questions.items()
        ]  # fmt: skip

    def _take_group(self, revision: Revision, group: DecidedGroup, *, is_repeated: bool) -> None:
        is_sent = group.is_sent and group.outcome is Outcome.DISCLOSE
        for state in group.states:
            known = self.deliveries.get(state)
            if is_repeated and known is not None and not (is_sent and known[1] in _NOT_SENT):
                continue  # what the State has, was refused, or was recalled from it, stays as it is
            if is_sent:
                self._note(state, revision, DeliveryStatus.SENT)
            elif known is not None and known[1] is DeliveryStatus.SENT:
                continue  # the State has an earlier state of the item, until it is told otherwise
            else:
                is_ended = group.outcome is Outcome.WITHHOLD and not group.is_asked
                self._note(state, revision, DeliveryStatus.CLOSED if is_ended else DeliveryStatus.WAITING)

    def _forget_ended(self, at: int) -> None:
        """Drop what the worker has forgotten by a time in UTC milliseconds: a version published again begins again."""
        if self.questions or any(status is DeliveryStatus.SENT for _, status in self.deliveries.values()):
            return
        if self.lines and at - self.lines[-1].at >= FORGOTTEN_MS:
            self.deliveries.clear()

    def _note_late_recall(self, states: Iterable[str], revision: Revision) -> None:
        """Note that these States are asked about a recall: if it could not be sent at first, it is not told again."""
        for state in states:
            if self.deliveries.get(state) == (revision, DeliveryStatus.SENT):
                self._note(state, revision, DeliveryStatus.RECALLED)

    def _note(self, state: str, revision: Revision, status: DeliveryStatus) -> None:
        """Note where a delivery stands, unless something later is known: an earlier state ends when a new one comes.

        The gate may have told of newer states long before the conversation has read of them, so what was sent or
        recalled counts whatever its state of the item is. And a State of which a newer state is withheld for good still
        has the one that it was sent.
        """
        known = self.deliveries.get(state)
        if known is not None and known[1] is DeliveryStatus.SENT and status is DeliveryStatus.CLOSED:
            return
        if known is None or known[0] <= revision or status in {DeliveryStatus.SENT, DeliveryStatus.RECALLED}:
            self.deliveries[state] = revision, status


def _make_lines(item: ItemOutcome, approvals: Mapping[str, int]) -> Iterator[HistoryLine]:
    revision = format_revision(*item.revision) if item.revision.version else None
    told = item.told
    match told:
        case DecidedOutcome(is_closed, groups):
            for group in groups:
                details = {**group.to_record(), "law": list_law(group.rules), "is_closed": is_closed}
                del details["rules"]
                yield HistoryLine(item.at, "DECIDED", revision, describe_group(group, approvals), details)
            if not groups:
                text = SHORTENED if told.is_shortened else f"decided: {NOBODY_CONSIDERED}"
                yield HistoryLine(item.at, "DECIDED", revision, text, {"states": [], "is_closed": is_closed})
        case QuarantinedOutcome():
            yield HistoryLine(item.at, "QUARANTINED", revision, describe_quarantined(told), told.to_record())
        case _:
            until = None if told.until is None else format_time(told.until)
            details = {**asdict(told), "until": until}
            del details["what"]
            yield HistoryLine(item.at, told.what, revision, describe_followed(told), details)
