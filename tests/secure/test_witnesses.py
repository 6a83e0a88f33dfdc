"""Two workers witness each other's audit logs over a real Kafka, and go on doing so when they are killed."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from sharing.audit.block import AuditBlock, read_block
from sharing.audit.checkpoint import verify_checkpoint
from sharing.audit.checkpoint_record import CheckpointRecord, read_checkpoint_record
from sharing.audit.checkpoint_verifier import CheckpointPolicy
from sharing.audit.cosignature import verify_cosignatures
from sharing.audit.log_head import NO_BLOCK
from sharing.audit.receipts import Receipt, find_missing_roots, find_receipt
from sharing.ids import make_item_id
from sharing.kafka import audit_reader
from sharing.kafka.audit_reader import AuditSource, LogSelection, verify_logs
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from sharing.sign.merkle_tree import compute_root
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import ACTS, CHECKPOINTS, DECISIONS
from tests.kafka.topic_io import read_records
from tests.secure.secure_bus import PARTITIONS, SecureBus, make_item
from tests.secure.secure_states import read_now

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

LOGS = {AuditLogName.DECISIONS: DECISIONS, AuditLogName.ACTS: ACTS}


def read_blocks(bus: SecureBus, state: str, kind: TopicKind) -> dict[int, list[AuditBlock]]:
    blocks: dict[int, list[AuditBlock]] = {}
    for message in read_records(bus.broker, kind.topic(state), PARTITIONS):
        blocks.setdefault(message.partition() or 0, []).append(read_block(message.value()))
    return blocks


def read_checkpoints(bus: SecureBus, state: str) -> list[CheckpointRecord]:
    messages = read_records(bus.broker, CHECKPOINTS.topic(state), PARTITIONS)
    return [read_checkpoint_record(message.value()) for message in messages]


def list_cosigned(bus: SecureBus, state: str, witness: str) -> dict[str, int]:
    """Return the size up to which a witness has cosigned each log, as the State's topic tells everybody."""
    keys = {witness: bus.states[witness].read_lasting_keys()}
    cosigned: dict[str, int] = {}
    for record in read_checkpoints(bus, state):
        for each in record.earlier:
            found, faults = verify_cosignatures(each.checkpoint, keys, now=read_now())
            assert not faults
            if witness in found:
                cosigned[each.checkpoint.origin] = max(cosigned.get(each.checkpoint.origin, 0), each.checkpoint.size)
    return cosigned


def check_logs(bus: SecureBus, state: str) -> None:
    """Check that the chains are whole, and that every checkpoint is signed and covers what is committed.

    Each decision commits to a content, under salts that no other block has.
    """
    keys = bus.states[state].read_lasting_keys()
    blocks = {log: read_blocks(bus, state, kind) for log, kind in LOGS.items()}
    decided = [block for chain in blocks[AuditLogName.DECISIONS].values() for block in chain]
    assert all(len(block.commitments) == 32 * len(block.entries) for block in decided)
    assert len({block.salt_nonce for block in decided}) == len(decided)
    for by_partition in blocks.values():
        for chain in by_partition.values():
            previous = NO_BLOCK
            for number, block in enumerate(chain):
                assert (block.number, block.previous) == (number, previous)
                previous = block.leaf
    covered: dict[str, int] = {}
    for record in read_checkpoints(bus, state):
        checkpoint = record.checkpoint
        verify_checkpoint(checkpoint, keys, now=read_now())
        chain = blocks[checkpoint.place.log][checkpoint.place.partition]
        assert checkpoint.size <= len(chain), "a checkpoint is ahead of what is committed"
        assert checkpoint.root == compute_root([block.leaf for block in chain[: checkpoint.size]])
        if checkpoint.size > covered.get(checkpoint.origin, 0):
            assert record.previous_size == covered.get(checkpoint.origin, 0)
            covered[checkpoint.origin] = checkpoint.size
    witnesses = {other: bus.states[other].read_lasting_keys() for other in bus.states.states if other != state}
    policy = CheckpointPolicy(keys, witnesses, read_now(), required=1)
    source = AuditSource(bus.broker.bootstrap, "audit-check")
    known = audit_reader.read_checkpoints(source, state, policy)
    for report in verify_logs(source, LogSelection(state), known, read_now(), required=1):
        assert report.findings == ()


