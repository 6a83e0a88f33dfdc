"""Alertmanager's configuration is valid, and every alert reaches the right receivers, urgent ones immediately."""

from __future__ import annotations

import pytest
import yaml

from monitoring.alerts import ALERTS
from monitoring.generate import FOLDER
from monitoring.rules import AlertRule, AlertSeverity
from tests.monitoring.tools import run_tool

FILE = FOLDER / "alertmanager.yaml"
URGENT = {
    "SharingUrgentNoticesLate",
    "SharingGateDown",
    "SharingWorkerStuck",
    "SharingBrokerUnreachable",
    "SharingPackExpired",
    "SharingConservationBroken",
    "SharingIndicatorsHidden",
    "SharingNoticesHidden",
    "SharingClockWrong",
    "SharingDeskDown",
    "SharingDeskSilent",
    "SharingRulingsWait",
    "KafkaOfflinePartitions",
    "KafkaUnderMinIsr",
}
"""While one of these alerts is firing, urgent information does not flow."""


def find_receivers(alert: str, severity: str) -> list[str]:
    """Return the receivers to which Alertmanager routes an alert."""
    labels = (f"alertname={alert}", f"severity={severity}", "job=sharing-gate", "state=CH")
    completed = run_tool("amtool", "config", "routes", "test", f"--config.file={FILE}", *labels)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.strip().split(",")


def test_the_configuration_is_valid() -> None:
    completed = run_tool("amtool", "check-config", FILE)
    assert completed.returncode == 0, completed.stdout + completed.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_reaches_the_operators_and_a_critical_one_the_person_on_call(alert: AlertRule) -> None:
    routed_to = find_receivers(alert.name, alert.severity)
    assert "operators" in routed_to
    assert ("on-call" in routed_to) is (alert.severity is AlertSeverity.CRITICAL)
    assert ("contact-point" in routed_to) is (alert.name in URGENT)


def test_the_law_office_and_the_agencies_receive_their_alerts() -> None:
    assert "law-office" in find_receivers("SharingPackExpiring", "warning")
    assert "law-office" in find_receivers("SharingRuleErrors", "critical")
    assert "agencies" in find_receivers("SharingQuarantineFlood", "critical")
    assert "agencies" in find_receivers("SharingIndicatorsHidden", "critical")
    assert "agencies" not in find_receivers("SharingPackExpiring", "warning")


def test_an_unknown_alert_reaches_the_operators() -> None:
    assert find_receivers("SomethingElse", "none") == ["operators"]


def test_urgent_alerts_are_sent_without_delay() -> None:
    routes = {route["receiver"]: route for route in yaml.safe_load(FILE.read_text())["route"]["routes"]}
    assert routes["on-call"]["group_wait"] == routes["contact-point"]["group_wait"] == "0s"


def test_inhibition_rules_name_alerts_that_exist() -> None:
    names = {alert.name for alert in ALERTS}
    for rule in yaml.safe_load(FILE.read_text())["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(matcher.split('"')[1].split("|")) <= names
        assert rule["equal"] == ["job", "state"]
