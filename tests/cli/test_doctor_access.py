"""`sharing doctor` with access control: missing and excess permissions, a wrong cleanup policy, a skewed clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, not declared
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from sharing.cli.doctor import clock
from sharing.cli.doctor.access import check_rights
from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.cluster import Cluster, open_cluster
from sharing.clients.publisher import Publisher
from sharing.errors import NotDeliveredError
from sharing.kafka.broker_clock import read_broker_clock
from sharing.kafka.clients import make_admin
from sharing.kafka.topic_admin import inspect_topics
from sharing.settings import Settings
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.acls import list_principals
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka

SECONDS = 120.0


def get_skewed_time(seconds: float) -> float:
    return time.time() + seconds


def load_principal_settings(secure_kafka: SecureKafka, name: str) -> Settings:
    environment = secure_kafka.environment(name)
    return Settings.model_validate({key.removeprefix("SHARING_").lower(): value for key, value in environment.items()})


def open_cluster_as(secure_kafka: SecureKafka, name: str) -> Cluster:
    return open_cluster(load_principal_settings(secure_kafka, name), list(secure_kafka.partners.states))


def check_rights_as(secure_kafka: SecureKafka, name: str) -> list[CheckResult]:
    return list(check_rights(open_cluster_as(secure_kafka, name)))


@contextmanager
def change_acls(
    secure_kafka: SecureKafka, *, add: AclBinding | None = None, remove: AclBinding | None = None
) -> Iterator[None]:
    """Change the ACLs during the context; wait until the broker has applied each change."""
    client = make_admin(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties("operator"))

    def set_binding(binding: AclBinding, *, present: bool) -> None:
        pattern = (binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host)
        chosen = AclBindingFilter(*pattern, binding.operation, binding.permission_type)
        futures = client.create_acls([binding]) if present else client.delete_acls([chosen])
        for future in futures.values():
            future.result(SECONDS)
        deadline = time.monotonic() + SECONDS
        while bool(client.describe_acls(chosen).result(SECONDS)) is not present:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    for binding, present in ((add, True), (remove, False)):
        if binding is not None:
            set_binding(binding, present=present)
    try:
        yield
    finally:
        for binding, present in ((add, False), (remove, True)):
            if binding is not None:
                set_binding(binding, present=present)


def make_binding(principal: str, operation: AclOperation, topic: str) -> AclBinding:
    kind, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
    return AclBinding(ResourceType.TOPIC, topic, kind, f"User:{principal}", "*", operation, allow)


def test_each_principal_has_the_permissions_of_the_table(secure_kafka: SecureKafka) -> None:
    for principal in list_principals(secure_kafka.partners):
        assert check_rights_as(secure_kafka, principal.name) == [
            CheckResult("rights", ok=True, detail=f"{principal.name}: as in the table")
        ]


def test_excess_permissions_are_found_by_the_principal_and_by_the_operator(secure_kafka: SecureKafka) -> None:
    with change_acls(secure_kafka, add=make_binding("partner.de", AclOperation.READ, "national.ch.decisions")):
        own_findings = check_rights_as(secure_kafka, "partner.de")
        assert [(finding.check, finding.detail) for finding in own_findings if not finding.ok] == [
            (
                "rights too wide",
                "partner.de may Describe, Read national.ch.decisions, which the table does not permit",
            ),
            ("rights", "1 differ from the table"),
        ]
        (finding, _) = check_rights_as(secure_kafka, "operator")
        assert finding.detail == "too wide: User:partner.de may Read topic national.ch.decisions"
        assert finding.remedy.endswith(
            "--remove --allow-principal User:partner.de --operation Read --topic 'national.ch.decisions'"
        )
        assert all(finding.ok for finding in check_rights_as(secure_kafka, "gate.ch"))


def publish_as_fedpol(secure_kafka: SecureKafka) -> None:
    properties = secure_kafka.broker.client_properties("agency.ch.fedpol")
    with Publisher(secure_kafka.broker.bootstrap, "CH", "fedpol", properties=properties) as publisher:
        publisher.publish({"type": "domain-name", "value": "example.org", "form": "INFORMATION"})


def test_missing_permissions_are_found_by_the_principal_and_by_the_operator(secure_kafka: SecureKafka) -> None:
    binding = make_binding("agency.ch.fedpol", AclOperation.WRITE, "national.ch.indicators.fedpol")
    with change_acls(secure_kafka, remove=binding):
        (own_finding, _) = check_rights_as(secure_kafka, "agency.ch.fedpol")
        assert (own_finding.check, own_finding.ok) == ("rights too narrow", False)
        assert own_finding.detail == "agency.ch.fedpol lacks Write on national.ch.indicators.fedpol"
        assert own_finding.remedy == "the operator runs: sharing topics apply --acls"
        (finding, _) = check_rights_as(secure_kafka, "operator")
        assert finding.detail == "missing: User:agency.ch.fedpol may Write topic national.ch.indicators.fedpol"
        with pytest.raises(
            NotDeliveredError, match="when the ACL rule exists that `sharing doctor` reports as missing"
        ):
            publish_as_fedpol(secure_kafka)
    publish_as_fedpol(secure_kafka)


def test_a_topic_with_a_wrong_policy_or_number_of_partitions_is_found(secure_kafka: SecureKafka) -> None:
    bootstrap, properties = secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties("operator")
    client = make_admin(bootstrap, properties)

    def set_policy(value: str) -> None:
        setting = ConfigEntry("cleanup.policy", value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, "exchange.de.notices", incremental_configs=[setting])
        (future,) = client.incremental_alter_configs([resource]).values()
        future.result(SECONDS)

    def find_differences() -> dict[str, str]:
        changes = inspect_topics(bootstrap, secure_kafka.partners.topics, properties)
        return {change.topic: change.detail for change in changes if change.detail}

    set_policy("compact")
    try:
        deadline = time.monotonic() + SECONDS
        while not find_differences():
            assert time.monotonic() < deadline
        assert find_differences() == {"exchange.de.notices": "cleanup.policy is compact, the table says delete"}
    finally:
        set_policy("delete")
        wait_until(lambda: not find_differences(), "the policy is what it was: other tests look at it")
    altered = secure_kafka.partners.model_copy(update={"partitions": 3})
    gate_properties = secure_kafka.broker.client_properties("gate.ch")
    changes = inspect_topics(bootstrap, altered.topics, gate_properties, configs=False)
    details = {change.topic: change.detail for change in changes}
    assert "has 1 partitions, the table says 3" in details["national.ch.decisions"]


def test_a_skewed_clock_is_found_with_the_error_of_the_measurement(
    secure_kafka: SecureKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = open_cluster_as(secure_kafka, "partner.de")
    reading = read_broker_clock(cluster.servers, cluster.tls)
    assert abs(reading.ahead_s) <= reading.error_s + 0.1  # both on one machine with one clock
    (finding,) = clock.check_clock(cluster)
    assert finding.ok
    for skew, words in ((3600.0, "s ahead of the broker's clock (± "), (-3600.0, "s behind the broker's clock")):
        skewed = partial(read_broker_clock, now=partial(get_skewed_time, skew))
        monkeypatch.setattr(clock, "read_broker_clock", skewed)
        (finding,) = clock.check_clock(cluster)
        assert not finding.ok
        assert words in finding.detail
        assert "time service" in finding.remedy
