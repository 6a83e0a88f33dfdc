"""The exporter of Kafka's figures is wired alike wherever brokers are started, and is the one that is pinned."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sharing.testing.broker.jars import EXPORTER
from sharing.tools.manifests.kafka_metrics import FILE, JOB, METRICS, PORT, render_rules
from tests.deploy.deploy_files import COMPOSE, DEPLOY, composition, of_kind


def test_the_trial_starts_it_with_its_rules_where_prometheus_looks() -> None:
    stack = composition()
    kafka = stack["services"]["kafka"]
    there = {one["target"]: stack["configs"][one["source"]]["file"] for one in kafka["configs"]}
    starts = kafka["entrypoint"][-1].splitlines()[-1]
    option = next(word for word in starts.split() if word.startswith("KAFKA_OPTS="))
    jar, _, rules = option.removeprefix("KAFKA_OPTS=-javaagent:").partition(f"=0.0.0.0:{PORT}:")
    assert there[jar] == f"./fetched/{EXPORTER.artifact}-{EXPORTER.version}.jar"
    assert (COMPOSE / there[rules]).read_text() == render_rules()
    assert "KAFKA_OPTS" not in kafka["environment"], "the health check's Java would find the port taken"
    scrapes = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    found = next(one for one in scrapes if one["job_name"] == JOB)
    assert found["static_configs"] == [{"targets": [f"kafka:{PORT}"]}]
    assert set(kafka["networks"]) & set(stack["services"]["prometheus"]["networks"])


def test_strimzi_names_rules_that_lie_there() -> None:
    (kafka,) = of_kind("Kafka")
    (lies,) = of_kind("ConfigMap", "cluster")
    named = kafka["spec"]["kafka"]["metricsConfig"]["valueFrom"]["configMapKeyRef"]
    assert named == {"name": lies["metadata"]["name"], "key": FILE}
    assert lies["data"] == {FILE: render_rules()}
    monitor = next(one for one in of_kind("PodMonitor", "cluster"))
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert {"targetLabel": "job", "replacement": JOB} in endpoint["relabelings"]


def test_a_metric_has_one_rule() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert (metric.kind == "COUNTER") == metric.name.endswith("_total"), metric.name


@pytest.mark.kafka
def test_what_is_fetched_for_the_trial_is_what_is_pinned(tmp_path: Path) -> None:
    command = [sys.executable, str(DEPLOY / "exporter.py"), str(tmp_path / "fetched")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode and "cannot be fetched" in done.stderr and os.environ.get("CI") != "true":
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    (jar,) = (tmp_path / "fetched").iterdir()
    assert str(jar) == done.stdout.strip()
    assert hashlib.sha256(jar.read_bytes()).hexdigest() == EXPORTER.sha256
