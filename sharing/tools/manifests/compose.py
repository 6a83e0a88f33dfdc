"""A whole bus on one machine, for a trial: `deploy/compose/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sharing.testing.broker.jars import EXPORTER
from sharing.tools.manifests import kafka_metrics, kafka_node
from sharing.tools.manifests.common import (
    ALERTMANAGER_IMAGE,
    GRAFANA_IMAGE,
    IMAGE,
    KAFKA_IMAGE,
    PROMETHEUS_IMAGE,
    REGISTRY_IMAGE,
    STOP_SECONDS,
    TLS_PORT,
    USER_ID,
    WEB_PORT,
    gate_of,
    gate_settings,
    tls_settings,
    to_yaml,
    with_replication,
)
from sharing.tools.manifests.prometheus import PROMETHEUS_PORT, render_watching
from sharing.topology.acls import Principal, principals
from sharing.topology.partners import Partners
from sharing.topology.topics import Role

Service = dict[str, Any]

SECRETS = "/run/secrets"
EXPORTER_FILE = f"{EXPORTER.artifact}-{EXPORTER.version}.jar"
REGISTRY_URL = "http://registry:8080/apis/ccompat/v7"
BOOTSTRAP = f"{kafka_node.HOST}:{TLS_PORT}"
CLUSTER_ID = "c2hhcmluZy1idXMtdHJpYQ"
"""Any 22 letters of base64 will do; it is no secret."""

_FOLDER = "compose"
_BUS, _WATCH, _FRONT = "bus", "watch", "front"
_READY = (
    "import os, urllib.request as ask; "
    "ask.urlopen(f\"http://127.0.0.1:{os.environ['SHARING_WEB_PORT']}/ready\", timeout=2)"
)


def render_compose(partners: Partners) -> Mapping[str, str]:
    """Return the files of the composition, by their paths."""
    gates = dict(_gates(partners))
    scraped: dict[str, list[str]] = {}
    for name, gate in gates.items():
        scraped.setdefault(gate["environment"]["SHARING_STATE"], []).append(f"{name}:{WEB_PORT}")
    services: dict[str, Service] = {
        "kafka": _kafka(),
        "registry": _registry(),
        "topics": _topics(),
        **gates,
        **_watchers(),
        **{principal.name.replace(".", "-"): _tool(principal) for principal in principals(partners)
           if principal.role is not Role.GATE},
    }  # fmt: skip
    composition = {
        "name": "sharing",
        "services": services,
        "networks": {_BUS: {"internal": True}, _WATCH: {"internal": True}, _FRONT: {}},
        "volumes": {"kafka": {}, "prometheus": {}, "alertmanager": {}, "grafana": {}},
        "secrets": {name: {"file": f"./secrets/{name}"} for name in sorted(_secret_names(services))},
        "configs": {
            "server.properties": {"file": "./kafka/server.properties"},
            "client.properties": {"file": "./kafka/client.properties"},
            kafka_metrics.FILE: {"file": f"./kafka/{kafka_metrics.FILE}"},
            EXPORTER_FILE: {"file": f"./fetched/{EXPORTER_FILE}"},
            "partners.yaml": {"file": "./partners.yaml"},
            "prometheus.yml": {"file": "./prometheus/prometheus.yml"},
            "alerts.yaml": {"file": "../../monitoring/alerts.yaml"},
            "alertmanager.yaml": {"file": "../../monitoring/alertmanager.yaml"},
            "datasource.yaml": {"file": "./grafana/datasource.yaml"},
            "dashboards.yaml": {"file": "./grafana/dashboards.yaml"},
        },
    }
    return {
        f"{_FOLDER}/compose.yaml": to_yaml(composition),
        f"{_FOLDER}/partners.yaml": with_replication(partners, 1),
        f"{_FOLDER}/kafka/server.properties": kafka_node.properties(kafka_node.SERVER),
        f"{_FOLDER}/kafka/client.properties": kafka_node.properties(kafka_node.CLIENT),
        f"{_FOLDER}/kafka/{kafka_metrics.FILE}": kafka_metrics.render_rules(),
        **{f"{_FOLDER}/{path}": text for path, text in render_watching(scraped).items()},
    }


def _service(image: str, networks: list[str], memory: str, **more: Any) -> Service:
    """Return a service without privileges, on a file system that it cannot write to."""
    return {
        "image": image,
        "restart": "unless-stopped",
        "networks": networks,
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108 the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": memory,
        "pids_limit": 512,
        "logging": {"driver": "local", "options": {"max-size": "20m", "max-file": "5"}},
        **more,
    }


def _healthcheck(*test: str, start_seconds: int = 30) -> dict[str, Any]:
    return {
        "test": ["CMD", *test],
        "interval": "10s",
        "timeout": "10s",
        "retries": 3,
        "start_period": f"{start_seconds}s",
    }


def _secret(source: str, target: str | None = None) -> dict[str, str]:
    return {"source": source, "target": target or source}


def _secret_names(services: Mapping[str, Service]) -> set[str]:
    return {secret["source"] for service in services.values() for secret in service.get("secrets", ())}


def _certificate(name: str) -> list[dict[str, str]]:
    """Return the secrets of one who connects, where `tls_settings` looks for them."""
    return [_secret("ca.pem"), _secret(f"{name}.pem", "tls.pem"), _secret(f"{name}.key", "tls.key")]


def _kafka() -> Service:
    scripts = "/opt/kafka/bin"
    settings, rules, agent = (
        f"/etc/sharing/{name}" for name in ("server.properties", kafka_metrics.FILE, EXPORTER_FILE)
    )
    # The exporter is the server's alone: in the tools beside it it would find its port taken.
    options = f"KAFKA_HEAP_OPTS='-Xms1g -Xmx1g' KAFKA_OPTS={kafka_metrics.agent_option(agent, rules)}"
    start = (
        f"{scripts}/kafka-storage.sh format --ignore-formatted --cluster-id {CLUSTER_ID} --config {settings}\n"
        f"exec env {options} {scripts}/kafka-server-start.sh {settings}\n"
    )
    ask = (f"{scripts}/kafka-broker-api-versions.sh", "--bootstrap-server", BOOTSTRAP)
    return _service(
        KAFKA_IMAGE, [_BUS, _WATCH], "2g",
        user="appuser",
        entrypoint=["/bin/bash", "-ec", start],
        environment={"LOG_DIR": "/tmp/logs"},  # noqa: S108 the container's own
        volumes=[{"type": "volume", "source": "kafka", "target": kafka_node.DATA}],
        secrets=[_secret("ca.pem"), _secret(f"{kafka_node.BROKER}.keystore")],
        configs=[
            {"source": "server.properties", "target": settings},
            {"source": "client.properties", "target": "/etc/sharing/client.properties"},
            {"source": kafka_metrics.FILE, "target": rules},
            {"source": EXPORTER_FILE, "target": agent},
        ],
        healthcheck=_healthcheck(*ask, "--command-config", "/etc/sharing/client.properties", start_seconds=60),
        stop_grace_period=f"{STOP_SECONDS}s",
    )  # fmt: skip


def _registry() -> Service:
    # It keeps nothing: the step `topics` registers again, in the same order, so that the ids are the same.
    return _service(
        REGISTRY_IMAGE, [_BUS], "768m",
        environment={"JAVA_TOOL_OPTIONS": "-Xmx384m", "QUARKUS_HTTP_PORT": "8080"},
        healthcheck=_healthcheck("curl", "--fail", "--silent", "http://127.0.0.1:9000/health/ready"),
    )  # fmt: skip


def _program(command: list[str], networks: list[str], name: str, settings: Mapping[str, str], **more: Any) -> Service:
    """Return a service of the project's own image."""
    return _service(
        IMAGE, networks, "1g",
        build={"context": "../..", "dockerfile": "deploy/Containerfile"},
        user=f"{USER_ID}:{USER_ID}",
        command=command,
        environment={**settings, **tls_settings(SECRETS), "SHARING_REGISTRY": REGISTRY_URL},
        secrets=_certificate(name),
        **more,
    )  # fmt: skip


