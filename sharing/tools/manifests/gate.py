"""A State's gate on Kubernetes, in a namespace of its own: `deploy/kubernetes/<st>/`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sharing.packs.library import shipped_packs
from sharing.tools.manifests.cluster import (
    BOOTSTRAP,
    BROKER_LABELS,
    MONITORING_NAMESPACE,
    NAMESPACE,
    in_namespace,
    kustomization,
    namespace,
    state_namespace,
)
from sharing.tools.manifests.common import (
    IMAGE,
    STOP_SECONDS,
    TLS_PORT,
    USER_ID,
    WEB_PORT,
    gate_of,
    gate_settings,
    tls_settings,
    to_yaml,
)
from sharing.tools.manifests.prometheus import JOB
from sharing.topology.partners import Partners

NAME = "gate"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "sharing"}
SETTINGS_MAP, PACKS_MAP = "gate-settings", "law-packs"
TLS_FOLDER, PACKS_FOLDER = "/etc/sharing/tls", "/etc/sharing/packs"
AUTHORITY_SECRET = "sharing-cluster-ca"  # noqa: S105 a name
"""In the State's namespace: a copy of the certificate of the cluster's authority."""


def render_gates(partners: Partners) -> Mapping[str, str]:
    """Return the files of every State's gate, by their paths."""
    return {
        f"kubernetes/{state.lower()}/{name}": text
        for state in sorted(partners.states)
        for name, text in _render_gate(partners, state).items()
    }


def _render_gate(partners: Partners, state: str) -> dict[str, str]:
    parts = {
        "namespace.yaml": to_yaml(namespace(state_namespace(state))),
        "settings.yaml": to_yaml(_settings(partners, state)),
        "gate.yaml": to_yaml(_headless(), _stateful_set(partners, state), _disruption_budget()),
        "network.yaml": to_yaml(_deny_all(), _gate_network()),
        "monitoring.yaml": to_yaml(_pod_monitor(state)),
    }
    packs = _shipped_pack(state)
    maps = {
        # Without a hash in its name: a gate that runs takes up new law between two batches, and is not started anew.
        "generatorOptions": {"disableNameSuffixHash": True},
        "configMapGenerator": [{"name": PACKS_MAP, "files": sorted(packs)}],
    }
    more = {"namespace": state_namespace(state), **(maps if packs else {})}
    return {**parts, **packs, "kustomization.yaml": kustomization(list(parts), **more)}


def _shipped_pack(state: str) -> dict[str, str]:
    """Return the State's pack as it is shipped, for its law office to replace; none for a State without one."""
    if state not in shipped_packs():
        return {}
    text = (files("sharing.packs") / "shipped" / f"{state.lower()}.yaml").read_text(encoding="utf-8")
    return {f"packs/{state.lower()}.yaml": text}


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "labels": dict(LABELS)}


def _settings(partners: Partners, state: str) -> dict[str, Any]:
    settings = {
        **gate_settings(partners, state, BOOTSTRAP),
        "SHARING_WEB_BIND": "0.0.0.0",  # noqa: S104 the pod's own network, which the policy closes
        **tls_settings(TLS_FOLDER),
        **({"SHARING_PACKS": PACKS_FOLDER} if _shipped_pack(state) else {}),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(SETTINGS_MAP), "data": settings}


def _headless() -> dict[str, Any]:
    spec = {"clusterIP": "None", "selector": dict(LABELS), "ports": [{"name": "web", "port": WEB_PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(NAME), "spec": spec}


def _stateful_set(partners: Partners, state: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": _metadata(NAME),
        "spec": {
            "serviceName": NAME,
            "replicas": partners.states[state].workers,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": dict(LABELS)},
            "template": {"metadata": {"labels": dict(LABELS)}, "spec": _pod(state)},
        },
    }


def _pod(state: str) -> dict[str, Any]:
    has_packs = bool(_shipped_pack(state))
    volumes = [
        {"name": "tls", "projected": {"defaultMode": 0o440, "sources": _tls_sources(state)}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    if has_packs:
        volumes.append({"name": "packs", "configMap": {"name": PACKS_MAP}})
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
        "containers": [_container(has_packs=has_packs)],
        "volumes": volumes,
    }


def _tls_sources(state: str) -> list[dict[str, Any]]:
    """Return the gate's own certificate and the cluster's authority, as Strimzi names what is in its secrets."""
    own = [{"key": "user.crt", "path": "tls.pem"}, {"key": "user.key", "path": "tls.key"}]
    return [
        {"secret": {"name": gate_of(state).name, "items": own}},
        {"secret": {"name": AUTHORITY_SECRET, "items": [{"key": "ca.crt", "path": "ca.pem"}]}},
    ]


def _container(*, has_packs: bool) -> dict[str, Any]:
    mounts = [
        {"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 the container's own
    ]
    if has_packs:
        mounts.append({"name": "packs", "mountPath": PACKS_FOLDER, "readOnly": True})
    return {
        "name": NAME,
        "image": IMAGE,
        "args": ["gate"],
        "envFrom": [{"configMapRef": {"name": SETTINGS_MAP}}],
        # Static membership: the pod that comes back under the same name takes its partitions back at once.
        "env": [{"name": "SHARING_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": "web", "containerPort": WEB_PORT}],
        "startupProbe": _probe("/health", period=5, failures=24),
        "livenessProbe": _probe("/health", period=10, failures=6),
        "readinessProbe": _probe("/ready", period=5, failures=3),
        "resources": {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _probe(path: str, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "web"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _disruption_budget() -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(NAME),
        # One that is not ready may go too: it serves nobody, and would hold up the upgrade of its node.
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": dict(LABELS)},
        },
    }


def _policy(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": _metadata(name), "spec": spec}


def _deny_all() -> dict[str, Any]:
    return _policy("deny-all", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})


def _gate_network() -> dict[str, Any]:
    names = in_namespace("kube-system", podSelector={"matchLabels": {"k8s-app": "kube-dns"}})
    brokers = in_namespace(NAMESPACE, podSelector={"matchLabels": dict(BROKER_LABELS)})
    return _policy(
        NAME,
        {
            "podSelector": {"matchLabels": dict(LABELS)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [in_namespace(MONITORING_NAMESPACE)], "ports": [{"port": WEB_PORT}]}],
            "egress": [
                {"to": [brokers], "ports": [{"port": TLS_PORT}]},
                {"to": [names], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            ],
        },
    )


def _pod_monitor(state: str) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": _metadata(NAME),
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
