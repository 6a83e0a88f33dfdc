"""A witness: cosigns a log that only grows, refuses everything else, and keeps what proves a fork."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint, verify_checkpoint
from sharing.audit.checkpoint_record import (
    EARLIER_MAX,
    CheckpointRecord,
    EarlierCheckpoint,
    make_checkpoint_record,
    read_checkpoint_record,
)
from sharing.audit.compact_range import EMPTY_ROOT, CompactRange
from sharing.audit.signed_note import NoteSignature
from sharing.audit.witnessing import (
    REMEMBERED_MAX,
    Observation,
    Sighting,
    WitnessedLog,
    observe_checkpoint,
)
from sharing.errors import DecodeError
from sharing.model.times import MINUTE_MS
from sharing.model.vocabulary import AuditLogName
from sharing.sign.merkle_tree import hash_leaf
from sharing.trust.online_key import OnlineKey
from sharing.trust.public_keys import KeyRole
from tests.audit.audit_fixtures import EXAMPLES, GATE_KEYS, PLACE, TRUSTED, make_world
from tests.audit.test_checkpoint import revoke
from tests.trust.trust_fixtures import NOW, make_online, make_signer

SETTINGS = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
LEAVES = [hash_leaf(bytes([number])) for number in range(200)]
OTHER_LEAVES = [*LEAVES[:9], *(hash_leaf(b"other" + bytes([number])) for number in range(100))]
LATER = NOW + 60 * MINUTE_MS


def make_record(
    size: int, larger: int, at: int = NOW, leaves: Sequence[bytes] = LEAVES, **options: Sequence[EarlierCheckpoint]
) -> CheckpointRecord:
    before = CompactRange().extend(leaves[:size])
    added = CompactRange(size, size).extend(leaves[size:larger])
    return make_checkpoint_record(PLACE, before, added, at, GATE_KEYS["CH"], **options)


def see(log: WitnessedLog | None, record: CheckpointRecord) -> Observation:
    return observe_checkpoint(log, record, TRUSTED["CH"], LATER, TRUSTED)


def see_all(*records: CheckpointRecord) -> WitnessedLog:
    log: WitnessedLog | None = None
    for record in records:
        observation = see(log, record)
        assert observation.sighting is Sighting.CONSISTENT
        log = observation.log
    assert log is not None
    return log


def expect(sighting: Sighting, log: WitnessedLog | None, record: CheckpointRecord) -> Observation:
    observation = see(log, record)
    assert observation.sighting is sighting, observation.reason
    assert sighting.is_alarm is (sighting not in {Sighting.CONSISTENT, Sighting.REPEATED})
    if sighting is not Sighting.CONSISTENT:
        assert observation.cosign("DE", GATE_KEYS["DE"], LATER) is None
    return observation


@SETTINGS
@given(st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_a_log_that_only_grows_is_cosigned(steps: list[int]) -> None:
    log: WitnessedLog | None = None
    size = 0
    for number, step in enumerate(steps):
        record = make_record(size, size + step, NOW + number)
        size += step
        observation = see(log, read_checkpoint_record(record.encode()))
        assert observation.sighting is Sighting.CONSISTENT, observation.reason
        log = observation.log
        note = observation.cosign("DE", GATE_KEYS["DE"], LATER)
        assert note is not None
        cosigned = read_checkpoint(note)
        assert cosigned.note.text == record.checkpoint.note.text
        assert [each.name for each in cosigned.note.signatures] == ["de.sharing/witness"]
    assert log is not None
    assert log.last.size == size
    assert WitnessedLog.from_fields(log.to_fields()) == log


def test_only_so_many_checkpoints_are_remembered() -> None:
    log = see_all(*(make_record(number, number + 1, NOW + number) for number in range(30)))
    assert len(log.seen) == REMEMBERED_MAX
    assert (log.first_size, log.last.size) == (1, 30)


def test_a_repetition_is_not_cosigned_again() -> None:
    log = see_all(make_record(0, 5), make_record(5, 9, NOW + 1))
    for record in (make_record(0, 5), make_record(5, 9, NOW + 1)):
        assert expect(Sighting.REPEATED, log, record).log is log
    old = make_record(0, 3, NOW - 1)
    assert expect(Sighting.REPEATED, log, old).log is log


def test_two_checkpoints_of_one_size_are_a_fork() -> None:
    log = see_all(make_record(0, 5), make_record(5, 12, NOW + 1))
    forked = make_record(5, 12, NOW + 2, OTHER_LEAVES)
    observation = expect(Sighting.FORK, log, forked)
    assert observation.evidence == (log.seen[-1], forked.checkpoint.note.to_bytes())
    assert "12 blocks" in observation.reason
    one, two = (read_checkpoint(note) for note in observation.evidence)
    assert (one.origin, one.size) == (two.origin, two.size)
    assert one.root != two.root
    for each in (one, two):
        verify_checkpoint(each, TRUSTED["CH"], now=LATER)
    after = observation.log
    assert after is not None
    assert WitnessedLog.from_fields(after.to_fields()) == after
    following = make_record(12, 14, NOW + 3)
    assert expect(Sighting.FORK, after, following).evidence == observation.evidence


def test_a_fork_is_found_in_what_others_have_cosigned() -> None:
    log = see_all(make_record(0, 5), make_record(5, 12, NOW + 1))
    shown = make_record(5, 12, NOW + 2, OTHER_LEAVES).checkpoint
    record = make_record(12, 15, NOW + 3, earlier=[EarlierCheckpoint(shown)])
    assert expect(Sighting.FORK, log, record).evidence == (log.seen[-1], shown.note.to_bytes())


def test_nobody_is_accused_by_a_text_that_the_state_has_not_signed() -> None:
    log = see_all(make_record(0, 5), make_record(5, 12, NOW + 1))
    shown = sign_checkpoint(PLACE, 12, bytes(32), NOW + 2, make_signer("DE gate 1"))
    observation = see(log, make_record(12, 15, NOW + 3, earlier=[EarlierCheckpoint(shown)]))
    assert observation.sighting is Sighting.CONSISTENT


def test_a_shorter_log_is_rolled_back() -> None:
    log = see_all(make_record(0, 5), make_record(5, 9, NOW + 1))
    observation = expect(Sighting.ROLLED_BACK, log, make_record(5, 7, NOW + 2))
    assert observation.log is log
    assert "blocks were removed" in observation.reason
    assert len(observation.evidence) == 2


def test_missing_checkpoints_are_a_gap() -> None:
    log = see_all(make_record(0, 5))
    observation = expect(Sighting.GAP, log, make_record(7, 9, NOW + 2))
    assert observation.log is log
    again = WitnessedLog((observation.checkpoint.note.to_bytes(),), observation.checkpoint.size)
    assert see(again, make_record(9, 11, NOW + 3)).sighting is Sighting.CONSISTENT


def test_what_a_witness_has_not_read_before_the_key_was_revoked_is_a_gap_for_the_next_key() -> None:
    log, next_key = see_all(make_record(0, 5)), make_signer("CH gate 2")
    statement = TRUSTED["CH"].statement
    gate_key = next(key for key in statement.keys if key.role is KeyRole.GATE)
    successor = make_online(KeyRole.GATE, 3, "CH ").key_id
    following = OnlineKey(**{**dict(gate_key), **dict(next_key.public_key), "successor": successor})
    both = replace(TRUSTED["CH"], statement=statement.model_copy(update={"keys": (*statement.keys, following)}))
    keys = revoke(both, NOW + 1)
    assert keys.statement.revocations[0].key == gate_key.key_id
    unread = observe_checkpoint(log, make_record(5, 7), keys, LATER)
    assert (unread.sighting, unread.log) == (Sighting.UNTRUSTED, log)
    for before, sighting in ((5, Sighting.CONSISTENT), (7, Sighting.GAP)):
        record = make_record(before, 9)
        signed = sign_checkpoint(PLACE, 9, record.checkpoint.root, NOW + 2, next_key)
        assert observe_checkpoint(log, replace(record, checkpoint=signed), keys, LATER).sighting is sighting


def test_what_does_not_prove_growth_is_inconsistent() -> None:
    log = see_all(make_record(0, 5), make_record(5, 10, NOW + 1))
    forked = make_record(10, 14, NOW + 2, OTHER_LEAVES)
    expect(Sighting.INCONSISTENT, log, forked)
    good = make_record(10, 14, NOW + 2)
    for proof in (b"", good.consistency[:-32], good.consistency + bytes(32), bytes(len(good.consistency))):
        expect(Sighting.INCONSISTENT, log, replace(good, consistency=proof))


def test_what_the_state_has_not_signed_is_untrusted() -> None:
    good = make_record(0, 5)
    for name in ("CH conversation 1", "DE gate 1"):
        forged = replace(good, checkpoint=sign_checkpoint(PLACE, 5, good.checkpoint.root, NOW, make_signer(name)))
        assert expect(Sighting.UNTRUSTED, None, forged).log is None
    other = observe_checkpoint(None, good, TRUSTED["DE"], LATER)
    assert other.sighting is Sighting.UNTRUSTED


def test_a_witness_does_not_mix_logs_and_does_not_cosign_its_own() -> None:
    log = see_all(make_record(0, 5))
    place = LogPlace("CH", AuditLogName.ACTS, 0)
    record = make_checkpoint_record(place, CompactRange(), CompactRange().extend(LEAVES[:2]), NOW, GATE_KEYS["CH"])
    with pytest.raises(ValueError, match="a different log"):
        see(log, record)
    assert see(None, record).cosign("CH", GATE_KEYS["CH"], LATER) is None


def test_records_survive_their_bytes() -> None:
    world = make_world()
    for _, value in world.records:
        assert read_checkpoint_record(value).encode() == value
    first = make_record(0, 3)
    assert first.follows(0, EMPTY_ROOT)
    assert not first.follows(0, bytes(32))
    assert first.consistency == b""


def test_what_is_no_record() -> None:
    good = make_record(3, 5)
    checkpoint = good.checkpoint

    def add(*signatures: NoteSignature) -> Checkpoint:
        return replace(checkpoint, note=replace(checkpoint.note, signatures=signatures))

    own = checkpoint.note.signatures[0]
    stranger, witness = (
        NoteSignature("x", bytes(4), bytes(64)),
        NoteSignature("ch.sharing/witness", bytes(4), bytes(72)),
    )
    place = LogPlace("CH", AuditLogName.ACTS, 0)
    other = sign_checkpoint(place, 5, checkpoint.root, NOW, GATE_KEYS["CH"])
    larger = sign_checkpoint(PLACE, 6, checkpoint.root, NOW, GATE_KEYS["CH"])
    records = [
        replace(good, previous_size=6),
        replace(good, previous_size=-1),
        replace(good, consistency=bytes(32 * 81)),
        replace(good, checkpoint=add(own, stranger)),
        replace(good, checkpoint=add(stranger)),
        *(
            replace(good, earlier=(EarlierCheckpoint(each),))
            for each in (other, larger, add(stranger), add(own, stranger), add(own, witness))
        ),
    ]
    for record in records:
        with pytest.raises(DecodeError, match="do not match"):
            read_checkpoint_record(record.encode())
    for value in (None, b"", good.encode() + b"x", good.encode()[:-1]):
        with pytest.raises(DecodeError):
            read_checkpoint_record(value)
    with pytest.raises(ValueError, match="at most 16"):
        replace(good, earlier=(EarlierCheckpoint(checkpoint),) * (EARLIER_MAX + 1)).encode()
