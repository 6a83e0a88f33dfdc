"""Every metric, in one list: what an operator watches. Nothing about persons, items or cases.

Names follow Prometheus' conventions: base units, `_total` for counters, bounded labels. Which State informs which
can be read from the labels of nobody: outcomes are counted without the recipient.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

REGISTRY = CollectorRegistry()

INTAKE = Counter(
    "sharing_indicators_taken",
    "Records taken from the topic of indicators, in committed transactions.",
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
QUARANTINED = Counter(
    "sharing_quarantined",
    "Records that could not be processed, by cause.",
    ["cause"],
    registry=REGISTRY,
)
RULE_ERRORS = Counter(
    "sharing_rule_errors",
    "Evaluations of a law pack's rule that failed; such a rule withholds.",
    ["rule"],
    registry=REGISTRY,
)
CONSERVATION_BROKEN = Counter(
    "sharing_conservation_broken",
    "Batches whose records were not each accounted for once. Such a batch is never committed.",
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
ABORTS = Counter("sharing_transaction_aborts", "Transactions that were aborted and done again.", registry=REGISTRY)
DIRECTORY_VERSION = Gauge("sharing_directory_version", "How far the directory has been read.", registry=REGISTRY)
DIRECTORY_IGNORED = Gauge(
    "sharing_directory_ignored_records",
    "Records of the directory that were no valid entry.",
    registry=REGISTRY,
)
PACK_CONSOLIDATED = Gauge(
    "sharing_pack_consolidated_timestamp_seconds",
    "The day to which the pack that this gate applies was consolidated, as Unix time.",
    registry=REGISTRY,
)
PACK_CHANGES = Counter(
    "sharing_pack_changes", "New versions of the law that were taken up between two batches.", registry=REGISTRY
)
PACK = Info("sharing_pack", "The law pack that this gate applies.", registry=REGISTRY)
