"""Metrics of the State's own keys."""

from __future__ import annotations

from prometheus_client import Gauge

from sharing.telemetry.registry import REGISTRY

KEY_PROBLEMS = Gauge(
    "sharing_key_problems",
    "What needs attention in the State's key folder, as `sharing keys show` lists it; urgent: it is refused or unsafe "
    "now, otherwise it ends soon. No series without keys.",
    ["urgent"],
    registry=REGISTRY,
)
