"""Sees everything that the gates write, as it comes: decisions, notices, offers, quarantine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, explain, make_consumer
from sharing.model.decision import most_open
from sharing.model.vocabulary import Outcome
from sharing.serialization.codec import codec_of
from sharing.topology.topics import DECISIONS, INDICATORS, NOTICES, OFFERS, QUARANTINE, URGENT, Role, TopicKind

WATCHED = (INDICATORS, DECISIONS, NOTICES, URGENT, OFFERS, QUARANTINE)
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Seen:
    """One record, decoded. `raw` is as it stood on the topic."""

    kind: TopicKind
    state: str
    record: dict[str, Any]
    raw: bytes


@dataclass(slots=True)
class DemoTally:
    """What was seen so far.

    Attributes:
        indicators: Records of the indicators' topics, by State.
        outcomes: Indicators by State and the outcome under which each counts.
        recipients: Decisions for each receiving State, by outcome.
        notices, offers: Notices and offers by receiving State.
        quarantined: Records by providing State.
    """

    indicators: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    decisions: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    outcomes: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    recipients: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    notices: Counter[str] = field(default_factory=Counter)
    offers: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)

    def take(self, seen: Seen) -> None:
        """Count one record."""
        match seen.kind:
            case _ if seen.kind is INDICATORS:
                self.indicators[seen.state].append(seen)
            case _ if seen.kind is DECISIONS:
                self.decisions[seen.state].append(seen)
                recipients = seen.record["recipients"]
                self.outcomes[seen.state][most_open(Outcome(one["outcome"]) for one in recipients)] += 1
                for one in recipients:
                    self.recipients[one["state"]][Outcome(one["outcome"])] += 1
            case _ if seen.kind is OFFERS:
                self.offers[seen.state] += 1
            case _ if seen.kind is QUARANTINE:
                self.quarantined[seen.state] += 1
            case _:
                self.notices[seen.state] += 1

    def accounted(self) -> int:
        """Return how many indicators have their decision or are quarantined."""
        return sum(counts.total() for counts in self.outcomes.values()) + self.quarantined.total()

    def complete(self) -> bool:
        """Return whether what the decisions announce has arrived."""
        disclosed = sum(counts[Outcome.DISCLOSE] for counts in self.recipients.values())
        offered = sum(counts[Outcome.OFFER] for counts in self.recipients.values())
        return self.notices.total() >= disclosed and self.offers.total() >= offered


class OutcomeWatcher:
    """Reads all watched topics of some States from their beginning.

    Args:
        bootstrap: Kafka bootstrap servers.
        states: Whose topics.
        client: The properties by which somebody who may read a topic connects.

    Raises:
        InfrastructureError: The topics cannot be read.
    """

    def __init__(self, bootstrap: str, states: Iterable[str], client: Callable[[Role, str], Mapping[str, str]]) -> None:
        self._places = {kind.topic(state): (kind, state) for kind in WATCHED for state in states}
        self._consumers: list[Consumer] = []
        readers: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for name, (kind, state) in self._places.items():
            role = Role.CONSOLE if Role.CONSOLE in kind.readers else Role.GATE
            readers.setdefault(tuple(client(role, state).items()), []).append(name)
        for properties, names in readers.items():
            self._consumers.append(_open(bootstrap, dict(properties), names))

    def read(self) -> Iterator[Seen]:
        """Yield what has come, waiting shortly when nothing has."""
        for consumer in self._consumers:
            for message in consumer.consume(500, POLL_SECONDS / len(self._consumers)):
                if message.error() is None:
                    kind, state = self._places[message.topic() or ""]
                    raw = message.value() or b""
                    yield Seen(kind, state, codec_of(kind.schema).decode(raw), raw)

    def close(self) -> None:
        """Stop reading."""
        for consumer in self._consumers:
            consumer.close()


def _open(bootstrap: str, properties: Mapping[str, str], names: Iterable[str]) -> Consumer:
    consumer: Consumer = make_consumer(client_properties(bootstrap, {**properties, "group.id": "watcher"}))
    try:
        known = consumer.list_topics(timeout=10).topics
    except KafkaException as error:
        raise InfrastructureError(f"cannot look up topics: {explain(error)}") from None
    consumer.assign(
        [TopicPartition(name, partition, 0) for name in names if name in known for partition in known[name].partitions]
    )
    return consumer
