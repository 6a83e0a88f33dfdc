"""The worker's HTTP endpoints: `/metrics` for Prometheus, `/health` and `/ready` for the supervisor of the process.

`/health` fails when the worker must be restarted, `/ready` when it cannot commit at present. Both respond with 200
or 503 and JSON that gives the reasons. Any response shows that the event loop is running.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import time
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import confluent_kafka
from prometheus_client import CONTENT_TYPE_LATEST, disable_created_metrics, generate_latest

from processors.health.consumer_status import RESPONSE_AGE_S_MAX
from processors.services.directory_follower import SNAPSHOT_AGE_SECONDS_MAX
from sharing.telemetry import batch_metrics, worker_metrics
from sharing.telemetry.metrics import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from processors.exactly_once.loop import ExactlyOnceLoop
    from processors.faust_app import App
    from processors.health.batch_observer import BatchObserver
    from processors.health.broker_clock import BrokerClock
    from processors.health.consumer_status import ConsumerStatus
    from processors.services.directory_follower import DirectoryFollower
    from processors.services.pack_reloader import PackReloader

log = logging.getLogger(__name__)

STUCK_SECONDS_MAX = 30.0
"""A librdkafka call normally takes a second. After twice this limit the loop stops the process itself."""

OPEN_SECONDS_MAX = 10.0
"""A batch takes at most a second while a broker responds."""

ABORTED_SECONDS = 30.0
"""How long a worker is not ready after an aborted batch, unless another batch is committed."""

SCRAPE_SECONDS_MAX = 60.0
"""How long a failing worker waits for a last scrape of its metrics."""


class HealthCheck(NamedTuple):
    """The result of one check.

    Attributes:
        healthy: Whether the check passed.
        reason: Why, in a few words.
    """

    healthy: bool
    reason: str


class HttpEndpoints:
    """The endpoints of one worker.

    Args:
        loop: The gate's exactly-once loop.
        directory: The gate's directory.
        reloader: The gate's law.
        status: Status of the loop's consumer.
        observer: Observer of the batches.
        broker_clock: The brokers' clock.

    Attributes:
        find_inbox_problem: Returns why the inbox opens nothing, in a sentence, or None; it is None itself if there is
            no inbox.
    """

    find_inbox_problem: Callable[[], str | None] | None = None

    def __init__(
        self,
        loop: ExactlyOnceLoop,
        directory: DirectoryFollower,
        reloader: PackReloader,
        status: ConsumerStatus,
        observer: BatchObserver,
        broker_clock: BrokerClock,
    ) -> None:
        self._broker_clock = broker_clock
        self._loop = loop
        self._directory = directory
        self._reloader = reloader
        self._status = status
        self._observer = observer
        self._scraped = asyncio.Event()

    def register(self, app: App) -> None:
        """Add the endpoints to the app's web server."""

        async def show_metrics(view: Any, _: Any) -> Any:
            text = generate_latest(REGISTRY)
            self._scraped.set()
            # Set as a header, because aiohttp accepts no `content_type` with parameters.
            return view.bytes(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

        async def show_health(view: Any, _: Any) -> Any:
            return _respond(view, "healthy", self.check_health())

        async def show_ready(view: Any, _: Any) -> Any:
            return _respond(view, "ready", self.check_readiness())

        for path, endpoint in {"/metrics": show_metrics, "/health": show_health, "/ready": show_ready}.items():
            app.page(path)(endpoint)

    async def await_scrape(self) -> None:
        """Wait until the metrics are scraped, for a minute at most, so that they show why the process stops."""
        self._scraped.clear()
        try:
            await asyncio.wait_for(self._scraped.wait(), SCRAPE_SECONDS_MAX)
        except TimeoutError:
            log.warning("the metrics were not scraped within %g s", SCRAPE_SECONDS_MAX)

    def check_health(self) -> dict[str, HealthCheck]:
        """Return the checks that fail when the process must be restarted."""
        waited = self._loop.call_s
        return {
            "event_loop": HealthCheck(healthy=True, reason="running"),
            "librdkafka": HealthCheck(waited < STUCK_SECONDS_MAX, f"the call in progress has taken {waited:.0f} s"),
            "exactly_once_loop": HealthCheck(not self._loop.crashed, "failed" if self._loop.crashed else "running"),
        }

    def check_readiness(self) -> dict[str, HealthCheck]:
        """Return the checks that must pass for the worker to commit, by the names in `worker_metrics.READY_CHECKS`."""
        return {
            "directory": self._check_directory(),
            "law": self._check_law(),
            "clock": self._check_clock(),
            "broker": self._check_broker(),
            "partitions": self._check_partitions(),
            "transactions": self._check_transactions(),
            "commit": self._check_commit(),
            "inbox": self._check_inbox(),
        }

    def _check_inbox(self) -> HealthCheck:
        if self.find_inbox_problem is None:
            return HealthCheck(healthy=True, reason="none: this process runs no conversation")
        problem = self.find_inbox_problem()
        return HealthCheck(problem is None, f"waits: {problem}" if problem else "opens what other States send")

    def _check_directory(self) -> HealthCheck:
        directory = self._directory
        if directory.version is None:
            return HealthCheck(healthy=False, reason="not read to its end yet")
        if directory.age_s > SNAPSHOT_AGE_SECONDS_MAX:
            return HealthCheck(healthy=False, reason=f"not confirmed for {directory.age_s:.0f} s; the worker waits")
        problems = directory.problems
        reason = f"read to version {directory.version}" + (f"; nothing goes to: {problems}" if problems else "")
        return HealthCheck(healthy=True, reason=reason)

    def _check_law(self) -> HealthCheck:
        if self._reloader.failed:
            return HealthCheck(healthy=False, reason="the law pack cannot be applied; see the log")
        pack = self._reloader.pack
        return HealthCheck(healthy=True, reason=f"{pack.code} {pack.version} of {pack.consolidated_at}")

    def _check_clock(self) -> HealthCheck:
        problem = self._observer.find_clock_problem(time.time_ns() // 1_000_000, self._reloader.pack)
        if problem is None and self._broker_clock.failure is not None and self._check_broker().healthy:
            problem = f"nothing is decided until it is compared with the broker's: {self._broker_clock.failure}"
        return HealthCheck(
            healthy=problem is None, reason=problem or "not behind the last batch, the law pack or the broker's clock"
        )

    def _check_broker(self) -> HealthCheck:
        status, answered_at = self._status, self._loop.answered_at
        last_response = status.find_last_response(answered_at)
        if last_response is None:
            return HealthCheck(healthy=False, reason="no broker has responded yet")
        age = f"last response {time.monotonic() - last_response:.0f} s ago"
        if status.is_broker_reachable(answered_at):
            return HealthCheck(healthy=True, reason=age)
        cause = "no connection" if not status.connected else f"no response within {RESPONSE_AGE_S_MAX:g} s"
        return HealthCheck(healthy=False, reason=f"{cause}; {age}")

    def _check_partitions(self) -> HealthCheck:
        assigned = self._status.assigned
        if assigned is None:
            return HealthCheck(healthy=False, reason="the consumer group has not stabilised")
        if not assigned:
            return HealthCheck(healthy=True, reason="standby: other workers have all partitions")
        uneven = self._status.find_uneven_topics(self._loop.config.topics)
        if uneven:
            by_topic = "; ".join(
                f"{topic}: {', '.join(map(str, numbers)) or 'none'}" for topic, numbers in uneven.items()
            )
            return HealthCheck(healthy=False, reason=f"not the same partitions of each topic ({by_topic})")
        return HealthCheck(healthy=True, reason=f"{len(assigned)} assigned")

    def _check_transactions(self) -> HealthCheck:
        longest = self._status.find_hidden_longest()
        if longest is None:
            return HealthCheck(healthy=True, reason="no record waits behind an open transaction")
        (topic, partition), hidden = longest
        waited = time.monotonic() - hidden.since
        return HealthCheck(
            healthy=waited <= self._loop.config.transaction_timeout_s,
            reason=f"{topic}[{partition}]: {hidden.count} records have waited for {waited:.0f} s behind a transaction "
            f"that is open at offset {hidden.last_stable_offset}",
        )

    def _check_commit(self) -> HealthCheck:
        observer = self._observer
        open_seconds = observer.open_seconds()
        if observer.broken:
            return HealthCheck(healthy=False, reason="a batch is not conserved; nothing is committed any more")
        if open_seconds > OPEN_SECONDS_MAX:
            return HealthCheck(healthy=False, reason=f"a batch has been open for {open_seconds:.0f} s")
        # Its records are read again immediately, or now belong to another worker.
        if observer.aborted_at is not None and time.monotonic() - observer.aborted_at < ABORTED_SECONDS:
            return HealthCheck(healthy=False, reason="the last batch was aborted and will be processed again")
        if observer.committed_at is None:
            return HealthCheck(healthy=True, reason="nothing to commit yet")
        return HealthCheck(healthy=True, reason=f"last committed {time.monotonic() - observer.committed_at:.0f} s ago")


def _respond(view: Any, key: str, checks: Mapping[str, HealthCheck]) -> Any:
    healthy = all(check.healthy for check in checks.values())
    details = {name: {"ok": check.healthy, "reason": check.reason} for name, check in checks.items()}
    return view.json({key: healthy, "checks": details}, status=200 if healthy else 503)


def bind_metrics(endpoints: HttpEndpoints, observer: BatchObserver) -> None:
    """Bind the gauges of the process to the worker whose state they show. Call this once per process.

    Args:
        endpoints: Provides the readiness checks.
        observer: Provides the age of the oldest open batch.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the number of series
    batch_metrics.BATCH_OPEN_SECONDS.set_function(observer.open_seconds)
    worker_metrics.READY.set_function(lambda: all(check.healthy for check in endpoints.check_readiness().values()))
    for name in worker_metrics.READY_CHECKS:
        worker_metrics.READY_CHECK.labels(name).set_function(partial(_is_healthy, endpoints, name))
    worker_metrics.BUILD_INFO.info(
        {
            "version": version("sharing-bus"),
            "python": platform.python_version(),
            "librdkafka": confluent_kafka.libversion()[0],
        }
    )


def _is_healthy(endpoints: HttpEndpoints, name: str) -> bool:
    return endpoints.check_readiness()[name].healthy
