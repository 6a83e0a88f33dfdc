"""`sharing doctor --deep`: a test item through a real gate; if it stops at a stage, the finding says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, not declared
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from sharing.cli.doctor import smoke_test, topics
from sharing.kafka.acl_admin import inspect_acls
from sharing.kafka.clients import client_properties, make_admin, make_producer
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.kafka.gate_status import read_gate_status
from sharing.kafka.tls import TlsIdentity
from sharing.kafka.topic_admin import apply_topics
from sharing.model.vocabulary import AuditLogName, Outcome
from sharing.packs.library import find_law, load_cases
from sharing.serialization.codec import get_codec
from sharing.testing.broker import Broker
from sharing.testing.broker.certificates import client_tls_properties
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.secure_kafka import SecureKafka
from sharing.testing.samples import smoke_test_directory, smoke_test_packs
from sharing.testing.smoke_test import PROVIDER, SmokeTest, SmokeTestStage, gate_start_command
from sharing.topology.acls import OPERATOR, list_principals
from sharing.topology.partners import Partner
from sharing.topology.topics import DECISIONS, DIRECTORY, NOTICES, QUARANTINE, list_topics
from tests.cli.conftest import Call
from tests.conftest import NEWCOMERS
from tests.faults.gate_process import GateProcess
from tests.kafka.quota_fixtures import remove_quotas
from tests.kafka.topic_io import fill_defaults, notice_bytes, write_records
from tests.support.audit_entries import make_block
from tests.support.gate_traces import clear_gate_traces
from tests.support.waiting import wait_until

SHORT_S, LONG_S = 0.5, 150.0


@pytest.fixture
def empty() -> Iterator[EmbeddedBroker]:
    """An embedded broker with nothing on it."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def bus(empty: EmbeddedBroker) -> EmbeddedBroker:
    """A broker on which the test States have topics and entries, but no gate."""
    set_up_test_states(empty)
    return empty


def set_up_test_states(broker: Broker) -> None:
    """Create the topics of the test States, and announce their entries."""
    topics = list_topics(["XA", "XB"], partitions=2)
    if isinstance(broker, EmbeddedBroker):
        for topic in topics.values():
            broker.create_topics([topic.name], topic.partitions)
    else:
        apply_topics(broker.bootstrap, topics, replication=1)
    announce_all(broker)


def announce_all(broker: Broker) -> None:
    for entry in parse_entries(smoke_test_directory().read_text(), "directory.yaml"):
        announce_entry(broker.bootstrap, entry)


def run_to_last_stage(test: SmokeTest) -> SmokeTestStage:
    """Run the test and return its last stage; all earlier stages must pass."""
    *earlier, last = test.run()
    assert all(stage.ok for stage in earlier)
    return last


def run_until_failure(broker: Broker, wait_s: float = SHORT_S) -> SmokeTestStage:
    """Run the test and return the stage that failed."""
    failed = run_to_last_stage(SmokeTest(broker.bootstrap, wait_s=wait_s))
    assert not failed.ok
    assert failed.remedy
    return failed


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Any]:
    """Return a function that starts the gate of Test State A with a folder of packs."""
    started: list[GateProcess] = []

    def start(broker: Broker, packs: Path, name: str = "gate", **settings: str) -> GateProcess:
        process = GateProcess(broker.bootstrap, PROVIDER, tmp_path, name=name, packs=str(packs), **settings)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def write_altered_law(folder: Path, before: str, after: str) -> Path:
    """Return a folder with the law of the test State, altered."""
    folder.mkdir()
    for file in smoke_test_packs().glob("*.yaml"):
        if not file.name.endswith(".cases.yaml"):
            text = file.read_text()
            (folder / file.name).write_text(text.replace(before, after))
    return folder


# --- Each problem that an operator may have, in order ---


def test_all_stages_pass_and_are_timed(bus: EmbeddedBroker, gate: Any) -> None:
    gate(bus, smoke_test_packs())
    stages = list(SmokeTest(bus.bootstrap, wait_s=LONG_S).run())
    assert [stage.name for stage in stages] == ["topics", "directory", "publish", "decision", "notice"]
    assert all(stage.ok for stage in stages), stages
    _, _, publish, decision, notice = stages
    assert 0 < publish.seconds <= decision.seconds <= notice.seconds
    assert "DISCLOSE to XB by xa.smoke-1, xa.smoke-2 of pack XA 2026.1" in decision.detail
    assert f"{notice.seconds:.3f} s after publishing" in notice.detail


