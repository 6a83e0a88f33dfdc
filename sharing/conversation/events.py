"""What happens to the providing State's side of a conversation."""

from __future__ import annotations

from dataclasses import dataclass, field

from sharing.conversation.asks import Officer, Publisher
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import Answer
from sharing.model.vocabulary import Outcome, Urgency


@dataclass(frozen=True, slots=True)
class Decided:
    """The gate has decided on a revision.

    Attributes:
        revision: The revision.
        publisher: Who published the item.
        urgency: Its urgency.
        terms: For each considered State, what the law says. None means a withdrawal.
        is_sent: Whether the gate has already sent what is disclosed, as it does for a first version.
        is_corrected: Whether an amendment changes what States have received.
        indicator: Id of the indicator, which a recall names; the item's id is derived from it.
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

    @property
    def is_sent_to_any(self) -> bool:
        """Whether the gate has sent a notice or an offer to any State."""
        outcomes = {terms.outcome for terms in self.terms or ()}
        return self.is_sent and not outcomes.isdisjoint({Outcome.DISCLOSE, Outcome.OFFER})


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
    """An officer of this State has answered this beforehand, by a ruling that covers later Asks.

    The signature, the register and the similarity are checked at the instant of the event.

    Attributes:
        ask: Id of the Ask that was opened.
        officer: Who has ruled.
        answer: The answer.
        since: From when the ruling applies, in UTC milliseconds: older Asks are not covered.
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
    """An officer of this State claims an Ask, or gives up the claim.

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
    """Another State reports that an Ask has arrived and its people were asked. This is only recorded.

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
    """An officer of this State orders that what was sent is sent again: States refused it because a key was revoked.

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
    """Only time has passed. Everything written up to now has been read.

    Attributes:
        pinned: The States whose roots this State has pinned: any other State has left. None if no root is pinned: no
            State has left.
    """

    pinned: frozenset[str] | None = None

    def has_left(self, state: str) -> bool:
        """Return whether a State has left: this State no longer trusts a root of it."""
        return self.pinned is not None and state not in self.pinned


PeopleEvent = Ruled | Claimed | PassedOn
"""What an officer of this State does about an Ask."""

OrderEvent = RecallOrdered | AmendmentOrdered | ResendOrdered
"""What an officer of this State starts without having been asked."""

Event = Decided | PeopleEvent | Covered | Replied | ReceiptReceived | OrderEvent | TimePassed
"""What happens to the providing State's side."""
