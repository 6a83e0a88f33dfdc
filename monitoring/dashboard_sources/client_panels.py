"""Panels about the publishers of agencies and the subscribers of partners."""

from __future__ import annotations

from monitoring.dashboard_sources.common import INTERVAL, quantile
from monitoring.panels import Panel

CLIENT_LIBRARIES = (
    Panel(
        "Publishers of agencies",
        (
            (f"sum by (instance) (rate(sharing_publisher_published_total[{INTERVAL}]))", "{{instance}} published"),
            (f"sum by (instance) (rate(sharing_publisher_confirmed_total[{INTERVAL}]))", "{{instance}} confirmed"),
            (
                f"sum by (instance) (increase(sharing_publisher_unconfirmed_total[{INTERVAL}]))",
                "{{instance}} unconfirmed",
            ),
            (
                f"sum by (instance) (increase(sharing_publisher_refused_total[{INTERVAL}]))",
                "{{instance}} rejected",
            ),
        ),
        "short",
        "Only for agencies whose system exposes metrics and is scraped.",
    ),
    Panel(
        "Subscribers of partners",
        (
            (f"sum by (instance) (rate(sharing_subscriber_received_total[{INTERVAL}]))", "{{instance}} received"),
            (
                f"sum by (instance) (increase(sharing_subscriber_duplicates_total[{INTERVAL}]))",
                "{{instance}} duplicates",
            ),
            (
                f"sum by (instance) (increase(sharing_subscriber_unreadable_total[{INTERVAL}]))",
                "{{instance}} unreadable",
            ),
            (
                f"sum by (instance) (increase(sharing_subscriber_superseded_total[{INTERVAL}]))",
                "{{instance}} superseded",
            ),
        ),
        "short",
        "Only for partners whose system exposes metrics and is scraped.",
    ),
    Panel(
        "Notices behind open transactions",
        (
            ("sum by (instance, topic) (sharing_subscriber_hidden_records)", "{{instance}} {{topic}}"),
            ("max by (instance, topic) (sharing_subscriber_hidden_seconds)", "{{instance}} {{topic}} seconds"),
        ),
        "short",
        "Distance from the last stable offset to the end of the partner's topics, and for how long that offset has not "
        "moved. A gate's transaction lasts for less than a second.",
    ),
    Panel(
        "Age of notices on receipt",
        ((quantile("0.99", "sharing_subscriber_notice_age_seconds", "instance", ""), "{{instance}} p99"),),
        "s",
        "Since their decision.",
    ),
)
