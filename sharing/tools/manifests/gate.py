"""Generates `deploy/kubernetes/<st>/`: a State's gate on Kubernetes, in a separate namespace."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sharing.packs.library import list_shipped_pack_codes
from sharing.packs.signature import SIGNATURE_SUFFIX
from sharing.tools.manifests.cluster import (
    BOOTSTRAP,
    BROKER_LABELS,
    MONITORING_NAMESPACE,
    NAMESPACE,
    make_kustomization,
    make_namespace,
    select_namespace,
    state_namespace,
)
from sharing.tools.manifests.common import (
    IMAGE,
    STATE_FOLDER,
    STOP_SECONDS,
    TLS_PORT,
    USER_ID,
    WEB_PORT,
    gate_principal,
    gate_settings,
    pack_settings,
    tls_settings,
    to_yaml,
)
from sharing.tools.manifests.prometheus import JOB
from sharing.topology.partners import Partners

NAME = "gate"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "sharing"}
SETTINGS_MAP, PACKS_MAP, PACK_KEY_MAP = "gate-settings", "law-packs", "pack-key"
TLS_FOLDER, PACKS_FOLDER, PACK_KEY_FOLDER = "/etc/sharing/tls", "/etc/sharing/packs", "/etc/sharing/pack-key"
STATE_VOLUME = "state"
CA_SECRET = "sharing-cluster-ca"  # noqa: S105 a name
"""Secret in the State's namespace with a copy of the cluster's CA certificate."""


def render_gates(partners: Partners) -> Mapping[str, str]:
    """Return the files of all gates, by path."""
    return {
        f"kubernetes/{state.lower()}/{name}": text
        for state in sorted(partners.states)
        for name, text in _render_gate(partners, state).items()
    }


def _render_gate(partners: Partners, state: str) -> dict[str, str]:
    manifests = {
        "namespace.yaml": to_yaml(make_namespace(state_namespace(state))),
        "settings.yaml": to_yaml(_make_settings(partners, state)),
        "gate.yaml": to_yaml(_make_headless_service(), _make_stateful_set(partners, state), _make_disruption_budget()),
        "network.yaml": to_yaml(_make_deny_all_policy(), _make_gate_policy()),
        "monitoring.yaml": to_yaml(_make_pod_monitor(state)),
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
    return {**manifests, **packs, "kustomization.yaml": make_kustomization(list(manifests), **fields)}


def _read_shipped_pack(state: str) -> dict[str, str]:
    """Return the file of the State's shipped pack, which its law office replaces; empty if there is none."""
    if state not in list_shipped_pack_codes():
        return {}
    text = (files("sharing.packs") / "shipped" / f"{state.lower()}.yaml").read_text(encoding="utf-8")
    return {f"packs/{state.lower()}.yaml": text}


def _make_metadata(name: str) -> dict[str, Any]:
    return {"name": name, "labels": dict(LABELS)}


def _make_settings(partners: Partners, state: str) -> dict[str, Any]:
    settings = {
        **gate_settings(partners, state, BOOTSTRAP),
        "SHARING_WEB_BIND": "0.0.0.0",  # noqa: S104 the pod network, which the network policy restricts
        **tls_settings(TLS_FOLDER),
        **pack_settings(PACKS_FOLDER, PACK_KEY_FOLDER, STATE_FOLDER),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _make_metadata(SETTINGS_MAP), "data": settings}


def _make_headless_service() -> dict[str, Any]:
    spec = {"clusterIP": "None", "selector": dict(LABELS), "ports": [{"name": "web", "port": WEB_PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _make_metadata(NAME), "spec": spec}


def _make_stateful_set(partners: Partners, state: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": _make_metadata(NAME),
        "spec": {
            "serviceName": NAME,
            "replicas": partners.states[state].workers,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": dict(LABELS)},
            "template": {"metadata": {"labels": dict(LABELS)}, "spec": _make_pod(state)},
            "volumeClaimTemplates": [_make_state_claim()],
        },
    }


def _make_state_claim() -> dict[str, Any]:
    """Return the claim of the volume with what a gate keeps across restarts: a file of some hundred bytes."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _make_metadata(STATE_VOLUME),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}},
    }


def _make_pod(state: str) -> dict[str, Any]:
    volumes = [
        {"name": "tls", "projected": {"defaultMode": 0o440, "sources": _make_tls_sources(state)}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        {"name": "packs", "configMap": {"name": PACKS_MAP}},
        # Apart from the packs: anyone who may replace a pack should not be able to replace the key as well.
        {"name": PACK_KEY_MAP, "configMap": {"name": PACK_KEY_MAP}},
    ]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": dict(LABELS)},
            }
        ],
        "containers": [_make_container()],
        "volumes": volumes,
    }


def _make_tls_sources(state: str) -> list[dict[str, Any]]:
    """Return the sources of the gate's certificate and key, which the State generates, and of the CA certificate."""
    client_files = [{"key": "user.crt", "path": "tls.pem"}, {"key": "user.key", "path": "tls.key"}]
    return [
        {"secret": {"name": gate_principal(state).name, "items": client_files}},
        {"secret": {"name": CA_SECRET, "items": [{"key": "ca.crt", "path": "ca.pem"}]}},
    ]


def _make_container() -> dict[str, Any]:
    mounts = [
        {"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 the container's own
        {"name": "packs", "mountPath": PACKS_FOLDER, "readOnly": True},
        {"name": PACK_KEY_MAP, "mountPath": PACK_KEY_FOLDER, "readOnly": True},
        {"name": STATE_VOLUME, "mountPath": STATE_FOLDER},
    ]
    return {
        "name": NAME,
        "image": IMAGE,
        "args": ["gate"],
        "envFrom": [{"configMapRef": {"name": SETTINGS_MAP}}],
        # Static group membership: a restarted pod has the same name and gets its partitions back immediately.
        "env": [{"name": "SHARING_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": "web", "containerPort": WEB_PORT}],
        "startupProbe": _make_probe("/health", period=5, failures=24),
        "livenessProbe": _make_probe("/health", period=10, failures=6),
        "readinessProbe": _make_probe("/ready", period=5, failures=3),
        "resources": {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _make_probe(path: str, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "web"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _make_disruption_budget() -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _make_metadata(NAME),
        # Pods that are not ready may be evicted too. They process nothing, and would block the upgrade of their node.
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": dict(LABELS)},
        },
    }


def _make_network_policy(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _make_metadata(name),
        "spec": spec,
    }


def _make_deny_all_policy() -> dict[str, Any]:
    return _make_network_policy("deny-all", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})


def _make_gate_policy() -> dict[str, Any]:
    dns = select_namespace("kube-system", podSelector={"matchLabels": {"k8s-app": "kube-dns"}})
    brokers = select_namespace(NAMESPACE, podSelector={"matchLabels": dict(BROKER_LABELS)})
    return _make_network_policy(
        NAME,
        {
            "podSelector": {"matchLabels": dict(LABELS)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [select_namespace(MONITORING_NAMESPACE)], "ports": [{"port": WEB_PORT}]}],
            "egress": [
                {"to": [brokers], "ports": [{"port": TLS_PORT}]},
                {"to": [dns], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            ],
        },
    )


def _make_pod_monitor(state: str) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": _make_metadata(NAME),
        "spec": {
            "selector": {"matchLabels": dict(LABELS)},
            "podMetricsEndpoints": [
                {
                    "port": "web",
                    "path": "/metrics",
                    "interval": "15s",
                    "relabelings": [
                        {"targetLabel": "job", "replacement": JOB},
                        {"targetLabel": "state", "replacement": state},
                    ],
                }
            ],
        },
    }
