"""The identity of a gate: its principal and the topics it reads. Principal, State and agencies must match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sharing.errors import SettingsError
from sharing.kafka.tls import read_identity, tls_properties
from sharing.topology.acls import Principal
from sharing.topology.partners import read_partners
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import INDICATORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sharing.settings import Settings


@dataclass(frozen=True, slots=True)
class GateIdentity:
    """The identity of a State's gate on its cluster.

    Attributes:
        state: Country code of the State.
        group: Consumer group of its workers, and prefix of all its group and transactional ids, as its ACLs require.
        topics: The topics that it reads.
        optional_topics: Topics that it also reads if they exist: the topic that all agencies shared before each had its
            own, to which publishers may still write.
        agency_by_topic: The agency of each topic that only one agency may write to, and None for a topic that all share
            in addition. Empty if agencies have no topics of their own.
        client: librdkafka properties with which its clients connect.
    """

    state: str
    group: str
    topics: tuple[str, ...]
    optional_topics: tuple[str, ...]
    agency_by_topic: Mapping[str, str | None]
    client: Mapping[str, str]

    @property
    def agencies(self) -> tuple[str, ...]:
        """The agencies that have topics of their own; empty if all share one."""
        return tuple(agency for agency in self.agency_by_topic.values() if agency is not None)


def identify_gate(settings: Settings) -> GateIdentity:
    """Return the identity of the gate that the settings describe.

    Raises:
        SettingsError: The certificate is unusable or does not belong to this gate, or the partners file does not list
            the State.
        InputError: The partners file is invalid.
    """
    state = str(settings.state)
    principal = Principal(Role.GATE, state)
    client = tls_properties(settings)
    identity = read_identity(settings)
    if identity is not None and identity.principal != principal:
        raise SettingsError(
            f"the certificate in {settings.tls_certificate} belongs to {identity.name or 'nobody'}; "
            f"a gate of {state} needs the certificate of {principal.name}"
        )
    shared = INDICATORS.topic(state)
    agency_by_topic: dict[str, str | None] = {
        INDICATORS.topic(state, agency): agency for agency in _list_agencies(settings, state)
    }
    topics = tuple(agency_by_topic) or (shared,)
    optional_topics = (shared,) if agency_by_topic else ()
    agency_by_topic.update(dict.fromkeys(optional_topics))
    return GateIdentity(state, str(principal.group_prefix), topics, optional_topics, agency_by_topic, client)


def _list_agencies(settings: Settings, state: str) -> Iterable[str]:
    if settings.agency_ids or settings.partners is None:
        return settings.agency_ids
    partner = read_partners(settings.partners).states.get(state)
    if partner is None:
        raise SettingsError(
            f"SHARING_PARTNERS names {settings.partners}, which does not list {state}; add it to that file"
        )
    return partner.agencies
