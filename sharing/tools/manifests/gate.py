"""Generates `deploy/kubernetes/<st>/`: a State's gate on Kubernetes, in a separate namespace, and its desk there."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sharing.packs.library import list_shipped_pack_codes
from sharing.packs.signature import SIGNATURE_SUFFIX
from sharing.tools.manifests.cluster import (
    BOOTSTRAP,
    MONITORING_NAMESPACE,
    make_kustomization,
    make_namespace,
    select_namespace,
    state_namespace,
)
from sharing.tools.manifests.common import (
    IMAGE,
    STOP_SECONDS,
    WEB_PORT,
    gate_principal,
    gate_settings,
    time_stamp_settings,
    to_yaml,
)
from sharing.tools.manifests.kubernetes_desk import FOLDER as DESK_FOLDER
from sharing.tools.manifests.kubernetes_desk import render_desk
from sharing.tools.manifests.kubernetes_keys import (
    KEY_MOUNTS,
    PRIVATE_FOLDER,
    TRUST_SETTINGS,
    make_init_container,
    make_key_volumes,
)
from sharing.tools.manifests.private_files import KEY_ARCHIVE, KEY_PASSPHRASE, key_folder_settings
from sharing.tools.manifests.prometheus import JOB
from sharing.tools.manifests.workload import (
    COMMON_MOUNTS,
    COMMON_VOLUMES,
    PACKS_MAP,
    TIME_STAMP_FOLDER,
    UNPRIVILEGED,
    make_ca_secret,
    make_client_secret,
    make_disruption_budget,
    make_labels,
    make_metadata,
    make_network_policy,
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
from sharing.topology.partners import Partners, TimeStampService

NAME = "gate"
SETTINGS_MAP, KEYS_SECRET = "gate-settings", "gate-keys"
STORAGE = "8Gi"
"""The copy of the conversations (RocksDB): some kilobytes for each item about which people are asked."""

_KEY_FILES = (KEY_ARCHIVE, KEY_PASSPHRASE)


def render_states(partners: Partners) -> Mapping[str, str]:
    """Return the files of all States, by path: of the gate of each, and of its desk."""
    return {
        f"kubernetes/{state.lower()}/{name}": text
        for state in sorted(partners.states)
        for name, text in {**_render_gate(partners, state), **render_desk(partners, state)}.items()
    }


def _render_gate(partners: Partners, state: str) -> dict[str, str]:
    service = partners.states[state].time_stamps
    manifests = {
        "namespace.yaml": to_yaml(make_namespace(state_namespace(state))),
        "settings.yaml": to_yaml(make_settings_map(SETTINGS_MAP, NAME, _make_settings(partners, state))),
        "gate.yaml": to_yaml(
            _make_headless_service(),
            make_stateful_set(NAME, partners.states[state].workers, _make_pod(state, service), STORAGE),
            make_disruption_budget(NAME),
        ),
        "network.yaml": to_yaml(_make_deny_all_policy(), _make_gate_policy(service)),
        "monitoring.yaml": to_yaml(make_pod_monitor(NAME, "web", JOB, state)),
    }
    pack = f"packs/{state.lower()}.yaml"
    fields = {
        "namespace": state_namespace(state),
        # Without a hash in the name: a running gate loads new packs between two batches, without a restart.
        "generatorOptions": {"disableNameSuffixHash": True},
        # The law office adds the signature, and where none is shipped, the pack. Kustomize builds nothing without them.
        "configMapGenerator": [{"name": PACKS_MAP, "files": [pack, pack + SIGNATURE_SUFFIX]}],
    }
    packs = _read_shipped_pack(state)
    return {**manifests, **packs, "kustomization.yaml": make_kustomization([*manifests, DESK_FOLDER], **fields)}


def _read_shipped_pack(state: str) -> dict[str, str]:
    """Return the file of the State's shipped pack, which its law office replaces; empty if there is none."""
    if state not in list_shipped_pack_codes():
        return {}
    text = (files("sharing.packs") / "shipped" / f"{state.lower()}.yaml").read_text(encoding="utf-8")
    return {f"packs/{state.lower()}.yaml": text}


def _make_settings(partners: Partners, state: str) -> dict[str, str]:
    return {
        **gate_settings(partners, state, BOOTSTRAP),
        **time_stamp_settings(partners, state, TIME_STAMP_FOLDER),
        "SHARING_WEB_BIND": "0.0.0.0",  # noqa: S104 the pod network, which the network policy restricts
        **TRUST_SETTINGS,
        **key_folder_settings(PRIVATE_FOLDER),
    }


def _make_headless_service() -> dict[str, Any]:
    spec = {"clusterIP": "None", "selector": make_labels(NAME), "ports": [{"name": "web", "port": WEB_PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": make_metadata(NAME, NAME), "spec": spec}


def _make_pod(state: str, service: TimeStampService | None) -> dict[str, Any]:
    volumes = [
        make_tls_volume([make_client_secret(gate_principal(state).name), make_ca_secret()]),
        *COMMON_VOLUMES,
        *make_key_volumes(KEYS_SECRET, _KEY_FILES),
    ]
    container = _make_container()
    if service is not None:
        volumes.append(make_time_stamp_volume())
        container["volumeMounts"].append(make_time_stamp_mount())
    containers = {"initContainers": [make_init_container(_KEY_FILES)], "containers": [container]}
    return make_pod(NAME, STOP_SECONDS, **containers, volumes=volumes)


def _make_container() -> dict[str, Any]:
    return {
        "name": NAME,
        "image": IMAGE,
        "args": ["gate"],
        "envFrom": [{"configMapRef": {"name": SETTINGS_MAP}}],
        # Static group membership: a restarted pod has the same name and gets its partitions back immediately.
        "env": [{"name": "SHARING_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": "web", "containerPort": WEB_PORT}],
        "startupProbe": make_probe("/health", period=5, failures=24, port="web"),
        "livenessProbe": make_probe("/health", period=10, failures=6, port="web"),
        "readinessProbe": make_probe("/ready", period=5, failures=3, port="web"),
        "resources": {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": dict(UNPRIVILEGED),
        "volumeMounts": [*COMMON_MOUNTS, *KEY_MOUNTS],
    }


def _make_deny_all_policy() -> dict[str, Any]:
    return make_network_policy("deny-all", NAME, {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})


def _make_gate_policy(service: TimeStampService | None) -> dict[str, Any]:
    ingress = [{"from": [select_namespace(MONITORING_NAMESPACE)], "ports": [{"port": WEB_PORT}]}]
    if service is None or service.network is None:
        return make_workload_policy(NAME, ingress)
    stamps = {"to": [{"ipBlock": {"cidr": service.network}}], "ports": [{"port": service.port}]}
    return make_workload_policy(NAME, ingress, [stamps])
