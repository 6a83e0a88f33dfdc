"""How fast the gate's own outputs could be written if nobody had to make them: the ceiling of everything on Kafka.

    python -m tests.bench.pass_through bare|lane BOOTSTRAP SOURCE PREFIX

Reads what a gate has written before, and for each indicator that comes writes just that, byte for byte, to topics
whose names begin with a prefix. `bare` is a plain transactional loop with the gate's own client properties; `lane` is
a Faust agent on a lane.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import AsyncIterable
from typing import Any, NoReturn, cast

from confluent_kafka import TopicPartition

from processors.exactly_once.batch import Batch, ConsumedRecord, OutputRecord
from processors.exactly_once.config import LoopConfig, consumer_properties, producer_properties
from processors.exactly_once.loop import ExactlyOnceLoop
from processors.worker import create_app, run_worker
from sharing.kafka.clients import make_consumer, make_producer
from tests.bench.names import output_topics
from tests.bench.outputs import read_outputs

BATCH_RECORDS = 10_000

Prepared = dict[bytes | None, list[OutputRecord]]


def prepare(bootstrap: str, prefix: str) -> Prepared:
    """Return what a gate has written for each key, addressed to the topics with the prefix."""
    prepared: Prepared = {}
    for message in read_outputs(bootstrap, output_topics()):
        output = OutputRecord(f"{prefix}{message.topic()}", message.key(), message.value())
        prepared.setdefault(output.key, []).append(output)
    gc.collect()
    gc.freeze()
    return prepared


def route(bootstrap: str, source: str, prefix: str) -> LoopConfig:
    """Return the route of a copy."""
    group = f"{prefix}copy"
    return LoopConfig(
        bootstrap=bootstrap,
        topics=[source],
        group=group,
        instance=f"{group}.0",
        transactional_id=f"{group}.0",
        batch_records_max=BATCH_RECORDS,
    )


def copy_bare(way: LoopConfig, prepared: Prepared) -> NoReturn:
    """Copy in a plain loop, a transaction for each batch, until the process is ended."""
    producer = make_producer(producer_properties(way, _ignore, _ignore))
    producer.init_transactions()
    consumer = make_consumer(consumer_properties(way, _ignore))
    consumer.subscribe(list(way.topics))
    produce = producer.produce
    while True:
        messages = consumer.consume(way.batch_records_max, 0.1)
        if not messages:
            continue
        producer.begin_transaction()
        offsets: dict[tuple[Any, Any], int] = {}
        for message in cast("list[ConsumedRecord]", messages):
            for topic, key, value, _ in prepared[message.key()]:
                produce(topic, value, key)
            offsets[message.topic(), message.partition()] = message.offset() + 1
        positions = [TopicPartition(name, partition, offset) for (name, partition), offset in offsets.items()]
        producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata())
        producer.commit_transaction()


def copy_lane(way: LoopConfig, prepared: Prepared) -> NoReturn:
    """Copy by a Faust agent on a lane until the process is ended."""
    app = create_app(way.group)
    lane = ExactlyOnceLoop(app.channel(), way, lambda: time.time_ns() // 1_000_000)
    app.add_service(lane)

    async def copy(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            async with lane.guard(batch):
                outputs = (output for message in batch.messages for output in prepared[message.key()])
                await lane.commit(batch, outputs)

    app.agent(lane.channel, name="copy")(copy)
    run_worker(app, "WARNING")


def _ignore(*_: object) -> None: ...


def main() -> None:
    """Copy in the way that the command line says."""
    way, bootstrap, source, prefix = sys.argv[1:]
    prepared = prepare(bootstrap, prefix)
    {"bare": copy_bare, "lane": copy_lane}[way](route(bootstrap, source, prefix), prepared)


if __name__ == "__main__":
    main()
