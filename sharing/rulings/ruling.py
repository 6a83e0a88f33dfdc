"""What an officer signs: an answer to Asks, a claim, passing Asks on, the opening of a recall or a correction.

An answer may also cover later Asks, until a date; another ruling ends that.

In the record it is canonical JSON: it has only one byte form, and the signature covers all of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from sharing.conversation.covering import COVER_DAYS_MAX
from sharing.conversation.kinds import KINDS
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.model.indicator_record import UUID_PATTERN
from sharing.model.recipient_terms import Condition
from sharing.model.strict_model import StrictModel
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority
from sharing.officers.entry import OfficerId
from sharing.rulings.answer_parts import needs_text, require_parts
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.facts import RuledFact
from sharing.rulings.vocabulary import OpeningKind, RefusalGround
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import Instant, StateCode

ASKS_MAX: Final = 200
"""How many Asks one ruling may answer."""

TEXT_MAX: Final = 2_000
"""Length of an officer's text, in characters."""

RULING_DAYS_MAX: Final = 1
"""For how many days a ruling may be written after it was signed: one that was kept back is not written years later."""

_Uuid = Annotated[str, Field(pattern=f"^{UUID_PATTERN}$")]
_Nonce = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
_Partition = Annotated[int, Field(ge=0, lt=2**31)]


class AskReference(StrictModel):
    """Which Ask, in which round.

    Attributes:
        ask: Id of the Ask.
        nonce: Its nonce. It differs in each round, so that a ruling counts for the one that the officer has read.
        provider: The State that provides the item: two States may use one id.
        item: Id of the item.
        partition: Partition of the item: a copy of the ruling is written to it, and answers the Asks of it.
    """

    ask: _Uuid
    nonce: _Nonce
    provider: StateCode
    item: _Uuid
    partition: _Partition


_Asks = Annotated[tuple[AskReference, ...], Field(min_length=1, max_length=ASKS_MAX)]
_States = Annotated[tuple[StateCode, ...], Field(min_length=1, max_length=256)]


class Answering(StrictModel):
    """An answer to Asks that are alike: in providing State, kind, recipients, rule and conditions.

    Attributes:
        does: Always `answer`.
        asks: The Asks.
        about: Their kind.
        recipients: The receiving States that they are about, in alphabetical order.
        rule: Id of the rule that asks; None where no rule does.
        conditions_hash: Hash of the conditions that the officer has read (`compute_conditions_hash`).
        answer: The answer.
        grounds: For a refusal, its grounds.
        own_rule: Id of the rule of this State's law, for the ground OWN_LAW.
        relaxed: For RELAX, codes of the conditions under which the item is offered again.
        facts: For SUPPLIED, the facts.
        covers_until: Until when it also answers similar later Asks; None if it does not. If it names
            no hash, then only those without conditions.
    """

    does: Literal["answer"] = "answer"
    asks: _Asks
    about: AskKind
    recipients: _States
    rule: _Code | None = None
    conditions_hash: _Digest | None = None
    answer: Answer
    grounds: Annotated[tuple[RefusalGround, ...], Field(max_length=len(RefusalGround))] = ()
    own_rule: _Code | None = None
    relaxed: Annotated[tuple[_Code, ...], Field(max_length=64)] | None = None
    facts: Annotated[tuple[RuledFact, ...], Field(max_length=64)] = ()
    covers_until: Instant | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_asks(self.asks)
        if len({reference.provider for reference in self.asks}) > 1:
            raise ValueError(
                "asks: they are about items of several States; answer those of each State with a separate ruling"
            )
        _check_sorted("recipients", self.recipients)
        _check_sorted("grounds", self.grounds)
        _check_sorted("relaxed", self.relaxed or ())
        _check_facts(self.facts)
        if self.answer not in KINDS[self.about].answers:
            raise ValueError(f"an Ask of the kind {self.about} does not take the answer {self.answer}")
        if (RefusalGround.OWN_LAW in self.grounds) != (self.own_rule is not None):
            raise ValueError("the ground OWN_LAW names a rule, and no other ground does")
        if self.covers_until is not None:
            self._check_cover()
        self._check_parts()
        return self

    def _check_cover(self) -> None:
        """Refuse to cover what must be looked at each time."""
        if not KINDS[self.about].can_be_covered:
            raise ValueError(f"covers_until: each Ask of the kind {self.about} is answered separately")
        if RefusalGround.HUMAN_RIGHTS in self.grounds:
            raise ValueError(
                "covers_until: whether a human right stands against an item must be examined for each item"
            )

    def _check_parts(self) -> None:
        """Refuse an answer without what it needs, or with what does not belong to it."""
        present = {name for name in ("grounds", "facts") if getattr(self, name)}
        present |= {name for name in ("relaxed", "conditions_hash") if getattr(self, name) is not None}
        require_parts(self.answer, present)


class Claiming(StrictModel):
    """The officer deals with these Asks, and others can see that; or no longer does.

    Attributes:
        does: Always `claim`.
        asks: The Asks.
        is_ended: Whether the officer gives up a claim.
    """

    does: Literal["claim"] = "claim"
    asks: _Asks
    is_ended: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_asks(self.asks)
        return self


