"""Metrics of audit logs: checkpoints of the State's own logs, and what it sees of the logs of others.

`owner` is the State whose log it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from sharing.telemetry.registry import REGISTRY

AUDIT_SIGHTING_CODES = (
    "CONSISTENT", "REPEATED", "FORK", "INCONSISTENT", "ROLLED_BACK", "GAP", "UNTRUSTED", "UNSEEN",
)  # fmt: skip

AUDIT_UNCOVERED = Gauge(
    "sharing_audit_uncovered_timestamp_seconds",
    "Unix time since which a block of a log of this worker waits for a checkpoint; 0 if none does. A gate without keys "
    "signs none.",
    ["log"],
    registry=REGISTRY,
)
AUDIT_SIGHTINGS = Counter(
    "sharing_audit_sightings",
    "Checkpoints that were seen, by the State whose log it is and by what they are. CONSISTENT: the log only grew. "
    "REPEATED: seen before. FORK: the State has signed two histories. INCONSISTENT, ROLLED_BACK, GAP, UNTRUSTED, "
    "UNSEEN: there is no proof that the log only grew.",
    ["owner", "sighting"],
    registry=REGISTRY,
)
AUDIT_FORKED = Gauge(
    "sharing_audit_forked",
    "1 for a State of which it is proved that it has signed two histories of a log.",
    ["owner"],
    registry=REGISTRY,
)
AUDIT_COSIGNATURES_SENT = Counter(
    "sharing_audit_cosignatures_sent", "Checkpoints of other States that were cosigned.", ["owner"], registry=REGISTRY
)
AUDIT_COSIGNATURES_RECEIVED = Counter(
    "sharing_audit_cosignatures_received",
    "Cosignatures of own checkpoints that have arrived.",
    ["witness"],
    registry=REGISTRY,
)
AUDIT_COSIGNATURE_AWAITED = Gauge(
    "sharing_audit_cosignature_awaited_timestamp_seconds",
    "Unix time since which a cosignature of a witness is awaited; 0 if none is.",
    ["witness"],
    registry=REGISTRY,
)
AUDIT_TIME_STAMPS = Counter(
    "sharing_audit_time_stamps",
    "Time stamps of own checkpoints. WRITTEN: it is in the State's topic of checkpoints. UNREACHABLE: the service did "
    "not answer with one. INVALID: what it answered does not count. Both are tried again.",
    ["result"],
    registry=REGISTRY,
)
AUDIT_UNSTAMPED = Gauge(
    "sharing_audit_unstamped_timestamp_seconds",
    "Unix time since which a time stamp of an own checkpoint is awaited; 0 if none is, or no service is configured.",
    registry=REGISTRY,
)


def prepare_audit(witnesses: Iterable[str], owners: Iterable[str]) -> None:
    """Show the series of witnesses, and of the States whose logs are followed, at 0, before anything is seen."""
    for witness in witnesses:
        AUDIT_COSIGNATURES_RECEIVED.labels(witness)
        AUDIT_COSIGNATURE_AWAITED.labels(witness).set(0)
    for owner in owners:
        AUDIT_COSIGNATURES_SENT.labels(owner)
        AUDIT_FORKED.labels(owner).set(0)
        for sighting in AUDIT_SIGHTING_CODES:
            AUDIT_SIGHTINGS.labels(owner, sighting)


def prepare_time_stamps() -> None:
    """Show the series of time stamps at 0, before a service is asked."""
    for result in ("WRITTEN", "UNREACHABLE", "INVALID"):
        AUDIT_TIME_STAMPS.labels(result)
