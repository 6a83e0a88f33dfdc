"""Workers of three States witness each other's logs; no two of them can be shown different histories."""

from __future__ import annotations

from dataclasses import replace

import pytest

from processors.audit.evidence import UNSEEN
from processors.exactly_once.state_store_backends import MemoryStore
from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import read_checkpoint, sign_checkpoint
from sharing.audit.checkpoint_record import CheckpointRecord, read_checkpoint_record
from sharing.audit.cosignature import verify_cosignatures
from sharing.audit.signed_note import read_note
from sharing.audit.witnessing import Sighting
from sharing.ids import make_checkpoint_id, make_log_id
from sharing.model.vocabulary import AuditLogName, Urgency
from sharing.rulings.reply import ReplyKind, ReplyMessage
from sharing.serialization.codec import get_codec
from tests.processors.audit.witness_world import GATE_KEYS, TRUSTED, Record, Worker, World
from tests.trust.trust_fixtures import NOW

ORIGIN = "ch.sharing/decisions/0"
PLACE = LogPlace("CH", AuditLogName.DECISIONS, 0)


@pytest.fixture
def world() -> World:
    return World()


def list_cosigners(worker: Worker) -> dict[int, set[str]]:
    """Return by whom each own checkpoint is cosigned, by its size, as the State's topic tells everybody."""
    cosigners: dict[int, set[str]] = {}
    for record in worker.topic:
        for each in read_checkpoint_record(record.value()).earlier:
            found, faults = verify_cosignatures(each.checkpoint, TRUSTED, now=worker.world.now)
            assert not faults
            cosigners.setdefault(each.checkpoint.size, set()).update(found)
    return cosigners


def list_causes(worker: Worker) -> list[str]:
    """Return why replies were refused."""
    return [getattr(error, "cause", type(error).__name__) for error in worker.errors]


def list_told(world: World, kind: ReplyKind) -> set[tuple[str, str]]:
    """Return who has sent replies of a kind to whom."""
    sent = [reply for worker in world.workers.values() for reply in worker.sent]
    return {(reply.from_state, reply.to_state) for reply in sent if reply.kind is kind}


def make_reply(from_state: str, kind: ReplyKind, *notes: bytes) -> ReplyMessage:
    log, checkpoint = make_log_id(ORIGIN), make_checkpoint_id(notes[0])
    return ReplyMessage(kind, log, checkpoint, from_state, "CH", NOW, Urgency.ORDINARY, notes=notes)


def test_a_checkpoint_is_cosigned_by_its_witnesses_and_everybody_learns_it(world: World) -> None:
    ch = world.workers["CH"]
    for size in (1, 2, 3):
        ch.write_blocks()
        world.settle()
        assert list_cosigners(ch)[size] == {"DE", "FR"}
    assert all(worker.errors == [] and worker.quarantined == [] for worker in world.workers.values())
    assert ch.results[-1].waiting_since == {"DE": None, "FR": None}
    assert not list_told(world, ReplyKind.FORK)
    assert list_told(world, ReplyKind.COSIGNATURE) == {("DE", "CH"), ("FR", "CH"), ("DE", "FR"), ("FR", "DE")}


def test_all_states_witness_each_other_at_the_same_time(world: World) -> None:
    for _ in range(2):
        for worker in world.workers.values():
            worker.write_blocks()
        world.settle()
    for state, worker in world.workers.items():
        assert list_cosigners(worker)[2] == TRUSTED.keys() - {state}
        assert worker.errors == []


def test_a_cosignature_that_does_not_come_is_awaited(world: World) -> None:
    ch = world.workers["CH"]
    ch.write_blocks()
    for state in ("CH", "DE", "CH"):
        world.workers[state].converse()
    waiting = ch.results[-1].waiting_since
    assert waiting["DE"] is None
    first = waiting["FR"]
    assert first is not None
    ch.write_blocks()
    ch.converse()
    assert ch.results[-1].waiting_since["FR"] == first
    world.settle()
    assert ch.results[-1].waiting_since == {"DE": None, "FR": None}


def test_a_witness_that_is_killed_forgets_nothing_that_it_has_cosigned(world: World) -> None:
    ch, de = world.workers["CH"], world.workers["DE"]
    for _ in range(3):
        ch.write_blocks()
        de.converse(dies=True)  # before its transaction is committed
        world.settle()
        de.restart()
    log = de.open_store().find_seen(0, ORIGIN)
    assert log is not None
    assert log.last.size == 3
    assert list_cosigners(ch)[3] == {"DE", "FR"}


