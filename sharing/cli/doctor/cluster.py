"""The cluster that `sharing doctor` checks, and the check that its broker answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sharing.cli.doctor.check_result import CheckResult, run_check
from sharing.cli.shared.partners import choose_partners, read_states
from sharing.errors import SharingError
from sharing.kafka.clients import look_up_topics, require_broker
from sharing.kafka.tls import read_identity, tls_properties
from sharing.settings import Settings
from sharing.topology.acls import OPERATOR, Principal
from sharing.topology.partners import Partners
from sharing.topology.topic_kinds import TopicScope
from sharing.topology.topics import CLOCK, find_topic_kind


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster whose broker answers, and how to connect to it.

    Attributes:
        settings: The settings.
        servers: Kafka bootstrap servers.
        tls: librdkafka TLS properties.
        principal: The principal of the configured certificate; None without one.
        partners: The States and agencies whose topics and ACLs are checked.
        named: The States that an option or the settings name.
    """

    settings: Settings
    servers: str
    tls: Mapping[str, str]
    principal: Principal | None
    partners: Partners
    named: frozenset[str]

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


def open_cluster(settings: Settings, states: Sequence[str]) -> Cluster:
    """Return the configured cluster. `check_broker` must have passed.

    Args:
        settings: The settings, with bootstrap servers.
        states: Country codes to check. If empty: the configured State; else all in the partners file; without one,
            those that have topics on the cluster.

    Raises:
        InputError: A State is unknown or not in the partners file, or the file is invalid.
    """
    identity = read_identity(settings)
    servers, tls = str(settings.bootstrap), tls_properties(settings)
    named = read_states(states) if states else (settings.state,) if settings.state else ()
    chosen: Sequence[str] = named
    if not chosen and settings.partners is None:
        chosen = _find_states(look_up_topics(servers, tls))
    return Cluster(
        settings=settings,
        servers=servers,
        tls=tls,
        principal=identity.principal if identity is not None else None,
        partners=choose_partners(settings, chosen),
        named=frozenset(named),
    )


def _find_states(topics: Iterable[str]) -> list[str]:
    """Return the States that have national topics; otherwise those that have any.

    A cluster may have copies of the directory and exchange topics of States that have another cluster.
    """
    parts = [name.split(".") for name in topics if (kind := find_topic_kind(name)) is not None and kind is not CLOCK]
    national = {part[1] for part in parts if part[0] == TopicScope.NATIONAL}
    return [state.upper() for state in sorted(national or {part[1] for part in parts})]
