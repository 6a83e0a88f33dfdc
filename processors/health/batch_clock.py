"""Compares the clock with each batch of one loop: with the previous batch, the law pack, and the broker's clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from processors.health.clock_check import BrokerTime, ClockCheck
from sharing.model.record_times import read_broker_stamp

if TYPE_CHECKING:
    from processors.exactly_once.batch import Batch
    from processors.health.consumer_status import ConsumerStatus
    from sharing.law.pack import Pack


class BatchClock:
    """Judges the processing times of the batches of one loop.

    Args:
        status: Status of the loop's consumer: it gives the maximum age of a record.
        get_broker_time: Returns what is known about the brokers' clock since the start; None if nothing is known.
    """

    def __init__(self, status: ConsumerStatus, get_broker_time: Callable[[], BrokerTime | None]) -> None:
        self._status = status
        self._get_broker_time = get_broker_time
        self._check = ClockCheck()

    def check_batch(self, batch: Batch, pack: Pack) -> None:
        """Check the processing time of a batch before anything depends on it.

        Args:
            batch: The batch.
            pack: The law pack to be applied.

        Raises:
            ClockError: The clock is wrong; nothing may be decided.
        """
        known = self._get_broker_time()
        shown = self._read_newest(batch)
        # A record that was there before the worker may be old: it does not reveal a clock that is ahead, or one that is
        # behind by less than its age. What is known since the start reveals both.
        times = [each for each in (known, shown) if each is not None]
        self._check.accept_batch(batch.now_ms, times, pack)

    def _read_newest(self, batch: Batch) -> BrokerTime | None:
        """Return what the newest record of a batch shows about the brokers' clock; None if nothing."""
        if not batch.messages:
            return None
        # The last record of a partition is its newest, and one partition shows the same as all of them.
        newest = batch.messages[-1]
        appended_ms = read_broker_stamp(newest)
        if appended_ms is None:
            return None
        age_max_s = self._status.get_record_age_max((newest.topic(), newest.partition()), newest.offset())
        return BrokerTime(appended_ms, None if age_max_s is None else int(age_max_s * 1000))

    def find_problem(self, now_ms: int, pack: Pack) -> str | None:
        """Return in one sentence why the clock cannot be right at this time in UTC milliseconds, or None."""
        known = self._get_broker_time()
        return self._check.failure or self._check.find_problem(now_ms, [] if known is None else [known], pack)
