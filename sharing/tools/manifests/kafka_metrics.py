"""Which of Kafka's figures Prometheus is shown, and under which names: the rules of its JMX exporter.

Kafka publishes some thousands of figures as JMX beans; the exporter, an agent in the broker's own process, shows those
of this table and those of the Java machine. Names follow the custom of the exporter's users: domain, bean and name in
small letters. Nothing tells clients apart, but topics are named: treat the page as restricted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sharing.tools.manifests.common import to_yaml

JOB = "sharing-kafka"
"""The job under which brokers and controllers are scraped."""

DISK_JOB = "sharing-kafka-disk"
"""The job under which the node exporter of a broker's host is scraped."""

PORT = 9404
FILE = "kafka-metrics.yaml"

_REQUESTS = (
    "Produce|Fetch|FetchConsumer|ListOffsets|Metadata|FindCoordinator|JoinGroup|OffsetCommit|InitProducerId"
    "|AddPartitionsToTxn|TxnOffsetCommit|EndTxn|WriteTxnMarkers|ApiVersions"
)


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: For Prometheus.
        bean: Pattern of the exporter for bean and attribute.
        says: Its description.
        labels: Each with the group of the pattern.
        kind: `GAUGE` or `COUNTER`.
    """

    name: str
    bean: str
    says: str
    labels: Mapping[str, str] = {}
    kind: str = "GAUGE"


def _by_topic(what: str, says: str) -> Metric:
    bean = rf"kafka\.server<type=BrokerTopicMetrics, name={what}PerSec, topic=(.+)><>Count"
    return Metric(f"kafka_server_brokertopicmetrics_{what.lower()}_total", bean, says, {"topic": "$1"}, "COUNTER")


def _gauge(domain: str, bean: str, name: str, says: str) -> Metric:
    return Metric(
        f"kafka_{domain}_{bean}_{name}".lower(), rf"kafka\.{domain}<type={bean}, name={name}><>Value", says
    )  # fmt: skip


METRICS = (
    _by_topic("BytesIn", "Bytes that clients wrote"),
    _by_topic("BytesOut", "Bytes that clients read"),
    _by_topic("MessagesIn", "Records that clients wrote"),
    Metric(
        "kafka_network_requestmetrics_totaltimems",
        rf"kafka\.network<type=RequestMetrics, name=TotalTimeMs, request=({_REQUESTS})><>(50|99)thPercentile",
        "Milliseconds from a request's arrival to its answer",
        {"request": "$1", "quantile": "0.$2"},
    ),
    Metric(
        "kafka_network_requestmetrics_requests_total",
        rf"kafka\.network<type=RequestMetrics, name=TotalTimeMs, request=({_REQUESTS})><>Count",
        "Requests that were answered",
        {"request": "$1"},
        "COUNTER",
    ),
    Metric(
        "kafka_network_requestmetrics_errors_total",
        r"kafka\.network<type=RequestMetrics, name=ErrorsPerSec, request=(.+), error=(.+)><>Count",
        "Answers by error code, NONE for none",
        {"request": "$1", "error": "$2"},
        "COUNTER",
    ),
    _gauge("server", "ReplicaManager", "LeaderCount", "Partitions that this broker leads"),
    _gauge("server", "ReplicaManager", "UnderReplicatedPartitions", "Led partitions with a replica out of sync"),
    _gauge("server", "ReplicaManager", "UnderMinIsrPartitionCount", "Led partitions that refuse acks=all"),
    _gauge("server", "ReplicaManager", "PartitionsWithLateTransactionsCount", "Partitions with a transaction too old"),
    _gauge("controller", "KafkaController", "ActiveControllerCount", "1 on the controller that leads"),
    _gauge("controller", "KafkaController", "OfflinePartitionsCount", "Partitions without a leader"),
    _gauge("controller", "KafkaController", "FencedBrokerCount", "Brokers that are registered and not heard"),
    _gauge("log", "LogManager", "OfflineLogDirectoryCount", "Data folders that failed"),
    Metric(
        "kafka_log_log_size",
        r"kafka\.log<type=Log, name=Size, topic=(.+), partition=(.+)><>Value",
        "Bytes of a partition's log on this broker",
        {"topic": "$1", "partition": "$2"},
    ),
    *(
        Metric(
            f"kafka_server_socket_server_metrics_{name.replace('-', '_')}",
            rf"kafka\.server<type=socket-server-metrics, listener=(.+), networkProcessor=(.+)><>{name}",
            says,
            {"listener": "$1", "processor": "$2"},
            kind,
        )
        for name, says, kind in (
            ("connection-count", "Connections now", "GAUGE"),
            ("successful-authentication-total", "Connections that proved who they are", "COUNTER"),
            ("failed-authentication-total", "Connections that did not", "COUNTER"),
        )
    ),
)
"""Every metric of Kafka's that is shown."""

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
                    "help": metric.says,
                    "type": metric.kind,
                    "cache": True,  # no pattern looks at a value
                    **({"labels": dict(metric.labels)} if metric.labels else {}),
                }
                for metric in METRICS
            ],
        }
    )


def agent_option(jar: str, rules: str, host: str = "0.0.0.0", port: int = PORT) -> str:  # noqa: S104 within a container
    """Return the option of the Java machine that starts the exporter with the broker.

    Args:
        jar: Path of the exporter.
        rules: Path of its configuration.
        host: Address on which it is scraped.
        port: And its port.
    """
    return f"-javaagent:{jar}={host}:{port}:{rules}"
