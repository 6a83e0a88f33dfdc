"""Dashboard for the operators of duty desks: whether pages are up to date, and whether rulings are carried out."""

from __future__ import annotations

from monitoring.dashboard_sources.common import INTERVAL, STATES, quantile
from monitoring.panels import DashboardSpec, Panel

DESKS = f'job="sharing-desk", {STATES}'

OFFICERS = (
    Panel(
        "Reachable desks",
        ((f"sum by (state) (up{{{DESKS}}})", "{{state}}"),),
        "short",
        "Equal to the number of desks started.",
        "figure",
        6,
    ),
    Panel(
        "Officers' sessions",
        ((f"sum by (state) (sharing_desk_sessions{{{STATES}}})", "{{state}}"),),
        "short",
        "A restart of a desk ends all of them.",
        "figure",
        6,
    ),
    Panel(
        "Views refused, as they could not be recorded",
        ((f"sum by (state) (sharing_desk_views_unrecorded_total{{{STATES}}})", "{{state}}"),),
        "short",
        "Always 0. Content is shown only after the broker has confirmed the record of that.",
        "figure",
        6,
    ),
    Panel(
        "Oldest ruling that waits for the worker",
        ((f"max by (state) (sharing_desk_ruling_wait_seconds{{{STATES}}})", "{{state}}"),),
        "s",
        "Normally below a second. An alert fires after five minutes.",
        "figure",
        6,
    ),
    Panel(
        "Sign-ins",
        (
            (
                f"sum by (state, result) (increase(sharing_desk_sign_ins_total{{{STATES}}}[$__range]))",
                "{{state}} {{result}}",
            ),
        ),
        "short",
        "Refused: an unknown or revoked passkey, or an answer to another challenge. Too many: the limits of the desk.",
        width=12,
    ),
    Panel(
        "Time since the broker was heard",
        (
            (f"max by (state, follower) (sharing_desk_silent_seconds{{{STATES}}})", "{{state}} {{follower}}"),
            (f"max by (state) (sharing_desk_broker_away_seconds{{{STATES}}})", "{{state}} away, as pages say"),
        ),
        "s",
        "Each follower hears from it every few seconds. An alert fires after one minute.",
        width=12,
    ),
)
PAGES = (
    Panel(
        "Requests by status",
        ((f"sum by (state, method, status) (rate(sharing_desk_requests_total{{{STATES}}}[{INTERVAL}]))",
          "{{state}} {{method}} {{status}}"),),
        "reqps",
        "403: refused by the guard of the desk. 5xx: a fault of the desk or of the broker.",
        width=12,
    ),
    Panel(
        "Time until a response begins",
        (
            (quantile("0.5", "sharing_desk_request_seconds", "state"), "{{state}} p50"),
            (quantile("0.99", "sharing_desk_request_seconds", "state"), "{{state}} p99"),
        ),
        "s",
        "The list of 10,000 open questions takes less than 0.2 s.",
        width=12,
    ),
)  # fmt: skip

DESK = DashboardSpec(
    "sharing-desk",
    "Sharing: duty desks",
    "Do officers see the questions, and are their rulings carried out?",
    (("Officers", OFFICERS), ("Pages", PAGES)),
    ("state", "sharing_desk_sessions"),
)
