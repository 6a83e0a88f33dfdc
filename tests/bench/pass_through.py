"""How fast records pass through: a bare transactional loop, and the same through a Faust agent on a lane.

    python -m tests.bench.pass_through BOOTSTRAP

The loop is the floor of everything that stands on librdkafka: same properties, same outputs, nothing in between.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from confluent_kafka import Producer, TopicPartition

from processors.lane import Lane, Output, Route
from processors.lane_config import consumer_properties, producer_properties
from processors.worker import create_app
from sharing.broker import admin
from sharing.kafka.clients import make_consumer, make_producer

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from processors.batch import Batch, Record

PARTITIONS = 4
VALUE_BYTES = 300


class Rate(NamedTuple):
    """What was measured, from the first batch read to the last one committed."""

    records: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Records a second."""
        return self.records / self.seconds


def load(bootstrap: str, records: int) -> str:
    """Make a topic with so many records of 300 bytes, half of which compresses away; return its name."""
    topic = f"bench-{uuid.uuid4().hex[:8]}"
    admin.create_topics(bootstrap, [topic], PARTITIONS, {})
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 20})
    chance = random.Random(7)
    words = [chance.randbytes(8) for _ in range(2_000)]
    for number in range(records):
        value = b"".join(chance.choices(words, k=VALUE_BYTES // 16)) + chance.randbytes(VALUE_BYTES // 2)
        while True:
            try:
                producer.produce(topic, value[:VALUE_BYTES], b"%016d" % number)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
    return topic


def pass_bare(bootstrap: str, topic: str, records: int, batch_records: int) -> Rate:
    """Pass through in a plain loop."""
    route, target = _prepare(bootstrap, topic, batch_records)
    producer = make_producer(producer_properties(route, _ignore, _ignore))
    producer.init_transactions()
    consumer = make_consumer(consumer_properties(route, _ignore))
    consumer.subscribe([topic])
    done, began = 0, 0.0
    while done < records:
        messages = consumer.consume(batch_records, 0.1)
        if not messages:
            continue
        began = began or time.perf_counter()
        producer.begin_transaction()
        offsets: dict[tuple[Any, Any], int] = {}
        for message in cast("list[Record]", messages):
            producer.produce(target, message.value(), message.key())
            offsets[message.topic(), message.partition()] = message.offset() + 1
        positions = [TopicPartition(name, partition, offset) for (name, partition), offset in offsets.items()]
        producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata())
        producer.commit_transaction()
        done += len(messages)
    seconds = time.perf_counter() - began
    consumer.close()
    return Rate(done, seconds)


def pass_lane(bootstrap: str, topic: str, records: int, batch_records: int) -> Rate:
    """Pass through a Faust agent on a lane."""
    return asyncio.run(_pass_lane(bootstrap, topic, records, batch_records))


async def _pass_lane(bootstrap: str, topic: str, records: int, batch_records: int) -> Rate:
    route, target = _prepare(bootstrap, topic, batch_records)
    app = create_app(route.group)
    lane = Lane(app.channel(), route, lambda: time.time_ns() // 1_000_000)
    app.add_service(lane)
    finished: asyncio.Future[Rate] = asyncio.get_running_loop().create_future()

    async def copy(batches: AsyncIterable[Batch]) -> None:
        done, began = 0, 0.0
        async for batch in batches:
            began = began or time.perf_counter()
            async with lane.guard(batch):
                # Made while those before them are being sent, as the loop above does.
                outputs = (Output(target, message.key(), message.value()) for message in batch.messages)
                done += len(batch.messages) * await lane.commit(batch, outputs)
            if done >= records and not finished.done():
                finished.set_result(Rate(done, time.perf_counter() - began))

    app.agent(lane.channel, name="copy")(copy)
    await app.start()
    try:
        return await finished
    finally:
        await app.stop()


def _prepare(bootstrap: str, topic: str, batch_records: int) -> tuple[Route, str]:
    mark = uuid.uuid4().hex[:8]
    admin.create_topics(bootstrap, [f"out-{mark}"], PARTITIONS, {})
    route = Route(
        bootstrap=bootstrap,
        topics=[topic],
        group=f"bench-{mark}",
        instance="0",
        transactional_id=f"bench-{mark}",
        batch_records_max=batch_records,
    )
    return route, f"out-{mark}"


def _ignore(*_: object) -> None: ...


def main() -> None:
    """Measure both in turn, a few times, and print the ratio of the medians."""
    logging.basicConfig(level=logging.WARNING)
    bootstrap, records = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 400_000
    topic = load(bootstrap, records)
    for batch_records in (1_000, 5_000, 10_000):
        rates = [
            (pass_bare(bootstrap, topic, records, batch_records), pass_lane(bootstrap, topic, records, batch_records))
            for _ in range(3)
        ]
        bare, lane = (sorted(rate.per_second for rate in kind)[1] for kind in zip(*rates, strict=True))
        sys.stdout.write(f"{batch_records:6,} a batch: bare {bare:9,.0f}/s  lane {lane:9,.0f}/s  {lane / bare:.2f}\n")


if __name__ == "__main__":
    main()
