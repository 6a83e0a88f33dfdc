"""Where a lane leads: what it reads and as whom, and the properties of librdkafka that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sharing.kafka.clients import client_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from confluent_kafka import KafkaError


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """From where, as whom, and how much at once.

    Attributes:
        bootstrap: Brokers: `host:port`, separated by commas.
        topics: To read. Give several the same number of partitions: a worker then has the same ones of each.
        group: `group.id`: the workers that share the partitions.
        instance: `group.instance.id` (KIP-345): one for each worker and the same after its restart, so that it
            takes its partitions back at once. Two live processes must not share it.
        transactional_id: `transactional.id`: likewise, and unique in the cluster.
        ledger: Compacted topic of the lane's state, with as many partitions as `topics` have; None for no state.
        ledger_folder: Where copies of the ledger are kept in RocksDB, for one worker; None keeps them in memory.
        client: Further properties of librdkafka for both clients, such as those of TLS.
        on_statistics: Called in the lane's thread with what librdkafka says of the consumer, once a second, as JSON.
        batch_records_max: Records in a batch.
        batch_bytes_max: Bytes of values after which a batch takes no more; passed by what the last `CHUNK`
            records hold, and that is at most what the consumer keeps ready: as many bytes again.
        transaction_timeout_s: After which the broker aborts a transaction; a clean stop takes no longer.
        session_timeout_s: After which a silent worker's partitions go to others.
        start_timeout_s: How long the first answer of a broker is waited for.
    """

    bootstrap: str
    topics: Sequence[str]
    group: str
    instance: str
    transactional_id: str
    state_topic: str | None = None
    state_folder: Path | None = None
    client: Mapping[str, Any] = field(default_factory=dict)
    on_statistics: Callable[[str], None] | None = None
    batch_records_max: int = 10_000
    batch_bytes_max: int = 16 * 1024 * 1024
    transaction_timeout_s: int = 20
    session_timeout_s: int = 30
    start_timeout_s: float = 60.0


def producer_properties(
    route: LoopConfig, on_error: Callable[[KafkaError], None], on_delivery: Callable[[KafkaError | None, Any], None]
) -> dict[str, Any]:
    """Return the producer's properties; those without a comment are what they say."""
    return client_properties(
        route.bootstrap,
        {
            "transactional.id": route.transactional_id,
            "transaction.timeout.ms": route.transaction_timeout_s * 1_000,
            # By default a CONCURRENT_TRANSACTIONS retry costs 100 ms, and nearly every transaction meets one.
            "retry.backoff.ms": 2,
            "retry.backoff.max.ms": 20,
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "batch.num.messages": 20_000,
            # Decisions under one law repeat each other: a tenth of the bytes to send and to keep.
            "compression.type": "lz4",
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 131_072,
            "topic.metadata.propagation.max.ms": 5_000,  # then a missing topic is called so
            # The reports of a ledger's records say where they stand.
            "delivery.report.only.error": route.state_topic is None,
            "on_delivery": on_delivery,
            "error_cb": on_error,
            **route.client,
        },
    )


def consumer_properties(route: LoopConfig, on_error: Callable[[KafkaError], None]) -> dict[str, Any]:
    """Return the consumer's properties."""
    return client_properties(
        route.bootstrap,
        {
            "group.id": route.group,
            "group.instance.id": route.instance,
            "session.timeout.ms": route.session_timeout_s * 1_000,
            # Reading a large ledger back takes its time, and nothing is polled meanwhile.
            "max.poll.interval.ms": 1_800_000 if route.state_topic else 300_000,
            "partition.assignment.strategy": "range",  # the same partitions of every topic to one worker
            "enable.auto.offset.store": False,
            "fetch.wait.max.ms": 10,
            # Halves the time of a backlog: by default a full queue stops fetching for a whole second.
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": max(1, route.batch_bytes_max // 1024),
            "error_cb": on_error,
            **({"statistics.interval.ms": 1_000, "stats_cb": route.on_statistics} if route.on_statistics else {}),
            **route.client,
        },
    )


def restore_properties(route: LoopConfig) -> dict[str, Any]:
    """Return the properties of the consumer that reads the ledger's topic back."""
    return client_properties(
        route.bootstrap,
        {
            "group.id": route.group,  # never joined, nor committed to: it is there because librdkafka wants one
            "enable.partition.eof": True,
            # Where a copy was to be read on, nothing is left: to begin elsewhere would make a false one.
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": 65_536,
            "check.crcs": True,
            **route.client,
        },
    )
