"""For whoever runs the brokers: Kafka's own figures, by the exporter in `sharing/tools/manifests/kafka_metrics.py`."""

from __future__ import annotations

from monitoring.boards.common import RATE
from monitoring.panels import Board, Panel
from sharing.tools.manifests.kafka_metrics import DISK_JOB, JOB

ON = 'instance=~"$instance"'
DENIED = f'error=~".*AUTHORIZATION_FAILED", {ON}'
BROKERS = f'job="{JOB}", {ON}'
TOPICS = "kafka_server_brokertopicmetrics"
REQUESTS = "kafka_network_requestmetrics"
SOCKETS = "kafka_server_socket_server_metrics"


def _rate(by: str, metric: str, labels: str = ON) -> str:
    return f"sum by ({by}) (rate({metric}{{{labels}}}[{RATE}]))"


WELL = (
    Panel(
        "Brokers and controllers that answer",
        ((f'sum (up{{job="{JOB}"}})', ""),),
        "short",
        "As many as were started.",
        "figure",
        4,
    ),
    Panel(
        "Active controllers",
        (("sum (kafka_controller_kafkacontroller_activecontrollercount)", ""),),
        "short",
        "One.",
        "figure",
        4,
    ),
    Panel(
        "Partitions without a leader",
        (("max (kafka_controller_kafkacontroller_offlinepartitionscount)", ""),),
        "short",
        "Nought. What belongs there can be neither written nor read.",
        "figure",
        4,
    ),
    Panel(
        "Partitions with a replica out of sync",
        (
            (f"sum (kafka_server_replicamanager_underreplicatedpartitions{{{ON}}})", "out of sync"),
            (f"sum (kafka_server_replicamanager_underminisrpartitioncount{{{ON}}})", "refused to writers"),
        ),
        "short",
        "Nought. Some for a minute while a broker is restarted.",
        "figure",
        4,
    ),
    Panel(
        "Brokers not heard, disks failed",
        (
            ("max (kafka_controller_kafkacontroller_fencedbrokercount)", "brokers"),
            (f"sum (kafka_log_logmanager_offlinelogdirectorycount{{{ON}}})", "disks"),
        ),
        "short",
        "Nought.",
        "figure",
        4,
    ),
    Panel(
        "Partitions led, by broker",
        ((f"sum by (instance) (kafka_server_replicamanager_leadercount{{{ON}}})", "{{instance}}"),),
        "short",
        "About as many on each.",
        "figure",
        4,
    ),
)
FLOW = (
    Panel(
        "Bytes in, by topic",
        ((_rate("topic", f"{TOPICS}_bytesin_total"), "{{topic}}"),),
        "Bps",
        "What publishers, gates and consoles write.",
    ),
    Panel(
        "Bytes out, by topic",
        ((_rate("topic", f"{TOPICS}_bytesout_total"), "{{topic}}"),),
        "Bps",
        "What gates, consoles and partners read; not what brokers copy from each other.",
    ),
    Panel(
        "Records in, by topic",
        ((_rate("topic", f"{TOPICS}_messagesin_total"), "{{topic}}"),),
        "cps",
        "A gate writes one decision for each indicator that it takes.",
    ),
    Panel(
        "Gates' lag, by topic",
        (("sum by (topic) (sharing_consumer_lag_records)", "{{topic}}"),),
        "short",
        "The gates' own count of what they have not decided yet.",
    ),
    Panel(
        "Requests, by kind",
        ((_rate("request", f"{REQUESTS}_requests_total"), "{{request}}"),),
        "reqps",
        "",
    ),
    Panel(
        "Time to the answer, p99, by kind",
        (
            (
                f'max by (request) (kafka_network_requestmetrics_totaltimems{{quantile="0.99", {ON}}})',
                "{{request}}",
            ),
        ),
        "ms",
        "Fetch requests wait for records on purpose, up to half a second; Produce and EndTxn do not.",
    ),
)
TRANSACTIONS = (
    Panel(
        "Transactions begun and ended",
        (
            (
                _rate("request", f"{REQUESTS}_requests_total", f'request=~"InitProducerId|EndTxn", {ON}'),
                "{{request}}",
            ),
            (f"sum (rate(sharing_transaction_aborts_total[{RATE}]))", "aborted by gates"),
        ),
        "cps",
        "A gate ends one for each batch, its first after InitProducerId. Kafka does not tell aborts apart.",
    ),
    Panel(
        "Partitions with a transaction that stays open",
        (
            (
                f"sum by (instance) (kafka_server_replicamanager_partitionswithlatetransactionscount{{{ON}}})",
                "{{instance}}",
            ),
        ),
        "short",
        "Nought: readers of committed records stand still behind it.",
    ),
    Panel(
        "Answers with an error",
        (
            (
                _rate("request, error", f"{REQUESTS}_errors_total", f'error!="NONE", {ON}'),
                "{{request}} {{error}}",
            ),
        ),
        "cps",
        "Some are part of every start. AUTHORIZATION_FAILED: a party lacks a right.",
    ),
)
PARTIES = (
    Panel(
        "Connections, by listener",
        ((f"sum by (listener) (kafka_server_socket_server_metrics_connection_count{{{ON}}})", "{{listener}}"),),
        "short",
        "",
    ),
    Panel(
        "Connections that proved who they are, or did not",
        (
            (
                _rate("listener", f"{SOCKETS}_successful_authentication_total"),
                "{{listener}} proved",
            ),
            (
                _rate("listener", f"{SOCKETS}_failed_authentication_total"),
                "{{listener}} failed",
            ),
        ),
        "cps",
        "Failed ones: a certificate has ended or is not of this cluster's authority, or somebody tries to enter.",
    ),
    Panel(
        "Denied for want of rights",
        (
            (
                f"{_rate('request', f'{REQUESTS}_errors_total', DENIED)} or vector(0)",
                "{{request}}",
            ),
        ),
        "cps",
        "Nought.",
    ),
)
MACHINE = (
    Panel(
        "On the disk, by topic",
        ((f"sum by (topic) (kafka_log_log_size{{{ON}}})", "{{topic}}"),),
        "bytes",
        "All replicas.",
    ),
    Panel(
        "Free of the disk",
        (
            (
                f'node_filesystem_avail_bytes{{job="{DISK_JOB}"}} / node_filesystem_size_bytes{{job="{DISK_JOB}"}}',
                "{{instance}} {{mountpoint}}",
            ),
        ),
        "percentunit",
        "Alarmed below a tenth, or when it will be full within four days. On Kubernetes see the volumes' dashboard.",
    ),
    Panel(
        "Heap used, of what is permitted",
        (
            (
                f'jvm_memory_used_bytes{{area="heap", {BROKERS}}} / jvm_memory_max_bytes{{area="heap", {BROKERS}}}',
                "{{instance}}",
            ),
        ),
        "percentunit",
        "A saw below one.",
    ),
    Panel(
        "Time in garbage collection",
        ((f"sum by (instance) (rate(jvm_gc_collection_seconds_sum{{{BROKERS}}}[{RATE}]))", "{{instance}}"),),
        "percentunit",
        "A few in a hundred.",
    ),
    Panel(
        "Processor",
        ((f"rate(process_cpu_seconds_total{{{BROKERS}}}[{RATE}])", "{{instance}}"),),
        "short",
        "Processors used.",
    ),
    Panel(
        "Files open, of those permitted",
        ((f"process_open_fds{{{BROKERS}}} / process_max_fds{{{BROKERS}}}", "{{instance}}"),),
        "percentunit",
        "Far below one: a broker keeps some open for each partition.",
    ),
)

KAFKA = Board(
    "sharing-kafka",
    "Sharing: Kafka",
    "Whether the brokers that all States share are well, what goes through them, who is kept out, and what fills.",
    (
        ("Is it well?", WELL),
        ("What goes through?", FLOW),
        ("Transactions", TRANSACTIONS),
        ("Who comes in?", PARTIES),
        ("The machine", MACHINE),
    ),
    ("instance", "kafka_server_replicamanager_leadercount"),
)
