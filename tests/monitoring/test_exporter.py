"""The exporter of Kafka's metrics is configured the same way in every deployment, and its version is pinned."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sharing.testing.broker.jars import JMX_EXPORTER
from sharing.tools.manifests.kafka_metrics import FILE, JOB, METRICS, PORT, render_rules
from tests.deploy.deploy_files import COMPOSE, DEPLOY, load_compose, of_kind


def test_the_trial_starts_the_exporter_with_its_rules_on_the_scraped_port() -> None:
    stack = load_compose()
    kafka = stack["services"]["kafka"]
    mounted = {config["target"]: stack["configs"][config["source"]]["file"] for config in kafka["configs"]}
    start_command = kafka["entrypoint"][-1].splitlines()[-1]
    option = next(word for word in start_command.split() if word.startswith("KAFKA_OPTS="))
    jar, _, rules = option.removeprefix("KAFKA_OPTS=-javaagent:").partition(f"=0.0.0.0:{PORT}:")
    assert mounted[jar] == f"./fetched/{JMX_EXPORTER.artifact}-{JMX_EXPORTER.version}.jar"
    assert (COMPOSE / mounted[rules]).read_text() == render_rules()
    assert "KAFKA_OPTS" not in kafka["environment"], "the Java process of the health check would find the port in use"
    scrapes = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    scrape = next(config for config in scrapes if config["job_name"] == JOB)
    assert scrape["static_configs"] == [{"targets": [f"kafka:{PORT}"]}]
    assert set(kafka["networks"]) & set(stack["services"]["prometheus"]["networks"])


def test_strimzi_refers_to_the_config_map_with_the_rules() -> None:
    (kafka,) = of_kind("Kafka")
    (config_map,) = of_kind("ConfigMap", "cluster")
    reference = kafka["spec"]["kafka"]["metricsConfig"]["valueFrom"]["configMapKeyRef"]
    assert reference == {"name": config_map["metadata"]["name"], "key": FILE}
    assert config_map["data"] == {FILE: render_rules()}
    monitor = of_kind("PodMonitor", "cluster")[0]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert {"targetLabel": "job", "replacement": JOB} in endpoint["relabelings"]


def test_a_metric_has_one_rule() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert (metric.kind == "COUNTER") == metric.name.endswith("_total"), metric.name


@pytest.mark.kafka
def test_the_downloaded_exporter_matches_its_pinned_hash(tmp_path: Path) -> None:
    command = [sys.executable, str(DEPLOY / "exporter.py"), str(tmp_path / "fetched")]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if completed.returncode and "cannot be fetched" in completed.stderr and os.environ.get("CI") != "true":
        pytest.skip(completed.stderr)
    assert completed.returncode == 0, completed.stderr
    (jar,) = (tmp_path / "fetched").iterdir()
    assert str(jar) == completed.stdout.strip()
    assert hashlib.sha256(jar.read_bytes()).hexdigest() == JMX_EXPORTER.sha256
