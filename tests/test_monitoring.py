"""The alert rules name metrics that exist, and say what an operator needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sharing import metrics

ROOT = Path(__file__).parents[1]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "monitoring" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
NAMES = {sample.name for metric in metrics.REGISTRY.collect() for sample in metric.samples} | {
    f"{metric.name}_total"
    if metric.type == "counter"
    else f"{metric.name}_info"
    if metric.type == "info"
    else metric.name
    for metric in metrics.REGISTRY.collect()
}


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_is_about_metrics_that_exist(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"sharing_\w+", rule["expr"]))
    assert named
    assert named <= NAMES


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_says_how_bad_it_is_and_where_its_page_is(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    page, _, section = rule["annotations"]["runbook"].partition("#")
    assert f"\n## {section.capitalize()}\n" in (ROOT / page).read_text()


def test_conservation_is_watched() -> None:
    watched = next(rule["expr"] for rule in RULES if rule["alert"] == "SharingConservationBroken")
    assert {"sharing_indicators_total", "sharing_quarantined_total", "sharing_indicators_taken_total"} <= set(
        re.findall(r"sharing_\w+", watched)
    )
