"""`sharing partners revoke` on a real Kafka with access control: open connections are denied too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, not declared
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from sharing.cli.partners.revoke import parse_party
from sharing.errors import InputError
from sharing.kafka.acl_admin import apply_acls, inspect_acls
from sharing.kafka.clients import client_properties, make_admin, make_consumer, make_producer
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.acls import OPERATOR, Principal, list_acl_rules, parse_principal
from sharing.topology.topic_kinds import Role
from tests.cli.conftest import Call

SECONDS = 120.0
NOTICES = "exchange.de.notices"
INDICATORS = "national.ch.indicators.fedpol"


@pytest.fixture
def operator(secure_kafka: SecureKafka, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecureKafka]:
    """Commands run as the operator. Afterwards, all entries exist again."""
    for variable, value in secure_kafka.environment("operator").items():
        monkeypatch.setenv(variable, value)
    yield secure_kafka
    apply_acls(secure_kafka.broker.bootstrap, secure_kafka.partners, secure_kafka.broker.client_properties())
    assert {change.kind for change in inspect(secure_kafka)} == {"same"}


def inspect(secure_kafka: SecureKafka) -> list[Any]:
    return inspect_acls(secure_kafka.broker.bootstrap, secure_kafka.partners, secure_kafka.broker.client_properties())


def list_missing(secure_kafka: SecureKafka) -> set[str]:
    """Return the principals that lack an entry."""
    return {change.entry.principal for change in inspect(secure_kafka) if change.kind == "missing"}


def connect(secure_kafka: SecureKafka, name: str, **more: Any) -> dict[str, Any]:
    return client_properties(secure_kafka.broker.bootstrap, {**secure_kafka.broker.client_properties(name), **more})


def write_record(producer: Producer, topic: str) -> int | None:
    """Write a record on an open connection; return the error code, or None if the broker confirmed it."""
    codes: list[int | None] = []
    producer.produce(
        topic, b"tried", b"key", 0, on_delivery=lambda error, _: codes.append(error.code() if error else None)
    )
    assert producer.flush(SECONDS) == 0
    return codes[0]


def poll_until(consumer: Consumer, is_wanted: Callable[[int | None], bool]) -> int | None:
    """Poll until a record (None) or an error code that is wanted."""
    for _ in range(200):
        message = consumer.poll(SECONDS)
        assert message is not None
        failure = message.error()
        code = failure.code() if failure is not None else None
        if is_wanted(code):
            return code
    raise AssertionError("not found in 200 messages")


@pytest.mark.kafka
def test_an_open_producer_and_an_open_consumer_are_denied_at_once(call: Call, operator: SecureKafka) -> None:
    producer: Producer = make_producer(connect(operator, "agency.ch.fedpol", **{"message.timeout.ms": 60_000}))
    options = {"group.id": "exchange.de.open", "enable.partition.eof": True, "fetch.wait.max.ms": 10}
    consumer: Consumer = make_consumer(connect(operator, "partner.de", **options))
    consumer.assign([TopicPartition(NOTICES, 0, 0)])
    try:
        assert write_record(producer, INDICATORS) is None
        assert poll_until(consumer, lambda code: code == KafkaError._PARTITION_EOF)

        assert call("partners", "revoke", "agency.ch.fedpol").code == 0
        assert write_record(producer, INDICATORS) == KafkaError.TOPIC_AUTHORIZATION_FAILED
        assert call("partners", "revoke", "DE").code == 0
        gate: Producer = make_producer(connect(operator, "gate.ch"))
        assert write_record(gate, NOTICES) is None  # others still write to it
        assert poll_until(consumer, lambda code: code in {None, KafkaError.TOPIC_AUTHORIZATION_FAILED}) is not None
    finally:
        consumer.close()


@pytest.mark.kafka
def test_a_state_loses_all_entries_of_its_clients_and_nobody_else_any(call: Call, operator: SecureKafka) -> None:
    preview = call("partners", "revoke", "de", "--dry-run", "--json").json_document
    assert list_missing(operator) == set()
    of_state = {rule.principal.name for rule in list_acl_rules(operator.partners) if rule.principal.state == "DE"}
    entries = [
        entry for rule in list_acl_rules(operator.partners) for entry in rule.entries if rule.principal.state == "DE"
    ]
    assert len(preview["removed"]) == len(entries)
    assert preview["dry_run"] is True

    result = call("partners", "revoke", "DE", "--json")
    assert result.code == 0
    assert result.json_document == {**preview, "dry_run": False, "party": "DE"}
    assert list_missing(operator) == {f"User:{name}" for name in of_state}
    again = call("partners", "revoke", "DE")
    assert (again.code, again.out) == (0, "")
    assert "DE has no access control entries" in again.err


@pytest.mark.kafka
def test_one_client_is_revoked_on_every_host_and_the_others_of_its_state_are_not(
    call: Call, operator: SecureKafka
) -> None:
    client = make_admin(operator.broker.bootstrap, operator.broker.client_properties())
    from_one_host = AclBinding(
        ResourceType.TOPIC, "national.ch.", ResourcePatternType.PREFIXED, "User:console.ch", "127.0.0.9",
        AclOperation.READ, AclPermissionType.ALLOW,
    )  # fmt: skip
    as_strimzi_writes_it = AclBinding(
        ResourceType.TOPIC, "directory.", ResourcePatternType.PREFIXED, "User:CN=console.ch", "*",
        AclOperation.READ, AclPermissionType.ALLOW,
    )  # fmt: skip
    for created in client.create_acls([from_one_host, as_strimzi_writes_it]).values():
        created.result(SECONDS)
    result = call("partners", "revoke", "console.ch")
    assert result.code == 0
    assert "removed  User:console.ch from 127.0.0.9 may Read topic national.ch.…" in result.out
    assert "removed  User:CN=console.ch may Read topic directory.…" in result.out
    assert "or `topics apply --acls` grants them again" in result.err
    assert list_missing(operator) == {"User:console.ch"}
    only_one_host = AclBinding(
        ResourceType.TOPIC, "national.nl.", ResourcePatternType.PREFIXED, "User:console.nl", "127.0.0.9",
        AclOperation.READ, AclPermissionType.ALLOW,
    )  # fmt: skip
    (created,) = client.create_acls([only_one_host]).values()
    created.result(SECONDS)
    assert len(call("partners", "revoke", "NL", "--json").json_document["removed"]) == 1
    assert [change for change in inspect(operator) if change.kind == "too wide"] == []


@pytest.mark.kafka
def test_what_every_client_may_do_is_reported(call: Call, operator: SecureKafka) -> None:
    client = make_admin(operator.broker.bootstrap, operator.broker.client_properties())
    for_all = (ResourceType.TOPIC, "exchange.de.", ResourcePatternType.PREFIXED, "User:*", "*")
    (created,) = client.create_acls([AclBinding(*for_all, AclOperation.READ, AclPermissionType.ALLOW)]).values()
    created.result(SECONDS)
    try:
        result = call("partners", "revoke", "partner.de")
    finally:
        filters = [AclBindingFilter(*for_all, AclOperation.READ, AclPermissionType.ALLOW)]
        (removed,) = client.delete_acls(filters).values()
        removed.result(SECONDS)
    assert result.code == 1
    assert "remains  User:* may Read topic exchange.de.…, as every client; to remove it: kafka-acls.sh" in result.out


@pytest.mark.kafka
def test_only_the_operator_may_revoke(call: Call, secure_kafka: SecureKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in secure_kafka.environment("gate.ch").items():
        monkeypatch.setenv(variable, value)
    result = call("partners", "revoke", "DE")
    assert result.code == 3
    assert "use the operator's" in result.error
    assert list_missing(secure_kafka) == set()


def test_a_party_is_a_state_or_a_client() -> None:
    gate, console = Principal(Role.GATE, "DE"), Principal(Role.CONSOLE, "DE")
    agency = Principal(Role.AGENCY, "CH", "fedpol")
    everyone = (gate, console, agency, OPERATOR)
    assert [one for one in everyone if parse_party("de")(one)] == [gate, console]
    assert [one for one in everyone if parse_party("gate.de")(one)] == [gate]
    assert [one for one in everyone if parse_party("User:CN=gate.de")(one)] == [gate]
    assert [one for one in everyone if parse_party("agency.ch.fedpol")(one)] == [agency]
    assert parse_principal("gate.zz") is None


@pytest.mark.parametrize(
    ("party", "message"),
    [
        ("operator", "the operator cannot be revoked"),
        ("judge.ch", "no client can have the name 'judge.ch'"),
        ("Germny", "did you mean DE"),
    ],
)
def test_a_wrong_party_is_refused(call: Call, party: str, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        parse_party(party)
    result = call("partners", "revoke", party, "--bootstrap", "127.0.0.1:1")
    assert result.code == 2
    assert message in result.error


@pytest.mark.usefixtures("short_connect_timeout")
def test_without_a_broker_it_says_so(call: Call) -> None:
    result = call("partners", "revoke", "DE", "--bootstrap", "127.0.0.1:1")
    assert (result.code, result.error.startswith("no broker answers at 127.0.0.1:1 within 1.5 s")) == (3, True)
