"""An Ask: a question with closed answers and a deadline, for people of one State."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from sharing.conversation.kinds import KINDS, KindRow
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Consequence, Refusal
from sharing.ids import make_ask_id
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Urgency

CLAIM_MS: Final = 30 * 60_000
"""How long a claim lasts. It tells others that somebody is dealing with an Ask, and blocks nobody."""

GRACE_MS: Final = 60_000
"""How long after the expiry the broker may timestamp a reply: a record takes some time to reach the broker."""

NONCE_DIGITS: Final = 32
"""Length of an Ask's nonce, in hexadecimal digits."""


REMEMBERED_MS: Final = 60 * DAY_MS
"""How long an ended Ask is remembered: the topics between States do not keep a possible answer for that long."""


@dataclass(frozen=True, slots=True)
class Officer:
    """A person who answers, as recorded in the register of officers.

    Attributes:
        id: Opaque id.
        agency: The agency that the person belongs to.
        roles: The roles that the person holds, by the names that law packs use.
    """

    id: str
    agency: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who published an item. Where four eyes are needed, the publisher may not answer alone.

    Attributes:
        agency: The agency.
        officer: Id of the officer; None for an automated feed.
    """

    agency: str
    officer: str | None


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One valid answer: by an officer, or by another State as a whole."""

    answer: Answer
    officer: str
    agency: str
    at: int