def test_an_unchanged_log_that_is_signed_again_is_not_cosigned_again(world: World) -> None:
    ch, de = world.workers["CH"], world.workers["DE"]
    ch.write_blocks()
    world.settle()
    last = read_checkpoint_record(ch.topic[0].value()).checkpoint
    again = sign_checkpoint(PLACE, last.size, last.root, world.now + 1_000, GATE_KEYS["CH"])
    ch.topic.append(Record(ch.topic[0].name, 0, 0, CheckpointRecord(again, last.size).encode()))
    sent = len(de.sent)
    world.settle()
    assert len(de.sent) == sent
    assert not de.errors


def test_two_worlds_shown_to_two_witnesses_are_found_and_told_to_all(world: World) -> None:
    ch = world.workers["CH"]
    ch.write_blocks()
    world.settle()
    other = world.shown["FR", "CH"] = ch.copy()
    other.write_blocks()
    ch.write_blocks()
    world.settle()
    for state in ("DE", "FR"):
        log = world.workers[state].open_store().find_seen(0, ORIGIN)
        assert log is not None
        first, second = map(read_checkpoint, log.evidence)
        assert first.size == second.size
        assert first.root != second.root
        assert world.workers[state].results[-1].forked == {"CH"}
    told = list_told(world, ReplyKind.FORK)
    assert told & {("DE", "CH"), ("FR", "CH")}
    assert told & {("DE", "FR"), ("FR", "DE")}
    assert ch.results[-1].forked == {"CH"}
    before = max(list_cosigners(ch))
    ch.write_blocks()
    world.settle()
    assert max(list_cosigners(ch)) == before, "a log that has forked is not cosigned any more"


def test_a_state_learns_from_a_cosignature_that_its_key_signs_another_history(world: World) -> None:
    ch, fr = world.workers["CH"], world.workers["FR"]
    ch.write_blocks()
    world.settle()
    world.shown["FR", "CH"] = other = ch.copy()
    other.write_blocks()
    ch.write_blocks()
    ch.converse()
    fr.converse()  # it sees only the other history
    ch.converse()
    assert list_causes(ch) == ["AUDIT_FORK"]
    assert ch.results[-1].forked == {"CH"}


def test_a_witness_from_whom_a_checkpoint_was_hidden_learns_it_from_another(world: World) -> None:
    ch, de = world.workers["CH"], world.workers["DE"]
    ch.write_blocks()
    world.settle()
    other = world.shown["FR", "CH"] = ch.copy()
    other.write_blocks(2)  # sizes 1 and 3
    ch.write_blocks()  # sizes 1, 2 and 4
    ch.write_blocks(2)
    world.settle()
    assert de.count(UNSEEN) == 1
    assert de.count(Sighting.FORK) == 0
    assert list_causes(de) == ["AUDIT_UNSEEN"]


def test_a_log_that_was_cut_is_not_cosigned_and_all_are_told(world: World) -> None:
    ch, de = world.workers["CH"], world.workers["DE"]
    for _ in range(3):
        ch.write_blocks()
        world.settle()
    ch.gate_store = MemoryStore()  # a lost state store: the log begins again
    ch.restart()
    ch.write_blocks()
    de.converse()
    assert de.count(Sighting.FORK) == 1
    assert list_told(world, ReplyKind.FORK) == {("DE", "CH"), ("DE", "FR")}
    world.workers["FR"].converse()
    assert list_causes(world.workers["FR"]) == []  # it has seen it itself
    assert world.workers["FR"].results[-1].forked == {"CH"}


def test_a_proof_of_a_fork_counts_also_where_nothing_was_seen(world: World) -> None:
    ch = world.workers["CH"]
    ch.write_blocks()
    other = ch.copy()
    ch.write_blocks()
    other.write_blocks()
    notes = [read_checkpoint_record(each.topic[-1].value()).checkpoint.note.to_bytes() for each in (ch, other)]
    fr = world.workers["FR"]
    world.shown["FR", "CH"] = Worker("CH", world)  # an empty topic
    fr.arrived.append(replace(make_reply("DE", ReplyKind.FORK, *notes), to_state="FR"))
    fr.converse()
    assert list_causes(fr) == ["AUDIT_FORK"]
    assert fr.results[-1].forked == {"CH"}
    fr.restart()
    fr.converse()
    assert fr.results[-1].forked == {"CH"}, "after a restart, too"


