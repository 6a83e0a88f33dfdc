"""How one desk is served: where, under which origin, with which certificates."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sharing.errors import SettingsError

LANGUAGES: Final = ("en", "fr")
"""The languages of the catalogue; the first is the one that the pages are written in."""

_LOOPBACK_NAME: Final = "localhost"


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """How one desk is served.

    Attributes:
        state: The State whose officers it serves.
        origin: Scheme, host name and port under which browsers reach it, such as `https://desk.example`. A passkey is
            bound to the host name, so it is never an IP address.
        host: Address on which it listens.
        port: Port on which it listens.
        tls_certificate: PEM file with the certificate of the pages and its chain; None without TLS.
        tls_key: PEM file with the private key of that certificate; None without TLS.
        metrics_port: Port of its metrics; None if they are not served.
        metrics_host: Address on which they are served. They have no TLS: restrict who can read them.
        language: Language of the pages where a browser prefers none of the catalogue.
        agency: Id of the agency under which the desk publishes; None if it publishes nothing.
        agency_certificate: PEM file with the client certificate of that agency, for the brokers; None without TLS.
        agency_key: PEM file with the private key of that certificate; None without TLS.
        lost_before: The operator has given up what cannot be read of the desk's topic before this offset.
    """

    state: str
    origin: str
    host: str = "127.0.0.1"
    port: int = 8443
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    language: str = LANGUAGES[0]
    agency: str | None = None
    agency_certificate: Path | None = None
    agency_key: Path | None = None
    lost_before: int = 0

    @property
    def rp_id(self) -> str:
        """The host name that passkeys of this desk are bound to (WebAuthn: the relying party's id)."""
        return urlsplit(self.origin).hostname or ""

    @property
    def host_header(self) -> str:
        """The `Host` header of requests to this origin."""
        return urlsplit(self.origin).netloc


def require_protected(settings: DeskSettings) -> None:
    """Refuse to serve pages in clear to other machines.

    Raises:
        SettingsError: The address is not loopback and there is no certificate; or a certificate has no key, or a key no
            certificate.
    """
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise SettingsError("TLS needs both: give --tls-certificate and --tls-key")
    if settings.tls_certificate is None and not is_loopback(settings.host):
        raise SettingsError(
            f"{settings.host} can be reached from other machines: give --tls-certificate and --tls-key, or listen on "
            "127.0.0.1 behind a proxy that has them"
        )


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    try:
        return host == _LOOPBACK_NAME or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
