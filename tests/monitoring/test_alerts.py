"""Each alert fires alone when it should, and stays silent just below its threshold. Evaluated with promtool."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.alerts import ALERTS
from monitoring.generate import FOLDER, render_files
from monitoring.rules import AlertRule, AlertSeverity, render_rule
from sharing.telemetry.worker_metrics import READY_CHECKS
from tests.monitoring.tools import ROOT, run_tool

# Load everything as strings: YAML would read `0x80` as a number.
CASES: list[dict[str, Any]] = yaml.load(
    (Path(__file__).parent / "alert_cases.yaml").read_text(),
    Loader=yaml.BaseLoader,  # noqa: S506 it creates nothing but strings
)
WORKER = {"job": "sharing-gate", "state": "CH", "instance": "ch-0"}
BROKER = {"instance": "kafka-0"}
DESK = {"job": "sharing-desk", "state": "CH", "instance": "desk-0"}
SAMPLES = 300
"""How many samples a healthy series has: enough for the latest `at` of a case."""

HEALTHY: dict[str, str] = {
    "up": "1",
    "scrape_duration_seconds": "0.01",
    "process_start_time_seconds": "1",
    **{f'sharing_ready_check{{check="{check}"}}': "1" for check in READY_CHECKS},
    'sharing_consumer_lag_records{topic="t",partition="0"}': "0",
    'sharing_consumer_hidden_records{topic="t",partition="0"}': "0",
    'sharing_consumer_hidden_seconds{topic="t",partition="0"}': "0",
    "sharing_last_commit_timestamp_seconds": "0+15",
    "sharing_indicators_read_total": "0+100",
    "sharing_indicators_accounted_total": "0+100",
    'sharing_indicators_total{outcome="DISCLOSE"}': "0+100",
    "sharing_indicators_quarantined_total": "0",
    "sharing_conservation_broken_total": "0",
    "sharing_transaction_aborts_total": "0",
    "sharing_clock_skewed_total": "0",
    'sharing_rule_errors_total{rule="ch.imac-67a-1"}': "0",
    'sharing_emergencies_stated_total{agency="Police"}': "0",
    'sharing_emergencies_as_ordinary_total{agency="Police"}': "0",
    **{
        f'sharing_notice_latency_seconds_bucket{{lane="{lane}",le="{bound}"}}': "0+10"
        for lane in ("ordinary", "urgent")
        for bound in ("0.05", "10.0", "60.0", "300.0", "+Inf")
    },
    'sharing_pack_info{version="1",sha256="a"}': "1",
    "sharing_pack_expiry_timestamp_seconds": "9000000000",
    "sharing_pack_consolidated_timestamp_seconds": "0",
    'sharing_directory_info{version="a"}': "1",
    'sharing_directory_unreadable{entry="DE"}': "0",
    'sharing_directory_unconfirmed{entry="DE"}': "0",
    'sharing_directory_statement_expiry_timestamp_seconds{entry="CH"}': "9000000000",
    'sharing_directory_without_topics{entry="DE"}': "0",
    "sharing_directory_entries": "6",
    "sharing_directory_announced_timestamp_seconds": "0",
    "sharing_directory_ignored_records": "0",
    "sharing_inbox_last_commit_timestamp_seconds": "0+15",
    'sharing_consumer_lag_records{topic="exchange.ch.notices",partition="0"}': "0",
    'sharing_inbox_records_total{outcome="REFUSED"}': "0",
    'sharing_inbox_records_total{outcome="OPENED"}': "0+10",
    "sharing_inbox_missing_total": "0",
    'up{job="sharing-desk"}': "1",
    "sharing_desk_sessions": "0",
    'sharing_desk_silent_seconds{follower="board"}': "1",
    "sharing_desk_ruling_wait_seconds": "0",
    "sharing_desk_views_unrecorded_total": "0",
    'sharing_desk_sign_ins_total{result="signed_in"}': "0+1",
    'sharing_desk_sign_ins_total{result="refused"}': "0",
    'up{job="sharing-kafka"}': "1",
    'kafka_controller_kafkacontroller_activecontrollercount{job="sharing-kafka"}': "1",
    'kafka_controller_kafkacontroller_offlinepartitionscount{job="sharing-kafka"}': "0",
    'kafka_server_replicamanager_underreplicatedpartitions{job="sharing-kafka"}': "0",
    'kafka_server_replicamanager_underminisrpartitioncount{job="sharing-kafka"}': "0",
    'kafka_server_replicamanager_partitionswithlatetransactionscount{job="sharing-kafka"}': "0",
    'kafka_server_socket_server_metrics_failed_authentication_total{job="sharing-kafka",listener="TLS"}': "0",
    'kafka_network_requestmetrics_errors_total{job="sharing-kafka",request="Fetch",error="NONE"}': "0+50",
    'node_filesystem_avail_bytes{job="sharing-kafka-disk",mountpoint="/data"}': "900",
    'node_filesystem_size_bytes{job="sharing-kafka-disk",mountpoint="/data"}': "1000",
}
"""Each series of a healthy system, with its value, or its first value and its growth with each sample."""

_ZEROS = re.compile(r"(?<![\d+])0x")
"""promtool reads `0x20` as a hexadecimal number, not as twenty zeros."""

SET_BY_PROMETHEUS = {"up", "scrape_duration_seconds"}


def _parse_series(name: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return a series' name and labels; labels that are not given are those of the default worker or broker."""
    labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
    job = labels.get("job", "sharing-desk" if name.startswith("sharing_desk_") else "sharing-gate")
    labels = {**{"sharing-gate": WORKER, "sharing-desk": DESK}.get(job, BROKER), **labels}
    return name.partition("{")[0], tuple(sorted(labels.items()))


