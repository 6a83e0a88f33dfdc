"""Sources of the alert rules, by group. `python -m monitoring.generate` renders them to `monitoring/alerts.yaml`."""

from __future__ import annotations

from monitoring.alerts.audit import AUDIT
from monitoring.alerts.clients import AGENCIES_AND_PARTNERS
from monitoring.alerts.conversations import CONVERSATIONS
from monitoring.alerts.desks import DESKS
from monitoring.alerts.gates import CORRECTNESS, LIVENESS, TIMELINESS
from monitoring.alerts.inbox import INBOX
from monitoring.alerts.kafka import KAFKA
from monitoring.alerts.law_and_directory import LAW_AND_DIRECTORY

GROUPS = (
    ("sharing-running", LIVENESS),
    ("sharing-correct", CORRECTNESS),
    ("sharing-timely", TIMELINESS),
    ("sharing-law-and-directory", LAW_AND_DIRECTORY),
    ("sharing-inbox", INBOX),
    ("sharing-conversations", CONVERSATIONS),
    ("sharing-desks", DESKS),
    ("sharing-audit", AUDIT),
    ("sharing-agencies-and-partners", AGENCIES_AND_PARTNERS),
    ("sharing-kafka", KAFKA),
)
ALERTS = tuple(alert for _, alerts in GROUPS for alert in alerts)
