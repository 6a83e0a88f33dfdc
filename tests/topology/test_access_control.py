"""Access control on a real Kafka with its authorizer: every principal tries every operation on every topic.

The intended permissions are written by hand here, not derived from the code that makes the ACL rules. The States and
agencies are those of `SECURE_PARTNERS` in `tests/conftest.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, not declared
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from sharing.clients.publisher import Publisher
from sharing.errors import InfrastructureError, InputError
from sharing.kafka.acl_admin import apply_acls, inspect_acls
from sharing.kafka.clients import client_properties, look_up_topics, make_admin, make_consumer, make_producer
from sharing.model.indicator import Indicator
from sharing.serialization.codec import get_codec
from sharing.testing.broker.certificates import client_tls_properties, make_certificates
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.partners import Partner, Partners

pytestmark = pytest.mark.kafka

SECONDS = 120.0

# r: may read, w: may write. Permission to read or write includes permission to describe.
# A gate may also describe the configuration of its national topics and of all exchange topics.
# `operator` may describe everything, create topics, and alter topics and their configuration.
DIRECTORIES = {"directory.ch": "r", "directory.de": "r"}
CHECKPOINTS = {"checkpoints.ch": "r", "checkpoints.de": "r"}
SHARED_TOPICS = {**DIRECTORIES, **CHECKPOINTS, "exchange.clock": "w"}
RECEIVED = ("offers", "notices", "urgent", "replies")
GATE_OUTPUT_TOPICS = {f"exchange.{state}.{kind}": "w" for state in ("ch", "de") for kind in RECEIVED}


def received_topics(state: str) -> dict[str, str]:
    return {f"exchange.{state}.{kind}": "r" for kind in RECEIVED}


def inbox_topics(state: str) -> dict[str, str]:
    return {f"national.{state}.inbox": "r", f"national.{state}.inbox.urgent": "r", f"national.{state}.uses": "w"}


def console_topics(state: str) -> dict[str, str]:
    read = ("decisions", "drafts", "conversations", "acts", "quarantine", "gate_state")
    national = {f"national.{state}.{kind}": "r" for kind in read}
    national |= {f"national.{state}.{kind}": "rw" for kind in ("officers", "rulings", "uses", "desk")}
    return {**SHARED_TOPICS, **received_topics(state), **inbox_topics(state), **national, f"directory.{state}": "rw"}


def gate_topics(state: str, *agencies: str) -> dict[str, str]:
    national = {"decisions": "w", "quarantine": "w", "drafts": "rw", "amendments": "rw", "gate_state": "rw"}
    national |= {"conversations": "rw", "inbox": "w", "inbox.urgent": "w"}
    national |= {"officers": "r", "rulings": "r", "acts": "w"}
    return {
        **SHARED_TOPICS,
        **GATE_OUTPUT_TOPICS,
        **dict.fromkeys(received_topics(state), "rw"),
        f"directory.{state}": "rw",
        f"checkpoints.{state}": "rw",
        **{f"national.{state}.{kind}": letters for kind, letters in national.items()},
        **{f"national.{state}.indicators{agency}": "r" for agency in agencies},
        **{f"national.{state}.outcomes{agency}": "w" for agency in agencies},
    }


INTENDED: Mapping[str, Mapping[str, str]] = {
    "agency.ch.fedpol": {
        **SHARED_TOPICS,
        "national.ch.indicators.fedpol": "w",
        "national.ch.outcomes.fedpol": "r",
    },
    "agency.ch.customs": {
        **SHARED_TOPICS,
        "national.ch.indicators.customs": "w",
        "national.ch.outcomes.customs": "r",
    },
    "agency.de": {**SHARED_TOPICS, "national.de.indicators": "w", "national.de.outcomes": "r"},
    "gate.ch": gate_topics("ch", ".fedpol", ".customs"),
    "gate.de": gate_topics("de", ""),
    "console.ch": console_topics("ch"),
    "console.de": console_topics("de"),
    "partner.ch": {**SHARED_TOPICS, **received_topics("ch"), **inbox_topics("ch")},
    "partner.de": {**SHARED_TOPICS, **received_topics("de"), **inbox_topics("de")},
    "operator": SHARED_TOPICS,
    "judge.ch": {},  # issued by the right CA, but the name of no principal
}
GROUPS = {
    "gate.ch": "national.ch.gate",
    "gate.de": "national.de.gate",
    "console.ch": "national.ch.console",
    "console.de": "national.de.console",
    "partner.ch": "exchange.ch.subscriber",
    "partner.de": "exchange.de.subscriber",
    "agency.ch.fedpol": "national.ch.agency.fedpol.load",
    "agency.ch.customs": "national.ch.agency.customs.load",
    "agency.de": "national.de.agency.load",
}
TOPICS = sorted(
    {
        *("exchange.clock", "national.de.indicators"),
        *DIRECTORIES,
        *CHECKPOINTS,
        *("national.ch.indicators.fedpol", "national.ch.indicators.customs"),
        *("national.de.outcomes", "national.ch.outcomes.fedpol", "national.ch.outcomes.customs"),
        *GATE_OUTPUT_TOPICS,
        *(
            f"national.{state}.{kind}"
            for state in ("ch", "de")
            for kind in (
                *("decisions", "drafts", "amendments", "quarantine", "gate_state", "conversations"),
                *("inbox", "inbox.urgent", "uses", "officers", "rulings", "acts", "desk"),
            )
        ),
    }
)
MANAGE = {AclOperation.CREATE, AclOperation.ALTER, AclOperation.DESCRIBE} | {
    AclOperation.DESCRIBE_CONFIGS,
    AclOperation.ALTER_CONFIGS,
}
ADMINS: dict[tuple[str, str], AdminClient] = {}


def properties(secure_kafka: SecureKafka, name: str, **more: Any) -> dict[str, Any]:
    timeouts = {"socket.timeout.ms": 10_000, "topic.metadata.propagation.max.ms": 0}
    return client_properties(
        secure_kafka.broker.bootstrap, {**secure_kafka.broker.client_properties(name), **timeouts, **more}
    )


def admin(secure_kafka: SecureKafka, name: str) -> AdminClient:
    """Return the principal's admin client. It is cached: requests of a deleted client are lost."""
    key = (secure_kafka.broker.bootstrap, name)
    if key not in ADMINS:
        ADMINS[key] = make_admin(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties(name))
    return ADMINS[key]