_PARTNERS_FILE = [{"source": "partners.yaml", "target": "/etc/sharing/partners.yaml"}]


def _topics() -> Service:
    """Return the step that makes topics, access control lists and schemas, and ends.

    It connects as the broker: before the first list there is nobody else who may write one.
    """
    return _program(
        ["topics", "apply", "--partners", "/etc/sharing/partners.yaml", "--acls"], [_BUS], kafka_node.BROKER,
        {"SHARING_BOOTSTRAP": BOOTSTRAP},
        restart="no",
        healthcheck={"disable": True},
        configs=_PARTNERS_FILE,
        depends_on=_after(kafka="service_healthy", registry="service_healthy"),
    )  # fmt: skip


def _gates(partners: Partners) -> Iterator[tuple[str, Service]]:
    for state, partner in sorted(partners.states.items()):
        for instance in range(partner.workers):
            settings = {
                **gate_settings(partners, state, BOOTSTRAP),
                "SHARING_INSTANCE": str(instance),
                "SHARING_WEB_BIND": "0.0.0.0",  # noqa: S104 the container's own network
            }
            yield f"gate-{state.lower()}-{instance}", _program(
                ["gate"], [_BUS, _WATCH], gate_of(state).name, settings,
                healthcheck=_healthcheck("python", "-c", _READY, start_seconds=90),
                depends_on=_after(topics="service_completed_successfully"),
                stop_grace_period=f"{STOP_SECONDS}s",
            )  # fmt: skip


