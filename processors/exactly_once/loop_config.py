"""Configuration of an exactly-once loop: what it reads and under which ids, and the librdkafka properties for that."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.exactly_once.batch import DEFAULT_LIMITS, OutputLimits
from sharing.kafka.bad_batches import BOUNDED_FETCH
from sharing.kafka.clients import client_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from confluent_kafka import KafkaError

    from processors.exactly_once.batch import Batch, Output
    from processors.exactly_once.entry_order import EntryOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """Brokers, topics, ids and limits of one exactly-once loop.

    Attributes:
        bootstrap: Brokers: `host:port`, separated by commas.
        topics: Topics to read. They must have the same number of partitions: a worker is then assigned the same
            partitions of each.
        optional_topics: Topics to read too if they exist when the worker starts.
        group: `group.id`: the workers that share the partitions.
        instance: `group.instance.id` (KIP-345): unique to each worker and stable across its restarts, so that it gets
            its partitions back immediately. Two live processes must not share it.
        transactional_id: `transactional.id`: also unique to each worker and stable, and unique in the cluster.
        batch_records_max: Maximum number of records in a batch.
        transaction_timeout_s: When the broker aborts a transaction; a clean stop takes no longer.
        session_timeout_s: When the partitions of a silent worker go to others.
        start_timeout_s: How long to wait for the first answer of a broker.
        changelog_topic: Compacted changelog topic of the loop's state, with as many partitions as `topics`; None for a
            loop without state.
        state_folder: Folder of one worker for local copies of the state in RocksDB; None keeps them in memory.
        entry_order: The order of the entries of the state that these copies keep; None for none.
        client_properties: Further librdkafka properties for both clients, such as those for TLS.
        on_statistics: Called in the worker thread with librdkafka's statistics of the consumer, once a second, as JSON.
        batch_bytes_max: Size of the values in bytes after which a batch is full. It can be exceeded by the last
            `POLL_CHUNK_RECORDS` records, at most by what the consumer prefetches: as many bytes again.
        record_bytes_max: Records with larger values are not processed, but reported as unreadable.
        output_limits: How large the outputs may be, as expected; topics may accept less.
        relies_on_compression: Whether record batches of outputs may be larger than a topic accepts as long as they are
            not compressed; until a broker refuses one. Only for outputs that compress well.
        output_bytes_max: Size of the outputs in bytes that a batch should not exceed: `BatchSizer` reads fewer records
            when their outputs are large.
        idle_batch_s: After how many seconds without a batch the agent gets one without records, so that what it does
            at certain times does not wait for the next record.
        horizon_clock: Returns the time in UTC milliseconds, by this machine's clock or the broker's, whichever is
            behind; then batches say up to which instant everything was read (`ReadHorizon`). None: they do not.
        patient_topics: Topics whose records need not be processed at once: a batch that has only such records waits for
            more, so that a steady stream of them does not cost a transaction for every few.
        patience_s: For how many seconds at most.
        last_outputs: Returns what is still to be written before a clean stop, from a batch without records, after all
            others are committed. Called in the worker thread. None: nothing.
    """

    bootstrap: str
    topics: Sequence[str]
    group: str
    instance: str
    transactional_id: str
    batch_records_max: int
    transaction_timeout_s: int
    session_timeout_s: int
    start_timeout_s: float
    changelog_topic: str | None = None
    state_folder: Path | None = None
    entry_order: EntryOrder | None = None
    client_properties: Mapping[str, Any] = field(default_factory=dict)
    on_statistics: Callable[[str], None] | None = None
    batch_bytes_max: int = 16 * 1024 * 1024
    output_bytes_max: int = 24 * 1024 * 1024
    optional_topics: Sequence[str] = ()
    output_limits: OutputLimits = DEFAULT_LIMITS
    relies_on_compression: bool = False
    record_bytes_max: int = 1_000_000
    idle_batch_s: float = float("inf")
    horizon_clock: Callable[[], int] | None = None
    patient_topics: frozenset[str] = frozenset()
    patience_s: float = 0.0
    last_outputs: Callable[[Batch], Iterable[Output]] | None = None


def producer_properties(
    config: LoopConfig,
    on_error: Callable[[KafkaError], None],
    on_delivery: Callable[[KafkaError | None, Any], None],
    limits: OutputLimits = DEFAULT_LIMITS,
) -> dict[str, Any]:
    """Return the properties of the transactional producer.

    Args:
        config: Configuration of the loop.
        on_error: Receives error events.
        on_delivery: Receives delivery reports.
        limits: How large the outputs may be.
    """
    return client_properties(
        config.bootstrap,
        {
            "transactional.id": config.transactional_id,
            "transaction.timeout.ms": config.transaction_timeout_s * 1_000,
            # By default a CONCURRENT_TRANSACTIONS retry costs 100 ms, and nearly every transaction needs one.
            "retry.backoff.ms": 2,
            "retry.backoff.max.ms": 20,
            "linger.ms": 5,
            "batch.size": limits.highest,
            "message.max.bytes": limits.highest,
            "batch.num.messages": 20_000,
            # Decisions under one law are repetitive: compression leaves a tenth of the bytes to send and to store.
            "compression.type": "lz4",
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 65_536,
            "topic.metadata.propagation.max.ms": 5_000,  # after which a missing topic is reported as missing
            # The delivery reports of changelog records carry their offsets, which copies on disk need.
            "delivery.report.only.error": config.state_folder is None,
            "on_delivery": on_delivery,
            "error_cb": on_error,
            **config.client_properties,
        },
    )


def consumer_properties(config: LoopConfig, on_error: Callable[[KafkaError], None]) -> dict[str, Any]:
    """Return the properties of the consumer."""
    return client_properties(
        config.bootstrap,
        {
            "group.id": config.group,
            "group.instance.id": config.instance,
            "session.timeout.ms": config.session_timeout_s * 1_000,
            # Restoring a large state store takes long, and the consumer is not polled during that time.
            "max.poll.interval.ms": 1_800_000 if config.changelog_topic else 300_000,
            "partition.assignment.strategy": "range",  # the same partitions of every topic to one worker
            "enable.auto.offset.store": False,
            # Every start offset is assigned. An offset outside the log must not be replaced by another one silently.
            "auto.offset.reset": "error",
            # A record is answered at once. What waits is a fetch that finds none: a hundred of them a second, with a
            # wait of 10 ms, were a third of what an idle worker used. A partition whose queue was full, or which was
            # just assigned, joins the next fetch.
            "fetch.wait.max.ms": 50,
            # Halves the time for a backlog: by default a full queue stops fetching for a whole second.
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": max(1, config.batch_bytes_max // 1024),
            **BOUNDED_FETCH,
            "enable.partition.eof": True,
            "error_cb": on_error,
            **({"statistics.interval.ms": 1_000, "stats_cb": config.on_statistics} if config.on_statistics else {}),
            **config.client_properties,
        },
    )


def restore_properties(config: LoopConfig) -> dict[str, Any]:
    """Return the properties of the consumer that restores state from the changelog topic."""
    return client_properties(
        config.bootstrap,
        {
            "group.id": config.group,  # librdkafka requires one; the group is neither joined nor committed to
            "enable.partition.eof": True,
            # If the offset to resume a copy at has been deleted, starting at another offset would corrupt the copy.
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 5,
            # What is read is stored at once, so a longer queue fills memory and saves no time.
            "queued.max.messages.kbytes": 16_384,
            "check.crcs": True,
            **config.client_properties,
        },
    )
