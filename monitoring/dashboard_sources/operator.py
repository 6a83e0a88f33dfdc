"""Dashboard for the operators of gates: whether they are running, keep up, and lose nothing."""

from __future__ import annotations

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
        "Normally 0: agencies' own publishers use no transactions.",
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
INBOX = (
    Panel(
        "Records from other States by outcome",
        (
            (
                f"sum by (state, outcome) (rate(sharing_inbox_records_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{outcome}}",
            ),
            (f"sum by (state) (rate(sharing_inbox_read_total{{{STATES}}}[{INTERVAL}]))", "{{state}} read"),
        ),
        "cps",
        "Counted when their transaction is committed. The outcomes add up to what was read.",
    ),
    Panel(
        "Refused records by cause and claimed sender",
        (
            (
                f"sum by (state, cause, sender) (sharing_inbox_refused_total{{{STATES}}})",
                "{{state}} {{cause}} {{sender}}",
            ),
        ),
        "short",
        "Normally none. The sender is what the record claims; nothing proves it.",
    ),
    Panel(
        "Missing, irregular and repeated messages",
        (
            (
                f"sum by (state, sender) (sharing_inbox_missing_by_sender_total{{{STATES}}})",
                "{{state}} missing from {{sender}}",
            ),
            (f"sum by (state, arrival) (sharing_inbox_irregular_total{{{STATES}}})", "{{state}} {{arrival}}"),
            (f"sum by (state) (sharing_inbox_twins_total{{{STATES}}})", "{{state}} sealed again"),
        ),
        "short",
        "Normally 0. A message that is sealed again is from an aborted transaction, or was sent again.",
    ),
    Panel(
        "Time since the last commit of the inbox",
        ((seconds_since("sharing_inbox_last_commit_timestamp_seconds"), "{{state}}"),),
        "s",
        "At most some ten seconds, also while nothing arrives.",
    ),
    Panel(
        "What the conversation was given, and what it did",
        (
            (
                f"sum by (state, outcome) (rate(sharing_conversation_records_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{outcome}}",
            ),
            (
                f"sum by (state, kind, detail) (rate(sharing_conversation_acts_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{kind}} {{detail}}",
            ),
        ),
        "cps",
        "Messages, rulings and drafts by outcome; acts by kind.",
    ),
    Panel(
        "Open questions that people were told about",
        (
            (
                f"sum by (state, cause) (increase(sharing_escalations_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{cause}}",
            ),
        ),
        "short",
        "STEP_2 and OVERDUE: nobody has answered.",
    ),
    Panel(
        "Items of which something will be due",
        ((f"sum by (state) (sharing_conversation_items{{{STATES}}})", "{{state}}"),),
        "short",
        "Open questions in both directions, and items that may be kept for a time only.",
    ),
    Panel(
        "Seconds for which deadlines wait",
        ((f"max by (state) (sharing_deadlines_wait_seconds{{{STATES}}})", "{{state}}"),),
        "s",
        "Below a second, unless an open transaction or a backlog may hide an answer.",
    ),
    Panel(
        "Escalation messages by channel",
        (
            (
                f"sum by (state, channel) (increase(sharing_escalation_messages_sent_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{channel}} sent",
            ),
            (
                f"sum by (state, channel) (increase(sharing_escalation_messages_failed_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{channel}} failed",
            ),
        ),
        "short",
        "A message is about one or more questions. What failed is tried again.",
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
CLIENT_LIBRARIES = (
    Panel(
        "Publishers of agencies",
        (
            (f"sum by (instance) (rate(sharing_publisher_published_total[{INTERVAL}]))", "{{instance}} published"),
            (f"sum by (instance) (rate(sharing_publisher_confirmed_total[{INTERVAL}]))", "{{instance}} confirmed"),
            (
                f"sum by (instance) (increase(sharing_publisher_unconfirmed_total[{INTERVAL}]))",
                "{{instance}} unconfirmed",
            ),
            (
                f"sum by (instance) (increase(sharing_publisher_refused_total[{INTERVAL}]))",
                "{{instance}} rejected",
            ),
        ),
        "short",
        "Only for agencies whose system exposes metrics and is scraped.",
    ),
    Panel(
        "Subscribers of partners",
        (
            (f"sum by (instance) (rate(sharing_subscriber_received_total[{INTERVAL}]))", "{{instance}} received"),
            (
                f"sum by (instance) (increase(sharing_subscriber_duplicates_total[{INTERVAL}]))",
                "{{instance}} duplicates",
            ),
            (
                f"sum by (instance) (increase(sharing_subscriber_unreadable_total[{INTERVAL}]))",
                "{{instance}} unreadable",
            ),
            (
                f"sum by (instance) (increase(sharing_subscriber_superseded_total[{INTERVAL}]))",
                "{{instance}} superseded",
            ),
        ),
        "short",
        "Only for partners whose system exposes metrics and is scraped.",
    ),
    Panel(
        "Notices behind open transactions",
        (
            ("sum by (instance, topic) (sharing_subscriber_hidden_records)", "{{instance}} {{topic}}"),
            ("max by (instance, topic) (sharing_subscriber_hidden_seconds)", "{{instance}} {{topic}} seconds"),
        ),
        "short",
        "Distance from the last stable offset to the end of the partner's topics, and for how long that offset has not "
        "moved. A gate's transaction lasts for less than a second.",
    ),
    Panel(
        "Age of notices on receipt",
        ((quantile("0.99", "sharing_subscriber_notice_age_seconds", "instance", ""), "{{instance}} p99"),),
        "s",
        "Since their decision.",
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
