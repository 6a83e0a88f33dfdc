"""For the operator: whether the gates run, keep up and lose nothing."""

from __future__ import annotations

from monitoring.boards.common import CONSERVATION, LATENCY, OF, OUTCOMES, QUARANTINE, RATE, quantile, since
from monitoring.panels import Board, Panel

GATES = f'job="sharing-gate", {OF}'

RUNNING = (
    Panel(
        "Workers that answer",
        ((f"sum by (state) (up{{{GATES}}})", "{{state}}"),),
        "short",
        "As many as were started.",
        "figure",
        6,
    ),
    Panel(
        "Alerts that fire",
        (('count(ALERTS{alertstate="firing"}) or vector(0)', ""),),
        "short",
        "Nought. Each alert names its runbook.",
        "figure",
        6,
    ),
    CONSERVATION,
    Panel(
        "Partitions by worker",
        ((f"sum by (state, instance) (sharing_partitions_assigned{{{OF}}})", "{{state}} {{instance}}"),),
        "short",
        "Nought on a standby.",
        "figure",
        6,
    ),
    Panel(
        "Readiness by check",
        ((f"min by (state, check) (sharing_ready_check{{{OF}}})", "{{state}} {{check}}"),),
        "bool",
        "What a worker needs to commit. /ready says why one is not well.",
        width=12,
    ),
    Panel(
        "Broker heard, and last commit, ago",
        (
            (since("sharing_broker_heard_timestamp_seconds"), "{{state}} broker"),
            (since("sharing_last_commit_timestamp_seconds"), "{{state}} commit"),
        ),
        "s",
        "A broker is heard many times a second. Commits come when indicators do.",
        width=12,
    ),
)
FLOW = (
    Panel(
        "Indicators taken",
        ((f"sum by (state) (rate(sharing_indicators_taken_total{{{OF}}}[{RATE}]))", "{{state}}"),),
        "cps",
        "In committed transactions.",
    ),
    OUTCOMES,
    Panel(
        "Lag by partition",
        ((f"sum by (topic, partition) (sharing_consumer_lag_records{{{OF}}})", "{{topic}}[{{partition}}]"),),
        "short",
        "Records that wait. Near nought; after an outage it falls.",
    ),
    LATENCY,
    Panel(
        "Time of a batch",
        (
            (quantile("0.99", "sharing_batch_seconds", "state"), "{{state}} p99"),
            (f"max by (state) (sharing_batch_open_seconds{{{OF}}})", "{{state}} open now"),
        ),
        "s",
        "From reading to commit.",
    ),
    Panel(
        "Records in a batch",
        ((quantile("0.5", "sharing_batch_records", "state"), "{{state}} p50"),),
        "short",
        "Batches grow with the backlog.",
    ),
)
TROUBLE = (
    QUARANTINE,
    Panel(
        "Aborts, rule errors, wrong clocks",
        (
            (f"sum by (state) (increase(sharing_transaction_aborts_total{{{OF}}}[$__range]))", "{{state}} aborts"),
            (f"sum by (state) (increase(sharing_rule_errors_total{{{OF}}}[$__range]))", "{{state}} rule errors"),
            (f"sum by (state) (increase(sharing_clock_skewed_total{{{OF}}}[$__range]))", "{{state}} clock"),
        ),
        "short",
        "Nought.",
    ),
    Panel(
        "Lines logged",
        ((f"sum by (state, level) (increase(sharing_log_records_total{{{OF}}}[$__range]))", "{{state}} {{level}}"),),
        "short",
        "From warnings on.",
    ),
)
MACHINE = (
    Panel(
        "Processor",
        ((f"sum by (state, instance) (rate(process_cpu_seconds_total{{{GATES}}}[{RATE}]))", "{{instance}}"),),
        "percentunit",
        "A worker can use a little more than one processor.",
    ),
    Panel(
        "Memory",
        ((f"sum by (state, instance) (process_resident_memory_bytes{{{GATES}}})", "{{instance}}"),),
        "bytes",
        "Up to 400 MB.",
    ),
    Panel(
        "Files open, of those permitted",
        ((f"process_open_fds{{{GATES}}} / process_max_fds{{{GATES}}}", "{{instance}}"),),
        "percentunit",
        "Far below one.",
    ),
    Panel(
        "Up for",
        ((f"time() - process_start_time_seconds{{{GATES}}}", "{{instance}}"),),
        "s",
        "A saw is a restart loop.",
        "figure",
        12,
    ),
    Panel(
        "Builds",
        ((f"count by (state, version, python, librdkafka) (sharing_build_info{{{OF}}})", ""),),
        "short",
        "What runs where.",
        "table",
        12,
    ),
)
LIBRARY = (
    Panel(
        "Agencies' publishers",
        (
            (f"sum by (instance) (rate(sharing_publisher_published_total[{RATE}]))", "{{instance}} published"),
            (f"sum by (instance) (rate(sharing_publisher_confirmed_total[{RATE}]))", "{{instance}} confirmed"),
            (f"sum by (instance) (increase(sharing_publisher_unconfirmed_total[{RATE}]))", "{{instance}} given up"),
            (f"sum by (instance) (increase(sharing_publisher_refused_total[{RATE}]))", "{{instance}} refused"),
        ),
        "short",
        "Where an agency's system counts and is scraped.",
    ),
    Panel(
        "Partners' subscribers",
        (
            (f"sum by (instance) (rate(sharing_subscriber_received_total[{RATE}]))", "{{instance}} received"),
            (f"sum by (instance) (increase(sharing_subscriber_duplicates_total[{RATE}]))", "{{instance}} again"),
            (f"sum by (instance) (increase(sharing_subscriber_unreadable_total[{RATE}]))", "{{instance}} unreadable"),
        ),
        "short",
        "Where a partner's system counts and is scraped.",
    ),
    Panel(
        "Age of a notice at its receipt",
        ((quantile("0.99", "sharing_subscriber_notice_age_seconds", "instance", ""), "{{instance}} p99"),),
        "s",
        "From its decision.",
    ),
)

OPERATOR = Board(
    "sharing-operator",
    "Sharing: operator",
    "Whether the gates run, keep up and lose nothing; and if not, where.",
    (
        ("Does it run?", RUNNING),
        ("Does it keep up?", FLOW),
        ("What goes wrong?", TROUBLE),
        ("The machine", MACHINE),
        ("Agencies and partners", LIBRARY),
    ),
    ("state", "sharing_pack_info"),
)
