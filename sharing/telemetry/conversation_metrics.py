"""Metrics of what the conversation does with messages, rulings and drafts, and of what people are reminded of."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from sharing.telemetry.registry import REGISTRY

CONVERSATION_RECORDS = Counter(
    "sharing_conversation_records",
    "Messages, rulings and drafts that the conversation was given, by outcome, in committed transactions. CHANGED: "
    "what is kept of an item has changed. UNCHANGED: nothing has. REFUSED: quarantined by reference.",
    ["outcome"],
    registry=REGISTRY,
)
CONVERSATION_REFUSED = Counter(
    "sharing_conversation_refused",
    "Of these, refused records, by cause.",
    ["cause"],
    registry=REGISTRY,
)
CONVERSATION_ACTS = Counter(
    "sharing_conversation_acts",
    "Acts written to the audit log, by kind. The detail is the result of a reply, or the reason why a ruling "
    "changes nothing; empty otherwise.",
    ["kind", "detail"],
    registry=REGISTRY,
)
CONVERSATION_ITEMS = Gauge(
    "sharing_conversation_items",
    "Items, in the partitions of this worker, of which something will be due: an open question, or the end of the time "
    "for which they may be kept.",
    registry=REGISTRY,
)
DEADLINES_WAIT = Gauge(
    "sharing_deadlines_wait_seconds",
    "Seconds for which something has been due without effect, because it is not known that everything written until "
    "then has been read; 0 if nothing has.",
    registry=REGISTRY,
)
ESCALATIONS = Counter(
    "sharing_escalations",
    "Notifications about open questions, by cause. OPENED: an urgent one was opened. STEP_1, STEP_2: half, "
    "and four fifths, of its time are over. OVERDUE: it had to be answered, was not, and was asked again.",
    ["cause"],
    registry=REGISTRY,
)

# Escalation messages, by channel: smtp_contact, smtp_superior, webhook.
ESCALATIONS_SENT = Counter(
    "sharing_escalation_messages_sent",
    "Escalation messages that were sent; each is about one or more questions.",
    ["channel"],
    registry=REGISTRY,
)
ESCALATIONS_FAILED = Counter(
    "sharing_escalation_messages_failed",
    "Attempts to send an escalation message that failed. It is tried again until it is sent.",
    ["channel"],
    registry=REGISTRY,
)
ESCALATIONS_FAILING_SINCE = Gauge(
    "sharing_escalation_messages_failing_since_timestamp_seconds",
    "Unix time since which escalation messages cannot be sent; 0 while they can.",
    ["channel"],
    registry=REGISTRY,
)


def prepare_escalations(channel: str) -> None:
    """Show the series of a channel at 0, before there is anything to send."""
    ESCALATIONS_SENT.labels(channel)
    ESCALATIONS_FAILED.labels(channel)
    ESCALATIONS_FAILING_SINCE.labels(channel).set(0)


# Prometheus sees the first increase of a series only if the series existed before, at 0.
for _cause in ("OPENED", "STEP_1", "STEP_2", "OVERDUE"):
    ESCALATIONS.labels(_cause)
for _outcome in ("CHANGED", "UNCHANGED", "REFUSED"):
    CONVERSATION_RECORDS.labels(_outcome)
