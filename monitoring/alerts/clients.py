"""Alerts about the systems of agencies and partners: their publishers and subscribers."""

from __future__ import annotations

from monitoring.alerts.queries import hidden_for_long
from monitoring.rules import AlertRule, AlertSeverity

AGENCIES_AND_PARTNERS = (
    AlertRule(
        "SharingIndicatorsUnconfirmed",
        AlertSeverity.WARNING,
        "sum by (job, instance) (increase(sharing_publisher_unconfirmed_total[<15m>])) > 0",
        "",
        "An agency's system gave up on unconfirmed indicators",
        "They may not have been published. The agency's system must publish them again with the same ids.",
    ),
    AlertRule(
        "SharingNoticesHidden",
        AlertSeverity.CRITICAL,
        f"max by (job, instance, topic, partition) ({hidden_for_long('subscriber')})",
        "1m",
        "An open transaction hides notices from a partner",
        "A gate, or another client that may write to the partner's topic, keeps transactions open. All later notices "
        "on that partition wait, urgent ones and those of other States included, until they are ended.",
    ),
    AlertRule(
        "SharingNoticesUnreadable",
        AlertSeverity.WARNING,
        "sum by (job, instance) (increase(sharing_subscriber_unreadable_total[<15m>])) > 0",
        "",
        "A partner's system received unreadable records",
        "The State does not receive their content. A client that is not a gate may be writing to its topic.",
    ),
)