def _tool(principal: Principal) -> Service:
    """Return what runs one command as somebody: `docker compose run --rm agency-ch-fedpol publish …`."""
    state = {"SHARING_STATE": principal.state} if principal.state else {}
    return _program(
        ["doctor"], [_BUS], principal.name, {"SHARING_BOOTSTRAP": BOOTSTRAP, **state},
        profiles=["tools"],
        restart="no",
        healthcheck={"disable": True},
        configs=_PARTNERS_FILE,
    )  # fmt: skip


def _watchers() -> dict[str, Service]:
    prometheus = [
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
        "--storage.tsdb.retention.time=30d",
    ]
    alertmanager = [
        "--config.file=/etc/alertmanager/alertmanager.yaml",
        "--storage.path=/alertmanager",
        "--cluster.listen-address=",
    ]
    return {
        "prometheus": _service(
            PROMETHEUS_IMAGE, [_WATCH, _FRONT], "1g",
            user="nobody",
            command=prometheus,
            ports=[_loopback(PROMETHEUS_PORT)],
            volumes=[{"type": "volume", "source": "prometheus", "target": "/prometheus"}],
            configs=[
                {"source": "prometheus.yml", "target": "/etc/prometheus/prometheus.yml"},
                {"source": "alerts.yaml", "target": "/etc/prometheus/rules/alerts.yaml"},
            ],
            healthcheck=_healthcheck("wget", "-qO-", f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready"),
        ),
        "alertmanager": _service(
            ALERTMANAGER_IMAGE, [_WATCH, _FRONT], "256m",
            user="nobody",
            command=alertmanager,
            ports=[_loopback(9093)],
            volumes=[{"type": "volume", "source": "alertmanager", "target": "/alertmanager"}],
            configs=[{"source": "alertmanager.yaml", "target": "/etc/alertmanager/alertmanager.yaml"}],
            healthcheck=_healthcheck("wget", "-qO-", "http://127.0.0.1:9093/-/ready"),
        ),
        "grafana": _grafana(),
    }  # fmt: skip


def _grafana() -> Service:
    provisioning = "/etc/grafana/provisioning"
    return _service(
        GRAFANA_IMAGE, [_WATCH, _FRONT], "512m",
        user="grafana",
        environment={
            "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SECRETS}/grafana-password",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        },
        ports=[_loopback(3000)],
        volumes=[
            {"type": "volume", "source": "grafana", "target": "/var/lib/grafana"},
            {"type": "bind", "source": "../../monitoring/dashboards", "target": "/etc/sharing/dashboards",
             "read_only": True, "bind": {"create_host_path": False}},
        ],
        secrets=[_secret("grafana-password")],
        configs=[
            {"source": "datasource.yaml", "target": f"{provisioning}/datasources/sharing.yaml"},
            {"source": "dashboards.yaml", "target": f"{provisioning}/dashboards/sharing.yaml"},
        ],
        healthcheck=_healthcheck("wget", "-qO-", "http://127.0.0.1:3000/api/health"),
        depends_on=_after(prometheus="service_healthy"),
    )  # fmt: skip


def _loopback(port: int) -> str:
    return f"127.0.0.1:{port}:{port}"


def _after(**conditions: str) -> dict[str, dict[str, str]]:
    return {service: {"condition": condition} for service, condition in conditions.items()}
