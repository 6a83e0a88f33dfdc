"""Every alert, in one list."""

from __future__ import annotations

from monitoring.alerts.gates import AGENCIES_AND_PARTNERS, CORRECT, LAW_AND_DIRECTORY, RUNNING, TIMELY
from monitoring.alerts.kafka import KAFKA

GROUPS = (
    ("sharing-running", RUNNING),
    ("sharing-correct", CORRECT),
    ("sharing-timely", TIMELY),
    ("sharing-law-and-directory", LAW_AND_DIRECTORY),
    ("sharing-agencies-and-partners", AGENCIES_AND_PARTNERS),
    ("sharing-kafka", KAFKA),
)
ALERTS = tuple(alert for _, alerts in GROUPS for alert in alerts)
