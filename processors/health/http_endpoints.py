"""The worker's pages: `/metrics` for Prometheus, `/health` and `/ready` for whoever supervises the process.

`/health` fails when the worker is to be restarted, `/ready` when it cannot commit just now. Both answer with JSON
that says why, and with 200 or 503. That they answer at all shows that the event loop turns.
"""

from __future__ import annotations

import asyncio
import platform
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import confluent_kafka
from prometheus_client import CONTENT_TYPE_LATEST, disable_created_metrics, generate_latest

from processors.health.consumer_status import HEARD_SECONDS_MAX
from sharing.telemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processors.directory_follower import DirectoryFollower
    from processors.exactly_once.loop import ExactlyOnceLoop
    from processors.health.batch_observer import BatchObserver
    from processors.health.consumer_status import ConsumerStatus
    from processors.pack_reloader import PackReloader
    from processors.worker import App

STUCK_SECONDS_MAX = 30.0
"""A call to librdkafka takes a second; after twice this long the lane ends the process itself."""

OPEN_SECONDS_MAX = 10.0
"""A batch takes a second at most, when a broker answers."""

ABORTED_SECONDS = 30.0
SCRAPE_SECONDS_MAX = 60.0


class HealthCheck(NamedTuple):
    """One thing that is looked at."""

    healthy: bool
    reason: str


class HttpEndpoints:
    """What the pages say.

    Args:
        lane: Of the gate.
        directory: Likewise.
        watch: Likewise.
        standing: Where the lane stands.
        observer: What came of the batches.
    """

    def __init__(
        self,
        lane: ExactlyOnceLoop,
        directory: DirectoryFollower,
        watch: PackReloader,
        standing: ConsumerStatus,
        observer: BatchObserver,
    ) -> None:
        self._lane = lane
        self._directory = directory
        self._watch = watch
        self._standing = standing
        self._observer = observer
        self._scraped = asyncio.Event()
        disable_created_metrics()  # type: ignore[no-untyped-call]  # as many series again, that nobody asks for
        metrics.BATCH_OPEN.set_function(observer.open_seconds)
        metrics.READY.set_function(lambda: all(condition.healthy for condition in self.ready().values()))
        for check in metrics.CHECKS:
            metrics.READY_CHECK.labels(check).set_function(lambda check=check: self.ready()[check].healthy)  # type: ignore[misc]  # a default has no type in a lambda
        metrics.BUILD.info(
            {
                "version": version("sharing-bus"),
                "python": platform.python_version(),
                "librdkafka": confluent_kafka.libversion()[0],
            }
        )

    def add_to(self, app: App) -> None:
        """Serve the pages."""

        async def show_metrics(view: Any, _: Any) -> Any:
            text = generate_latest(metrics.REGISTRY)
            self._scraped.set()
            # As a header: aiohttp takes no `content_type` with parameters.
            return view.bytes(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

        async def show_health(view: Any, _: Any) -> Any:
            return _show(view, "healthy", self.health())

        async def show_ready(view: Any, _: Any) -> Any:
            return _show(view, "ready", self.ready())

        for path, page in {"/metrics": show_metrics, "/health": show_health, "/ready": show_ready}.items():
            app.page(path)(page)

    async def await_scrape(self) -> None:
        """Wait until the metrics have been read once more, for a minute at most: what the process dies of is seen."""
        self._scraped.clear()
        try:
            await asyncio.wait_for(self._scraped.wait(), SCRAPE_SECONDS_MAX)
        except TimeoutError:
            return  # nobody reads them

    def health(self) -> dict[str, HealthCheck]:
        """Return what must be well for the process to be left alone."""
        since = self._lane.waiting_since
        waited = time.monotonic() - since if since is not None else 0.0
        return {
            "loop": HealthCheck(healthy=True, reason="it turns"),
            "librdkafka": HealthCheck(waited < STUCK_SECONDS_MAX, f"the call at hand has taken {waited:.0f} s"),
            "lane": HealthCheck(not self._lane.crashed, "it has failed" if self._lane.crashed else "it runs"),
        }

    def ready(self) -> dict[str, HealthCheck]:
        """Return what must be well for the worker to commit, by the names in `metrics.CHECKS`."""
        return {
            "directory": self._check_directory(),
            "law": self._check_law(),
            "broker": self._check_broker(),
            "partitions": self._check_partitions(),
            "commit": self._check_commit(),
        }

    def _check_directory(self) -> HealthCheck:
        read = self._directory.version
        if read is None:
            return HealthCheck(healthy=False, reason="not read to its end yet")
        return HealthCheck(healthy=True, reason=f"read to version {read}")

    def _check_law(self) -> HealthCheck:
        if self._watch.failed:
            return HealthCheck(healthy=False, reason="what lies on the shelf is not to be applied; the log says why")
        pack = self._watch.pack
        return HealthCheck(healthy=True, reason=f"{pack.code} {pack.version} of {pack.consolidated_at}")

    def _check_broker(self) -> HealthCheck:
        standing = self._standing
        if standing.heard is None:
            return HealthCheck(healthy=False, reason="none has answered yet")
        ago = time.monotonic() - standing.heard
        if standing.hears_broker():
            return HealthCheck(healthy=True, reason=f"heard {ago:.0f} s ago")
        why = "no connection" if not standing.connected else f"nothing heard within {HEARD_SECONDS_MAX:g} s"
        return HealthCheck(healthy=False, reason=f"{why}; last heard {ago:.0f} s ago")

    def _check_partitions(self) -> HealthCheck:
        assigned = self._standing.assigned
        if assigned is None:
            return HealthCheck(healthy=False, reason="the group has not settled")
        if not assigned:
            return HealthCheck(healthy=True, reason="standby: other workers have all partitions")
        return HealthCheck(healthy=True, reason=f"{len(assigned)} assigned")

    def _check_commit(self) -> HealthCheck:
        observer = self._observer
        opened = observer.open_seconds()
        if observer.broken:
            return HealthCheck(healthy=False, reason="a batch does not add up; nothing is committed any more")
        if opened > OPEN_SECONDS_MAX:
            return HealthCheck(healthy=False, reason=f"a batch has been open for {opened:.0f} s")
        # Its records come again at once, or belong to another worker by now.
        if observer.aborted_at is not None and time.monotonic() - observer.aborted_at < ABORTED_SECONDS:
            return HealthCheck(healthy=False, reason="the last batch was aborted, and is done again")
        if observer.committed_at is None:
            return HealthCheck(healthy=True, reason="nothing to commit yet")
        return HealthCheck(healthy=True, reason=f"last committed {time.monotonic() - observer.committed_at:.0f} s ago")


def _show(view: Any, word: str, conditions: Mapping[str, HealthCheck]) -> Any:
    well = all(condition.healthy for condition in conditions.values())
    checks = {name: {"ok": condition.healthy, "reason": condition.reason} for name, condition in conditions.items()}
    return view.json({word: well, "checks": checks}, status=200 if well else 503)
