"""Generates `deploy/kubernetes/<st>/desk/`: a State's duty desk on Kubernetes, in the namespace of its gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.tools.manifests.cluster import (
    BOOTSTRAP,
    MONITORING_NAMESPACE,
    make_kustomization,
    select_namespace,
    state_namespace,
)
from sharing.tools.manifests.common import (
    DESK_METRICS_PORT,
    DESK_PORT,
    IMAGE,
    STATE_FOLDER,
    console_principal,
    desk_agency_principal,
    desk_settings,
    pack_settings,
    tls_settings,
    to_yaml,
)
from sharing.tools.manifests.private_files import FILES, make_copy_script, private_settings
from sharing.tools.manifests.prometheus import DESK_JOB
from sharing.tools.manifests.workload import (
    COMMON_MOUNTS,
    LAW_VOLUMES,
    PACK_KEY_FOLDER,
    PACKS_FOLDER,
    TLS_FOLDER,
    UNPRIVILEGED,
    make_ca_secret,
    make_client_secret,
    make_disruption_budget,
    make_labels,
    make_metadata,
    make_pod,
    make_pod_monitor,
    make_policy,
    make_probe,
    make_settings_map,
    make_stateful_set,
    make_tls_volume,
)
from sharing.topology.partners import Partners

NAME = "desk"
FOLDER = "desk"
"""Folder of its files in that of the State."""

REPLICAS = 1
"""Several may run (ADR 45): a session is at one of them, so the service sends an address to the same one each time."""

SETTINGS_MAP, TRUST_MAP = "desk-settings", "trust"
KEYS_SECRET, PAGES_SECRET = "desk-keys", "desk-tls"
SECRET_FOLDER, PRIVATE_FOLDER, TRUST_FOLDER = "/etc/sharing/keys", "/run/sharing", "/etc/sharing/trust"
OFFICERS_NAMESPACE = "officers"
"""Namespace of the proxy through which officers reach the desks. It passes TLS through."""

AFFINITY_SECONDS = 12 * 60 * 60
"""As long as a session may last."""

STOP_SECONDS = 10
MEMORY, MEMORY_MAX = "200Mi", "256Mi"


def render_desk(partners: Partners, state: str) -> Mapping[str, str]:
    """Return the files of a State's desk, by their path in the folder of the State."""
    manifests = {
        "settings.yaml": to_yaml(make_settings_map(SETTINGS_MAP, NAME, _make_settings(partners, state))),
        "desk.yaml": to_yaml(
            _make_service(),
            make_stateful_set(NAME, REPLICAS, _make_pod(partners, state)),
            make_disruption_budget(NAME),
        ),
        "network.yaml": to_yaml(_make_policy()),
        "monitoring.yaml": to_yaml(make_pod_monitor(NAME, "metrics", DESK_JOB, state)),
    }
    kustomization = make_kustomization(list(manifests), namespace=state_namespace(state))
    return {f"{FOLDER}/{name}": text for name, text in {**manifests, "kustomization.yaml": kustomization}.items()}


def _make_settings(partners: Partners, state: str) -> dict[str, str]:
    return {
        **desk_settings(partners, state, BOOTSTRAP, TLS_FOLDER),
        "SHARING_WEB_BIND": "0.0.0.0",  # noqa: S104 the pod network, which the network policy restricts
        "SHARING_TRUST_FILE": f"{TRUST_FOLDER}/trust.yaml",
        **private_settings(f"{PRIVATE_FOLDER}/private"),
        **tls_settings(TLS_FOLDER),
        **pack_settings(PACKS_FOLDER, PACK_KEY_FOLDER, STATE_FOLDER),
    }


def _make_service() -> dict[str, Any]:
    spec = {
        "selector": make_labels(NAME),
        "ports": [{"name": "pages", "port": 443, "targetPort": "pages"}],
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}},
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": make_metadata(NAME, NAME), "spec": spec}


def _make_pod(partners: Partners, state: str) -> dict[str, Any]:
    agency = desk_agency_principal(partners, state)
    pages = [{"key": "tls.crt", "path": "pages.pem"}, {"key": "tls.key", "path": "pages.key"}]
    certificates = [
        make_client_secret(console_principal(state).name),
        make_ca_secret(),
        {"secret": {"name": PAGES_SECRET, "items": pages}},
        *([] if agency is None else [make_client_secret(agency.name, "agency")]),
    ]
    items = [{"key": name, "path": name} for name in FILES]
    volumes = [
        make_tls_volume(certificates),
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        *LAW_VOLUMES,
        {"name": "trust", "configMap": {"name": TRUST_MAP}},
        {"name": "keys", "secret": {"secretName": KEYS_SECRET, "defaultMode": 0o440, "items": items}},
        {"name": "private", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}},
    ]
    return make_pod(
        NAME, STOP_SECONDS, initContainers=[_make_copy_container()], containers=[_make_container()], volumes=volumes
    )


def _make_copy_container() -> dict[str, Any]:
    """Return what runs before the desk, and is the only container that the Secret is mounted into."""
    return {
        "name": "private-files",
        "image": IMAGE,
        "command": ["/bin/sh", "-euc", make_copy_script(SECRET_FOLDER, f"{PRIVATE_FOLDER}/private")],
        "resources": {"requests": {"cpu": "100m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": dict(UNPRIVILEGED),
        "volumeMounts": [
            {"name": "keys", "mountPath": SECRET_FOLDER, "readOnly": True},
            {"name": "private", "mountPath": PRIVATE_FOLDER},
        ],
    }


def _make_container() -> dict[str, Any]:
    mounts = [
        *COMMON_MOUNTS,
        {"name": "trust", "mountPath": TRUST_FOLDER, "readOnly": True},
        {"name": "private", "mountPath": PRIVATE_FOLDER, "readOnly": True},
    ]
    where = {"port": "pages", "scheme": "HTTPS"}
    return {
        "name": NAME,
        "image": IMAGE,
        "args": ["desk"],
        "envFrom": [{"configMapRef": {"name": SETTINGS_MAP}}],
        "ports": [
            {"name": "pages", "containerPort": DESK_PORT},
            {"name": "metrics", "containerPort": DESK_METRICS_PORT},
        ],
        "startupProbe": make_probe("/healthz", period=2, failures=30, **where),
        "livenessProbe": make_probe("/healthz", period=10, failures=6, **where),
        "readinessProbe": make_probe("/healthz", period=5, failures=3, **where),
        "resources": {"requests": {"cpu": "250m", "memory": MEMORY}, "limits": {"memory": MEMORY_MAX}},
        "securityContext": dict(UNPRIVILEGED),
        "volumeMounts": mounts,
    }


def _make_policy() -> dict[str, Any]:
    ingress = [
        {"from": [select_namespace(OFFICERS_NAMESPACE)], "ports": [{"port": DESK_PORT}]},
        {"from": [select_namespace(MONITORING_NAMESPACE)], "ports": [{"port": DESK_METRICS_PORT}]},
    ]
    return make_policy(NAME, NAME, ingress)
