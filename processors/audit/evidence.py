"""What other States show about logs that this worker witnesses: other cosignatures, and proofs of forks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from processors.inbox.refusals import RefusalError
from sharing.audit.checkpoint import Checkpoint, read_checkpoint, verify_checkpoint
from sharing.audit.checkpoint_record import CheckpointRecord, EarlierCheckpoint
from sharing.audit.witnessing import Sighting, WitnessedLog, observe_checkpoint

if TYPE_CHECKING:
    from processors.audit.witness_result import WitnessResult
    from processors.audit.witness_state import WitnessStore
    from sharing.trust.key_statement import TrustedKeys

UNSEEN: Final = "UNSEEN"
"""In addition to the members of `Sighting`: another State has cosigned a checkpoint that this worker was not shown."""

PROOF_NOTES: Final = 2


class ForkError(RefusalError):
    """A State has signed two histories of a log.

    Attributes:
        evidence: Two checkpoints that contradict each other, as notes.
    """

    def __init__(self, message: str, evidence: tuple[bytes, ...]) -> None:
        super().__init__("AUDIT_FORK", message)
        self.evidence = evidence


class EvidenceKeeper:
    """Compares what other States show with what was seen, while a batch is processed, and keeps what contradicts it.

    Args:
        store: The entries of the state store.
        trusted: The verified online keys of each State.
        now_ms: The time, in UTC milliseconds.
        result: Receives the counts.
    """

    def __init__(
        self, store: WitnessStore, trusted: Mapping[str, TrustedKeys], now_ms: int, result: WitnessResult
    ) -> None:
        self._store = store
        self._trusted = trusted
        self._now_ms = now_ms
        self._result = result

    def compare(self, cosigned: Checkpoint, witness: str) -> None:
        """Compare what another witness has cosigned with what this one was shown.

        Args:
            cosigned: The checkpoint, with the signature of its State and the cosignature.
            witness: The other witness.

        Raises:
            ForkError: It contradicts what was seen.
            RefusalError: It was not shown to this worker.
            TrustError: Its State has not signed it.
        """
        state, origin, partition = cosigned.place.state, cosigned.origin, cosigned.place.partition
        log, keys = self._store.find_seen(partition, origin), self._trusted.get(state)
        if log is None or keys is None or log.evidence:
            return
        shown = CheckpointRecord(log.last, earlier=(EarlierCheckpoint(cosigned),))
        observation = observe_checkpoint(log, shown, keys, self._now_ms, {witness: self._trusted[witness]})
        if observation.sighting is Sighting.FORK and observation.log is not None:
            self._store.keep_seen(partition, origin, observation.log)
            self._result.sightings[state, Sighting.FORK.value] += 1
            message = f"{state}: {observation.reason}; {witness} has cosigned the other one"
            raise ForkError(message, observation.evidence)
        sizes = [read_checkpoint(note).size for note in log.seen]
        if cosigned.size not in sizes and sizes[0] < cosigned.size < sizes[-1]:
            verify_checkpoint(cosigned, keys, now=self._now_ms)
            self._result.sightings[state, UNSEEN] += 1
            raise RefusalError(
                f"AUDIT_{UNSEEN}",
                f"{state}: {witness} has cosigned a checkpoint of {cosigned.size} blocks that this State was not shown",
            )

    def take_proof(self, sender: str, notes: Sequence[Checkpoint]) -> None:
        """Keep the proof of a fork that another State has found, if it is valid. A known one changes nothing.

        Args:
            sender: The other State.
            notes: The checkpoints that should prove it.

        Raises:
            ForkError: It is a fork, and people must be told.
            RefusalError: It does not prove anything.
            TrustError: The State whose log it is has not signed both checkpoints.
        """
        first, keys = notes[0], self._trusted.get(notes[0].place.state)
        contradicts = (
            len(notes) == PROOF_NOTES
            and (notes[1].place, notes[1].size) == (first.place, first.size)
            and notes[1].root != first.root
        )
        if keys is None or not contradicts:
            raise RefusalError("AUDIT_NO_PROOF", f"{sender}: the two checkpoints do not prove a fork")
        for note in notes:
            verify_checkpoint(note, keys, now=self._now_ms)
        log = self._store.find_seen(first.place.partition, first.origin)
        if log is not None and log.evidence:
            return
        evidence = tuple(note.note.to_bytes() for note in notes)
        known = log or WitnessedLog((evidence[0],), first.size)
        self._store.keep_seen(first.place.partition, first.origin, replace(known, evidence=evidence))
        self._result.sightings[first.place.state, Sighting.FORK.value] += 1
        message = f"{sender} proves that {first.place.state} has signed two histories of {first.origin}"
        raise ForkError(message, evidence)
