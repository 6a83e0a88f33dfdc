"""The inputs of a State's worker: its settings, and what was read because of them before anything is connected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processors.services.pack_reloader import PackFiles
from processors.worker.gate_identity import GateIdentity, identify_gate
from processors.worker.own_keys import open_own_keys
from sharing.errors import SettingsError
from sharing.geoip import open_geoip_lookup
from sharing.relevance.nexus import GeoLookup, no_geo_lookup
from sharing.serialization.schema_registry import load_framing

if TYPE_CHECKING:
    from collections.abc import Callable

    from sharing.keystore.online_keys import OnlineKeys
    from sharing.packs.library import Law
    from sharing.serialization.framing import Framing
    from sharing.settings import Settings

_OWN_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class WorkerInputs:
    """The common inputs of all parts of a worker.

    Attributes:
        settings: The settings.
        state: Country code of the State.
        bootstrap: Kafka bootstrap servers.
        files: The files of the law.
        law: The law that was read from them.
        look_up_country: Returns the country of an IP address.
        identity: The gate's principal and its topics.
        framing: How records are framed.
        own_keys: The State's own keys; None if it has none.
    """

    settings: Settings
    state: str
    bootstrap: str
    files: PackFiles
    law: Law
    look_up_country: GeoLookup
    identity: GateIdentity
    framing: Framing
    own_keys: OnlineKeys | None

    @property
    def runs_gate(self) -> bool:
        """Whether the worker runs the gate's loop."""
        return self.settings.loops != "conversation"

    @property
    def runs_conversation(self) -> bool:
        """Whether the worker runs the conversation's loop, which needs keys."""
        return self.own_keys is not None and self.settings.loops != "gate"


def read_inputs(settings: Settings, clock: Callable[[], int]) -> WorkerInputs:
    """Return what the settings name, read and checked.

    Args:
        settings: The settings.
        clock: Returns the time in UTC milliseconds.

    Raises:
        SettingsError: A required setting is missing or does not fit, or the clock is before the law.
        PackError: The law pack is invalid.
        InputError: There is no pack for the State.
    """
    if settings.state is None or settings.bootstrap is None:
        missing = "SHARING_STATE" if settings.state is None else "SHARING_BOOTSTRAP"
        raise SettingsError(f"{missing} is not set; a gate needs its State and the brokers")
    if settings.trust_writers_time and not _is_on_this_machine(settings.bootstrap):
        raise SettingsError(
            "SHARING_TRUST_WRITERS_TIME is for demos: it is refused unless every broker is 127.0.0.1, ::1 or localhost"
        )
    files = PackFiles(settings.state, settings)
    return WorkerInputs(
        settings,
        settings.state,
        settings.bootstrap,
        files,
        law=files.read_law(clock()),
        look_up_country=open_geoip_lookup(settings.geoip) if settings.geoip else no_geo_lookup,
        identity=identify_gate(settings),
        framing=load_framing(settings, settings.state),
        own_keys=open_own_keys(settings),
    )


def _is_on_this_machine(bootstrap: str) -> bool:
    servers = (server.strip().rpartition("://")[2] for server in bootstrap.split(","))
    return all(server.rpartition(":")[0].strip("[]") in _OWN_HOSTS for server in servers)
