"""`sharing partners leave` on a real Kafka with access control: a State that leaves, and what it leaves behind."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import KafkaError, Message, Producer

from sharing.kafka.acl_admin import apply_acls, inspect_acls, revoke_principals
from sharing.kafka.clients import client_properties, look_up_topics, make_producer
from sharing.kafka.departure import delete_topics, list_state_topics
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_writer import DirectoryWriter
from sharing.kafka.quota_admin import apply_quotas, inspect_quotas, remove_quotas
from sharing.kafka.topic_admin import apply_topics
from sharing.kafka.topic_range import TopicRange
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.model.vocabulary import MessageKind
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.faults import SealError, SealFault
from sharing.seal.opening import MessageOpener
from sharing.seal.sealing import BatchSealer
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.topology.partners import Partner, Partners
from sharing.trust.public_keys import KeyRole
from tests.cli.conftest import Call
from tests.kafka.keyed_states import KeyedState, make_signed_entry, read_now
from tests.kafka.topic_io import notice_bytes

SECONDS = 120.0
CANARY = "canary-5b7e.example.org"
ROLES = (KeyRole.GATE, KeyRole.DIRECTORY, KeyRole.SEAL)


@dataclass
class Cluster:
    """A cluster with CH, DE and XB, of which XB leaves."""

    kafka: SecureKafka
    partners: Partners
    states: dict[str, KeyedState]
    folder: Path

    @property
    def bootstrap(self) -> str:
        return self.kafka.broker.bootstrap

    def properties(self, name: str = "") -> dict[str, str]:
        return self.kafka.broker.client_properties(*([name] if name else []))

    def announce(self, entry: bytes | None) -> None:
        keyed = self.states["XB"]
        keys = OnlineKeys(keyed.folder, keyed.access)
        DirectoryWriter(self.bootstrap, keys, self.properties("console.xb")).announce(entry)

    def list_topics(self) -> list[str]:
        return list_state_topics(look_up_topics(self.bootstrap, self.properties()), "XB")

    def read(self, topic: str) -> list[Message]:
        """Return the records of a topic, as a super user reads them."""
        topic_range = TopicRange(self.bootstrap, topic, "look", properties=self.properties())
        try:
            return [message for batch in topic_range.read_batches() for message in batch]
        finally:
            topic_range.close()

    def count_rights(self) -> tuple[int, int]:
        """Return how many clients of XB have all their ACLs, and how many have quotas."""
        acls = inspect_acls(self.bootstrap, self.partners, self.properties())
        of_state = {change.entry.principal for change in acls if change.entry.principal.split(".")[1:2] == ["xb"]}
        lacking = {change.entry.principal for change in acls if change.kind == "missing"}
        quotas = inspect_quotas(self.bootstrap, self.partners, self.properties())
        with_quotas = [change for change in quotas if change.principal.endswith(".xb") and change.kind == "same"]
        return len(of_state - lacking), len(with_quotas)


@pytest.fixture
def cluster(secure_kafka: SecureKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    states = {**secure_kafka.partners.states, "XB": Partner()}
    partners = secure_kafka.partners.model_copy(update={"states": states})
    bootstrap, own = secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties()
    apply_topics(bootstrap, partners.topics, 1, own)
    apply_acls(bootstrap, partners, own)
    apply_quotas(bootstrap, partners, own)
    keyed = {state: KeyedState(state, tmp_path / state.lower(), *ROLES) for state in ("CH", "DE", "XB")}
    made = Cluster(secure_kafka, partners, keyed, tmp_path)
    file = tmp_path / "partners.yaml"
    file.write_text(yaml.safe_dump(partners.model_dump(mode="json")))
    trust_file = tmp_path / "trust.yaml"
    write_pins(trust_file, {state: make_pinned_root(each.pin, read_now()) for state, each in keyed.items()})
    for name, value in secure_kafka.environment("operator").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHARING_PARTNERS", str(file))
    monkeypatch.setenv("SHARING_TRUST_FILE", str(trust_file))
    try:
        yield made
    finally:
        revoke_principals(bootstrap, lambda principal: principal.state == "XB", own)
        remove_quotas(bootstrap, lambda principal: principal.state == "XB", own)
        delete_topics(bootstrap, made.list_topics(), own)


def write(producer: Producer, topic: str, value: bytes) -> int | None:
    """Write a record; return the error code, or None if the broker confirmed it."""
    codes: list[int | None] = []
    producer.produce(topic, value, b"k", 0, on_delivery=lambda error, _: codes.append(error.code() if error else None))
    assert producer.flush(SECONDS) == 0
    return codes[0]


def open_producer(cluster: Cluster, name: str) -> Producer:
    producer: Producer = make_producer(
        client_properties(cluster.bootstrap, {**cluster.properties(name), "message.timeout.ms": 15_000})
    )
    return producer


def seal_to_xb(cluster: Cluster) -> bytes:
    now, ch, xb = read_now(), cluster.states["CH"], cluster.states["XB"]
    identity = str(uuid.uuid4())
    statement = OnlineKeys(xb.folder, xb.access).get_trusted_keys(now).statement
    message = OutgoingMessage(
        identity, MessageKind.NOTICE, "XB", now, Stream("gate", now, 0, "notices"), 1,
        notice_bytes("XB", CANARY, identity),
    )  # fmt: skip
    keys = {"XB": statement.list_keys(KeyRole.SEAL)[0].to_published()}
    signing_key = OnlineKeys(ch.folder, ch.access).get_signing_key(KeyRole.GATE, now)
    (value,) = (
        BatchSealer("CH", secrets.token_bytes)
        .seal_batch([message], keys, signing_key, recipients_max=16, now=now)
        .records
    )
    return value


def open_as(cluster: Cluster, state: str, value: bytes, addressed_to: str = "XB") -> bytes:
    """Open a message with the seal keys of a State."""
    ch = cluster.states["CH"]
    trusted = {"CH": OnlineKeys(ch.folder, ch.access).get_trusted_keys(read_now())}
    opener = MessageOpener(addressed_to)
    keyed = cluster.states[state]
    keys = OnlineKeys(keyed.folder, keyed.access).get_opening_keys(read_now())
    return opener.open(opener.verify(value, trusted, read_now()), keys)


@pytest.mark.kafka
def test_a_state_leaves(call: Call, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """It removes its entry; then its rights and quotas end; and what was sealed to it opens for nobody else."""
    cluster.announce(make_signed_entry("XB"))
    sealed = seal_to_xb(cluster)
    assert write(open_producer(cluster, "gate.ch"), "exchange.xb.notices", sealed) is None
    gate, agency = open_producer(cluster, "gate.xb"), open_producer(cluster, "agency.xb")
    assert write(agency, "national.xb.indicators", b"sealed") is None
    topics = cluster.list_topics()

    preview = call("partners", "leave", "xb", "--json").json_document
    assert (preview["dry_run"], preview["entry"]["status"], preview["entry"]["verified"]) == (True, "IN_FORCE", True)
    waiting = {row["topic"]: row["records"] for row in preview["waiting"]}
    assert (waiting["national.xb.indicators"], waiting["exchange.xb.notices"], waiting["national.xb.drafts"]) == (
        1,
        1,
        0,
    )
    assert {row["group"] for row in preview["waiting"]} == {"national.xb.gate", "national.xb.gate.inbox"}
    assert preview["topics"] == {"kept": topics, "deleted": []}
    assert cluster.count_rights() == (4, 4)

    refused = call("partners", "leave", "XB", "--confirm")
    assert refused.code == 2
    assert "XB still has an entry in the directory" in refused.error
    assert cluster.count_rights() == (4, 4)

    cluster.announce(None)
    left = call("partners", "leave", "XB", "--confirm", "--json").json_document
    assert left["entry"] == {"status": "REMOVED", "verified": True, "until": None}
    assert left["quotas"] == ["agency.xb", "console.xb", "gate.xb", "partner.xb"]
    assert left["removed"] == preview["removed"]
    assert cluster.count_rights() == (0, 0)
    denied = {KafkaError.TOPIC_AUTHORIZATION_FAILED}
    assert {write(gate, "exchange.ch.notices", b"x"), write(agency, "national.xb.indicators", b"x")} == denied
    assert cluster.list_topics() == topics
    assert any("remove XB from the partners file" in step for step in left["next"])

    (message,) = cluster.read("exchange.xb.notices")
    assert CANARY.encode() not in (message.value() or b"")
    assert CANARY.encode() in open_as(cluster, "XB", sealed)
    for state in ("CH", "DE"):
        with pytest.raises(SealError) as unopened:
            open_as(cluster, state, sealed)
        assert unopened.value.fault is SealFault.UNKNOWN_SEAL_KEY
        with pytest.raises(SealError) as unaddressed:
            open_as(cluster, state, sealed, addressed_to=state)
        assert unaddressed.value.fault is SealFault.WRONG_RECIPIENT

    not_permitted = call("partners", "leave", "XB", "--confirm", "--topics", "exchange")
    assert not_permitted.code == 3
    assert "only a super user of the cluster may; nothing was changed" in not_permitted.error
    for name, value in zip(("CA", "CERTIFICATE", "KEY"), _list_files(cluster), strict=True):
        monkeypatch.setenv(f"SHARING_TLS_{name}", value)
    deleted = call("partners", "leave", "XB", "--confirm", "--topics", "exchange", "--json").json_document
    assert deleted["topics"]["deleted"] == [name for name in topics if not name.startswith("national.")]
    assert cluster.list_topics() == deleted["topics"]["kept"] == [name for name in topics if "national" in name]
    again = call("partners", "leave", "XB", "--confirm", "--topics", "all")
    assert (again.code, "no entry in force, its directory topic does not exist" in again.out) == (0, True)
    assert cluster.list_topics() == []


def _list_files(cluster: Cluster) -> list[str]:
    files = cluster.properties()
    return [files[name] for name in ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location")]


@pytest.mark.kafka
def test_a_state_that_cannot_sign_any_more_is_unpinned_by_the_others(call: Call, cluster: Cluster) -> None:
    cluster.announce(make_signed_entry("XB"))
    assert call("partners", "leave", "XB", "--confirm").code == 2
    left = call("partners", "leave", "XB", "--confirm", "--unsigned")
    assert left.code == 0
    assert "entry in force until" in left.out
    assert "every other State: `sharing trust remove XB`" in left.err
    assert cluster.count_rights() == (0, 0)

    def read_states(pins: dict[str, Any]) -> set[str]:
        reader = DirectoryReader(cluster.bootstrap, cluster.properties("gate.ch"), pins=pins)
        try:
            return set(reader.read_to_end().entries) & {"XB"}
        finally:
            reader.close()

    pins = {state: keyed.pin for state, keyed in cluster.states.items()}
    assert read_states(pins) == {"XB"}  # until its statement expires
    assert call("trust", "remove", "XB").code == 0
    assert read_states({state: pin for state, pin in pins.items() if state != "XB"}) == set()


@pytest.mark.kafka
def test_an_entry_that_ends_only_by_a_clock_that_is_ahead_is_in_force(
    call: Call, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signed statement ends after a day, unless its State's gate renews it."""
    cluster.announce(make_signed_entry("XB"))
    real, real_ns = time.time, time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: real() + 2 * 86_400)
        patch.setattr("time.time_ns", lambda: real_ns() + 2 * 86_400 * 10**9)
        refused = call("partners", "leave", "XB", "--confirm", "--topics", "all")
    assert refused.code == 2
    assert "by this machine's clock it is " in refused.error
    assert refused.error.endswith("and run this again; nothing was changed")
    assert cluster.count_rights() == (4, 4)


