"""Which brokers a command talks to, and how: from its options and the settings."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharing.errors import SettingsError
from sharing.kafka.tls import tls_properties
from sharing.settings import Settings, load_settings

Bootstrap = Annotated[
    str | None,
    typer.Option("--bootstrap", help="Kafka bootstrap servers; else SHARING_BOOTSTRAP.", metavar="HOST:PORT"),
]


def bus_settings(bootstrap: str | None, **given: Any) -> tuple[Settings, str, dict[str, str]]:
    """Return the settings, the bootstrap servers, and the properties by which clients connect.

    Raises:
        SettingsError: No servers are named, or the certificate of the settings cannot serve.
    """
    settings, servers = settings_with_broker(bootstrap, **given)
    return settings, servers, tls_properties(settings)


def settings_with_broker(bootstrap: str | None, **given: Any) -> tuple[Settings, str]:
    """Return the settings, and the bootstrap servers that the command needs.

    Raises:
        SettingsError: None are named.
    """
    settings = load_settings(bootstrap=bootstrap, **given)
    if settings.bootstrap is None:
        raise SettingsError(
            "no broker is named: give --bootstrap HOST:PORT, or set SHARING_BOOTSTRAP "
            "(`sharing broker up` starts one and says where it is)"
        )
    return settings, settings.bootstrap