def test_missing_topics(empty: EmbeddedBroker) -> None:
    stage = run_until_failure(empty)
    assert stage.name == "topics"
    assert "national.xa.indicators" in stage.detail
    assert "sharing topics apply --states XA,XB" in stage.detail


def test_a_receiver_without_a_valid_directory_entry(empty: EmbeddedBroker) -> None:
    for topic in list_topics(["XA", "XB"], partitions=2).values():
        empty.create_topics([topic.name], topic.partitions)
    stage = run_until_failure(empty)
    assert (stage.name, stage.detail) == ("directory", "XB has no valid entry")
    assert stage.remedy == f"sharing directory announce {smoke_test_directory()}"
    text = smoke_test_directory().read_text().replace("Test State B, kind: POLICE", "Test State B, kind: TAX")
    for entry in parse_entries(text, "directory.yaml"):
        announce_entry(empty.bootstrap, entry)
    assert run_until_failure(empty).detail == "XB has authorities of the kind TAX, not POLICE"
    announce_all(empty)
    assert run_until_failure(empty).name == "decision"


def test_no_gate_is_running(bus: EmbeddedBroker) -> None:
    stage = run_until_failure(bus)
    assert stage.name == "decision"
    assert stage.detail.startswith("none within 0.5 s; ")
    assert "group national.xa.gate" in stage.detail
    assert gate_start_command() in stage.remedy


@pytest.mark.parametrize(
    ("before", "after", "detail"),
    [
        ("collection: OPEN_SOURCE", "collection: VOLUNTARY", "XB: WITHHOLD under pack XA 2026.1: no rule permits it"),
        (
            "when: {recipient.state: XB}\n    effect: CONDITION",
            "when: {secrecy_domain: true}\n    effect: CONDITION",
            "XB: WITHHOLD under pack XA 2026.1: xa.smoke-2 lacks secrecy_domain",
        ),
        (
            "effect: CONDITION\n    needs: {condition: {kind: PURPOSE, text: Used for nothing but a test of the bus.}}",
            "effect: DENY",
            "XB: WITHHOLD under pack XA 2026.1: DENY by xa.smoke-2",
        ),
        ("ATTACHED_BINDING", "PRE_ACCEPT", "XB: OFFER under pack XA 2026.1: CONDITION by xa.smoke-2"),
    ],
    ids=["no permission", "a missing fact", "a prohibition", "an offer"],
)
def test_a_different_law_pack_withholds(
    bus: EmbeddedBroker, gate: Any, tmp_path: Path, before: str, after: str, detail: str
) -> None:
    folder = write_altered_law(tmp_path / "packs", before, after)
    assert find_law(PROVIDER, folder).pack.sha256 != find_law(PROVIDER, smoke_test_packs()).pack.sha256
    gate(bus, folder)
    stage = run_until_failure(bus, LONG_S)
    assert (stage.name, stage.detail) == ("decision", detail)
    assert stage.remedy.endswith(gate_start_command())


# --- Records that a gate might write, written by the test ---


def encode_decision(test: SmokeTest, outcome: Outcome) -> bytes:
    """Return a block with a decision on the item of a run."""
    sha256 = find_law(PROVIDER, smoke_test_packs()).pack.sha256
    recipient: dict[str, Any] = {
        "state": "XB", "to_authority": None, "outcome": str(outcome), "basis": None, "condition_model": None,
        "rules": [], "undecided": [],
        "conditions": [], "approver": None, "obligation": False, "relevance": [], "redacted": [],
    }  # fmt: skip
    record = {
        "indicator_id": test.item["id"], "version": 1, "decided_at": 0, "state": "XA",
        "pack": {"state": "XA", "version": "2026.1", "sha256": sha256}, "directory_version": "v", "amendment": 0,
        "recipients": [recipient],
    }  # fmt: skip
    return make_block("XA", AuditLogName.DECISIONS, [get_codec("decision").encode(record)])


def test_a_missing_notice(bus: EmbeddedBroker) -> None:
    test = SmokeTest(bus.bootstrap, wait_s=LONG_S)
    run = test.run()
    while next(run).name != "publish":
        pass
    write_records(bus, DECISIONS.topic("XA"), [b"of another release", encode_decision(test, Outcome.DISCLOSE)])
    write_records(bus, NOTICES.topic("XB"), [b"of another release", notice_bytes("XB")])
    decision = next(run)
    test._wait_s = SHORT_S
    (notice,) = run
    assert decision.ok
    assert not notice.ok
    assert notice.detail.startswith("none within 0.5 s, although the decision says DISCLOSE")
    assert "exchange.xb.notices" in notice.remedy


