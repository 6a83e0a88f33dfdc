"""What all deployments have in common: versions, ports, places, a gate's settings, and YAML as it is written here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from sharing import yaml_dump
from sharing.topology.acls import Principal
from sharing.topology.partners import Partners
from sharing.topology.topics import Role

HEADER = "# Made from the partners file and the table of topics by `make deploy`: change those, not this.\n"

# By version: what a digest is cannot be told without a registry of images. Pin digests where you deploy.
IMAGE = f"sharing-bus:{version('sharing-bus')}"
KAFKA_IMAGE = "apache/kafka:4.4.0"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.3.3"
PROMETHEUS_IMAGE = "prom/prometheus:v3.16.0"
ALERTMANAGER_IMAGE = "prom/alertmanager:v0.35.0"
GRAFANA_IMAGE = "grafana/grafana:13.2.3"
STRIMZI_KAFKA = "4.3.1"
"""The newest Kafka that Strimzi 1.2 runs."""

TLS_PORT = 9093
WEB_PORT = 6066
USER_ID = 10001
"""Of the image's user."""

STOP_SECONDS = 60
"""Longer than a transaction may last: a worker that is told to stop commits the batch at hand."""


def to_yaml(*documents: Mapping[str, Any]) -> str:
    """Return documents as one YAML text, in the order of their keys."""
    return HEADER + yaml_dump.to_yaml(*documents, width=110)


def with_replication(partners: Partners, replication: int) -> str:
    """Return the text of a partners file like this one, for a cluster of so many brokers."""
    return to_yaml({**partners.model_dump(mode="json"), "replication": replication})


def tls_settings(folder: str) -> dict[str, str]:
    """Return the settings that name the certificate, key and authority in a folder."""
    return {
        "SHARING_TLS_CA": f"{folder}/ca.pem",
        "SHARING_TLS_CERTIFICATE": f"{folder}/tls.pem",
        "SHARING_TLS_KEY": f"{folder}/tls.key",
    }


def gate_settings(partners: Partners, state: str, bootstrap: str) -> dict[str, str]:
    """Return the settings of a State's gate, but for its instance and its files."""
    agencies = partners.states[state].agencies
    return {
        "SHARING_STATE": state,
        "SHARING_BOOTSTRAP": bootstrap,
        **({"SHARING_AGENCIES": ",".join(agencies)} if agencies else {}),
        "SHARING_PARTITIONS": str(partners.partitions),
        "SHARING_WEB_PORT": str(WEB_PORT),
    }


def gate_of(state: str) -> Principal:
    """Return as whom a State's gate connects."""
    return Principal(Role.GATE, state)
