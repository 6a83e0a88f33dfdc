"""The tampering campaign: alters what is stored of an audit log in many ways, and looks whether each is found.

`make tamper` runs all of it: `python -m tests.audit.tampering [NUMBER] [SEED]`. It prints what was altered, what was
found, and exits with 1 if an alteration was not found, or if an untouched log was not clean.
"""

from __future__ import annotations

import copy
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

from sharing.audit.block import SCHEMA, LogPlace, add_blocks, read_block
from sharing.audit.checkpoint import sign_checkpoint
from sharing.audit.checkpoint_record import CheckpointRecord, EarlierCheckpoint, read_checkpoint_record
from sharing.audit.findings import AuditFault
from sharing.audit.log_head import EMPTY_LOG
from sharing.audit.verification import LogReport
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from tests.audit.audit_fixtures import PLACE, World, make_entry, make_world, rewrite, stamp_checkpoints
from tests.audit.clock_tsa import ClockTsa, get_service
from tests.trust.trust_fixtures import make_signer

LATER = 2 * HOUR_MS
"""Verified so long after the last block, so that what should be witnessed must be."""

Records = list[tuple[int, bytes]]
Alteration = Callable[[random.Random, World], int]
"""Alters a world in place, and returns the first block that is not as it was written."""

_HEADER = get_codec(SCHEMA).header


@cache
def get_world() -> World:
    """Return a log that nobody has altered."""
    return make_world()


@cache
def get_other(place: LogPlace) -> World:
    """Return another log that nobody has altered."""
    return make_world(place=place)


