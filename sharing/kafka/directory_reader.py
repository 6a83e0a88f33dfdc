"""Reads the directory: one topic for each State, each independently of the others.

**Is this still the same log?** Every few seconds the reader checks which topics there are, their ids (KIP-516)
and their ends. A topic that was deleted and created again is a different log: its State's entry is dropped, and read
from the new topic. The same applies to a topic that ends before the position, and to one that was last read to its end
so long ago that a tombstone may have been removed since. A snapshot is as old as the last check that it agrees with,
and a user that must not act on an old one (a gate that was suspended or cut off) waits for the next.

**With pins, only signed statements are trusted.** Each State's entry is verified from its pinned root, and what was
verified is not forgotten when a topic is deleted (`sharing.directory.state_chain`). Without pins, what is in the topics
counts.

**One State does not hold up the others.** A record batch that cannot be decompressed is skipped. A topic that is not
read to its end within a bounded time, although brokers answer, is given up and tried again later; until then its State
has no entry. Memory is bounded by what a batch of the topic's `max.message.bytes` can inflate to.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS
from sharing.kafka.clients import consume_available, look_up_topics, make_admin
from sharing.kafka.directory_cluster import (
    assign_partitions,
    make_directory_consumer,
    query_cluster,
    require_directory,
)
from sharing.kafka.directory_log import DirectoryLog
from sharing.kafka.directory_logs import STALL_SECONDS_MAX, DirectoryLogs
from sharing.kafka.directory_memory import DirectoryMemory
from sharing.kafka.directory_view import DirectoryView
from sharing.kafka.errors import describe_kafka_error
from sharing.model.countries import STATES
from sharing.model.directory import Directory
from sharing.model.directory_changes import CHANGE_INTERVAL_S, Instant
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from confluent_kafka import Message

    from sharing.trust.key_statement import TrustedKeys
    from sharing.trust.root import Pin

log = logging.getLogger(__name__)

READ_SECONDS_MAX = 60.0

CHECK_SECONDS = 3.0
REQUEST_SECONDS_MAX = 5.0

_CLIENT_ERRORS = frozenset({KafkaError._AUTHENTICATION, KafkaError._FATAL})  # noqa: SLF001 librdkafka's own codes
_MESSAGES_MAX = 100


def read_uptime() -> float:
    """Return seconds of a clock that is never set and that includes the time during which the machine was suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def read_clock() -> int:
    """Return the time in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class DirectoryReader:
    """Reads the directory and keeps a snapshot of it up to date.

    Args:
        bootstrap: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        finds_receivers: Whether to look up which States have topics for notices and offers. Needs permission to
            describe all `exchange.*` topics, which only gates have.
        partitions_like: The topic whose number of partitions those topics must have; "" if any number will do.
        change_interval_s: At most one change of what a State announces takes effect in this interval, in seconds.
        pins: The pinned root of each State that is trusted (`sharing.kafka.directory_pins` reads them); then only what
            these States have signed counts, and only those with a valid seal key are receiving States. None to trust
            what is in the topics.
        states: The States whose topics are read; other States do not exist for this reader.
        clock: Returns the time in UTC milliseconds.
        memory: The folder in which it keeps, with pins, what it has accepted: then it accepts nothing older after a
            restart. None to forget it.

    One thread polls; others may read the attributes.

    Raises:
        SettingsError: A property is unknown or wrong, or what it remembers is damaged.
    """

    def __init__(  # noqa: PLR0913 each is a choice of its own
        self,
        bootstrap: str,
        properties: Mapping[str, Any] | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        *,
        finds_receivers: bool = False,
        partitions_like: str = "",
        change_interval_s: float = CHANGE_INTERVAL_S,
        pins: Mapping[str, Pin] | None = None,
        states: Iterable[str] = STATES,
        clock: Callable[[], int] = read_clock,
        memory: Path | None = None,
    ) -> None:
        kept = DirectoryMemory(memory) if memory is not None and pins is not None else None
        self._view = DirectoryView(framing, change_interval_s, pins, kept)
        self._view.restore(clock())
        self._clock = clock
        self._bootstrap = bootstrap
        self._properties = dict(properties or {})
        self._finds_receivers = finds_receivers
        self._partitions_like = partitions_like
        self._states = frozenset(states)
        self._logs = DirectoryLogs(self._view.forget_state)
        self._receiving_states: frozenset[str] | None = None
        self._checked_at: float | None = None
        self._answering_since: float | None = None
        self._next_check_at = 0.0
        self._admin = make_admin(bootstrap, self._properties)
        self._consumer = make_directory_consumer(bootstrap, self._properties)

    @property
    def snapshot(self) -> Directory:
        """The entries in effect; empty until every topic was read to its end or given up.

        It is a new object exactly when something has changed.
        """
        return self._view.snapshot

    @property
    def trusted_keys(self) -> Mapping[str, TrustedKeys]:
        """The online keys that may be used now, by State, as of the last poll; none without pins."""
        return self._view.trusted_keys

    def find_newest_keys(self, state: str) -> TrustedKeys | None:
        """Return the newest online keys of a State, as of the last poll; None if none are verified, or without pins.

        They may no longer be valid: this is for what they revoke.
        """
        return self._view.find_newest_keys(state)

    @property
    def age_s(self) -> float:
        """Age of the snapshot in seconds: the time since the start of the last check that all of it agrees with."""
        confirmed = [known.caught_up_at for known in list(self._logs.values()) if known.stall is None]
        if self._checked_at is None or None in confirmed:
            return float("inf")
        return read_uptime() - min((time for time in confirmed if time is not None), default=self._checked_at)

    @property
    def unreadable(self) -> Mapping[str, str]:
        """The States that have no entry although their topic is not empty, with the cause: a code.

        Their topic or its newest record cannot be read; with pins, also what is missing, refused or expired.
        """
        return self._view.problems.unreadable

    @property
    def unconfirmed(self) -> Mapping[str, str]:
        """With pins: the States whose last good entry is in force, although something is wrong, with the cause."""
        return self._view.problems.unconfirmed

    @property
    def ignored_count(self) -> int:
        """Number of records and batches that are not a valid entry of their topic's State."""
        return sum(known.ignored_count for known in list(self._logs.values()))

    def read_to_end(self, timeout_s: float = READ_SECONDS_MAX) -> Directory:
        """Read all topics up to their current ends, and return the snapshot. `unreadable` says what is missing.

        Raises:
            InfrastructureError: No broker answers, no topic of the directory exists or may be read, or the end is not
                reached in time.
        """
        require_directory(look_up_topics(self._bootstrap, self._properties))
        started = read_uptime()
        self._next_check_at = 0.0
        while self.age_s > read_uptime() - started:
            if read_uptime() > started + timeout_s:
                raise InfrastructureError(f"the directory could not be read within {timeout_s:g} s; check the broker")
            self.poll_updates(0.2)
        return self.snapshot

    def poll_updates(self, timeout_s: float) -> Directory:
        """Read new records, waiting at most `timeout_s` for the first, and return the snapshot.

        Every few seconds this also checks the topics, which takes longer while no broker answers.

        Raises:
            InfrastructureError: No topic of the directory exists or may be read.
        """
        now = read_uptime()
        if now >= self._next_check_at:
            self._check_topics(now)
        sought: set[str] = set()
        for message in consume_available(self._consumer, _MESSAGES_MAX, timeout_s):
            if message.topic() not in sought and self._read_message(message):
                sought.add(str(message.topic()))  # what follows was fetched before
        for known in self._logs.values():
            if known.is_at_end and self._checked_at is not None:
                known.mark_end(self._checked_at)
        self._update_snapshot()
        return self.snapshot

    def close(self) -> None:
        """Disconnect from the broker."""
        self._consumer.close()

    def _check_topics(self, now: float) -> None:
        """Compare what is known with the cluster; give up topics that take too long.

        Raises:
            InfrastructureError: No topic of the directory exists or may be read.
        """
        try:
            cluster = query_cluster(self._admin, REQUEST_SECONDS_MAX, self._partitions_like, self._states)
        except KafkaException as error:
            log.warning("the topics of the directory cannot be checked: %s", describe_kafka_error(error))
            self._answering_since = None
            return
        finally:
            self._next_check_at = read_uptime() + CHECK_SECONDS
        is_silent = self._checked_at is None or now - self._checked_at > STALL_SECONDS_MAX
        if is_silent or self._answering_since is None:
            self._answering_since = now  # every topic gets the full time again
        self._checked_at = now
        self._view.retry_refused(self._clock())
        if self._finds_receivers:
            self._receiving_states = cluster.receiving_states
        if self._logs.take_over(cluster, now) | self._logs.give_up_stalled(now, self._answering_since):
            self._assign_partitions()

    def _assign_partitions(self) -> None:
        """Read every topic that was not given up, from its position."""
        logs = [known for known in self._logs.values() if known.is_read]
        assign_partitions(self._consumer, [TopicPartition(known.topic, 0, known.position) for known in logs])

    def _read_message(self, message: Message) -> bool:
        """Process a record, an end or an error, and return whether the position in its topic was changed.

        Raises:
            InfrastructureError: The client cannot connect.
        """
        error = message.error()
        known = self._logs.get((message.topic() or "").removeprefix(DIRECTORY.topic()).upper())
        if error is not None and (error.fatal() or error.code() in _CLIENT_ERRORS):
            raise InfrastructureError(f"the directory cannot be read: {describe_kafka_error(error)}")
        if known is None:
            # librdkafka looks up the coordinator of `group.id`, although this consumer joins no group.
            if error is not None and error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
                log.warning("directory: %s", describe_kafka_error(error))  # librdkafka recovers from it
        elif error is None:
            self._view.read_record(known, message, self._clock())
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
            known.reach_offset(message.offset() or 0)
        elif error.code() in BAD_BATCH_ERRORS:
            return self._skip_batch(known, message)
        else:
            if known.last_error != error.name():
                log.warning("%s: %s", known.topic, describe_kafka_error(error))
            known.last_error = error.name()
            self._next_check_at = min(self._next_check_at, read_uptime() + 1.0)
        return False

    def _skip_batch(self, known: DirectoryLog, message: Message) -> bool:
        partition = TopicPartition(known.topic, 0)
        try:
            _, end = self._consumer.get_watermark_offsets(partition, timeout=REQUEST_SECONDS_MAX)
            partition.offset = known.skip_batch(message, end)
            self._consumer.seek(partition)
        except KafkaException as failure:  # librdkafka reports the batch again
            log.warning("%s: %s", known.topic, describe_kafka_error(failure))
        return True

    def _update_snapshot(self) -> None:
        if self.age_s == float("inf"):
            return
        self._view.update(self._logs, self._receiving_states, Instant(read_uptime(), self._clock()))
