"""All metrics of a worker, in one registry. They contain nothing about persons, indicators or cases.

Names follow Prometheus' conventions: base units, `_total` for counters, bounded labels. No label names the recipient of
a decision, so metrics do not show which State informs which. Labels contain topics, rules, causes and fields, and never
values.

Importing this module registers the metrics of every subject, so that each worker serves all of them, whatever it does.
Those of `Publisher` and `Subscriber` are in `sharing.telemetry.client_metrics`.
"""

from __future__ import annotations

from sharing.telemetry import (
    audit_metrics,
    batch_metrics,
    conversation_metrics,
    decision_metrics,
    directory_metrics,
    inbox_metrics,
    key_metrics,
    law_metrics,
    worker_metrics,
)
from sharing.telemetry.registry import REGISTRY

__all__ = ["REGISTRY", "SUBJECTS"]

SUBJECTS = (
    decision_metrics,
    inbox_metrics,
    conversation_metrics,
    audit_metrics,
    batch_metrics,
    worker_metrics,
    directory_metrics,
    key_metrics,
    law_metrics,
)
"""The modules that define the metrics."""