def test_a_notice_that_does_not_match_the_item(bus: EmbeddedBroker) -> None:
    test = SmokeTest(bus.bootstrap, wait_s=LONG_S)
    run = test.run()
    while next(run).name != "publish":
        pass
    write_records(bus, DECISIONS.topic("XA"), [encode_decision(test, Outcome.DISCLOSE)])
    write_records(bus, NOTICES.topic("XB"), [notice_bytes("XB", indicator_id=test.item["id"])])
    decision, notice = run
    assert decision.ok
    assert not notice.ok
    assert "does not match the item" in notice.detail


def test_withheld_under_the_law_pack_of_the_test(bus: EmbeddedBroker) -> None:
    test = SmokeTest(bus.bootstrap, wait_s=LONG_S)
    run = test.run()
    while next(run).name != "publish":
        pass
    write_records(bus, DECISIONS.topic("XA"), [encode_decision(test, Outcome.WITHHOLD)])
    (decision,) = run
    assert not decision.ok
    assert decision.remedy.endswith(f"sharing directory announce {smoke_test_directory()}")


def test_a_quarantined_item(bus: EmbeddedBroker) -> None:
    test = SmokeTest(bus.bootstrap, wait_s=LONG_S)
    run = test.run()
    while next(run).name != "publish":
        pass
    record = fill_defaults("quarantine", {
        "id": "q", "state": "XA", "topic": "national.xa.indicators", "partition": 0, "offset": 0, "quarantined_at": 0,
        "stage": "CHECK", "cause": "WRONG_AGENCY", "message": "m", "indicator_id": test.item["id"],
        "record": b"",
    })  # fmt: skip
    write_records(bus, QUARANTINE.topic("XA"), [get_codec("quarantine").encode(record)])
    (decision,) = run
    assert (decision.ok, decision.detail) == (False, "the gate quarantined the item at CHECK: WRONG_AGENCY: m")


# --- As a command ---


