"""The wall, on a real Kafka with its authorizer: who may do what is tried by everyone on everything.

What is intended stands here, written by hand from the blueprint and not taken from the code that makes the rights.
The States and agencies are those of `WALL` in `tests/conftest.py`.
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

from sharing._publisher import Publisher
from sharing.errors import InfrastructureError, InputError
from sharing.kafka.acl_admin import apply_acls, inspect_acls
from sharing.kafka.clients import client_properties, look_up_topics, make_admin, make_consumer, make_producer
from sharing.model.indicator import Indicator
from sharing.serialization.codec import codec_of
from sharing.testing.broker.certificates import client_files, make_certificates
from sharing.testing.broker.secure import SecureKafka
from sharing.topology.partners import Partner, Partners

pytestmark = pytest.mark.kafka

SECONDS = 20.0

# Letters: r reads, w writes, d describes only (a topic that one writes or reads is described besides).
# `operator` describes everything, creates topics, and alters them and their configuration.
EVERYONE = {"exchange.directory": "r", "exchange.clock": "w"}
SENT = {f"exchange.{state}.{kind}": "w" for state in ("ch", "de") for kind in ("offers", "notices", "urgent")}


def received(state: str) -> dict[str, str]:
    return {f"exchange.{state}.{kind}": "r" for kind in ("offers", "notices", "urgent")}


def officers(state: str) -> dict[str, str]:
    own = {f"national.{state}.decisions": "r", f"national.{state}.quarantine": "r"}
    return {**EVERYONE, **received(state), **own, "exchange.directory": "rw"}


def gate(state: str, *indicators: str) -> dict[str, str]:
    own = {"decisions": "w", "quarantine": "w", "drafts": "rw"}
    return {
        **EVERYONE,
        **SENT,
        **{f"national.{state}.{kind}": letters for kind, letters in own.items()},
        **dict.fromkeys(indicators, "r"),
    }


INTENDED: Mapping[str, Mapping[str, str]] = {
    "agency.ch.fedpol": {**EVERYONE, "national.ch.indicators.fedpol": "w"},
    "agency.ch.customs": {**EVERYONE, "national.ch.indicators.customs": "w"},
    "agency.de": {**EVERYONE, "national.de.indicators": "w"},
    "gate.ch": gate("ch", "national.ch.indicators.fedpol", "national.ch.indicators.customs"),
    "gate.de": gate("de", "national.de.indicators"),
    "console.ch": officers("ch"),
    "console.de": officers("de"),
    "partner.ch": {**EVERYONE, **received("ch")},
    "partner.de": {**EVERYONE, **received("de")},
    "operator": EVERYONE,
    "judge.ch": {},  # the right authority, and nobody's name
}
GROUPS = {
    "gate.ch": "national.ch.gate",
    "gate.de": "national.de.gate",
    "console.ch": "national.ch.console",
    "console.de": "national.de.console",
    "partner.ch": "exchange.ch.subscriber",
    "partner.de": "exchange.de.subscriber",
}
TOPICS = sorted(
    {
        *("exchange.directory", "exchange.clock", "national.de.indicators"),
        *("national.ch.indicators.fedpol", "national.ch.indicators.customs"),
        *SENT,
        *(f"national.{state}.{kind}" for state in ("ch", "de") for kind in ("decisions", "drafts", "quarantine")),
    }
)
MANAGE = {AclOperation.CREATE, AclOperation.ALTER, AclOperation.DESCRIBE} | {
    AclOperation.DESCRIBE_CONFIGS,
    AclOperation.ALTER_CONFIGS,
}
ADMINS: dict[tuple[str, str], AdminClient] = {}


def properties(wall: SecureKafka, name: str, **more: Any) -> dict[str, Any]:
    quick = {"socket.timeout.ms": 10_000, "topic.metadata.propagation.max.ms": 0}
    return client_properties(wall.broker.bootstrap, {**wall.broker.client(name), **quick, **more})


def admin(wall: SecureKafka, name: str) -> AdminClient:
    """Return the principal's admin client: one, as a client that is forgotten forgets its requests."""
    place = (wall.broker.bootstrap, name)
    if place not in ADMINS:
        ADMINS[place] = make_admin(wall.broker.bootstrap, wall.broker.client(name))
    return ADMINS[place]


