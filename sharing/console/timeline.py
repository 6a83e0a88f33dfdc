"""What happened to an item, in time: the gate's decisions on it, and what its conversation did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sharing.console.conversation_words import describe_act, format_revision, list_law
from sharing.disclosure.decided import read_recipient
from sharing.kafka.item_history import HistoryRecord
from sharing.model.recipient_terms import RuleReference
from sharing.model.times import format_time, to_milliseconds
from sharing.rulings.act import Act
from sharing.sentences import say


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One line of a timeline.

    Attributes:
        at: When, in UTC milliseconds.
        what: What, as a code: DECIDED, or the kind of the act.
        state: The State that it is about; None for several or none.
        by: Who caused it: id of an officer, or code of another State; None if nobody did.
        rules: By which law.
        text: The same in words.
        revision: The state of the item, if the record names one.
        ask: Id of the Ask that it is about.
    """

    at: int
    what: str
    state: str | None
    by: str | None
    rules: tuple[RuleReference, ...]
    text: str
    revision: str | None
    ask: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as scripts rely on it."""
        return {
            "at": format_time(self.at),
            "what": self.what,
            "state": self.state,
            "by": self.by,
            "law": list_law(self.rules),
            "text": self.text,
            "revision": self.revision,
            "ask": self.ask,
        }


def list_decided(record: HistoryRecord) -> Iterator[TimelineEvent]:
    """Yield what a decision says: one event for each State that was considered, or one if there was none."""
    fields = record.fields
    at, revision = to_milliseconds(fields["decided_at"]), format_revision(fields["version"], fields["amendment"])
    recipients = [read_recipient(each) for each in fields["recipients"]]
    for each in recipients:
        outcome = each.outcome.value
        because = each.explanation or say("no rule applies")
        text = say(
            "decided for %(state)s: %(outcome)s, %(because)s", state=each.state, outcome=outcome, because=because
        )
        yield TimelineEvent(at, "DECIDED", each.state, None, each.rules, text, revision, None)
    if not recipients:
        text = say("decided: no State was considered")
        yield TimelineEvent(at, "DECIDED", None, None, (), text, revision, None)


def read_act(record: HistoryRecord) -> TimelineEvent:
    """Return what an act says."""
    act = Act.from_record(record.fields)
    revision = None if act.revision is None else format_revision(*act.revision)
    answered_by = act.answers[-1].by if act.answers else None
    state = act.states[0] if len(act.states) == 1 else None
    return TimelineEvent(
        act.at, act.kind.value, state, act.officer or answered_by, (), describe_act(act), revision, act.ask
    )
