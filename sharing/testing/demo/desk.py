"""One State's officers in the demo: they find what is asked, rule, and see what the worker makes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Final, NamedTuple, TypeVar

from sharing.console.ruling_submission import RulingBus, RulingSigner, submit_ruling
from sharing.conversation.asks import Ask
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.entries import KeptConversation, decode_entry
from sharing.errors import InfrastructureError
from sharing.kafka.conversation_reader import EntryTable, KeptEntry
from sharing.rulings.act import Act, ActKind
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Answering, AskReference, Opening
from sharing.rulings.vocabulary import RefusalGround
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.testing.demo.keys import read_clock
from sharing.testing.demo.officers import DemoOfficer
from sharing.trust.public_keys import PublishedKey

WAIT_SECONDS_MAX: Final = 30.0
_POLL_SECONDS: Final = 0.1

Entry = KeptConversation | ReceivedItem
Selected = TypeVar("Selected")


class FoundAsk(NamedTuple):
    """A question that waits for this State's people.

    Attributes:
        ask: The question.
        provider: The State that provides the item.
        item: Id of the item.
        partition: Partition of the item.
        conditions_hash: Of an offer that was received, the hash of its conditions; None otherwise.
    """

    ask: Ask
    provider: str
    item: str
    partition: int
    conditions_hash: str | None


class DemoDesk:
    """The officers of one State.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        properties: Further librdkafka properties of the State's console.
        find_seal_key: Returns the key of the State's worker to which rulings are sealed, at a time in UTC milliseconds.
        check_workers: Raises if a worker has ended: then nothing needs to be waited for.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        properties: Mapping[str, str],
        find_seal_key: Callable[[int], PublishedKey | None],
        check_workers: Callable[[], None],
    ) -> None:
        self.state = state
        self._bootstrap = bootstrap
        self._properties = properties
        self._find_seal_key = find_seal_key
        self._check_workers = check_workers

    def find_ask(self, kind: AskKind, item: str, recipient: str) -> FoundAsk:
        """Return the open question of a kind about an item and a receiving State, as soon as it is there.

        Raises:
            InfrastructureError: It is not there in time, or a worker has ended.
        """
        return self._wait_for(
            lambda entry: _list_asks(entry, kind, item, recipient), f"{self.state} is asked {kind} about {item}"
        )

    def find_received(self, item: str, is_reached: Callable[[ReceivedItem], bool], description: str) -> ReceivedItem:
        """Return what the State's worker keeps about an item of another State, as soon as it is as described.

        Raises:
            InfrastructureError: It is not in time, or a worker has ended.
        """

        def select(kept: KeptEntry[Entry]) -> list[ReceivedItem]:
            entry = kept.value
            return [entry] if isinstance(entry, ReceivedItem) and entry.item == item and is_reached(entry) else []

        return self._wait_for(select, description)

    def answer(
        self,
        officer: DemoOfficer,
        found: FoundAsk,
        answer: Answer,
        *,
        text: str = "",
        grounds: tuple[RefusalGround, ...] = (),
        relaxed: tuple[str, ...] | None = None,
        facts: Iterable[RuledFact] = (),
        rule: str | None = None,
    ) -> list[Act]:
        """Answer a question, and return what the worker has done because of it.

        Raises:
            InfrastructureError: The worker does nothing in time, or has ended.
        """
        act = make_answering(found, answer, grounds=grounds, relaxed=relaxed, facts=facts, rule=rule)
        return self._rule(officer, act, found.item, found.partition, text)

    def open(self, officer: DemoOfficer, act: Opening, text: str = "") -> list[Act]:
        """Begin a recall, a correction or a withdrawal, and return what the worker has done.

        Raises:
            InfrastructureError: The worker does nothing in time, or has ended.
        """
        return self._rule(officer, act, act.item, act.partition, text)

    def _wait_for(self, select: Callable[[KeptEntry[Entry]], list[Selected]], description: str) -> Selected:
        # A new table, which knows at least what every act that was seen before belongs to.
        table: EntryTable[Entry] = EntryTable(self._bootstrap, self.state, decode_entry, self._properties)
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        with closing(table):
            table.read()
            while True:
                for kept in table.entries.values():
                    selected = select(kept)
                    if selected:
                        return selected[0]
                self._check_workers()
                if time.monotonic() > deadline:
                    raise InfrastructureError(f"not within {WAIT_SECONDS_MAX:g} s: {description}")
                table.follow(_POLL_SECONDS)

    def _rule(self, officer: DemoOfficer, act: Answering | Opening, item: str, partition: int, text: str) -> list[Act]:
        """Rule, and return the acts of the ruling, which are committed together.

        Raises:
            InfrastructureError: There are none in time, the worker has quarantined the ruling, or it has ended.
        """
        bus = RulingBus(self._bootstrap, self.state, self._properties, SINGLE_OBJECT_FRAMING, self._find_seal_key)
        signer = RulingSigner(officer.id, officer.key)
        outcome = submit_ruling(
            bus, signer, act, {partition: item}, text, WAIT_SECONDS_MAX, read_clock(), self._check_workers
        )
        for _, reason in outcome.refusals:
            raise InfrastructureError(f"the worker of {self.state} refuses a ruling: {reason}")
        if outcome.silent:
            raise InfrastructureError(f"the worker of {self.state} did nothing about a ruling in time")
        return [done for _, done in outcome.acts]


def find_refusal(acts: Iterable[Act]) -> str | None:
    """Return why a ruling was refused; None if it was not."""
    return next((str(act.reason) for act in acts if act.kind is ActKind.RULING_REFUSED), None)


def make_answering(
    found: FoundAsk,
    answer: Answer,
    *,
    grounds: tuple[RefusalGround, ...] = (),
    relaxed: tuple[str, ...] | None = None,
    facts: Iterable[RuledFact] = (),
    rule: str | None = None,
) -> Answering:
    """Return what an officer signs who answers one question."""
    ask = found.ask
    reference = AskReference(
        ask=ask.id, nonce=ask.nonce, provider=found.provider, item=found.item, partition=found.partition
    )
    return Answering(
        asks=(reference,),
        about=ask.kind,
        recipients=tuple(sorted(ask.recipients)),
        rule=rule,
        conditions_hash=found.conditions_hash,
        answer=answer,
        grounds=grounds,
        relaxed=relaxed,
        facts=tuple(facts),
    )


def list_open_asks(kept: KeptEntry[Entry]) -> list[FoundAsk]:
    """Return the open questions of an entry that wait for people of the State whose entry it is."""
    entry = kept.value
    if isinstance(entry, ReceivedItem):
        item, asks, provider, conditions = entry.item, entry.asks, entry.from_state, entry.conditions
    else:
        conversation = entry.conversation
        item, asks, provider, conditions = conversation.item, conversation.asks, conversation.state, {}
    # What another State is asked is its people's to answer.
    is_theirs = not isinstance(entry, ReceivedItem)
    return [
        FoundAsk(ask, provider, item, kept.partition, conditions.get(ask.id))
        for ask in asks.values()
        if ask.is_open and not (is_theirs and ask.row.asks_recipient)
    ]


def _list_asks(kept: KeptEntry[Entry], kind: AskKind, item: str, recipient: str) -> list[FoundAsk]:
    return [
        found
        for found in list_open_asks(kept)
        if found.item == item and found.ask.kind is kind and recipient in found.ask.recipients
    ]
