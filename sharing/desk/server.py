"""Serves the desk until the process is told to end."""

from __future__ import annotations

import gc
import logging
import resource
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import FrameType
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, start_http_server
from starlette.applications import Starlette

from sharing.desk.changes import ChangeFeed
from sharing.desk.connection_limits import LimitedListener, LimitedProtocol
from sharing.desk.services import DeskServices, Part
from sharing.desk.settings import DeskSettings, require_protected
from sharing.errors import InfrastructureError, SettingsError

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 2
"""How long requests may go on that have begun when the process is told to end."""

CLOSE_SECONDS: Final = 1.0
"""How long it is waited for what follows topics, after that."""

KEEP_ALIVE_SECONDS: Final = 30
CONNECTIONS_MAX: Final = 1_000
FILES_MIN: Final = 4 * CONNECTIONS_MAX
"""How many files the process may have open: one for each connection, those included that have not finished TLS."""

_BACKLOG: Final = 128


class _Server(uvicorn.Server):
    """Ends the streams of open pages when a signal comes: they would keep the process."""

    def __init__(self, config: uvicorn.Config, changes: ChangeFeed) -> None:
        super().__init__(config)
        self._changes = changes

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._changes.close()
        super().handle_exit(sig, frame)
        self._captured_signals.clear()  # an end that was asked for is no failure: uvicorn would die by the signal
        if sig == signal.SIGINT and self.should_exit:
            log.info("ends at once if it is interrupted again")


def serve(services: DeskServices, application: Starlette, parts: tuple[Part, ...]) -> None:
    """Serve the desk until SIGTERM or SIGINT, which end it within five seconds.

    Args:
        services: What the pages need of the world.
        application: The pages.
        parts: What is started before, and closed after.

    Raises:
        SettingsError: A certificate cannot be used, or is missing where other machines reach the desk.
        InfrastructureError: It cannot listen at its address.
    """
    settings = services.settings
    require_protected(settings)
    _raise_file_limit()
    config = configure(settings, application)
    with ExitStack() as stack:
        stack.callback(gc.freeze)  # the process ends: looking for garbage once more took two seconds on a busy machine
        listener = stack.enter_context(_listen(settings.host, settings.port))
        endings = [part.close for part in parts]
        if settings.metrics_port is not None:
            registry = application.state.metrics.registry
            endings.append(_serve_metrics(settings.metrics_host, settings.metrics_port, registry))
        stack.callback(_close, endings)
        for part in parts:
            part.start()
        log.info(
            "the desk of %s listens on %s:%d for %s", settings.state, settings.host, settings.port, settings.origin
        )
        _Server(config, services.changes).run(sockets=[listener])


def _close(endings: Sequence[Callable[[], None]]) -> None:
    """Close everything at once, and wait for it for a while only: a broker that is away holds up nobody's end."""
    threads = [threading.Thread(target=end, name="desk-close", daemon=True) for end in endings]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + CLOSE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _raise_file_limit() -> None:
    """Ask for as many files as connections need: systems permit 1,024 to a process that does not ask."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MIN if hard == resource.RLIM_INFINITY else min(FILES_MIN, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def configure(settings: DeskSettings, application: Starlette) -> uvicorn.Config:
    """Return how uvicorn serves: without a log of its own, which would name what is asked for."""
    config = uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        loop="asyncio",
        http=LimitedProtocol,
        backlog=_BACKLOG,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(
            f"the certificate {settings.tls_certificate} and the key {settings.tls_key} cannot be used together "
            f"({getattr(error, 'reason', None) or error.strerror}); give a PEM chain and its unencrypted key"
        ) from None
    return config


def _listen(host: str, port: int) -> LimitedListener:
    try:
        (family, _kind, _number, _name, address), *_more = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return LimitedListener(socket.create_server(address[:2], family=family, backlog=_BACKLOG))
    except OSError as error:
        raise InfrastructureError(
            f"the desk cannot listen on {host}:{port} ({error.strerror}); choose another --host or --port, or end what "
            "listens there"
        ) from None


def _serve_metrics(host: str, port: int, registry: CollectorRegistry) -> Callable[[], None]:
    try:
        server, _thread = start_http_server(port, host, registry)
    except OSError as error:
        raise InfrastructureError(
            f"metrics cannot be served on {host}:{port} ({error.strerror}); choose another --metrics-port, or another "
            "SHARING_WEB_BIND"
        ) from None
    return server.shutdown
