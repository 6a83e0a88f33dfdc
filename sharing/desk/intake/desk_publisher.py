"""Publishes what officers enter, under an agency of the desk: `agency.<st>.<desk>`, with a certificate of its own."""

from __future__ import annotations

import threading
from typing import Protocol

from sharing.clients.publisher import Publisher
from sharing.console.connection import ConsoleConnection
from sharing.desk.settings import DeskSettings
from sharing.errors import SettingsError, SharingError
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.tls import read_identity, tls_properties
from sharing.model.indicator import Indicator
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import Role


class ItemPublisher(Protocol):
    """Publishes items under one agency."""

    @property
    def agency(self) -> str:
        """Id of the agency."""
        ...

    def publish(self, item: Indicator) -> None:
        """Publish an item, and return once the broker has confirmed it. Publishing it again is safe.

        Raises:
            InputError: It is too large, or its id and version were published with another content. Nothing was sent.
            InfrastructureError: The broker did not confirm it. It may have been sent nevertheless.
        """
        ...


class DeskPublisher:
    """Publishes under the desk's agency. It connects when the first item is published. Threads may share it.

    Args:
        console: The connection of the console, whose servers and trust settings it uses.
        desk: How the desk is served: its agency, and the certificate of that agency.

    Raises:
        SettingsError: The desk has no agency, or its certificate is missing, unusable, or that of somebody else.
    """

    def __init__(self, console: ConsoleConnection, desk: DeskSettings) -> None:
        if desk.agency is None:
            raise SettingsError("the desk publishes nothing: set SHARING_DESK_AGENCY to the id of its agency")
        self.agency = desk.agency
        self._console = console
        self._properties = _make_properties(console, desk, desk.agency)
        self._lock = threading.Lock()
        self._publisher: Publisher | None = None

    def start(self) -> None:
        """Do nothing: it connects when it is needed."""

    def close(self) -> None:
        """Forget the connection. What was published is confirmed already."""
        with self._lock:
            self._publisher = None

    def publish(self, item: Indicator) -> None:
        """Publish an item: see `ItemPublisher`."""
        with self._lock:
            try:
                publisher = self._publisher = self._publisher or self._connect()
                publisher.publish(item)
                publisher.flush()
            except SharingError:
                self._publisher = None
                raise

    def _connect(self) -> Publisher:
        settings = self._console.settings
        return Publisher(
            self._console.servers,
            self._console.state,
            self.agency,
            properties=self._properties,
            framing=self._console.framing,
            pins=read_directory_pins(settings) if settings.seal_to_worker else None,
            state_folder=settings.state_folder,
        )


def _make_properties(console: ConsoleConnection, desk: DeskSettings, agency: str) -> dict[str, str]:
    """Return the properties of a connection under the agency's certificate; those of the console without TLS.

    Raises:
        SettingsError: See `DeskPublisher`.
    """
    settings = console.settings
    has_files = desk.agency_certificate is not None and desk.agency_key is not None
    if settings.tls_certificate is None:
        if desk.agency_certificate is not None or desk.agency_key is not None:
            raise SettingsError("the agency has a certificate, and the desk has none: set SHARING_TLS_CERTIFICATE")
        return dict(console.properties)
    if not has_files:
        raise SettingsError(
            "the desk publishes under an identity of its own: name its certificate and key in "
            "SHARING_DESK_AGENCY_CERTIFICATE and SHARING_DESK_AGENCY_KEY"
        )
    own = settings.model_copy(
        update={"tls_certificate": desk.agency_certificate, "tls_key": desk.agency_key, "tls_key_password": None}
    )
    identity = read_identity(own)
    expected = {Principal(Role.AGENCY, console.state, agency), Principal(Role.AGENCY, console.state)}
    if identity is None or identity.principal not in expected:
        name = "" if identity is None else identity.name
        raise SettingsError(
            f"the certificate in {desk.agency_certificate} is that of {name or 'nobody'}; the desk needs that of "
            f"agency.{console.state.lower()}.{agency}"
        )
    return tls_properties(own)
