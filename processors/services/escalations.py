"""Sends escalation messages by mail and webhook, after the commit and at least once.

Each channel has its own task and its own queue, so that a failing channel does not hold up the others. Everything that
a channel has collected is one message: deadlines that were missed while the worker was down arrive as one digest. After
a message a channel pauses, unless something more urgent comes: otherwise a feed whose items are all held would send a
message every second, and people would stop reading them. A failure is logged once and tried again, with growing waits,
until it succeeds; anything added in the meantime joins the next attempt. `EscalationOutbox` keeps unsent messages in
the state store. Nothing here blocks the exactly-once loop or raises into it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from mode import Service
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from processors.services.escalation_channels import EscalationChannel
from sharing.conversation_state.escalation_messages import make_message
from sharing.conversation_state.escalations import Escalation, EscalationKey
from sharing.model.vocabulary import Urgency
from sharing.telemetry import conversation_metrics

log = logging.getLogger(__name__)

COLLECT_SECONDS: Final = 0.5
"""How often a channel checks for something to send. Everything that arrives in between is one message."""

PAUSES_SECONDS: Final[Mapping[Urgency, float]] = {
    Urgency.UNKNOWN: 3_600.0,
    Urgency.ORDINARY: 3_600.0,
    Urgency.URGENT: 300.0,
    Urgency.EMERGENCY: 10.0,
}
"""How long after a message something of this urgency waits for the next one. A message that is sent earlier includes
everything that waits."""

WAIT_SECONDS_MAX: Final = 60.0
"""The longest wait between two attempts."""

WAITING_MAX: Final = 10_000
"""How much may wait for a channel. Anything beyond that is only counted: a message does not list so many."""


class EscalationService(Service):
    """Sends what is submitted to it. `submit`, `list_sent` and `settle` may be called from any thread.

    Args:
        channels: Where messages go.
        clock: Returns the time in UTC milliseconds.
        link: Where the console shows an Ask, without its id.
        wait_s: The wait after the first failure, in seconds.
        monotonic: Returns seconds that only grow.
    """

    mundane_level = "debug"
    logger = logging.getLogger("mode.escalations")

    def __init__(
        self,
        channels: Sequence[EscalationChannel],
        clock: Callable[[], int],
        link: str | None = None,
        *,
        wait_s: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        **options: Any,
    ) -> None:
        self._channels = channels
        self._clock = clock
        self._link = link
        self._wait_s = wait_s
        self._monotonic = monotonic
        self._told_at: dict[str, float] = {}
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[EscalationKey, Escalation]] = {channel.name: {} for channel in channels}
        self._counted = Counter[str]()
        self._sent: dict[EscalationKey, Escalation] = {}
        for channel in channels:
            conversation_metrics.prepare_escalations(channel.name)
        super().__init__(**options)

    def submit(self, escalations: Iterable[Escalation]) -> None:
        """Take what must be sent. What is already waiting or was sent is not added."""
        with self._lock:
            for escalation in escalations:
                if self._sent.get(escalation.key) != escalation:
                    self._sent.pop(escalation.key, None)
                    self._add(escalation)

    def _add(self, escalation: Escalation) -> None:
        for channel in self._channels:
            waiting = self._waiting[channel.name]
            if not channel.takes(escalation):
                continue
            if len(waiting) < WAITING_MAX or escalation.key in waiting:
                waiting[escalation.key] = escalation
            else:
                self._counted[channel.name] += 1
        self._settle_if_sent(escalation)

    def _settle_if_sent(self, escalation: Escalation) -> None:
        if not any(escalation.key in waiting for waiting in self._waiting.values()):
            self._sent[escalation.key] = escalation

    def list_sent(self) -> list[Escalation]:
        """Return what was sent on every channel and is not settled yet."""
        with self._lock:
            return list(self._sent.values())

    def settle(self, escalations: Iterable[Escalation]) -> None:
        """Forget what was sent, because its entries are removed from the state store."""
        with self._lock:
            for escalation in escalations:
                if self._sent.get(escalation.key) == escalation:
                    del self._sent[escalation.key]

    async def on_start(self) -> None:
        """Start sending, on each channel independently of the others."""
        for channel in self._channels:
            self.add_future(self._serve(channel))

    async def _serve(self, channel: EscalationChannel) -> None:
        while not self.should_stop:
            if self._is_time(channel):
                await self._retry(channel)
            await self.sleep(COLLECT_SECONDS)

    def _is_time(self, channel: EscalationChannel) -> bool:
        """Return whether something is waiting that is urgent enough to be sent so soon after the last message."""
        told_at = self._told_at.get(channel.name)
        with self._lock:
            urgencies = {escalation.urgency for escalation in self._waiting[channel.name].values()}
        if told_at is None:
            return bool(urgencies)
        passed = self._monotonic() - told_at
        return any(passed >= PAUSES_SECONDS[urgency] for urgency in urgencies)

    async def _retry(self, channel: EscalationChannel) -> None:
        """Send what is waiting; if that fails, retry until it succeeds or the worker stops."""

        def note_failure(attempt: RetryCallState) -> None:
            outcome = attempt.outcome
            error = None if outcome is None else outcome.exception()
            conversation_metrics.ESCALATIONS_FAILED.labels(channel.name).inc()
            if attempt.attempt_number == 1:
                conversation_metrics.ESCALATIONS_FAILING_SINCE.labels(channel.name).set(time.time())
                log.error(
                    "escalation messages by %s cannot be sent (%s); they will be tried again: check its settings, "
                    "and that the server answers",
                    channel.name,
                    channel.describe(error),
                )

        retrying = AsyncRetrying(
            sleep=self.sleep,
            stop=lambda _: self.should_stop,
            wait=wait_exponential_jitter(multiplier=self._wait_s, max=WAIT_SECONDS_MAX, jitter=self._wait_s),
            retry=retry_if_exception_type(Exception),
            before_sleep=note_failure,
            retry_error_callback=lambda _: None,
        )
        await retrying(self._send, channel)

    async def _send(self, channel: EscalationChannel) -> None:
        with self._lock:
            taken, more = dict(self._waiting[channel.name]), self._counted[channel.name]
        if not taken:
            return
        await channel.send(make_message(list(taken.values()), self._clock(), self._link, more))
        self._told_at[channel.name] = self._monotonic()
        conversation_metrics.ESCALATIONS_SENT.labels(channel.name).inc()
        conversation_metrics.ESCALATIONS_FAILING_SINCE.labels(channel.name).set(0)
        with self._lock:
            self._counted[channel.name] -= more
            waiting = self._waiting[channel.name]
            for key, escalation in taken.items():
                if waiting.get(key) == escalation:  # otherwise there is more to report by now
                    del waiting[key]
                    self._settle_if_sent(escalation)
