"""Witnesses the audit logs of other States, and collects the cosignatures of the State's own.

A pure function of the records of a batch, the state store and the keys. What it does:

- It reads `checkpoints.<st>` of the States that it witnesses, in order, and compares each checkpoint with what it has
  seen of that log. One that continues it is cosigned, and the cosignature is sent to the State whose log it is, and to
  the other witnesses of that log, so that they cannot be shown different histories.
- It reads the State's own topic as well, and joins the cosignatures and time stamps that arrive to the checkpoints. The
  newest record of the log is then written again, with the checkpoints that got them.
- Two checkpoints of one log that contradict each other are kept, and sent to the State whose log it is and to the other
  witnesses. Nobody cosigns that log any longer.

What it has seen is written in the transaction of the cosignature, so a worker that is killed never forgets what it has
cosigned. A record that people must look at is quarantined by reference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from processors.audit.evidence import EvidenceKeeper, ForkError
from processors.audit.own_logs import OwnLogs
from processors.audit.witness_result import WitnessResult
from processors.audit.witness_state import WitnessMemory, WitnessStore
from processors.inbox.refusals import RefusalError, build_quarantine_record, describe_refusal
from sharing.audit.checkpoint import Checkpoint, read_checkpoint
from sharing.audit.checkpoint_record import CheckpointRecord, read_checkpoint_record
from sharing.audit.origins import parse_witness
from sharing.audit.witnessing import Observation, Sighting, WitnessedLog, observe_checkpoint
from sharing.errors import DecodeError
from sharing.ids import make_checkpoint_id, make_log_id
from sharing.model.vocabulary import Urgency
from sharing.rulings.reply import ReplyKind, ReplyMessage
from sharing.topology.topic_kinds import TopicScope

if TYPE_CHECKING:
    from processors.audit.time_stamp_source import TimeStampSource
    from processors.audit.witness_keys import WitnessKeys
    from processors.exactly_once.batch import ConsumedRecord, OutputRecord
    from processors.exactly_once.overlay import Overlay
    from sharing.serialization.framing import Framing


class Witness:
    """Witnesses logs for one State. What it remembers between batches may be lost: it is learnt again.

    Args:
        state: The State.
        witnesses: The States that must cosign its own logs.
        framing: How records are framed.
        begins_again: The logs for which the settings say that witnessing restarts after a gap, by origin, with the
            smallest number of blocks of the checkpoint with which it restarts.
        stamps: Where time stamps of the own checkpoints come from; None if no service is configured.

    Attributes:
        alarms: What was last wrong with a log, by its origin or topic: people see it once, not every minute.
        others: The States that have cosigned a log, by its origin: they are sent what this State cosigns.
    """

    def __init__(
        self,
        state: str,
        witnesses: Collection[str],
        framing: Framing,
        begins_again: Mapping[str, int] | None = None,
        stamps: TimeStampSource | None = None,
    ) -> None:
        self.state, self.stamps = state, stamps
        self.witnesses = tuple(sorted(set(witnesses) - {state}))
        self.framing = framing
        self.begins_again = begins_again or {}
        self.memory = WitnessMemory()
        self.alarms: dict[str, str] = {}
        self.others: dict[str, frozenset[str]] = {}

    def open_batch(self, view: Overlay, keys: WitnessKeys, now_ms: int, result: WitnessResult) -> BatchWitness:
        """Return what processes the records of one batch.

        Args:
            view: The batch's view of the state store.
            keys: The keys.
            now_ms: The time, in UTC milliseconds.
            result: Receives the counts.
        """
        return BatchWitness(self, WitnessStore(view, self.memory), keys, now_ms, result)


def is_checkpoint_topic(topic: str) -> bool:
    """Return whether a topic has checkpoints."""
    return topic.startswith(f"{TopicScope.CHECKPOINTS}.")


class BatchWitness:
    """Processes the checkpoints and cosignatures of one batch. `Witness.open_batch` makes it."""

    def __init__(
        self, witness: Witness, store: WitnessStore, keys: WitnessKeys, now_ms: int, result: WitnessResult
    ) -> None:
        self._witness, self._state = witness, witness.state
        self._store, self._keys = store, keys
        self._now_ms, self._result = now_ms, result
        self._to_cosign: dict[str, Observation] = {}
        self._replies: list[tuple[int, ReplyMessage]] = []
        self._outputs: list[OutputRecord] = []
        self._evidence = EvidenceKeeper(store, keys.trusted, now_ms, result)
        self._own_logs = OwnLogs(witness.state, store, witness.framing, now_ms, result, witness.stamps)

    def process_record(self, record: ConsumedRecord) -> None:
        """Process a record of a topic of checkpoints. What cannot be read is quarantined by reference.

        Raises:
            DecodeError: An entry of the state store cannot be read.
        """
        self._result.records += 1
        state = record.topic().rpartition(".")[2].upper()
        try:
            read = self._read_record(record, state)
        except (DecodeError, RefusalError) as error:
            if state not in self._keys.trusted:
                self._result.sightings[state, Sighting.UNTRUSTED.value] += 1
            if self._is_new_alarm(record.topic(), str(getattr(error, "cause", error))):
                self._refuse(record, error, state)
            return
        if self._observe(record, read, state) and state == self._state:
            self._own_logs.note_checkpoint(record.partition(), read)

    def process_reply(self, record: ConsumedRecord, reply: ReplyMessage) -> None:
        """Process a cosignature or the proof of a fork that another State has sent.

        Raises:
            RefusalError: It does not prove anything.
            TrustError: A signature in it does not count.
            DecodeError: An entry of the state store cannot be read.
        """
        notes = [read_checkpoint(note) for note in reply.notes or ()]
        if any(note.place.partition != record.partition() for note in notes):
            raise RefusalError("WRONG_PARTITION", f"{reply.from_state}: the checkpoint is of another partition")
        if reply.kind is ReplyKind.FORK:
            self._evidence.take_proof(reply.from_state, notes)
        elif notes[0].place.state == self._state:
            own_keys = self._keys.trusted.get(self._state)
            self._own_logs.collect(notes[0], self._keys.trusted[reply.from_state], own_keys)
        else:
            self._compare_with_witness(record, reply.from_state, notes[0])

    def finish(self) -> None:
        """Cosign the newest checkpoint of each log that has grown, and write what the own logs got."""
        for origin, observation in self._to_cosign.items():
            self._send_cosignature(origin, observation)
        self._to_cosign = {}
        self._own_logs.collect_time_stamps()
        self._outputs += self._own_logs.write_gained()

    def take_replies(self) -> Iterator[tuple[int, ReplyMessage]]:
        """Yield, once, what must be sent, with its partition."""
        replies, self._replies = self._replies, []
        yield from replies

    def take_outputs(self) -> Iterator[OutputRecord]:
        """Yield, once, the other records to write."""
        outputs, self._outputs = self._outputs, []
        yield from outputs

    def measure(self) -> None:
        """Note in the result what is awaited, and which logs have forked; ask for the time stamps that are missing."""
        self._own_logs.ask_for_time_stamps()
        own = [each for _, _, each in self._store.list_own_logs()]
        self._result.waiting_since = {
            witness: min(
                (since for each in own if (since := each.find_waiting_since(witness)) is not None), default=None
            )
            for witness in self._witness.witnesses
        }
        self._result.forked = self._store.list_forked()

    def _read_record(self, record: ConsumedRecord, state: str) -> CheckpointRecord:
        read = read_checkpoint_record(self._witness.framing.to_single_object(record.value()))
        place = read.checkpoint.place
        if (place.state, place.partition) != (state, record.partition()):
            raise RefusalError("WRONG_PARTITION", f"{state}: the checkpoint is of another State or partition")
        if state not in self._keys.trusted:
            raise RefusalError(
                "NOT_PINNED", f"no keys of {state} in its directory topic are trusted, so its checkpoints cannot be "
                "verified: pin its root with `sharing trust add`; if it is pinned, let `sharing directory announce` "
                "publish its keys",
            )  # fmt: skip
        return read

    def _observe(self, record: ConsumedRecord, read: CheckpointRecord, state: str) -> bool:
        """Compare a record with what was seen. Return whether it is genuine and contradicts nothing."""
        checkpoint = read.checkpoint
        origin, partition = checkpoint.origin, record.partition()
        log = self._store.find_seen(partition, origin)
        others = {code: keys for code, keys in self._keys.trusted.items() if code != state}
        observation = observe_checkpoint(log, read, self._keys.trusted[state], self._now_ms, others)
        observation = self._begin_again(observation)
        self._result.sightings[state, observation.sighting.value] += 1
        if observation.log is not None and observation.log != log:
            self._store.keep_seen(partition, origin, observation.log)
        self._learn_witnesses(read)
        had_forked = log is not None and bool(log.evidence)
        is_new = self._is_new_alarm(origin, observation.sighting.value if observation.sighting.is_alarm else "")
        if observation.sighting.is_alarm and is_new and not had_forked:
            message = f"{state}: the checkpoint {observation.reason}"
            self._refuse(record, RefusalError(f"AUDIT_{observation.sighting}", message), state)
        if observation.sighting is Sighting.FORK and not had_forked:
            self._tell_fork(partition, origin, observation.evidence)
        has_grown = log is None or checkpoint.size > log.last.size
        if observation.sighting is Sighting.CONSISTENT and has_grown and state != self._state:
            self._to_cosign[origin] = observation
        return observation.sighting in {Sighting.CONSISTENT, Sighting.REPEATED}

    def _begin_again(self, observation: Observation) -> Observation:
        """Return the observation for a checkpoint if the settings say that witnessing restarts with it after a gap.

        The gap must be at the size that they name, so that no other gap is skipped with it.
        """
        checkpoint, log = observation.checkpoint, observation.log
        size = self._witness.begins_again.get(checkpoint.origin)
        if observation.sighting is not Sighting.GAP or log is None or size is None:
            return observation
        if not log.last.size < size <= checkpoint.size:
            return observation
        known = WitnessedLog((checkpoint.note.to_bytes(),), checkpoint.size)
        return Observation(Sighting.CONSISTENT, known, checkpoint, "restarts after a gap, as the settings say")

    def _is_new_alarm(self, name: str, what: str) -> bool:
        """Return whether the problem with a log differs from the last one; "" means no problem."""
        before = self._witness.alarms.get(name, "")
        self._witness.alarms[name] = what
        return what != before

    def _compare_with_witness(self, record: ConsumedRecord, witness: str, cosigned: Checkpoint) -> None:
        """Compare what another witness has cosigned with what this one was shown."""
        self._note_witnesses(cosigned.origin, {witness})
        try:
            self._evidence.compare(cosigned, witness)
        except ForkError as fork:
            self._tell_fork(record.partition(), cosigned.origin, fork.evidence)
            raise

    def _send_cosignature(self, origin: str, observation: Observation) -> None:
        """Cosign, and tell the State whose log it is and the other witnesses."""
        state, partition = observation.checkpoint.place.state, observation.checkpoint.place.partition
        note = observation.cosign(self._state, self._keys.signing, self._now_ms)
        if note is None:
            return
        # With the signature of the State, so that it is proof to a State that was shown a different one.
        complete = observation.checkpoint.note.add(read_checkpoint(note).note.signatures)
        self._result.cosigned[state] += 1
        for addressee in sorted({state} | self._witness.others.get(origin, frozenset())):
            self._reply(ReplyKind.COSIGNATURE, partition, addressee, origin, (complete.to_bytes(),))

    def _tell_fork(self, partition: int, origin: str, evidence: tuple[bytes, ...]) -> None:
        state = read_checkpoint(evidence[0]).place.state
        witnesses = self._witness.witnesses if state == self._state else ()
        told = {state, *witnesses} | self._witness.others.get(origin, frozenset())
        for addressee in sorted(told - {self._state}):
            self._reply(ReplyKind.FORK, partition, addressee, origin, evidence)

    def _reply(self, kind: ReplyKind, partition: int, addressee: str, origin: str, notes: tuple[bytes, ...]) -> None:
        if addressee not in self._keys.reachable or addressee == self._state:
            return
        ask = make_checkpoint_id(b"\n".join(notes))
        reply = ReplyMessage(
            kind, make_log_id(origin), ask, self._state, addressee, self._now_ms, Urgency.ORDINARY, notes=notes
        )
        self._replies.append((partition, reply))

    def _learn_witnesses(self, read: CheckpointRecord) -> None:
        """Note who has cosigned a log: they are sent what this State cosigns."""
        names = {
            witness
            for each in read.earlier
            for signature in each.checkpoint.note.signatures
            if (witness := parse_witness(signature.name)) is not None
        }
        self._note_witnesses(read.checkpoint.origin, names)

    def _note_witnesses(self, origin: str, names: set[str]) -> None:
        if names:
            known = self._witness.others.get(origin, frozenset())
            self._witness.others[origin] = known | (names & self._keys.trusted.keys()) - {self._state}

    def _refuse(self, record: ConsumedRecord, error: Exception, state: str) -> None:
        refused = describe_refusal(record, error, state)
        self._result.refused.append(refused)
        self._outputs.append(build_quarantine_record(refused, self._state, self._now_ms, self._witness.framing))