def deep_findings(document: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the findings of the smoke test by stage."""
    return {
        finding["check"].removeprefix("deep "): finding for finding in document if finding["check"].startswith("deep ")
    }


@pytest.mark.usefixtures("short_connect_timeout")
def test_without_a_broker_it_does_not_start(call: Call) -> None:
    for arguments in ((), ("--bootstrap", "127.0.0.1:1")):
        result = call("doctor", "--deep", "--json", *arguments)
        assert result.code == 1
        (finding,) = deep_findings(result.json_document).values()
        assert (finding["detail"], finding["ok"]) == ("not started: no broker answers", False)


def test_the_folder_of_certificates_must_be_complete(
    call: Call, bus: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "inspect_topics", lambda *_, **__: [])  # the mock cluster cannot
    result = call("doctor", "--deep", "--bootstrap", bus.bootstrap, "--certificates", tmp_path / "none", "--json")
    assert "is not a folder of certificates" in deep_findings(result.json_document)["start"]["detail"]
    (tmp_path / "some").mkdir()
    result = call("doctor", "--deep", "--bootstrap", bus.bootstrap, "--certificates", tmp_path / "some", "--json")
    assert "has no certificate for agency.xa" in deep_findings(result.json_document)["topics"]["detail"]


def test_a_single_certificate_is_not_enough(call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = TlsIdentity("operator", OPERATOR, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    monkeypatch.setattr(smoke_test, "read_identity", lambda _: identity)
    monkeypatch.setattr(topics, "inspect_topics", lambda *_, **__: [])  # the mock cluster cannot
    result = call("doctor", "--deep", "--bootstrap", bus.bootstrap, "--json")
    (finding,) = deep_findings(result.json_document).values()
    assert finding["detail"].endswith("console.xa and partner.xb; only that of operator is configured")
    assert finding["remedy"].startswith("give --certificates a folder")


@pytest.fixture
def newcomers(secure_kafka: SecureKafka, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecureKafka]:
    """A Kafka with access control, with the operator's settings and the test States in the partners file."""
    clear_gate_traces(secure_kafka)
    test_states = {state: Partner.model_validate(partner) for state, partner in NEWCOMERS.items()}
    partners = secure_kafka.partners.model_copy(update={"states": {**secure_kafka.partners.states, **test_states}})
    for variable, value in secure_kafka.environment("operator").items():
        monkeypatch.setenv(variable, value)
    (empty_folder / "partners.yaml").write_text(yaml.safe_dump(partners.model_dump(mode="json")))
    monkeypatch.setenv("SHARING_PARTNERS", str(empty_folder / "partners.yaml"))
    yield secure_kafka
    producer = make_producer(client_properties(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties()))
    for state in test_states:
        producer.produce(DIRECTORY.topic(state), None, state.encode(), 0)  # an empty record removes the entry
    assert producer.flush(LONG_S) == 0
    super_user = make_admin(secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties())
    created = set(partners.topics) - set(secure_kafka.partners.topics)
    surplus = [
        change.entry
        for change in inspect_acls(
            secure_kafka.broker.bootstrap, secure_kafka.partners, secure_kafka.broker.client_properties()
        )
    ]
    names = {entry.principal for entry in surplus if entry.principal.split(".")[1:2] in (["xa"], ["xb"])}
    anything: Any = None  # a wildcard, which the type stubs do not allow
    filters = [
        AclBindingFilter(
            ResourceType.ANY, anything, ResourcePatternType.ANY, name, anything, AclOperation.ANY, AclPermissionType.ANY
        )
        for name in names
    ]
    for future in [*super_user.delete_topics(sorted(created)).values(), *super_user.delete_acls(filters).values()]:
        future.result(LONG_S)
    known = {principal.name for principal in list_principals(secure_kafka.partners)}
    remove_quotas(secure_kafka, *({principal.name for principal in list_principals(partners)} - known))


@pytest.mark.kafka
def test_with_access_control_each_principal_uses_its_own_certificate(
    newcomers: SecureKafka, call: Call, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap, folder = newcomers.broker.bootstrap, newcomers.broker.certificates_folder
    command = ("doctor", "--deep", "--certificates", folder, "--json")
    monkeypatch.setattr(smoke_test, "WAIT_SECONDS_MAX", SHORT_S)
    result = call(*command)
    assert result.code == 1
    assert deep_findings(result.json_document)["topics"]["detail"].startswith(
        "national.xa.indicators: does not exist, or no permission"
    )
    assert call("topics", "apply", "--acls").code == 0
    for entry in parse_entries(smoke_test_directory().read_text(), "directory.yaml"):
        announce_entry(bootstrap, entry, client_tls_properties(folder, f"console.{entry.state.lower()}"))
    result = call(*command)
    assert result.code == 1
    assert {finding["check"] for finding in result.json_document if not finding["ok"]} == {"deep decision"}
    assert deep_findings(result.json_document)["decision"]["detail"].endswith(
        "no gate of XA is running: group national.xa.gate has no members"
    )
    tls = client_tls_properties(folder, "gate.xa")
    gate(
        newcomers.broker,
        smoke_test_packs(),
        agencies="smoke-test",
        tls_ca=tls["ssl.ca.location"],
        tls_certificate=tls["ssl.certificate.location"],
        tls_key=tls["ssl.key.location"],
    )
    as_operator = newcomers.broker.client_properties()
    wait_until(
        lambda: read_gate_status(bootstrap, "national.xa.gate", {}, as_operator).workers > 0, "the gate has joined"
    )
    monkeypatch.setattr(smoke_test, "WAIT_SECONDS_MAX", LONG_S)
    result = call(*command)
    assert result.code == 0, result
    assert (
        "DISCLOSE to XB by xa.smoke-1, xa.smoke-2 of pack XA 2026.1"
        in deep_findings(result.json_document)["decision"]["detail"]
    )
    assert "can be read on exchange.xb.notices" in deep_findings(result.json_document)["notice"]["detail"]
    text = call(*command[:-1])
    assert text.code == 0
    assert "ok   deep notice: notice " in text.out


# --- The law of the test State ---


def test_the_test_pack_is_covered_by_its_cases(call: Call) -> None:
    cases = load_cases(smoke_test_packs() / "xa.yaml")
    assert cases is not None
    kinds = {(case.rule, str(case.kind)) for case in cases.cases}
    rule_ids = {rule.id for rule in find_law(PROVIDER, smoke_test_packs()).pack.rules if rule.id.startswith("xa.")}
    assert {rule for rule, _ in kinds} == rule_ids
    assert {(rule, kind) for rule in rule_ids for kind in ("decides", "outside", "boundary")} <= kinds
    assert call("law", "test", "XA", "--packs", smoke_test_packs()).code == 0
