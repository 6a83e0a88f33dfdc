"""What gates and desks have in common on Kubernetes: pods without privileges, probes, policies, monitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sharing.tools.manifests.cluster import BROKER_LABELS, NAMESPACE, select_namespace
from sharing.tools.manifests.common import STATE_FOLDER, TLS_PORT, USER_ID, pack_settings, tls_settings

PACKS_MAP, PACK_KEY_MAP = "law-packs", "pack-key"
TLS_FOLDER, PACKS_FOLDER, PACK_KEY_FOLDER = "/etc/sharing/tls", "/etc/sharing/packs", "/etc/sharing/pack-key"
STATE_VOLUME = "state"
TIME_STAMP_MAP, TIME_STAMP_FOLDER = "time-stamp-roots", "/etc/sharing/time-stamps"
CA_SECRET = "sharing-cluster-ca"  # noqa: S105 a name
"""Secret in the State's namespace with a copy of the cluster's CA certificate."""

UNPRIVILEGED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""Security context of each container."""

COMMON_VOLUMES = (
    {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    {"name": "packs", "configMap": {"name": PACKS_MAP}},
    # Apart from the packs: anyone who may replace a pack should not be able to replace the key as well.
    {"name": PACK_KEY_MAP, "configMap": {"name": PACK_KEY_MAP}},
)
COMMON_MOUNTS = (
    {"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True},
    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 the container's own
    {"name": "packs", "mountPath": PACKS_FOLDER, "readOnly": True},
    {"name": PACK_KEY_MAP, "mountPath": PACK_KEY_FOLDER, "readOnly": True},
    {"name": STATE_VOLUME, "mountPath": STATE_FOLDER},
)
"""Where a container has `COMMON_VOLUMES`, the volume of `make_tls_volume`, and that of its StatefulSet."""


def make_labels(name: str) -> dict[str, str]:
    """Return the labels of a workload, by which selectors find its pods."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "sharing"}


def make_metadata(name: str, workload: str) -> dict[str, Any]:
    """Return the metadata of a resource of a workload."""
    return {"name": name, "labels": make_labels(workload)}


def make_client_secret(principal: str, name: str = "tls") -> dict[str, Any]:
    """Return the source of a client's certificate and key, which the State generates, as `<name>.pem` and `.key`."""
    items = [{"key": "user.crt", "path": f"{name}.pem"}, {"key": "user.key", "path": f"{name}.key"}]
    return {"secret": {"name": principal, "items": items}}


def make_ca_secret() -> dict[str, Any]:
    """Return the source of the CA certificate of the cluster."""
    return {"secret": {"name": CA_SECRET, "items": [{"key": "ca.crt", "path": "ca.pem"}]}}


def make_tls_volume(sources: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the volume with certificates and keys, which the user of the image reads as a member of its group."""
    return {"name": "tls", "projected": {"defaultMode": 0o440, "sources": list(sources)}}


def make_pod(name: str, stop_seconds: int, **fields: Any) -> dict[str, Any]:
    """Return the specification of a pod without privileges.

    Args:
        name: Name of the workload.
        stop_seconds: How long it may take to end.
        fields: Its containers and volumes.
    """
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": stop_seconds,
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
                "labelSelector": {"matchLabels": make_labels(name)},
            }
        ],
        **fields,
    }


def make_stateful_set(name: str, replicas: int, pod: Mapping[str, Any], storage: str) -> dict[str, Any]:
    """Return a workload whose pods keep their names, and each a volume of this size across restarts."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": make_metadata(name, name),
        "spec": {
            "serviceName": name,
            "replicas": replicas,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": make_labels(name)},
            "template": {"metadata": {"labels": make_labels(name)}, "spec": dict(pod)},
            "volumeClaimTemplates": [_make_state_claim(name, storage)],
        },
    }


def _make_state_claim(workload: str, storage: str) -> dict[str, Any]:
    """Return the claim of the volume with what is kept across restarts."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": make_metadata(STATE_VOLUME, workload),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}},
    }


def make_probe(path: str, period: int, failures: int, **where: str) -> dict[str, Any]:
    """Return a probe of an HTTP endpoint.

    Args:
        path: The endpoint.
        period: Seconds between two probes.
        failures: How many must fail.
        where: Port, and scheme if it is not HTTP.
    """
    return {
        "httpGet": {"path": path, **where},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def make_settings_map(name: str, workload: str, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a workload as a ConfigMap, with those that name files in `COMMON_MOUNTS`."""
    data = {
        **settings,
        **tls_settings(TLS_FOLDER),
        **pack_settings(PACKS_FOLDER, PACK_KEY_FOLDER, STATE_FOLDER),
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": make_metadata(name, workload), "data": data}


def make_time_stamp_volume() -> dict[str, Any]:
    """Return the volume with the roots of the time-stamping services that a State trusts."""
    return {"name": TIME_STAMP_MAP, "configMap": {"name": TIME_STAMP_MAP}}


def make_time_stamp_mount() -> dict[str, Any]:
    """Return where a container has that volume."""
    return {"name": TIME_STAMP_MAP, "mountPath": TIME_STAMP_FOLDER, "readOnly": True}


def make_disruption_budget(name: str) -> dict[str, Any]:
    """Return the budget that lets nodes be drained one after another."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": make_metadata(name, name),
        # Pods that are not ready may be evicted too. They process nothing, and would block the upgrade of their node.
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": make_labels(name)},
        },
    }


def make_workload_policy(
    name: str, ingress: Sequence[dict[str, Any]], more_egress: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:  # fmt: skip
    """Return the network policy of a workload: it connects to the brokers and to DNS, and to nothing else.

    Args:
        name: Name of the workload.
        ingress: Who may connect to it, and to which port.
        more_egress: Where else it may connect to.
    """
    dns = select_namespace("kube-system", podSelector={"matchLabels": {"k8s-app": "kube-dns"}})
    brokers = select_namespace(NAMESPACE, podSelector={"matchLabels": dict(BROKER_LABELS)})
    egress = [
        {"to": [brokers], "ports": [{"port": TLS_PORT}]},
        {"to": [dns], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
    ]
    spec = {
        "podSelector": {"matchLabels": make_labels(name)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": list(ingress),
        "egress": [*egress, *more_egress],
    }
    return make_network_policy(name, name, spec)


def make_network_policy(name: str, workload: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network policy."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": make_metadata(name, workload),
        "spec": dict(spec),
    }


def make_pod_monitor(name: str, port: str, job: str, state: str) -> dict[str, Any]:
    """Return what has Prometheus scrape a workload.

    Args:
        name: Name of the workload.
        port: Name of the port of its metrics.
        job: Prometheus job.
        state: The State, as a label: alerts distinguish States by it.
    """
    endpoint = {
        "port": port,
        "path": "/metrics",
        "interval": "15s",
        "relabelings": [{"targetLabel": "job", "replacement": job}, {"targetLabel": "state", "replacement": state}],
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": make_metadata(name, name),
        "spec": {"selector": {"matchLabels": make_labels(name)}, "podMetricsEndpoints": [endpoint]},
    }
