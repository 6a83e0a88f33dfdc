"""What passes through an exactly-once loop: a batch of consumed records, and the records to write."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sharing.errors import SharingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processors.exactly_once.overlay import Overlay
    from sharing.model.bad_batch import BadBatch


class ConservationError(SharingError):
    """A record or an output of a batch is missing or counted twice: a defect in this code. None of it is committed."""

    exit_code = 1


class ConsumedRecord(Protocol):
    """A consumed record: the part of `confluent_kafka.Message` that a gate may use.

    Records are not copied: a tuple for each would cost 0.6 µs, a tenth of the time that a record spends in the loop.
    """

    def topic(self) -> str: ...  # noqa: D102 named and defined by confluent_kafka
    def partition(self) -> int: ...  # noqa: D102
    def offset(self) -> int: ...  # noqa: D102
    def key(self) -> bytes | None: ...  # noqa: D102
    def value(self) -> bytes | None: ...  # noqa: D102
    def headers(self) -> list[tuple[str, bytes | None]] | None: ...  # noqa: D102
    def timestamp(self) -> tuple[int, int]: ...  # noqa: D102


DEFAULT_BATCH_BYTES_MAX = 1_000_000
FRAME_BYTES = 10_000

PARTITION_BY_KEY = -1
"""The partition follows from the key (murmur2, as in the Java clients)."""


class OutputRecord(NamedTuple):
    """One record to write.

    Attributes:
        topic: Its topic.
        key: Its key.
        value: Its value; None for a tombstone.
        headers: Its headers. Texts are ASCII: a text has as many bytes as characters.
        partition: Number of its partition, or `PARTITION_BY_KEY`.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] | None = None
    partition: int = PARTITION_BY_KEY


class OutputRun(NamedTuple):
    """Consecutive records without headers for one partition of a topic, such as the changes of a state store.

    One object holds thousands of records: an `OutputRecord` for each would cost as much as handing it to librdkafka.

    Attributes:
        topic: Topic of all records.
        keys: Record keys, one per record.
        values: Record values, one per key.
        partition: Number of the partition of all records, or `PARTITION_BY_KEY`.
    """

    topic: str
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    partition: int = PARTITION_BY_KEY


Output = OutputRecord | OutputRun
"""What an agent hands back to the loop."""


def count_bytes(output: Output) -> int:
    """Return the size of the values of an output, in bytes."""
    if isinstance(output, OutputRun):
        return sum(map(len, filter(None, output.values)))
    return len(output.value or b"")


def name_kind(topic: str) -> str:
    """Return what a topic contains, by its name: `notices` of `exchange.de.notices`, all of a name without dots."""
    return topic.split(".", 2)[-1]


@dataclass(frozen=True, slots=True)
class OutputLimits:
    """How large outputs may be.

    Attributes:
        batch_bytes: Size of the largest record batch that topics accept, by what they contain (`name_kind`), in bytes.
            Other topics accept a million bytes, about Kafka's default.
        prefixes: Starts of the names of these topics.
        value_bytes: Lower limits of one value, by what the topics contain, in bytes.
    """

    batch_bytes: Mapping[str, int] = field(default_factory=dict)
    prefixes: tuple[str, ...] = ("",)
    value_bytes: Mapping[str, int] = field(default_factory=dict)

    @property
    def highest(self) -> int:
        """The size of the largest record batch that any topic accepts, in bytes."""
        return max(self.batch_bytes.values(), default=DEFAULT_BATCH_BYTES_MAX)

    def get_batch_bytes(self, topic: str) -> int:
        """Return the size of the largest record batch that a topic accepts, in bytes."""
        return self.batch_bytes.get(name_kind(topic), DEFAULT_BATCH_BYTES_MAX)

    def get_value_bytes_max(self, topic: str) -> int:
        """Return the size limit of one value in a topic, in bytes: room is left for key, headers and frame."""
        limit = self.get_batch_bytes(topic)
        limit = max(limit - FRAME_BYTES, limit // 2)
        return min(limit, self.value_bytes.get(name_kind(topic), limit))


DEFAULT_LIMITS = OutputLimits()
"""Those of topics with Kafka's defaults."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that were read together.

    Attributes:
        messages: The records; those of a partition are in order. Empty if there is something in `unreadable`, or if
            there was no record for `LoopConfig.idle_batch_s`, or an end of a partition is to be committed.
        now_ms: The processing time of the whole batch, in UTC milliseconds.
        offsets: The next offset to read, by (topic, partition): also of partitions without records in the batch that
            have been quiet for long, whose end is committed with it.
        group_metadata: Opaque group metadata to send with the offsets.
        store_view: This batch's view of the state store, which also collects its changes; None on a loop without state.
        partition_count: Number of partitions of each topic that is read; 0 if unknown.
        output_limits: How large the outputs may be.
        partitions: The partition of each record; None if it has not been read from the records yet.
        unreadable: Record batches that cannot be decompressed, and records that are too large to be processed. Their
            offsets are committed with the batch.
        read_until: For each partition, up to which instant everything that was written to it is in this batch or in an
            earlier one, in UTC milliseconds. Known only on a loop with a horizon, and of partitions for which somebody
            waits (`ExactlyOnceLoop.want_horizon`).
    """

    messages: Sequence[ConsumedRecord]
    now_ms: int
    offsets: Mapping[tuple[str, int], int]
    group_metadata: Any = None
    store_view: Overlay | None = None
    partition_count: int = 0
    output_limits: OutputLimits = DEFAULT_LIMITS
    unreadable: Sequence[BadBatch] = ()
    partitions: array[int] | None = None
    read_until: Mapping[int, int] = field(default_factory=dict)
