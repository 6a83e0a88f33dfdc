"""Dashboard for a State's supervisor: what the gate decided, and under which law."""

from __future__ import annotations

from monitoring.dashboard_sources.audit import AUDIT_PANELS
from monitoring.dashboard_sources.common import (
    CONSERVATION,
    INTERVAL,
    LATENCY,
    OUTCOMES,
    PACK,
    QUARANTINE,
    STATES,
    seconds_since,
)
from monitoring.panels import DashboardSpec, Panel


def _count_entries(metric: str) -> str:
    """Return the query for the number of directory entries with a problem; 0 where the metric has no series."""
    problems = f"count by (state) (max by (state, entry) ({metric}{{{STATES}}}) > 0)"
    return f"{problems} or 0 * max by (state) (sharing_directory_entries{{{STATES}}})"


SUPERVISOR = DashboardSpec(
    "sharing-supervisor",
    "Sharing: State supervisor",
    "What the State's gate decided, under which law, and whether every indicator was accounted for. "
    "It shows no persons and no cases.",
    (
        (
            "Decisions",
            (
                Panel(
                    "Indicators by outcome, total",
                    (
                        (
                            f"sum by (outcome) (increase(sharing_indicators_total{{{STATES}}}[$__range]))",
                            "{{outcome}}",
                        ),
                    ),
                    "short",
                    "In the selected time range.",
                    "figure",
                    12,
                ),
                CONSERVATION,
                Panel(
                    "Drafts by outcome",
                    (
                        (
                            f"sum by (outcome) (increase(sharing_drafts_total{{{STATES}}}[$__range]))",
                            "{{outcome}}",
                        ),
                    ),
                    "short",
                    "HOLD: waiting for an approver. OFFER: waiting for a State's acceptance.",
                    "figure",
                    6,
                ),
                OUTCOMES,
                Panel(
                    "Decisions per recipient by outcome",
                    (
                        (
                            f"sum by (outcome) (rate(sharing_recipient_decisions_total{{{STATES}}}[{INTERVAL}]))",
                            "{{outcome}}",
                        ),
                    ),
                    "cps",
                    "One per indicator and considered State, refusals included.",
                ),
                Panel(
                    "Decisions per recipient by rule effect",
                    (
                        (
                            f"sum by (effect) (rate(sharing_recipient_effects_total{{{STATES}}}[{INTERVAL}]))",
                            "{{effect}}",
                        ),
                    ),
                    "cps",
                    "UNDECIDED: a fact that a rule needs was missing. NONE: no rule contributed.",
                ),
            ),
        ),
        (
            "Law",
            (
                PACK,
                Panel(
                    "Time since the pack was consolidated",
                    ((seconds_since("sharing_pack_consolidated_timestamp_seconds"), "{{state}}"),),
                    "s",
                    "An alert fires after a year.",
                    "figure",
                    4,
                ),
                Panel(
                    "Time until the last permission expires",
                    (
                        (
                            f"min by (state) (sharing_pack_expiry_timestamp_seconds{{{STATES}}}) - time()",
                            "{{state}}",
                        ),
                    ),
                    "s",
                    "Infinite if no permission has an end date.",
                    "figure",
                    4,
                ),
                Panel(
                    "Law pack changes",
                    (
                        (
                            f"sum by (state) (increase(sharing_pack_changes_total{{{STATES}}}[$__range]))",
                            "{{state}}",
                        ),
                    ),
                    "short",
                    "In the selected time range.",
                    "figure",
                    4,
                ),
                Panel(
                    "Rule errors by rule",
                    (
                        (
                            f"sum by (rule) (increase(sharing_rule_errors_total{{{STATES}}}[$__range])) >= 0",
                            "{{rule}}",
                        ),
                    ),
                    "short",
                    "Normally 0. A failed rule counts as undecided.",
                    width=12,
                ),
                Panel(
                    "Emergencies by agency",
                    (
                        (
                            f"sum by (agency) (increase(sharing_emergencies_stated_total{{{STATES}}}[$__range]))",
                            "{{agency}} stated",
                        ),
                        (
                            f"sum by (agency) (increase(sharing_emergencies_as_ordinary_total{{{STATES}}}[$__range]))",
                            "{{agency}} decided as ordinary",
                        ),
                    ),
                    "short",
                    "Without an officer and a reason, an emergency is decided as ordinary.",
                    width=12,
                ),
                QUARANTINE,
            ),
        ),
        ("Audit logs", AUDIT_PANELS),
        (
            "Latency and recipients",
            (
                LATENCY,
                Panel(
                    "Directory",
                    (
                        (f"max by (state) (sharing_directory_entries{{{STATES}}})", "{{state}} States"),
                        (
                            f"sum by (state) (increase(sharing_directory_changes_total{{{STATES}}}[$__range]))",
                            "{{state}} changes",
                        ),
                        (_count_entries("sharing_directory_unreadable"), "{{state}} unreadable States"),
                        (_count_entries("sharing_directory_without_topics"), "{{state}} States without topics"),
                        (
                            f"max by (state) (sharing_directory_ignored_records{{{STATES}}})",
                            "{{state}} invalid records",
                        ),
                    ),
                    "short",
                    "Receiving States, changes of what they state, States that get nothing, and invalid records.",
                ),
                Panel(
                    "Time since the newest announcement",
                    ((seconds_since("sharing_directory_announced_timestamp_seconds"), "{{state}}"),),
                    "s",
                    "An alert fires after a year.",
                ),
            ),
        ),
    ),
    ("state", "sharing_pack_info"),
)