@dataclass(frozen=True, slots=True)
class Ask:
    """One question.

    Attributes:
        id: Its id.
        kind: Its row in the table of kinds.
        state: The State whose people are asked.
        role: The role that may answer, by the name of the law pack; None for any officer of that State who may answer.
        revision: The state of the item that it is about.
        recipients: The receiving States whose deliveries it guards.
        publisher: Who published the item.
        urgency: The item's urgency.
        opened_at: When it was opened, in UTC milliseconds.
        expires_at: Until when an answer counts, in UTC milliseconds.
        needed: How many officers must release.
        facts: The facts that are asked for.
        round: 1 for the first time that this is asked, and so on.
        status: Its status.
        given: The valid answers so far.
        escalated: How many escalations have been made. For an answered Ask, one more than exist, once people were
            notified that the asking State has not reported what became of the answer.
        authority: Kind of the authority of `state` that is asked; None for its contact point.
        claimed_by: Id of the officer who last claimed it.
        claimed_until: When that claim expires, in UTC milliseconds.
    """

    id: str
    kind: AskKind
    state: str
    role: str | None
    revision: Revision
    recipients: frozenset[str]
    publisher: Publisher
    urgency: Urgency
    opened_at: int
    expires_at: int
    needed: int = 1
    facts: frozenset[str] = frozenset()
    round: int = 1
    status: AskStatus = AskStatus.OPEN
    given: tuple[GivenAnswer, ...] = ()
    escalated: int = 0
    authority: str | None = None
    claimed_by: str | None = None
    claimed_until: int = 0

    @property
    def row(self) -> KindRow:
        """What applies to all Asks of its kind."""
        return KINDS[self.kind]

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.status is AskStatus.OPEN

    @property
    def nonce(self) -> str:
        """What an answer must contain in addition to the id: it differs each time the same question is asked again.

        So what an officer signed for one round does not count for the next. It is not secret: it can be computed.
        """
        text = f"sharing/ask-nonce/v1/{self.id}/{self.round}/{self.opened_at}"
        return hashlib.sha256(text.encode()).hexdigest()[:NONCE_DIGITS]

    @property
    def closes_at(self) -> int:
        """When silence takes effect, in UTC milliseconds: every answer given in time has arrived by then."""
        return self.expires_at + GRACE_MS

    def is_forgettable(self, now: int) -> bool:
        """Return whether, at a time in UTC milliseconds, nothing that refers to it can arrive any longer."""
        return not self.is_open and self.closes_at + REMEMBERED_MS <= now

    def find_due(self) -> int | None:
        """Return when time alone changes it next, in UTC milliseconds; None if never."""
        if not self.is_open:
            return None
        steps = self.row.escalations
        return self._find_escalation(self.escalated) if self.escalated < len(steps) else self.closes_at

    def list_escalations(self, now: int) -> range:
        """Return the numbers, from 0, of the escalations that are due and not made."""
        due = sum(1 for step in range(len(self.row.escalations)) if self._find_escalation(step) <= now)
        return range(self.escalated, max(self.escalated, due))

    def _find_escalation(self, step: int) -> int:
        return self.opened_at + int((self.expires_at - self.opened_at) * self.row.escalations[step])

    def find_claimant(self, now: int) -> str | None:
        """Return the id of the officer who has claimed it; None if nobody has or the claim has expired."""
        return self.claimed_by if now < self.claimed_until else None

    def find_bar(self, officer: Officer, at: int, nonce: str) -> Refusal | None:
        """Return why an officer may do nothing about it; None if he or she may.

        Args:
            officer: Who.
            at: When, by the broker's clock, in UTC milliseconds.
            nonce: The nonce that the officer has signed.
        """
        if not self.is_open:
            return Refusal.NOT_OPEN
        if at >= self.closes_at:
            return Refusal.EXPIRED
        if nonce != self.nonce:
            return Refusal.WRONG_NONCE
        if self.role is not None and self.role not in officer.roles:
            return Refusal.WRONG_ROLE
        return Refusal.BARRED if self.row.four_eyes and officer.id == self.publisher.officer else None

    def find_refusal(self, officer: Officer, answer: Answer, at: int, nonce: str) -> Refusal | None:
        """Return why an officer's answer changes nothing; None if it counts.

        Args:
            officer: Who answers.
            answer: The answer.
            at: When it was given, by the broker's clock, in UTC milliseconds.
            nonce: The nonce that the officer has signed.
        """
        if answer not in self.row.answers:
            return Refusal.WRONG_ANSWER
        if any(given.officer == officer.id for given in self.given):
            return Refusal.NOT_OPEN if not self.is_open else Refusal.ALREADY_ANSWERED
        return self.find_bar(officer, at, nonce)

    def take_claim(self, officer: Officer, at: int) -> Ask:
        """Return the Ask claimed by an officer; the last claim counts."""
        return replace(self, claimed_by=officer.id, claimed_until=at + CLAIM_MS)

    def end_claim(self) -> Ask:
        """Return the Ask as claimed by nobody."""
        return replace(self, claimed_by=None, claimed_until=0)

    def pass_on(self, authority: str) -> Ask:
        """Return the Ask as addressed to another authority of the same State. Its deadline stays; a claim ends."""
        return replace(self, authority=authority, claimed_by=None, claimed_until=0)

    def take_answer(self, given: GivenAnswer) -> tuple[Ask, Consequence | None]:
        """Return the Ask with an answer that counts, and what it does; None if further officers must release.

        A refusal takes effect at once, no matter how many officers must release.
        """
        consequence = self.row.answers[given.answer]
        answered = replace(self, given=(*self.given, given))
        if consequence is Consequence.RELEASE and not answered._has_enough():  # noqa: SLF001 the same class
            return answered, None
        return replace(answered, status=AskStatus.ANSWERED), consequence

    def _has_enough(self) -> bool:
        """Return whether enough officers have released.

        Nobody published an item of an automated feed: one officer of another agency, or two officers.
        """
        releasing = [given for given in self.given if self.row.answers[given.answer] is Consequence.RELEASE]
        needed = self.needed
        if self.row.four_eyes and self.publisher.officer is None:
            is_from_elsewhere = any(given.agency != self.publisher.agency for given in releasing)
            needed = max(needed, 1 if is_from_elsewhere else 2)
        return len(releasing) >= needed


def find_next_due(asks: Iterable[Ask]) -> int | None:
    """Return when time alone changes one of these Asks next, in UTC milliseconds; None if never."""
    return min((due for ask in asks if (due := ask.find_due()) is not None), default=None)


def name_ask(item: str, kind: AskKind, revision: Revision, recipients: Iterable[str], number: int = 1) -> str:
    """Return the id of an Ask about a revision of an item. For an offer of the gate, the id with number 1 is its id.

    Args:
        item: Id of the item.
        kind: The kind of Ask.
        revision: The revision.
        recipients: The receiving States whose deliveries it guards.
        number: The number among the Asks that agree in all of the above.
    """
    return make_ask_id(item, kind, f"{revision.version}.{revision.amendment}/{','.join(sorted(recipients))}", number)