def refusal(error: KafkaException) -> str:
    """Return Kafka's name for why something was refused.

    Raises:
        KafkaException: It was not refused; something else is the matter.
    """
    found = str(error.args[0].name())
    if not found.endswith("_AUTHORIZATION_FAILED"):
        raise error
    return found


def refused(future: Any) -> str:
    """Return Kafka's name for what a request was refused with, or "" where it was not."""
    try:
        future.result(SECONDS)
    except KafkaException as error:
        return refusal(error)
    return ""


def test_the_intended_matrix_is_of_the_topics_that_there_are(wall: SecureKafka) -> None:
    assert [
        name for name in sorted(look_up_topics(wall.broker.bootstrap, wall.broker.client())) if name[0] != "_"
    ] == TOPICS


@pytest.mark.parametrize("name", INTENDED)
def test_the_broker_gives_each_principal_the_intended_rights_on_each_topic_and_no_other(
    wall: SecureKafka, name: str
) -> None:
    described = admin(wall, name).describe_topics(TopicCollection(TOPICS), include_authorized_operations=True)
    found = {}
    for topic, future in described.items():
        try:
            found[topic] = set(future.result(SECONDS).authorized_operations)
        except KafkaException as error:
            refusal(error)
            found[topic] = set()
    assert found == {topic: operations(name, topic) for topic in TOPICS}


def operations(name: str, topic: str) -> set[AclOperation]:
    """Return what is intended for a topic, in Kafka's words."""
    letters = INTENDED[name].get(topic, "")
    meant = {"r": {AclOperation.READ, AclOperation.DESCRIBE}, "w": {AclOperation.WRITE, AclOperation.DESCRIBE}}
    found = {operation for letter in letters for operation in meant[letter]}
    if name.startswith("gate.") and topic.startswith("exchange."):
        found.add(AclOperation.DESCRIBE)
    return found | MANAGE if name == "operator" else found


@pytest.mark.parametrize("name", INTENDED)
def test_what_each_principal_tries_to_write_and_read_is_permitted_as_intended(wall: SecureKafka, name: str) -> None:
    """Not the broker's word, but the deed: a record to each topic, and a look at each."""
    assert written(wall, name) == {topic for topic, letters in INTENDED[name].items() if "w" in letters}
    assert looked_at(wall, name) == {topic for topic, letters in INTENDED[name].items() if "r" in letters}


def written(wall: SecureKafka, name: str) -> set[str]:
    """Return the topics that took a record of this principal."""
    outcome: dict[str, KafkaError | None] = {}

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        outcome[str(message.topic())] = error

    producer: Producer = make_producer(properties(wall, name, **{"message.timeout.ms": 15_000}))
    for topic in TOPICS:
        producer.produce(topic, b"tried", b"key", 0, on_delivery=on_delivery)
    assert producer.flush(SECONDS) == 0
    errors = {topic: error.code() for topic, error in outcome.items() if error is not None}
    assert set(errors.values()) <= {KafkaError.TOPIC_AUTHORIZATION_FAILED}, (name, errors)
    return {topic for topic in TOPICS if topic not in errors}


def looked_at(wall: SecureKafka, name: str) -> set[str]:
    """Return the topics whose records this principal is given: from each, a record or an end.

    Of what it may not even describe, its client never asks for records.
    """
    seen = set(look_up_topics(wall.broker.bootstrap, wall.broker.client(name))) & set(TOPICS)
    assert seen == {topic for topic in TOPICS if operations(name, topic)}
    consumer: Consumer = make_consumer(
        properties(wall, name, **{"group.id": "nobody-joins", "enable.partition.eof": True, "fetch.wait.max.ms": 10})
    )
    consumer.assign([TopicPartition(topic, 0, 0) for topic in TOPICS])
    given: set[str] = set()
    denied: set[str] = set()
    try:
        while given | denied != seen:
            message = consumer.poll(SECONDS)
            assert message is not None, (name, seen - given - denied)
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                given.add(str(message.topic()))
            elif error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # of the group that nobody joins
                assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, (name, error)
                denied.add(str(message.topic()))
    finally:
        consumer.close()
    assert not given & denied
    return given


