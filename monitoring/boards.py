"""The dashboards: for the operator, and for a State's supervisor."""

from __future__ import annotations

from monitoring.panels import Board, Panel

OF = 'state=~"$state"'
GATES = f'job="sharing-gate", {OF}'
RATE = "$__rate_interval"


def _quantile(share: str, metric: str, by: str, labels: str = OF) -> str:
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({metric}_bucket{{{labels}}}[{RATE}])))"


def _since(metric: str) -> str:
    return f"time() - max by (state) ({metric}{{{OF}}})"


CONSERVATION = Panel(
    "Taken and not accounted for",
    (
        (
            f"sum by (state) (sharing_indicators_taken_total{{{OF}}} - sharing_indicators_accounted_total{{{OF}}})",
            "{{state}}",
        ),
        (f"max by (state) (sharing_conservation_broken_total{{{OF}}})", "{{state}} broken"),
    ),
    "short",
    "Nought, always: what was taken was decided or quarantined.",
    "figure",
    6,
)
OUTCOMES = Panel(
    "Indicators by outcome",
    ((f"sum by (state, outcome) (rate(sharing_indicators_total{{{OF}}}[{RATE}]))", "{{state}} {{outcome}}"),),
    "cps",
    "Each indicator counts once, under the freest outcome that a State has.",
)
QUARANTINE = Panel(
    "Quarantine by cause",
    (
        (f"sum by (state) (increase(sharing_indicators_quarantined_total{{{OF}}}[$__range]))", "{{state}} all"),
        (f"sum by (state, cause) (sharing_quarantined_total{{{OF}}})", "{{state}} {{cause}}"),
    ),
    "short",
    "What agencies must mend and publish anew.",
)
LATENCY = Panel(
    "From publishing to the committed notice",
    (
        (_quantile("0.5", "sharing_notice_latency_seconds", "state, lane"), "{{state}} {{lane}} p50"),
        (_quantile("0.99", "sharing_notice_latency_seconds", "state, lane"), "{{state}} {{lane}} p99"),
    ),
    "s",
    "A well gate stays below 0.05 s. A late urgent notice is alarmed from 10 s on, an ordinary one from 60 s.",
)
PACK = Panel(
    "Law that is applied",
    ((f"max by (state, version, sha256) (sharing_pack_info{{{OF}}})", ""),),
    "short",
    "One line for each gate; two mean that its workers differ.",
    "table",
    12,
)

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
            (_since("sharing_broker_heard_timestamp_seconds"), "{{state}} broker"),
            (_since("sharing_last_commit_timestamp_seconds"), "{{state}} commit"),
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
            (_quantile("0.99", "sharing_batch_seconds", "state"), "{{state}} p99"),
            (f"max by (state) (sharing_batch_open_seconds{{{OF}}})", "{{state}} open now"),
        ),
        "s",
        "From reading to commit.",
    ),
    Panel(
        "Records in a batch",
        ((_quantile("0.5", "sharing_batch_records", "state"), "{{state}} p50"),),
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
        ((_quantile("0.99", "sharing_subscriber_notice_age_seconds", "instance", ""), "{{instance}} p99"),),
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

SUPERVISOR = Board(
    "sharing-supervisor",
    "Sharing: supervisor of a State",
    "What the State's filter did, under which law, and whether each indicator was accounted for. No persons, no cases.",
    (
        (
            "What was decided",
            (
                Panel(
                    "Indicators, by outcome",
                    ((f"sum by (outcome) (increase(sharing_indicators_total{{{OF}}}[$__range]))", "{{outcome}}"),),
                    "short",
                    "In the time chosen above.",
                    "figure",
                    12,
                ),
                CONSERVATION,
                Panel(
                    "Drafts written, by outcome",
                    ((f"sum by (outcome) (increase(sharing_drafts_total{{{OF}}}[$__range]))", "{{outcome}}"),),
                    "short",
                    "HOLD waits for an approver, OFFER for a State's acceptance.",
                    "figure",
                    6,
                ),
                OUTCOMES,
                Panel(
                    "Decisions for each State, by outcome",
                    ((f"sum by (outcome) (rate(sharing_recipient_decisions_total{{{OF}}}[{RATE}]))", "{{outcome}}"),),
                    "cps",
                    "One for each indicator and considered State, refusals included.",
                ),
                Panel(
                    "Decisions by effect of a rule",
                    ((f"sum by (effect) (rate(sharing_recipient_effects_total{{{OF}}}[{RATE}]))", "{{effect}}"),),
                    "cps",
                    "UNDECIDED: a rule lacked a fact. NONE: no rule made it.",
                ),
            ),
        ),
        (
            "By which law",
            (
                PACK,
                Panel(
                    "Consolidated, ago",
                    ((_since("sharing_pack_consolidated_timestamp_seconds"), "{{state}}"),),
                    "s",
                    "Alarmed after a year.",
                    "figure",
                    4,
                ),
                Panel(
                    "Last permission ends in",
                    ((f"min by (state) (sharing_pack_expiry_timestamp_seconds{{{OF}}}) - time()", "{{state}}"),),
                    "s",
                    "Infinite where no such day is known.",
                    "figure",
                    4,
                ),
                Panel(
                    "Packs taken up",
                    ((f"sum by (state) (increase(sharing_pack_changes_total{{{OF}}}[$__range]))", "{{state}}"),),
                    "short",
                    "In the time chosen above.",
                    "figure",
                    4,
                ),
                Panel(
                    "Errors by rule",
                    ((f"sum by (rule) (increase(sharing_rule_errors_total{{{OF}}}[$__range])) >= 0", "{{rule}}"),),
                    "short",
                    "Nought: a rule that fails withholds.",
                    width=12,
                ),
                QUARANTINE,
            ),
        ),
        (
            "How soon, and to whom",
            (
                LATENCY,
                Panel(
                    "States in the directory",
                    (
                        (f"max by (state) (sharing_directory_entries{{{OF}}})", "{{state}} States"),
                        (f"max by (state) (sharing_directory_version{{{OF}}})", "{{state}} version"),
                        (f"max by (state) (sharing_directory_ignored_records{{{OF}}})", "{{state}} ignored"),
                    ),
                    "short",
                    "Who can receive.",
                ),
                Panel(
                    "Newest announcement, ago",
                    ((_since("sharing_directory_announced_timestamp_seconds"), "{{state}}"),),
                    "s",
                    "Alarmed after a year.",
                ),
            ),
        ),
    ),
    ("state", "sharing_pack_info"),
)

BOARDS = (OPERATOR, SUPERVISOR)
