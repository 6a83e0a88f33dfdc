"""The client with which a partner State's own program receives notices.

```python
with Subscriber("broker:9092", state="DE") as subscriber:
    for notice in subscriber:
        print(notice.from_state, notice.content["value"], notice.conditions)
```

Only committed records are read. A notice counts as handled when the program asks for the next one; its offset is
committed then. After an exception, a crash or a `break`, the notice is delivered again, with the same id. No version of
an item is delivered after a later one.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, assert_never

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from sharing.errors import DecodeError, InfrastructureError, InputError
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.deferred_close import DeferredClose
from sharing.kafka.group_consumer import GroupConsumer, PolledRecord
from sharing.model.countries import normalise_country
from sharing.model.delivery_history import DeliveryHistory, Repetition
from sharing.model.notice import Notice
from sharing.serialization.cloud_events import TRACEPARENT, find_header
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.telemetry.tracing import read_traceparent
from sharing.topology.topics import INBOX, INBOX_URGENT, NOTICES, URGENT

if TYPE_CHECKING:
    from confluent_kafka import Message

    from sharing.telemetry.client_metrics import SubscriberMetrics

log = logging.getLogger(__name__)

REMEMBERED_IDS_MAX = 100_000
"""How many notice ids, and how many items with their last version, one subscriber remembers."""

SILENCE_SECONDS_MAX = 60.0
"""With `stop_at_end`: how long the broker may deliver nothing before the iteration fails."""

_OFFER_HEADER = get_codec("offer").header
_POLL_SECONDS = 0.05
_URGENT_SECONDS_MAX = 5.0
"""How long ordinary notices wait for the end of the urgent topic: one of its partitions may be unavailable."""


@dataclass(frozen=True, slots=True)
class UnreadableNotice:
    """A record on the State's topics that is not a readable notice for this State. It stays on the topic.

    It may also be a whole batch of records that cannot be decompressed, or a notice with an id that was handed out with
    another content.

    Attributes:
        topic: Name of the topic.
        partition: Number of the partition.
        offset: Offset of the record in the partition; of the first record, for a batch.
        reason: Why it is not handed out. Contains nothing of the record's content.
        cause: The reason as a code, such as `WRONG_STATE` or `BAD_COMPRESSION`.
        last_offset: Offset of the last record of a batch; otherwise the same as `offset`.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    cause: str
    last_offset: int


class ItemOpener(Protocol):
    """What opens the items of a State's inbox: an `InboxReader`."""

    @property
    def state(self) -> str:
        """The State whose inbox it opens."""
        ...

    def open_notice(self, value: bytes, arrived_at: int | None = None) -> bytes | None:
        """Return the notice in an item, as an Avro record; None if the item is an offer.

        Args:
            value: The item, in Avro single-object encoding.
            arrived_at: When it arrived by the broker's clock, in UTC milliseconds; None if the broker does not say so.

        Raises:
            DecodeError: The item is refused.
            InfrastructureError: No item can be judged at the moment.
        """
        ...


