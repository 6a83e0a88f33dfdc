"""What must be done because of an event on the providing State's side. Some effects also occur on the receiving side.

An effect is a value: the worker writes, sends and records it, all of it or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sharing.conversation.asks import Ask
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import AskStatus, Refusal, ReplyResult
from sharing.model.vocabulary import NoticeKind


@dataclass(frozen=True, slots=True)
class Opened:
    """Ask people a question: of this State, or, as an offer or with a recall, of another.

    Attributes:
        ask: The question.
        is_sent: Whether the gate has sent it to the other State already, as an offer.
    """

    ask: Ask
    is_sent: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """An open Ask has been claimed, passed on, or answered by one of several officers; or a claim was given up.

    Attributes:
        ask: The Ask as it is now.
        is_unclaimed: Whether a claim was given up.
    """

    ask: Ask
    is_unclaimed: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """An Ask has ended. Another State is notified of the end of its Ask."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class SentAgain:
    """Send an open question to another State again; or, if it has ended, its withdrawal.

    Attributes:
        ask: The question, which this does not change.
    """

    ask: Ask

    @property
    def repeated(self) -> Opened | Ended:
        """The effect that writes the same record."""
        return Opened(self.ask) if self.ask.is_open else Ended(replace(self.ask, status=AskStatus.CANCELLED))


@dataclass(frozen=True, slots=True)
class Send:
    """Send a notice: the item, its correction, or its recall."""

    state: str
    revision: Revision
    kind: NoticeKind
    terms: Terms


@dataclass(frozen=True, slots=True)
class Amend:
    """Hand what an officer has supplied, corrected or withdrawn to the gate, as a further amendment.

    Attributes:
        revision: The amendment: its number is not assigned to anything else.
        ask: Id of the Ask that was answered; "" if the officer was not asked.
        facts: Names of the facts; none for a withdrawal.
    """

    revision: Revision
    ask: str
    facts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Escalate:
    """Tell the next contact point that an Ask is waiting. The last step is its superior."""

    ask: str
    step: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """Raise an alert: an Ask that must be answered has expired and is asked again.

    Or the gate has not decided on an amendment in time: then the facts are asked for again; "" if nobody was asked.
    Or another State has not reported what became of the answer to its Ask.
    """

    ask: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Record that a question that must be answered is no longer asked, because the State that is asked has left.

    Attributes:
        ask: The question, as it has expired.
    """

    ask: Ask


@dataclass(frozen=True, slots=True)
class Answered:
    """Tell another State what became of its reply."""

    ask: str
    state: str
    result: ReplyResult


@dataclass(frozen=True, slots=True)
class ReceiptNoted:
    """Record that an Ask has arrived in the State that is asked, and in which batch of this State's."""

    ask: str
    state: str
    root: bytes | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Record that a ruling changes nothing, and why."""

    ask: str
    officer: str
    reason: Refusal


Effect = (
    Opened | Changed | Ended | SentAgain | Send | Amend | Escalate | Overdue | GivenUp | Answered | ReceiptNoted
    | Refused
)  # fmt: skip
