"""Reads a broker's clock at a worker's start and every hour, so that a clock that is ahead is noticed in a backlog too.

The records of a backlog may be old, so their timestamps do not reveal a clock that is ahead. The reading does: it
bounds the broker's current time without this machine's clock.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from mode import Service

from processors.health.clock_check import BrokerTime
from processors.health.consumer_status import read_uptime
from sharing.errors import InfrastructureError
from sharing.kafka.broker_clock import ClockReading, ClockTopicError

log = logging.getLogger(__name__)

READING_AGE_S_MAX = 86_400.0
"""How long a reading is used, in seconds: clocks drift by less than a minute in that time. Later, `ClockCheck` compares
batches with each other and with new records."""

READ_AGAIN_S = 3_600.0
"""How often the clock is read again. Deadlines follow it if this machine's clock is ahead."""

RETRY_S = 5.0

ATTEMPTS_QUIET = 2
"""How many failed attempts count as a transient fault, such as the election of a leader."""


class BrokerClock(Service):
    """The clock of the brokers, as it was last read.

    Args:
        read: Reads the broker's clock; may block.
        now: Returns the time of this machine in UTC milliseconds, as used for the batches.

    Attributes:
        failure: Why the clock cannot be read, after several attempts; None otherwise.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.broker_clock")

    def __init__(self, read: Callable[[], ClockReading], now: Callable[[], int], **options: Any) -> None:
        self.failure: str | None = None
        self._read = read
        self._now = now
        self._is_settled = asyncio.Event()
        self._broker_ms = 0
        self._error_ms = 0
        self._read_at: float | None = None
        super().__init__(**options)

    def get_time(self) -> BrokerTime | None:
        """Return the stamp of the reading and its age; None if there is none that is recent enough."""
        if self._read_at is None:
            return None
        age_s = read_uptime() - self._read_at
        return BrokerTime(self._broker_ms, int(age_s * 1000) + self._error_ms) if age_s < READING_AGE_S_MAX else None

    async def wait_until_read(self) -> None:
        """Wait until the clock has been read, or cannot be read on this cluster. Nothing may be decided before."""
        await self._is_settled.wait()

    @Service.task
    async def _read_periodically(self) -> None:
        attempts = 0
        while not self.should_stop:
            try:
                self._keep(await _call_in_thread(self._read))
            except ClockTopicError as error:
                log.warning("the clock is compared with the stamps of new records only: %s", error)
            except InfrastructureError as error:
                if self._is_settled.is_set():  # the last reading counts until it is too old
                    await self.sleep(RETRY_S)
                    continue
                attempts += 1
                log.warning("nothing is decided until the broker's clock can be read: %s", error)
                self.failure = str(error) if attempts > ATTEMPTS_QUIET else None
                await self.sleep(RETRY_S)
                continue
            self.failure = None
            self._is_settled.set()
            await self.sleep(READ_AGAIN_S)

    def _keep(self, reading: ClockReading) -> None:
        self._read_at = read_uptime()
        self._broker_ms = self._now() - int(reading.ahead_s * 1000)
        self._error_ms = int(reading.error_s * 1000) + 1


async def _call_in_thread(call: Callable[[], ClockReading]) -> ClockReading:
    """Call a function in a daemon thread: a broker that does not answer must not delay the end of the process."""
    future: Future[ClockReading] = Future()
    future.set_running_or_notify_cancel()  # it can no longer be cancelled: the thread settles it

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 raised where the result is awaited
            future.set_exception(error)

    threading.Thread(target=run, name="broker-clock", daemon=True).start()
    return await asyncio.wrap_future(future)
