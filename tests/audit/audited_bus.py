"""A bus with three States that have keys; the audit logs of one are cosigned by the two others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from sharing.audit.block import LogPlace
from sharing.audit.checkpoint_record import CheckpointRecord, read_checkpoint_record
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.model.times import HOUR_MS
from sharing.model.vocabulary import AuditLogName
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import ACTS, CHECKPOINTS, DECISIONS
from sharing.trust.public_keys import KeyRole
from tests.audit.audit_fixtures import World, fill_world, stamp_checkpoints
from tests.kafka.keyed_states import KeyedState, make_signed_entry, read_now
from tests.kafka.topic_io import write_records

STATES = ("CH", "DE", "FR")


@dataclass
class AuditedBus:
    """What was prepared.

    Attributes:
        broker: The broker.
        states: The States, CH first.
        decisions: The log of decisions of CH.
        acts: Its log of acts.
        trust_file: A file with the roots of all three.
    """

    broker: EmbeddedBroker
    states: dict[str, KeyedState]
    decisions: World
    acts: World
    trust_file: Path

    def write(self, world: World) -> None:
        """Write a log and its checkpoints."""
        kind = DECISIONS if world.place.log is AuditLogName.DECISIONS else ACTS
        partition, values = world.place.partition, [value for _, value in world.blocks]
        write_records(self.broker, kind.topic("CH"), values, partition=partition)
        origin = read_checkpoint_record(world.records[0][1]).checkpoint.origin.encode()
        records = [value for _, value in world.records]
        write_records(self.broker, CHECKPOINTS.topic("CH"), records, key=origin, partition=partition)

    def stamp(self, world: World) -> CheckpointRecord:
        """Let a service stamp the newest cosigned checkpoint of a log; write its newest record again, and return it."""
        stamped = replace(world, records=list(world.records))
        stamp_checkpoints(stamped)
        record = read_checkpoint_record(stamped.records[-1][1])
        key, partition = record.checkpoint.origin.encode(), world.place.partition
        write_records(self.broker, CHECKPOINTS.topic("CH"), [record.encode()], key=key, partition=partition)
        return record


def prepare_audited_bus(
    broker: EmbeddedBroker,
    folder: Path,
    partition: int,
    batches: int,
    entries: int,
    item_salts: Mapping[int, bytes] = MappingProxyType({}),
) -> AuditedBus:
    """Write directory, logs and checkpoints to topics that exist, and return what was written.

    Args:
        broker: The broker.
        folder: Where keys and the trust file are written.
        partition: Partition of both logs.
        batches: Number of blocks of each.
        entries: Number of entries of a block.
        item_salts: The salts that belong to the keys of drafts, by the number of the item.
    """
    states = {state: KeyedState(state, folder / state, KeyRole.GATE, KeyRole.DIRECTORY) for state in STATES}
    for state in states.values():
        state.open_writer(broker).announce(make_signed_entry(state.state))
    now = read_now()
    keys = {state: OnlineKeys(keyed.folder, keyed.access) for state, keyed in states.items()}
    decisions, acts = (
        fill_world(
            World(
                LogPlace("CH", log, partition),
                now=now - HOUR_MS // 2,
                signers={state: each.get_signing_key(KeyRole.GATE, now) for state, each in keys.items()},
                trusted={state: each.get_trusted_keys(now) for state, each in keys.items()},
                item_salts=item_salts,
            ),
            batches,
            entries,
        )
        for log in (AuditLogName.DECISIONS, AuditLogName.ACTS)
    )
    write_pins(folder / "trust.yaml", {state: make_pinned_root(keyed.pin, now) for state, keyed in states.items()})
    bus = AuditedBus(broker, states, decisions, acts, folder / "trust.yaml")
    bus.write(decisions)
    bus.write(acts)
    return bus
