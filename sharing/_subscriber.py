"""The client with which a partner State's own program receives notices.

```python
with Subscriber("broker:9092", state="DE") as subscriber:
    for notice in subscriber:
        print(notice.from_state, notice.content["value"], notice.conditions)
```

Only committed records are read. A notice counts as handled when the program asks for the next one, or when its handler
has returned; its offset is committed after that. After an exception, a crash or a `break`, the notice is delivered
again, with the same id. No version of an item is delivered after a later one.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, assert_never

from sharing._delivery_memory import DeliveryMemory, Handled
from sharing._record_opening import OFFER_DIGEST, ItemOpener, RecordOpener, decode_offer
from sharing.errors import DecodeError, InfrastructureError, InputError
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.deferred_close import DeferredClose
from sharing.kafka.group_consumer import GroupConsumer, PolledRecord
from sharing.kafka.lanes import Lanes
from sharing.model.countries import normalise_country
from sharing.model.delivery_history import DeliveryHistory, Repetition
from sharing.model.notice import Notice
from sharing.model.offer import Offer
from sharing.model.vocabulary import MessageKind
from sharing.serialization.cloud_events import TRACEPARENT, find_header
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.serialization.notice_decoder import NoticeDecoder
from sharing.telemetry.tracing import read_traceparent
from sharing.topology.topics import INBOX, INBOX_URGENT, NOTICES, OFFERS, URGENT

if TYPE_CHECKING:
    from sharing.telemetry.client_metrics import SubscriberMetrics

log = logging.getLogger(__name__)

REMEMBERED_IDS_MAX = 100_000
"""How many notice ids, and how many items with their last version, one subscriber remembers."""

SILENCE_SECONDS_MAX = 60.0
"""With `stop_at_end`: how long the broker may deliver nothing before the iteration fails."""

BATCH_MAX = 200
"""How many notices a batch has at most, unless another number is given."""


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


class _Pending(NamedTuple):
    """A record that was read and is not handled yet.

    Attributes:
        lane: Where it comes from.
        record: The record.
        handled: What is remembered when it is handled; None if it is passed over.
    """

    lane: GroupConsumer
    record: PolledRecord
    handled: Handled | None = None


class Subscriber:
    """Receives the notices for one State, urgent ones first.

    Iterate over the object, call `run` with a handler for one notice, or `run_batches` with a handler for many. Each
    joins a consumer group and reads committed records only.

    Delivery: at least once across the lives of a process; within one life, a handled notice is not delivered again. A
    notice is handled when the iteration asks for the next one, or when the handler returns. Its offset is committed
    after that, with those of the notices that are handled in the same hundredth of a second, and confirmed while the
    next ones are delivered; if 1,000 of a topic are not confirmed, or for a tenth of a second none is, they wait. A
    notice that was delivered and not committed (an exception, a crash, a `break`, an outage that outlasts the group's
    session) is delivered again, with the same id: with `remember`, at most what was in the handler; otherwise also what
    was not confirmed. Store the ids that you have processed if processing one twice would do harm. One object
    recognises the last 100,000 ids. Notices of one partition arrive in order; there is no order across partitions and
    topics. A version that is older than the one of the same item that was handed out last is skipped, counted and
    logged; one object remembers the last 100,000 items.

    Start: each committed offset carries the id of its topic. A topic that was deleted and created again is read from
    its beginning. If the log ends before the committed offset, records were lost, and the subscriber stops. After
    the broker has forgotten the group's offsets (`offsets.retention.minutes`), everything is delivered again.

    Outages: the subscriber waits for a broker that does not answer, and joins its group again after a rebalance or a
    handler that took longer than `max.poll.interval.ms`.

    Thread safety: only one thread at a time may iterate or call `run` or `run_batches`. Any thread may call `close`.

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
            `exchange.<st>.inbox` and `exchange.<st>.inbox.urgent` when none is given, and nothing else is believed; and
            what is handed out is recorded in `national.<st>.uses`, unless the reader was opened without. If
            None, notices that are not sealed are read from where other States write them.
        remember: File in which it is kept what was handed out, so that after a kill at most what was in the handler
            comes again. It is made if it does not exist, and has ids and digests, no content. It belongs to one State,
            one group and one process at a time. If the group has several members, one that takes over a partition of
            another one does not know what that one remembers.
        on_offer: Called with each offer, which counts as handled when it returns. Then the State's topic of offers is
            read too, in a group with the suffix `.offers`. If None, offers are passed over.

    Attributes:
        state: ISO 3166-1 alpha-2 code of the receiving State, in upper case.

    Raises:
        InfrastructureError: No broker answers, or the State's topics do not exist or may not be seen.
        InputError: The State is unknown, the reader's is another one, the group has an empty name, or the file of
            `remember` cannot be used.
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
        remember: str | Path | None = None,
        on_offer: Callable[[Offer], None] | None = None,
    ) -> None:
        self._metrics = metrics
        self.state = normalise_country(state)
        self._on_unreadable = on_unreadable
        self._stop_at_end = stop_at_end
        self._commits = not peek
        self._on_offer = on_offer
        self._decoder = NoticeDecoder(self.state)
        self._history = DeliveryHistory(REMEMBERED_IDS_MAX)
        self._pending: list[_Pending] = []
        if reader is not None and reader.state != self.state:
            raise InputError(f"the reader's key opens the inbox of {reader.state}, not that of {self.state}")
        kinds = (URGENT, NOTICES) if reader is None else (INBOX_URGENT, INBOX)
        urgent, ordinary = (kind.topic(self.state) for kind in kinds)
        self._uses = None if reader is None else reader.uses
        if self._uses is not None:
            self._uses.require()
        offers = [OFFERS.topic(self.state)] if reader is None and on_offer is not None else []
        require_topics(look_up_topics(bootstrap, properties), [urgent, ordinary, *offers], self.state)
        if group == "":
            raise InputError("the name of the consumer group is empty; give a name, or none")
        if peek and remember is not None:
            raise InputError("who only peeks commits nothing, so there is nothing to remember; leave one of them out")
        group = group or f"exchange.{self.state.lower()}.{'subscriber' if reader is None else INBOX.name}"
        self._memory = None
        if remember is not None:
            self._memory = DeliveryMemory(Path(remember), self.state, group, REMEMBERED_IDS_MAX)
            self._memory.restore(self._history)
        if peek:
            group = f"{group}.peek.{uuid.uuid4()}"
        self._opener = RecordOpener(framing, reader, urgent, "".join(offers))
        self._urgent = GroupConsumer(bootstrap, urgent, f"{group}.urgent", _add_statistics(properties, metrics))
        self._ordinary = GroupConsumer(bootstrap, ordinary, group, _add_statistics(properties, metrics))
        others = [
            GroupConsumer(bootstrap, topic, f"{group}.offers", _add_statistics(properties, metrics)) for topic in offers
        ]
        self._lanes = Lanes(self._urgent, [self._ordinary, *others])
        # Only the iterating thread uses the lanes, in `use` sections. Any thread may request the close.
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
                self._take_back_pending()
        while True:
            with self._consumers.use() as allowed:
                if not allowed:
                    return
                self._complete_pending()
                notice = self._poll_notice()
                if notice is None and not self._pending and self._stop_at_end and self._is_at_end():
                    return
            if notice is not None and not self._consumers.is_requested:
                yield notice

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
                self._complete_pending()

    def run_batches(self, handler: Callable[[list[Notice]], None], batch_max: int = BATCH_MAX) -> None:
        """Call a handler for the notices that have arrived, as `run` does for each of them.

        A batch has what is there, one notice or many: none is waited for. Urgent notices are never in one batch with
        others. All notices of a batch are handled when the handler has returned. An exception of the handler ends
        `run_batches`; all notices of the batch are delivered again.

        Args:
            handler: Called in this thread with one list at a time, which is never empty. It may call `close`.
            batch_max: How many notices a batch has at most.

        Raises:
            InputError: `batch_max` is below 1.
            InfrastructureError: As `run`.
        """
        if batch_max < 1:
            raise InputError(f"a batch of {batch_max} notices has nothing to handle; give at least 1")
        with self._consumers.use() as allowed:
            if allowed:
                self._take_back_pending()
        while True:
            with self._consumers.use() as allowed:
                if not allowed:
                    return
                batch = self._poll_batch(batch_max)
                if batch:
                    if self._consumers.is_requested:
                        return
                    handler(batch)
                elif not self._pending and self._stop_at_end and self._is_at_end():
                    return
                self._complete_pending()

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
            if self._uses is not None:
                self._uses.flush()
        finally:
            try:
                self._lanes.close()
            finally:
                if self._memory is not None:
                    self._memory.close()

    def _poll_batch(self, batch_max: int) -> list[Notice]:
        """Return the notices that have arrived on one lane, or none if none arrives soon."""
        notice = self._poll_notice()
        if notice is None:
            return []
        batch, lane = [notice], self._pending[-1].lane
        while len(batch) < batch_max:
            record = lane.poll(0)
            if record is None:
                break
            notice = self._take_record(lane, record)
            if notice is not None:
                batch.append(notice)
        return batch

    def _poll_notice(self) -> Notice | None:
        """Return the next notice, or None if none arrives soon. What was read is pending until it is handled."""
        polled = self._lanes.poll()
        if polled is None:
            if self._uses is not None:
                self._uses.settle()
            return None
        return self._take_record(*polled)

    def _take_record(self, lane: GroupConsumer, record: PolledRecord) -> Notice | None:
        """Return the notice in a record if it is to be handed out. The record is pending from now on."""
        place = record.without_content()
        self._pending.append(_Pending(lane, place))
        offer = None
        try:
            kind, value = self._opener.open(record)
            if kind is MessageKind.NOTICE:
                trace = None if record.message is None else find_header(record.message.headers(), TRACEPARENT)
                notice, digest = self._decoder.read(value, read_traceparent(trace))
            elif kind is MessageKind.OFFER and self._on_offer is not None:
                offer = decode_offer(value, self.state)
        except DecodeError as error:
            self._report_unreadable(record, str(error), error.cause)
            return None
        if offer is not None:
            self._take_offer(lane, place, offer)
        if kind is not MessageKind.NOTICE:
            return None
        if not self._admit_notice(notice, digest, record):
            return None
        handled = Handled(
            notice.id, digest, notice.from_state, notice.item_id, notice.version, notice.amendment
        )  # fmt: skip
        self._pending[-1] = _Pending(lane, place, handled)
        return notice

    def _take_offer(self, lane: GroupConsumer, record: PolledRecord, offer: Offer) -> None:
        """Give an offer to the program, unless it was given before. It is handled when the callback has returned."""
        if self._on_offer is None or self._history.is_handled(offer.id):
            return
        if self._uses is not None:
            self._uses.note(offer.id, offer.item_id, offer.from_state, "OFFER")
        self._on_offer(offer)
        handled = Handled(offer.id, OFFER_DIGEST, offer.from_state, "", offer.version, offer.amendment)
        self._pending[-1] = _Pending(lane, record, handled)

    def _admit_notice(self, notice: Notice, digest: bytes, record: PolledRecord) -> bool:
        """Return whether a notice may be handed out; if not, count it, and log what is more than a repetition."""
        match self._history.compare(notice, digest):
            case Repetition.NONE:
                if self._uses is not None:
                    self._uses.note(notice.id, notice.item_id, notice.from_state, notice.kind)
                self._history.hand_out(notice, digest)
                if self._metrics is not None:
                    self._metrics.received.inc()
                    self._metrics.age.observe(max(0.0, time.time() - notice.sent_at / 1000))
                return True
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
        return False

    def _take_back_pending(self) -> None:
        """Make the lanes deliver again the records that the previous iteration left unhandled."""
        first: dict[tuple[GroupConsumer, int], PolledRecord] = {}
        for lane, record, _ in self._pending:
            first.setdefault((lane, record.partition), record)
        for (lane, _), record in first.items():
            lane.rewind_to(record)
        self._pending.clear()
        self._history.take_back()

    def _complete_pending(self) -> None:
        """Remember what was handled, and have it committed soon."""
        pending = self._pending
        if not pending:
            return
        handled = [each.handled for each in pending if each.handled is not None]
        if self._memory is not None and handled:
            self._memory.add(handled)
        for done in handled:
            self._history.complete(done.id, done.digest)
        if self._commits:
            last: dict[tuple[GroupConsumer, int], tuple[PolledRecord, int]] = {}
            for lane, record, _ in pending:
                place = lane, record.partition
                last[place] = record, last[place][1] + 1 if place in last else 1
            for (lane, _), (record, count) in last.items():
                lane.note_handled(record, count)
        pending.clear()
        if self._consumers.is_requested:  # nothing will be polled any more
            self._lanes.settle()

    def _is_at_end(self) -> bool:
        if self._lanes.is_at_end():
            self._lanes.settle()
            return self._lanes.is_at_end()  # more may have arrived meanwhile
        if time.monotonic() > self._lanes.last_response + SILENCE_SECONDS_MAX:
            raise InfrastructureError(
                f"the notices of {self.state} could not be read to their end: the broker delivered nothing for "
                f"{SILENCE_SECONDS_MAX:g} s; handled notices are committed, so run again when it is back"
            )
        return False

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


def _add_statistics(
    properties: Mapping[str, Any] | None, metrics: SubscriberMetrics | None
) -> Mapping[str, Any] | None:
    """Return the properties of one consumer, whose statistics the metrics need."""
    return properties if metrics is None else {**metrics.make_consumer_properties(), **(properties or {})}
