"""`sharing doctor --deep`: one marked item through a real gate; where it stops, the operator is told what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
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

from sharing.cli.doctor import deep as examined
from sharing.kafka.acl_admin import inspect_acls
from sharing.kafka.clients import client_properties, make_admin, make_producer
from sharing.kafka.directory_topic import announce, read_entries
from sharing.kafka.tls import TlsIdentity
from sharing.kafka.topic_admin import apply_topics
from sharing.model.vocabulary import Outcome
from sharing.packs.library import find_law, read_cases
from sharing.serialization.codec import codec_of
from sharing.testing.broker import Broker
from sharing.testing.broker.certificates import client_files
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.secure import SecureKafka
from sharing.testing.samples import smoke_directory, smoke_packs
from sharing.testing.smoke_test import PROVIDER, SmokeTest, SmokeTestStage, start_command
from sharing.topology.acls import OPERATOR
from sharing.topology.partners import Partner
from sharing.topology.topics import DECISIONS, DIRECTORY, NOTICES, QUARANTINE, topics_for
from tests.cli.conftest import Call
from tests.conftest import NEWCOMERS
from tests.faults.gate_process import GateProcess
from tests.kafka.topic_io import complete, notice_bytes, write

SHORT_S, LONG_S = 0.5, 60.0


@pytest.fixture
def empty() -> Iterator[EmbeddedBroker]:
    """An embedded broker with nothing on it."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def bus(empty: EmbeddedBroker) -> EmbeddedBroker:
    """One on which the test States have topics and entries, and no gate."""
    lay_out(empty)
    return empty


def lay_out(broker: Broker) -> None:
    """Make the topics of the test States, and announce them."""
    topics = topics_for(["XA", "XB"], partitions=2)
    if isinstance(broker, EmbeddedBroker):
        for topic in topics.values():
            broker.create_topics([topic.name], topic.partitions)
    else:
        apply_topics(broker.bootstrap, topics, replication=1)
    announce_all(broker)


def announce_all(broker: Broker) -> None:
    for entry in read_entries(smoke_directory().read_text(), "directory.yaml"):
        announce(broker.bootstrap, entry)


def last(test: SmokeTest) -> SmokeTestStage:
    """Return the last stage of a run; all before it are well."""
    *before, end = test.run()
    assert all(stage.ok for stage in before)
    return end


def fails(broker: Broker, wait_s: float = SHORT_S) -> SmokeTestStage:
    """Return the stage at which a run stops."""
    end = last(SmokeTest(broker.bootstrap, wait_s=wait_s))
    assert not end.ok
    assert end.remedy
    return end


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Any]:
    """Starts the gate of a test State with a folder of packs."""
    started: list[GateProcess] = []

    def start(broker: Broker, packs: Path, name: str = "gate", **settings: str) -> GateProcess:
        process = GateProcess(broker.bootstrap, PROVIDER, tmp_path, name=name, packs=str(packs), **settings)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def other_law(folder: Path, before: str, after: str) -> Path:
    """Return a folder with the test State's law, altered."""
    folder.mkdir()
    for place in smoke_packs().glob("*.yaml"):
        if not place.name.endswith(".cases.yaml"):
            text = place.read_text()
            (folder / place.name).write_text(text.replace(before, after))
    return folder


# --- Step by step, as an operator meets it ---


def test_an_item_comes_through_and_its_stages_are_timed(bus: EmbeddedBroker, gate: Any) -> None:
    gate(bus, smoke_packs())
    stages = list(SmokeTest(bus.bootstrap, wait_s=LONG_S).run())
    assert [stage.name for stage in stages] == ["topics", "directory", "publish", "decision", "notice"]
    assert all(stage.ok for stage in stages), stages
    _, _, publish, decision, notice = stages
    assert 0 < publish.seconds <= decision.seconds <= notice.seconds
    assert "DISCLOSE to XB by xa.smoke-1, xa.smoke-2 of pack XA 2026.1" in decision.detail
    assert f"{notice.seconds:.3f} s after it was published" in notice.detail


def test_missing_topics(empty: EmbeddedBroker) -> None:
    stage = fails(empty)
    assert stage.name == "topics"
    assert "national.xa.indicators" in stage.detail
    assert "sharing topics apply --states XA,XB" in stage.detail


def test_a_receiver_that_has_not_announced_itself(empty: EmbeddedBroker) -> None:
    for topic in topics_for(["XA", "XB"], partitions=2).values():
        empty.create_topics([topic.name], topic.partitions)
    stage = fails(empty)
    assert (stage.name, stage.detail) == ("directory", "XB has no entry that is valid")
    assert stage.remedy == f"sharing directory announce {smoke_directory()}"
    text = smoke_directory().read_text().replace("Test State B, kind: POLICE", "Test State B, kind: TAX")
    for entry in read_entries(text, "directory.yaml"):
        announce(empty.bootstrap, entry)
    assert fails(empty).detail == "XB is received for by TAX"
    announce_all(empty)
    assert fails(empty).name == "decision"


