"""What passes through an exactly-once loop: a batch of consumed records, and the records to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processors.exactly_once.state_store import Overlay


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


class OutputRecord(NamedTuple):
    """One record to write. Its partition follows from its key (murmur2, as in the Java clients)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] | None = None


class OutputRun(NamedTuple):
    """Consecutive records without headers for one topic. Most of a gate's outputs are of this kind.

    One object holds thousands of records: an `OutputRecord` for each would cost as much as handing it to librdkafka.

    Attributes:
        topic: Topic of all records.
        keys: Record keys, one per record.
        values: Record values, one per key.
    """

    topic: str
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]


Output = OutputRecord | OutputRun
"""What an agent hands back to the loop."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that were read together.

    Attributes:
        messages: The records, at least one; those of a partition are in order.
        now_ms: The processing time of the whole batch, in UTC milliseconds.
        offsets: The next offset to read, by (topic, partition).
        group_metadata: Opaque group metadata to send with the offsets.
        store_view: This batch's view of the state store, which also collects its changes; None on a loop without state.
    """

    messages: Sequence[ConsumedRecord]
    now_ms: int
    offsets: Mapping[tuple[str, int], int]
    group_metadata: Any = None
    store_view: Overlay | None = None
