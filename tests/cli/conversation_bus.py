"""A State's topics of the conversation on an embedded broker, officers with keys, and a worker for the tests.

The worker verifies rulings, and lets the two state machines decide, as the real one does. It keeps what changes and
writes the acts.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from processors.conversation.steps import describe_ruling
from sharing.conversation.asks import Officer
from sharing.conversation.effects import Effect
from sharing.conversation.received_events import ReceivedEffect
from sharing.conversation.terms import Terms, hash_condition
from sharing.conversation_state.entries import KeptConversation, encode_conversation, encode_received
from sharing.conversation_state.item_keys import make_own_key, make_received_key
from sharing.ids import make_item_id, make_quarantine_id
from sharing.keystore.private_key_file import read_key_header
from sharing.model.decision import Decision, PackReference, RecipientDecision
from sharing.model.recipient_terms import Condition, RecipientTerms, RuleReference
from sharing.model.times import from_milliseconds
from sharing.model.vocabulary import AuditLogName, Authority, ConditionKind, Outcome
from sharing.model.vocabulary import Effect as RuleEffect
from sharing.passkeys.passkey import Passkey
from sharing.rulings.effect_acts import ActContext, to_act
from sharing.rulings.mapping import to_events
from sharing.rulings.ruling import Answering
from sharing.rulings.signing import VerifiedRuling, verify_ruling
from sharing.rulings.vocabulary import RulingError
from sharing.serialization.codec import get_codec
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CONVERSATIONS, DECISIONS, DIRECTORY, OFFICERS, QUARANTINE, RULINGS
from sharing.trust.public_keys import PublishedKey
from tests.cli.conftest import Call, CommandResult
from tests.conversation.people import JUDGE, ROLE
from tests.conversation.test_provider import Story
from tests.conversation.test_receiver import Inbox
from tests.kafka.topic_io import SECONDS, plain_producer, read_records
from tests.support.audit_entries import make_block

PARTITIONS = 2
PASSPHRASE = "an officer's passphrase"  # noqa: S105 of keys that live as long as a test
CONDITIONS = {
    code: Condition(code, ConditionKind.PURPOSE, f"What {code} says.") for code in ("c.one", "c.two", "c.three")
}
HELD_BY = RuleReference("ch.imac-67a-4", "IMAC art. 67a(4)", RuleEffect.APPROVAL)
OFFERED_BY = RuleReference("ch.imac-67a-2", "IMAC art. 67a(2)", RuleEffect.CONDITION)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Registered:
    """An officer of the worker's register."""

    officer: Officer
    keys: tuple[PublishedKey, ...]
    authority: Authority = Authority.COURT
    passkeys: tuple[Passkey, ...] = ()

    def to_officer(self) -> Officer:
        return self.officer


