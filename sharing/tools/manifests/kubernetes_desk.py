"""Generates `deploy/kubernetes/<st>/desk/`: a State's duty desk on Kubernetes, in the namespace of its gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.desk.web.sessions import SESSION_MAX_MS
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
    DESK_STOP_SECONDS,
    IMAGE,
    console_principal,
    desk_agency_principal,
    desk_settings,
    time_stamp_roots,
    to_yaml,
)
from sharing.tools.manifests.kubernetes_keys import (
    KEY_MOUNTS,
    PRIVATE_FOLDER,
    TRUST_SETTINGS,
    make_init_container,
    make_key_volumes,
)
from sharing.tools.manifests.private_files import FILES, private_settings
from sharing.tools.manifests.prometheus import DESK_JOB
from sharing.tools.manifests.workload import (
    COMMON_MOUNTS,
    COMMON_VOLUMES,
    TIME_STAMP_FOLDER,
    TLS_FOLDER,
    UNPRIVILEGED,
    make_ca_secret,
    make_client_secret,
    make_disruption_budget,
    make_labels,
    make_metadata,
    make_pod,
    make_pod_monitor,
    make_probe,
    make_settings_map,
    make_stateful_set,
    make_time_stamp_mount,
    make_time_stamp_volume,
    make_tls_volume,
    make_workload_policy,
)
from sharing.topology.partners import Partners

NAME = "desk"
FOLDER = "desk"
"""Folder of its files in that of the State."""

REPLICAS = 1
"""Several may run (ADR 45): a session is at one of them, so the service sends an address to the same one each time."""

STORAGE = "16Mi"
"""Files of some hundred bytes."""

SETTINGS_MAP = "desk-settings"
KEYS_SECRET, PAGES_SECRET = "desk-keys", "desk-tls"
OFFICERS_NAMESPACE = "officers"
"""Namespace of the proxy through which officers reach the desks. It passes TLS through."""

AFFINITY_SECONDS = SESSION_MAX_MS // 1000
MEMORY, MEMORY_MAX = "200Mi", "256Mi"


def render_desk(partners: Partners, state: str) -> Mapping[str, str]:
    """Return the files of a State's desk, by their path in the folder of the State."""
    manifests = {
        "settings.yaml": to_yaml(make_settings_map(SETTINGS_MAP, NAME, _make_settings(partners, state))),
        "desk.yaml": to_yaml(
            _make_service(),
            make_stateful_set(NAME, REPLICAS, _make_pod(partners, state), STORAGE),
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
        **TRUST_SETTINGS,
        **private_settings(PRIVATE_FOLDER),
        **time_stamp_roots(partners, state, TIME_STAMP_FOLDER),
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
    volumes = [make_tls_volume(certificates), *COMMON_VOLUMES, *make_key_volumes(KEYS_SECRET, FILES)]
    container = _make_container()
    if partners.states[state].time_stamps is not None:
        volumes.append(make_time_stamp_volume())
        container["volumeMounts"].append(make_time_stamp_mount())
    containers = {"initContainers": [make_init_container(FILES)], "containers": [container]}
    return make_pod(NAME, DESK_STOP_SECONDS, **containers, volumes=volumes)


def _make_container() -> dict[str, Any]:
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
        "volumeMounts": [*COMMON_MOUNTS, *KEY_MOUNTS],
    }


def _make_policy() -> dict[str, Any]:
    ingress = [
        {"from": [select_namespace(OFFICERS_NAMESPACE)], "ports": [{"port": DESK_PORT}]},
        {"from": [select_namespace(MONITORING_NAMESPACE)], "ports": [{"port": DESK_METRICS_PORT}]},
    ]
    return make_workload_policy(NAME, ingress)