def authorization_error(error: KafkaException) -> str:
    """Return Kafka's name of an authorization error.

    Raises:
        KafkaException: The error is another one.
    """
    name = str(error.args[0].name())
    if not name.endswith("_AUTHORIZATION_FAILED"):
        raise error
    return name


def refused(future: Any) -> str:
    """Return Kafka's name of the error with which a request was refused, or "" if it was not refused."""
    try:
        future.result(SECONDS)
    except KafkaException as error:
        return authorization_error(error)
    return ""


def test_the_intended_matrix_covers_exactly_the_existing_topics(secure_kafka: SecureKafka) -> None:
    assert [
        name
        for name in sorted(look_up_topics(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties()))
        if name[0] != "_"
    ] == TOPICS


@pytest.mark.parametrize("name", INTENDED)
def test_the_broker_permits_exactly_the_intended_operations_on_each_topic(secure_kafka: SecureKafka, name: str) -> None:
    described = admin(secure_kafka, name).describe_topics(TopicCollection(TOPICS), include_authorized_operations=True)
    permitted = {}
    for topic, future in described.items():
        try:
            permitted[topic] = set(future.result(SECONDS).authorized_operations)
        except KafkaException as error:
            authorization_error(error)
            permitted[topic] = set()
    assert permitted == {topic: intended_operations(name, topic) for topic in TOPICS}


