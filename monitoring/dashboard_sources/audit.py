"""Panels about audit logs, for the supervisor: what is under a checkpoint, who has seen it, what contradicts it."""

from __future__ import annotations

from monitoring.dashboard_sources.common import INTERVAL, STATES
from monitoring.panels import Panel


def _seconds_since(metric: str, labels: str) -> str:
    """Return the query for the time since an instant; 0 where the metric is 0, because there is none."""
    series = f"{metric}{{{STATES}}}"
    return f"max by ({labels}) ((time() - {series}) * ({series} > bool 0))"


_RECEIVED = f"sharing_audit_cosignatures_received_total{{{STATES}}}"
_STAMPS = f"sharing_audit_time_stamps_total{{{STATES}}}"
_SENT = f"sharing_audit_cosignatures_sent_total{{{STATES}}}"
_ALARMS = f'sharing_audit_sightings_total{{{STATES}, sighting!~"CONSISTENT|REPEATED"}}'

AUDIT_PANELS = (
    Panel(
        "Time since a cosignature is awaited",
        (
            (
                _seconds_since("sharing_audit_cosignature_awaited_timestamp_seconds", "state, witness"),
                "{{state}} by {{witness}}",
            ),
        ),
        "s",
        "How long what was decided is proved by the State's own signature only. An alert fires after 15 minutes.",
    ),
    Panel(
        "Time without a checkpoint",
        ((_seconds_since("sharing_audit_uncovered_timestamp_seconds", "state, log"), "{{state}} {{log}}"),),
        "s",
        "There is one a minute while something is decided or done. An alert fires after ten minutes.",
    ),
    Panel(
        "Time since a time stamp became due",
        ((_seconds_since("sharing_audit_unstamped_timestamp_seconds", "state"), "{{state}}"),),
        "s",
        "0 where no service is configured. An alert fires after an hour.",
    ),
    Panel(
        "Time stamps",
        ((f"sum by (state, result) (increase({_STAMPS}[$__range]))", "{{state}}: {{result}}"),),
        "short",
        "Asked of the time-stamping service. UNREACHABLE and INVALID are tried again.",
    ),
    Panel(
        "Cosignatures",
        (
            (f"sum by (state, witness) (rate({_RECEIVED}[{INTERVAL}]))", "{{state}} cosigned by {{witness}}"),
            (f"sum by (state, owner) (rate({_SENT}[{INTERVAL}]))", "{{state}} cosigns {{owner}}"),
        ),
        "cps",
        "Of own checkpoints, and of those of the States that this State witnesses.",
    ),
    Panel(
        "Checkpoints that do not continue a log",
        (
            (f"sum by (state, owner, sighting) (increase({_ALARMS}[$__range])) > 0", "{{owner}}: {{sighting}}"),
            (f"max by (state, owner) (sharing_audit_forked{{{STATES}}})", "{{owner}} has forked"),
        ),
        "short",
        "Normally 0. `sharing audit verify` says where a log is not what it was.",
        "figure",
        12,
    ),
)
