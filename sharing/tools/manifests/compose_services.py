"""Services of the Compose project: without privileges, with the settings and secrets that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sharing.packs.signature import SIGNATURE_SUFFIX
from sharing.tools.manifests import kafka_node, registry
from sharing.tools.manifests.common import (
    IMAGE,
    PACK_KEY_FILE,
    TIME_STAMP_ROOTS_FILE,
    TLS_PORT,
    USER_ID,
    pinned_image,
    time_stamp_roots,
    tls_settings,
)
from sharing.topology.partners import Partners

Service = dict[str, Any]

SECRETS = "/run/secrets"
BUS, MONITORING, FRONT, OFFICERS, TIME_STAMPS = "bus", "monitoring", "front", "officers", "time-stamps"
"""Networks: of the brokers' clients, of Prometheus, of its pages, of the pages of the desks, and of gates that ask a
time-stamping service, which is outside."""

REGISTRY_URL = f"https://{registry.HOST}:{registry.PORT}/apis/ccompat/v7"
BOOTSTRAP = f"{kafka_node.HOST}:{TLS_PORT}"

TOOL_FIELDS: Mapping[str, Any] = {"profiles": ["tools"], "restart": "no", "healthcheck": {"disable": True}}
"""Fields of a service that `docker compose run` starts for a single command."""


def make_service(image: str, networks: list[str], memory: str, **fields: Any) -> Service:
    """Return a service without privileges and with a read-only file system."""
    return {
        "image": image,
        "restart": "unless-stopped",
        "networks": networks,
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108 inside the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": memory,
        "pids_limit": 512,
        "logging": {"driver": "local", "options": {"max-size": "20m", "max-file": "5"}},
        **fields,
    }


def make_networks(partners: Partners) -> dict[str, dict[str, Any]]:
    """Return the networks. Only those of pages and of a time-stamping service reach anything outside."""
    has_time_stamps = any(partner.time_stamps for partner in partners.states.values())
    return {
        BUS: {"internal": True},
        MONITORING: {"internal": True},
        # Ports of an internal network cannot be published. Without address translation, nothing outside can answer.
        OFFICERS: {"driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"}},
        FRONT: {},
        **({TIME_STAMPS: {}} if has_time_stamps else {}),
    }


def make_healthcheck(*test: str, start_seconds: int = 30) -> dict[str, Any]:
    """Return a health check of a service."""
    return {
        "test": ["CMD", *test],
        "interval": "10s",
        "timeout": "10s",
        "retries": 3,
        "start_period": f"{start_seconds}s",
    }


def make_secret(source: str, target: str | None = None) -> dict[str, str]:
    """Return the reference of a service to a secret."""
    return {"source": source, "target": target or source}


def make_certificate_secrets(name: str) -> list[dict[str, str]]:
    """Return the secrets of a client: its certificate, key and CA, under the names that `tls_settings` uses."""
    return [make_secret("ca.pem"), make_secret(f"{name}.pem", "tls.pem"), make_secret(f"{name}.key", "tls.key")]


def make_law_secrets(state: str) -> list[dict[str, str]]:
    """Return the secrets with a State's law pack, its signature, and the key that verifies it."""
    pack = f"{state.lower()}.yaml"
    return [make_secret(pack), make_secret(pack + SIGNATURE_SUFFIX), make_secret(PACK_KEY_FILE)]


def make_time_stamp_secrets(partners: Partners, state: str) -> list[dict[str, str]]:
    """Return the secret with the roots of the time-stamping services that a State trusts; none if it has none."""
    return [make_secret(TIME_STAMP_ROOTS_FILE)] if time_stamp_roots(partners, state, SECRETS) else []


def make_bus_service(
    command: list[str],
    networks: list[str],
    name: str,
    settings: Mapping[str, str],
    secrets: Sequence[dict[str, str]] = (),
    registry_user: str = registry.READER,
    **fields: Any,
) -> Service:
    """Return a service that runs a command of the `sharing` image.

    Args:
        command: The command.
        networks: Names of its networks.
        name: CN of its certificate.
        settings: Its settings, without those of certificates and Schema Registry.
        secrets: References to further secrets.
        registry_user: User name at the Schema Registry.
        fields: Further fields of the service.
    """
    password = registry.password_file(registry_user)
    registry_settings = {
        "SHARING_REGISTRY": REGISTRY_URL,
        "SHARING_REGISTRY_USER": registry_user,
        "SHARING_REGISTRY_PASSWORD_FILE": f"{SECRETS}/{password}",
        "SHARING_REGISTRY_CA": f"{SECRETS}/ca.pem",
    }
    return make_service(
        IMAGE, networks, "1g",
        build={
            "context": "../..", "dockerfile": "deploy/Containerfile", "args": {"BASE": pinned_image("PYTHON_DIGEST")}
        },
        user=f"{USER_ID}:{USER_ID}",
        command=command,
        environment={**settings, **tls_settings(SECRETS), **registry_settings},
        secrets=[*make_certificate_secrets(name), *secrets, make_secret(password)],
        **fields,
    )  # fmt: skip


def format_loopback_port(port: int) -> str:
    """Return a port that is published on this machine only."""
    return f"127.0.0.1:{port}:{port}"


def make_dependencies(**conditions: str) -> dict[str, dict[str, str]]:
    """Return what must have happened before a service starts, by the other service."""
    return {service: {"condition": condition} for service, condition in conditions.items()}
