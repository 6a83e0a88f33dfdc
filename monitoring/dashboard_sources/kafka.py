"""Dashboard for the operators of the brokers: Kafka's own metrics, from the JMX exporter.

The exporter's rules are defined in `sharing/tools/manifests/kafka_metrics.py`.
"""

from __future__ import annotations

from monitoring.dashboard_sources.common import INTERVAL
from monitoring.panels import DashboardSpec, Panel
from sharing.tools.manifests.kafka_metrics import DISK_JOB, JOB

INSTANCES = 'instance=~"$instance"'
DENIED_REQUESTS = f'error=~".*AUTHORIZATION_FAILED", {INSTANCES}'
BROKERS = f'job="{JOB}", {INSTANCES}'
TOPICS = "kafka_server_brokertopicmetrics"
REQUESTS = "kafka_network_requestmetrics"
SOCKETS = "kafka_server_socket_server_metrics"


def _sum_rate(by: str, metric: str, labels: str = INSTANCES) -> str:
    return f"sum by ({by}) (rate({metric}{{{labels}}}[{INTERVAL}]))"


HEALTH = (
    Panel(
        "Reachable brokers and controllers",
        ((f'sum (up{{job="{JOB}"}})', ""),),
        "short",
        "Equal to the number of nodes started.",
        "figure",
        4,
    ),
    Panel(
        "Active controllers",
        (("sum (kafka_controller_kafkacontroller_activecontrollercount)", ""),),
        "short",
        "Always 1.",
        "figure",
        4,
    ),
    Panel(
        "Partitions without a leader",
        (("max (kafka_controller_kafkacontroller_offlinepartitionscount)", ""),),
        "short",
        "Normally 0. These partitions can be neither written nor read.",
        "figure",
        4,
    ),
    Panel(
        "Under-replicated partitions",
        (
            (f"sum (kafka_server_replicamanager_underreplicatedpartitions{{{INSTANCES}}})", "under-replicated"),
            (f"sum (kafka_server_replicamanager_underminisrpartitioncount{{{INSTANCES}}})", "under min ISR"),
        ),
        "short",
        "Normally 0. A restart of a broker raises it for about a minute.",
        "figure",
        4,
    ),
    Panel(
        "Fenced brokers, offline log directories",
        (
            ("max (kafka_controller_kafkacontroller_fencedbrokercount)", "fenced brokers"),
            (f"sum (kafka_log_logmanager_offlinelogdirectorycount{{{INSTANCES}}})", "offline log directories"),
        ),
        "short",
        "Normally 0.",
        "figure",
        4,
    ),
    Panel(
        "Partition leaders by broker",
        ((f"sum by (instance) (kafka_server_replicamanager_leadercount{{{INSTANCES}}})", "{{instance}}"),),
        "short",
        "About the same number on each broker.",
        "figure",
        4,
    ),
)
TRAFFIC = (
    Panel(
        "Bytes in by topic",
        ((_sum_rate("topic", f"{TOPICS}_bytesin_total"), "{{topic}}"),),
        "Bps",
        "Written by publishers, gates and consoles.",
    ),
    Panel(
        "Bytes out by topic",
        ((_sum_rate("topic", f"{TOPICS}_bytesout_total"), "{{topic}}"),),
        "Bps",
        "Read by gates, consoles and partners. Replication traffic is not included.",
    ),
    Panel(
        "Records in by topic",
        ((_sum_rate("topic", f"{TOPICS}_messagesin_total"), "{{topic}}"),),
        "cps",
        "A gate writes one decision for each indicator that it reads.",
    ),
    Panel(
        "Consumer lag of the gates by topic",
        (("sum by (topic) (sharing_consumer_lag_records)", "{{topic}}"),),
        "short",
        "Records that the gates have not processed yet, as counted by the gates.",
    ),
    Panel(
        "Requests by type",
        ((_sum_rate("request", f"{REQUESTS}_requests_total"), "{{request}}"),),
        "reqps",
        "",
    ),
    Panel(
        "Request latency by type, p99",
        (
            (
                f'max by (request) (kafka_network_requestmetrics_totaltimems{{quantile="0.99", {INSTANCES}}})',
                "{{request}}",
            ),
        ),
        "ms",
        "Fetch requests wait up to 0.5 s for records by design. Produce and EndTxn requests do not wait.",
    ),
)
TRANSACTIONS = (
    Panel(
        "Transactions started and ended",
        (
            (
                _sum_rate("request", f"{REQUESTS}_requests_total", f'request=~"InitProducerId|EndTxn", {INSTANCES}'),
                "{{request}}",
            ),
            (f"sum (rate(sharing_transaction_aborts_total[{INTERVAL}]))", "aborted by gates"),
        ),
        "cps",
        "InitProducerId is sent when a producer starts, EndTxn once per batch. Kafka does not count aborts separately.",
    ),
    Panel(
        "Partitions with a hanging transaction",
        (
            (
                f"sum by (instance) (kafka_server_replicamanager_partitionswithlatetransactionscount{{{INSTANCES}}})",
                "{{instance}}",
            ),
        ),
        "short",
        "Normally 0. Consumers of committed records cannot read past a hanging transaction.",
    ),
    Panel(
        "Error responses",
        (
            (
                _sum_rate("request, error", f"{REQUESTS}_errors_total", f'error!="NONE", {INSTANCES}'),
                "{{request}} {{error}}",
            ),
        ),
        "cps",
        "Some are normal when a client starts. AUTHORIZATION_FAILED: an ACL is missing.",
    ),
)
CLIENTS = (
    Panel(
        "Connections by listener",
        (
            (
                f"sum by (listener) (kafka_server_socket_server_metrics_connection_count{{{INSTANCES}}})",
                "{{listener}}",
            ),
        ),
        "short",
        "",
    ),
    Panel(
        "Authentications by listener",
        (
            (
                _sum_rate("listener", f"{SOCKETS}_successful_authentication_total"),
                "{{listener}} succeeded",
            ),
            (
                _sum_rate("listener", f"{SOCKETS}_failed_authentication_total"),
                "{{listener}} failed",
            ),
        ),
        "cps",
        "Failures: a certificate has expired or is not from this cluster's CA, or an unknown client tries to connect.",
    ),
    Panel(
        "Requests denied by ACLs",
        (
            (
                f"{_sum_rate('request', f'{REQUESTS}_errors_total', DENIED_REQUESTS)} or vector(0)",
                "{{request}}",
            ),
        ),
        "cps",
        "Normally 0.",
    ),
)
MACHINE = (
    Panel(
        "Disk usage by topic",
        ((f"sum by (topic) (kafka_log_log_size{{{INSTANCES}}})", "{{topic}}"),),
        "bytes",
        "All replicas together.",
    ),
    Panel(
        "Free disk space",
        (
            (
                f'node_filesystem_avail_bytes{{job="{DISK_JOB}"}} / node_filesystem_size_bytes{{job="{DISK_JOB}"}}',
                "{{instance}} {{mountpoint}}",
            ),
        ),
        "percentunit",
        "Alerts fire below 10%, or if it will be full within four days. On Kubernetes, see the volumes' dashboard.",
    ),
    Panel(
        "Heap usage",
        (
            (
                f'jvm_memory_used_bytes{{area="heap", {BROKERS}}} / jvm_memory_max_bytes{{area="heap", {BROKERS}}}',
                "{{instance}}",
            ),
        ),
        "percentunit",
        "Share of the maximum. A sawtooth below 100% is normal.",
    ),
    Panel(
        "Time in garbage collection",
        (
            (
                f"sum by (instance) (rate(jvm_gc_collection_seconds_sum{{{BROKERS}}}[{INTERVAL}]))",
                "{{instance}}",
            ),
        ),
        "percentunit",
        "A few percent is normal.",
    ),
    Panel(
        "CPU usage",
        ((f"rate(process_cpu_seconds_total{{{BROKERS}}}[{INTERVAL}])", "{{instance}}"),),
        "short",
        "CPU cores in use.",
    ),
    Panel(
        "Open file descriptors",
        ((f"process_open_fds{{{BROKERS}}} / process_max_fds{{{BROKERS}}}", "{{instance}}"),),
        "percentunit",
        "Share of the limit. Each partition keeps some files open; far below 100% is normal.",
    ),
)

KAFKA = DashboardSpec(
    "sharing-kafka",
    "Sharing: Kafka",
    "Health, traffic, rejected clients and resources of the brokers that all States share.",
    (
        ("Health", HEALTH),
        ("Traffic", TRAFFIC),
        ("Transactions", TRANSACTIONS),
        ("Clients", CLIENTS),
        ("Resources", MACHINE),
    ),
    ("instance", "kafka_server_replicamanager_leadercount"),
)
