"""Panels about what other States send, and about the conversation with them."""

from __future__ import annotations

from monitoring.dashboard_sources.common import INTERVAL, STATES, seconds_since
from monitoring.panels import Panel

INBOX = (
    Panel(
        "Records from other States by outcome",
        (
            (
                f"sum by (state, outcome) (rate(sharing_inbox_records_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{outcome}}",
            ),
            (f"sum by (state) (rate(sharing_inbox_read_total{{{STATES}}}[{INTERVAL}]))", "{{state}} read"),
        ),
        "cps",
        "Counted when their transaction is committed. The outcomes add up to what was read.",
    ),
    Panel(
        "Refused records by cause and claimed sender",
        (
            (
                f"sum by (state, cause, sender) (sharing_inbox_refused_total{{{STATES}}})",
                "{{state}} {{cause}} {{sender}}",
            ),
        ),
        "short",
        "Normally none. The sender is what the record claims; nothing proves it.",
    ),
    Panel(
        "Missing, irregular and repeated messages",
        (
            (
                f"sum by (state, sender) (sharing_inbox_missing_by_sender_total{{{STATES}}})",
                "{{state}} missing from {{sender}}",
            ),
            (f"sum by (state, arrival) (sharing_inbox_irregular_total{{{STATES}}})", "{{state}} {{arrival}}"),
            (f"sum by (state) (sharing_inbox_twins_total{{{STATES}}})", "{{state}} sealed again"),
        ),
        "short",
        "Normally 0. A message that is sealed again is from an aborted transaction, or was sent again.",
    ),
    Panel(
        "Time since the last commit of the inbox",
        ((seconds_since("sharing_inbox_last_commit_timestamp_seconds"), "{{state}}"),),
        "s",
        "At most some ten seconds, also while nothing arrives.",
    ),
    Panel(
        "What the conversation was given, and what it did",
        (
            (
                f"sum by (state, outcome) (rate(sharing_conversation_records_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{outcome}}",
            ),
            (
                f"sum by (state, kind, detail) (rate(sharing_conversation_acts_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{kind}} {{detail}}",
            ),
        ),
        "cps",
        "Messages, rulings and drafts by outcome; acts by kind.",
    ),
    Panel(
        "Notifications about open questions",
        (
            (
                f"sum by (state, cause) (increase(sharing_escalations_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{cause}}",
            ),
        ),
        "short",
        "STEP_2 and OVERDUE: nobody has answered.",
    ),
    Panel(
        "Items of which something will be due",
        ((f"sum by (state) (sharing_conversation_items{{{STATES}}})", "{{state}}"),),
        "short",
        "Open questions in both directions, and items that may be kept for a time only.",
    ),
    Panel(
        "Seconds for which deadlines wait",
        ((f"max by (state) (sharing_deadlines_wait_seconds{{{STATES}}})", "{{state}}"),),
        "s",
        "Below a second, unless an open transaction or a backlog may hide an answer.",
    ),
    Panel(
        "Escalation messages by channel",
        (
            (
                f"sum by (state, channel) (increase(sharing_escalation_messages_sent_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{channel}} sent",
            ),
            (
                f"sum by (state, channel) (increase(sharing_escalation_messages_failed_total{{{STATES}}}[{INTERVAL}]))",
                "{{state}} {{channel}} failed",
            ),
        ),
        "short",
        "A message is about one or more questions. What failed is tried again.",
    ),
)