@pytest.mark.parametrize("name", INTENDED)
def test_groups_and_transactional_ids_are_ones_own(wall: SecureKafka, name: str) -> None:
    groups = {group for group in {*GROUPS.values(), "national.ch.other"} if joins(wall, name, group)}
    assert groups == ({GROUPS[name]} if name in GROUPS else set())
    ids = {one for one in ("national.ch.gate.0", "national.de.gate.0", "exchange.ch.x") if transacts(wall, name, one)}
    assert ids == ({f"national.{name[-2:]}.gate.0"} if name.startswith("gate.") else set())


def joins(wall: SecureKafka, name: str, group: str) -> bool:
    """Return whether a principal may commit a position for a group, which takes the right to read in its name."""
    place = ConsumerGroupTopicPartitions(group, [TopicPartition("exchange.directory", 0, 0)])
    (committed,) = admin(wall, name).alter_consumer_group_offsets([place]).values()
    if refused(committed):
        return False
    error = committed.result().topic_partitions[0].error
    assert error is None or error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED, (name, group, error)
    return error is None


def transacts(wall: SecureKafka, name: str, transactional_id: str) -> bool:
    producer = make_producer(properties(wall, name, **{"transactional.id": transactional_id}))
    try:
        producer.init_transactions(SECONDS)
    except KafkaException as error:
        return refusal(error) == ""
    return True


@pytest.mark.parametrize("name", INTENDED)
def test_only_the_operator_creates_and_alters_and_nobody_deletes(wall: SecureKafka, name: str) -> None:
    client, topic = admin(wall, name), f"national.ch.{uuid.uuid4()}"
    denied = "" if name == "operator" else "TOPIC_AUTHORIZATION_FAILED"
    (created,) = client.create_topics([NewTopic(topic, 1, 1)], validate_only=True).values()
    assert refused(created) == denied
    one = "exchange.ch.notices"
    (altered,) = client.create_partitions([NewPartitions(one, 2)], validate_only=True).values()
    assert refused(altered) == denied
    resource = ConfigResource(ResourceType.TOPIC, one)
    (read,) = client.describe_configs([resource]).values()
    assert refused(read) == denied
    (deleted,) = client.delete_topics([one]).values()
    assert refused(deleted) == "TOPIC_AUTHORIZATION_FAILED"
    (erased,) = client.delete_records([TopicPartition(one, 0, -1)]).values()
    with pytest.raises(
        KafkaException, match=r"TOPIC_AUTHORIZATION_FAILED|_NOENT"
    ):  # who does not see it finds no leader
        erased.result(SECONDS)
    if name == "operator":
        assert {change.kind for change in inspect_acls(*access(wall, name))} == {"same"}
    else:
        with pytest.raises(InfrastructureError, match="use the operator's"):
            inspect_acls(*access(wall, name))


def access(wall: SecureKafka, name: str) -> tuple[str, Partners, dict[str, str]]:
    return wall.broker.bootstrap, wall.partners, wall.broker.client(name)


def test_who_has_no_certificate_or_one_of_another_authority_is_let_in_nowhere(
    wall: SecureKafka, tmp_path: Path, impatient: None
) -> None:
    bootstrap, _, own = access(wall, "gate.ch")
    nobody = {key: value for key, value in own.items() if "certificate" not in key and "key" not in key}
    with pytest.raises(InfrastructureError, match="certificate required"):
        look_up_topics(bootstrap, nobody)
    make_certificates(tmp_path / "forged", ["gate.ch"])
    forged = {**client_files(tmp_path / "forged", "gate.ch"), "ssl.ca.location": own["ssl.ca.location"]}
    with pytest.raises(InfrastructureError, match="no broker answers"):
        look_up_topics(bootstrap, forged)
    with pytest.raises(InfrastructureError, match="no broker answers"):
        look_up_topics(bootstrap)


