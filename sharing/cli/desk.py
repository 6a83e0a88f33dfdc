"""`sharing desk`: serve the pages on which officers of a State see what they are asked, and rule."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.desk.application import build_application
from sharing.desk.composition import compose
from sharing.desk.server import serve
from sharing.desk.settings import DeskSettings, require_protected
from sharing.errors import SettingsError
from sharing.settings import Settings
from sharing.telemetry.logs import configure_logging


def desk(
    state: StateOption = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--origin", help="Address at which browsers reach it. Default: SHARING_DESK_ORIGIN.", metavar="URL"
        ),
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port to listen on. Default: 8443.")
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            "--tls-certificate", help="PEM file with the certificate of the pages and its chain.", metavar="FILE"
        ),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", help="PEM file with its private key.", metavar="FILE")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", min=1, max=65535, help="Port of its metrics, at SHARING_WEB_BIND.")
    ] = None,
    agency: Annotated[
        str | None, typer.Option("--agency", help="Agency under which it publishes. Default: SHARING_DESK_AGENCY.")
    ] = None,
    bootstrap: Bootstrap = None,
) -> None:
    """Serve the duty desk of one State until Ctrl-C or SIGTERM.

    Officers sign in with passkeys that the State's register names; `--origin` is the address in their browsers.
    """
    console = connect_console(
        bootstrap,
        state,
        desk_origin=origin,
        desk_host=host,
        desk_port=port,
        desk_tls_certificate=tls_certificate,
        desk_tls_key=tls_key,
        desk_metrics_port=metrics_port,
        desk_agency=agency,
    )
    settings = make_desk_settings(console.settings, console.state)
    require_protected(settings)
    logging.getLogger().handlers.clear()  # those of commands, which show warnings only, without time or level
    configure_logging(console.settings.log_level, console.settings.log_format)
    services, parts = compose(console, settings)
    serve(services, build_application(services), parts)


def make_desk_settings(settings: Settings, state: str) -> DeskSettings:
    """Return how the desk is served, from the settings.

    Raises:
        SettingsError: No origin is configured.
    """
    if settings.desk_origin is None:
        raise SettingsError(
            "at which address do browsers reach the desk? give --origin https://desk.example, or set "
            "SHARING_DESK_ORIGIN"
        )
    return DeskSettings(
        state=state,
        origin=settings.desk_origin,
        host=settings.desk_host,
        port=settings.desk_port,
        tls_certificate=settings.desk_tls_certificate,
        tls_key=settings.desk_tls_key,
        metrics_port=settings.desk_metrics_port,
        metrics_host=settings.web_bind,
        language=settings.desk_language,
        agency=settings.desk_agency,
        agency_certificate=settings.desk_agency_certificate,
        agency_key=settings.desk_agency_key,
        lost_before=settings.desk_lost_before,
    )
