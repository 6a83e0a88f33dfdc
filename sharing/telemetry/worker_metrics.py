"""Metrics of the worker itself: whether it is ready, what it logs, and how far it is behind."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Info

from sharing.telemetry.registry import REGISTRY

READY_CHECKS = ("directory", "law", "clock", "broker", "partitions", "transactions", "commit", "inbox")
"""The checks that must all pass for a gate to be ready."""

READY = Gauge(
    "sharing_ready", "1 if the worker is ready to commit (as /ready reports), otherwise 0.", registry=REGISTRY
)
READY_CHECK = Gauge("sharing_ready_check", "1 if a readiness check passes, otherwise 0.", ["check"], registry=REGISTRY)
CONSUMER_LAG = Gauge(
    "sharing_consumer_lag_records",
    "Records of a partition assigned to this worker that are not yet processed and committed, up to the partition's "
    "end: records behind an open transaction, which cannot be read yet, are included.",
    ["topic", "partition"],
    registry=REGISTRY,
)
HIDDEN_RECORDS = Gauge(
    "sharing_consumer_hidden_records",
    "Records between the last stable offset and the end of a partition assigned to this worker: they are in an open "
    "transaction or behind one, and cannot be read yet.",
    ["topic", "partition"],
    registry=REGISTRY,
)
HIDDEN_SECONDS = Gauge(
    "sharing_consumer_hidden_seconds",
    "Seconds for which a partition's last stable offset has not moved although records wait behind it; 0 if none do.",
    ["topic", "partition"],
    registry=REGISTRY,
)
PARTITIONS_ASSIGNED = Gauge(
    "sharing_partitions_assigned",
    "Partitions assigned to this worker; 0 on a standby.",
    registry=REGISTRY,
)
BROKER_LAST_RESPONSE = Gauge(
    "sharing_broker_last_response_timestamp_seconds",
    "Unix time of the last response of a broker to the consumer; 0 before the first.",
    registry=REGISTRY,
)
LOG_RECORDS = Counter(
    "sharing_log_records", "Log lines of level warning or above, by level.", ["level"], registry=REGISTRY
)
BUILD_INFO = Info("sharing_build", "Versions of this software, of Python and of librdkafka.", registry=REGISTRY)

# Prometheus sees the first increase of a series only if the series existed before, at 0.
for _check in READY_CHECKS:
    READY_CHECK.labels(_check)
for _level in ("warning", "error", "critical"):
    LOG_RECORDS.labels(_level)
