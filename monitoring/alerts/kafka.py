"""Alerts about the brokers, for the operators of the cluster that all States share.

Brokers and controllers are scraped as job `sharing-kafka`, through the JMX exporter whose rules are defined in
`sharing/tools/manifests/kafka_metrics.py`. The disks of their hosts are scraped as job `sharing-kafka-disk`.
"""

from __future__ import annotations

from monitoring.rules import AlertRule, AlertSeverity
from sharing.tools.manifests.kafka_metrics import DISK_JOB, JOB

BROKER = "job, instance"

OFFLINE = "(max by (job) (kafka_controller_kafkacontroller_offlinepartitionscount) > 0)"
UNDER_MIN_ISR = f"(sum by ({BROKER}) (kafka_server_replicamanager_underminisrpartitioncount) > 0)"
DOWN = f'(up{{job="{JOB}"}} == 0)'
# Among the reachable nodes there is no active controller, or more than one.
NO_SINGLE_CONTROLLER = (
    f'(group by (job) (up{{job="{JOB}"}} == 1) '
    "unless on (job) (sum by (job) (kafka_controller_kafkacontroller_activecontrollercount) == 1))"
)
# No gate can reach a broker: SharingBrokerUnreachable reports that.
UNREACHABLE_FOR_ALL = '(max (sharing_ready_check{check="broker"}) == 0)'
# Disk of a broker's host, or its persistent volume on Kubernetes.
FREE_BYTES = (
    f'node_filesystem_avail_bytes{{job="{DISK_JOB}"}}',
    'kubelet_volume_stats_available_bytes{namespace="sharing-kafka"}',
)
SIZE_BYTES = (
    f'node_filesystem_size_bytes{{job="{DISK_JOB}"}}',
    'kubelet_volume_stats_capacity_bytes{namespace="sharing-kafka"}',
)
FREE_RATIO = f"({' or '.join(FREE_BYTES)}) / ({' or '.join(SIZE_BYTES)})"
FREE_IN_FOUR_DAYS = " or ".join(f"predict_linear({free}[<6h>], <4d:seconds>)" for free in FREE_BYTES)

KAFKA = (
    AlertRule(
        "KafkaBrokerDown",
        AlertSeverity.CRITICAL,
        f"{DOWN} unless on () {UNREACHABLE_FOR_ALL} unless on (job) {NO_SINGLE_CONTROLLER} "
        f"unless on (job) {OFFLINE} unless on (job) {UNDER_MIN_ISR}",
        "2m",
        "A broker is down",
        "Partitions with replicas on other brokers keep working, without redundancy. Partitions whose only replica is "
        "on this broker can be neither written nor read.",
    ),
    AlertRule(
        "KafkaNoController",
        AlertSeverity.CRITICAL,
        NO_SINGLE_CONTROLLER,
        "2m",
        "The cluster has no active controller, or two",
        "Traffic continues for now. If a broker fails, its partitions get no new leader. Topics and ACLs cannot be "
        "changed.",
    ),
    AlertRule(
        "KafkaOfflinePartitions",
        AlertSeverity.CRITICAL,
        OFFLINE,
        "1m",
        "Partitions have no leader",
        "These partitions can be neither written nor read, urgent information included.",
    ),
    AlertRule(
        "KafkaUnderMinIsr",
        AlertSeverity.CRITICAL,
        f"{UNDER_MIN_ISR} unless on (job) {OFFLINE}",
        "1m",
        "Partitions have fewer in-sync replicas than min.insync.replicas",
        "Brokers reject writes to these partitions, and gates abort their batches. Confirmed records are safe.",
    ),
    AlertRule(
        "KafkaUnderReplicated",
        AlertSeverity.WARNING,
        f"sum by ({BROKER}) (kafka_server_replicamanager_underreplicatedpartitions) > 0 "
        f"unless on (job) {UNDER_MIN_ISR} unless on (job) {OFFLINE} unless on (job) {DOWN}",
        "5m",
        "Partitions are under-replicated",
        "Traffic continues. If another broker fails, partitions can become unavailable.",
    ),
    AlertRule(
        "KafkaHangingTransactions",
        AlertSeverity.WARNING,
        f"sum by ({BROKER}) (kafka_server_replicamanager_partitionswithlatetransactionscount) > 0",
        "5m",
        "A partition has a hanging transaction",
        "Gates and partners read committed records only, so they cannot read past it on that partition.",
    ),
    AlertRule(
        "KafkaDiskFull",
        AlertSeverity.CRITICAL,
        f"{FREE_RATIO} < 0.1",
        "1m",
        "Less than 10% of a broker's disk is free",
        "A broker with a full disk shuts down, and others may follow. Then agencies cannot publish, and nothing is "
        "processed or delivered.",
    ),
    AlertRule(
        "KafkaDiskFilling",
        AlertSeverity.WARNING,
        f"({FREE_IN_FOUR_DAYS}) < 0 and {FREE_RATIO} < 0.4 unless {FREE_RATIO} < 0.1",
        "30m",
        "A broker's disk will be full within four days",
        "No impact yet. The broker shuts down when its disk is full.",
    ),
    AlertRule(
        "KafkaAuthenticationFailures",
        AlertSeverity.WARNING,
        "sum by (job, listener) (increase(kafka_server_socket_server_metrics_failed_authentication_total[<15m>])) > 10",
        "",
        "Connections to the brokers fail to authenticate",
        "A client with an expired or foreign certificate can neither publish nor receive, or a client without a "
        "certificate is trying to connect.",
    ),
    AlertRule(
        "KafkaAccessDenied",
        AlertSeverity.WARNING,
        "sum by (job, request) "
        '(increase(kafka_network_requestmetrics_errors_total{error=~".*AUTHORIZATION_FAILED"}[<15m>])) > 10',
        "",
        "Requests are denied by ACLs",
        "A client asks for something that its ACLs do not allow. It is misconfigured, or it tries something that it "
        "should not do.",
    ),
)