class Subscriber:
    """Receives the notices for one State, urgent ones first.

    Iterate over the object, or call `run` with a handler. Both join a consumer group and read committed records only.

    Delivery: at least once across the lives of a process; within one life, a handled notice is not delivered again. A
    notice is committed after it was handled: when the iteration asks for the next notice, or when the handler of `run`
    returns. The commit is sent then, and confirmed while the next notices are delivered; if 16 are not confirmed, or
    for a tenth of a second none is, they wait. A notice that was delivered and not committed (an exception, a crash, a
    `break`, an outage that outlasts the group's session) is delivered again, with the same id; store the ids that you
    have processed if processing one twice would do harm. One object recognises the last 100,000 ids. Notices of one
    partition arrive in order; there is no order across partitions and topics. A version that is older than the one of
    the same item that was handed out last is skipped, counted and logged; one object remembers the last 100,000 items.

    Start: each committed offset carries the id of its topic. A topic that was deleted and created again is read from
    its beginning. If the log ends before the committed offset, records were lost, and the subscriber stops. After
    the broker has forgotten the group's offsets (`offsets.retention.minutes`), everything is delivered again.

    Outages: the subscriber waits for a broker that does not answer, and joins its group again after a rebalance or a
    handler that took longer than `max.poll.interval.ms`.

    Thread safety: only one thread at a time may iterate or call `run`. Any thread may call `close`.

    Args:
        bootstrap: Kafka bootstrap servers, such as `broker:9092`.
        state: ISO 3166-1 alpha-2 code of the receiving State.
        group: Id of the consumer group, `exchange.<st>.subscriber` when not given. Subscribers in the same group share
            the notices. Urgent notices are read in a second group, whose id has the suffix `.urgent`.
        properties: Further librdkafka properties, such as those of TLS. `isolation.level`, `enable.auto.commit`,
            `enable.partition.eof`, `auto.offset.reset`, `partition.assignment.strategy`, `group.protocol` and
            `group.id` cannot be changed.
        on_unreadable: Called with each record that is not a readable notice for this State, after it was counted; then
            reading continues. If it raises, the iteration ends with that exception, and the record is reported again.
            If None, such a record is skipped, with a warning in the log (topic, partition, offset, cause).
        stop_at_end: Stop after reading all records that exist, instead of waiting for new ones.
        peek: Read from the oldest notice that is kept, in groups of its own, and commit nothing. No other subscriber
            misses a notice for it.
        framing: How records are framed: Avro single-object encoding unless given. `registry_framing` returns the
            framing for a Schema Registry; a subscriber with it reads both.
        metrics: Prometheus metrics to update; None for no metrics.
        reader: Opens the items of the State's inbox: an `InboxReader`. Then the inbox is read, in the groups
            `exchange.<st>.inbox` and `exchange.<st>.inbox.urgent` when none is given, and nothing else is believed. If
            None, notices that are not sealed are read from where other States write them.

    Attributes:
        state: ISO 3166-1 alpha-2 code of the receiving State, in upper case.

    Raises:
        InfrastructureError: No broker answers, or the State's topics do not exist or may not be seen.
        InputError: The State is unknown, the reader's is another one, or the group has an empty name.
        SettingsError: A librdkafka property is unknown or wrong.
    """

    def __init__(  # noqa: PLR0913 all but the first two are named and have defaults
        self,
        bootstrap: str,
        state: str,
        *,
        group: str | None = None,
        properties: Mapping[str, Any] | None = None,
        on_unreadable: Callable[[UnreadableNotice], None] | None = None,
        stop_at_end: bool = False,
        peek: bool = False,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        metrics: SubscriberMetrics | None = None,
        reader: ItemOpener | None = None,
    ) -> None:
        self._metrics = metrics
        self._reader = reader
        self._framing = framing
        self.state = normalise_country(state)
        self._on_unreadable = on_unreadable
        self._stop_at_end = stop_at_end
        self._commits = not peek
        self._history = DeliveryHistory(REMEMBERED_IDS_MAX)
        self._pending: tuple[GroupConsumer, PolledRecord] | None = None
        if reader is not None and reader.state != self.state:
            raise InputError(f"the reader's key opens the inbox of {reader.state}, not that of {self.state}")
        kinds = (URGENT, NOTICES) if reader is None else (INBOX_URGENT, INBOX)
        urgent, ordinary = (kind.topic(self.state) for kind in kinds)
        require_topics(look_up_topics(bootstrap, properties), [urgent, ordinary], self.state)
        if group == "":
            raise InputError("the name of the consumer group is empty; give a name, or none")
        group = group or f"exchange.{self.state.lower()}.{'subscriber' if reader is None else INBOX.name}"
        if peek:
            group = f"{group}.peek.{uuid.uuid4()}"
        self._urgent_topic = urgent
        self._urgent = GroupConsumer(bootstrap, urgent, f"{group}.urgent", _add_statistics(properties, metrics))
        self._ordinary = GroupConsumer(bootstrap, ordinary, group, _add_statistics(properties, metrics))
        # Only the iterating thread uses the two consumers, in `use` sections. Any thread may request the close.
        self._consumers = DeferredClose(self._close_consumers)

    def __iter__(self) -> Iterator[Notice]:
        """Yield notices until `close` is called or, with `stop_at_end`, all are read.

        A notice is committed when the next one is requested, or when the iteration ends. A new iteration starts with
        the notice that the iteration before it left unhandled. A closed subscriber yields nothing.

        Raises:
            InfrastructureError: The broker rejects a request; the log lost records that the group has read; a commit
                failed for two minutes; or, with `stop_at_end`, the broker delivered nothing for a minute.
        """
        with self._consumers.use() as allowed:
            if allowed:
                self._rewind_to_pending()
        while True:
            with self._consumers.use() as allowed:
                if not allowed:
                    return
                notice = self._poll_notice()
            if notice is not None and not self._consumers.is_requested:
                yield notice
                self._history.complete(notice)
            with self._consumers.use() as allowed:
                if not allowed:
                    return
                if not self._commit_pending() and self._stop_at_end and self._is_at_end():
                    return

    def run(self, handler: Callable[[Notice], None]) -> None:
        """Call a handler for each notice, until `close` is called or, with `stop_at_end`, all are read.

        A notice is committed when its handler has returned, even if `close` was called in the meantime. An exception
        of the handler ends `run`; the notice is delivered again.

        Args:
            handler: Called in this thread with one notice at a time. It may call `close`.

        Raises:
            InfrastructureError: The broker rejects a request; the log lost records that the group has read; a commit
                failed for two minutes; or, with `stop_at_end`, the broker delivered nothing for a minute.
        """
        for notice in self:
            with self._consumers.use() as allowed:
                if not allowed:
                    return
                handler(notice)
                self._history.complete(notice)
                self._commit_pending()

    def close(self) -> None:
        """Stop receiving and leave the consumer groups. Notices that were not committed are delivered again.

        Any thread may call it, a handler and a signal handler too, and more than once. If the iterating thread is
        reading, committing or in a handler, `close` returns immediately, and that thread leaves the groups as soon as
        it is done with this step. Otherwise the groups have been left when the first call returns.
        """
        self._consumers.request()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _close_consumers(self) -> None:
        try:
            self._urgent.close()
        finally:
            self._ordinary.close()

    def _poll_notice(self) -> Notice | None:
        """Return the next notice, or None if none arrives soon. The record is pending until it is committed."""
        self._ordinary.settle_overdue_commits()  # it is not polled while urgent ones arrive
        consumer = self._urgent
        record = consumer.poll(0 if consumer.is_at_end() else _POLL_SECONDS)
        if record is None and (consumer.is_at_end() or time.monotonic() > consumer.last_response + _URGENT_SECONDS_MAX):
            consumer = self._ordinary
            record = consumer.poll(_POLL_SECONDS)
        if record is None:
            return None
        self._pending = consumer, record
        notice = self._read_notice(record)
        return self._admit_notice(notice, record) if notice is not None else None

    def _admit_notice(self, notice: Notice, record: PolledRecord) -> Notice | None:
        """Return the notice if it may be handed out; otherwise count it, and log what is more than a repetition."""
        match self._history.compare(notice):
            case Repetition.NONE:
                self._history.hand_out(notice)
                if self._metrics is not None:
                    self._metrics.received.inc()
                    self._metrics.age.observe(max(0.0, time.time() - notice.sent_at / 1000))
                return notice
            case Repetition.SAME:
                if self._metrics is not None:
                    self._metrics.duplicates.inc()
            case Repetition.DIFFERENT:
                reason = "a notice with this id was handed out before, with another content"
                self._report_unreadable(record, reason, "ID_REUSED")
            case Repetition.OLDER:
                log.info(
                    "%s/%s@%s: skipped, a later version of the item was handed out",
                    record.topic,
                    record.partition,
                    record.offset,
                )
                if self._metrics is not None:
                    self._metrics.superseded.inc()
            case unreachable:
                assert_never(unreachable)
        return None

    def _rewind_to_pending(self) -> None:
        """Make the consumer deliver again the record that the previous iteration left unhandled."""
        if self._pending is not None:
            consumer, record = self._pending
            self._pending = None
            consumer.rewind_to(record)

    def _commit_pending(self) -> bool:
        """Send the commit of the pending record. Return whether there was one."""
        if self._pending is None:
            return False
        consumer, record = self._pending
        if self._commits:
            consumer.begin_commit(record)
            if self._consumers.is_requested:  # nothing will be polled any more
                self._settle_commits()
        self._pending = None
        return True

    def _settle_commits(self) -> None:
        for consumer in (self._urgent, self._ordinary):
            consumer.settle_commits()

    def _is_at_end(self) -> bool:
        consumers = self._urgent, self._ordinary
        if all(consumer.is_at_end() for consumer in consumers):
            self._settle_commits()
            return all(consumer.is_at_end() for consumer in consumers)  # more may have arrived meanwhile
        if time.monotonic() > max(self._urgent.last_response, self._ordinary.last_response) + SILENCE_SECONDS_MAX:
            raise InfrastructureError(
                f"the notices of {self.state} could not be read to their end: the broker delivered nothing for "
                f"{SILENCE_SECONDS_MAX:g} s; handled notices are committed, so run again when it is back"
            )
        return False

    def _read_notice(self, record: PolledRecord) -> Notice | None:
        """Return the notice in a record, or None after reporting an unreadable one."""
        message = record.message
        if message is None:
            cause = record.bad_batch.cause.removeprefix("_") if record.bad_batch is not None else "UNREADABLE"
            reason = "the records cannot be decompressed, or become larger than this client accepts"
            self._report_unreadable(record, reason, cause)
            return None
        try:
            value = self._framing.to_single_object(message.value())
            if self._reader is not None:
                value = None if not value else self._reader.open_notice(value, _get_arrival(message))
                if value is None:  # a deleted item, or an offer
                    return None
            elif value is not None and record.topic == self._urgent_topic and value.startswith(_OFFER_HEADER):
                return None  # urgent offers are on the urgent topic too
            notice = decode_notice(value, self.state)
        except DecodeError as error:
            self._report_unreadable(record, str(error), error.cause)
            return None
        return replace(notice, trace=read_traceparent(find_header(message.headers(), TRACEPARENT)))

    def _report_unreadable(self, record: PolledRecord, reason: str, cause: str) -> None:
        """Count, log and report a record that is not handed out."""
        last = record.next_offset - 1
        unreadable = UnreadableNotice(record.topic, record.partition, record.offset, reason, cause, last)
        if self._metrics is not None:
            self._metrics.unreadable.inc()
        position = f"{record.offset}-{last}" if last > record.offset else str(record.offset)
        # With a callback, the program knows; its log should not say everything twice.
        level = logging.WARNING if self._on_unreadable is None else logging.INFO
        log.log(level, "%s/%s@%s: skipped, not a readable notice: %s", record.topic, record.partition, position, cause)
        if self._on_unreadable is not None:
            self._on_unreadable(unreadable)


