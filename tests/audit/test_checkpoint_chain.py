"""The checkpoints of one log: what is wrong with their order, and which of them counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharing.audit import checkpoint_verifier
from sharing.audit.checkpoint import Checkpoint
from sharing.audit.checkpoint_chain import CheckpointChain
from sharing.audit.checkpoint_record import EarlierCheckpoint, read_checkpoint_record
from sharing.audit.checkpoint_verifier import CheckpointPolicy, KnownCheckpoint
from sharing.audit.findings import AuditFault, AuditFinding
from sharing.audit.signed_note import NoteSignature
from sharing.audit.time_stamp import verify_checkpoint_stamp
from tests.audit.audit_fixtures import PLACE, TRUSTED, World, make_world, stamp_checkpoints

Found = list[tuple[AuditFault, int | None, int | None]]


def read(
    world: World, values: list[bytes], *, required: int = 2, witnesses: tuple[str, ...] = ("DE", "FR")
) -> tuple[list[KnownCheckpoint], Found, CheckpointChain]:
    policy = CheckpointPolicy(TRUSTED["CH"], {state: TRUSTED[state] for state in witnesses}, world.now, required)
    chain = CheckpointChain(PLACE, policy)
    for offset, value in enumerate(values):
        chain.receive(offset, value)
    return chain.finish(), list(map(describe, chain.findings)), chain


def describe(finding: AuditFinding) -> tuple[AuditFault, int | None, int | None]:
    assert finding.in_checkpoints
    return finding.fault, finding.offset, finding.block


def list_values(world: World) -> list[bytes]:
    return [value for _, value in world.records]


def test_a_whole_chain() -> None:
    world = make_world()
    known, found, _ = read(world, list_values(world))
    assert found == []
    assert [each.checkpoint.size for each in known] == [3, 6, 9, 12, 12]
    assert [each.witnessed_at is not None for each in known] == [True] * 4 + [False]
    assert all(each.before is not None and each.before.end == each.checkpoint.size for each in known[:3])


def test_missing_checkpoints() -> None:
    world = make_world()
    first, *_, last = values = list_values(world)
    assert read(world, values[1:])[1] == [(AuditFault.CHECKPOINT_GAP, 0, 0)]
    assert read(world, [first, *values[2:]])[1] == [(AuditFault.CHECKPOINT_GAP, 1, 3)]
    assert read(world, [*values[:2], first, *values[2:], last])[1] == []  # repetitions


def test_a_checkpoint_that_goes_back() -> None:
    world, other = make_world(), make_world()
    other.now = world.now
    shorter = make_world(batches=4, each=4)
    known, found, _ = read(world, [*list_values(world), list_values(shorter)[0]])
    assert found == [(AuditFault.CHECKPOINT_ROLLED_BACK, 5, 4)]
    assert 4 in [each.checkpoint.size for each in known]


def test_a_checkpoint_that_does_not_prove_growth() -> None:
    world = make_world()
    values = list_values(world)
    record = read_checkpoint_record(values[2])
    values[2] = replace(record, consistency=bytes(len(record.consistency))).encode()
    known, found, _ = read(world, values)
    assert found == [(AuditFault.CHECKPOINT_INCONSISTENT, 2, 6)]
    assert known[1].before is None


def test_what_is_no_checkpoint_of_this_log() -> None:
    world = make_world()
    assert read(world, [b"junk", *list_values(world)])[1] == [(AuditFault.CHECKPOINT_MALFORMED, 0, None)]


def test_two_signed_checkpoints_of_one_size_are_a_fork() -> None:
    world, other = make_world(), make_world(entries=6)
    _, found, _ = read(world, [*list_values(world)[:4], list_values(other)[3]])
    assert (AuditFault.FORK, 4, 12) in found


def test_a_repetition_brings_cosignatures() -> None:
    world = make_world(batches=3)
    first, second = list_values(world)
    (earlier,) = read_checkpoint_record(second).earlier
    again = replace(read_checkpoint_record(first), earlier=(earlier,)).encode()
    known, found, _ = read(world, [first, again])
    assert found == []
    assert [each.witnessed_at is not None for each in known] == [True]


def test_only_as_many_signatures_as_needed_are_looked_at() -> None:
    world = make_world()
    policy = CheckpointPolicy(TRUSTED["CH"], {state: TRUSTED[state] for state in ("DE", "FR")}, world.now)
    chain = CheckpointChain(PLACE, policy)
    for offset, value in enumerate(list_values(world)):
        chain.receive(offset, value)
    for block, size in ((0, 3), (2, 3), (3, 6), (11, 12)):
        covering = chain.find_covering(block)
        assert covering is not None
        assert (covering.checkpoint.size, covering.witnessed_at is not None) == (size, True)
    assert chain.find_covering(12) is None


def test_where_too_few_have_cosigned_the_one_that_most_have_cosigned_covers() -> None:
    world = make_world()
    _, _, chain = read(world, list_values(world), required=3)
    covering = chain.find_covering(4)
    assert covering is not None
    assert (covering.checkpoint.size, covering.witnessed_at) == (12, None)
    assert sorted(covering.cosigned_by) == ["DE", "FR"]  # the newest one of this size has no cosignature yet


def test_only_the_newest_time_stamp_that_counts_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    stamp_checkpoints(world)
    sizes: list[int] = []

    def count(response: bytes, checkpoint: Checkpoint, *given: Any) -> int:
        sizes.append(checkpoint.size)
        return verify_checkpoint_stamp(response, checkpoint, *given)

    def read_stamps(values: list[bytes]) -> tuple[list[int], list[AuditFault]]:
        sizes.clear()
        policy = CheckpointPolicy(
            TRUSTED["CH"], {}, world.now + 2_000, stamp_roots=world.stamp_roots, newest_stamp_only=True
        )
        chain = CheckpointChain(PLACE, policy)
        for offset, value in enumerate(values):
            chain.receive(offset, value)
        stamped = [each.checkpoint.size for each in chain.finish() if each.stamped_at is not None]
        return stamped, [each.fault for each in chain.findings if each.fault is not AuditFault.COSIGNATURE_INVALID]

    monkeypatch.setattr(checkpoint_verifier, "verify_checkpoint_stamp", count)
    *before, last = list_values(world)
    assert read_stamps([*before, last]) == ([12], [])
    assert sizes == [12]
    record = read_checkpoint_record(last)
    wrong = replace(record, earlier=tuple(replace(each, time_stamp=b"none") for each in record.earlier))
    assert read_stamps([*before, wrong.encode()]) == ([9], [AuditFault.TIME_STAMP_INVALID])
    assert sizes == [12, 9]


def test_without_witnesses_the_newest_covers() -> None:
    world = World()
    for _ in range(3):
        world.add_batch(1)
        world.make_checkpoint()
    _, found, chain = read(world, list_values(world))
    covering = chain.find_covering(0)
    assert found == []
    assert covering is not None
    assert (covering.checkpoint.size, covering.witnessed_at) == (3, None)


def test_a_signature_of_a_state_that_is_not_pinned_is_named_where_one_is_missing() -> None:
    world = make_world()
    values = list_values(world)
    assert read(world, values, required=1, witnesses=("DE",))[1] == []
    _, found, _ = read(world, values, witnesses=("DE",))
    assert {fault for fault, *_ in found} == {AuditFault.COSIGNATURE_INVALID}


def test_two_different_signatures_of_one_key_are_both_looked_at() -> None:
    world = make_world(batches=3)
    first, second = list_values(world)
    record = read_checkpoint_record(second)
    (earlier,) = record.earlier
    own, *others = earlier.checkpoint.note.signatures
    forged = NoteSignature(own.name, own.key_id, bytes(64))
    note = replace(earlier.checkpoint.note, signatures=(forged, *others))
    changed = replace(record, earlier=(EarlierCheckpoint(replace(earlier.checkpoint, note=note)),)).encode()
    _, found, _ = read(world, [first, changed])
    assert found == [(AuditFault.CHECKPOINT_UNTRUSTED, 0, 3)]
