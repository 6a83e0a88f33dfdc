"""What the inbox remembers: the messages that it has opened, and how far each stream has arrived.

All of it is in the state store, in the transaction of the messages. Entries of messages are deleted when a replay would
be refused for its age. A *sweep* of a partition, once an hour, finds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from processors.inbox.state_entries import (
    ID_PREFIX,
    STREAM_PREFIX,
    OpenedBefore,
    ReceivedStream,
    decode_message,
    decode_stream,
    encode_message,
    encode_stream,
    make_message_key,
    make_stream_key,
    make_stream_prefix,
    read_changed_at,
    read_stream_key,
)
from sharing.model.times import HOUR_MS
from sharing.seal.counts import CountStatement, MissingTail, find_missing_tails, is_count_overdue
from sharing.seal.sequences import StreamId, StreamPosition
from sharing.topology.topics import EXCHANGE_RETENTION_MS
from sharing.trust.documents import CLOCK_TOLERANCE_MS

if TYPE_CHECKING:
    from collections.abc import Collection

    from processors.exactly_once.overlay import Overlay

MESSAGE_AGE_MS_MAX: Final = EXCHANGE_RETENTION_MS
"""Older messages are refused: their ids may be forgotten, and the topics keep nothing older."""

REMEMBERED_MS: Final = MESSAGE_AGE_MS_MAX + 2 * CLOCK_TOLERANCE_MS
"""How long an id is remembered after its arrival, or its last signing: until a replay is too old, if both clocks are
wrong."""

SWEEP_MS: Final = HOUR_MS
STREAMS_MAX: Final = 64
"""How many streams of one State are remembered in a partition: a worker has two loops, each with four topics."""

PRUNED_MAX: Final = 20_000
"""How many ids one batch forgets, so that its transaction stays small."""


class InboxState:
    """What is remembered, across batches.

    Only the state store counts. In memory is, for each partition, when it was swept, and when each of its streams was
    last counted, to find in each batch those that are overdue.
    """

    def __init__(self) -> None:
        self._swept_at: dict[int, int] = {}
        self._known_since: dict[int, int] = {}
        self._counted_at: dict[int, dict[bytes, int]] = {}

    def open_batch(self, view: Overlay, now_ms: int) -> BatchState:
        """Return the state as a batch sees and changes it, after sweeping partitions that are due.

        Args:
            view: The batch's view of the state store.
            now_ms: The processing time of the batch, in UTC milliseconds.
        """
        for memory in (self._swept_at, self._known_since, self._counted_at):
            for partition in memory.keys() - view.partitions:
                memory.pop(partition)
        for partition in view.partitions:
            self._known_since.setdefault(partition, now_ms)
            swept_at = self._swept_at.get(partition)
            if swept_at is None or not 0 <= now_ms - swept_at < SWEEP_MS:
                self._sweep(view, partition, now_ms)
        return BatchState(view, now_ms, self._counted_at)

    def list_overdue(self, now_ms: int, trusted: Collection[str]) -> list[StreamId]:
        """Return the streams whose next count statement should have arrived: something is holding it back.

        None is expected from a State whose keys are no longer verified, such as one that has left: nothing that it
        signs would be accepted, and the directory's own alerts report it as long as the State is pinned.

        Args:
            now_ms: The time in UTC milliseconds.
            trusted: The States whose keys are verified.
        """
        overdue = (
            read_stream_key(key, partition)
            for partition, streams in self._counted_at.items()
            for key, counted_at in streams.items()
            if is_count_overdue(counted_at, self._known_since[partition], now_ms)
        )
        return [stream for stream in overdue if stream.from_state in trusted]

    def _sweep(self, view: Overlay, partition: int, now_ms: int) -> None:
        expired: list[bytes] = []
        counted_at: dict[bytes, int] = {}
        for key, entry in view.items(partition, ID_PREFIX):
            if now_ms - read_changed_at(entry) > REMEMBERED_MS and len(expired) < PRUNED_MAX:
                expired.append(key)
        for key, entry in view.items(partition, STREAM_PREFIX):
            counted_at[key] = decode_stream(entry).counted_at
        for key in expired:
            view.delete(partition, key)
        self._counted_at[partition] = counted_at
        self._swept_at[partition] = now_ms if len(expired) < PRUNED_MAX else now_ms - SWEEP_MS


class BatchState:
    """The state as one batch sees and changes it.

    Args:
        view: The batch's view of the state store.
        now_ms: The processing time of the batch, in UTC milliseconds.
        counted_at: When each stream of each partition was last counted, in UTC milliseconds.
    """

    def __init__(self, view: Overlay, now_ms: int, counted_at: dict[int, dict[bytes, int]]) -> None:
        self._view = view
        self._now_ms = now_ms
        self._counted_at = counted_at
        self._streams: dict[StreamId, ReceivedStream | None] = {}
        self._changed: set[StreamId] = set()

    def find_message(self, partition: int, message_id: str) -> OpenedBefore | None:
        """Return what is known about a message that was opened before, or None if its id is not known."""
        entry = self._view.get(partition, make_message_key(message_id))
        return None if entry is None else decode_message(entry)

    def remember_message(self, partition: int, message_id: str, message: OpenedBefore) -> None:
        """Remember a message that was opened."""
        self._view.put(partition, make_message_key(message_id), encode_message(message, self._now_ms))

    def extend_memory(self, partition: int, message_id: str, signed_at: int) -> None:
        """Remember a message that was opened for as long as a later signing of it would be accepted.

        Args:
            partition: The partition.
            message_id: Its id, which is known.
            signed_at: When the repeated message was signed, in UTC milliseconds. A copy of the first one extends
                nothing.
        """
        key = make_message_key(message_id)
        entry = self._view.get(partition, key)
        if entry is not None and signed_at > read_changed_at(entry):
            self._view.put(partition, key, encode_message(decode_message(entry), signed_at))

    def get_position(self, stream: StreamId) -> StreamPosition | None:
        """Return how far a stream has arrived, or None if it is not known."""
        known = self._get_stream(stream)
        return None if known is None else known.position

    def set_position(self, stream: StreamId, position: StreamPosition) -> None:
        """Note how far a stream has arrived."""
        known = self._get_stream(stream)
        self._set_stream(stream, ReceivedStream(position, self._now_ms if known is None else known.counted_at))

    def has_room(self, stream: StreamId) -> bool:
        """Return whether a stream is known, or its State has room for another one."""
        if self._get_stream(stream) is not None:
            return True
        known = set(self._counted_at.get(stream.partition, ()))
        known |= {make_stream_key(each) for each in self._changed if each.partition == stream.partition}
        prefix = make_stream_prefix(stream.from_state)
        return sum(key.startswith(prefix) for key in known) < STREAMS_MAX

    def settle_counts(self, statement: CountStatement) -> list[MissingTail]:
        """Return what a count statement lists but has not arrived. It counts as passed from now on.

        Args:
            statement: The statement, verified. It was written after the messages that it counts.
        """
        streams = [StreamId(statement.from_state, item.loop, item.partition, item.topic) for item in statement.streams]
        known = {stream: position for stream in streams if (position := self.get_position(stream)) is not None}
        tails = find_missing_tails(statement, known)
        for tail in tails:
            if not self.has_room(tail.stream):
                continue  # it is reported but not remembered
            self.set_position(tail.stream, StreamPosition(tail.began_at, tail.numbers.last))
        for stream in streams:
            received = self._get_stream(stream)
            if received is not None:
                counted_at = max(statement.counted_at, 0 if stream not in known else received.counted_at)
                self._set_stream(stream, ReceivedStream(received.position, counted_at))
        return tails

    def save(self) -> None:
        """Add the changed streams to the changes of the batch."""
        for stream in self._changed:
            received = self._streams[stream]
            if received is not None:
                key = make_stream_key(stream)
                self._view.put(stream.partition, key, encode_stream(received, self._now_ms))
                self._counted_at.setdefault(stream.partition, {})[key] = received.counted_at
        self._changed.clear()

    def _get_stream(self, stream: StreamId) -> ReceivedStream | None:
        if stream not in self._streams:
            entry = self._view.get(stream.partition, make_stream_key(stream))
            self._streams[stream] = None if entry is None else decode_stream(entry)
        return self._streams[stream]

    def _set_stream(self, stream: StreamId, received: ReceivedStream) -> None:
        self._streams[stream] = received
        self._changed.add(stream)
