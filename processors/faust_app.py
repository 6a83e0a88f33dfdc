"""The worker: a Faust app without a Kafka client of its own, and the process that runs it.

With its own consumer, Faust waits up to a minute for dead members of its group, crashes if its agents read only
channels, and cannot share a group with an exactly-once loop. So only its sensors, web server and agents are started.
Exactly-once loops (`processors.exactly_once.loop`), which are services of the app, connect to Kafka. Faust itself
creates no topics and sends nothing.

`faust -A MODULE worker` and `run_worker(app)` do the same: logs go to standard error, SIGTERM and SIGINT stop the
process cleanly with exit code 0, and a failure ends it with the `exit_code` of its error (3: infrastructure), else 1.
"""

from __future__ import annotations

import errno
import gc
import io
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn, cast

import faust
from faust.app.base import BootStrategy

from sharing.errors import InfrastructureError, SharingError
from sharing.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mode import ServiceT


GC_THRESHOLDS = (200_000, 50, 100)
_CANNOT_LISTEN = {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}

__all__ = ["App", "Worker", "create_app", "run_worker"]

log = logging.getLogger(__name__)


class ConsumerlessBoot(BootStrategy):
    """Starts everything except Faust's Kafka clients."""

    def producer_only(self) -> Iterable[ServiceT]:
        """Return the services in the order in which to start them. They are stopped in reverse order."""
        return [*self.sensors(), *self.web_server(), *self.agents()]

    def web_server(self) -> Iterable[ServiceT]:
        """Return the web server if the app was created with a port for it."""
        return super().web_server() if cast("App", self.app).serves_web else []


class App(faust.App):
    """A Faust app for exactly-once loops."""

    BootStrategy = ConsumerlessBoot
    producer_only = True
    mundane_level = "debug"
    logger = logging.getLogger("mode.app")
    serves_web = False

    def add_service(self, service: ServiceT) -> None:
        """Add a service, such as an exactly-once loop.

        Services start after the agents, in the order in which they were added, and stop in reverse order.
        """
        self.service(cast("Any", service))  # accepts an instance although its annotation says otherwise

    def _create_directories(self) -> None:
        """Create no directories: there are no tables to store in them."""


class Worker(faust.Worker):
    """The process: its logs and its exit code."""

    mundane_level = "debug"
    logger = logging.getLogger("mode.process")

    def __init__(self, app: App, *services: ServiceT, loglevel: str | int | None = None, **options: Any) -> None:
        options.update(redirect_stdouts=False, override_logging=False)
        super().__init__(app, *services, loglevel=loglevel, **options)
        self.spinner = None
        self._start_failure: Exception | None = None
        configure_logging(loglevel or "INFO")
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # Faust's banner is not ASCII

    async def start(self) -> None:
        """Start everything. What fails here is kept: mode reports only what fails later."""
        try:
            await super().start()
        except Exception as failure:
            self._start_failure = _explain_failure(failure, cast("App", self.app))
            raise

    async def on_startup_finished(self) -> None:
        """Log that the worker is running, and exempt the objects loaded so far from garbage collection.

        A batch creates some hundred thousand containers and no reference cycles. With Python's default thresholds the
        search for cycles among them takes a quarter of the gate's time (`docs/adr/0012`).
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
            reason = self.crash_reason or self._start_failure
            if reason is None:
                log.info("worker %s ended", self.app.conf.id)
                raise
            if not isinstance(reason, SharingError):
                log.critical("worker %s failed", self.app.conf.id, exc_info=reason)
            elif reason is self._start_failure:
                log.critical("%s", reason)
            sys.exit(reason.exit_code if isinstance(reason, SharingError) else 1)


def _explain_failure(failure: Exception, app: App) -> Exception:
    """Return a failure at the start; if the web server cannot listen, as one sentence that says what to do."""
    if not isinstance(failure, OSError) or failure.errno not in _CANNOT_LISTEN:
        return failure
    address = f"{app.conf.web_bind}:{app.conf.web_port}"
    return InfrastructureError(
        f"the worker cannot serve its metrics on {address}: {os.strerror(failure.errno)}; set SHARING_WEB_PORT to a "
        "free port (each worker on a machine needs its own), or SHARING_WEB_BIND to an address of this machine"
    )


def create_app(name: str, *, web_port: int | None = None, web_bind: str = "127.0.0.1") -> App:
    """Return an app without agents and exactly-once loops.

    Args:
        name: Name of the app in logs and metrics.
        web_port: Port of the app's HTTP endpoints; None for no web server.
        web_bind: Address to bind to. The default is the loopback address, because the metrics reveal which States
            exchange information.
    """
    app = App(
        name,
        broker="kafka://exactly-once",  # shown in the banner; Faust never connects to it
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
    """Run the app in this process, as `faust worker` does.

    Args:
        app: The app, with its agents and exactly-once loops.
        loglevel: Level of standard logging.

    Raises:
        SystemExit: At the end.
    """
    app.finalize()
    app.worker_init()
    Worker(app, app, loglevel=loglevel).execute_from_commandline()
