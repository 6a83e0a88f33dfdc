"""Decides for each record that a subscriber reads whether to deliver it, and keeps track of what was handled.

A record is pending from when it was read until it is handled; then it is remembered, and its offset is committed. A
record that is skipped (a repetition, an older version of an item, an unreadable record) is handled together with the
records around it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, assert_never

from sharing.clients.delivery_memory import DeliveryMemory, Handled
from sharing.clients.record_opening import OFFER_DIGEST, RecordOpener, decode_offer
from sharing.errors import DecodeError
from sharing.model.delivery_history import DeliveryHistory, Repetition
from sharing.model.notice import Notice
from sharing.model.offer import Offer
from sharing.model.vocabulary import MessageKind
from sharing.serialization.cloud_events import TRACEPARENT, find_header
from sharing.serialization.notice_decoder import NoticeDecoder
from sharing.telemetry.tracing import read_traceparent

if TYPE_CHECKING:
    from sharing.kafka.group_consumer import GroupConsumer
    from sharing.kafka.polled_record import PolledRecord
    from sharing.kafka.use_log import UseLog
    from sharing.telemetry.client_metrics import SubscriberMetrics

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnreadableNotice:
    """A record on the State's topics that is not a readable notice for this State. It stays on the topic.

    It may also be a whole batch of records that cannot be decompressed, or a notice whose id was delivered before with
    other content.

    Attributes:
        topic: Name of the topic.
        partition: Number of the partition.
        offset: Offset of the record in the partition; of the first record, for a batch.
        reason: Why it is not delivered. Contains nothing of the record's content.
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
        lane: The consumer that read it.
        record: The record.
        handled: What is remembered when it is handled; None if it is skipped.
    """

    lane: GroupConsumer
    record: PolledRecord
    handled: Handled | None = None


class NoticeIntake:
    """Takes in the records of one subscriber, and keeps track of the pending ones. Not thread-safe.

    Args:
        state: The State to which notices and offers must be addressed.
        opener: Opens records.
        history: Recognises what was delivered before.
        memory: File that records what was handled; None for none.
        uses: Log in which each delivery is recorded; None for none.
        metrics: Metrics to update; None for none.
        on_unreadable: Called with each unreadable record, after it was counted; None to only log it.
        on_offer: Called with each new offer, which is handled when it returns; None to skip offers.
        commits: Whether the offsets of what was handled are committed.
    """

    def __init__(  # noqa: PLR0913 each is a different part of the subscriber
        self,
        state: str,
        opener: RecordOpener,
        history: DeliveryHistory,
        *,
        memory: DeliveryMemory | None,
        uses: UseLog | None,
        metrics: SubscriberMetrics | None,
        on_unreadable: Callable[[UnreadableNotice], None] | None,
        on_offer: Callable[[Offer], None] | None,
        commits: bool,
    ) -> None:
        self._state = state
        self._opener = opener
        self._history = history
        self._memory = memory
        self._uses = uses
        self._metrics = metrics
        self._on_unreadable = on_unreadable
        self._on_offer = on_offer
        self._commits = commits
        self._decoder = NoticeDecoder(state)
        self._pending: list[_Pending] = []

    @property
    def has_pending(self) -> bool:
        """Whether records were taken that are not handled yet."""
        return bool(self._pending)

    def take(self, lane: GroupConsumer, record: PolledRecord) -> Notice | None:
        """Return the notice in a record, or None if it is not to be delivered. The record is now pending.

        Args:
            lane: The consumer that read the record.
            record: The record.

        Raises:
            InfrastructureError: No item of the inbox can be verified at the moment.
        """
        place = record.without_content()
        self._pending.append(_Pending(lane, place))
        offer = None
        try:
            kind, value = self._opener.open(record)
            if kind is MessageKind.NOTICE:
                trace = None if record.message is None else find_header(record.message.headers(), TRACEPARENT)
                notice, digest = self._decoder.read(value, read_traceparent(trace))
            elif kind is MessageKind.OFFER and self._on_offer is not None:
                offer = decode_offer(value, self._state)
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

    def complete_pending(self) -> None:
        """Mark all pending records as handled: remember them, and commit their offsets soon."""
        pending = self._pending
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

    def take_back_pending(self) -> None:
        """Rewind the lanes, so that all pending records are read again."""
        first: dict[tuple[GroupConsumer, int], PolledRecord] = {}
        for lane, record, _ in self._pending:
            first.setdefault((lane, record.partition), record)
        for (lane, _), record in first.items():
            lane.rewind_to(record)
        self._pending.clear()
        self._history.take_back()

    def _take_offer(self, lane: GroupConsumer, record: PolledRecord, offer: Offer) -> None:
        """Pass an offer to the program, unless it was handled before. It is handled when the callback returns."""
        if self._on_offer is None or self._history.is_handled(offer.id):
            return
        if self._uses is not None:
            self._uses.note(offer.id, offer.item_id, offer.from_state, "OFFER")
        self._on_offer(offer)
        handled = Handled(offer.id, OFFER_DIGEST, offer.from_state, "", offer.version, offer.amendment)
        self._pending[-1] = _Pending(lane, record, handled)

    def _admit_notice(self, notice: Notice, digest: bytes, record: PolledRecord) -> bool:
        """Return whether to deliver a notice; if not, count it, and log anything other than a repetition."""
        match self._history.compare(notice, digest):
            case Repetition.NONE:
                if self._uses is not None:
                    self._uses.note(notice.id, notice.item_id, notice.from_state, notice.kind)
                self._history.note_delivered(notice, digest)
                if self._metrics is not None:
                    self._metrics.received.inc()
                    self._metrics.age.observe(max(0.0, time.time() - notice.sent_at / 1000))
                return True
            case Repetition.SAME:
                if self._metrics is not None:
                    self._metrics.duplicates.inc()
            case Repetition.DIFFERENT:
                reason = "a notice with this id was delivered before, with other content"
                self._report_unreadable(record, reason, "ID_REUSED")
            case Repetition.OLDER:
                log.info(
                    "%s/%s@%s: skipped, a later version of the item was delivered",
                    record.topic,
                    record.partition,
                    record.offset,
                )
                if self._metrics is not None:
                    self._metrics.superseded.inc()
            case unreachable:
                assert_never(unreachable)
        return False

    def _report_unreadable(self, record: PolledRecord, reason: str, cause: str) -> None:
        """Count, log and report a record that is not delivered."""
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
