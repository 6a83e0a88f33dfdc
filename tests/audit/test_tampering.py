"""A part of the tampering campaign, and what an operator can really do, one test each. `make tamper` runs the whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from sharing.audit.block import LogPlace, add_blocks, read_block
from sharing.audit.checkpoint import sign_checkpoint
from sharing.audit.checkpoint_chain import CheckpointChain
from sharing.audit.checkpoint_record import CheckpointRecord, read_checkpoint_record
from sharing.audit.checkpoint_verifier import CheckpointPolicy
from sharing.audit.compact_range import CompactRange
from sharing.audit.findings import AuditFault
from sharing.audit.log_head import EMPTY_LOG
from sharing.audit.verification import LogReport, LogVerifier
from sharing.audit.witnessing import Sighting, observe_checkpoint
from sharing.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.avro_primitives import encode_bytes, encode_long
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from tests.audit.audit_fixtures import (
    GATE_KEYS,
    PLACE,
    TRUSTED,
    World,
    make_entry,
    make_world,
    rewrite,
    stamp_checkpoints,
)
from tests.audit.clock_tsa import ClockTsa, get_service
from tests.audit.tampering import ALTERATIONS, LATER, Campaign, run_campaign
from tests.audit.test_checkpoint import revoke

NUMBER = int(os.environ.get("SHARING_TAMPER", "400"))


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return run_campaign(NUMBER, seed=20)


def test_every_alteration_is_found(campaign: Campaign) -> None:
    assert campaign.missed == []
    assert set(campaign.found) == set(ALTERATIONS)


def test_a_campaign_notices_what_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LogVerifier, "_check_content", lambda *_: True)
    monkeypatch.setitem(ALTERATIONS, "bytes of a block", (200, ALTERATIONS["bytes of a block"][1]))
    assert len(run_campaign(60, seed=3).missed) > 5


def list_faults(report: LogReport) -> list[AuditFault]:
    return list(dict.fromkeys(finding.fault for finding in report.findings))


def test_an_untouched_log_raises_nothing() -> None:
    for batches, entries, each in ((1, 1, 1), (2, 1, 1), (9, 3, 4), (33, 2, 5)):
        world = make_world(batches, entries, each)
        report = world.verify(later=LATER)
        assert report.findings == ()
        assert (report.records, report.witnessed, report.blocks) == (batches * entries, batches * entries, batches)
        assert (report.witnessed_blocks, report.sure_blocks) == (batches, batches)
    assert World().verify().findings == ()


def test_what_is_not_covered_or_not_cosigned_in_time_is_named() -> None:
    world = make_world()
    world.add_batch(3)
    report = world.verify()
    assert (report.findings, report.witnessed, report.records) == ((), 84, 87)
    assert list_faults(world.verify(later=11 * MINUTE_MS)) == [AuditFault.CHECKPOINT_MISSING]
    record = world.make_checkpoint()
    assert list_faults(world.verify(later=11 * MINUTE_MS)) == []
    assert list_faults(world.verify(later=2 * HOUR_MS)) == [AuditFault.NOT_WITNESSED]
    assert list_faults(world.verify(later=2 * HOUR_MS, required=0)) == []
    world.cosign(record, ["DE"])
    world.make_checkpoint()
    assert list_faults(world.verify(later=2 * HOUR_MS)) == [AuditFault.NOT_WITNESSED]
    report = world.verify(later=2 * HOUR_MS, required=1)
    assert (report.findings, report.witnessed) == ((), 87)


def test_records_deleted_at_the_beginning() -> None:
    world = make_world()
    world.blocks = world.blocks[5:]
    report = world.verify()
    assert list_faults(report) == [AuditFault.BEGINNING_CUT]
    assert report.findings[0].sentence == "blocks 0 to 4 are missing"
    assert (report.witnessed_blocks, report.sure_blocks) == (12, 0)
    assert report.witnessed == 7 * 7  # what is left is still proved, from the next checkpoint on and before it


@pytest.mark.parametrize("left", [0, 5, 11])
def test_records_deleted_at_the_end(left: int) -> None:
    world = make_world()
    world.blocks = world.blocks[:left]
    report = world.verify()
    assert [(finding.fault, finding.block) for finding in report.findings] == [(AuditFault.TAIL_CUT, left)]
    assert report.findings[0].sentence.startswith(f"blocks {left} to 11 are missing at the end")
    assert report.sure_blocks == left // 3 * 3


def test_a_topic_made_again_begins_with_the_old_head() -> None:
    """The log goes on where it was, since the head is in the state store; what was before is missing, and named."""
    world = make_world()
    world.blocks = []
    for _ in range(3):
        world.add_batch(2)
    world.cosign(world.make_checkpoint())
    world.make_checkpoint()
    report = world.verify()
    assert list_faults(report) == [AuditFault.BEGINNING_CUT]
    assert report.findings[0].sentence == "blocks 0 to 11 are missing"
    assert (report.records, report.witnessed) == (6, 6)


def test_a_topic_made_again_and_a_log_that_begins_again() -> None:
    world = make_world()
    fresh = make_world(batches=5, entries=2)
    world.blocks = fresh.blocks
    assert AuditFault.FORK in list_faults(world.verify())


def test_a_restored_backup_that_forks() -> None:
    """The whole State goes back to yesterday, signs what follows with its own key, and a witness is shown that."""
    world, original = make_world(), make_world()
    world.blocks, world.records = world.blocks[:6], world.records[:2]
    world.head, world.before, world.written = EMPTY_LOG, CompactRange(), 5_000
    for _, value in world.blocks:
        block = read_block(value)
        world.head = world.head.add_block(block.leaf, len(block.entries))
    world.before = world.head.tree
    world.added = CompactRange(6, 6)
    for _ in range(6):
        world.add_batch(7)
    world.now += HOUR_MS
    record = world.make_checkpoint()
    assert record.previous_size == 6
    shown = observe_checkpoint(world.seen["DE"], record, TRUSTED["CH"], world.now, TRUSTED)
    assert shown.sighting is Sighting.FORK
    assert shown.cosign("DE", GATE_KEYS["DE"], world.now) is None
    forked = world.verify(later=2 * HOUR_MS)
    assert AuditFault.NOT_WITNESSED in list_faults(forked)
    assert forked.sure_blocks <= 6
    seen = [read_checkpoint_record(value).checkpoint for _, value in original.records]
    assert AuditFault.FORK in list_faults(world.verify(elsewhere=seen))


def test_two_worlds_for_two_witnesses() -> None:
    """Each witness sees a consistent log. Neither world gets enough cosignatures, and either witness finds the fork."""
    one, two = make_world(batches=3, each=3), make_world(batches=3, each=3)
    one.add_batch(2)
    two.written += 100
    two.add_batch(2)
    first, second = one.make_checkpoint(), two.make_checkpoint()
    cosigned_one, cosigned_two = one.cosign(first, ["DE"]), two.cosign(second, ["FR"])
    for world in (one, two):
        world.make_checkpoint()
        assert list_faults(world.verify(later=2 * HOUR_MS)) == [AuditFault.NOT_WITNESSED]
    report = one.verify(elsewhere=[cosigned_two])
    assert AuditFault.FORK in list_faults(report)
    assert report.sure_blocks == 3
    record = read_checkpoint_record(one.records[-1][1])
    mixed = replace(record, earlier=(replace(record.earlier[0], checkpoint=cosigned_two),))
    shown = observe_checkpoint(one.seen["DE"], mixed, TRUSTED["CH"], one.now, TRUSTED)
    assert shown.sighting is Sighting.FORK
    assert shown.evidence == (first.checkpoint.note.to_bytes(), cosigned_two.note.to_bytes())
    assert cosigned_one.root != cosigned_two.root


def test_a_partition_swapped() -> None:
    one, two = make_world(), make_world(place=LogPlace("CH", AuditLogName.DECISIONS, 1))
    one.blocks = two.blocks
    assert list_faults(one.verify()) == [AuditFault.WRONG_LOG, AuditFault.TAIL_CUT]


def test_a_gate_key_stolen_for_an_hour() -> None:
    """The thief rewrites the last blocks, and signs checkpoints of that. Nobody cosigns them; the key is revoked."""
    world, original = make_world(), make_world()
    stolen_at = world.now
    rewrite(world, 9, lambda entries: entries[1:])
    head = EMPTY_LOG
    for _, value in world.blocks:
        block = read_block(value)
        head = head.add_block(block.leaf, len(block.entries))
    forged = sign_checkpoint(PLACE, 12, head.tree.compute_root(), world.now, GATE_KEYS["CH"])
    record = CheckpointRecord(forged, 9, b"")
    shown = observe_checkpoint(world.seen["DE"], record, TRUSTED["CH"], world.now, TRUSTED)
    assert shown.sighting is Sighting.FORK
    revoked = revoke(TRUSTED["CH"], stolen_at + HOUR_MS)
    # The thief leaves the genuine checkpoints where they are: they contradict the blocks.
    assert AuditFault.FORK in list_faults(world.verify(keys=revoked, later=2 * HOUR_MS))
    # The thief removes those of the last hour: what is left under the revoked key was cosigned by nobody.
    world.records = [*world.records[:3], (3, record.encode())]
    report = world.verify(keys=revoked, later=2 * HOUR_MS)
    assert AuditFault.CHECKPOINT_MISSING in list_faults(report)
    assert (
        report.sure_blocks == 6
    )  # the checkpoint of nine blocks is known, but its cosignatures were in the next record
    # What was cosigned before the revocation still counts.
    report = original.verify(keys=revoked, later=2 * HOUR_MS)
    assert (report.findings, report.sure_blocks) == ((), 12)


def test_a_checkpoint_under_a_revoked_key_that_contradicts_is_named() -> None:
    world = make_world()
    forged = sign_checkpoint(PLACE, 12, bytes(32), world.now, GATE_KEYS["CH"])
    revoked = revoke(TRUSTED["CH"], world.now + HOUR_MS)
    report = world.verify(keys=revoked, later=2 * HOUR_MS, elsewhere=[forged])
    assert list_faults(report) == [AuditFault.CHECKPOINT_UNTRUSTED]


def test_old_time_stamps() -> None:
    world = make_world()
    verifier = LogVerifier(PLACE, world.read_checkpoints()[0])
    for offset, value in world.blocks:
        verifier.receive(offset, value, read_block(value).written_at - (31 * DAY_MS if offset == 4 else 0))
    assert [(finding.fault, finding.offset) for finding in verifier.finish(world.now).findings] == [
        (AuditFault.TIME_DIFFERS, 4)
    ]


def test_a_log_is_time_stamped_until_a_block() -> None:
    world = make_world()
    plain = world.verify()
    assert (plain.stamped_blocks, plain.stamped_at, plain.stamped_since) == (0, None, None)
    stamp_checkpoints(world, 0, 2)
    report = world.verify()
    first, _, third, _ = (read_checkpoint_record(value).earlier[0].checkpoint for _, value in world.records[1:])
    assert report.findings == ()
    assert report.stamped_blocks == third.size == 9
    assert (report.stamped_since, report.stamped_at) == (first.signed_at + 2_000, third.signed_at + 2_000)
    world.stamp_roots = ()  # without a trusted service, no time stamp is checked
    assert world.verify().stamped_at is None


def test_a_time_stamp_of_another_checkpoint_or_service_or_an_old_one_is_named() -> None:
    service, foreign = get_service(), ClockTsa()
    for make, says in (
        (lambda each, _: foreign.stamp(each.note.text, each.signed_at), "does not count"),
        (lambda _, other: service.stamp(other.note.text, other.signed_at), "does not count"),
        (lambda each, _: service.stamp(each.note.text, each.signed_at - 6 * MINUTE_MS), "clocks is wrong"),
        (lambda each, _: service.stamp(each.note.text, each.signed_at + DAY_MS), "in the future"),
    ):
        world = make_world()
        stamp_checkpoints(world)
        offset, value = world.records[2]
        record = read_checkpoint_record(value)
        (earlier,) = record.earlier
        stamp = make(earlier.checkpoint, record.checkpoint)
        world.records[2] = offset, replace(record, earlier=(replace(earlier, time_stamp=stamp),)).encode()
        report = world.verify(later=HOUR_MS)
        (finding,) = report.findings
        assert (finding.fault, finding.offset, finding.in_checkpoints) == (AuditFault.TIME_STAMP_INVALID, 1, True)
        assert says in finding.sentence
        assert report.stamped_blocks == 12, "the others count"
    # A second one that is not a time stamp is found as well, although the first one counts.
    world = make_world()
    stamp_checkpoints(world)
    record = read_checkpoint_record(world.records[-1][1])
    again = replace(record, earlier=(replace(record.earlier[0], time_stamp=b"none"),))
    world.records.append((9, again.encode()))
    assert [(finding.fault, finding.offset) for finding in world.verify().findings] == [
        (AuditFault.TIME_STAMP_INVALID, 3)
    ]


def test_the_state_and_all_its_witnesses_rewrite_history_and_its_time_stamps_are_late() -> None:
    """They sign everything after the first checkpoint again, under the old times; the service does not date back."""
    world = make_world()
    stamp_checkpoints(world, 0)
    stamp_checkpoints(world, 1, 2, 3, delay_ms=20 * DAY_MS)
    report = world.verify(later=21 * DAY_MS)
    assert list_faults(report) == [AuditFault.TIME_STAMP_LATE]
    assert report.findings[0].block == 3
    assert "the first time stamp that covers them is of" in report.findings[0].sentence
    world.stamp_roots = ()
    assert world.verify(later=21 * DAY_MS).findings == (), "nothing else shows it"


def test_blocks_without_a_time_stamp_are_named_once_a_log_has_had_some() -> None:
    world = make_world()
    stamp_checkpoints(world, 1)
    assert world.verify(later=2 * DAY_MS).findings == ()
    report = world.verify(later=4 * DAY_MS)
    assert [(finding.fault, finding.block) for finding in report.findings] == [(AuditFault.TIME_STAMP_LATE, 6)]
    part = LogVerifier(PLACE, world.read_checkpoints(later=4 * DAY_MS)[0], to_end=False)
    for offset, value in world.blocks[:8]:
        part.receive(offset, value)
    assert part.finish(world.now + 4 * DAY_MS).findings == (), "what comes after a part may be stamped"
    never = make_world()
    never.stamp_roots = [get_service().root]
    assert never.verify(later=4 * DAY_MS).findings == ()


def test_unreadable_records() -> None:
    world = make_world()
    verifier = LogVerifier(PLACE, world.read_checkpoints()[0])
    for offset, value in world.blocks[:4]:
        verifier.receive(offset, value)
    verifier.report_unreadable(8, "a batch is damaged")
    for offset, value in world.blocks[5:]:
        verifier.receive(offset, value)
    report = verifier.finish(world.now)
    assert list_faults(report) == [AuditFault.UNREADABLE, AuditFault.GAP]
    assert report.sure_blocks == 3


@pytest.mark.parametrize("first", range(1, 12))
def test_a_part_of_a_log_is_verified_from_the_next_checkpoint_on(first: int) -> None:
    world = make_world(batches=20, each=3)
    verifier = LogVerifier(PLACE, world.read_checkpoints()[0], from_beginning=False, required=2)
    for offset, value in world.blocks[first:]:
        verifier.receive(offset, value)
    report = verifier.finish(world.now + LATER)
    assert report.findings == ()
    assert report.witnessed == report.records == 7 * (20 - first)
    altered = LogVerifier(PLACE, world.read_checkpoints()[0], from_beginning=False)
    rewrite(world, first + 1, lambda entries: entries[1:])
    for offset, value in world.blocks[first:]:
        altered.receive(offset, value)
    assert AuditFault.FORK in list_faults(altered.finish(world.now))


def test_the_end_of_a_part_is_not_missed() -> None:
    world = make_world()
    verifier = LogVerifier(PLACE, world.read_checkpoints()[0], to_end=False)
    for offset, value in world.blocks[:7]:
        verifier.receive(offset, value)
    assert verifier.finish(world.now).findings == ()


def test_a_part_that_ends_between_two_checkpoints_is_covered_by_the_second() -> None:
    world = make_world()
    for known, faults in (
        (world.read_checkpoints()[0], []),
        ([each for each in world.read_checkpoints()[0] if each.checkpoint.size <= 6],
         [AuditFault.CHECKPOINT_MISSING, AuditFault.NOT_WITNESSED]),
    ):  # fmt: skip
        verifier = LogVerifier(PLACE, known, to_end=False, required=2)
        for offset, value in world.blocks[:8]:
            verifier.receive(offset, value)
        assert list_faults(verifier.finish(world.now + LATER)) == faults


def test_a_log_without_keys_is_verified_by_its_chain() -> None:
    world = make_world()
    for change, faults in (
        (None, []),
        (lambda blocks: blocks[:5] + blocks[6:], [AuditFault.GAP]),
        (lambda blocks: blocks[1:], [AuditFault.BEGINNING_CUT]),
    ):
        altered: Callable[..., object] | None = change
        blocks = world.blocks if altered is None else change(world.blocks)  # type: ignore[misc]
        verifier = LogVerifier(PLACE, None)
        for offset, value in blocks:
            verifier.receive(offset, value)
        report = verifier.finish(world.now + DAY_MS)
        assert list_faults(report) == faults
        assert (report.witnessed, report.sure_at) == (0, None)


def test_a_block_that_was_replaced_breaks_the_chain() -> None:
    """Also where nobody signs: the next block names another one before it."""
    world, altered = make_world(), make_world()
    rewrite(altered, 4, lambda entries: entries[::-1])
    verifier = LogVerifier(PLACE, None)
    for offset, value in [*world.blocks[:4], altered.blocks[4], *world.blocks[5:]]:
        verifier.receive(offset, value)
    (finding,) = verifier.finish(world.now).findings
    assert (finding.fault, finding.offset, finding.block) == (AuditFault.CHAIN_BROKEN, 10, 4)


def test_a_block_in_another_byte_form_is_named() -> None:
    """Avro can write an array in several parts: that has the same content, the same root, and other bytes."""
    world = make_world(3)
    offset, value = world.blocks[1]
    block = read_block(value)
    parts = [encode_long(1) + encode_bytes(entry) for entry in block.entries]
    other = value[:HEADER_LENGTH] + block.head + b"".join(parts) + encode_long(0) + encode_bytes(block.commitments)
    assert read_block(other) == block
    assert other != value
    world.blocks[1] = offset, other
    report = world.verify()
    assert [(finding.fault, finding.block) for finding in report.findings] == [(AuditFault.MALFORMED, 1)]


def test_a_block_that_counts_wrongly_is_named() -> None:
    verifier, head = LogVerifier(PLACE, None), EMPTY_LOG
    for number, entries in enumerate(([make_entry(1), make_entry(2)], [make_entry(3)])):
        if number:
            head = replace(head, entries=1)
        ((block, head),) = add_blocks(head, PLACE, entries, (), make_world(1).now)
        verifier.receive(number, get_codec("audit_block").header + block.encode_unframed())
    (finding,) = verifier.finish(make_world(1).now).findings
    assert (finding.fault, finding.block) == (AuditFault.COUNT_WRONG, 1)


def test_entries_of_two_partitions_are_not_the_same_log() -> None:
    world = make_world(place=LogPlace("CH", AuditLogName.ACTS, 3))
    assert world.verify().findings == ()
    chain = CheckpointChain(PLACE, CheckpointPolicy(TRUSTED["CH"], {}, world.now))
    chain.receive(0, world.records[0][1])
    assert [finding.fault for finding in chain.findings] == [AuditFault.CHECKPOINT_MALFORMED]


def test_keys_that_ended_long_ago_are_no_fault() -> None:
    """A statement lists a gate key for a year after its end. Then its checkpoints are covered by later ones."""
    world = make_world()
    keys = TRUSTED["CH"]
    others = tuple(key for key in keys.statement.keys if key.role != "gate")
    without = replace(keys, statement=keys.statement.model_copy(update={"keys": others}))
    assert list_faults(world.verify(keys=without)) == [AuditFault.CHECKPOINT_UNTRUSTED]
    much_later = replace(
        without, statement=without.statement.model_copy(update={"expires_at": world.now + 500 * DAY_MS})
    )
    root = much_later.root
    much_later = replace(
        much_later,
        root=replace(root, metadata=root.metadata.model_copy(update={"expires_at": world.now + 500 * DAY_MS})),
    )
    faults = list_faults(world.verify(keys=much_later, later=400 * DAY_MS, required=0))
    assert AuditFault.CHECKPOINT_UNTRUSTED not in faults


def test_a_block_written_twice_in_the_wrong_place_keeps_the_rest_sure() -> None:
    world = make_world()
    world.blocks.append(world.blocks[3])
    report = world.verify()
    assert [(finding.fault, finding.block) for finding in report.findings] == [(AuditFault.REPEATED, 3)]
    assert (report.sure_blocks, report.witnessed) == (12, 84)
