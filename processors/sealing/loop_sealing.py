"""The sealing of a loop's batches: which keys apply to a batch, and who can receive anything under them.

Two loops of a worker send: the gate, and the conversation. Each has its own sequences and states its own counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from processors.gate.record_digests import RecordDigester
from processors.sealing.content_commitments import BatchCommitments
from processors.sealing.day_secrets import DaySecrets
from processors.sealing.output_sealer import GATE_LOOP, OutputSealer, SealingKeys
from processors.sealing.sent_streams import SentStreams
from sharing.seal.envelope import TOPIC_KINDS
from sharing.seal.padding import find_content_bytes_max
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import AMENDMENTS, DRAFTS

if TYPE_CHECKING:
    from pydantic import SecretBytes

    from processors.exactly_once.batch import Batch, OutputLimits, OutputRecord
    from processors.gate.batch_result import BatchOutputs
    from sharing.audit.block import Commit
    from sharing.model.directory import Directory
    from sharing.trust.signatures import SigningKey


class KeySource(Protocol):
    """Where a loop gets its keys."""

    def collect_keys(self, now_ms: int) -> SealingKeys:
        """Return the keys for a batch.

        Raises:
            SharingError: One of the State's own keys is missing or has ended.
        """
        ...


class LoopSealing:
    """Seals the batches of one sending loop.

    Args:
        state: The State.
        keys: Where the keys come from.
        random: Returns this many random bytes: `secrets.token_bytes`.
        framing: The framing of records.
        loop: Name of the loop in envelopes: `GATE_LOOP` or `CONVERSATION_LOOP`.
    """

    def __init__(
        self,
        state: str,
        keys: KeySource,
        random: Callable[[int], bytes],
        *,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        loop: str = GATE_LOOP,
    ) -> None:
        self._keys = keys
        self._sealer = OutputSealer(state, random, framing=framing, loop=loop)
        self._secrets = DaySecrets(random)
        self._has_secrets = loop == GATE_LOOP
        self._random = random
        self._restricted: tuple[Directory, frozenset[str], Directory] | None = None
        self._limits: tuple[OutputLimits, OutputLimits] | None = None

    def begin_batch(self, batch: Batch, directory: Directory) -> BatchSealing:
        """Return the sealing of one batch.

        Args:
            batch: The batch. Its loop has a state store.
            directory: The directory that is applied.

        Raises:
            SharingError: One of the State's own keys is missing or has ended.
        """
        if batch.store_view is None:
            raise ValueError("sealing needs a state store, for the sequences")
        keys = self._keys.collect_keys(batch.now_ms)
        restricted = self._restrict(directory, frozenset(keys.recipient_keys))
        streams = SentStreams(batch.store_view, batch.now_ms)
        limits = self._lower_limits(batch.output_limits)
        wrapping = (keys.wrapping_key_id, keys.wrapping_key)
        commitments = BatchCommitments(self._secrets, batch.store_view, batch.now_ms, wrapping, self._random)
        if self._has_secrets:
            self._secrets.delete_ended(batch.store_view, batch.now_ms)
        return BatchSealing(self._sealer, streams, keys, restricted, limits, batch.now_ms, commitments)

    def get_signing_key(self, now_ms: int) -> SigningKey:
        """Return the State's gate key.

        Raises:
            SharingError: One of the State's own keys is missing or has ended.
        """
        return self._keys.collect_keys(now_ms).signing_key

    def _restrict(self, directory: Directory, reachable: frozenset[str]) -> Directory:
        """Return the directory in which a State without a seal key cannot receive anything.

        It is the same object as long as nothing changes: a new one invalidates the caches of what is decided under it.
        """
        known = self._restricted
        if known is None or known[0] is not directory or known[1] != reachable:
            receiving = directory.receiving_states
            able = reachable & directory.entries.keys() if receiving is None else reachable & receiving
            known = self._restricted = (directory, reachable, replace(directory, receiving_states=able))
        return known[2]

    def _lower_limits(self, limits: OutputLimits) -> OutputLimits:
        """Return the limits of what can be sealed, given the limits of what is written."""
        if self._limits is None or self._limits[0] != limits:
            topics = (*TOPIC_KINDS, DRAFTS.name, AMENDMENTS.name)
            lower = {name: find_content_bytes_max(limits.get_value_bytes_max(name)) for name in topics}
            self._limits = (limits, replace(limits, value_bytes=lower))
        return self._limits[1]


class SealedPart(NamedTuple):
    """What the sealing of a part of a gate's batch adds to its audit log.

    Attributes:
        message_roots: The roots that are signed for its messages.
        commit: Commits to the contents of its decisions.
    """

    message_roots: tuple[bytes, ...]
    commit: Commit | None


NOTHING_SEALED: Final = SealedPart((), None)
"""The sealing of a State without keys."""


class BatchSealing:
    """The sealing of one batch.

    Attributes:
        directory: The directory under which the batch must be decided and the law evaluated again: in it, a State
            without a verified seal key does not receive.
        reachable: The States that have such a key.
        limits: How large its outputs may be before they are sealed.
        signing_key: The State's gate key.
    """

    def __init__(
        self,
        sealer: OutputSealer,
        streams: SentStreams,
        keys: SealingKeys,
        directory: Directory,
        limits: OutputLimits,
        now_ms: int,
        commitments: BatchCommitments,
    ) -> None:
        self.directory = directory
        self.reachable = frozenset(keys.recipient_keys)
        self.limits = limits
        self.signing_key = keys.signing_key
        self._sealer = sealer
        self._streams = streams
        self._keys = keys
        self._now_ms = now_ms
        self._commitments = commitments

    def make_digester(self) -> RecordDigester:
        """Return what makes the digests of records in the gate's state store, under the State's wrapping keys."""
        keys = self._keys

        def find_key(key_id: str) -> SecretBytes | None:
            if key_id == keys.wrapping_key_id:
                return keys.wrapping_key
            return None if keys.find_wrapping_key is None else keys.find_wrapping_key(key_id)

        return RecordDigester(keys.wrapping_key_id, find_key)

    def seal_part(self, outputs: BatchOutputs) -> SealedPart:
        """Seal the outputs of a part of a gate's batch, and return what that adds to the audit log.

        Raises:
            SealError: A record cannot be sealed. Then none of the batch may be written.
        """
        roots, draft_salts = self._sealer.seal_outputs(outputs, self._streams, self._keys, self._now_ms)
        return SealedPart(roots, self._commitments.commit_part(outputs.group_contents(), draft_salts))

    def seal_records(self, records: Sequence[OutputRecord]) -> tuple[list[OutputRecord], tuple[bytes, ...]]:
        """Return records of a part of the batch, sealed where they must be, and the roots that are signed for them.

        Raises:
            SealError: A record cannot be sealed. Then none of the batch may be written.
        """
        return self._sealer.seal_records(records, self._streams, self._keys, self._now_ms)

    def state_counts(self) -> Iterator[OutputRecord]:
        """Yield the count statements that are due, after all parts."""
        return self._sealer.state_counts(self._streams, self._keys, self._now_ms)