def intended_operations(name: str, topic: str) -> set[AclOperation]:
    """Return the operations that are intended for a principal on a topic."""
    letters = INTENDED[name].get(topic, "")
    by_letter = {"r": {AclOperation.READ, AclOperation.DESCRIBE}, "w": {AclOperation.WRITE, AclOperation.DESCRIBE}}
    intended = {operation for letter in letters for operation in by_letter[letter]}
    # What it may not describe, it does not see, whatever it may know of its configuration: who opened which content.
    if letters and name.startswith("gate.") and topic.startswith(("exchange.", f"national.{name[-2:]}.")):
        intended.add(AclOperation.DESCRIBE_CONFIGS)
    return intended | MANAGE if name == "operator" else intended


@pytest.mark.parametrize("name", INTENDED)
def test_each_principal_can_write_and_read_exactly_the_intended_topics(secure_kafka: SecureKafka, name: str) -> None:
    """The principal actually writes a record to each topic, and reads from each."""
    assert find_writable_topics(secure_kafka, name) == {
        topic for topic, letters in INTENDED[name].items() if "w" in letters
    }
    assert find_readable_topics(secure_kafka, name) == {
        topic for topic, letters in INTENDED[name].items() if "r" in letters
    }


def find_writable_topics(secure_kafka: SecureKafka, name: str) -> set[str]:
    """Return the topics that accepted a record of this principal."""
    errors_by_topic: dict[str, KafkaError | None] = {}

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        errors_by_topic[str(message.topic())] = error

    producer: Producer = make_producer(properties(secure_kafka, name, **{"message.timeout.ms": 60_000}))
    for topic in TOPICS:
        producer.produce(topic, b"tried", b"key", 0, on_delivery=on_delivery)
    assert producer.flush(SECONDS) == 0
    errors = {topic: error.code() for topic, error in errors_by_topic.items() if error is not None}
    assert set(errors.values()) <= {KafkaError.TOPIC_AUTHORIZATION_FAILED}, (name, errors)
    return {topic for topic in TOPICS if topic not in errors}


def find_readable_topics(secure_kafka: SecureKafka, name: str) -> set[str]:
    """Return the topics from which this principal receives a record or an end of the partition.

    A client does not request records of topics that it may not describe.
    """
    visible = set(look_up_topics(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties(name))) & set(
        TOPICS
    )
    assert visible == {topic for topic in TOPICS if intended_operations(name, topic)}
    consumer: Consumer = make_consumer(
        properties(
            secure_kafka,
            name,
            **{"group.id": "nobody-joins", "enable.partition.eof": True, "fetch.wait.max.ms": 10},
        )
    )
    consumer.assign([TopicPartition(topic, 0, 0) for topic in TOPICS])
    readable: set[str] = set()
    denied: set[str] = set()
    try:
        while readable | denied != visible:
            message = consumer.poll(SECONDS)
            assert message is not None, (name, visible - readable - denied)
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                readable.add(str(message.topic()))
            elif error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # of the group that the consumer does not join
                assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, (name, error)
                denied.add(str(message.topic()))
    finally:
        consumer.close()
    assert not readable & denied
    return readable


@pytest.mark.parametrize("name", INTENDED)
def test_each_principal_may_use_only_its_own_groups_and_transactional_ids(secure_kafka: SecureKafka, name: str) -> None:
    groups = {
        group for group in {*GROUPS.values(), "national.ch.other"} if may_commit_offsets(secure_kafka, name, group)
    }
    assert groups == ({GROUPS[name]} if name in GROUPS else set())
    ids = {
        candidate
        for candidate in ("national.ch.gate.0", "national.de.gate.0", "exchange.ch.x", *GROUPS.values())
        if may_use_transactional_id(secure_kafka, name, candidate)
    }
    own = {GROUPS[name]} if name.startswith(("gate.", "agency.", "console.")) else set()
    assert ids == own | ({f"national.{name[-2:]}.gate.0"} if name.startswith("gate.") else set())


NO_COORDINATOR_YET = frozenset(
    {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE}
)