def test_what_was_applied_is_the_same_and_what_is_too_wide_is_told_and_stays(wall: SecureKafka) -> None:
    bootstrap, partners, own = access(wall, "operator")
    assert {change.kind for change in apply_acls(bootstrap, partners, own)} == {"same"}
    wide = AclBinding(
        ResourceType.TOPIC, "national.ch.", ResourcePatternType.PREFIXED, "User:partner.de", "*",
        AclOperation.READ, AclPermissionType.ALLOW,
    )  # fmt: skip
    elsewhere = AclBinding(
        ResourceType.TOPIC, "payroll", ResourcePatternType.LITERAL, "User:payroll", "*",
        AclOperation.ALL, AclPermissionType.ALLOW,
    )  # fmt: skip
    client = admin(wall, "operator")
    for future in client.create_acls([wide, elsewhere]).values():
        assert refused(future) == ""
    try:
        told = [change for change in apply_acls(bootstrap, partners, own) if change.kind != "same"]
        assert [(change.kind, str(change.entry)) for change in told] == [
            ("too wide", "User:partner.de may Read topic national.ch.…")
        ]
        more = partners.model_copy(update={"states": {**partners.states, "NL": Partner()}})
        kinds = {change.kind for change in inspect_acls(bootstrap, more, own) if ".nl" in change.entry.principal}
        assert kinds == {"missing"}
    finally:
        for binding in (wide, elsewhere):
            same = (binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host)
            (removed,) = client.delete_acls(
                [AclBindingFilter(*same, binding.operation, binding.permission_type)]
            ).values()
            assert refused(removed) == ""


def item(agency: str) -> dict[str, Any]:
    source = {"state": "CH", "agency": agency}
    return {"type": "domain-name", "value": "example.org", "form": "INFORMATION", "source": source}


def test_an_agency_publishes_to_its_own_topic_and_in_its_own_name(wall: SecureKafka) -> None:
    bootstrap, _, own = access(wall, "agency.ch.fedpol")
    with Publisher(bootstrap, "CH", "fedpol", properties=own) as publisher:
        publisher.publish(item("fedpol"))
        with pytest.raises(InputError, match="speaks for fedpol only"):
            publisher.publish(item("customs"))
    with pytest.raises(InfrastructureError, match="'customs' has no topic of its own in CH, or no permission"):
        Publisher(bootstrap, "CH", "customs", properties=own)


def test_the_gate_quarantines_what_an_agency_says_in_anothers_name(wall: SecureKafka) -> None:
    """With the settings that `broker up --secure` prints for the gate, and a client that is not ours."""
    record = Indicator.read({"id": str(uuid.uuid4()), **item("customs")})
    producer = make_producer(properties(wall, "agency.ch.fedpol"))
    value = codec_of("indicator").encode(record.to_wire())
    producer.produce("national.ch.indicators.fedpol", value, record.id.encode())
    assert producer.flush(SECONDS) == 0
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHARING_")}
    gate = subprocess.Popen(
        [sys.executable, "-m", "processors"], env=environment | wall.environment("gate.ch"), stderr=subprocess.PIPE
    )
    reader = TopicReader(properties(wall, "console.ch"), "national.ch.quarantine")
    try:
        found = reader.find(record.id, gate)
    finally:
        gate.terminate()
        gate.communicate(timeout=SECONDS)
    assert found["cause"] == "FIELD_SOURCE_AGENCY"


class TopicReader:
    """Looks on a topic of one partition for what became of an indicator."""

    def __init__(self, how: Mapping[str, Any], topic: str) -> None:
        self._consumer: Consumer = make_consumer({**how, "group.id": "national.ch.console"})
        self._consumer.assign([TopicPartition(topic, 0, 0)])

    def find(self, identity: str, gate: subprocess.Popen[bytes]) -> dict[str, Any]:
        deadline = time.monotonic() + 3 * SECONDS
        try:
            while time.monotonic() < deadline:
                assert gate.poll() is None, gate.stderr and gate.stderr.read()
                message = self._consumer.poll(0.2)
                if message is None or message.error() is not None or message.value() == b"tried":
                    continue
                record = codec_of("quarantine").decode(message.value())
                if record["indicator_id"] == identity:
                    return record
        finally:
            self._consumer.close()
        raise AssertionError("the gate did not quarantine it")
