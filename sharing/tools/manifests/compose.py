"""Generates `deploy/compose/`: a complete bus on one machine, for a trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sharing.testing.broker.jars import JMX_EXPORTER
from sharing.tools.manifests import kafka_metrics, kafka_node, registry
from sharing.tools.manifests.common import (
    DESK_METRICS_PORT,
    STATE_FOLDER,
    STOP_SECONDS,
    WEB_PORT,
    gate_principal,
    gate_settings,
    pack_settings,
    pinned_image,
    time_stamp_roots,
    time_stamp_settings,
    to_yaml,
    with_replication,
)
from sharing.tools.manifests.compose_desk import make_desks, make_registrars
from sharing.tools.manifests.compose_keys import GivenKeys, Holder, give_keys
from sharing.tools.manifests.compose_services import (
    BOOTSTRAP,
    BUS,
    FRONT,
    MONITORING,
    SECRETS,
    TIME_STAMPS,
    TOOL_FIELDS,
    Service,
    format_loopback_port,
    make_bus_service,
    make_dependencies,
    make_healthcheck,
    make_law_secrets,
    make_networks,
    make_secret,
    make_service,
    make_time_stamp_secrets,
)
from sharing.tools.manifests.prometheus import PROMETHEUS_PORT, Targets, render_monitoring
from sharing.topology.acls import Principal, list_principals
from sharing.topology.partners import Partners
from sharing.topology.topic_kinds import Role

EXPORTER_FILE = f"{JMX_EXPORTER.artifact}-{JMX_EXPORTER.version}.jar"
CLUSTER_ID = "c2hhcmluZy1idXMtdHJpYQ"
"""Any 22 base64 characters. Not a secret."""

_FOLDER = "compose"
_READINESS_SCRIPT = (
    "import os, urllib.request as request; "
    "request.urlopen(f\"http://127.0.0.1:{os.environ['SHARING_WEB_PORT']}/ready\", timeout=2)"
)


def render_compose(partners: Partners) -> Mapping[str, str]:
    """Return the files of the compose project, by path."""
    gates = dict(_make_gates(partners))
    desks = dict(make_desks(partners))
    services: dict[str, Service] = {
        "kafka": _make_kafka(),
        "registry": _make_registry(),
        "topics": _make_topics_service(),
        **gates,
        **desks,
        **_make_monitoring_services(),
        **{principal.name.replace(".", "-"): _make_tool_service(partners, principal)
           for principal in list_principals(partners) if principal.role is not Role.GATE},
        **dict(make_registrars(partners)),
    }  # fmt: skip
    project = {
        "name": "sharing",
        "services": services,
        "networks": make_networks(partners),
        "volumes": {name: {} for name in ("kafka", "prometheus", "alertmanager", "grafana", *gates, *desks)},
        "secrets": {name: {"file": f"./secrets/{name}"} for name in sorted(_collect_secret_names(services))},
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
    monitoring = render_monitoring(_list_targets(gates, WEB_PORT), _list_targets(desks, DESK_METRICS_PORT))
    return {
        f"{_FOLDER}/compose.yaml": to_yaml(project),
        f"{_FOLDER}/partners.yaml": with_replication(partners, 1),
        f"{_FOLDER}/kafka/server.properties": kafka_node.render_properties(kafka_node.SERVER),
        f"{_FOLDER}/kafka/client.properties": kafka_node.render_properties(kafka_node.CLIENT),
        f"{_FOLDER}/kafka/{kafka_metrics.FILE}": kafka_metrics.render_rules(),
        **{f"{_FOLDER}/{path}": text for path, text in monitoring.items()},
    }


def _list_targets(services: Mapping[str, Service], port: int) -> Targets:
    """Return `host:port` of each service, by State."""
    targets: dict[str, list[str]] = {}
    for name, service in services.items():
        targets.setdefault(service["environment"]["SHARING_STATE"], []).append(f"{name}:{port}")
    return targets


def _collect_secret_names(services: Mapping[str, Service]) -> set[str]:
    return {secret["source"] for service in services.values() for secret in service.get("secrets", ())}


def _make_kafka() -> Service:
    scripts = "/opt/kafka/bin"
    settings, rules, agent = (
        f"/etc/sharing/{name}" for name in ("server.properties", kafka_metrics.FILE, EXPORTER_FILE)
    )
    # Only the server gets the exporter: in Kafka's tools, which run in the same container, its port would be in use.
    options = f"KAFKA_HEAP_OPTS='-Xms1g -Xmx1g' KAFKA_OPTS={kafka_metrics.agent_option(agent, rules)}"
    start = (
        f"{scripts}/kafka-storage.sh format --ignore-formatted --cluster-id {CLUSTER_ID} --config {settings}\n"
        f"exec env {options} {scripts}/kafka-server-start.sh {settings}\n"
    )
    probe = (f"{scripts}/kafka-broker-api-versions.sh", "--bootstrap-server", BOOTSTRAP)
    return make_service(
        pinned_image("KAFKA_DIGEST"), [BUS, MONITORING], "2g",
        user="appuser",
        entrypoint=["/bin/bash", "-ec", start],
        environment={"LOG_DIR": "/tmp/logs"},  # noqa: S108 inside the container
        volumes=[{"type": "volume", "source": "kafka", "target": kafka_node.DATA}],
        secrets=[make_secret("ca.pem"), make_secret(f"{kafka_node.BROKER}.keystore")],
        configs=[
            {"source": "server.properties", "target": settings},
            {"source": "client.properties", "target": "/etc/sharing/client.properties"},
            {"source": kafka_metrics.FILE, "target": rules},
            {"source": EXPORTER_FILE, "target": agent},
        ],
        healthcheck=make_healthcheck(*probe, "--command-config", "/etc/sharing/client.properties", start_seconds=60),
        stop_grace_period=f"{STOP_SECONDS}s",
    )  # fmt: skip


def _make_registry() -> Service:
    # It stores nothing. The service `topics` registers the schemas in the same order again, so ids stay the same.
    return make_service(
        pinned_image("REGISTRY_DIGEST"), [BUS], "768m",
        environment={
            "JAVA_TOOL_OPTIONS": "-Xmx384m",
            "QUARKUS_CONFIG_LOCATIONS": f"{SECRETS}/{registry.PROPERTIES_FILE}",
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",  # the endpoints of the health check
        },
        secrets=[make_secret(name) for name in registry.SECRET_FILES],
        healthcheck=make_healthcheck("curl", "--fail", "--silent", "http://127.0.0.1:9000/health/ready"),
    )  # fmt: skip


_PARTNERS_PATH = "/etc/sharing/partners.yaml"
_PARTNERS_FILE = [{"source": "partners.yaml", "target": _PARTNERS_PATH}]


def _make_topics_service() -> Service:
    """Return the service that creates topics, ACLs and schemas, and exits.

    It connects with the broker's certificate: before the first ACLs exist, no other principal may create them.
    """
    return make_bus_service(
        ["topics", "apply", "--partners", _PARTNERS_PATH, "--acls"], [BUS], kafka_node.BROKER,
        {"SHARING_BOOTSTRAP": BOOTSTRAP},
        registry_user=registry.WRITER,
        restart="no",
        healthcheck={"disable": True},
        configs=_PARTNERS_FILE,
        depends_on=make_dependencies(kafka="service_healthy", registry="service_healthy"),
    )  # fmt: skip


def _make_gates(partners: Partners) -> Iterator[tuple[str, Service]]:
    for state, partner in sorted(partners.states.items()):
        keys, outside = give_keys(state, Holder.GATE), [TIME_STAMPS] if partner.time_stamps else []
        for instance in range(partner.workers):
            settings = {
                **gate_settings(partners, state, BOOTSTRAP),
                **time_stamp_settings(partners, state, SECRETS),
                **keys.settings,
                **pack_settings(SECRETS, SECRETS, STATE_FOLDER),
                "SHARING_INSTANCE": str(instance),
                "SHARING_WEB_BIND": "0.0.0.0",  # noqa: S104 the network of the container
            }
            name = f"gate-{state.lower()}-{instance}"
            yield name, make_bus_service(
                ["gate"], [BUS, MONITORING, *outside], gate_principal(state).name, settings,
                secrets=[*keys.secrets, *make_law_secrets(state), *make_time_stamp_secrets(partners, state)],
                **keys.fields,
                volumes=[{"type": "volume", "source": name, "target": STATE_FOLDER}],
                healthcheck=make_healthcheck("python", "-c", _READINESS_SCRIPT, start_seconds=90),
                depends_on=make_dependencies(topics="service_completed_successfully"),
                stop_grace_period=f"{STOP_SECONDS}s",
            )  # fmt: skip


def _make_tool_service(partners: Partners, principal: Principal) -> Service:
    """Return the service that runs one command as a principal: `docker compose run --rm agency-ch-fedpol publish …`."""
    state = {"SHARING_STATE": principal.state} if principal.state else {}
    keys, verified = _give_tool_keys(principal), principal.state if principal.role is Role.CONSOLE else ""
    roots = time_stamp_roots(partners, verified, SECRETS)  # for `audit verify`
    return make_bus_service(
        ["doctor"], [BUS], principal.name,
        {"SHARING_BOOTSTRAP": BOOTSTRAP, "SHARING_PARTNERS": _PARTNERS_PATH, **state, **keys.settings, **roots},
        secrets=[*keys.secrets, *make_time_stamp_secrets(partners, verified)],
        **keys.fields,
        **TOOL_FIELDS,
        configs=_PARTNERS_FILE,
    )  # fmt: skip


def _give_tool_keys(principal: Principal) -> GivenKeys:
    """Return the keys of a command: officers announce, partners open the inbox, and all verify what is signed."""
    if principal.role is Role.CONSOLE:
        return give_keys(principal.state, Holder.CONSOLE)
    return give_keys(principal.state, reads_inbox=principal.role is Role.PARTNER)


def _make_monitoring_services() -> dict[str, Service]:
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
        "prometheus": make_service(
            pinned_image("PROMETHEUS_DIGEST"), [MONITORING, FRONT], "1g",
            user="nobody",
            command=prometheus,
            ports=[format_loopback_port(PROMETHEUS_PORT)],
            volumes=[{"type": "volume", "source": "prometheus", "target": "/prometheus"}],
            configs=[
                {"source": "prometheus.yml", "target": "/etc/prometheus/prometheus.yml"},
                {"source": "alerts.yaml", "target": "/etc/prometheus/rules/alerts.yaml"},
            ],
            healthcheck=make_healthcheck("wget", "-qO-", f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready"),
        ),
        "alertmanager": make_service(
            pinned_image("ALERTMANAGER_DIGEST"), [MONITORING, FRONT], "256m",
            user="nobody",
            command=alertmanager,
            ports=[format_loopback_port(9093)],
            volumes=[{"type": "volume", "source": "alertmanager", "target": "/alertmanager"}],
            configs=[{"source": "alertmanager.yaml", "target": "/etc/alertmanager/alertmanager.yaml"}],
            healthcheck=make_healthcheck("wget", "-qO-", "http://127.0.0.1:9093/-/ready"),
        ),
        "grafana": _make_grafana(),
    }  # fmt: skip


def _make_grafana() -> Service:
    provisioning = "/etc/grafana/provisioning"
    return make_service(
        pinned_image("GRAFANA_DIGEST"), [MONITORING, FRONT], "512m",
        user="grafana",
        environment={
            "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SECRETS}/grafana-password",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        },
        ports=[format_loopback_port(3000)],
        volumes=[
            {"type": "volume", "source": "grafana", "target": "/var/lib/grafana"},
            {"type": "bind", "source": "../../monitoring/dashboards", "target": "/etc/sharing/dashboards",
             "read_only": True, "bind": {"create_host_path": False}},
        ],
        secrets=[make_secret("grafana-password")],
        configs=[
            {"source": "datasource.yaml", "target": f"{provisioning}/datasources/sharing.yaml"},
            {"source": "dashboards.yaml", "target": f"{provisioning}/dashboards/sharing.yaml"},
        ],
        healthcheck=make_healthcheck("wget", "-qO-", "http://127.0.0.1:3000/api/health"),
        depends_on=make_dependencies(prometheus="service_healthy"),
    )  # fmt: skip
