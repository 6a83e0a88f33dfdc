"""What happens to the providing State's side of a conversation, and what it does in return."""

from __future__ import annotations

from dataclasses import dataclass, field

from sharing.conversation.asks import Ask, Officer, Publisher
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import Answer, Refusal, ReplyResult
from sharing.model.vocabulary import NoticeKind, Urgency


@dataclass(frozen=True, slots=True)
class Decided:
    """The gate has decided on a revision.

    Attributes:
        revision: The revision.
        publisher: Who published the item.
        urgency: Its urgency.
        terms: For each considered State, what the law says. None is a withdrawal.
        is_sent: Whether the gate has sent what is disclosed: for a first publication it has.
        is_corrected: Whether an amendment changes what States have received.
        indicator: Id of the indicator, which a recall names; the item's id is made of it.
        retain_until: Until when the item may be kept, in UTC milliseconds; None without a limit.
    """

    revision: Revision
    publisher: Publisher
    urgency: Urgency
    terms: tuple[Terms, ...] | None
    is_sent: bool
    is_corrected: bool = False
    indicator: str = ""
    retain_until: int | None = None


@dataclass(frozen=True, slots=True)
class Ruled:
    """An officer of this State has answered; signature and register are checked.

    Attributes:
        ask: Id of the Ask.
        officer: Who.
        answer: The answer.
        at: When, by the broker's clock, in UTC milliseconds.
        facts: The facts supplied, by name.
        relaxed: For RELAX, the conditions under which the item is offered again.
        nonce: The Ask's nonce, as the officer signed it.
    """

    ask: str
    officer: Officer
    answer: Answer
    at: int
    facts: frozenset[str] = frozenset()
    relaxed: frozenset[str] = frozenset()
    nonce: str = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Covered:
    """An officer of this State has answered this beforehand, by a ruling that covers Asks that are put later.

    Signature, register and alikeness are checked at the instant of the event.

    Attributes:
        ask: Id of the Ask that was put.
        officer: Who has ruled.
        answer: The answer.
        since: From when on the ruling covers, in UTC milliseconds: Asks that are older are not covered.
        until: Until when, in UTC milliseconds.
        nonce: The nonce of the Ask: the event is about this round of it.
    """

    ask: str
    officer: Officer
    answer: Answer
    since: int
    until: int
    nonce: str = field(kw_only=True)

    def to_ruled(self, now: int) -> Ruled:
        """Return it as an answer that is given now."""
        return Ruled(self.ask, self.officer, self.answer, now, nonce=self.nonce)


@dataclass(frozen=True, slots=True)
class Claimed:
    """An officer of this State says that he or she deals with an Ask, or no longer does.

    Attributes:
        ask: Id of the Ask.
        officer: Who.
        at: As in `Ruled`.
        is_ended: Whether the officer gives up the claim.
        nonce: As in `Ruled`.
    """

    ask: str
    officer: Officer
    at: int
    is_ended: bool = False
    nonce: str = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class PassedOn:
    """An officer of this State passes an Ask on to another authority of it; `at` and `nonce` as in `Ruled`."""

    ask: str
    officer: Officer
    authority: str
    at: int
    nonce: str = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Replied:
    """Another State has answered; its worker's signature is checked.

    Attributes:
        ask: Id of the Ask.
        state: The State.
        answer: The answer.
        at: When, by the broker's clock, in UTC milliseconds.
    """

    ask: str
    state: str
    answer: Answer
    at: int


@dataclass(frozen=True, slots=True)
class ReceiptReceived:
    """Another State says that an Ask has arrived, and was put to its people. It is only recorded.

    Attributes:
        ask: Id of the Ask.
        state: The other State.
        root: Signed root of the batch in which the Ask came, as the other State has verified it; None if it names none.
    """

    ask: str
    state: str
    root: bytes | None = None


@dataclass(frozen=True, slots=True)
class RecallOrdered:
    """An officer of this State recalls the item from some States, or from all that have it (None).

    Attributes:
        officer: Who.
        states: From which States.
        roles: The roles that may do so. The officer must have one of them.
    """

    officer: Officer
    states: frozenset[str] | None = None
    roles: frozenset[str] = field(default=frozenset(), kw_only=True)


@dataclass(frozen=True, slots=True)
class AmendmentOrdered:
    """An officer of this State corrects facts of the item, or withdraws it: the gate decides on that first.

    Attributes:
        officer: Who.
        facts: The facts that are corrected, by name; none for a withdrawal.
        roles: The roles that may do so. The officer must have one of them.
    """

    officer: Officer
    facts: frozenset[str] = frozenset()
    roles: frozenset[str] = field(default=frozenset(), kw_only=True)


@dataclass(frozen=True, slots=True)
class ResendOrdered:
    """An officer of this State has what was sent sent again: States refused it, because a key was revoked.

    Attributes:
        officer: Who.
        states: To which States; None for all.
        roles: The roles that may do so. The officer must have one of them.
    """

    officer: Officer
    states: frozenset[str] | None = None
    roles: frozenset[str] = field(default=frozenset(), kw_only=True)


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing has happened but time. Everything written up to now has been read."""


PeopleEvent = Ruled | Claimed | PassedOn
"""What an officer of this State does about an Ask."""

OrderEvent = RecallOrdered | AmendmentOrdered | ResendOrdered
"""What an officer of this State begins without having been asked."""

Event = Decided | PeopleEvent | Covered | Replied | ReceiptReceived | OrderEvent | TimePassed
"""What happens to the providing State's side."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Put a question to people: of this State, or, as an offer or with a recall, of another.

    Attributes:
        ask: The question.
        is_sent: Whether the gate has put it to the other State already, as an offer.
    """

    ask: Ask
    is_sent: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """An open Ask has been claimed, passed on, or answered by one of several; or a claim was given up.

    Attributes:
        ask: The Ask as it is now.
        is_unclaimed: Whether a claim was given up.
    """

    ask: Ask
    is_unclaimed: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """An Ask has ended. An ended Ask of another State is told to it."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class SentAgain:
    """Put an open question to people of another State again; or, of one that was cancelled, its withdrawal."""

    ask: Ask


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
        revision: The amendment: its number was assigned to nothing else.
        ask: Id of the Ask that was answered; "" if the officer was not asked.
        facts: Names of the facts; none for a withdrawal.
    """

    revision: Revision
    ask: str
    facts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Escalate:
    """Tell the next contact point that an Ask waits. The last step is its superior."""

    ask: str
    step: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """Raise an alert: an Ask that must be answered has expired, and is put again.

    Or the gate has not decided on an amendment in time: then the facts are asked for again; "" if nobody was asked.
    Or another State has not said what became of the answer to it.
    """

    ask: str


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


Effect = Opened | Changed | Ended | SentAgain | Send | Amend | Escalate | Overdue | Answered | ReceiptNoted | Refused
