"""The metrics of Kafka that Prometheus scrapes, and the rules of the JMX exporter that provides them.

Kafka publishes thousands of values as JMX beans. The exporter, an agent in the broker's process, exposes those of this
table and those of the JVM. Metric names follow the exporter's convention: domain, bean and name in lower case. The
metrics do not identify clients, but they contain topic names: restrict access to the endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sharing.tools.manifests.common import to_yaml

JOB = "sharing-kafka"
"""Prometheus job of brokers and controllers."""

DISK_JOB = "sharing-kafka-disk"
"""Prometheus job of the node exporter on a broker's host."""

PORT = 9404
FILE = "kafka-metrics.yaml"

_REQUESTS = (
    "Produce|Fetch|FetchConsumer|ListOffsets|Metadata|FindCoordinator|JoinGroup|OffsetCommit|InitProducerId"
    "|AddPartitionsToTxn|TxnOffsetCommit|EndTxn|WriteTxnMarkers|ApiVersions"
)


class KafkaMetric(NamedTuple):
    """One metric of Kafka.

    Attributes:
        name: Name in Prometheus.
        bean: The exporter's pattern for bean and attribute.
        description: Help text.
        labels: Label names, each with a group reference to the pattern.
        kind: `GAUGE` or `COUNTER`.
    """

    name: str
    bean: str
    description: str
    labels: Mapping[str, str] = {}
    kind: str = "GAUGE"


def _topic_counter(rate: str, description: str) -> KafkaMetric:
    bean = rf"kafka\.server<type=BrokerTopicMetrics, name={rate}PerSec, topic=(.+)><>Count"
    return KafkaMetric(
        f"kafka_server_brokertopicmetrics_{rate.lower()}_total", bean, description, {"topic": "$1"}, "COUNTER"
    )


def _gauge(domain: str, bean: str, name: str, description: str) -> KafkaMetric:
    return KafkaMetric(
        f"kafka_{domain}_{bean}_{name}".lower(), rf"kafka\.{domain}<type={bean}, name={name}><>Value", description
    )  # fmt: skip


METRICS = (
    _topic_counter("BytesIn", "Bytes that clients wrote"),
    _topic_counter("BytesOut", "Bytes that clients read"),
    _topic_counter("MessagesIn", "Records that clients wrote"),
    KafkaMetric(
        "kafka_network_requestmetrics_totaltimems",
        rf"kafka\.network<type=RequestMetrics, name=TotalTimeMs, request=({_REQUESTS})><>(50|99)thPercentile",
        "Milliseconds from a request's arrival to its response",
        {"request": "$1", "quantile": "0.$2"},
    ),
    KafkaMetric(
        "kafka_network_requestmetrics_requests_total",
        rf"kafka\.network<type=RequestMetrics, name=TotalTimeMs, request=({_REQUESTS})><>Count",
        "Answered requests",
        {"request": "$1"},
        "COUNTER",
    ),
    KafkaMetric(
        "kafka_network_requestmetrics_errors_total",
        r"kafka\.network<type=RequestMetrics, name=ErrorsPerSec, request=(.+), error=(.+)><>Count",
        "Responses by error code; NONE if successful",
        {"request": "$1", "error": "$2"},
        "COUNTER",
    ),
    _gauge("server", "ReplicaManager", "LeaderCount", "Partitions that this broker leads"),
    _gauge(
        "server",
        "ReplicaManager",
        "UnderReplicatedPartitions",
        "Partitions led by this broker with a replica out of sync",
    ),
    _gauge(
        "server", "ReplicaManager", "UnderMinIsrPartitionCount", "Partitions led by this broker that reject acks=all"
    ),
    _gauge(
        "server",
        "ReplicaManager",
        "PartitionsWithLateTransactionsCount",
        "Partitions with a transaction that exceeds its timeout",
    ),
    _gauge("controller", "KafkaController", "ActiveControllerCount", "1 on the active controller"),
    _gauge("controller", "KafkaController", "OfflinePartitionsCount", "Partitions without a leader"),
    _gauge(
        "controller",
        "KafkaController",
        "FencedBrokerCount",
        "Registered brokers that are fenced, without a current heartbeat",
    ),
    _gauge("log", "LogManager", "OfflineLogDirectoryCount", "Failed data folders"),
    KafkaMetric(
        "kafka_log_log_size",
        r"kafka\.log<type=Log, name=Size, topic=(.+), partition=(.+)><>Value",
        "Bytes of a partition's log on this broker",
        {"topic": "$1", "partition": "$2"},
    ),
    *(
        KafkaMetric(
            f"kafka_server_socket_server_metrics_{name.replace('-', '_')}",
            rf"kafka\.server<type=socket-server-metrics, listener=(.+), networkProcessor=(.+)><>{name}",
            description,
            {"listener": "$1", "processor": "$2"},
            kind,
        )
        for name, description, kind in (
            ("connection-count", "Current connections", "GAUGE"),
            ("successful-authentication-total", "Authenticated connections", "COUNTER"),
            ("failed-authentication-total", "Connections that failed to authenticate", "COUNTER"),
        )
    ),
)
"""All exposed metrics of Kafka."""

_BEANS = (
    "kafka.server:type=BrokerTopicMetrics,*",
    "kafka.server:type=ReplicaManager,*",
    "kafka.server:type=socket-server-metrics,*",
    "kafka.controller:type=KafkaController,*",
    "kafka.network:type=RequestMetrics,name=TotalTimeMs,*",
    "kafka.network:type=RequestMetrics,name=ErrorsPerSec,*",
    "kafka.log:type=Log,name=Size,*",
    "kafka.log:type=LogManager,*",
)


def render_rules() -> str:
    """Return the configuration of the JMX exporter."""
    return to_yaml(
        {
            "includeObjectNames": list(_BEANS),
            "rules": [
                {
                    "pattern": metric.bean,
                    "name": metric.name,
                    "help": metric.description,
                    "type": metric.kind,
                    "cache": True,  # no pattern depends on a value
                    **({"labels": dict(metric.labels)} if metric.labels else {}),
                }
                for metric in METRICS
            ],
        }
    )


def agent_option(jar: str, rules: str, host: str = "0.0.0.0", port: int = PORT) -> str:  # noqa: S104 inside a container
    """Return the JVM option that starts the exporter in the broker's process.

    Args:
        jar: Path of the exporter's JAR.
        rules: Path of its configuration.
        host: Address on which it listens.
        port: Port on which it listens.
    """
    return f"-javaagent:{jar}={host}:{port}:{rules}"
