"""Dashboard for the operators of gates: whether they are running, keep up, and lose nothing."""

from __future__ import annotations

from monitoring.dashboard_sources.client_panels import CLIENT_LIBRARIES
from monitoring.dashboard_sources.common import (
    CONSERVATION,
    INTERVAL,
    LATENCY,
    OUTCOMES,
    QUARANTINE,
    STATES,
    quantile,
    seconds_since,
)
from monitoring.dashboard_sources.inbox_panels import INBOX
from monitoring.panels import DashboardSpec, Panel

GATES = f'job="sharing-gate", {STATES}'

LIVENESS = (
    Panel(
        "Reachable workers",
        ((f"sum by (state) (up{{{GATES}}})", "{{state}}"),),
        "short",
        "Equal to the number of workers started.",
        "figure",
        6,
    ),
    Panel(
        "Firing alerts",
        (('count(ALERTS{alertstate="firing"}) or vector(0)', ""),),
        "short",
        "Normally 0. Each alert links its runbook.",
        "figure",
        6,
    ),
    CONSERVATION,
    Panel(
        "Partitions by worker",
        ((f"sum by (state, instance) (sharing_partitions_assigned{{{STATES}}})", "{{state}} {{instance}}"),),
        "short",
        "0 on a standby worker.",
        "figure",
        6,
    ),
    Panel(
        "Readiness by check",
        ((f"min by (state, check) (sharing_ready_check{{{STATES}}})", "{{state}} {{check}}"),),
        "bool",
        "A worker can commit only if all checks are 1. /ready gives the reason for a failing check.",
        width=12,
    ),
    Panel(
        "Time since last broker response and last commit",
        (
            (seconds_since("sharing_broker_last_response_timestamp_seconds"), "{{state}} broker"),
            (seconds_since("sharing_last_commit_timestamp_seconds"), "{{state}} commit"),
        ),
        "s",
        "A broker responds many times a second. Commits happen only while indicators arrive.",
        width=12,
    ),
)
THROUGHPUT = (
    Panel(
        "Indicators read",
        ((f"sum by (state) (rate(sharing_indicators_read_total{{{STATES}}}[{INTERVAL}]))", "{{state}}"),),
        "cps",
        "Counted when their transaction is committed.",
    ),
    OUTCOMES,
    Panel(
        "Consumer lag by partition",
        ((f"sum by (topic, partition) (sharing_consumer_lag_records{{{STATES}}})", "{{topic}}[{{partition}}]"),),
        "short",
        "Records that wait. Normally near 0; falls after an outage.",
    ),
    Panel(
        "Records behind open transactions",
        (
            (f"sum by (topic, partition) (sharing_consumer_hidden_records{{{STATES}}})", "{{topic}}[{{partition}}]"),
            (
                f"max by (topic, partition) (sharing_consumer_hidden_seconds{{{STATES}}})",
                "{{topic}}[{{partition}}] seconds",
            ),
        ),
        "short",
        "Distance from the last stable offset to the end of a partition, and for how long that offset has not moved. "
        "Normally 0, or for seconds during a bulk load.",
    ),
    LATENCY,
    Panel(
        "Batch duration",
        (
            (quantile("0.99", "sharing_batch_seconds", "state"), "{{state}} p99"),
            (f"max by (state) (sharing_batch_open_seconds{{{STATES}}})", "{{state}} open now"),
        ),
        "s",
        "From reading the batch to its commit.",
    ),
    Panel(
        "Records per batch",
        ((quantile("0.5", "sharing_batch_records", "state"), "{{state}} p50"),),
        "short",
        "Batches grow with the lag.",
    ),
)
ERRORS = (
    QUARANTINE,
    Panel(
        "Aborted batches, rule errors, clock skew",
        (
            (
                f"sum by (state) (increase(sharing_transaction_aborts_total{{{STATES}}}[$__range]))",
                "{{state}} aborts",
            ),
            (
                f"sum by (state) (increase(sharing_rule_errors_total{{{STATES}}}[$__range]))",
                "{{state}} rule errors",
            ),
            (
                f"sum by (state) (increase(sharing_clock_skewed_total{{{STATES}}}[$__range]))",
                "{{state}} clock skew",
            ),
        ),
        "short",
        "Normally 0.",
    ),
    Panel(
        "Log lines by level",
        (
            (
                f"sum by (state, level) (increase(sharing_log_records_total{{{STATES}}}[$__range]))",
                "{{state}} {{level}}",
            ),
        ),
        "short",
        "Warnings and above.",
    ),
)
RESOURCES = (
    Panel(
        "CPU usage",
        (
            (
                f"sum by (state, instance) (rate(process_cpu_seconds_total{{{GATES}}}[{INTERVAL}]))",
                "{{instance}}",
            ),
        ),
        "percentunit",
        "A worker can use slightly more than one core.",
    ),
    Panel(
        "Memory",
        ((f"sum by (state, instance) (process_resident_memory_bytes{{{GATES}}})", "{{instance}}"),),
        "bytes",
        "Normally up to 400 MB.",
    ),
    Panel(
        "Open file descriptors",
        ((f"process_open_fds{{{GATES}}} / process_max_fds{{{GATES}}}", "{{instance}}"),),
        "percentunit",
        "Share of the limit. Far below 100% is normal.",
    ),
    Panel(
        "Uptime",
        ((f"time() - process_start_time_seconds{{{GATES}}}", "{{instance}}"),),
        "s",
        "Repeated resets mean a restart loop.",
        "figure",
        12,
    ),
    Panel(
        "Builds",
        ((f"count by (state, version, python, librdkafka) (sharing_build_info{{{STATES}}})", ""),),
        "short",
        "Versions that each worker runs.",
        "table",
        12,
    ),
)

OPERATOR = DashboardSpec(
    "sharing-operator",
    "Sharing: operator",
    "Whether the gates are running, keep up, and lose nothing; and where they do not.",
    (
        ("Liveness and readiness", LIVENESS),
        ("Throughput and latency", THROUGHPUT),
        ("Errors", ERRORS),
        ("Inbox", INBOX),
        ("Resources", RESOURCES),
        ("Agencies and partners", CLIENT_LIBRARIES),
    ),
    ("state", "sharing_pack_info"),
)