def _list_series(case: dict[str, Any]) -> list[dict[str, str]]:
    series = {}
    for name, value in HEALTHY.items():
        metric, labels = _parse_series(name)
        stops = "stops" in case and metric not in SET_BY_PROMETHEUS and ("job", "sharing-gate") in labels
        series[metric, labels] = f"{value}x{int(case['stops']) - 1} stale" if stops else f"{value}x{SAMPLES}"
    series |= {_parse_series(name): str(values) for name, values in case["series"].items()}
    return [
        {"series": _format_series(name, labels), "values": _ZEROS.sub("0+0x", values)}
        for (name, labels), values in series.items()
    ]


def _format_series(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    inner = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{inner}}}"


def _expected_alerts(alert: AlertRule, case: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the instances of an alert that promtool must find when it fires."""
    rule = render_rule(alert)
    labels = {"job": "sharing-gate", "state": "CH", **case.get("labels", {})}
    if labels["job"] not in {"sharing-gate", "sharing-desk"}:
        del labels["state"]
    return [
        {"exp_labels": {**rule["labels"], **instance}, "exp_annotations": rule["annotations"]}
        for instance in case.get("expect", [labels])
    ]


def _list_cases() -> Iterator[tuple[str, dict[str, Any], dict[str, list[dict[str, Any]]]]]:
    """Yield each case's name, the case, and the expected instances by alert."""
    alerts = {alert.name: alert for alert in ALERTS}
    for entry in CASES:
        for kind in ("fires", "silent"):
            for number, case in enumerate(entry[kind]):
                fires = {entry["alert"]: _expected_alerts(alerts[entry["alert"]], case)} if kind == "fires" else {}
                yield f"{entry['alert']} {kind}: {case.get('why', number)}", case, fires


def _is_about_gates(case: dict[str, Any]) -> bool:
    return "expect" not in case and not any("kafka" in name or "kubelet" in name for name in case["series"])


def _isolate_labels(labels: dict[str, str], number: int) -> dict[str, str]:
    """Return the labels with a number appended to State and instance, so that cases in one test stay separate."""
    return {name: f"{value} {number}" if name in {"state", "instance"} else value for name, value in labels.items()}


def _build_tests() -> list[dict[str, Any]]:
    """Return promtool's tests, one per case; cases about gates with the same evaluation time share a test.

    promtool creates a database for each test and evaluates every rule in it. Sharing tests halves the time: each case
    is then a State of its own.
    """
    tests: dict[str, dict[str, Any]] = {}
    for number, (name, case, fires) in enumerate(_list_cases()):
        shared = _is_about_gates(case)
        test = tests.setdefault(
            f"gates at {case['at']}" if shared else name, {"at": case["at"], "series": [], "fires": {}}
        )
        for series in _list_series(case):
            isolated = shared and "kafka" not in series["series"]
            test["series"].append(
                {**series, "series": _isolate_series(series["series"], number)} if isolated else series
            )
        for alert, expected in fires.items():
            test["fires"].setdefault(alert, []).extend(
                {**instance, "exp_labels": _isolate_labels(instance["exp_labels"], number)} if shared else instance
                for instance in expected
            )
    return [
        {
            "name": name,
            "interval": "15s",
            "input_series": list({series["series"]: series for series in test["series"]}.values()),
            "alert_rule_test": [
                {"eval_time": test["at"], "alertname": alert.name, "exp_alerts": test["fires"].get(alert.name, [])}
                for alert in ALERTS
            ],
        }
        for name, test in tests.items()
    ]


def _isolate_series(series: str, number: int) -> str:
    name, labels = _parse_series(series)
    return _format_series(name, tuple(_isolate_labels(dict(labels), number).items()))


def test_alerts_fire_and_stay_silent(tmp_path: Path) -> None:
    """Each case also checks that no other alert fires."""
    healthy = [
        {
            "name": "a healthy system",
            "interval": "15s",
            "input_series": _list_series({"series": {}}),
            "alert_rule_test": [
                {"eval_time": f"{minutes}m", "alertname": alert.name} for minutes in (1, 5, 30) for alert in ALERTS
            ],
        }
    ]
    tests = [*healthy, *_build_tests()]
    with ThreadPoolExecutor(2) as pool:
        for completed in pool.map(
            _run_promtool_tests, (tmp_path / "odd.yaml", tmp_path / "even.yaml"), (tests[::2], tests[1::2])
        ):
            assert completed.returncode == 0, completed.stdout + completed.stderr


def _run_promtool_tests(file: Path, tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    document = {"rule_files": [str(FOLDER / "alerts.yaml")], "evaluation_interval": "1m", "tests": tests}
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return run_tool("promtool", "test", "rules", file)


def test_every_alert_has_cases_and_every_case_an_alert() -> None:
    assert [entry["alert"] for entry in CASES] == [alert.name for alert in ALERTS]
    assert all(entry["fires"] and entry["silent"] for entry in CASES)


def test_the_rules_are_valid() -> None:
    completed = run_tool("promtool", "check", "rules", FOLDER / "alerts.yaml")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert f"{len(ALERTS)} rules found" in completed.stdout


@pytest.mark.parametrize("name", render_files())
def test_committed_files_are_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == render_files()[name], "run `python -m monitoring.generate`"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_severity_description_and_runbook(alert: AlertRule) -> None:
    assert alert.severity in AlertSeverity
    assert alert.summary
    assert alert.description.endswith(".")
    page = (ROOT / alert.runbook).read_text()
    assert page.startswith(f"# {alert.name}\n")
    assert alert.summary in page
    for section in ("Meaning", "Impact", "Diagnosis", "Mitigation", "Verification"):
        assert f"\n## {section}\n" in page, section
    assert page.splitlines()[-1].startswith(("Tested: ", "Not tested")), "state how the runbook was tested"


def test_every_runbook_has_an_alert() -> None:
    runbooks = {f"docs/runbooks/{path.name}" for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert runbooks == {alert.runbook for alert in ALERTS}


def test_the_time_scale_applies_only_to_durations_of_the_monitoring() -> None:
    alert = AlertRule("SharingX", AlertSeverity.WARNING, "rate(a[<10m>]) > 3600 and b > <1m:seconds>", "5m", "", "")
    assert render_rule(alert)["expr"] == "rate(a[10m]) > 3600\nand b > 60"
    compressed = render_rule(alert, 1 / 20)
    assert compressed["expr"] == "rate(a[30s]) > 3600\nand b > 3"
    assert compressed["for"] == "15s"


def test_the_documentation_lists_every_alert() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\((runbooks/[\w-]+\.md)\) \| (\w+) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [
        (alert.name, alert.runbook.removeprefix("docs/"), str(alert.severity), alert.summary) for alert in ALERTS
    ]
