"""Which metrics are watched by nothing here, and why: what is not in this list stands in an alert or on a dashboard."""

from __future__ import annotations

UNWATCHED = {
    "process_virtual_memory_bytes": "what is reserved says little; the resident memory is on the operator's dashboard",
    "sharing_ready": "the conjunction of sharing_ready_check, which says what is not well; for an orchestrator",
}
"""Name, as Prometheus shows it, and reason."""
