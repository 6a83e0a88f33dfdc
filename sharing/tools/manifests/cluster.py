"""Generates `deploy/kubernetes/cluster/`: the Kafka cluster of all States, for Strimzi."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.tools.manifests import kafka_metrics
from sharing.tools.manifests.common import STRIMZI_KAFKA, TLS_PORT, to_yaml
from sharing.topology.broker_settings import list_connection_limits, list_required_settings
from sharing.topology.partners import Partners
from sharing.topology.strimzi import make_kafka_topics, make_kafka_users

CLUSTER = "sharing"
NAMESPACE = "sharing-kafka"
MONITORING_NAMESPACE = "monitoring"
"""Namespace in which Prometheus runs."""

BOOTSTRAP = f"{CLUSTER}-kafka-bootstrap.{NAMESPACE}.svc:{TLS_PORT}"
BROKER_LABELS = {"strimzi.io/cluster": CLUSTER, "strimzi.io/name": f"{CLUSTER}-kafka"}

_API = "kafka.strimzi.io/v1"
_FOLDER = "kubernetes"
_METRICS = f"{CLUSTER}-kafka-metrics"


def state_namespace(state: str) -> str:
    """Return the name of the namespace in which a State's gate runs."""
    return f"sharing-{state.lower()}"


def make_namespace(name: str, level: str = "restricted") -> dict[str, Any]:
    """Return a namespace that enforces this level of Kubernetes' pod security standards."""
    labels = {"pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/warn": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def select_namespace(name: str, **pods: Any) -> dict[str, Any]:
    """Return a network policy peer that selects pods of another namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}, **pods}


def render_cluster(partners: Partners) -> Mapping[str, str]:
    """Return the files of the cluster, by path."""
    files = {
        "namespace.yaml": to_yaml(make_namespace(NAMESPACE, "baseline")),  # Strimzi's default level
        "kafka.yaml": to_yaml(
            _make_kafka(partners), _make_node_pool("controllers", "controller", 3, "10Gi", "2Gi"),
            _make_node_pool("brokers", "broker", max(3, partners.replication), "500Gi", "8Gi"),
        ),
        "topics.yaml": to_yaml(*make_kafka_topics(partners, CLUSTER)),
        "users.yaml": to_yaml(*make_kafka_users(partners, CLUSTER)),
        "monitoring.yaml": to_yaml(_make_metrics_config(), _make_pod_monitor()),
    }  # fmt: skip
    states = [state.lower() for state in sorted(partners.states)]
    return {
        **{f"{_FOLDER}/cluster/{name}": text for name, text in files.items()},
        f"{_FOLDER}/cluster/kustomization.yaml": make_kustomization(list(files), namespace=NAMESPACE),
        f"{_FOLDER}/kustomization.yaml": make_kustomization(["cluster", *states]),
    }


def make_kustomization(resources: list[str], **fields: Any) -> str:
    """Return the text of `kustomization.yaml`, which lists the files of a folder for `kubectl apply -k`."""
    return to_yaml(
        {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **fields, "resources": resources}
    )


def _make_kafka(partners: Partners) -> dict[str, Any]:
    replicas = partners.replication
    in_sync = max(1, replicas - 1)
    listener = {
        "name": "tls",
        "port": TLS_PORT,
        "type": "internal",
        "tls": True,
        "authentication": {"type": "tls"},
        "networkPolicyPeers": [select_namespace(state_namespace(state)) for state in sorted(partners.states)],
    }
    return {
        "apiVersion": _API,
        "kind": "Kafka",
        "metadata": {"name": CLUSTER},
        "spec": {
            "kafka": {
                "version": STRIMZI_KAFKA,
                "listeners": [listener],
                # Strimzi adds its own operators, which manage topics and ACLs, as super users. No others are needed.
                "authorization": {"type": "simple"},
                "config": {
                    **_to_yaml_values(list_required_settings()),
                    **_to_yaml_values(list_connection_limits()),
                    "default.replication.factor": replicas,
                    "min.insync.replicas": in_sync,
                    "offsets.topic.replication.factor": replicas,
                    "transaction.state.log.replication.factor": replicas,
                    "transaction.state.log.min.isr": in_sync,
                },
                "rack": {"topologyKey": "topology.kubernetes.io/zone"},
                "metricsConfig": {
                    "type": "jmxPrometheusExporter",
                    "valueFrom": {"configMapKeyRef": {"name": _METRICS, "key": kafka_metrics.FILE}},
                },
            },
            "entityOperator": {"topicOperator": {}, "userOperator": {}},
            "clusterCa": {"validityDays": 365, "renewalDays": 60},
            "clientsCa": {"validityDays": 365, "renewalDays": 60},
        },
    }


def _to_yaml_values(settings: Mapping[str, str]) -> dict[str, bool | int]:
    """Return Kafka settings as YAML values: numbers, `true` and `false`."""
    return {key: value == "true" if value in {"true", "false"} else int(value) for key, value in settings.items()}


def _make_node_pool(name: str, role: str, replicas: int, disk: str, memory: str) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": "KafkaNodePool",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {
            "replicas": replicas,
            "roles": [role],
            "storage": {
                "type": "jbod",
                "volumes": [
                    {"id": 0, "type": "persistent-claim", "size": disk, "deleteClaim": False, "kraftMetadata": "shared"}
                ],
            },
            "resources": {"requests": {"cpu": "1", "memory": memory}, "limits": {"memory": memory}},
        },
    }


def _make_metrics_config() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _METRICS},
        "data": {kafka_metrics.FILE: kafka_metrics.render_rules()},
    }


def _make_pod_monitor() -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": f"{CLUSTER}-kafka"},
        "spec": {
            "selector": {"matchLabels": {"strimzi.io/cluster": CLUSTER, "strimzi.io/kind": "Kafka"}},
            "podMetricsEndpoints": [
                {
                    "port": "tcp-prometheus",
                    "path": "/metrics",
                    "interval": "15s",
                    "relabelings": [{"targetLabel": "job", "replacement": kafka_metrics.JOB}],
                }
            ],
        },
    }
