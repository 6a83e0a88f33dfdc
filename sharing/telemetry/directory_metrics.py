"""Metrics of the directory that the gate applies."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Info

from sharing.telemetry.registry import REGISTRY

DIRECTORY_INFO = Info(
    "sharing_directory",
    "The directory that this gate applies; the version is a digest of its content.",
    registry=REGISTRY,
)
DIRECTORY_CHANGES = Counter(
    "sharing_directory_changes", "Changes of what the entries of the directory state.", registry=REGISTRY
)
DIRECTORY_UNREADABLE = Gauge(
    "sharing_directory_unreadable",
    "1 for a State that has no entry because its topic, or the newest record there, cannot be read; then 0.",
    ["entry"],
    registry=REGISTRY,
)
DIRECTORY_WITHOUT_TOPICS = Gauge(
    "sharing_directory_without_topics",
    "1 for a State with an entry that has no topics for notices and offers on the cluster; then 0.",
    ["entry"],
    registry=REGISTRY,
)
DIRECTORY_UNCONFIRMED = Gauge(
    "sharing_directory_unconfirmed",
    "1 for a State whose last signed entry is still in force, although what came later was refused, its topic cannot "
    "be read, or it has no seal key.",
    ["entry"],
    registry=REGISTRY,
)
DIRECTORY_STATEMENT_EXPIRY = Gauge(
    "sharing_directory_statement_expiry_timestamp_seconds",
    "Unix time at which the State's own directory statement expires; 0 if none is valid. No series without keys.",
    ["entry"],
    registry=REGISTRY,
)
DIRECTORY_ENTRIES = Gauge("sharing_directory_entries", "States with an entry in the directory.", registry=REGISTRY)
DIRECTORY_ANNOUNCED = Gauge(
    "sharing_directory_announced_timestamp_seconds",
    "Unix time of the newest announcement in the directory; 0 while it is empty.",
    registry=REGISTRY,
)
DIRECTORY_IGNORED = Gauge(
    "sharing_directory_ignored_records",
    "Records and batches of the directory that are not a valid entry.",
    registry=REGISTRY,
)