@pytest.mark.kafka
def test_an_entry_that_cannot_be_read_is_not_one_that_was_removed(call: Call, cluster: Cluster) -> None:
    preview = call("partners", "leave", "XB")
    assert (preview.code, "it cannot be read" in preview.out) == (0, True), preview
    refused = call("partners", "leave", "XB", "--confirm", "--topics", "all")
    assert (refused.code, "the directory cannot be read" in refused.error) == (2, True), refused
    assert cluster.count_rights() == (4, 4)
    assert call("partners", "leave", "XB", "--confirm", "--unsigned").code == 0


@pytest.mark.kafka
def test_who_cannot_leave_is_refused_and_only_the_operator_may_run_it(
    call: Call, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals: tuple[tuple[str, dict[str, str | None], str], ...] = (
        ("Germny", {}, "did you mean DE"),
        ("FR", {}, "FR is not in "),
        ("XB", {"SHARING_STATE": "XB"}, "XB is the State of this installation"),
        ("XB", {"SHARING_PARTNERS": None}, "no partners file is configured"),
    )
    for state, settings, message in refusals:
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.delenv(name) if value is None else patch.setenv(name, value)
            result = call("partners", "leave", state, "--confirm")
        assert (result.code, result.out) == (2, "")
        assert message in result.error
    for name, value in cluster.kafka.environment("console.ch").items():
        if name != "SHARING_PARTNERS":
            monkeypatch.setenv(name, value)
    result = call("partners", "leave", "XB")
    assert result.code == 3
    assert "use the operator's" in result.error
    assert cluster.count_rights() == (4, 4)
