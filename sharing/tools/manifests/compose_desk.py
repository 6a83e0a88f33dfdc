"""The duty desks of the trial, and the registrars who enter their officers."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.packs.signature import SIGNATURE_SUFFIX
from sharing.tools.manifests.common import (
    DESK_PORT,
    PACK_KEY_FILE,
    STATE_FOLDER,
    console_principal,
    desk_agency_principal,
    desk_settings,
    pack_settings,
)
from sharing.tools.manifests.compose_services import (
    BOOTSTRAP,
    BUS,
    MONITORING,
    OFFICERS,
    SECRETS,
    Service,
    format_loopback_port,
    make_bus_service,
    make_dependencies,
    make_healthcheck,
    make_secret,
)
from sharing.tools.manifests.private_files import (
    FILES,
    KEY_ARCHIVE,
    KEY_PASSPHRASE,
    READER_KEY,
    READER_PASSPHRASE,
    make_copy_script,
    private_settings,
)
from sharing.topology.partners import Partners

PRIVATE_FOLDER = "/tmp/private"  # noqa: S108 in memory that is the container's own
TRUST_FILE = "trust.yaml"
_REGISTRAR_FILES = (KEY_ARCHIVE, KEY_PASSPHRASE)
_MEMORY = "256m"
_STOP_SECONDS = 10
_HEALTH_SCRIPT = (
    "import os, ssl, urllib.request as request; "
    "request.urlopen(f\"https://127.0.0.1:{os.environ['SHARING_DESK_PORT']}/healthz\", timeout=2, "
    "context=ssl._create_unverified_context())"
)
"""The certificate is for browsers, which know the desk as `localhost`."""


def name_desk_files(state: str) -> dict[str, str]:
    """Return the names of a desk's secrets, by the names under which its container has them."""
    code = state.lower()
    return {
        "pages.pem": f"desk.{code}.pem",
        "pages.key": f"desk.{code}.key",
        READER_KEY: f"reader.{code}.key",
        READER_PASSPHRASE: f"reader.{code}.pass",
        KEY_ARCHIVE: f"desk.{code}.tar",
        KEY_PASSPHRASE: f"keys.{code}.pass",
    }


def name_registrar_files(state: str) -> dict[str, str]:
    """Return the names of a registrar's secrets, by the names under which the container has them."""
    return {KEY_ARCHIVE: f"registrar.{state.lower()}.tar", KEY_PASSPHRASE: f"keys.{state.lower()}.pass"}


def list_ports(partners: Partners) -> dict[str, int]:
    """Return the port of each State's desk on this machine: a passkey is for one address."""
    return {state: DESK_PORT + number for number, state in enumerate(sorted(partners.states))}


def make_desks(partners: Partners) -> Iterator[tuple[str, Service]]:
    """Yield the desk of each State with the name of its service."""
    for state, port in list_ports(partners).items():
        name, pack = f"desk-{state.lower()}", f"{state.lower()}.yaml"
        agency = desk_agency_principal(partners, state)
        files = name_desk_files(state)
        if agency is not None:
            files |= {"agency.pem": f"{agency.name}.pem", "agency.key": f"{agency.name}.key"}
        shared = (TRUST_FILE, pack, pack + SIGNATURE_SUFFIX, PACK_KEY_FILE)
        settings = {
            **desk_settings(partners, state, BOOTSTRAP, SECRETS),
            "SHARING_DESK_ORIGIN": f"https://localhost:{port}",
            "SHARING_DESK_PORT": str(port),
            "SHARING_WEB_BIND": "0.0.0.0",  # noqa: S104 the network of the container
            "SHARING_TRUST_FILE": f"{SECRETS}/{TRUST_FILE}",
            **private_settings(PRIVATE_FOLDER),
            **pack_settings(SECRETS, SECRETS, STATE_FOLDER),
        }
        yield name, make_bus_service(
            ["desk"], [BUS, MONITORING, OFFICERS], console_principal(state).name, settings,
            secrets=[make_secret(source, target) for target, source in files.items()] + [*map(make_secret, shared)],
            entrypoint=_make_entrypoint(FILES),
            mem_limit=_MEMORY,
            ports=[format_loopback_port(port)],
            volumes=[{"type": "volume", "source": name, "target": STATE_FOLDER}],
            healthcheck=make_healthcheck("python", "-c", _HEALTH_SCRIPT),
            depends_on=make_dependencies(topics="service_completed_successfully"),
            stop_grace_period=f"{_STOP_SECONDS}s",
        )  # fmt: skip


def make_registrars(partners: Partners) -> Iterator[tuple[str, Service]]:
    """Yield what runs one command as a State's registrar: `docker compose run --rm registrar-ch officers list`."""
    for state in sorted(partners.states):
        private = private_settings(PRIVATE_FOLDER)
        names = ("SHARING_KEY_FOLDER", "SHARING_KEY_PASSPHRASE_FILE")
        settings = {
            "SHARING_BOOTSTRAP": BOOTSTRAP, "SHARING_STATE": state, **{name: private[name] for name in names}
        }  # fmt: skip
        yield f"registrar-{state.lower()}", make_bus_service(
            ["officers", "list"], [BUS], console_principal(state).name, settings,
            secrets=[make_secret(source, target) for target, source in name_registrar_files(state).items()],
            entrypoint=_make_entrypoint(_REGISTRAR_FILES),
            profiles=["tools"],
            restart="no",
            healthcheck={"disable": True},
        )  # fmt: skip


def _make_entrypoint(files: tuple[str, ...]) -> list[str]:
    """Return the entry point that copies private files, and then runs the program with the command of the service."""
    script = make_copy_script(SECRETS, PRIVATE_FOLDER, files) + 'exec sharing "$$@"\n'  # Compose reads $$ as $
    return ["/bin/sh", "-euc", script, "sharing"]
