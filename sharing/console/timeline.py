"""What happened to an item, in time: the gate's decisions on it, and what its conversation did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

from sharing.console.conversation_words import describe_act, format_revision, join_codes, list_law
from sharing.disclosure.decided import read_recipient
from sharing.errors import make_unknown_value_error
from sharing.kafka.item_history import HistoryRecord
from sharing.law.fact_questions import QUESTIONS
from sharing.model.code_words import describe_outcome
from sharing.model.decision import RecipientDecision
from sharing.model.effects import FORBIDDING_EFFECTS
from sharing.model.recipient_terms import EVALUATION_FAILED, RuleReference
from sharing.model.times import format_time, to_milliseconds
from sharing.model.vocabulary import Outcome
from sharing.rulings.act import Act
from sharing.sentences import SaidStates, Sentence, say

SHOWN_DIGITS: Final = 16
"""How many digits of the digest of a ruling a line shows: `sharing audit ruling` finds it by them."""


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
        ruling: Digest of the ruling that caused it; None if none did.
        missing: The facts, as codes, that were not known, so that the law withheld it.
    """

    at: int
    what: str
    state: str | None
    by: str | None
    rules: tuple[RuleReference, ...]
    text: str
    revision: str | None
    ask: str | None
    ruling: str | None = None
    missing: tuple[str, ...] = ()

    def describe_cause(self) -> str:
        """Return who caused it and by which ruling, as the end of a line; "" if nobody did."""
        by = f", by {self.by}" if self.by is not None and self.by not in self.text else ""
        return by if self.ruling is None else f"{by} [ruling {self.ruling[:SHOWN_DIGITS]}]"

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
            "ruling": self.ruling,
            "missing": list(self.missing),
        }


def read_recipients(record: HistoryRecord) -> tuple[RecipientDecision, ...]:
    """Return what a decision says for each State that was considered.

    Raises:
        DecodeError: It says what this release does not know, such as an effect of another kind.
    """
    try:
        return tuple(map(read_recipient, record.fields["recipients"]))
    except ValueError as error:
        raise make_unknown_value_error("a decision", error) from None


def list_decided(record: HistoryRecord) -> Iterator[TimelineEvent]:
    """Yield what a decision says: one event for each State that was considered, or one if there was none.

    Raises:
        DecodeError: It says what this release does not know.
    """
    fields = record.fields
    at, revision = to_milliseconds(fields["decided_at"]), format_revision(fields["version"], fields["amendment"])
    recipients = read_recipients(record)
    for each in recipients:
        outcome, because = describe_outcome(each.outcome), describe_reason(each)
        text = say(
            "decided for %(state)s: %(outcome)s, %(because)s",
            state=SaidStates(each.state),
            outcome=outcome,
            because=because,
        )
        yield TimelineEvent(
            at, "DECIDED", each.state, None, each.rules, text, revision, None, missing=list_missing(each)
        )
    if not recipients:
        text = say("decided: no State was considered")
        yield TimelineEvent(at, "DECIDED", None, None, (), text, revision, None)


def describe_reason(decided: RecipientDecision) -> str:
    """Return why it was decided so for a State: citations and ids of rules, or what was not known, as a sentence."""
    if not _is_undecided(decided):
        return decided.explanation or say("no rule applies")
    facts, failed = list_missing(decided), decided.terms.failed_rules
    broken = say("evaluation failed: %(rules)s", rules=join_codes(failed))
    if not facts:
        return broken if failed else say("no rule permits it")
    questions = reduce(_join, (say(QUESTIONS[fact]) if fact in QUESTIONS else fact for fact in facts))
    missing = say("not known: %(questions)s", questions=questions)
    return say("%(missing)s; %(failed)s", missing=missing, failed=broken) if failed else missing


def list_missing(decided: RecipientDecision) -> tuple[str, ...]:
    """Return the facts that were not known where nothing forbids it, those with a question first, in their order."""
    if not _is_undecided(decided):
        return ()
    facts = {entry.fact for entry in decided.undecided} - {EVALUATION_FAILED}
    return (*(fact for fact in QUESTIONS if fact in facts), *sorted(facts - QUESTIONS.keys()))


def _is_undecided(decided: RecipientDecision) -> bool:
    is_forbidden = any(rule.effect in FORBIDDING_EFFECTS for rule in decided.rules)
    return decided.outcome is Outcome.WITHHOLD and not is_forbidden


def _join(first: str, second: str) -> Sentence:
    return say("%(first)s %(second)s", first=first, second=second)


def read_act(record: HistoryRecord) -> TimelineEvent:
    """Return what an act says.

    Raises:
        DecodeError: It says what this release does not know, such as an act of another kind.
    """
    act = Act.from_record(record.fields)
    revision = None if act.revision is None else format_revision(*act.revision)
    answered_by = act.answers[-1].by if act.answers else None
    state = act.states[0] if len(act.states) == 1 else None
    return TimelineEvent(
        act.at, act.kind.value, state, act.officer or answered_by, (), describe_act(act), revision, act.ask, act.ruling
    )