def count_decided(bus: SecureBus) -> int:
    return sum(map(len, read_blocks(bus, "CH", DECISIONS).values()))


def publish(bus: SecureBus, *names: str) -> list[str]:
    """Publish items, and return their ids. Each is in a batch of its own: a later one signs the checkpoint before."""
    items = []
    for name in names:
        has_more = partial(operator.lt, count_decided(bus))
        with bus.open_publisher("CH") as publisher:
            indicator = make_item("CH", "DE", name)
            publisher.publish(indicator)
        items.append(make_item_id("CH", "agency", indicator["id"]))
        bus.workers["CH"].wait_until(lambda has_more=has_more: has_more(count_decided(bus)), poll_s=0.2)  # type: ignore[misc]  # at once
    return items


@contextmanager
def stopped(bus: SecureBus, state: str, *, kills: bool) -> Iterator[None]:
    worker = bus.workers[state]
    if kills:
        worker.kill()
    else:
        worker.stop()
    try:
        yield
    finally:
        worker.start()
        worker.wait_until(lambda: bus.is_ready(state), poll_s=0.2)


def test_decisions_are_witnessed_by_the_other_state_whatever_is_killed(secure_bus: SecureBus) -> None:
    bus = secure_bus
    publish(bus, "witnessed 1", "witnessed 2", "witnessed 3")
    bus.workers["CH"].wait_until(lambda: bool(list_cosigned(bus, "CH", "DE")), poll_s=0.3)
    with stopped(bus, "DE", kills=True), stopped(bus, "CH", kills=True):
        pass
    publish(bus, "witnessed 4")
    with stopped(bus, "CH", kills=False):  # at a stop, everything that is committed gets its checkpoint
        blocks = {
            f"ch.sharing/{log.lower()}/{partition}": len(chain)
            for log, kind in LOGS.items()
            for partition, chain in read_blocks(bus, "CH", kind).items()
        }
        covered: dict[str, int] = {}
        for record in read_checkpoints(bus, "CH"):
            covered[record.checkpoint.origin] = max(covered.get(record.checkpoint.origin, 0), record.checkpoint.size)
        assert covered == blocks
    bus.workers["CH"].wait_until(lambda: list_cosigned(bus, "CH", "DE") == covered, poll_s=0.3)
    check_logs(bus, "CH")
    check_logs(bus, "DE")
    shown = bus.fetch_page("CH", "metrics")
    assert 'sharing_audit_forked{owner="CH"} 0.0' in shown
    assert 'sharing_audit_forked{owner="DE"} 0.0' in shown


def test_what_a_recipient_records_contradicts_no_log_and_a_dropped_block_does(secure_bus: SecureBus) -> None:
    bus = secure_bus
    items = publish(bus, "received 1")
    # Other tests on this bus sign messages with a key of CH that no worker has: they are in no log.
    bus.workers["DE"].wait_until(lambda: any(each.item in items for each in list_receipts(bus)), poll_s=0.3)
    receipts = [each for each in list_receipts(bus) if each.item in items]
    roots = [set(block.message_roots) for block in list_all_blocks(bus)]
    assert not find_missing_roots(frozenset().union(*roots), receipts, "CH")
    named = {receipt.root for receipt in receipts}
    dropped = next(place for place, each in enumerate(roots) if each & named)
    kept = frozenset().union(*(each for place, each in enumerate(roots) if place != dropped))
    if not roots[dropped] <= kept:  # the batch was written to one partition
        assert find_missing_roots(kept, receipts, "CH")


def list_all_blocks(bus: SecureBus) -> list[AuditBlock]:
    return [block for kind in LOGS.values() for chain in read_blocks(bus, "CH", kind).values() for block in chain]


def list_receipts(bus: SecureBus) -> list[Receipt]:
    entries = [
        get_codec("act").decode(entry)
        for chain in read_blocks(bus, "DE", ACTS).values()
        for block in chain
        for entry in block.entries
    ]
    return [receipt for entry in entries if (receipt := find_receipt(entry)) is not None]