@pytest.mark.parametrize("kind", [ReplyKind.COSIGNATURE, ReplyKind.FORK])
def test_what_proves_nothing_is_refused(world: World, kind: ReplyKind) -> None:
    ch = world.workers["CH"]
    for _ in range(2):
        ch.write_blocks()
        world.settle()
    notes = [read_checkpoint_record(record.value()).checkpoint.note.to_bytes() for record in ch.topic]
    ch.arrived.append(make_reply("FR", kind, *(notes[0], notes[-1])[: 1 + (kind is ReplyKind.FORK)]))
    ch.converse()
    assert list_causes(ch) == ["MALFORMED" if kind is ReplyKind.COSIGNATURE else "AUDIT_NO_PROOF"]
    assert ch.results[-1].forked == frozenset()


def test_a_cosignature_that_was_altered_does_not_join_the_checkpoint(world: World) -> None:
    ch, de = world.workers["CH"], world.workers["DE"]
    ch.write_blocks()
    ch.converse()
    de.converse()
    (reply,) = ch.arrived
    note = read_note((reply.notes or ())[0])
    altered = [
        replace(each, value=each.value[:-1] + bytes([each.value[-1] ^ 1])) if "witness" in each.name else each
        for each in note.signatures
    ]
    ch.arrived = [replace(reply, notes=(replace(note, signatures=tuple(altered)).to_bytes(),))]
    ch.converse()
    assert list_causes(ch) == ["TrustError"]
    assert list_cosigners(ch) == {}


def test_a_record_that_is_no_checkpoint_is_quarantined_by_reference(world: World) -> None:
    ch, de = world.workers["CH"], world.workers["DE"]
    ch.write_blocks()
    good = ch.topic[0]
    ch.topic.insert(0, replace(good, data=b"no checkpoint"))
    ch.topic.insert(0, replace(good, number=1))
    de.converse()
    causes = [get_codec("quarantine").decode(output.value)["cause"] for output in de.quarantined]
    assert causes == ["WRONG_PARTITION", "CONTENT_NOT_AVRO"]
    assert de.count(Sighting.CONSISTENT) == 1


def make_gap(world: World) -> None:
    """Let somebody delete a record of CH that DE and FR have not read yet."""
    ch = world.workers["CH"]
    ch.write_blocks()
    world.settle()
    ch.write_blocks()
    ch.converse()
    ch.topic.pop()
    ch.write_blocks()
    for worker in world.workers.values():  # offsets of what was deleted are passed over
        worker.read["CH"] = min(worker.read["CH"], len(ch.topic) - 1)


def test_a_gap_is_reported_once_and_ends_the_cosigning_of_that_log(world: World) -> None:
    make_gap(world)
    ch, de = world.workers["CH"], world.workers["DE"]
    for _ in range(2):
        world.settle()
        ch.write_blocks()
    world.settle()
    assert de.count(Sighting.GAP) == 3
    assert len(de.quarantined) == 1
    assert list_cosigners(ch).keys() == {1}


def test_people_can_let_a_witness_begin_again_behind_one_gap(world: World) -> None:
    make_gap(world)
    ch, de = world.workers["CH"], world.workers["DE"]
    world.settle()
    de.witness.begins_again = {ORIGIN: 2}
    ch.write_blocks()
    world.settle()
    assert list_cosigners(ch)[4] == {"DE"}
    ch.write_blocks()
    ch.converse()
    ch.topic.pop()
    ch.write_blocks()
    ch.read["CH"] -= 1
    before = de.count(Sighting.GAP)
    world.settle()
    assert de.count(Sighting.GAP) == before + 1, "the next gap is another one"


def test_a_state_whose_root_is_not_pinned_is_reported_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(TRUSTED, "CH")
    ch, de = world.workers["CH"], world.workers["DE"]
    for _ in range(2):
        ch.write_blocks()
        de.converse()
    assert de.count(Sighting.UNTRUSTED) == 2
    assert len(de.quarantined) == 1
