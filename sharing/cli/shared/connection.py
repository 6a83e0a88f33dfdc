"""Which brokers a command connects to, and with which TLS properties: from its options and the settings."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharing.errors import SettingsError
from sharing.kafka.tls import tls_properties
from sharing.settings import Settings, load_settings

Bootstrap = Annotated[
    str | None,
    typer.Option("--bootstrap", help="Kafka bootstrap servers. Default: SHARING_BOOTSTRAP.", metavar="HOST:PORT"),
]


def load_client_settings(bootstrap: str | None, **overrides: Any) -> tuple[Settings, str, dict[str, str]]:
    """Return the settings, the bootstrap servers, and the librdkafka TLS properties of clients.

    Args:
        bootstrap: The option `--bootstrap`.
        overrides: Settings from other options; None leaves a setting as it is.

    Raises:
        SettingsError: No servers are configured, or the configured certificate is unusable.
    """
    settings, servers = load_broker_settings(bootstrap, **overrides)
    return settings, servers, tls_properties(settings)


def load_broker_settings(bootstrap: str | None, **overrides: Any) -> tuple[Settings, str]:
    """Return the settings and the bootstrap servers.

    Args:
        bootstrap: The option `--bootstrap`.
        overrides: Settings from other options; None leaves a setting as it is.

    Raises:
        SettingsError: No servers are configured.
    """
    settings = load_settings(bootstrap=bootstrap, **overrides)
    if settings.bootstrap is None:
        raise SettingsError(
            "no broker is configured: give --bootstrap HOST:PORT, or set SHARING_BOOTSTRAP "
            "(`sharing broker up` starts one and prints its address)"
        )
    return settings, settings.bootstrap
