"""The consumer of a lane: which partitions are its worker's, and what was read of them for the next batch."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, KafkaException

from processors.exactly_once.config import LoopConfig, consumer_properties
from processors.exactly_once.kafka_errors import ErrorReporter, is_retriable_query
from processors.exactly_once.retry import CALL_S, query_until_settled
from sharing.kafka.clients import make_consumer

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Consumer, TopicPartition

log = logging.getLogger(__name__)

CHUNK = 1_000  # records between two looks at the size of a batch
HEARTBEATS_S = 4.0  # in which a consumer hears that its place is taken: librdkafka asks every 3 s
SCAN_S = 20.0  # in which a broker ends what has outlived its time: it looks every 10 s by default
_LISTEN_S = 0.1


class BatchConsumer:
    """One consumer, from its opening to its end.

    Args:
        route: Of the lane.
        witness: Hears what goes wrong.
        give_up: Told which partitions are going to be taken away, before they are; may take its time.
        stopped: Whether the worker is to stop.

    Attributes:
        member: Under which membership of the group to commit what was read; opaque, None before there is one.
        fresh: Assigned partitions of which the ledger is not restored yet; who restores it empties this.

    Raises:
        KafkaException: The broker refuses.
    """

    def __init__(
        self,
        route: LoopConfig,
        witness: ErrorReporter,
        give_up: Callable[[set[int]], None],
        stopped: Callable[[], bool],
    ) -> None:
        self.member: Any = None
        self.fresh: set[int] = set()
        self._records_max = route.batch_records_max
        self._bytes_max = route.batch_bytes_max
        self._witness = witness
        self._give_up = give_up
        self._stopped = stopped
        self._settled_s = route.transaction_timeout_s + SCAN_S
        self._closing = False
        self._revoked = self._assigned = False  # during the current call of `consume`
        self._unassigned_since: float | None = time.monotonic()
        self._messages: list[Any] = []
        self._bytes = 0
        self._consumer: Consumer = make_consumer(consumer_properties(route, witness.on_error))
        hooks = {"on_assign": self._on_assign, "on_revoke": self._on_revoke, "on_lost": self._on_revoke}
        self._consumer.subscribe(list(route.topics), **hooks)

    @property
    def full(self) -> bool:
        """Whether what was read fills a batch."""
        return len(self._messages) >= self._records_max or self._bytes >= self._bytes_max

    @property
    def unassigned_s(self) -> float:
        """For how long there was nothing to read from: the group has not said what, or where that begins is not known.

        0 once it is known, be it of no partition.
        """
        return 0.0 if self._unassigned_since is None else time.monotonic() - self._unassigned_since

    def fill(self, wait_s: float) -> bool:
        """Wait for a first record, then read all that is there, until it fills a batch.

        Returns:
            Whether to go on. False when partitions went to another worker and came back on the way: what was read is
            dropped, and what the consumer has of it must not be read on from here.
        """
        consume = self._consumer.consume
        while not self.full:
            first = not self._messages
            self._revoked = self._assigned = False
            more = consume(1, wait_s) if first else consume(min(CHUNK, self._records_max - len(self._messages)), 0)
            if self._revoked and not first:
                # What was read until now may not be ours any more. Its owner begins at the committed offsets.
                self.take()
                return not self._assigned
            if not more:
                break
            self._bytes += sum(map(len, more))
            self._messages += more
        return True

    def take(self) -> list[Any]:
        """Return what was read, records and errors, and begin anew."""
        messages, self._messages, self._bytes = self._messages, [], 0
        return messages

    def listen(self) -> None:
        """Hear whether another process has taken this one's place; what is read meanwhile is dropped.

        Raises:
            InfrastructureError: It has.
        """
        until = time.monotonic() + HEARTBEATS_S
        while time.monotonic() < until and not self._stopped():
            self._witness.handle_errors(
                filter(None, (each.error() for each in self._consumer.consume(CHUNK, _LISTEN_S)))
            )

    def close(self) -> None:
        """Leave; as a static member, so that the partitions wait for this worker until the session's time-out."""
        self._closing = True
        with suppress(KafkaException):  # it is over anyway
            # An assignment that nobody has heard of can keep `close` from returning, and Python's lock with it (2.16).
            self._consumer.consume(1, 0)
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._closing:  # an assignment that came too late to be heard of before
            return
        # The membership to commit under is that of this moment: later, librdkafka may have lost it unnoticed.
        self.member = consumer.consumer_group_metadata()
        self._assigned = True
        self._unassigned_since = time.monotonic()
        log.info("assigned: %s", _list(partitions))
        places = self._find_places(consumer, partitions)
        consumer.assign(places)
        self.fresh.update(place.partition for place in places)
        if len(places) == len(partitions):
            self._unassigned_since = None

    def _find_places(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Return the partitions with the offsets to read on from; none of them when that is not to be waited for.

        Waits until no transaction may change the offsets any more (KIP-447). Not left to librdkafka: where partitions
        move while it waits, it takes an old answer, which is "not yet", for "none", and begins with the first record
        (`docs/adr/0019`).

        Raises:
            InfrastructureError: The broker refuses.
        """
        until = time.monotonic() + self._settled_s

        def late() -> bool:
            return self._stopped() or time.monotonic() > until or consumer.consumer_group_metadata() != self.member

        what = f"offsets of {_list(partitions)}: an open transaction holds them back, or nobody answers"
        try:
            places = query_until_settled(lambda: _ask_offsets(consumer, partitions), what, late) if partitions else []
        except KafkaException as failure:
            error = failure.args[0]
            if is_retriable_query(error):
                return []
            raise self._witness.fatal_error(error) from None
        for place in places:
            if place.offset < 0:  # none of this group
                place.offset = OFFSET_BEGINNING
        return places

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = {partition.partition for partition in partitions}
        self._give_up(numbers)
        self._revoked = True
        self._unassigned_since = time.monotonic()
        self.fresh -= numbers
        log.info("given up: %s", _list(partitions))


def _ask_offsets(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    places = consumer.committed(partitions, CALL_S)
    for place in places:
        if place.error is not None:
            raise KafkaException(place.error)
    return places


def _list(partitions: list[TopicPartition]) -> str:
    return ", ".join(f"{partition.topic}[{partition.partition}]" for partition in partitions) or "nothing"