def may_commit_offsets(secure_kafka: SecureKafka, name: str, group: str) -> bool:
    """Return whether a principal may commit an offset for a group, which requires permission to read the group."""
    deadline = time.monotonic() + SECONDS
    while True:
        offsets = ConsumerGroupTopicPartitions(group, [TopicPartition("directory.ch", 0, 0)])
        (committed,) = admin(secure_kafka, name).alter_consumer_group_offsets([offsets]).values()
        if refused(committed):
            return False
        error = committed.result().topic_partitions[0].error
        # On a new broker, the partition of a group's offsets is created and loaded by the first request.
        if error is None or error.code() not in NO_COORDINATOR_YET or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert error is None or error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED, (name, group, error)
    return error is None


def may_use_transactional_id(secure_kafka: SecureKafka, name: str, transactional_id: str) -> bool:
    producer = make_producer(properties(secure_kafka, name, **{"transactional.id": transactional_id}))
    try:
        producer.init_transactions(SECONDS)
    except KafkaException as error:
        return authorization_error(error) == ""
    return True


@pytest.mark.parametrize("name", INTENDED)
def test_only_the_operator_may_create_and_alter_topics_and_nobody_may_delete(
    secure_kafka: SecureKafka, name: str
) -> None:
    client, topic = admin(secure_kafka, name), f"national.ch.{uuid.uuid4()}"
    denied = "" if name == "operator" else "TOPIC_AUTHORIZATION_FAILED"
    (created,) = client.create_topics([NewTopic(topic, 1, 1)], validate_only=True).values()
    assert refused(created) == denied
    existing = "exchange.ch.notices"
    (altered,) = client.create_partitions([NewPartitions(existing, 2)], validate_only=True).values()
    assert refused(altered) == denied
    resource = ConfigResource(ResourceType.TOPIC, existing)
    (read,) = client.describe_configs([resource]).values()
    assert refused(read) == ("" if name.startswith("gate.") else denied)
    (deleted,) = client.delete_topics([existing]).values()
    assert refused(deleted) == "TOPIC_AUTHORIZATION_FAILED"
    (erased,) = client.delete_records([TopicPartition(existing, 0, -1)]).values()
    with pytest.raises(
        KafkaException, match=r"TOPIC_AUTHORIZATION_FAILED|_NOENT"
    ):  # a client that may not describe it finds no leader
        erased.result(SECONDS)
    if name == "operator":
        assert {change.kind for change in inspect_acls(*access(secure_kafka, name))} == {"same"}
    else:
        with pytest.raises(InfrastructureError, match="use the operator's"):
            inspect_acls(*access(secure_kafka, name))


def access(secure_kafka: SecureKafka, name: str) -> tuple[str, Partners, dict[str, str]]:
    return secure_kafka.broker.bootstrap, secure_kafka.partners, secure_kafka.broker.client_properties(name)


def test_a_client_without_a_certificate_of_the_right_ca_cannot_connect(
    secure_kafka: SecureKafka, tmp_path: Path, short_connect_timeout: None
) -> None:
    bootstrap, _, client = access(secure_kafka, "gate.ch")
    without_certificate = {key: value for key, value in client.items() if "certificate" not in key and "key" not in key}
    with pytest.raises(InfrastructureError, match="certificate required"):
        look_up_topics(bootstrap, without_certificate)
    make_certificates(tmp_path / "forged", ["gate.ch"])
    forged = {**client_tls_properties(tmp_path / "forged", "gate.ch"), "ssl.ca.location": client["ssl.ca.location"]}
    with pytest.raises(InfrastructureError, match="no broker answers"):
        look_up_topics(bootstrap, forged)
    with pytest.raises(InfrastructureError, match="no broker answers"):
        look_up_topics(bootstrap)


