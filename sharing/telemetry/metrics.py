"""Every metric, in one list: what an operator watches. Nothing about persons, items or cases.

Names follow Prometheus' conventions: base units, `_total` for counters, bounded labels. Which State informs which
can be read from the labels of nobody: outcomes are counted without the recipient. Topics, rules, causes and fields
are named; values never are.

A gate's metrics are created when this module is imported, in `REGISTRY`. Those of `Publisher` and `Subscriber` are in
`sharing.telemetry.client_metrics`.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from sharing.model.vocabulary import Effect, Outcome
from sharing.telemetry.bulk_histogram import BulkHistogram
from sharing.telemetry.latency_buckets import LATENCY_BUCKETS

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

URGENT_LANE = "urgent"
ORDINARY_LANE = "ordinary"

CHECKS = ("directory", "law", "broker", "partitions", "commit")
"""What must be well for a gate to be ready."""

EFFECTS = (*Effect, "UNDECIDED", "NONE")


# What came in, and what became of it: counted when its transaction is committed.
INTAKE = Counter(
    "sharing_indicators_taken",
    "Records taken from the topics of indicators, in committed transactions.",
    registry=REGISTRY,
)
ACCOUNTED = Counter(
    "sharing_indicators_accounted",
    "Records that were decided or quarantined, in committed transactions: as many as were taken.",
    registry=REGISTRY,
)
CONSERVATION_BROKEN = Counter(
    "sharing_conservation_broken",
    "Batches whose records were not each accounted for once. Such a batch is never committed, and the worker ends.",
    registry=REGISTRY,
)
INDICATORS = Counter(
    "sharing_indicators",
    "Indicators by the outcome under which each counts, in committed transactions.",
    ["outcome"],
    registry=REGISTRY,
)
DELIVERIES = Counter(
    "sharing_recipient_decisions",
    "Decisions by outcome, one for each indicator and considered State.",
    ["outcome"],
    registry=REGISTRY,
)
RULE_EFFECTS = Counter(
    "sharing_recipient_effects",
    "Decisions, one for each indicator and considered State, by each effect of the rules that made them, once each; "
    "UNDECIDED where a rule lacked a fact, NONE where no rule made it.",
    ["effect"],
    registry=REGISTRY,
)
DRAFTS = Counter(
    "sharing_drafts",
    "Drafts written, by the outcome of their indicator: those of HOLD wait for an approver, those of OFFER for a "
    "State's acceptance.",
    ["outcome"],
    registry=REGISTRY,
)
QUARANTINED_ALL = Counter(
    "sharing_indicators_quarantined",
    "Records that could not be processed, in committed transactions.",
    registry=REGISTRY,
)
QUARANTINED = Counter(
    "sharing_quarantined",
    "Records that could not be processed, by cause.",
    ["cause"],
    registry=REGISTRY,
)
RULE_ERRORS = Counter(
    "sharing_rule_errors",
    "Indicators in whose decision a law pack's rule failed to evaluate; such a rule withholds.",
    ["rule"],
    registry=REGISTRY,
)

# How fast, and how far behind.
NOTICE_LATENCY = BulkHistogram(
    "sharing_notice_latency_seconds",
    "From the time of an indicator's record to the commit of its notices: one for each indicator with notices.",
    "lane",
    (ORDINARY_LANE, URGENT_LANE),
    LATENCY_BUCKETS,
    REGISTRY,
)
CLOCK_SKEWED = Counter(
    "sharing_clock_skewed",
    "Indicators with notices whose record carries a time after that of their commit: a clock is wrong.",
    registry=REGISTRY,
)
BATCH_RECORDS = Histogram(
    "sharing_batch_records",
    "Records in a committed batch.",
    buckets=(1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000),
    registry=REGISTRY,
)
BATCH_SECONDS = Histogram(
    "sharing_batch_seconds",
    "Time from reading a batch to its commit.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
    registry=REGISTRY,
)
BATCH_OPEN = Gauge(
    "sharing_batch_open_seconds",
    "How long the oldest batch that is not settled has been open; 0 when there is none.",
    registry=REGISTRY,
)
LAST_COMMIT = Gauge(
    "sharing_last_commit_timestamp_seconds",
    "When a batch was last committed, as Unix time; 0 before the first.",
    registry=REGISTRY,
)
ABORTS = Counter("sharing_transaction_aborts", "Batches that were aborted and done again.", registry=REGISTRY)
LAG = Gauge(
    "sharing_consumer_lag_records",
    "Records of a partition of this worker's that are not processed and committed yet.",
    ["topic", "partition"],
    registry=REGISTRY,
)
PARTITIONS = Gauge(
    "sharing_partitions_assigned",
    "Partitions that this worker reads; 0 on a standby.",
    registry=REGISTRY,
)
BROKER_HEARD = Gauge(
    "sharing_broker_heard_timestamp_seconds",
    "When a broker was last heard by the consumer, as Unix time; 0 before the first answer.",
    registry=REGISTRY,
)

# The worker.
READY = Gauge("sharing_ready", "Whether the worker is ready to commit, as /ready says.", registry=REGISTRY)
READY_CHECK = Gauge(
    "sharing_ready_check", "Whether each thing that readiness asks for is well.", ["check"], registry=REGISTRY
)
LOG_RECORDS = Counter("sharing_log_records", "Lines logged, from warnings on, by level.", ["level"], registry=REGISTRY)
BUILD = Info("sharing_build", "Versions of this software, of Python and of librdkafka.", registry=REGISTRY)

# What it decides by.
DIRECTORY_VERSION = Gauge("sharing_directory_version", "How far the directory has been read.", registry=REGISTRY)
DIRECTORY_ENTRIES = Gauge("sharing_directory_entries", "States with an entry in the directory.", registry=REGISTRY)
DIRECTORY_ANNOUNCED = Gauge(
    "sharing_directory_announced_timestamp_seconds",
    "When the newest entry of the directory was announced, as Unix time; 0 while it is empty.",
    registry=REGISTRY,
)
DIRECTORY_IGNORED = Gauge(
    "sharing_directory_ignored_records",
    "Records of the directory that were no valid entry.",
    registry=REGISTRY,
)
PACK = Info("sharing_pack", "The law pack that this gate applies.", registry=REGISTRY)
PACK_CONSOLIDATED = Gauge(
    "sharing_pack_consolidated_timestamp_seconds",
    "The day to which the pack that this gate applies was consolidated, as Unix time.",
    registry=REGISTRY,
)
PACK_EXPIRY = Gauge(
    "sharing_pack_expiry_timestamp_seconds",
    "From when on no permission of the pack is in force any more, so that everything is withheld, as Unix time; "
    "+Inf when there is no such day.",
    registry=REGISTRY,
)
PACK_CHANGES = Counter(
    "sharing_pack_changes", "New versions of the law that were taken up between two batches.", registry=REGISTRY
)

# A series that is there from the start, at 0, can be seen to grow.
for _outcome in Outcome:
    INDICATORS.labels(_outcome)
    DELIVERIES.labels(_outcome)
    DRAFTS.labels(_outcome)
for _effect in EFFECTS:
    RULE_EFFECTS.labels(_effect)
for _check in CHECKS:
    READY_CHECK.labels(_check)
for _level in ("warning", "error", "critical"):
    LOG_RECORDS.labels(_level)
