"""Reads and counts everything that the gates write: decisions, notices, offers, quarantined records.

With keys, notices and offers are read where a State's own programs read them: in its inbox, opened as its reader.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from sharing.audit.block import read_block
from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, consume_available, make_consumer
from sharing.kafka.errors import describe_kafka_error
from sharing.model.decision import find_most_permissive
from sharing.model.vocabulary import MessageKind, Outcome
from sharing.serialization.codec import get_codec
from sharing.testing.demo.keys import DemoKeys
from sharing.topology.topic_kinds import Role, TopicKind
from sharing.topology.topics import DECISIONS, INBOX, INBOX_URGENT, INDICATORS, NOTICES, OFFERS, QUARANTINE, URGENT

WATCHED = (INDICATORS, DECISIONS, NOTICES, URGENT, OFFERS, QUARANTINE)
WATCHED_WITH_KEYS = (DECISIONS, INBOX, INBOX_URGENT, QUARANTINE)
"""Indicators are sealed to the gate, so nothing here can read them."""

POLL_SECONDS = 0.2
_BATCH = 500


@dataclass(frozen=True, slots=True)
class ObservedRecord:
    """A decoded record. `raw` holds its bytes on the topic, or those that an item of an inbox contains."""

    kind: TopicKind
    state: str
    record: dict[str, Any]
    raw: bytes


@dataclass(slots=True)
class DemoTally:
    """Records read so far, and counts of them.

    Attributes:
        indicators: Indicator records by providing State.
        decisions: Decision records by providing State.
        outcomes: Number of indicators by providing State and overall outcome.
        recipients: Number of decisions by receiving State and outcome.
        notices, offers: Number of notices and offers by receiving State.
        quarantined: Number of quarantined records by providing State.
    """

    indicators: dict[str, list[ObservedRecord]] = field(default_factory=lambda: defaultdict(list))
    decisions: dict[str, list[ObservedRecord]] = field(default_factory=lambda: defaultdict(list))
    outcomes: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    recipients: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    notices: Counter[str] = field(default_factory=Counter)
    offers: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)

    def count(self, observed: ObservedRecord) -> None:
        """Count one record."""
        state = observed.state
        if observed.kind is INDICATORS:
            self.indicators[state].append(observed)
        elif observed.kind is DECISIONS:
            self.decisions[state].append(observed)
            recipients = observed.record["recipients"]
            self.outcomes[state][find_most_permissive(Outcome(recipient["outcome"]) for recipient in recipients)] += 1
            for recipient in recipients:
                self.recipients[recipient["state"]][Outcome(recipient["outcome"])] += 1
        elif observed.kind is OFFERS:
            self.offers[state] += 1
        elif observed.kind is QUARANTINE:
            self.quarantined[state] += 1
        else:
            self.notices[state] += 1

    def count_accounted(self) -> int:
        """Return how many indicators are decided or quarantined."""
        return sum(counts.total() for counts in self.outcomes.values()) + self.quarantined.total()

    def is_complete(self) -> bool:
        """Return whether every notice and offer that the decisions imply has arrived."""
        disclosed = sum(counts[Outcome.DISCLOSE] for counts in self.recipients.values())
        offered = sum(counts[Outcome.OFFER] for counts in self.recipients.values())
        return self.notices.total() >= disclosed and self.offers.total() >= offered


class OutcomeWatcher:
    """Reads all watched topics of some States from the beginning.

    Args:
        bootstrap: Kafka bootstrap servers.
        states: The States whose topics are read.
        get_client_properties: Returns the librdkafka properties of a role in a State.
        keys: The keys of the States; None if nothing is sealed.

    Raises:
        InfrastructureError: The topics cannot be read.
    """

    def __init__(
        self,
        bootstrap: str,
        states: Iterable[str],
        get_client_properties: Callable[[Role, str], Mapping[str, str]],
        keys: DemoKeys | None = None,
    ) -> None:
        self._keys = keys
        watched = WATCHED if keys is None else WATCHED_WITH_KEYS
        self._kinds = {kind.topic(state): (kind, state) for kind in watched for state in states}
        self._consumers: list[Consumer] = []
        readers: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for name, (kind, state) in self._kinds.items():
            role = Role.CONSOLE if Role.CONSOLE in kind.readers else Role.GATE
            readers.setdefault(tuple(get_client_properties(role, state).items()), []).append(name)
        for properties, names in readers.items():
            self._consumers.append(_open_consumer(bootstrap, dict(properties), names))

    def read_records(self) -> Iterator[ObservedRecord]:
        """Yield the records that have arrived; wait briefly if there are none.

        Raises:
            SealError: An item of an inbox does not open for the State's reader.
        """
        for consumer in self._consumers:
            for message in consume_available(consumer, _BATCH, POLL_SECONDS / len(self._consumers)):
                if message.error() is None:
                    kind, state = self._kinds[message.topic() or ""]
                    kind, raw = self._open(kind, state, message.value() or b"")
                    if kind is DECISIONS:
                        yield from _list_decisions(state, raw)
                    else:
                        yield ObservedRecord(kind, state, get_codec(kind.schema).decode(raw), raw)

    def _open(self, kind: TopicKind, state: str, raw: bytes) -> tuple[TopicKind, bytes]:
        """Return the kind of topic that a record belongs on, and the record: of an inbox, what an item contains."""
        if kind is URGENT and raw.startswith(get_codec(OFFERS.schema).header):
            return OFFERS, raw  # where urgent offers are too
        if self._keys is None or kind not in {INBOX, INBOX_URGENT}:
            return kind, raw
        item = self._keys.states[state].open_item(raw)
        if item.envelope.kind is MessageKind.OFFER:
            return OFFERS, item.content
        return (URGENT if kind is INBOX_URGENT else NOTICES), item.content

    def close(self) -> None:
        """Stop reading."""
        for consumer in self._consumers:
            consumer.close()


def _list_decisions(state: str, raw: bytes) -> Iterator[ObservedRecord]:
    """Yield the decisions of a block."""
    block = read_block(raw)
    codec = get_codec(block.log.entry_schema)
    for entry in block.entries:
        yield ObservedRecord(DECISIONS, state, codec.decode(entry), entry)


def _open_consumer(bootstrap: str, properties: Mapping[str, str], names: Iterable[str]) -> Consumer:
    consumer: Consumer = make_consumer(client_properties(bootstrap, {**properties, "group.id": "watcher"}))
    try:
        known = consumer.list_topics(timeout=10).topics
    except KafkaException as error:
        raise InfrastructureError(f"cannot look up topics: {describe_kafka_error(error)}") from None
    consumer.assign(
        [TopicPartition(name, partition, 0) for name in names if name in known for partition in known[name].partitions]
    )
    return consumer
