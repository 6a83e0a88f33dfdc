"""Metrics that no alert and no dashboard uses, each with the reason. Every other metric is used by at least one."""

from __future__ import annotations

METRICS_WITHOUT_ALERT = {
    "process_virtual_memory_bytes": "reserved memory says little; resident memory is on the operator's dashboard",
    "sharing_ready": "for orchestrators; alerts and dashboards use sharing_ready_check, which names the failing check",
}
"""Reason by name of the metric, as Prometheus shows it."""