def test_no_gate_runs(bus: EmbeddedBroker) -> None:
    stage = fails(bus)
    assert stage.name == "decision"
    assert stage.detail.startswith("none within 0.5 s; ")
    assert "group national.xa.gate" in stage.detail
    assert start_command() in stage.remedy


@pytest.mark.parametrize(
    ("before", "after", "says"),
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
def test_another_law_withholds(
    bus: EmbeddedBroker, gate: Any, tmp_path: Path, before: str, after: str, says: str
) -> None:
    folder = other_law(tmp_path / "packs", before, after)
    assert find_law(PROVIDER, folder).pack.sha256 != find_law(PROVIDER, smoke_packs()).pack.sha256
    gate(bus, folder)
    stage = fails(bus, LONG_S)
    assert (stage.name, stage.detail) == ("decision", says)
    assert stage.remedy.endswith(start_command())


# --- What a gate might write, written by hand ---


def decision_of(test: SmokeTest, outcome: Outcome) -> bytes:
    """Return a decision on a run's item."""
    sha256 = find_law(PROVIDER, smoke_packs()).pack.sha256
    recipient: dict[str, Any] = {
        "state": "XB", "outcome": str(outcome), "basis": None, "condition_model": None, "rules": [], "undecided": [],
        "conditions": [], "approver": None, "obligation": False, "relevance": [], "redacted": [],
    }  # fmt: skip
    record = {
        "indicator_id": test.item["id"], "version": 1, "decided_at": 0, "state": "XA",
        "pack": {"state": "XA", "version": "2026.1", "sha256": sha256}, "directory_version": 1,
        "recipients": [recipient],
    }  # fmt: skip
    return codec_of("decision").encode(record)


def test_a_notice_that_does_not_come(bus: EmbeddedBroker) -> None:
    test = SmokeTest(bus.bootstrap, wait_s=LONG_S)
    run = test.run()
    while next(run).name != "publish":
        pass
    write(bus, DECISIONS.topic("XA"), [b"of another release", decision_of(test, Outcome.DISCLOSE)])
    write(bus, NOTICES.topic("XB"), [b"of another release", notice_bytes("XB")])
    decision = next(run)
    test._wait_s = SHORT_S
    (notice,) = run
    assert decision.ok
    assert not notice.ok
    assert notice.detail.startswith("none within 0.5 s, though the decision says DISCLOSE")
    assert "exchange.xb.notices" in notice.remedy


def test_a_notice_that_is_another_items(bus: EmbeddedBroker) -> None:
    test = SmokeTest(bus.bootstrap, wait_s=LONG_S)
    run = test.run()
    while next(run).name != "publish":
        pass
    write(bus, DECISIONS.topic("XA"), [decision_of(test, Outcome.DISCLOSE)])
    write(bus, NOTICES.topic("XB"), [notice_bytes("XB", indicator_id=test.item["id"])])
    decision, notice = run
    assert decision.ok
    assert not notice.ok
    assert "is not of that item" in notice.detail


def test_withheld_under_the_test_states_own_law(bus: EmbeddedBroker) -> None:
    test = SmokeTest(bus.bootstrap, wait_s=LONG_S)
    run = test.run()
    while next(run).name != "publish":
        pass
    write(bus, DECISIONS.topic("XA"), [decision_of(test, Outcome.WITHHOLD)])
    (decision,) = run
    assert not decision.ok
    assert decision.remedy.endswith(f"sharing directory announce {smoke_directory()}")


def test_a_quarantined_item(bus: EmbeddedBroker) -> None:
    test = SmokeTest(bus.bootstrap, wait_s=LONG_S)
    run = test.run()
    while next(run).name != "publish":
        pass
    record = complete("quarantine", {
        "id": "q", "state": "XA", "topic": "national.xa.indicators", "partition": 0, "offset": 0, "quarantined_at": 0,
        "stage": "CHECK", "cause": "WRONG_AGENCY", "message": "m", "indicator_id": test.item["id"],
        "record": b"", "seal": {"suite": "NONE", "key_id": None, "parameters": b""},
    })  # fmt: skip
    write(bus, QUARANTINE.topic("XA"), [codec_of("quarantine").encode(record)])
    (decision,) = run
    assert (decision.ok, decision.detail) == (False, "the gate quarantined the item at CHECK: WRONG_AGENCY: m")


# --- As a command ---


def deep(document: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the findings of the smoke test by stage."""
    return {one["check"].removeprefix("deep "): one for one in document if one["check"].startswith("deep ")}


@pytest.mark.usefixtures("impatient")
def test_without_a_broker_it_is_not_begun(call: Call) -> None:
    for arguments in ((), ("--bootstrap", "127.0.0.1:1")):
        done = call("doctor", "--deep", "--json", *arguments)
        assert done.code == 1
        (found,) = deep(done.document).values()
        assert (found["detail"], found["ok"]) == ("not begun: no broker answers", False)


def test_a_folder_of_certificates_must_have_everyones(
    call: Call, bus: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("sharing.cli.doctor"), "inspect_topics", lambda *_, **__: [])  # it describes none
    done = call("doctor", "--deep", "--bootstrap", bus.bootstrap, "--certificates", tmp_path / "none", "--json")
    assert "is not a folder of certificates" in deep(done.document)["start"]["detail"]
    (tmp_path / "some").mkdir()
    done = call("doctor", "--deep", "--bootstrap", bus.bootstrap, "--certificates", tmp_path / "some", "--json")
    assert "has no certificate for agency.xa" in deep(done.document)["topics"]["detail"]


def test_one_partys_certificate_does_not_do(call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    own = TlsIdentity("operator", OPERATOR, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    monkeypatch.setattr(examined, "read_identity", lambda _: own)
    monkeypatch.setattr(import_module("sharing.cli.doctor"), "inspect_topics", lambda *_, **__: [])  # it describes none
    done = call("doctor", "--deep", "--bootstrap", bus.bootstrap, "--json")
    (found,) = deep(done.document).values()
    assert found["detail"].endswith("console.xa and partner.xb, and operator is one party")
    assert found["remedy"].startswith("give --certificates a folder")


@pytest.fixture
def newcomers(wall: SecureKafka, clean: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecureKafka]:
    """The wall, for the test States to be added; the settings are the operator's, with them in the partners file."""
    more = {state: Partner.model_validate(partner) for state, partner in NEWCOMERS.items()}
    partners = wall.partners.model_copy(update={"states": {**wall.partners.states, **more}})
    for variable, value in wall.environment("operator").items():
        monkeypatch.setenv(variable, value)
    (clean / "partners.yaml").write_text(yaml.safe_dump(partners.model_dump(mode="json")))
    monkeypatch.setenv("SHARING_PARTNERS", str(clean / "partners.yaml"))
    yield wall
    producer = make_producer(client_properties(wall.broker.bootstrap, wall.broker.client()))
    for state in more:
        producer.produce(DIRECTORY.topic(), None, state.encode(), 0)  # an empty record takes it out
    assert producer.flush(LONG_S) == 0
    super_user = make_admin(wall.broker.bootstrap, wall.broker.client())
    made = set(partners.topics) - set(wall.partners.topics)
    surplus = [change.entry for change in inspect_acls(wall.broker.bootstrap, wall.partners, wall.broker.client())]
    names = {entry.principal for entry in surplus if entry.principal.split(".")[1:2] in (["xa"], ["xb"])}
    anything: Any = None  # the declared type knows of no filter by less than everything
    filters = [
        AclBindingFilter(
            ResourceType.ANY, anything, ResourcePatternType.ANY, name, anything, AclOperation.ANY, AclPermissionType.ANY
        )
        for name in names
    ]
    for future in [*super_user.delete_topics(sorted(made)).values(), *super_user.delete_acls(filters).values()]:
        future.result(LONG_S)


@pytest.mark.kafka
def test_test_states_are_added_behind_the_wall_and_each_party_comes_with_its_own_certificate(
    newcomers: SecureKafka, call: Call, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap, folder = newcomers.broker.bootstrap, newcomers.broker.certificates_folder
    command = ("doctor", "--deep", "--certificates", folder, "--json")
    monkeypatch.setattr(examined, "WAIT_SECONDS_MAX", SHORT_S)
    done = call(*command)
    assert done.code == 1
    assert deep(done.document)["topics"]["detail"].startswith("national.xa.indicators: not there, or no permission")
    assert call("topics", "apply", "--acls").code == 0
    for entry in read_entries(smoke_directory().read_text(), "directory.yaml"):
        announce(bootstrap, entry, client_files(folder, f"console.{entry.state.lower()}"))
    done = call(*command)
    assert done.code == 1
    assert {one["check"] for one in done.document if not one["ok"]} == {"deep decision"}
    assert deep(done.document)["decision"]["detail"].endswith(
        "no gate of XA runs: group national.xa.gate has no members"
    )
    own = client_files(folder, "gate.xa")
    gate(
        newcomers.broker,
        smoke_packs(),
        agencies="smoke-test",
        tls_ca=own["ssl.ca.location"],
        tls_certificate=own["ssl.certificate.location"],
        tls_key=own["ssl.key.location"],
    )
    monkeypatch.setattr(examined, "WAIT_SECONDS_MAX", LONG_S)
    done = call(*command)
    assert done.code == 0, done
    assert "DISCLOSE to XB by xa.smoke-1, xa.smoke-2 of pack XA 2026.1" in deep(done.document)["decision"]["detail"]
    assert "can be read on exchange.xb.notices" in deep(done.document)["notice"]["detail"]
    text = call(*command[:-1])
    assert text.code == 0
    assert "ok   deep notice: notice " in text.out


# --- The law of the test State ---


def test_its_law_is_proved_by_its_cases(call: Call) -> None:
    cases = read_cases(smoke_packs() / "xa.yaml")
    assert cases is not None
    kinds = {(case.rule, str(case.kind)) for case in cases.cases}
    own = {rule.id for rule in find_law(PROVIDER, smoke_packs()).pack.rules if rule.id.startswith("xa.")}
    assert {rule for rule, _ in kinds} == own
    assert {(rule, kind) for rule in own for kind in ("decides", "outside", "boundary")} <= kinds
    assert call("law", "test", "XA", "--packs", smoke_packs()).code == 0
