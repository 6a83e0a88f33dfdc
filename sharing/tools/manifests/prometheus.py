"""Generates the configuration of Prometheus and Grafana for the compose trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sharing.tools.manifests import kafka_metrics, kafka_node
from sharing.tools.manifests.common import to_yaml

Targets = Mapping[str, Sequence[str]]

PROMETHEUS_PORT = 9090
JOB = "sharing-gate"
"""Prometheus job of the gates, here and on Kubernetes."""

DESK_JOB = "sharing-desk"
"""Prometheus job of the duty desks, here and on Kubernetes."""


def render_monitoring(gates: Targets, desks: Targets) -> Mapping[str, str]:
    """Return the files, by path.

    Args:
        gates: `host:port` of each worker's HTTP endpoints, by State. Alerts distinguish States by the label `state`.
        desks: `host:port` of each desk's metrics, by State.
    """
    prometheus = {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["/etc/prometheus/rules/*.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": [
            {"job_name": JOB, "metrics_path": "/metrics", "static_configs": _label_targets(gates)},
            {"job_name": DESK_JOB, "metrics_path": "/metrics", "static_configs": _label_targets(desks)},
            {
                "job_name": kafka_metrics.JOB,
                "static_configs": [{"targets": [f"{kafka_node.HOST}:{kafka_metrics.PORT}"]}],
            },
            {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{PROMETHEUS_PORT}"]}]},
            {"job_name": "alertmanager", "static_configs": [{"targets": ["alertmanager:9093"]}]},
        ],
    }
    datasource = {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": "prometheus",
                "type": "prometheus",
                "access": "proxy",
                "url": f"http://prometheus:{PROMETHEUS_PORT}",
                "isDefault": True,
                "editable": False,
            }
        ],
    }
    dashboards = {
        "apiVersion": 1,
        "providers": [
            {
                "name": "sharing",
                "folder": "Sharing",
                "type": "file",
                "allowUiUpdates": False,
                "disableDeletion": True,
                "options": {"path": "/etc/sharing/dashboards"},
            }
        ],
    }
    return {
        "prometheus/prometheus.yml": to_yaml(prometheus),
        "grafana/datasource.yaml": to_yaml(datasource),
        "grafana/dashboards.yaml": to_yaml(dashboards),
    }


def _label_targets(targets: Targets) -> list[dict[str, Any]]:
    return [{"targets": list(hosts), "labels": {"state": state}} for state, hosts in targets.items()]
