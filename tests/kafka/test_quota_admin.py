"""Quotas: every principal has those of the partners file; on a real Kafka, they are set, compared and in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from sharing.cli.doctor.brokers import check_quotas
from sharing.errors import InfrastructureError
from sharing.kafka.quota_admin import apply_quotas, compare_quotas, inspect_quotas
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.acls import list_principals
from sharing.topology.partners import Partner, Partners, Quotas
from sharing.topology.strimzi import format_quota_commands
from tests.cli.test_doctor_access import open_cluster_as
from tests.kafka.quota_fixtures import remove_quotas

PARTNERS = Partners(states={"CH": Partner(agencies=["fedpol"])}, quotas=Quotas(produce_bytes=5))
WANTED = PARTNERS.quotas.config()
NAMES = {"operator", "agency.ch.fedpol", "gate.ch", "console.ch", "partner.ch"}


def test_every_principal_must_have_all_quotas() -> None:
    assert {change.principal: change.kind for change in compare_quotas(PARTNERS, {})} == dict.fromkeys(NAMES, "missing")
    same: dict[str, Mapping[str, float]] = {name: dict(WANTED) for name in NAMES}
    assert {change.kind for change in compare_quotas(PARTNERS, same)} == {"same"}
    partial = {**same, "gate.ch": {"producer_byte_rate": 7.5, "request_percentage": 200.0}}
    (differs,) = [change for change in compare_quotas(PARTNERS, partial) if change.kind == "differs"]
    assert differs.principal == "gate.ch"
    assert differs.detail == (
        "producer_byte_rate is 7.5, the partners file says 5; "
        "consumer_byte_rate is not set, the partners file says 50000000"
    )


def test_the_quotas_of_strimzi_users_are_found() -> None:
    assert {change.kind for change in compare_quotas(PARTNERS, {f"CN={name}": WANTED for name in NAMES})} == {"same"}


def test_the_commands_set_the_quotas_of_every_principal() -> None:
    commands = list(format_quota_commands(PARTNERS))
    assert {command.rpartition(" ")[2] for command in commands} == NAMES
    assert all("producer_byte_rate=5,consumer_byte_rate=50000000,request_percentage=200" in line for line in commands)


@pytest.fixture
def newcomer(secure_kafka: SecureKafka) -> Iterator[Partners]:
    """A State whose principals have no quotas yet."""
    states = {**secure_kafka.partners.states, "XB": Partner()}
    yield secure_kafka.partners.model_copy(update={"states": states})
    remove_quotas(secure_kafka, "agency.xb", "gate.xb", "console.xb", "partner.xb")


@pytest.mark.kafka
def test_missing_quotas_are_set_once_and_others_are_reported_and_kept(
    secure_kafka: SecureKafka, newcomer: Partners
) -> None:
    bootstrap, operator = secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties("operator")
    missing = {change.principal for change in inspect_quotas(bootstrap, newcomer, operator) if change.kind == "missing"}
    assert missing == {"agency.xb", "gate.xb", "console.xb", "partner.xb"}
    changes = apply_quotas(bootstrap, newcomer, operator)
    assert {change.principal for change in changes if change.kind == "created"} == missing
    assert {change.kind for change in apply_quotas(bootstrap, newcomer, operator)} == {"same"}
    lower = newcomer.model_copy(update={"quotas": Quotas(produce_bytes=1)})
    assert {change.kind for change in apply_quotas(bootstrap, lower, operator)} == {"differs"}
    assert {change.kind for change in inspect_quotas(bootstrap, newcomer, operator)} == {"same"}


@pytest.mark.kafka
def test_doctor_finds_a_client_without_quotas(secure_kafka: SecureKafka) -> None:
    cluster = open_cluster_as(secure_kafka, "operator")
    (finding,) = check_quotas(cluster)
    count = len(list_principals(secure_kafka.partners))
    assert (finding.ok, finding.detail) == (True, f"{count} of {count} clients have those of the partners file")
    remove_quotas(secure_kafka, "gate.de")
    try:
        missing, summary = check_quotas(cluster)
        assert (missing.check, missing.ok, missing.remedy) == (
            "quotas of gate.de", False, "sharing topics apply --acls"
        )  # fmt: skip
        assert not summary.ok
    finally:
        apply_quotas(
            secure_kafka.broker.bootstrap, secure_kafka.partners, secure_kafka.broker.client_properties("operator")
        )
    assert list(check_quotas(open_cluster_as(secure_kafka, "gate.ch"))) == []


@pytest.mark.kafka
def test_only_the_operator_may_read_and_set_quotas(secure_kafka: SecureKafka) -> None:
    gate = secure_kafka.broker.client_properties("gate.ch")
    for act in (inspect_quotas, apply_quotas):
        with pytest.raises(InfrastructureError, match="use the operator's certificate"):
            act(secure_kafka.broker.bootstrap, secure_kafka.partners, gate)