def alter(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with one of them changed, added or removed, or cut off."""
    position = rng.randrange(len(data))
    match rng.randrange(5):
        case 0 | 1:
            return data[:position] + bytes([data[position] ^ rng.randrange(1, 256)]) + data[position + 1 :]
        case 2:
            return data[:position] + rng.randbytes(rng.randrange(1, 4)) + data[position:]
        case 3:
            return data[:position] + data[position + rng.randrange(1, 4) :]
        case _:
            return data[:position]


def alter_block(rng: random.Random, world: World) -> int:
    """Alter the stored bytes of a block."""
    number = rng.randrange(len(world.blocks))
    offset, value = world.blocks[number]
    world.blocks[number] = offset, alter(rng, value)
    return number


def remove_block(rng: random.Random, world: World) -> int:
    """Remove a block."""
    number = rng.randrange(len(world.blocks))
    del world.blocks[number]
    return number


def repeat_block(rng: random.Random, world: World) -> int:
    """Write a copy of a block somewhere."""
    number, place = rng.randrange(len(world.blocks)), rng.randrange(len(world.blocks) + 1)
    world.blocks.insert(place, world.blocks[number])
    return place + (place == number)  # a copy before a block is the same as one behind it


def reorder_blocks(rng: random.Random, world: World) -> int:
    """Exchange two blocks."""
    one, two = sorted(rng.sample(range(len(world.blocks)), 2))
    world.blocks[one], world.blocks[two] = world.blocks[two], world.blocks[one]
    return one


def take_from_another_log(rng: random.Random, world: World) -> int:
    """Put a block of another partition, of another log or of another State in the place of one, or the whole log."""
    others = (
        LogPlace("CH", AuditLogName.DECISIONS, 1),
        LogPlace("CH", AuditLogName.ACTS, 0),
        LogPlace("DE", AuditLogName.DECISIONS, 0),
    )
    other = get_other(rng.choice(others))
    number = rng.randrange(len(world.blocks))
    if rng.randrange(2):
        world.blocks[number] = other.blocks[number]
        return number
    world.blocks = list(other.blocks)
    return 0


def cut_beginning(rng: random.Random, world: World) -> int:
    """Delete the first blocks, as DeleteRecords or a shorter retention does."""
    world.blocks = world.blocks[rng.randrange(1, len(world.blocks)) :]
    return 0


def cut_tail(rng: random.Random, world: World) -> int:
    """Delete the last blocks."""
    number = rng.randrange(len(world.blocks))
    world.blocks = world.blocks[:number]
    return number


def rewrite_history(rng: random.Random, world: World) -> int:
    """Change the entries of a block, and compute all roots and hashes after it again."""

    def change(entries: list[bytes]) -> list[bytes]:
        place = rng.randrange(len(entries))
        match rng.randrange(4):
            case 0:
                del entries[place]
            case 1:
                entries.insert(place, make_entry(1_000_000))
            case 2:
                entries[place] = make_entry(1_000_000)
            case _:
                entries.reverse()
        return entries

    number = rng.randrange(len(world.blocks))
    rewrite(world, number, change)
    return number


def replace_content(rng: random.Random, world: World) -> int:
    """Change an entry of a block and its root, but no block after it."""
    number = rng.randrange(len(world.blocks))
    altered = copy.copy(world)
    rewrite(altered, number, lambda entries: [make_entry(1_000_000), *entries[1:]])
    world.blocks[number] = altered.blocks[number]
    return number


def alter_commitment(rng: random.Random, world: World) -> int:
    """Change what an entry commits to, in one block or with all roots and hashes after it, or leave commitments out."""
    number = rng.randrange(len(world.blocks))
    offset, value = world.blocks[number]
    block = read_block(value)
    place = rng.randrange(len(block.commitments))
    commitments = bytearray(block.commitments)
    commitments[place] ^= rng.randrange(1, 256)
    others = (
        replace(block, commitments=bytes(commitments)),
        replace(block, commitments=block.commitments[32:] + block.commitments[:32]),
        replace(block, commitments=b""),
        replace(block, commitments=block.commitments[32:]),
    )
    way = rng.randrange(len(others) + 1)
    if way < len(others):
        world.blocks[number] = offset, _HEADER + others[way].encode_unframed()
    else:
        rewrite(world, number, list, commitments=bytes(commitments))
    return number


def restore_backup(rng: random.Random, world: World) -> int:
    """Go back to an older state of the log, and go on from there with other decisions."""
    number = rng.randrange(len(world.blocks))
    head = EMPTY_LOG
    for _, value in world.blocks[:number]:
        block = read_block(value)
        head = head.add_block(block.leaf, len(block.entries))
    kept = world.blocks[:number]
    for step in range(rng.randrange(1, 14)):
        entries = [make_entry(2_000_000 + step)]
        for block, after in add_blocks(head, world.place, entries, (), world.now):
            kept.append((2 * len(kept), _HEADER + block.encode_unframed()))
            head = after
    world.blocks = kept
    return number


def alter_checkpoint(rng: random.Random, world: World) -> int:
    """Alter the stored bytes of a record of checkpoints."""
    number = rng.randrange(len(world.records))
    offset, value = world.records[number]
    world.records[number] = offset, alter(rng, value)
    return len(world.blocks)


def remove_checkpoint(rng: random.Random, world: World) -> int:
    """Remove a record of checkpoints, or all from one on."""
    number = rng.randrange(len(world.records))
    if rng.randrange(2):
        del world.records[number]
    else:
        del world.records[number:]
    return len(world.blocks)


def reorder_checkpoints(rng: random.Random, world: World) -> int:
    """Exchange two records of checkpoints."""
    one, two = rng.sample(range(len(world.records)), 2)
    world.records[one], world.records[two] = world.records[two], world.records[one]
    return len(world.blocks)


def forge_checkpoint(rng: random.Random, world: World) -> int:
    """Write a checkpoint of a rewritten log that another key has signed."""
    offset, value = world.records[-1]
    size, root = len(world.blocks), rng.randbytes(32)
    forged = sign_checkpoint(PLACE, size, root, world.now, make_signer(rng.choice(("DE gate 1", "CH directory 1"))))
    world.records.append((offset + 1, CheckpointRecord(forged, read_checkpoint_record(value).checkpoint.size).encode()))
    return len(world.blocks)


def alter_cosignature(rng: random.Random, world: World) -> int:
    """Alter a cosignature, in a record that is written again."""
    number = rng.randrange(1, len(world.records))
    offset, value = world.records[number]
    record = read_checkpoint_record(value)
    (earlier,) = record.earlier
    note = earlier.checkpoint.note
    place = rng.randrange(1, len(note.signatures))
    signature = note.signatures[place]
    altered = bytearray(signature.value)
    altered[rng.randrange(len(altered))] ^= rng.randrange(1, 256)
    signatures = list(note.signatures)
    signatures[place] = replace(signature, value=bytes(altered))
    checkpoint = replace(earlier.checkpoint, note=replace(note, signatures=tuple(signatures)))
    made = replace(record, earlier=(EarlierCheckpoint(checkpoint),))
    world.records[number] = offset, made.encode()
    return len(world.blocks)


def alter_time_stamp(rng: random.Random, world: World) -> int:
    """Replace a time stamp of a log that has some, by an altered, an old, a future or a foreign one."""
    stamp_checkpoints(world)
    number = rng.randrange(1, len(world.records))
    offset, value = world.records[number]
    record = read_checkpoint_record(value)
    (earlier,) = record.earlier
    checkpoint, stamp = earlier.checkpoint, earlier.time_stamp or b""
    text, signed_at = checkpoint.note.text, checkpoint.signed_at
    match rng.randrange(5):
        case 0:  # its signature, or the time, which the signature covers
            place = rng.choice((len(stamp) - rng.randrange(1, 60), stamp.index(b"\x18\x0f20") + rng.randrange(2, 17)))
            stamp = stamp[:place] + bytes([stamp[place] ^ rng.randrange(1, 8)]) + stamp[place + 1 :]
        case 1:
            stamp = get_service().stamp(text, signed_at - rng.randrange(HOUR_MS, 900 * DAY_MS))
        case 2:
            stamp = get_service().stamp(text, world.now + LATER + rng.randrange(HOUR_MS, 900 * DAY_MS))
        case 3:
            stamp = get_foreign_service().stamp(text, signed_at)
        case _:  # of another checkpoint
            stamp = get_service().stamp(record.checkpoint.note.text, signed_at)
    made = replace(record, earlier=(replace(earlier, time_stamp=stamp),))
    world.records[number] = offset, made.encode()
    return len(world.blocks)


@cache
def get_foreign_service() -> ClockTsa:
    """Return a time-stamping service that nobody trusts."""
    return ClockTsa()


ALTERATIONS: dict[str, tuple[int, Alteration]] = {
    "bytes of a block": (8, alter_block),
    "a block removed": (2, remove_block),
    "a block repeated": (2, repeat_block),
    "blocks exchanged": (2, reorder_blocks),
    "a block, or all, of another log": (2, take_from_another_log),
    "the beginning deleted": (1, cut_beginning),
    "the tail deleted": (1, cut_tail),
    "history rewritten, all hashes recomputed": (3, rewrite_history),
    "an entry and its root replaced": (2, replace_content),
    "a commitment altered": (2, alter_commitment),
    "a backup restored, another history after it": (2, restore_backup),
    "bytes of a checkpoint": (5, alter_checkpoint),
    "checkpoints removed": (1, remove_checkpoint),
    "checkpoints exchanged": (1, reorder_checkpoints),
    "a forged checkpoint": (1, forge_checkpoint),
    "a cosignature altered": (2, alter_cosignature),
    "a time stamp altered, old, or of another checkpoint": (2, alter_time_stamp),
}
"""Each kind of alteration, and how often it is chosen."""


@dataclass
class Campaign:
    """What came of a campaign.

    Attributes:
        found: For each kind of alteration, how often each fault was found first.
        missed: Descriptions of alterations that were not found, or after which too much counted as sure.
    """

    found: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    missed: list[str] = field(default_factory=list)


def copy_world() -> World:
    """Return a copy that may be altered."""
    world = copy.copy(get_world())
    world.blocks, world.records = list(world.blocks), list(world.records)
    return world


def run_campaign(number: int, seed: int) -> Campaign:
    """Alter a log so many times, and verify it after each alteration."""
    campaign, rng = Campaign(), random.Random(seed)
    if (findings := get_world().verify(later=LATER).findings) != ():
        campaign.missed.append(f"an untouched log has findings: {findings}")
    names, weights = list(ALTERATIONS), [weight for weight, _ in ALTERATIONS.values()]
    for turn in range(number):
        (name,) = rng.choices(names, weights)
        world = copy_world()
        first = ALTERATIONS[name][1](rng, world)
        if (world.blocks, world.records) == (get_world().blocks, get_world().records):
            continue
        report = world.verify(later=LATER)
        problem = _find_problem(report, first)
        if problem:
            campaign.missed.append(f"alteration {turn} ({name}): {problem}")
        else:
            campaign.found[name][_name_first(report)] += 1
    return campaign


def _find_problem(report: LogReport, first: int) -> str:
    if report.is_ok:
        return "nothing was found"
    if report.sure_blocks > first:
        return f"{report.sure_blocks} blocks count as sure, but block {first} was altered"
    return ""


def _name_first(report: LogReport) -> str:
    quiet = {AuditFault.NOT_WITNESSED, AuditFault.CHECKPOINT_MISSING}
    named = sorted(report.findings, key=lambda finding: finding.fault in quiet)
    return str(named[0].fault)


def main() -> int:
    """Run the campaign that the command line names."""
    given = [int(text) for text in sys.argv[1:]]
    number, seed = (*given, *(10_000, 1)[len(given) :])
    campaign = run_campaign(number, seed)
    for name, counter in campaign.found.items():
        faults = ", ".join(f"{fault} {times}" for fault, times in counter.most_common())
        print(f"{name}: {counter.total()} of {counter.total()} found ({faults})")
    for missed in campaign.missed:
        print(f"NOT FOUND {missed}")
    total = sum(counter.total() for counter in campaign.found.values())
    print(f"seed {seed}: {total} alterations found, {len(campaign.missed)} not found")
    return 1 if campaign.missed else 0


if __name__ == "__main__":
    sys.exit(main())
