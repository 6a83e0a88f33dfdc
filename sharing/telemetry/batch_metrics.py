"""Metrics of batches: how long one takes, how old a notice is when it is committed, and what goes wrong."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from sharing.model.vocabulary import NoticeLane
from sharing.telemetry.bulk_histogram import BulkHistogram
from sharing.telemetry.latency_buckets import LATENCY_BUCKETS
from sharing.telemetry.registry import REGISTRY

CONSERVATION_BROKEN = Counter(
    "sharing_conservation_broken",
    "Batches that did not account for every record exactly once. They are not committed, and the worker exits.",
    registry=REGISTRY,
)
NOTICE_LATENCY = BulkHistogram(
    "sharing_notice_latency_seconds",
    "Seconds from the timestamp of an indicator's record to the commit of its notices; one per indicator with notices.",
    "lane",
    tuple(NoticeLane),
    LATENCY_BUCKETS,
    REGISTRY,
)
CLOCK_SKEWED = Counter(
    "sharing_clock_skewed",
    "Indicators with notices that a broker stamped later than they were committed: one of the two clocks is wrong.",
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
    "Seconds from reading a batch to its commit.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
    registry=REGISTRY,
)
BATCH_OPEN_SECONDS = Gauge(
    "sharing_batch_open_seconds",
    "Age of the oldest batch that is neither committed nor aborted, in seconds; 0 if there is none.",
    registry=REGISTRY,
)
LAST_COMMIT_TIME = Gauge(
    "sharing_last_commit_timestamp_seconds",
    "Unix time of the last committed batch; 0 before the first.",
    registry=REGISTRY,
)
TRANSACTION_ABORTS = Counter(
    "sharing_transaction_aborts", "Batches that were aborted and processed again.", registry=REGISTRY
)
