"""The duty desks of the trial, and the registrars who enter their officers."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.tools.manifests.common import (
    DESK_PORT,
    DESK_STOP_SECONDS,
    STATE_FOLDER,
    console_principal,
    desk_agency_principal,
    desk_settings,
    pack_settings,
    time_stamp_roots,
)
from sharing.tools.manifests.compose_keys import Holder, give_keys
from sharing.tools.manifests.compose_services import (
    BOOTSTRAP,
    BUS,
    MONITORING,
    OFFICERS,
    SECRETS,
    TOOL_FIELDS,
    Service,
    format_loopback_port,
    make_bus_service,
    make_dependencies,
    make_healthcheck,
    make_law_secrets,
    make_secret,
    make_time_stamp_secrets,
)
from sharing.topology.partners import Partners

_MEMORY = "256m"
_HEALTH_SCRIPT = (
    "import os, ssl, urllib.request as request; "
    "request.urlopen(f\"https://127.0.0.1:{os.environ['SHARING_DESK_PORT']}/healthz\", timeout=2, "
    "context=ssl._create_unverified_context())"
)
"""The certificate is for browsers, which know the desk as `localhost`."""


def name_pages(state: str) -> str:
    """Return the CN of the certificate of a desk's pages."""
    return f"desk.{state.lower()}"


def list_ports(partners: Partners) -> dict[str, int]:
    """Return the port of each State's desk on this machine: a passkey is for one address."""
    return {state: DESK_PORT + number for number, state in enumerate(sorted(partners.states))}


def make_desks(partners: Partners) -> Iterator[tuple[str, Service]]:
    """Yield the desk of each State with the name of its service."""
    for state, port in list_ports(partners).items():
        name = f"desk-{state.lower()}"
        agency = desk_agency_principal(partners, state)
        keys, pages = give_keys(state, Holder.DESK, reads_inbox=True), name_pages(state)
        files = {"pages.pem": f"{pages}.pem", "pages.key": f"{pages}.key"}
        if agency is not None:
            files |= {"agency.pem": f"{agency.name}.pem", "agency.key": f"{agency.name}.key"}
        secrets = [make_secret(source, target) for target, source in files.items()]
        settings = {
            **desk_settings(partners, state, BOOTSTRAP, SECRETS),
            "SHARING_DESK_ORIGIN": f"https://localhost:{port}",
            "SHARING_DESK_PORT": str(port),
            "SHARING_WEB_BIND": "0.0.0.0",  # noqa: S104 the network of the container
            **keys.settings,
            **pack_settings(SECRETS, SECRETS, STATE_FOLDER),
            **time_stamp_roots(partners, state, SECRETS),
        }
        yield name, make_bus_service(
            ["desk"], [BUS, MONITORING, OFFICERS], console_principal(state).name, settings,
            secrets=[*secrets, *keys.secrets, *make_law_secrets(state), *make_time_stamp_secrets(partners, state)],
            **keys.fields,
            mem_limit=_MEMORY,
            ports=[format_loopback_port(port)],
            volumes=[{"type": "volume", "source": name, "target": STATE_FOLDER}],
            healthcheck=make_healthcheck("python", "-c", _HEALTH_SCRIPT),
            depends_on=make_dependencies(topics="service_completed_successfully"),
            stop_grace_period=f"{DESK_STOP_SECONDS}s",
        )  # fmt: skip


def make_registrars(partners: Partners) -> Iterator[tuple[str, Service]]:
    """Yield what runs one command as a State's registrar: `docker compose run --rm registrar-ch officers list`."""
    for state in sorted(partners.states):
        keys = give_keys(state, Holder.REGISTRAR)
        settings = {"SHARING_BOOTSTRAP": BOOTSTRAP, "SHARING_STATE": state, **keys.settings}
        yield f"registrar-{state.lower()}", make_bus_service(
            ["officers", "list"], [BUS], console_principal(state).name, settings,
            secrets=keys.secrets,
            **keys.fields,
            **TOOL_FIELDS,
        )  # fmt: skip
