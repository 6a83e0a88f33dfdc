"""Finds an entry of a State's own audit log, and makes the proof of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.x509 import Certificate

from sharing.audit.block import AuditBlock, LogPlace, read_entry_id
from sharing.audit.checkpoint_chain import CheckpointChain
from sharing.audit.checkpoint_verifier import KnownCheckpoint
from sharing.audit.compact_range import CompactRange
from sharing.audit.origins import format_origin
from sharing.audit.proofs import compute_inclusion_proof
from sharing.errors import InputError
from sharing.interop.entry_proof_file import EntryProof
from sharing.interop.entry_proofs import find_signers
from sharing.interop.proved_keys import prove_keys
from sharing.interop.witness_keys import KnownKeys
from sharing.kafka.audit_index import BrokenLogError, LogIndex
from sharing.kafka.audit_reader import LOG_TOPICS, AuditSource, ShowProgress, read_messages, show_nothing
from sharing.kafka.clients import look_up_topics
from sharing.kafka.key_partition import find_partition
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import get_codec
from sharing.topology.topics import CHECKPOINTS


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry of an audit log.

    Attributes:
        place: The log.
        block: Its block.
        index: Its position in the block.
        leaves: Leaf hashes of all blocks of the log, as far as it is in order.
        not_searched: Where the log is not in order, so that what comes later was not searched; "" if it is whole.
    """

    place: LogPlace
    block: AuditBlock
    index: int
    leaves: list[bytes]
    not_searched: str = ""


class EntrySearch:
    """Searches the audit logs of a State.

    Args:
        source: Where they are read.
        state: The State.
        now: The time, in UTC milliseconds.
        folder: The state folder, in which indexes are kept; None to read a log each time.
        show: Shows how far it is.
        stamp_roots: The roots of the trusted time-stamping services: with them, a proof is under a checkpoint
            that is time-stamped, if there is one.

    Attributes:
        unreadable: The batches of checkpoints that could not be read: another checkpoint may be in them.
    """

    def __init__(
        self,
        source: AuditSource,
        state: str,
        now: int,
        folder: Path | None = None,
        show: ShowProgress = show_nothing,
        stamp_roots: Sequence[Certificate] = (),
    ) -> None:
        self.unreadable: Unreadable = []
        self._stamp_roots = stamp_roots
        self._source = source
        self._state = state
        self._now = now
        self._folder = folder
        self._show = show

    def find(self, item: str, log: AuditLogName, which: int | None = None) -> FoundEntry | None:
        """Return an entry about an item; None if there is none, or no such log.

        Args:
            item: Id of the item: in decisions, of the indicator.
            log: The log.
            which: Which of its entries, from 1; None for the last one.

        Raises:
            InputError: It does not have that many entries.
            BrokenLogError: It is not found in what is in order of a log that is broken.
            InfrastructureError: No broker answers, or the log cannot be read.
        """
        topic = LOG_TOPICS[log].topic(self._state)
        partitions = look_up_topics(self._source.bootstrap, self._source.properties).get(topic, 0)
        if not partitions:
            return None
        likely = find_partition(item.encode(), partitions)
        broken: BrokenLogError | None = None
        for number in sorted(range(partitions), key=lambda each: (each != likely, each)):
            place = LogPlace(self._state, log, number)
            index = LogIndex(place, self._folder)
            fault: BrokenLogError | None = None
            try:
                index.update(self._source, self._show)
            except BrokenLogError as error:
                fault = error
            found, changed = self._list_entries(index, place, item)
            fault = fault or changed
            if found and which is not None and which > len(found):
                raise fault or InputError(f"--which {which}: there are {len(found)} entries about {item!r} in {topic}")
            if found:
                chosen = found[-1 if which is None else which - 1]
                return chosen if fault is None else replace(chosen, not_searched=str(fault))
            broken = broken or fault
        if broken is not None:
            raise broken
        return None

    def make_proof(self, found: FoundEntry, keys: KnownKeys, required: int) -> EntryProof:
        """Return the proof of an entry, under the first checkpoint that enough States have cosigned.

        One that is time-stamped is preferred. If none is witnessed, it is under the one that most States have cosigned.

        Args:
            found: The entry.
            keys: The keys of the State and of its witnesses.
            required: How many States must have cosigned.

        Raises:
            InputError: No checkpoint covers it yet, or the log contradicts its checkpoints.
        """
        number, place = found.block.number, found.place
        known = self._find_checkpoint(found, keys, required)
        size = known.checkpoint.size
        leaves = found.leaves[:size]
        if len(leaves) < size or CompactRange().extend(leaves).compute_root() != known.checkpoint.root:
            raise InputError(f"{format_origin(place)} contradicts its checkpoints: `sharing audit verify` says where")
        block = found.block
        signers = {place.state, *known.cosigned_by} & keys.documents.keys()
        proved = {
            state: prove_keys(keys.documents[state], find_signers(known.checkpoint.note, keys.trusted[state]))
            for state in sorted(signers)
        }
        return EntryProof(
            block.entries[found.index],
            found.index,
            compute_inclusion_proof(block.hash_entries(), found.index),
            get_codec("audit_block").header + block.head,
            number,
            compute_inclusion_proof(leaves, number),
            known.checkpoint,
            proved,
            known.time_stamps[0] if known.stamped_at is not None else None,
            block.get_commitment(found.index),
        )

    def _list_entries(
        self, index: LogIndex, place: LogPlace, item: str
    ) -> tuple[list[FoundEntry], BrokenLogError | None]:
        """Return the entries about an item, and what is wrong if a block that may have one is not there any more."""
        found: list[FoundEntry] = []
        leaves: list[bytes] = []
        for number in index.find(item):
            block = index.read_block(self._source, number)
            if block is None:
                return found, BrokenLogError(
                    f"{format_origin(place)}: block {number} is not the one that was read before, or cannot be read; "
                    "`sharing audit verify` says what is wrong"
                )
            for position, entry in enumerate(block.entries):
                if read_entry_id(entry, place.log) == item:
                    leaves = leaves or index.list_leaves()
                    found.append(FoundEntry(place, block, position, leaves))
        return found, None

    def _find_checkpoint(self, found: FoundEntry, keys: KnownKeys, required: int) -> KnownCheckpoint:
        """Return the first checkpoint of an entry that is witnessed; if there is none, the one that proves most."""
        written_at = found.block.written_at
        known: KnownCheckpoint | None = None
        policy = keys.make_policy(found.place.state, self._now, required, self._stamp_roots)
        for since, until in ((written_at - HOUR_MS, written_at + DAY_MS), (None, None)):
            chain = CheckpointChain(found.place, policy)
            self._read_checkpoints(chain, found.place, since, until)
            known = chain.find_covering(found.block.number)
            if known is not None and known.witnessed_at is not None:
                return known
        if known is not None:
            return known
        raise InputError(
            f"no checkpoint of {format_origin(found.place)} covers block {found.block.number} yet; the State's gate "
            "signs one within a minute: run the command again then"
        )

    def _read_checkpoints(self, chain: CheckpointChain, place: LogPlace, since: int | None, until: int | None) -> None:
        topic, origin = CHECKPOINTS.topic(place.state), format_origin(place).encode()
        with closing(self._source.open(topic, since, until)) as opened:
            for message in read_messages(opened, topic):
                if message.key() == origin:
                    chain.receive(message.offset() or 0, self._source.framing.to_single_object(message.value()))
            add_bad_batches(self.unreadable, opened.bad_batches)
