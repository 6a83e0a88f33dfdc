"""Alertmanager's configuration is sound, and each alert reaches who must know, the urgent ones at once."""

from __future__ import annotations

import pytest
import yaml

from monitoring.alerts import ALERTS
from monitoring.generate import FOLDER
from monitoring.rules import AlertRule, AlertSeverity
from tests.monitoring.tools import run_tool

FILE = FOLDER / "alertmanager.yaml"
URGENT = {
    "SharingUrgentLate",
    "SharingGateAbsent",
    "SharingWorkerStuck",
    "SharingBrokerAway",
    "SharingPackExpired",
    "SharingConservationBroken",
    "KafkaOfflinePartitions",
    "KafkaUnderMinIsr",
}
"""While one of these lasts, urgent information does not flow."""


def receivers(alert: str, severity: str) -> list[str]:
    """Return who is told of an alert, as Alertmanager routes it."""
    labels = (f"alertname={alert}", f"severity={severity}", "job=sharing-gate", "state=CH")
    found = run_tool("amtool", "config", "routes", "test", f"--config.file={FILE}", *labels)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip().split(",")


def test_the_configuration_is_sound() -> None:
    found = run_tool("amtool", "check-config", FILE)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_each_alert_reaches_the_operators_and_a_critical_one_somebody_on_call(alert: AlertRule) -> None:
    told = receivers(alert.name, alert.severity)
    assert "operators" in told
    assert ("on-call" in told) is (alert.severity is AlertSeverity.CRITICAL)
    assert ("contact-point" in told) is (alert.name in URGENT)


def test_the_law_office_and_the_agencies_hear_of_what_is_theirs() -> None:
    assert "law-office" in receivers("SharingPackExpiring", "warning")
    assert "law-office" in receivers("SharingRuleErrors", "critical")
    assert "agencies" in receivers("SharingQuarantineFlood", "critical")
    assert "agencies" not in receivers("SharingPackExpiring", "warning")


def test_an_alert_that_is_not_known_here_reaches_the_operators() -> None:
    assert receivers("SomethingElse", "none") == ["operators"]


def test_the_urgent_path_does_not_wait() -> None:
    routes = {route["receiver"]: route for route in yaml.safe_load(FILE.read_text())["route"]["routes"]}
    assert routes["on-call"]["group_wait"] == routes["contact-point"]["group_wait"] == "0s"


def test_what_inhibits_and_what_is_inhibited_exists() -> None:
    names = {alert.name for alert in ALERTS}
    for rule in yaml.safe_load(FILE.read_text())["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            assert set(matcher.split('"')[1].split("|")) <= names
        assert rule["equal"] == ["job", "state"]
