"""The worker: a Faust app that has no Kafka client of its own, and the process around it.

With a consumer of its own Faust waits up to a minute for dead members of its group, crashes when its agents read
channels only, and cannot share a group with a lane. So only its sensors, web server and agents are started; Kafka
is reached by exactly-once loops (`processors.exactly_once.loop`), which are services of the app. Faust creates no
topics and sends nothing.

`faust -A MODULE worker` and `run_worker(app)` do the same: logs go to standard error, SIGTERM and SIGINT stop
cleanly with 0, and a failure ends the process with the `exit_code` of its error (3: infrastructure), else 1.
"""

from __future__ import annotations

import gc
import io
import logging
import sys
from typing import TYPE_CHECKING, Any, NoReturn, cast

import faust
from faust.app.base import BootStrategy

from sharing.errors import SharingError
from sharing.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mode import ServiceT


GC_THRESHOLDS = (200_000, 50, 100)

__all__ = ["App", "Worker", "create_app", "run_worker"]

log = logging.getLogger(__name__)


class ConsumerlessBoot(BootStrategy):
    """Starts everything but Kafka."""

    def producer_only(self) -> Iterable[ServiceT]:
        """Return the services to start, in order; they are stopped in the opposite one."""
        return [*self.sensors(), *self.web_server(), *self.agents()]

    def web_server(self) -> Iterable[ServiceT]:
        """Return the web server, when the app was made with a port for it."""
        return super().web_server() if cast("App", self.app).serves_web else []


class App(faust.App):
    """A Faust app for lanes."""

    BootStrategy = ConsumerlessBoot
    producer_only = True
    mundane_level = "debug"
    logger = logging.getLogger("mode.app")
    serves_web = False

    def add_service(self, service: ServiceT) -> None:
        """Start a lane, or another service, after the agents and those before it; stop them the other way round."""
        self.service(cast("Any", service))  # an instance will do, whatever its annotation says

    def _create_directories(self) -> None:
        """Make none: there are no tables to keep in them."""


class Worker(faust.Worker):
    """The process: its logs, and the code that it exits with."""

    mundane_level = "debug"
    logger = logging.getLogger("mode.process")

    def __init__(self, app: App, *services: ServiceT, loglevel: str | int | None = None, **options: Any) -> None:
        options.update(redirect_stdouts=False, override_logging=False)
        super().__init__(app, *services, loglevel=loglevel, **options)
        self.spinner = None
        configure_logging(loglevel or "INFO")
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # Faust's banner is not ASCII

    async def on_startup_finished(self) -> None:
        """Say that it runs, and take what is loaded by now out of the garbage collector's rounds.

        A batch makes some hundred thousand containers and no cycles: with Python's own thresholds looking for cycles
        among them takes a quarter of the gate's time (`docs/adr/0012`).
        """
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        log.info("worker %s runs", self.app.conf.id)

    def execute_from_commandline(self) -> NoReturn:
        """Run until a signal or a failure ends it.

        Raises:
            SystemExit: Always.
        """
        try:
            super().execute_from_commandline()
        except SystemExit:
            reason = self.crash_reason
            if reason is None:
                log.info("worker %s ended", self.app.conf.id)
                raise
            if not isinstance(reason, SharingError):
                log.critical("worker %s failed", self.app.conf.id, exc_info=reason)
            sys.exit(reason.exit_code if isinstance(reason, SharingError) else 1)


def create_app(name: str, *, web_port: int | None = None, web_bind: str = "127.0.0.1") -> App:
    """Return an app without agents and lanes.

    Args:
        name: Of the app, in logs and metrics.
        web_port: Where to serve the app's pages; None for no web server at all.
        web_bind: On which address; the metrics say which States there are, so it is the loopback by default.
    """
    app = App(
        name,
        broker="kafka://lane",  # never connected to; the banner shows it
        store="memory://",
        web_enabled=web_port is not None,
        web_port=web_port or 6066,
        web_bind=web_bind,
        web_host=web_bind,
        web_tables_enabled=False,
        agent_supervisor="mode.CrashingSupervisor",
        Worker=Worker,
    )
    app.serves_web = web_port is not None
    return app


def run_worker(app: App, loglevel: str = "INFO") -> NoReturn:
    """Run the app as `faust worker` does, in this process.

    Args:
        app: With its agents and lanes.
        loglevel: Of standard logging.

    Raises:
        SystemExit: At the end.
    """
    app.finalize()
    app.worker_init()
    Worker(app, app, loglevel=loglevel).execute_from_commandline()