class PassingOn(StrictModel):
    """The officer passes these Asks on to another authority of the State.

    Attributes:
        does: Always `pass_on`.
        asks: The Asks.
        authority: Kind of the other authority.
    """

    does: Literal["pass_on"] = "pass_on"
    asks: _Asks
    authority: Authority

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_asks(self.asks)
        if self.authority is Authority.UNKNOWN:
            raise ValueError("name the kind of authority that must answer")
        return self


class Opening(StrictModel):
    """The officer begins what nobody has asked: a recall, a correction or a withdrawal of an item, or sending it again.

    Attributes:
        does: Always `open`.
        opens: What.
        provider: The State that provides the item: the officer's own, because only it corrects or recalls an item. What
            was answered about another State's item can be sent again, too.
        item: Id of the item.
        partition: Partition of the item.
        states: For a recall, the States that are to use it no longer; for sending again, those to which; None for all.
        facts: For a correction, the facts as they are.
    """

    does: Literal["open"] = "open"
    opens: OpeningKind
    provider: StateCode
    item: _Uuid
    partition: _Partition
    states: _States | None = None
    facts: Annotated[tuple[RuledFact, ...], Field(max_length=64)] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_sorted("states", self.states or ())
        _check_facts(self.facts)
        if self.states is not None and self.opens not in {OpeningKind.RECALL, OpeningKind.RESEND}:
            raise ValueError("a correction or withdrawal concerns every State: the law decides again for each")
        if bool(self.facts) != (self.opens is OpeningKind.CORRECTION):
            raise ValueError("a correction must state facts, and nothing else may")
        return self


class Ruling(StrictModel):
    """What an officer signs. Its `repr` does not show the text.

    Attributes:
        kind: Always `ruling`.
        format: Version of this format.
        state: The officer's State.
        officer: Id of the officer in the register.
        signed_at: When it was signed, by the desk's clock.
        expires_at: When it must have been written, by the broker's clock.
        text: The officer's words, for the file. They stay in the State, and should not name anyone.
        act: What it does.
    """

    kind: Literal["ruling"] = "ruling"
    format: Literal[1] = 1
    state: StateCode
    officer: OfficerId
    signed_at: Instant
    expires_at: Instant
    text: Annotated[str, Field(max_length=TEXT_MAX, repr=False)] = ""
    act: Annotated[Answering | Claiming | PassingOn | Opening | EndingCover, Field(discriminator="does")]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.signed_at < self.expires_at <= self.signed_at + RULING_DAYS_MAX * DAY_MS:
            raise ValueError(f"expires_at: a ruling is written within {RULING_DAYS_MAX} day of its signature")
        act, text = self.act, self.text.strip()
        if isinstance(act, Opening) and act.provider != self.state and act.opens is not OpeningKind.RESEND:
            raise ValueError("provider: an officer corrects, withdraws and recalls only items of his or her own State")
        if not isinstance(act, Answering):
            return self
        if needs_text(act.answer) and not text:
            raise ValueError(f"text: the answer {act.answer} needs its grounds in words")
        covered = act.covers_until
        if covered is not None and not self.signed_at < covered <= self.signed_at + COVER_DAYS_MAX * DAY_MS:
            raise ValueError(f"covers_until: later Asks are covered for at most {COVER_DAYS_MAX} days")
        return self

    @property
    def covers_until(self) -> int | None:
        """Until when it also answers similar later Asks, in UTC milliseconds; None if it does not."""
        return self.act.covers_until if isinstance(self.act, Answering) else None

    @property
    def is_everywhere(self) -> bool:
        """Whether a copy of it belongs on every partition: later Asks may be opened on any."""
        return self.covers_until is not None or isinstance(self.act, EndingCover)

    def list_asks(self, partition: int) -> tuple[AskReference, ...]:
        """Return the Asks of one partition that it is about: those which the copy on this partition answers."""
        if isinstance(self.act, Opening | EndingCover):
            return ()
        return tuple(reference for reference in self.act.asks if reference.partition == partition)

    def list_partitions(self) -> tuple[int, ...]:
        """Return the partitions of what it names, in order: a copy of it is written to each of them."""
        if isinstance(self.act, Opening):
            return (self.act.partition,)
        if isinstance(self.act, EndingCover):
            return ()
        return tuple(sorted({reference.partition for reference in self.act.asks}))


def compute_conditions_hash(conditions: Iterable[Condition]) -> str:
    """Return the hash of conditions: of their codes and texts, in whatever order they come."""
    listed = sorted((condition.code, condition.text) for condition in conditions)
    payload = encode_canonical([list(pair) for pair in listed])
    return hashlib.sha256(b"sharing/conditions/v1\x00" + payload).hexdigest()


def _check_asks(asks: tuple[AskReference, ...]) -> None:
    if len({reference.ask for reference in asks}) < len(asks):
        raise ValueError("asks: an Ask is listed twice")


def _check_sorted(name: str, values: tuple[str, ...]) -> None:
    if list(values) != sorted(set(values)):
        raise ValueError(f"{name}: must be in alphabetical order, each once")


def _check_facts(facts: tuple[RuledFact, ...]) -> None:
    if len({fact.name for fact in facts}) < len(facts):
        raise ValueError("facts: a fact is stated twice")
