"""Serves the desk until the process is told to end."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, start_http_server
from starlette.applications import Starlette

from sharing.desk.changes import ChangeFeed
from sharing.desk.services import DeskServices, Part
from sharing.desk.settings import DeskSettings, require_protected
from sharing.errors import InfrastructureError, SettingsError

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 3
"""How long requests may go on that have begun when the process is told to end."""

CLOSE_SECONDS: Final = 1.0
"""How long it is waited for what follows topics, after that."""

KEEP_ALIVE_SECONDS: Final = 30
CONNECTIONS_MAX: Final = 1_000
_BACKLOG: Final = 128
_METRICS_HOST: Final = "127.0.0.1"


class _Server(uvicorn.Server):
    """Ends the streams of open pages when a signal comes: they would keep the process."""

    def __init__(self, config: uvicorn.Config, changes: ChangeFeed) -> None:
        super().__init__(config)
        self._changes = changes

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._changes.close()
        super().handle_exit(sig, frame)
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
    config = _configure(settings, application)
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(settings.host, settings.port))
        if settings.metrics_port is not None:
            stack.callback(_serve_metrics(settings.metrics_port, application.state.metrics.registry))
        stack.callback(_close, parts)
        for part in parts:
            part.start()
        log.info(
            "the desk of %s listens on %s:%d for %s", settings.state, settings.host, settings.port, settings.origin
        )
        _Server(config, services.changes).run(sockets=[listener])


def _close(parts: tuple[Part, ...]) -> None:
    """Close everything at once, and wait for it for a while only: a broker that is away holds up nobody's end."""
    threads = [threading.Thread(target=part.close, name="desk-close", daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + CLOSE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _configure(settings: DeskSettings, application: Starlette) -> uvicorn.Config:
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
        http="h11",
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


def _listen(host: str, port: int) -> socket.socket:
    try:
        (family, _kind, _number, _name, address), *_more = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InfrastructureError(
            f"the desk cannot listen on {host}:{port} ({error.strerror}); choose another --host or --port, or end what "
            "listens there"
        ) from None


def _serve_metrics(port: int, registry: CollectorRegistry) -> Callable[[], None]:
    try:
        server, _thread = start_http_server(port, _METRICS_HOST, registry)
    except OSError as error:
        raise InfrastructureError(
            f"metrics cannot be served on {_METRICS_HOST}:{port} ({error.strerror}); choose another --metrics-port"
        ) from None
    return server.shutdown
