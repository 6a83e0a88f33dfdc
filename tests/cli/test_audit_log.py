"""`sharing audit verify`, and `prove` and `check-proof` of decisions: on a broker, and then without one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint_record import EarlierCheckpoint, read_checkpoint_record
from sharing.audit.signed_note import NoteSignature
from sharing.kafka.audit_index import LogIndex
from sharing.kafka.audit_reader import AuditSource
from sharing.kafka.key_partition import find_partition
from sharing.kafka.topic_range import TopicRange
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.model.countries import STATES as STATE_CODES
from sharing.model.times import format_time
from sharing.model.vocabulary import AuditLogName
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CHECKPOINTS, DECISIONS, DIRECTORY
from tests.audit.audit_fixtures import World, make_id
from tests.audit.audited_bus import STATES, AuditedBus, prepare_audited_bus
from tests.audit.clock_tsa import ClockTsa, get_service
from tests.audit.local_tsa import LocalTsa
from tests.cli.conftest import Call
from tests.kafka.compressed_batches import damage_records
from tests.kafka.topic_io import write_records
from tests.trust.trust_fixtures import NOW

BATCHES, ENTRIES = 6, 4
ITEM = make_id(0)
PARTITION = find_partition(ITEM.encode(), 2)
"""All items of a partition are in its log; the tests look for the one whose id leads there."""


@contextmanager
def open_bus(folder: Path) -> Iterator[AuditedBus]:
    with EmbeddedBroker() as broker:
        broker.create_topics([kind.topic("CH") for kind in (DECISIONS, ACTS, CHECKPOINTS)], 2)
        broker.create_topics([DIRECTORY.topic(state) for state in STATES], 1)
        yield prepare_audited_bus(broker, folder, PARTITION, BATCHES, ENTRIES)


def configure(bus: AuditedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_BOOTSTRAP", bus.broker.bootstrap)
    monkeypatch.setenv("SHARING_TRUST_FILE", str(bus.trust_file))
    monkeypatch.setenv("SHARING_STATE", "CH")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedBus]:
    with open_bus(tmp_path_factory.mktemp("log")) as bus:
        yield bus


@pytest.fixture
def bus(prepared: AuditedBus, monkeypatch: pytest.MonkeyPatch) -> AuditedBus:
    configure(prepared, monkeypatch)
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
    empty = call("audit", "verify", "--partition", str(1 - PARTITION))
    assert (empty.code, empty.out.strip()) == (0, "0 records, 0 witnessed: there is nothing to verify")
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


def test_a_partition_that_does_not_exist_is_not_called_complete(call: Call, bus: AuditedBus) -> None:
    result = call("audit", "verify", "--partition", "7")
    assert (result.code, result.out) == (2, "")
    assert "has no partition 7: it has 2, from 0 on" in result.error


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
    foreign = World(LogPlace("DE", AuditLogName.DECISIONS, PARTITION))
    foreign.add_batch(1)
    forked.write_bytes(foreign.make_checkpoint().checkpoint.note.to_bytes())
    for options in ((forked,), (good, "--partition", "0" if PARTITION else "1")):
        result = call("audit", "verify", "--checkpoint", *options)
        assert (result.code, result.out) == (2, "")
        assert "a log that is not verified here" in result.error
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
    assert "not witnessed" in strict.out
    assert "only DE and FR cosigned. CH could have shown others another history" in strict.out
    lost = call("audit", "check-proof", proof, "--trust-file", tmp_path / "lost.yaml")
    assert (lost.code, lost.out) == (2, "")
    assert "lost.yaml does not exist" in lost.error
    only_own = tmp_path / "own.yaml"
    write_pins(only_own, {"CH": make_pinned_root(bus.states["CH"].pin, NOW)})
    alone = call("audit", "check-proof", proof, "--trust-file", only_own, "--json")
    assert alone.code == 1
    assert alone.json_document["does_not_prove"][0].startswith("That another State has seen it: no cosignature counts")
    folder = tmp_path / "signatures"
    commands = call("audit", "check-proof", proof, "--trust-file", bus.trust_file, "--openssl", folder, "--json")
    digests = [each for each in commands.json_document["openssl"] if each.startswith("openssl dgst")]
    assert (len(digests), len(commands.json_document["openssl"])) == (2 * 3, 2 * 3 + 3 + 3)


def test_checkpoints_that_cannot_be_read_are_reported(
    call: Call, bus: AuditedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, number = CHECKPOINTS.topic("CH"), len(bus.decisions.records)
    damage_records(monkeypatch, topic, number - 1, partition=PARTITION)  # nothing follows that would show a gap
    result = call("audit", "verify", "--json")
    assert (result.code, result.json_document["ok"]) == (1, False)
    found = [each for each in result.json_document["findings"] if each["kind"] == "UNREADABLE"]
    assert {(each["topic"], each["partition"], each["offset"]) for each in found} == {(topic, PARTITION, number - 1)}


def test_checkpoints_of_which_none_can_be_read_are_reported(
    call: Call, bus: AuditedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage_records(monkeypatch, CHECKPOINTS.topic("CH"), *range(1000), partition=PARTITION)
    result = call("audit", "verify", "--json")
    assert {each["kind"] for each in result.json_document["findings"]} >= {"UNREADABLE"}


def test_an_entry_in_a_block_that_cannot_be_read_is_not_said_to_be_missing(
    call: Call, bus: AuditedBus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    last = make_id((BATCHES - 1) * ENTRIES)
    with monkeypatch.context() as patch:
        damage_records(patch, DECISIONS.topic("CH"), BATCHES - 1, partition=PARTITION)
        result = call("audit", "prove", last, "--of", "decision", "--output", tmp_path / "x")
        assert (result.code, "cannot be read" in result.error) == (3, True), result
    monkeypatch.setenv("SHARING_STATE_FOLDER", str(tmp_path / "state"))
    assert call("audit", "prove", ITEM, "--output", tmp_path / "one").code == 0
    damage_records(monkeypatch, DECISIONS.topic("CH"), 0, partition=PARTITION)
    result = call("audit", "prove", ITEM, "--of", "decision", "--output", tmp_path / "x")
    assert (result.code, "block 0 is not the one that was read before" in result.error) == (3, True), result


def test_an_act_and_what_is_not_there(call: Call, bus: AuditedBus, tmp_path: Path) -> None:
    proof = tmp_path / "act.tlog-proof"
    made = call("audit", "prove", ITEM, "--of", "act", "--output", proof)
    assert made.code == 0, made
    assert "act about 018f3c1e-7b1a-7c3d-8e2f-000000000000, witnessed at" in made.out
    missing = call("audit", "prove", "item-x", "--of", "act", "--output", tmp_path / "x")
    assert (missing.code, missing.error) == (2, "CH has no entry about 'item-x' in its log of acts")
    neither = call("audit", "prove", "item-x", "--output", tmp_path / "x")
    assert neither.code == 2
    assert neither.error.startswith(
        "CH has no entry about 'item-x' in its log of decisions, and no message is proved: SHARING_KEY_FOLDER"
    )
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
    roots = tmp_path / "roots.pem"
    roots.write_bytes(get_service().root.public_bytes(Encoding.PEM))
    (stamped,) = (each.checkpoint for each in bus.stamp(bus.acts).earlier)
    unnamed = call("audit", "verify")
    assert unnamed.code == 0, unnamed
    assert "checkpoints with time stamps that are not verified: 1;" in unnamed.err
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
    # Another service is trusted: the time stamp is no evidence, and says so.
    roots.write_bytes(ClockTsa().root.public_bytes(Encoding.PEM))
    refused = call("audit", "verify", "--json")
    assert refused.code == 1
    assert {finding["kind"] for finding in refused.json_document["findings"]} == {"TIME_STAMP_INVALID"}


def test_false_signatures_in_the_topic_do_not_stop_a_proof(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with open_bus(tmp_path / "bus") as bus:
        configure(bus, monkeypatch)
        record = read_checkpoint_record(bus.decisions.records[1][1])
        (cosigned,) = (each.checkpoint for each in record.earlier)
        own, *_ = cosigned.note.signatures
        names = [f"{state.lower()}.sharing/witness" for state in sorted(STATE_CODES)[:40] if state != "CH"]
        false = [replace(each, value=bytes(len(each.value))) for each in cosigned.note.signatures[1:]] + [
            NoteSignature(name, b"none", bytes(72)) for name in names
        ]
        for start in range(0, len(false), 20):
            note = replace(cosigned.note, signatures=(own, *false[start : start + 20]))
            made = replace(record, earlier=(EarlierCheckpoint(replace(cosigned, note=note)),))
            key = cosigned.origin.encode()
            write_records(bus.broker, CHECKPOINTS.topic("CH"), [made.encode()], key=key, partition=PARTITION)
        assert call("audit", "verify").code == 1
        proof = tmp_path / "proof"
        result = call("audit", "prove", ITEM, "--output", proof)
        assert result.code == 0, result
        checked = call("audit", "check-proof", proof, "--json")
        assert (checked.code, sorted(checked.json_document["cosigned_by"])) == (0, ["DE", "FR"])
        assert checked.json_document["not_counted"] == {}


def test_what_is_before_the_place_where_a_log_is_broken_is_still_proved(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with open_bus(tmp_path / "bus") as bus:
        configure(bus, monkeypatch)
        again = [bus.decisions.blocks[0][1]]
        write_records(bus.broker, DECISIONS.topic("CH"), again, partition=PARTITION)
        assert call("audit", "verify", "--json").json_document["findings"][0]["kind"] == "REPEATED"
        proof = tmp_path / "proof"
        made = call("audit", "prove", ITEM, "--output", proof)
        assert made.code == 0, made
        assert "the log is not in order there" in made.err
        assert "what comes after it was not searched" in made.err
        assert call("audit", "check-proof", proof).code == 0
        for options in (("item-x",), (ITEM, "--which", "2")):
            refused = call("audit", "prove", *options, "--of", "decision", "--output", tmp_path / "x")
            assert (refused.code, refused.out) == (3, "")
            assert "the log is not in order there" in refused.error
        assert not (tmp_path / "x").exists()


def test_a_lost_state_store_leaves_the_log_as_the_runbook_says(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The log begins again at block 0. What was before stays proved; nobody vouches for what comes after."""
    later = next(number for number in range(5_000, 6_000) if find_partition(make_id(number).encode(), 2) == PARTITION)
    with open_bus(tmp_path / "bus") as bus:
        configure(bus, monkeypatch)
        kept = call("audit", "verify", "--json").json_document
        assert kept["findings"] == []
        old = bus.decisions
        again = World(old.place, now=old.now, written=later, signers=old.signers, trusted=old.trusted)
        again.add_batch(1)
        again.make_checkpoint()
        bus.write(again)

        result = call("audit", "verify", "--json")
        assert result.code == 1
        found = {each["kind"]: each for each in result.json_document["findings"]}
        assert set(found) == {"CHECKPOINT_ROLLED_BACK", "FORK", "REPEATED"}
        assert (found["REPEATED"]["block"], found["REPEATED"]["offset"]) == (0, BATCHES), "the block that begins again"
        was, now = (document["logs"][0] for document in (kept, result.json_document))
        assert now["witnessed_blocks"] == was["witnessed_blocks"], "nothing that was witnessed is lost"
        assert (was["sure_blocks"], now["sure_blocks"]) == (BATCHES, 0), "so the output from before is kept"

        proof = tmp_path / "proof"
        made = call("audit", "prove", ITEM, "--output", proof)
        assert made.code == 0, made
        assert call("audit", "check-proof", proof).code == 0
        refused = call("audit", "prove", make_id(later), "--of", "decision", "--output", tmp_path / "x")
        assert (refused.code, refused.out) == (3, "")
        assert not (tmp_path / "x").exists()
