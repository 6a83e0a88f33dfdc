"""What the officers of a campaign sign about the Asks that they find: answers, also beforehand, claims and openings."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.vocabulary import Answer, AskKind, DeliveryStatus
from sharing.disclosure.decided import read_recipient
from sharing.errors import InputError
from sharing.kafka.conversation_reader import KeptEntry
from sharing.kafka.item_history import HistoryTopic, match_ids, read_history
from sharing.law.facts import FACTS
from sharing.rulings.asked_terms import AskedTerms, find_own_terms
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Answering, AskReference, Claiming, Opening
from sharing.rulings.vocabulary import OpeningKind, RefusalGround
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.testing.demo.desk import Entry, FoundAsk, make_answering
from sharing.topology.topics import DECISIONS
from tests.faults.sealed.officer_desk import CLERK, COLLEAGUE, JUDGE
from tests.secure.secure_states import read_now

APPROVING_RULES: Final = {"DE": "de.stpo-160a", "NL": "nl.sv-218"}
"""The rule that holds what the campaign publishes."""

COVERS_S: Final = (1.0, 20.0)
"""For how long an answer covers later Asks: some of them are put when it no longer does."""

DECIDED_MS: Final = 120_000
"""How long before its Ask a decision is sought."""

OTHER_RULE, OTHER_HASH = "another.rule", 64 * "0"

log = logging.getLogger("officers")

_ANSWERS: Final[dict[AskKind, tuple[Answer, ...]]] = {
    AskKind.ACCEPT: (Answer.ACCEPTED, Answer.ACCEPTED, Answer.ACCEPTED, Answer.DECLINED, Answer.CANNOT_COMPLY),
    AskKind.APPROVE: (Answer.APPROVED, Answer.APPROVED, Answer.REFUSED),
    AskKind.REDECIDE: (Answer.PROVIDE_ANYWAY, Answer.WITHDRAW),
    AskKind.SUPPLY_FACT: (Answer.SUPPLIED, Answer.SUPPLIED, Answer.NOT_KNOWN),
    AskKind.ACK_RECALL: (Answer.ACKNOWLEDGED,),
    AskKind.CONFIRM_IN_WRITING: (Answer.CONFIRMED,),
}


class BadRuling(NamedTuple):
    """A ruling that must change nothing.

    Attributes:
        officer: Who rules.
        act: What it says.
        signer: Whose key signs it; "" for the officer's.
    """

    officer: str
    act: Answering
    signer: str = ""


class OfficerActs:
    """Makes what the officers of one State sign.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        rng: What decides.
    """

    def __init__(self, bootstrap: str, state: str, rng: random.Random) -> None:
        self._bootstrap, self._state, self._rng = bootstrap, state, rng

    def answer(self, found: FoundAsk) -> Answering | None:
        """Return an answer to an Ask; None if there is none that can be signed."""
        kind = found.ask.kind
        answer = self._rng.choice(_ANSWERS[kind])
        parts: dict[str, Any] = {}
        if kind is AskKind.APPROVE:
            parts["rule"] = APPROVING_RULES.get(self._state)
        if answer is Answer.REFUSED:
            parts["grounds"] = (RefusalGround.LIVE_CASE,)
        if answer is Answer.SUPPLIED:
            parts["facts"] = tuple(self._supply(found))
        try:
            return make_answering(found, answer, **parts)
        except (InputError, ValueError) as error:
            log.warning("nothing is answered about %s: %s", found.ask.id, error)
            return None

    def cover(self, act: Answering, found: FoundAsk, kept: KeptEntry[Entry]) -> Answering | None:
        """Return an answer that also covers similar later Asks; None where its conditions are not known.

        Args:
            act: The answer.
            found: The Ask that it answers.
            kept: The entry of its item.

        Raises:
            InfrastructureError: No broker answers.
        """
        changes: dict[str, Any] = {"covers_until": self._choose_end()}
        if found.ask.kind is AskKind.APPROVE:
            terms = self._read_terms(found, kept)
            if not terms.are_read:
                return None
            changes |= {"rule": terms.rule, "conditions_hash": terms.conditions_hash}
        return Answering(**{**dict(act), **changes})

    def cover_none(self, ended: FoundAsk) -> Answering | None:
        """Return an answer to an ended Ask that covers none: of another rule, under other conditions, about others."""
        act = self.answer(ended)
        if act is None:
            return None
        unmatched: dict[str, Any] = self._rng.choice(
            [{"rule": OTHER_RULE}, {"conditions_hash": OTHER_HASH}, {"recipients": ("JP",)}]
        )
        return Answering(**{**dict(act), **unmatched, "covers_until": self._choose_end()})

    def make_bad(self, found: FoundAsk) -> BadRuling | None:
        """Return a ruling about an Ask that must change nothing; None if there is none that can be signed."""
        act = self.answer(found)
        if act is None:
            return None
        (reference,) = act.asks
        stale = act.model_copy(update={"asks": (reference.model_copy(update={"nonce": 32 * "0"}),)})
        bad = [
            BadRuling(JUDGE, act, f"{self._state} {CLERK}"),
            BadRuling(JUDGE, stale),
            BadRuling("nobody", act, f"{self._state} {JUDGE}"),
        ]
        if found.ask.role is not None:
            bad.append(BadRuling(CLERK, act))
        if found.ask.kind is AskKind.APPROVE:
            bad.append(BadRuling(CLERK, act.model_copy(update={"covers_until": self._choose_end()})))
        barred = find_barred(found)
        if barred is not None:
            bad.append(BadRuling(barred, act))
        return self._rng.choice(bad)

    def open(self, entries: Iterable[KeptEntry[Entry]]) -> tuple[int, Opening] | None:
        """Return the recall or withdrawal of an item of this State that others have, and its partition."""
        held = [
            (kept.partition, kept.value.conversation.item)
            for kept in entries
            if not isinstance(kept.value, ReceivedItem)
            and any(True for _ in kept.value.conversation.list_deliveries(DeliveryStatus.SENT))
        ]
        if not held:
            return None
        partition, item = self._rng.choice(sorted(held))
        opens = self._rng.choice([OpeningKind.RECALL, OpeningKind.RECALL, OpeningKind.WITHDRAWAL])
        return partition, Opening(opens=opens, provider=self._state, item=item, partition=partition)

    def resend(self, entries: Iterable[KeptEntry[Entry]]) -> tuple[int, Opening] | None:
        """Return the order to send again what was sent about an item, as after a revocation, and its partition."""
        sent = sorted(
            (kept.partition, kept.value.from_state, kept.value.item)
            if isinstance(kept.value, ReceivedItem)
            else (kept.partition, self._state, kept.value.conversation.item)
            for kept in entries
            if _has_sent(kept.value)
        )
        if not sent:
            return None
        partition, provider, item = self._rng.choice(sent)
        act = Opening(opens=OpeningKind.RESEND, provider=provider, item=item, partition=partition)
        return partition, act

    def _supply(self, found: FoundAsk) -> Iterator[RuledFact]:
        for name in sorted(found.ask.facts):
            values = sorted(value for value in FACTS[name].values if value != "UNKNOWN")
            value = "NO" if "NO" in values else self._rng.choice(values or ["3"])
            yield RuledFact(name=name, values=(value,))

    def _choose_end(self) -> int:
        return read_now() + int(self._rng.uniform(*COVERS_S) * 1_000)

    def _read_terms(self, found: FoundAsk, kept: KeptEntry[Entry]) -> AskedTerms:
        """Return the terms of an Ask about an item of this State, from the decision on the item."""
        if isinstance(kept.value, ReceivedItem):
            raise TypeError("the item is one of another State")
        conversation = kept.value.conversation
        topic = HistoryTopic(DECISIONS, self._state, f"national.{self._state.lower()}.console", SINGLE_OBJECT_FRAMING)
        find_item = match_ids({conversation.indicator: found.item})
        since_ms = found.ask.opened_at - DECIDED_MS
        decided = [
            record.fields
            for record in read_history(self._bootstrap, topic, found.partition, find_item, since_ms=since_ms)
            if (record.fields["version"], record.fields["amendment"]) == found.ask.revision
        ]
        recipients = tuple(map(read_recipient, decided[-1]["recipients"])) if decided else ()
        return find_own_terms(conversation, found.ask, recipients)


def claim(found: FoundAsk, *, is_ended: bool = False) -> Claiming:
    """Return the claim of an Ask, or its end."""
    ask = found.ask
    reference = AskReference(
        ask=ask.id, nonce=ask.nonce, provider=found.provider, item=found.item, partition=found.partition
    )
    return Claiming(asks=(reference,), is_ended=is_ended)


def find_barred(found: FoundAsk) -> str | None:
    """Return the officer who may not answer an Ask alone, because he or she has published the item; None if nobody."""
    return found.ask.publisher.officer if found.ask.row.four_eyes else None


def find_other(officer: str) -> str:
    """Return the colleague of an officer with the same roles."""
    return COLLEAGUE if officer == JUDGE else JUDGE


def _has_sent(entry: Entry) -> bool:
    """Return whether there is anything about an item that can be sent again."""
    if isinstance(entry, ReceivedItem):
        return any(ask.given and not ask.is_open for ask in entry.asks.values())
    conversation = entry.conversation
    has_delivered = any(True for _ in conversation.list_deliveries(DeliveryStatus.SENT))
    return has_delivered or any(ask.row.asks_recipient for ask in conversation.asks.values())
