"""`sharing keys resend`: what it reports, what it refuses, and the one right that it needs beyond a gate's."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, not declared
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from sharing.kafka.clients import client_properties, make_admin, make_producer
from sharing.kafka.resending import Resending
from sharing.model.times import DAY_MS, HOUR_MS, format_time
from sharing.seal.indicators import IndicatorSealer
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.acls import list_acl_entries, make_resend_rule
from sharing.topology.topics import DIRECTORY, INDICATORS
from sharing.trust.public_keys import KeyRole
from tests.cli.conftest import Call, CommandResult
from tests.kafka.keyed_states import KeyedState, make_signed_entry, read_now
from tests.kafka.topic_io import SECONDS, read_records, write_records
from tests.support.waiting import wait_until

ROLES = (KeyRole.GATE, KeyRole.DIRECTORY, KeyRole.SEAL)


@dataclass(frozen=True)
class ResendingState:
    """A State whose gate key may have been revoked."""

    call: Call
    kafka: KafkaBroker
    keyed: KeyedState

    @property
    def topic(self) -> str:
        return INDICATORS.topic(self.keyed.state)

    def announce(self) -> None:
        self.keyed.open_writer(self.kafka).announce(make_signed_entry(self.keyed.state))

    def resend(self, *options: str, since: str = "") -> CommandResult:
        where = ("--state", self.keyed.state, "--folder", self.keyed.folder.path, "--bootstrap", self.kafka.bootstrap)
        return self.call("keys", "resend", "--since", since or format_time(read_now() - DAY_MS), *where, *options)

    def write_sealed(self, count: int) -> None:
        """Write indicators that are sealed to the seal key in force."""
        keys = self.keyed.folder.read_keys(self.keyed.folder.read_roots())
        assert keys is not None
        seal_key = keys.statement.list_keys(KeyRole.SEAL)[-1].to_published()
        sealer = IndicatorSealer(self.keyed.state, secrets.token_bytes)
        write_records(
            self.kafka,
            self.topic,
            [sealer.seal_indicator(b"key", b"content", seal_key, read_now()) for _ in range(count)],
        )

    def count_records(self) -> int:
        return len(read_records(self.kafka, self.topic))


@pytest.fixture
def resending(call: Call, kafka: KafkaBroker, state: str, empty_folder: Path) -> ResendingState:
    kafka.create_topics([INDICATORS.topic(state)], 2)
    kafka.create_topics([DIRECTORY.topic(state)], 1)
    return ResendingState(call, kafka, KeyedState(state, empty_folder / "keys", *ROLES))


@pytest.mark.kafka
def test_a_run_reports_what_it_wrote(resending: ResendingState) -> None:
    resending.announce()
    resending.write_sealed(3)
    since = format_time(read_now() - HOUR_MS)
    counted = resending.resend("--dry-run", since=since)
    assert (counted.code, "3 records would be written again" in counted.out) == (0, True)
    result = resending.resend(since=since)
    assert (result.code, result.out) == (0, f"{resending.topic}  3\n3 records written again\n")
    assert "withholds older versions of an item" in result.err
    again = resending.resend(since=since)
    assert (again.code, "nothing is left from" in again.out, resending.count_records()) == (0, True, 6)
    document = resending.resend("--json", since=since).json_document
    assert document == {
        "state": resending.keyed.state, "since": since, "until": None, "dry_run": False, "continued": True,
        "written": 0, "topics": {}, "not_openable": {}, "oversized": 0, "unreadable_batches": 0,
    }  # fmt: skip


@pytest.mark.kafka
def test_what_was_sealed_to_a_revoked_seal_key_is_left_to_its_agency(resending: ResendingState) -> None:
    resending.write_sealed(2)
    resending.keyed.revoke(KeyRole.SEAL, now=read_now())
    resending.keyed.issue(KeyRole.SEAL, now=read_now())
    resending.announce()
    resending.write_sealed(3)
    write_records(resending.kafka, resending.topic, [b"damaged", None])
    result = resending.resend()
    assert (result.code, "5 records written again" in result.out) == (1, True)
    assert f"{resending.topic}: 2 records are sealed to a seal key that was revoked" in result.err
    assert "their agency publishes them again, with the same ids" in result.err
    assert resending.count_records() == 7 + 5


@pytest.mark.kafka
def test_nothing_is_written_before_others_can_know_the_new_key(resending: ResendingState) -> None:
    resending.write_sealed(1)
    refused = resending.resend()
    assert (refused.code, "does not have key statement 1 yet" in refused.error) == (3, True)
    resending.announce()
    resending.keyed.revoke(KeyRole.GATE, now=read_now())
    without = resending.resend()
    assert (without.code, "has no gate key in force" in without.error) == (2, True)
    resending.keyed.issue(KeyRole.GATE, now=read_now())
    refused = resending.resend()
    assert (refused.code, "does not have key statement 3 yet" in refused.error) == (3, True)
    assert resending.count_records() == 1
    resending.keyed.open_writer(resending.kafka).renew()
    assert resending.resend().code == 0
    assert resending.count_records() == 2


@pytest.mark.kafka
def test_a_range_without_records_is_an_error(resending: ResendingState) -> None:
    resending.announce()
    result = resending.resend("--until", format_time(read_now() - HOUR_MS))
    assert (result.code, f"{resending.topic}: no records from" in result.error) == (2, True)


@pytest.mark.kafka
def test_a_state_without_topics_is_told_so(call: Call, kafka: KafkaBroker, state: str, empty_folder: Path) -> None:
    result = ResendingState(call, kafka, KeyedState(state, empty_folder / "keys", *ROLES)).resend()
    assert (result.code, "sharing topics apply" in result.error) == (3, True)


@pytest.mark.usefixtures("short_connect_timeout")
def test_wrong_use_is_refused(call: Call, empty_folder: Path) -> None:
    keys = KeyedState("CH", empty_folder / "keys", *ROLES).folder.path
    past, future = format_time(read_now() - HOUR_MS), format_time(read_now() + HOUR_MS)

    def run(*options: str | Path) -> tuple[int, str]:
        result = call("keys", "resend", *options, "--bootstrap", "127.0.0.1:1")
        return result.code, result.error

    own = ("--state", "CH", "--folder", keys)
    for code, message, options in (
        (2, "which State?", ("--since", past, "--folder", keys)),
        (2, "no key folder is set", ("--since", past, "--state", "CH")),
        (2, "is the key folder of CH; give that of DE", ("--since", past, "--state", "DE", "--folder", keys)),
        (2, "--since is in the future", ("--since", future, *own)),
        (2, "--until is in the future", ("--since", past, "--until", future, *own)),
        (2, "--until must be later than --since", ("--since", past, "--until", past, *own)),
        (2, "--since yesterday: must be a time with a zone", ("--since", "yesterday", *own)),
        (2, "--since is before 1970", ("--since", "1960-01-01T00:00:00Z", *own)),
        (3, "no broker answers at 127.0.0.1:1", ("--since", past, *own)),
    ):
        refused, error = run(*options)
        assert (refused, message in error) == (code, True), error


@pytest.fixture
def gate(secure_kafka: SecureKafka, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecureKafka]:
    """Commands run as the gate of CH. Afterwards the right to write is gone."""
    for variable, value in secure_kafka.environment("gate.ch").items():
        monkeypatch.setenv(variable, value)
    yield secure_kafka
    change_write_right(secure_kafka, grants=False)


def change_write_right(secure_kafka: SecureKafka, *, grants: bool) -> None:
    """Grant or remove what `sharing keys resend` needs, by the rule that it prints."""
    (entry,) = make_resend_rule("CH").entries
    assert entry not in list_acl_entries(secure_kafka.partners), "it does not stay"
    client = make_admin(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties())
    resource = (ResourceType.TOPIC, entry.name, ResourcePatternType.PREFIXED, entry.principal, "*")
    operation = (AclOperation.WRITE, AclPermissionType.ALLOW)
    answers: Any
    if grants:
        answers = client.create_acls([AclBinding(*resource, *operation)])
    else:
        answers = client.delete_acls([AclBindingFilter(*resource, *operation)])
    for answer in answers.values():
        answer.result(SECONDS)
    run = open_gate_run(secure_kafka, read_now())
    wait_until(lambda: (run.list_denied_topics() == []) is grants, "the brokers apply it")
    run.close()


def open_gate_run(secure_kafka: SecureKafka, since_ms: int) -> Resending:
    return Resending(
        secure_kafka.broker.bootstrap, "CH", since_ms, properties=secure_kafka.broker.client_properties("gate.ch")
    )


@pytest.mark.kafka
def test_a_gate_may_do_it_with_one_more_right(gate: SecureKafka, call: Call, empty_folder: Path) -> None:
    keys = KeyedState("CH", empty_folder / "keys", *ROLES).folder.path
    topic, since_ms = INDICATORS.topic("CH", "fedpol"), read_now()
    properties = gate.broker.client_properties("agency.ch.fedpol")
    producer = make_producer(client_properties(gate.broker.bootstrap, properties))
    producer.produce(topic, b"value", b"key")
    assert producer.flush(SECONDS) == 0

    def count_copies() -> int:
        with open_gate_run(gate, since_ms) as run:
            run.begin(dry_run=True)
            return run.write_again(lambda _: False, lambda _: None).written[topic]

    result = call("keys", "resend", "--folder", keys, "--since", format_time(since_ms))
    assert (result.code, f"gate.ch may not write to {INDICATORS.topic('CH', 'customs')}, {topic}" in result.error) == (
        3,
        True,
    )
    command = result.error.partition("`")[2].partition("`")[0]
    expected = "--add --allow-principal User:gate.ch --operation Write --topic national.ch.indicators"
    assert shlex.split(command)[5:] == [*expected.split(), "--resource-pattern-type", "prefixed"]
    assert count_copies() == 1
    change_write_right(gate, grants=True)
    with open_gate_run(gate, since_ms) as run:
        run.begin()
        assert run.write_again(lambda _: False, lambda _: None).written == {topic: 1}
    change_write_right(gate, grants=False)
    assert open_gate_run(gate, since_ms).list_denied_topics() == [INDICATORS.topic("CH", "customs"), topic]


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("agency.ch.fedpol", "this needs the certificate of gate.ch"),
        ("operator", "this needs the certificate of gate.ch"),
        ("gate.de", "belongs to DE, but SHARING_STATE is CH"),
    ],
)
def test_another_certificate_is_refused(
    secure_kafka: SecureKafka, call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    for variable, value in secure_kafka.environment(name).items():
        monkeypatch.setenv(variable, value)
    keys = KeyedState("CH", empty_folder / "keys", *ROLES).folder.path
    since = format_time(read_now() - HOUR_MS)
    result = call("keys", "resend", "--state", "CH", "--folder", keys, "--since", since)
    assert (result.code, message in result.error) == (2, True), result