def test_applied_acls_are_the_same_and_one_that_is_too_wide_is_reported_and_kept(secure_kafka: SecureKafka) -> None:
    bootstrap, partners, operator = access(secure_kafka, "operator")
    assert {change.kind for change in apply_acls(bootstrap, partners, operator)} == {"same"}
    too_wide = AclBinding(
        ResourceType.TOPIC, "national.ch.", ResourcePatternType.PREFIXED, "User:partner.de", "*",
        AclOperation.READ, AclPermissionType.ALLOW,
    )  # fmt: skip
    unrelated = AclBinding(
        ResourceType.TOPIC, "payroll", ResourcePatternType.LITERAL, "User:payroll", "*",
        AclOperation.ALL, AclPermissionType.ALLOW,
    )  # fmt: skip
    client = admin(secure_kafka, "operator")
    for future in client.create_acls([too_wide, unrelated]).values():
        assert refused(future) == ""
    try:
        reported = [change for change in apply_acls(bootstrap, partners, operator) if change.kind != "same"]
        assert [(change.kind, str(change.entry)) for change in reported] == [
            ("too wide", "User:partner.de may Read topic national.ch.…")
        ]
        more = partners.model_copy(update={"states": {**partners.states, "NL": Partner()}})
        kinds = {change.kind for change in inspect_acls(bootstrap, more, operator) if ".nl" in change.entry.principal}
        assert kinds == {"missing"}
    finally:
        for binding in (too_wide, unrelated):
            same = (binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host)
            (removed,) = client.delete_acls(
                [AclBindingFilter(*same, binding.operation, binding.permission_type)]
            ).values()
            assert refused(removed) == ""


def item(agency: str) -> dict[str, Any]:
    source = {"state": "CH", "agency": agency}
    return {"type": "domain-name", "value": "example.org", "form": "INFORMATION", "source": source}


def test_an_agency_may_publish_only_to_its_topic_and_in_its_name(secure_kafka: SecureKafka) -> None:
    bootstrap, _, client = access(secure_kafka, "agency.ch.fedpol")
    with Publisher(bootstrap, "CH", "fedpol", properties=client) as publisher:
        publisher.publish(item("fedpol"))
        with pytest.raises(InputError, match="publishes for fedpol only"):
            publisher.publish(item("customs"))
    with pytest.raises(InfrastructureError, match="'customs' has no topic in CH, or no permission"):
        Publisher(bootstrap, "CH", "customs", properties=client)


def test_the_gate_quarantines_a_record_in_the_name_of_another_agency(secure_kafka: SecureKafka) -> None:
    """The gate runs with the settings that `broker up --secure` prints; the record is written without `Publisher`."""
    record = Indicator.parse({"id": str(uuid.uuid4()), **item("customs")})
    producer = make_producer(properties(secure_kafka, "agency.ch.fedpol"))
    value = get_codec("indicator").encode(record.to_record())
    producer.produce("national.ch.indicators.fedpol", value, record.id.encode())
    assert producer.flush(SECONDS) == 0
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    gate = subprocess.Popen(
        [sys.executable, "-m", "processors"],
        env=environment | secure_kafka.environment("gate.ch"),
        stderr=subprocess.PIPE,
    )
    reader = TopicReader(properties(secure_kafka, "console.ch"), "national.ch.quarantine")
    try:
        quarantined = reader.find_quarantined(record.id, gate)
    finally:
        gate.terminate()
        gate.communicate(timeout=SECONDS)
    assert quarantined["cause"] == "FIELD_SOURCE_AGENCY"


class TopicReader:
    """Reads a topic with one partition, and finds the quarantined record of an indicator."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        self._consumer: Consumer = make_consumer({**client, "group.id": "national.ch.console"})
        self._consumer.assign([TopicPartition(topic, 0, 0)])

    def find_quarantined(self, identity: str, gate: subprocess.Popen[bytes]) -> dict[str, Any]:
        deadline = time.monotonic() + 3 * SECONDS
        try:
            while time.monotonic() < deadline:
                assert gate.poll() is None, gate.stderr and gate.stderr.read()
                message = self._consumer.poll(0.2)
                if message is None or message.error() is not None or message.value() == b"tried":
                    continue
                record = get_codec("quarantine").decode(message.value())
                if record["indicator_id"] == identity:
                    return record
        finally:
            self._consumer.close()
        raise AssertionError("the gate did not quarantine the record")
