"""What `sharing doctor` says behind the wall: rights too narrow and too wide, a topic's policy, a skewed clock."""

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

from sharing._publisher import Publisher
from sharing.cli.doctor import access as examined
from sharing.cli.doctor.finding import DoctorFinding
from sharing.errors import NotDeliveredError
from sharing.kafka.broker_clock import read_broker_clock
from sharing.kafka.clients import make_admin
from sharing.kafka.tls import read_identity
from sharing.kafka.topic_admin import inspect_topics
from sharing.settings import Settings
from sharing.testing.broker.secure import SecureKafka
from sharing.topology.acls import principals

pytestmark = pytest.mark.kafka

SECONDS = 20.0


def _skewed(seconds: float) -> float:
    return time.time() + seconds


def settings(wall: SecureKafka, name: str) -> Settings:
    own = wall.environment(name)
    return Settings.model_validate({key.removeprefix("SHARING_").lower(): value for key, value in own.items()})


def rights(wall: SecureKafka, name: str) -> list[DoctorFinding]:
    identity = read_identity(settings(wall, name))
    given = (wall.broker.bootstrap, wall.partners, wall.broker.client(name))
    return list(examined.examine_rights(identity, *given))


@contextmanager
def changed(wall: SecureKafka, *, add: AclBinding | None = None, remove: AclBinding | None = None) -> Iterator[None]:
    """Change the access control list for a while, and wait until the broker knows."""
    client = make_admin(wall.broker.bootstrap, wall.broker.client("operator"))

    def put(binding: AclBinding, *, there: bool) -> None:
        same = (binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host)
        chosen = AclBindingFilter(*same, binding.operation, binding.permission_type)
        futures = client.create_acls([binding]) if there else client.delete_acls([chosen])
        for future in futures.values():
            future.result(SECONDS)
        deadline = time.monotonic() + SECONDS
        while bool(client.describe_acls(chosen).result(SECONDS)) is not there:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    for binding, there in ((add, True), (remove, False)):
        if binding is not None:
            put(binding, there=there)
    try:
        yield
    finally:
        for binding, there in ((add, False), (remove, True)):
            if binding is not None:
                put(binding, there=there)


def entry(principal: str, operation: AclOperation, topic: str) -> AclBinding:
    kind, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
    return AclBinding(ResourceType.TOPIC, topic, kind, f"User:{principal}", "*", operation, allow)


def test_everyone_has_the_rights_of_the_table(wall: SecureKafka) -> None:
    for principal in principals(wall.partners):
        assert rights(wall, principal.name) == [
            DoctorFinding("rights", ok=True, detail=f"{principal.name} has those of the table")
        ]


def test_rights_that_are_too_wide_are_found_by_whom_they_concern_and_by_the_operator(wall: SecureKafka) -> None:
    with changed(wall, add=entry("partner.de", AclOperation.READ, "national.ch.decisions")):
        own = rights(wall, "partner.de")
        assert [(one.check, one.detail) for one in own if not one.ok] == [
            (
                "rights too wide",
                "partner.de may Describe, Read national.ch.decisions, which the table does not give",
            ),
            ("rights", "1 differ from the table"),
        ]
        (told, _) = rights(wall, "operator")
        assert told.detail == "too wide: User:partner.de may Read topic national.ch.decisions"
        assert told.remedy.endswith(
            "--remove --allow-principal User:partner.de --operation Read --topic 'national.ch.decisions'"
        )
        assert all(one.ok for one in rights(wall, "gate.ch"))


def publish(wall: SecureKafka) -> None:
    bootstrap, own = wall.broker.bootstrap, wall.broker.client("agency.ch.fedpol")
    with Publisher(bootstrap, "CH", "fedpol", properties=own) as publisher:
        publisher.publish({"type": "domain-name", "value": "example.org", "form": "INFORMATION"})


def test_rights_that_are_too_narrow_are_found_by_whom_they_concern_and_by_the_operator(wall: SecureKafka) -> None:
    with changed(wall, remove=entry("agency.ch.fedpol", AclOperation.WRITE, "national.ch.indicators.fedpol")):
        (own, _) = rights(wall, "agency.ch.fedpol")
        assert (own.check, own.ok) == ("rights too narrow", False)
        assert own.detail == "agency.ch.fedpol lacks Write on national.ch.indicators.fedpol"
        assert own.remedy == "the operator: sharing topics apply --acls"
        (told, _) = rights(wall, "operator")
        assert told.detail == "missing: User:agency.ch.fedpol may Write topic national.ch.indicators.fedpol"
        with pytest.raises(NotDeliveredError, match="when the right is given that `sharing doctor` misses"):
            publish(wall)
    publish(wall)


def test_a_topic_with_another_policy_or_number_of_partitions_is_found(wall: SecureKafka) -> None:
    bootstrap, own = wall.broker.bootstrap, wall.broker.client("operator")
    client = make_admin(bootstrap, own)

    def policy(value: str) -> None:
        setting = ConfigEntry("cleanup.policy", value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, "exchange.de.notices", incremental_configs=[setting])
        (done,) = client.incremental_alter_configs([resource]).values()
        done.result(SECONDS)

    def differing() -> dict[str, str]:
        return {one.topic: one.detail for one in inspect_topics(bootstrap, wall.partners.topics, own) if one.detail}

    policy("compact")
    try:
        deadline = time.monotonic() + SECONDS
        while not differing():
            assert time.monotonic() < deadline
        assert differing() == {"exchange.de.notices": "cleanup.policy is compact, the table says delete"}
    finally:
        policy("delete")
    more = wall.partners.model_copy(update={"partitions": 3})
    seen = inspect_topics(bootstrap, more.topics, wall.broker.client("gate.ch"), configs=False)
    found = {one.topic: one.detail for one in seen}
    assert "has 1 partitions, the table says 3" in found["national.ch.decisions"]


def test_a_skewed_clock_is_found_and_how_exactly_it_is_known(
    wall: SecureKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (wall.broker.bootstrap, wall.broker.client("partner.de"))
    reading = read_broker_clock(*given)
    assert abs(reading.ahead_s) <= reading.error_s + 0.1  # one machine, one clock
    (sound,) = examined.examine_clock(*given)
    assert sound.ok
    for skew, words in ((3600.0, "s ahead of the broker's, give or take"), (-3600.0, "s behind the broker's")):
        skewed = partial(read_broker_clock, now=partial(_skewed, skew))
        monkeypatch.setattr(examined, "read_broker_clock", skewed)
        (one,) = examined.examine_clock(*given)
        assert not one.ok
        assert words in one.detail
        assert "time service" in one.remedy