@dataclass
class ConversationBus:
    """The bus of one State.

    Attributes:
        officers: The worker's register.
        stories: What the worker keeps about own items.
        inboxes: What it keeps about items of other States.
        partitions: The partition of each item.
        properties: With which librdkafka properties the worker connects.
    """

    broker: Broker
    call: Call
    folder: Path
    state: str = "CH"
    officers: dict[str, Registered] = field(default_factory=dict)
    stories: dict[str, Story] = field(default_factory=dict)
    inboxes: dict[str, Inbox] = field(default_factory=dict)
    partitions: dict[str, int] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)

    def write(self, topic: str, values: list[bytes], *, key: bytes = b"key", partition: int = 0) -> None:
        """Write records as the worker does, and wait for their confirmation."""
        producer = plain_producer(self.broker, **self.properties)
        for value in values:
            producer.produce(topic, value, key, partition)
        assert producer.flush(SECONDS) == 0

    def create_topics(self, partitions: int = PARTITIONS) -> None:
        for kind in (CONVERSATIONS, DECISIONS, ACTS, RULINGS, QUARANTINE):
            self.broker.create_topics([kind.topic(self.state)], partitions)
        self.broker.create_topics([OFFICERS.topic(self.state), DIRECTORY.topic(self.state)], 1)

    def run(self, *arguments: str | Path) -> CommandResult:
        return self.call(*arguments, "--state", self.state)

    def rule(self, *arguments: str | Path, officer: str = JUDGE.id, wait: str = "0") -> CommandResult:
        """Run a command by which an officer rules."""
        key = self.folder / f"{officer}.key"
        secret = self.folder / f"{officer}.pass"
        with patch.dict(os.environ, {"SHARING_SEAL_TO_WORKER": "false"}):  # the worker of these tests has no keys
            return self.run(*arguments, "--as", officer, "--key", key, "--passphrase-file", secret, "--wait", wait)

    def add_officer(self, officer: Officer = JUDGE) -> None:
        """Make an officer's key, and enter him or her into the worker's register."""
        key, secret = self.folder / f"{officer.id}.key", self.folder / f"{officer.id}.pass"
        secret.write_text(PASSPHRASE)
        secret.chmod(0o600)
        made = self.call(
            "officers", "make-key", "--state", self.state, "--key", key, "--passphrase-file", secret, "--json"
        )
        assert made.code == 0, made
        public = read_key_header(key).key
        assert isinstance(public, PublishedKey)
        self.officers[officer.id] = Registered(officer, (public,))

    def publish(self, number: int, *terms: Terms, partition: int = 0, **changes: Any) -> tuple[str, Story]:
        """Let the gate decide on an item and the conversation begin. Return the id of the item, and its story."""
        indicator = str(make_item_id("indicator", "", str(number)))
        item = make_item_id(self.state, "fedpol", indicator)
        story = Story()
        story.now = now_ms()
        story.conversation = replace(story.conversation, item=item, indicator=indicator)
        story.decide(*(replace(each, texts=_write_texts(each)) for each in terms), **changes)
        self.stories[item], self.partitions[item] = story, partition
        self.write_decision(item, *terms)
        self.keep(item)
        self.write_acts(item, self.state, story.effects)
        return item, story

    def receive(self, inbox: Inbox, item: str, partition: int = 0, from_state: str = "DE") -> None:
        """Keep an item of another State."""
        inbox.received = replace(inbox.received, item=item, from_state=from_state, state=self.state)
        asks = {ask_id: replace(ask, state=self.state) for ask_id, ask in inbox.received.asks.items()}
        inbox.received = replace(inbox.received, asks=asks)
        self.inboxes[item], self.partitions[item] = inbox, partition
        self.keep(item)
        self.write_acts(item, from_state, inbox.effects)

    def keep(self, item: str) -> None:
        """Write the entry of an item, as the changelog of the state store has it."""
        if item in self.stories:
            key, value = make_own_key(item), encode_conversation(KeptConversation(self.stories[item].conversation))
        else:
            received = self.inboxes[item].received
            key, value = make_received_key(received.from_state, item), encode_received(received)
        self.write(CONVERSATIONS.topic(self.state), [value], key=key, partition=self.partitions[item])

    def write_decision(self, item: str, *terms: Terms) -> None:
        story = self.stories[item]
        recipients = tuple(RecipientDecision(each.state, (), _make_terms(each)) for each in terms)
        decision = Decision(
            indicator_id=story.conversation.indicator, version=story.conversation.revision.version,
            decided_at=story.now, state=self.state, pack=PackReference(self.state, "2026.1", "0" * 64),
            directory_version="", recipients=recipients, amendment=story.conversation.revision.amendment,
        )  # fmt: skip
        value = get_codec("decision").encode(decision.to_record())
        partition = self.partitions[item]
        block = make_block(self.state, AuditLogName.DECISIONS, [value], partition, story.now)
        self.write(DECISIONS.topic(self.state), [block], partition=partition)

    def write_acts(
        self,
        item: str,
        provider: str,
        effects: Sequence[Effect] | Sequence[ReceivedEffect],
        by: VerifiedRuling | None = None,
    ) -> None:
        described = describe_ruling(by, None)
        if by is not None and isinstance(by.ruling.act, Answering):
            described |= {"own_rule": by.ruling.act.own_rule}  # this worker has no law, and takes every rule for known
        context = ActContext(item, provider, self.state, now_ms(), **described)
        values = [to_act(effect, context).encode() for effect in effects]
        if not values:
            return
        partition = self.partitions[item]
        block = make_block(self.state, AuditLogName.ACTS, values, partition, now_ms())
        self.write(ACTS.topic(self.state), [block], partition=partition)

    def read_rulings(self) -> list[VerifiedRuling]:
        """Return the rulings that were written, verified."""
        records = read_records(self.broker, RULINGS.topic(self.state), PARTITIONS)
        return [self.verify(record) for record in records]

    def verify(self, record: Any) -> VerifiedRuling:
        return verify_ruling(
            record.value(),
            lambda officer, _: self.officers.get(officer),
            state=self.state,
            partition=record.partition(),
            at_ms=now_ms(),
        )

    def process(self, record: Any) -> None:
        """Do what a worker does with a ruling."""
        try:
            verified = self.verify(record)
        except RulingError as error:
            self._quarantine(record, error)
            return
        events = to_events(
            verified.ruling, verified.officer, verified.at_ms, partition=verified.partition, roles=frozenset({ROLE})
        )
        for item, event, provider in events:
            kept: Any = self.stories.get(item) or self.inboxes[item]
            kept.happen(event)
            self.keep(item)
            self.write_acts(item, provider, kept.effects, verified)

    def _quarantine(self, record: Any, error: RulingError) -> None:
        topic, number, offset = record.topic(), record.partition(), record.offset()
        fields = {
            "id": make_quarantine_id(topic, number, offset), "state": self.state, "topic": topic, "partition": number,
            "offset": offset, "quarantined_at": from_milliseconds(now_ms()), "stage": "CHECK",
            "cause": str(error.fault), "message": str(error), "indicator_id": None, "pack": None, "record": None,
        }  # fmt: skip
        value = get_codec("quarantine").encode(fields)
        self.write(QUARANTINE.topic(self.state), [value], partition=number)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let the worker run meanwhile."""
        stopping, failures = threading.Event(), list[BaseException]()

        def work() -> None:
            done: set[tuple[int | None, int | None]] = set()
            try:
                while not stopping.is_set():
                    for record in read_records(self.broker, RULINGS.topic(self.state), PARTITIONS):
                        place = record.partition(), record.offset()
                        if place not in done:
                            done.add(place)
                            self.process(record)
                    stopping.wait(0.05)
            except BaseException as error:  # noqa: BLE001 reported by the test's thread
                failures.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield
        finally:
            stopping.set()
            worker.join()
        assert not failures, failures


def _write_texts(terms: Terms) -> frozenset[tuple[str, str]]:
    return frozenset((code, hash_condition(code, CONDITIONS[code].text)) for code in terms.conditions)


def _make_terms(terms: Terms) -> RecipientTerms:
    rules = {Outcome.HOLD: (HELD_BY,), Outcome.OFFER: (OFFERED_BY,)}.get(terms.outcome, ())
    conditions = tuple(CONDITIONS[code] for code in sorted(terms.conditions))
    return RecipientTerms(
        terms.outcome, "UNCAC", None, rules, (), conditions, terms.approver, is_obligatory=False, redacted=()
    )


@contextmanager
def open_conversation_bus(call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConversationBus]:
    """Provide an embedded broker with topics and one officer."""
    with EmbeddedBroker() as broker:
        monkeypatch.setenv("SHARING_BOOTSTRAP", broker.bootstrap)
        bus = ConversationBus(broker, call, folder)
        bus.create_topics()
        bus.add_officer()
        yield bus
