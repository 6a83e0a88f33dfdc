"""As whom a gate connects, and which agencies' topics it reads: principal, State and agencies must agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sharing.errors import SettingsError
from sharing.kafka.tls import read_identity, tls_properties
from sharing.topology.acls import Principal
from sharing.topology.partners import read_partners
from sharing.topology.topics import INDICATORS, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sharing.settings import Settings


@dataclass(frozen=True, slots=True)
class GateIdentity:
    """A State's gate on its cluster.

    Attributes:
        group: Group of its workers; ids of groups and transactions begin with it, as its ACLs say.
        topics: What it reads.
        agencies: Those of the topics that one agency alone may write to, each with that agency.
        client: Properties by which its clients connect.
    """

    group: str
    topics: tuple[str, ...]
    agencies: Mapping[str, str]
    client: Mapping[str, str]


def identify_gate(settings: Settings) -> GateIdentity:
    """Return who the gate of the settings is.

    Raises:
        SettingsError: The certificate cannot serve or is not this gate's, or the partners file does not have the State.
        PackError: The partners file is not sound.
    """
    state = str(settings.state)
    principal = Principal(Role.GATE, state)
    client = tls_properties(settings)
    identity = read_identity(settings)
    if identity is not None and identity.principal != principal:
        raise SettingsError(
            f"the certificate in {settings.tls_certificate} is of {identity.name or 'nobody'}; "
            f"a gate of {state} needs that of {principal.name}"
        )
    agencies = {INDICATORS.topic(state, agency): agency for agency in _agencies(settings, state)}
    topics = tuple(agencies) or (INDICATORS.topic(state),)
    return GateIdentity(str(principal.group_prefix), topics, agencies, client)


def _agencies(settings: Settings, state: str) -> Iterable[str]:
    if settings.agency_ids or settings.partners is None:
        return settings.agency_ids
    partner = read_partners(settings.partners).states.get(state)
    if partner is None:
        raise SettingsError(f"SHARING_PARTNERS names {settings.partners}, which does not have {state}; add it there")
    return partner.agencies
