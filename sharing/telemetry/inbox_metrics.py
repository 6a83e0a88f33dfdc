"""Metrics of what other States send."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from sharing.telemetry.registry import REGISTRY

INBOX_READ = Counter(
    "sharing_inbox_read",
    "Records read from the topics on which other States send, in committed transactions.",
    registry=REGISTRY,
)
INBOX_RECORDS = Counter(
    "sharing_inbox_records",
    "Of these, records by outcome; their sum equals the number of records read. OPENED: in the inbox. HANDLED: "
    "replies, and what is kept out of the inbox. REPEATED: opened before. COUNTED: statements of how many messages "
    "were sent. REFUSED: quarantined by reference.",
    ["outcome"],
    registry=REGISTRY,
)
INBOX_REFUSED = Counter(
    "sharing_inbox_refused",
    "Refused records, by cause and by the State that they claim to be from; empty if they name none.",
    ["cause", "sender"],
    registry=REGISTRY,
)
INBOX_MISSING = Counter(
    "sharing_inbox_missing",
    "Messages that other States have sent and that did not arrive, as their numbers or count statements show.",
    registry=REGISTRY,
)
INBOX_MISSING_BY_SENDER = Counter(
    "sharing_inbox_missing_by_sender", "The same by sending State.", ["sender"], registry=REGISTRY
)
INBOX_IRREGULAR = Counter(
    "sharing_inbox_irregular",
    "Opened messages that did not arrive as they were sent. OUT_OF_ORDER: their number had passed. NEW_STREAM: the "
    "sender began to count again.",
    ["arrival"],
    registry=REGISTRY,
)
INBOX_TWINS = Counter(
    "sharing_inbox_twins",
    "Repeated messages that were sealed again: from an aborted transaction, or sent again.",
    registry=REGISTRY,
)
INBOX_COUNTS_OVERDUE = Gauge(
    "sharing_inbox_counts_overdue",
    "1 for a State whose hourly count statement has not arrived; then 0.",
    ["sender"],
    registry=REGISTRY,
)
INBOX_LAST_COMMIT_TIME = Gauge(
    "sharing_inbox_last_commit_timestamp_seconds",
    "Unix time of the last committed batch of the inbox; 0 before the first, and where there is no inbox.",
    registry=REGISTRY,
)

# Prometheus sees the first increase of a series only if the series existed before, at 0.
for _outcome in ("OPENED", "HANDLED", "REPEATED", "COUNTED", "REFUSED"):
    INBOX_RECORDS.labels(_outcome)
for _arrival in ("OUT_OF_ORDER", "NEW_STREAM"):
    INBOX_IRREGULAR.labels(_arrival)
