"""Alerts about what other States send: the inbox, and the messages that tell people of it."""

from __future__ import annotations

from monitoring.alerts.queries import BROKER_UNREACHABLE, GATE, INBOX_TOPICS, WORKER
from monitoring.rules import AlertRule, AlertSeverity

INBOX_IDLE = f"(time() - max by ({WORKER}) (sharing_inbox_last_commit_timestamp_seconds) > <2m:seconds>)"

INBOX = (
    AlertRule(
        "SharingInboxStuck",
        AlertSeverity.CRITICAL,
        f"sum by ({WORKER}) (sharing_consumer_lag_records{{{INBOX_TOPICS}}}) > 0 and on ({WORKER}) {INBOX_IDLE} "
        f'unless on ({WORKER}) {BROKER_UNREACHABLE} unless on ({WORKER}) (sharing_ready_check{{check="inbox"}} == 0)',
        "2m",
        "The inbox opens nothing, although other States send",
        "What other States send, urgent or not, does not reach this State's case systems. Nothing is lost.",
    ),
    AlertRule(
        "SharingInboxRefused",
        AlertSeverity.CRITICAL,
        f'sum by ({GATE}) (increase(sharing_inbox_records_total{{outcome="REFUSED"}}[<15m>])) > 0',
        "",
        "Records in the name of another State are refused",
        "Somebody forges, alters, replays or redirects messages; or a key is missing, has ended or was revoked. This "
        "State does not receive what is genuine among them.",
    ),
    AlertRule(
        "SharingMessagesMissing",
        AlertSeverity.CRITICAL,
        f"sum by ({GATE}) (increase(sharing_inbox_missing_total[<15m>])) > 0",
        "",
        "Messages that another State has sent did not arrive",
        "Somebody drops messages on the way, or the cluster has lost them. Their sender has them still.",
    ),
    AlertRule(
        "SharingCountsOverdue",
        AlertSeverity.WARNING,
        f"max by ({GATE}, sender) (sharing_inbox_counts_overdue) == 1",
        "5m",
        "A State's hourly count statement has not arrived",
        "Until it does, nobody notices if the last messages of that State are dropped. Its gate may be down.",
    ),
    AlertRule(
        "SharingEscalationsUnsent",
        AlertSeverity.CRITICAL,
        "(time() - sharing_escalation_messages_failing_since_timestamp_seconds > <5m:seconds>) "
        "and sharing_escalation_messages_failing_since_timestamp_seconds > 0",
        "",
        "Escalation messages have not been sent for five minutes",
        "People are not told that questions wait, and a deadline may pass unseen. The messages wait, and none is lost.",
    ),
)
