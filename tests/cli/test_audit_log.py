"""`sharing audit verify`, and `prove` and `check-proof` of decisions: on a broker, and then without one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sharing.audit.checkpoint_record import read_checkpoint_record
from sharing.kafka.audit_index import LogIndex
from sharing.kafka.audit_reader import AuditSource
from sharing.kafka.key_partition import find_partition
from sharing.kafka.topic_range import TopicRange
from sharing.model.times import format_time
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CHECKPOINTS, DECISIONS, DIRECTORY
from tests.audit.audit_fixtures import World, make_id, stamp_checkpoints
from tests.audit.audited_bus import STATES, AuditedBus, prepare_audited_bus
from tests.audit.clock_tsa import ClockTsa, get_service
from tests.audit.local_tsa import LocalTsa
from tests.cli.conftest import Call
from tests.kafka.topic_io import write_records

BATCHES, ENTRIES = 6, 4
ITEM = make_id(0)
PARTITION = find_partition(ITEM.encode(), 2)
"""All items of a partition are in its log; the tests look for the one whose id leads there."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedBus]:
    with EmbeddedBroker() as broker:
        broker.create_topics([kind.topic("CH") for kind in (DECISIONS, ACTS, CHECKPOINTS)], 2)
        broker.create_topics([DIRECTORY.topic(state) for state in STATES], 1)
        yield prepare_audited_bus(broker, tmp_path_factory.mktemp("log"), PARTITION, BATCHES, ENTRIES)


@pytest.fixture
def bus(prepared: AuditedBus, monkeypatch: pytest.MonkeyPatch) -> AuditedBus:
    monkeypatch.setenv("SHARING_BOOTSTRAP", prepared.broker.bootstrap)
    monkeypatch.setenv("SHARING_TRUST_FILE", str(prepared.trust_file))
    monkeypatch.setenv("SHARING_STATE", "CH")
    return prepared


def test_an_untouched_log_is_verified_and_witnessed(call: Call, bus: AuditedBus) -> None:
    result = call("audit", "verify", "--json")
    assert (result.code, result.err) == (0, "")
    document = result.json_document
    total = 2 * BATCHES * ENTRIES
    assert (document["records"], document["witnessed"]) == (total, total)
    assert (document["ok"], document["findings"]) == (True, [])
    decisions, acts = document["logs"]
    assert decisions["log"] == f"ch.sharing/decisions/{PARTITION}"
    assert acts["log"] == f"ch.sharing/acts/{PARTITION}"
    assert (decisions["blocks"], decisions["witnessed_blocks"], decisions["sure_blocks"]) == (BATCHES, BATCHES, BATCHES)
    shown = call("audit", "verify", "--state", "ch")
    assert shown.code == 0
    assert f"{total} records, {total} witnessed: complete, in order and unchanged" in shown.out


