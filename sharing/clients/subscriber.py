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

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from sharing.clients.delivery_memory import DeliveryMemory
from sharing.clients.notice_intake import NoticeIntake, UnreadableNotice
from sharing.clients.record_opening import ItemOpener, RecordOpener
from sharing.errors import InfrastructureError, InputError
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.deferred_close import DeferredClose
from sharing.kafka.group_consumer import GroupConsumer
from sharing.kafka.lanes import Lanes
from sharing.model.countries import normalise_country
from sharing.model.delivery_history import DeliveryHistory
from sharing.model.notice import Notice
from sharing.model.offer import Offer
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import INBOX, INBOX_URGENT, NOTICES, OFFERS, URGENT

if TYPE_CHECKING:
    from sharing.kafka.polled_record import PolledRecord
    from sharing.telemetry.client_metrics import SubscriberMetrics

REMEMBERED_IDS_MAX = 100_000
"""How many notice ids, and how many items with their last version, one subscriber remembers."""

SILENCE_SECONDS_MAX = 60.0
"""With `stop_at_end`: how long the broker may deliver nothing before the iteration fails."""

BATCH_MAX = 200
"""How many notices a batch has at most, unless another number is given."""


class Subscriber:
    """Receives the notices for one State, urgent ones first.

    Iterate over the object, call `run` with a handler for one notice, or `run_batches` with a handler for many. Each
    joins a consumer group and reads committed records only.

    Delivery: at least once across process restarts; within one process, a handled notice is not delivered again. A
    notice is handled when the iteration asks for the next one, or when the handler returns. Its offset is committed
    after that, together with the offsets of the notices handled within the same hundredth of a second, and confirmed
    while the next notices are delivered. Delivery pauses while 1,000 notices of a topic are unconfirmed, or after a
    tenth of a second without a confirmation. A notice that was delivered but not committed (an exception, a crash, a
    `break`, an outage longer than the group's session) is delivered again with the same id: with `remember`, at most
    what was in the handler; otherwise also what was not confirmed. If processing a notice twice would do harm, store
    the ids that you have processed. One object recognises the last 100,000 ids. Notices of one partition arrive in
    order; there is no order across partitions and topics. A version of an item that is older than the last one
    delivered is skipped, counted and logged; one object remembers the last 100,000 items.

    Start: each committed offset carries the id of its topic. A topic that was deleted and created again is read from
    its beginning. If the log ends before the committed offset, records were lost, and the subscriber stops. After
    the broker has forgotten the group's offsets (`offsets.retention.minutes`), everything is delivered again.

    Outages: the subscriber waits for a broker that does not answer, and rejoins its group after a rebalance or a
    handler that took longer than `max.poll.interval.ms`.

    Thread safety: only one thread at a time may iterate or call `run` or `run_batches`. Any thread may call `close`.

    Args:
        bootstrap: Kafka bootstrap servers, such as `broker:9092`.
        state: ISO 3166-1 alpha-2 code of the receiving State.
        group: Id of the consumer group; by default `exchange.<st>.subscriber`. Subscribers in the same group share the
            notices. Urgent notices are read in a second group, whose id has the suffix `.urgent`.
        properties: Further librdkafka properties, such as those of TLS. `isolation.level`, `enable.auto.commit`,
            `enable.partition.eof`, `auto.offset.reset`, `partition.assignment.strategy`, `group.protocol` and
            `group.id` cannot be changed.
        on_unreadable: Called with each record that is not a readable notice for this State, after it was counted; then
            reading continues. If it raises, the iteration ends with that exception, and the record is reported again.
            If None, such a record is skipped, with a warning in the log (topic, partition, offset, cause).
        stop_at_end: Stop after reading all existing records, instead of waiting for new ones.
        peek: Read from the oldest notice that is kept, in separate groups, and commit nothing. Other subscribers are
            not affected.
        since_ms: With `peek`: read from the oldest notice that the broker received at this instant or later, in UTC
            milliseconds. The broker's clock decides, not that of the State that sent it.
        framing: How records are framed; by default Avro single-object encoding. `registry_framing` returns the framing
            for a Schema Registry; a subscriber with it reads both.
        metrics: Prometheus metrics to update; None for no metrics.
        reader: Opens the items of the State's inbox: an `InboxReader`. With it only the inbox is read, by default in
            the groups `exchange.<st>.inbox` and `exchange.<st>.inbox.urgent`, and each delivery is recorded in
            `national.<st>.uses`, unless the reader was opened without that. If None, unsealed notices are read from the
            topics to which other States write.
        remember: File that records what was delivered, so that after a kill only what was in the handler is delivered
            again. It is created if it does not exist, and contains ids and digests, no content. It belongs to one
            State, one group and one process at a time. In a group with several members, a member that takes over a
            partition does not know what the previous member recorded.
        on_offer: Called with each offer, which counts as handled when the call returns. The State's topic of offers is
            then read too, in a group with the suffix `.offers`. If None, offers are skipped.

    Attributes:
        state: ISO 3166-1 alpha-2 code of the receiving State, in upper case.

    Raises:
        InfrastructureError: No broker answers, or the State's topics do not exist or are not visible.
        InputError: The State is unknown, the reader belongs to another State, the group name is empty, or the file of
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
        since_ms: int | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        metrics: SubscriberMetrics | None = None,
        reader: ItemOpener | None = None,
        remember: str | Path | None = None,
        on_offer: Callable[[Offer], None] | None = None,
    ) -> None:
        self.state = normalise_country(state)
        self._stop_at_end = stop_at_end
        if reader is not None and reader.state != self.state:
            raise InputError(f"the reader's key opens the inbox of {reader.state}, not that of {self.state}")
        kinds = (URGENT, NOTICES) if reader is None else (INBOX_URGENT, INBOX)
        urgent, ordinary = (kind.topic(self.state) for kind in kinds)
        self._uses = None if reader is None else reader.uses
        if self._uses is not None:
            self._uses.require()
        offers = [OFFERS.topic(self.state)] if reader is None and on_offer is not None else []
        require_topics(look_up_topics(bootstrap, properties), [urgent, ordinary, *offers], self.state)
        _check_options(group, remember, since_ms, peek=peek)
        group = group or f"exchange.{self.state.lower()}.{'subscriber' if reader is None else INBOX.name}"
        history, self._memory = DeliveryHistory(REMEMBERED_IDS_MAX), None
        if remember is not None:
            self._memory = DeliveryMemory(Path(remember), self.state, group, REMEMBERED_IDS_MAX)
            self._memory.restore(history)
        if peek:
            group = f"{group}.peek.{uuid.uuid4()}"
        self._intake = NoticeIntake(
            self.state,
            RecordOpener(framing, reader, urgent, "".join(offers)),
            history,
            memory=self._memory,
            uses=self._uses,
            metrics=metrics,
            on_unreadable=on_unreadable,
            on_offer=on_offer,
            commits=not peek,
        )
        lanes = [(urgent, f"{group}.urgent"), (ordinary, group), *((topic, f"{group}.offers") for topic in offers)]
        self._urgent, self._ordinary, *others = (
            GroupConsumer(bootstrap, topic, name, _add_statistics(properties, metrics), since_ms=since_ms)
            for topic, name in lanes
        )
        self._lanes = Lanes(self._urgent, [self._ordinary, *others])
        # Only the iterating thread uses the lanes, in `use` sections. Any thread may request the close.
        self._consumers = DeferredClose(self._close_consumers)

    def __iter__(self) -> Iterator[Notice]:
        """Yield notices until `close` is called or, with `stop_at_end`, all are read.

        A notice is committed when the next one is requested, or when the iteration ends. A new iteration starts with
        the notice that the previous iteration left unhandled. A closed subscriber yields nothing.

        Raises:
            InfrastructureError: The broker rejects a request; the log lost records that the group has read; commits
                failed for two minutes; or, with `stop_at_end`, the broker delivered nothing for a minute.
        """
        with self._consumers.use() as allowed:
            if allowed:
                self._intake.take_back_pending()
        while True:
            with self._consumers.use() as allowed:
                if not allowed:
                    return
                self._complete_pending()
                polled = self._poll_record()
                notice = None if polled is None else self._intake.take(*polled)
                if notice is None and not self._intake.has_pending and self._stop_at_end and self._is_at_end():
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
            InfrastructureError: The broker rejects a request; the log lost records that the group has read; commits
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

        A batch contains the notices that have arrived, one or many, without waiting for more. Urgent notices are never
        batched with others. All notices of a batch are handled when the handler returns. An exception of the handler
        ends `run_batches`; all notices of the batch are delivered again.

        Args:
            handler: Called in this thread with one list at a time, which is never empty. It may call `close`.
            batch_max: How many notices a batch has at most.

        Raises:
            InputError: `batch_max` is below 1.
            InfrastructureError: As `run`.
        """
        if batch_max < 1:
            raise InputError(f"a batch of {batch_max} notices is empty; give at least 1")
        with self._consumers.use() as allowed:
            if allowed:
                self._intake.take_back_pending()
        while True:
            with self._consumers.use() as allowed:
                if not allowed:
                    return
                batch = self._poll_batch(batch_max)
                if batch:
                    if self._consumers.is_requested:
                        return
                    handler(batch)
                elif not self._intake.has_pending and self._stop_at_end and self._is_at_end():
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
        polled = self._poll_record()
        if polled is None:
            return []
        lane, record = polled
        notice = self._intake.take(lane, record)
        if notice is None:
            return []
        batch = [notice]
        while len(batch) < batch_max:
            following = lane.poll(0)
            if following is None:
                break
            notice = self._intake.take(lane, following)
            if notice is not None:
                batch.append(notice)
        return batch

    def _poll_record(self) -> tuple[GroupConsumer, PolledRecord] | None:
        """Return the next record and its lane, or None if none arrives soon."""
        polled = self._lanes.poll()
        if polled is None and self._uses is not None:
            self._uses.settle()
        return polled

    def _complete_pending(self) -> None:
        """Remember what was handled, and have it committed soon; at once, if nothing will be polled any more."""
        if self._intake.has_pending:
            self._intake.complete_pending()
            if self._consumers.is_requested:
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


def _check_options(group: str | None, remember: str | Path | None, since_ms: int | None, *, peek: bool) -> None:
    """Check options of which one is wrong, or that do not go together.

    Raises:
        InputError: They do not.
    """
    if group == "":
        raise InputError("the name of the consumer group is empty; give a name, or none")
    if peek and remember is not None:
        raise InputError(
            "a subscriber that peeks commits nothing, so it has nothing to remember; leave one of them out"
        )
    if since_ms is not None and not peek:
        raise InputError("since_ms passes over notices, which would count as received; give peek=True with it")


def _add_statistics(
    properties: Mapping[str, Any] | None, metrics: SubscriberMetrics | None
) -> Mapping[str, Any] | None:
    """Return the properties of one consumer, whose statistics the metrics need."""
    return properties if metrics is None else {**metrics.make_consumer_properties(), **(properties or {})}
