"""Metrics of the law pack that the gate applies."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Info

from sharing.telemetry.registry import REGISTRY

PACK_INFO = Info("sharing_pack", "The law pack that this gate applies.", registry=REGISTRY)
PACK_CONSOLIDATED = Gauge(
    "sharing_pack_consolidated_timestamp_seconds",
    "Unix time of the day up to which the pack that this gate applies was consolidated.",
    registry=REGISTRY,
)
PACK_EXPIRY = Gauge(
    "sharing_pack_expiry_timestamp_seconds",
    "Unix time from which no permission of the pack is in force, so that everything is withheld; +Inf if there is no "
    "such day.",
    registry=REGISTRY,
)
PACK_CHANGES = Counter(
    "sharing_pack_changes", "New versions of the law pack applied between two batches.", registry=REGISTRY
)
RULE_ERRORS = Counter(
    "sharing_rule_errors",
    "Indicators for which a rule of the law pack failed to evaluate; a failed rule counts as undecided.",
    ["rule"],
    registry=REGISTRY,
)
