"""The settings of brokers: derived from the topic table, in every deployment, and compared on a real cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sharing.cli.doctor.brokers import check_broker_settings
from sharing.cli.doctor.cluster import open_cluster
from sharing.cli.doctor.topics import check_partitions
from sharing.kafka.broker_settings import find_harmful_settings, inspect_brokers
from sharing.model.times import DAY_MS
from sharing.settings import Settings
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.testing.broker.server_properties import server_properties
from sharing.tools.manifests.kafka_node import SERVER
from sharing.topology import broker_settings, topics
from sharing.topology.broker_settings import compute_offsets_retention_minutes, list_required_settings
from sharing.topology.topic_kinds import FOREVER
from sharing.topology.topics import TOPIC_KINDS
from tests.cli.test_doctor_access import open_cluster_as
from tests.deploy.deploy_files import DEPLOY, ROOT

KAFKA_DEFAULTS = {
    "offsets.retention.minutes": "10080",
    "transaction.max.timeout.ms": "900000",
    "unclean.leader.election.enable": "true",  # not Kafka's default; some operators set it
    "auto.create.topics.enable": "true",
}


def read_deployed_settings() -> Mapping[str, Mapping[str, str]]:
    """Return the settings of the broker of each deployment, by the name of the deployment."""
    compose = (DEPLOY / "compose/kafka/server.properties").read_text(encoding="utf-8")
    lines = [line for line in compose.splitlines() if line and not line.startswith("#")]
    strimzi = yaml.safe_load((DEPLOY / "kubernetes/cluster/kafka.yaml").read_text(encoding="utf-8").split("---")[0])
    config = strimzi["spec"]["kafka"]["config"]
    return {
        "compose": dict(line.split("=", 1) for line in lines),
        "strimzi": {key: str(value).lower() for key, value in config.items()},
        "local": server_properties(1, 2, {}, {}),
    }


def test_offsets_are_kept_as_long_as_the_longest_finite_retention() -> None:
    longest_ms = max(kind.retention_ms for kind in TOPIC_KINDS if kind.retention_ms != FOREVER)
    assert compute_offsets_retention_minutes() * 60_000 == longest_ms == 365 * DAY_MS


def test_a_longer_retention_in_the_table_keeps_offsets_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    longer = replace(topics.NOTICES, retention_ms=500 * DAY_MS + 1)
    monkeypatch.setattr(broker_settings, "TOPIC_KINDS", (*TOPIC_KINDS, longer))
    assert list_required_settings()["offsets.retention.minutes"] == str(500 * 24 * 60 + 1)


@pytest.mark.parametrize("deployment", ["compose", "strimzi", "local"])
def test_every_deployment_has_the_settings(deployment: str) -> None:
    settings = read_deployed_settings()[deployment]
    assert {key: settings.get(key) for key in list_required_settings()} == dict(list_required_settings())
    assert find_harmful_settings(settings) == {}


@pytest.mark.parametrize("deployment", ["compose", "strimzi"])
def test_a_deployment_limits_connections(deployment: str) -> None:
    settings = read_deployed_settings()[deployment]
    limits = broker_settings.list_connection_limits()
    assert {key: settings.get(key) for key in limits} == dict(limits)


def test_the_page_for_own_brokers_names_the_settings() -> None:
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
    wanted = {**list_required_settings(), **broker_settings.list_connection_limits()}
    assert [f"{key}={value}" for key, value in wanted.items() if f"{key}={value}" not in page] == []


def test_a_gate_asks_for_less_than_a_broker_permits() -> None:
    assert Settings().transaction_timeout_ms < int(SERVER["transaction.max.timeout.ms"])


@pytest.mark.parametrize(
    ("setting", "value", "harm"),
    [
        ("offsets.retention.minutes", "525599", "loses its position"),
        ("transaction.max.timeout.ms", "60001", "hide all later records"),
        ("transaction.max.timeout.ms", "29999", "cannot start"),
        ("unclean.leader.election.enable", "true", "confirmed records are lost"),
        ("auto.create.topics.enable", "true", "creates it"),
        ("offsets.retention.minutes", "", "does not report"),
    ],
)
def test_a_harmful_value_is_found(setting: str, value: str, harm: str) -> None:
    found = find_harmful_settings({**list_required_settings(), setting: value})
    assert list(found) == [setting]
    assert harm in found[setting]


def test_longer_offsets_and_a_shorter_limit_do_no_harm() -> None:
    generous = {"offsets.retention.minutes": "600000", "transaction.max.timeout.ms": "30000"}
    assert find_harmful_settings({**list_required_settings(), **generous}) == {}


def test_the_embedded_broker_is_not_checked(embedded: EmbeddedBroker) -> None:
    assert inspect_brokers(embedded.bootstrap) == (0, [])


@pytest.mark.kafka
def test_the_settings_of_a_real_broker_are_read(kafka: KafkaBroker, tmp_path: Path) -> None:
    assert inspect_brokers(kafka.bootstrap) == (1, [])
    (finding,) = check_broker_settings(open_cluster(Settings(bootstrap=kafka.bootstrap), ["CH"]))
    assert (finding.ok, finding.detail) == (True, "1 of 1 brokers have the settings that the bus needs")
    with KafkaBroker(tmp_path / "kafka", properties=KAFKA_DEFAULTS) as other:
        count, differences = inspect_brokers(other.bootstrap)
        findings = list(check_broker_settings(open_cluster(Settings(bootstrap=other.bootstrap), ["CH"])))
    assert count == 1
    assert {difference.setting: difference.actual for difference in differences} == KAFKA_DEFAULTS
    assert {difference.broker_id for difference in differences} == {1}
    assert [finding.check for finding in findings] == [
        *(f"broker 1 {key}" for key in KAFKA_DEFAULTS),
        "broker settings",
    ]
    assert not any(finding.ok for finding in findings)
    assert "set offsets.retention.minutes=525600 in the configuration" in findings[0].remedy
    assert findings[2].remedy.endswith("--entity-default --add-config unclean.leader.election.enable=false")


@pytest.mark.kafka
def test_only_the_operator_of_a_secured_cluster_reads_the_settings(secure_kafka: SecureKafka) -> None:
    (finding,) = check_broker_settings(open_cluster_as(secure_kafka, "operator"))
    assert finding.ok
    assert list(check_broker_settings(open_cluster_as(secure_kafka, "gate.ch"))) == []


def test_topics_of_one_exchange_have_the_same_number_of_partitions() -> None:
    with EmbeddedBroker() as broker:
        cluster = open_cluster(Settings(bootstrap=broker.bootstrap), ["CH"])
        for name, partitions in (("national.ch.indicators", 4), ("exchange.ch.notices", 4), ("directory.ch", 1),
                                 ("exchange.clock", 1), ("payroll", 7)):  # fmt: skip
            broker.create_topics([name], partitions)
        (finding,) = check_partitions(cluster)
        assert (finding.ok, finding.detail) == (True, "4 in every topic of the exchange")
        for name in ("exchange.de.urgent", "national.de.indicators.bka"):  # of a State that was not asked for
            broker.create_topics([name], 3)
        (finding,) = check_partitions(cluster)
        assert not finding.ok
        assert finding.detail.endswith("most have 4, but exchange.de.urgent has 3; national.de.indicators.bka has 3")
        assert "docs/maintain.md" in finding.remedy