def _get_arrival(message: Message) -> int | None:
    """Return when a record arrived by the broker's clock, in UTC milliseconds; None if its time is the writer's."""
    kind, time_ms = message.timestamp()
    return time_ms if kind == TIMESTAMP_LOG_APPEND_TIME else None


def _add_statistics(
    properties: Mapping[str, Any] | None, metrics: SubscriberMetrics | None
) -> Mapping[str, Any] | None:
    """Return the properties of one consumer, whose statistics the metrics need."""
    return properties if metrics is None else {**metrics.make_consumer_properties(), **(properties or {})}


def decode_notice(data: bytes | None, state: str) -> Notice:
    """Return the notice in a record.

    Args:
        data: The record's bytes.
        state: The State to which it must be addressed.

    Raises:
        DecodeError: The record is not a notice, or is addressed to another State.
    """
    envelope = get_codec("notice").decode(data)
    if envelope["to_state"] != state:
        raise DecodeError(f"the notice is addressed to {envelope['to_state']}, not to {state}", cause="WRONG_STATE")
    content = get_codec("notice_content").decode(envelope["content"])
    try:
        return Notice.from_records(envelope, content)
    except (ValueError, TypeError) as error:
        raise DecodeError(f"not a notice of this version ({type(error).__name__})", cause="UNREADABLE") from None
