"""Alerts of the brokers themselves: for whoever runs the cluster that all States share.

Brokers and controllers are scraped as job `sharing-kafka`, by the exporter whose rules stand in
`sharing/tools/manifests/kafka_metrics.py`; the disks of their hosts as job `sharing-kafka-disk`.
"""

from __future__ import annotations

from monitoring.rules import AlertRule, AlertSeverity
from sharing.tools.manifests.kafka_metrics import DISK_JOB, JOB

BROKER = "job, instance"

OFFLINE = "(max by (job) (kafka_controller_kafkacontroller_offlinepartitionscount) > 0)"
BELOW_MINIMUM = f"(sum by ({BROKER}) (kafka_server_replicamanager_underminisrpartitioncount) > 0)"
DOWN = f'(up{{job="{JOB}"}} == 0)'
# Of the nodes that answer none leads, or two do.
NO_CONTROLLER = (
    f'(group by (job) (up{{job="{JOB}"}} == 1) '
    "unless on (job) (sum by (job) (kafka_controller_kafkacontroller_activecontrollercount) == 1))"
)
# That no gate hears any broker has an alert of its own.
NONE_HEARD = '(max (sharing_ready_check{check="broker"}) == 0)'
# Of a broker's host, or of its volume where Kubernetes makes it.
FREE = (
    f'node_filesystem_avail_bytes{{job="{DISK_JOB}"}}',
    'kubelet_volume_stats_available_bytes{namespace="sharing-kafka"}',
)
SIZE = (
    f'node_filesystem_size_bytes{{job="{DISK_JOB}"}}',
    'kubelet_volume_stats_capacity_bytes{namespace="sharing-kafka"}',
)
SHARE_FREE = f"({' or '.join(FREE)}) / ({' or '.join(SIZE)})"
FREE_IN_FOUR_DAYS = " or ".join(f"predict_linear({free}[<6h>], <4d:seconds>)" for free in FREE)

KAFKA = (
    AlertRule(
        "KafkaBrokerDown",
        AlertSeverity.CRITICAL,
        f"{DOWN} unless on () {NONE_HEARD} unless on (job) {NO_CONTROLLER} unless on (job) {OFFLINE} "
        f"unless on (job) {BELOW_MINIMUM}",
        "2m",
        "A broker does not answer",
        "Where partitions have replicas on other brokers these go on, and nothing is in reserve; what lies on this "
        "broker alone can be neither written nor read.",
    ),
    AlertRule(
        "KafkaNoController",
        AlertSeverity.CRITICAL,
        NO_CONTROLLER,
        "2m",
        "The cluster has no controller, or two",
        "What flows goes on for a while; when a broker ends nobody takes over its partitions, and topics and rights "
        "cannot be changed.",
    ),
    AlertRule(
        "KafkaOfflinePartitions",
        AlertSeverity.CRITICAL,
        OFFLINE,
        "1m",
        "Partitions have no leader",
        "Agencies whose indicators belong there cannot publish, and nobody reads what lies there, urgent information "
        "included.",
    ),
    AlertRule(
        "KafkaUnderMinIsr",
        AlertSeverity.CRITICAL,
        f"{BELOW_MINIMUM} unless on (job) {OFFLINE}",
        "1m",
        "Partitions have too few replicas to be written",
        "Publishers are refused and gates abort their batches on these partitions; what was confirmed is safe.",
    ),
    AlertRule(
        "KafkaUnderReplicated",
        AlertSeverity.WARNING,
        f"sum by ({BROKER}) (kafka_server_replicamanager_underreplicatedpartitions) > 0 "
        f"unless on (job) {BELOW_MINIMUM} unless on (job) {OFFLINE} unless on (job) {DOWN}",
        "5m",
        "Replicas are out of sync",
        "All flows; should one more broker fail, partitions can stand still.",
    ),
    AlertRule(
        "KafkaTransactionsHanging",
        AlertSeverity.WARNING,
        f"sum by ({BROKER}) (kafka_server_replicamanager_partitionswithlatetransactionscount) > 0",
        "5m",
        "A transaction stays open on a partition",
        "Who reads committed records, gates and partners alike, stands still on that partition.",
    ),
    AlertRule(
        "KafkaDiskFull",
        AlertSeverity.CRITICAL,
        f"{SHARE_FREE} < 0.1",
        "1m",
        "Less than a tenth of a broker's disk is free",
        "A broker whose disk is full ends, and the next may follow: agencies could not publish and nothing would be "
        "decided or delivered.",
    ),
    AlertRule(
        "KafkaDiskFilling",
        AlertSeverity.WARNING,
        f"({FREE_IN_FOUR_DAYS}) < 0 and {SHARE_FREE} < 0.4 unless {SHARE_FREE} < 0.1",
        "30m",
        "A broker's disk is full within four days",
        "Nothing yet. Then the broker ends.",
    ),
    AlertRule(
        "KafkaAuthenticationFailures",
        AlertSeverity.WARNING,
        "sum by (job, listener) (increase(kafka_server_socket_server_metrics_failed_authentication_total[<15m>])) > 10",
        "",
        "Connections fail to prove who they are",
        "A party whose certificate has ended, or is another's, can neither publish nor receive; or somebody without "
        "one tries to enter.",
    ),
    AlertRule(
        "KafkaAccessDenied",
        AlertSeverity.WARNING,
        "sum by (job, request) "
        '(increase(kafka_network_requestmetrics_errors_total{error=~".*AUTHORIZATION_FAILED"}[<15m>])) > 10',
        "",
        "Requests are denied for want of rights",
        "A party asks for what its rights do not give it: it is set up wrongly, or tries what it should not.",
    ),
)
