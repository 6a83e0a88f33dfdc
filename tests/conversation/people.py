"""Officers, terms and a law that changes, for the tests of the conversation."""

from __future__ import annotations

from dataclasses import dataclass, field

from sharing.conversation.asks import Officer, Publisher
from sharing.conversation.events import Decided
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms, hash_condition
from sharing.model.vocabulary import Outcome, Urgency

NOW = 1_770_000_000_000
ROLE = "JUDGE"
ROLES = frozenset({ROLE})
PUBLISHER = Publisher("fedpol", "o-publisher")
FEED = Publisher("fedpol", None)
JUDGE = Officer("o-judge", "court", frozenset({ROLE}))
CLERK = Officer("o-clerk", "court", frozenset())
COLLEAGUE = Officer("o-colleague", "fedpol", frozenset({ROLE}))
SECOND_COLLEAGUE = Officer("o-second", "fedpol", frozenset({ROLE}))
AUTHOR = Officer("o-publisher", "fedpol", frozenset({ROLE}))
OFFICERS = (JUDGE, COLLEAGUE, SECOND_COLLEAGUE, AUTHOR, CLERK)


def write_texts(*codes: str, text: str = "text of") -> frozenset[tuple[str, str]]:
    return frozenset((code, hash_condition(code, f"{text} {code}")) for code in codes)


def disclosed(state: str, *conditions: str) -> Terms:
    return Terms(state, Outcome.DISCLOSE, frozenset(conditions), texts=write_texts(*conditions))


def offered(state: str, *conditions: str, optional: tuple[str, ...] = ()) -> Terms:
    every = frozenset((*conditions, *optional))
    return Terms(
        state, Outcome.OFFER, every, optional=frozenset(optional), accept_first=True, texts=write_texts(*every)
    )


def held(state: str, *, accept_first: bool = False, needed: int = 1) -> Terms:
    return Terms(state, Outcome.HOLD, approver=ROLE, approvers_needed=needed, accept_first=accept_first)


def withheld(state: str, *missing: str) -> Terms:
    return Terms(state, Outcome.WITHHOLD, missing=frozenset(missing))


@dataclass
class ChangingLaw:
    """The law in force: what the last decision said, until the test changes it for a State."""

    terms: dict[str, Terms] = field(default_factory=dict)

    def __call__(self, state: str) -> Terms:
        return self.terms.get(state, withheld(state))


def decide(
    *terms: Terms, version: int = 1, amendment: int = 0, urgency: Urgency = Urgency.ORDINARY,
    publisher: Publisher = PUBLISHER, is_sent: bool | None = None, retain_until: int | None = None,
) -> Decided:  # fmt: skip
    first = version == 1 and amendment == 0
    sent = first if is_sent is None else is_sent
    return Decided(Revision(version, amendment), publisher, urgency, terms, sent, retain_until=retain_until)


def withdraw(version: int) -> Decided:
    return Decided(Revision(version), PUBLISHER, Urgency.ORDINARY, None, is_sent=False)
