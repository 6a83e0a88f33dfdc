"""The cluster that `sharing doctor` checks, and the check that its broker answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sharing.cli.doctor.check_result import CheckResult, run_check
from sharing.cli.shared.partners import choose_partners
from sharing.errors import SharingError
from sharing.kafka.clients import require_broker
from sharing.kafka.tls import read_identity, tls_properties
from sharing.settings import Settings
from sharing.topology.acls import OPERATOR, Principal
from sharing.topology.partners import Partners


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster whose broker answers, and how to connect to it.

    Attributes:
        settings: The settings.
        servers: Kafka bootstrap servers.
        tls: librdkafka TLS properties.
        principal: The principal of the configured certificate; None without one.
        partners: The States and agencies whose topics and ACLs are checked.
    """

    settings: Settings
    servers: str
    tls: Mapping[str, str]
    principal: Principal | None
    partners: Partners

    @property
    def sees_all(self) -> bool:
        """Whether this client may read the whole configuration: the operator, or anyone without access control."""
        return self.principal in {None, OPERATOR}


def check_broker(settings: Settings) -> Iterator[CheckResult]:
    """Check that a broker is configured and answers."""
    servers = settings.bootstrap
    if servers is None:
        remedy = "give --bootstrap HOST:PORT, or set SHARING_BOOTSTRAP"
        yield CheckResult("broker", ok=False, detail="none is configured", remedy=remedy)
        return
    try:
        read_identity(settings)
        tls = tls_properties(settings)
    except SharingError as error:
        yield CheckResult("broker", ok=False, detail=f"not contacted: {error}", remedy="fix the certificate first")
        return

    def describe_broker() -> str:
        require_broker(servers, tls)
        return f"{servers} answers"

    remedy = "start it, or give another with --bootstrap; if it requires a certificate, set SHARING_TLS_…"
    yield run_check("broker", describe_broker, remedy)


def open_cluster(settings: Settings, states: str | None) -> Cluster:
    """Return the configured cluster. `check_broker` must have passed.

    Args:
        settings: The settings, with bootstrap servers.
        states: Comma-separated country codes to check. Default: the configured State, else all partners.

    Raises:
        InputError: A State is unknown or not in the partners file, or the file is invalid.
    """
    identity = read_identity(settings)
    return Cluster(
        settings=settings,
        servers=str(settings.bootstrap),
        tls=tls_properties(settings),
        principal=identity.principal if identity is not None else None,
        partners=choose_partners(settings, states or settings.state),
    )