def test_a_part_of_it(call: Call, bus: AuditedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    other = call("audit", "verify", "--partition", str(1 - PARTITION), "--json")
    assert (other.code, other.json_document["records"]) == (0, 0)
    opened = []
    original = AuditSource.open

    def look(self: AuditSource, topic: str, *given: Any, **options: Any) -> TopicRange:
        opened.append((topic, given[:2]))
        return original(self, topic)

    monkeypatch.setattr(AuditSource, "open", look)
    times = "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"
    assert call("audit", "verify", "--since", times[0], "--until", times[1], "--json").code == 0
    assert (DECISIONS.topic("CH"), (1_772_366_400_000, 1_772_370_000_000)) in opened
    assert call("audit", "verify", "--since", times[1], "--until", times[0]).error.startswith("--since must be earlier")
    assert call("audit", "verify", "--since", "yesterday").code == 2


def test_without_pins_nothing_is_witnessed(
    call: Call, bus: AuditedBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SHARING_TRUST_FILE")
    result = call("audit", "verify", "--json")
    assert (result.code, result.json_document["witnessed"]) == (0, 0)
    assert "no roots are pinned" in result.err
    file = tmp_path / "a.checkpoint"
    file.write_bytes(read_checkpoint_record(bus.decisions.records[0][1]).checkpoint.note.to_bytes())
    assert "needs pinned roots" in call("audit", "verify", "--checkpoint", file).error


def test_more_witnesses_than_there_are(call: Call, bus: AuditedBus) -> None:
    result = call("audit", "verify", "--witnesses", "3", "--json")
    assert (result.code, result.json_document["witnessed"]) == (0, 0)  # none is late yet


def test_a_checkpoint_that_was_seen_elsewhere(call: Call, bus: AuditedBus, tmp_path: Path) -> None:
    good, forked = tmp_path / "good.checkpoint", tmp_path / "forked.checkpoint"
    good.write_bytes(read_checkpoint_record(bus.decisions.records[0][1]).checkpoint.note.to_bytes())
    assert call("audit", "verify", "--checkpoint", good).code == 0
    other = World(
        bus.decisions.place, now=bus.decisions.now, signers=bus.decisions.signers, trusted=bus.decisions.trusted
    )
    for _ in range(BATCHES):
        other.add_batch(1)
    forked.write_bytes(other.make_checkpoint().checkpoint.note.to_bytes())
    result = call("audit", "verify", "--checkpoint", forked, "--json")
    assert result.code == 1
    kinds = {finding["kind"] for finding in result.json_document["findings"]}
    assert kinds == {"FORK"}
    shown = call("audit", "verify", "--checkpoint", forked)
    assert "FORK national.ch.decisions" in shown.out
    assert "was last sure in full with 3 blocks" in shown.out
    forked.write_bytes(b"nothing")
    assert call("audit", "verify", "--checkpoint", forked).code == 2
    assert "cannot be read" in call("audit", "verify", "--checkpoint", tmp_path / "missing").error


def test_a_decision_is_proved_and_checked_on_a_machine_with_nothing_else(
    call: Call, bus: AuditedBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proof = tmp_path / "decision.tlog-proof"
    made = call("audit", "prove", ITEM, "--output", proof, "--json")
    assert made.code == 0, made
    assert made.json_document["item"] == ITEM
    for name in ("SHARING_BOOTSTRAP", "SHARING_STATE", "SHARING_TRUST_FILE"):
        monkeypatch.delenv(name)
    result = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--json")
    assert result.code == 0
    document = result.json_document
    assert (document["kind"], document["item"], document["block"], document["entry"]) == ("DECISION", ITEM, 0, 0)
    assert sorted(document["cosigned_by"]) == ["DE", "FR"]
    assert document["record"]["recipients"][0]["rules"][0]["citation"] == "SIAG art. 12"
    assert document["root"].replace(" ", "") == bus.states["CH"].pin.fingerprint
    shown = call("audit", "check-proof", proof, "--trust-file", bus.trust_file)
    assert "It proves:" in shown.out
    assert "It does not prove:" in shown.out
    assert "CH cannot show another history of this log" in shown.out
    altered = tmp_path / "altered"
    altered.write_bytes(proof.read_bytes().replace(b"decisions/", b"decisionz/"))
    assert call("audit", "check-proof", altered, "--trust-file", bus.trust_file).code == 1
    strict = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--witnesses", "3")
    assert strict.code == 1
    assert "Not enough other States have cosigned" in strict.out
    folder = tmp_path / "signatures"
    commands = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--openssl", folder, "--json")
    digests = [each for each in commands.json_document["openssl"] if each.startswith("openssl dgst")]
    assert (len(digests), len(commands.json_document["openssl"])) == (2 * 3, 2 * 3 + 3 + 3)


def test_an_act_and_what_is_not_there(call: Call, bus: AuditedBus, tmp_path: Path) -> None:
    proof = tmp_path / "act.tlog-proof"
    made = call("audit", "prove", ITEM, "--of", "act", "--output", proof)
    assert made.code == 0, made
    assert "act about 018f3c1e-7b1a-7c3d-8e2f-000000000000, witnessed at" in made.out
    missing = call("audit", "prove", "item-x", "--of", "act", "--output", tmp_path / "x")
    assert (missing.code, missing.error) == (2, "CH has no entry about 'item-x' in its log of acts")
    second = call("audit", "prove", ITEM, "--which", "2", "--output", tmp_path / "x")
    assert "there are 1 entries" in second.error
    assert call("audit", "prove", ITEM, "--which", "1", "--output", tmp_path / "y").code == 0


def test_with_a_state_folder_the_log_is_not_read_again(
    call: Call, bus: AuditedBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHARING_STATE_FOLDER", str(tmp_path / "state"))
    assert call("audit", "prove", ITEM, "--output", tmp_path / "one").code == 0
    read: list[int] = []
    original = LogIndex._read_new

    def count(self: LogIndex, *arguments: Any) -> Iterator[Any]:
        for found in original(self, *arguments):
            read.append(found[0])
            yield found

    monkeypatch.setattr(LogIndex, "_read_new", count)
    assert call("audit", "prove", ITEM, "--output", tmp_path / "two").code == 0
    assert read == []
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_proof_gets_a_time_stamp_where_a_service_is_configured(
    call: Call, bus: AuditedBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tsa").mkdir()
    service, proof = LocalTsa(tmp_path / "tsa"), tmp_path / "stamped"
    with service.serve() as url:
        monkeypatch.setenv("SHARING_TIME_STAMP_URL", url)
        alone = call("audit", "prove", ITEM, "--output", proof)
        assert alone.error.startswith("SHARING_TIME_STAMP_URL needs SHARING_TIME_STAMP_ROOTS")
        monkeypatch.setenv("SHARING_TIME_STAMP_ROOTS", str(service.root_file))
        made = call("audit", "prove", ITEM, "--output", proof, "--json")
        assert made.code == 0, made
        assert made.json_document["stamped_at"] is not None
    assert call("audit", "prove", ITEM, "--output", tmp_path / "late").code == 3
    assert not (tmp_path / "late").exists()
    for name in ("SHARING_TIME_STAMP_URL", "SHARING_TIME_STAMP_ROOTS"):
        monkeypatch.delenv(name)
    checked = call("audit", "check-proof", proof, "--time-stamp-roots", service.root_file)
    assert "A time-stamping service" in checked.out
    assert "name the roots of the service" in call("audit", "check-proof", proof).out


def test_time_stamps_in_the_topic_are_verified_and_go_into_proofs(
    call: Call, bus: AuditedBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, service, roots = copy(bus.acts), get_service(), tmp_path / "roots.pem"
    roots.write_bytes(service.root.public_bytes(Encoding.PEM))
    world.records = list(world.records)
    stamp_checkpoints(world)
    newest = read_checkpoint_record(world.records[-1][1])
    write_records(
        bus.broker, CHECKPOINTS.topic("CH"), [newest.encode()], key=newest.checkpoint.origin.encode(),
        partition=PARTITION,
    )  # fmt: skip
    (stamped,) = (each.checkpoint for each in newest.earlier)
    at = format_time((stamped.signed_at + 2_000) // 1_000 * 1_000)
    shown = call("audit", "verify", "--time-stamp-roots", roots)
    assert shown.code == 0, shown
    assert f"ch.sharing/acts/{PARTITION}: time-stamped until block {BATCHES}, at {at}" in shown.out
    assert f"ch.sharing/decisions/{PARTITION}: no checkpoint has a time stamp" in shown.out
    monkeypatch.setenv("SHARING_TIME_STAMP_ROOTS", str(roots))
    _, acts = call("audit", "verify", "--json").json_document["logs"]
    assert (acts["stamped_blocks"], acts["stamped_at"], acts["stamped_since"]) == (BATCHES, at, at)
    proof = tmp_path / "act"
    monkeypatch.setenv("SHARING_TIME_STAMP_URL", "http://127.0.0.1:1/")  # which is not asked
    made = call("audit", "prove", ITEM, "--of", "act", "--output", proof, "--json")
    assert (made.code, made.json_document["stamped_at"]) == (0, at), made
    checked = call("audit", "check-proof", proof, "--json").json_document
    assert checked["stamped_at"] == at
    # Another service is believed: the time stamp is no evidence, and says so.
    roots.write_bytes(ClockTsa().root.public_bytes(Encoding.PEM))
    refused = call("audit", "verify", "--json")
    assert refused.code == 1
    assert {finding["kind"] for finding in refused.json_document["findings"]} == {"TIME_STAMP_INVALID"}
