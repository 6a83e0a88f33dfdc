"""Writes the gate's outputs without computing them: the ceiling of every engine on Kafka.

    python -m tests.bench.pass_through plain|loop BOOTSTRAP SOURCE PREFIX

First reads the outputs of a gate. Then writes, for each indicator in the source topic, these outputs byte for byte to
topics whose names begin with a prefix; each decision as a record of its own, as an engine without blocks does. `plain`
is a plain transactional loop with the gate's client properties; `loop` is a Faust agent on the exactly-once loop.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import AsyncIterable
from typing import Any, NoReturn, cast

from confluent_kafka import TopicPartition

from processors.exactly_once.batch import Batch, ConsumedRecord, OutputRecord
from processors.exactly_once.loop import ExactlyOnceLoop
from processors.exactly_once.loop_config import LoopConfig, consumer_properties, producer_properties
from processors.faust_app import create_app, run_worker
from sharing.kafka.clients import make_consumer, make_producer
from sharing.serialization.codec import get_codec
from sharing.topology.topics import DRAFTS
from tests.bench.names import STATE, list_output_topics
from tests.bench.outputs import read_outputs, unpack_value
from tests.processors.exactly_once.copy_pipeline import make_loop_config

BATCH_RECORDS = 10_000

PreparedOutputs = dict[bytes | None, list[OutputRecord]]


def read_prepared_outputs(bootstrap: str, prefix: str) -> PreparedOutputs:
    """Return the outputs of a gate by the key of their indicator, addressed to the topics with the prefix."""
    drafts, draft_codec = DRAFTS.topic(STATE), get_codec("draft")
    prepared: PreparedOutputs = {}
    for message in read_outputs(bootstrap, list_output_topics()):
        topic = f"{prefix}{message.topic()}"
        for key, value in unpack_value(message.key() or b"", message.value() or b""):
            indicator = key
            if message.topic() == drafts:
                indicator = draft_codec.decode(value)["indicator_id"].encode()
            prepared.setdefault(indicator, []).append(OutputRecord(topic, key, value))
    gc.collect()
    gc.freeze()
    return prepared


def make_config(bootstrap: str, source: str, prefix: str) -> LoopConfig:
    """Return the loop config of a pass-through."""
    group = f"{prefix}copy"
    return make_loop_config(
        bootstrap=bootstrap,
        topics=[source],
        group=group,
        instance=f"{group}.0",
        transactional_id=f"{group}.0",
        batch_records_max=BATCH_RECORDS,
    )


def copy_in_plain_loop(config: LoopConfig, prepared: PreparedOutputs) -> NoReturn:
    """Copy in a plain loop, in one transaction per batch, until the process is terminated."""
    producer = make_producer(producer_properties(config, _ignore, _ignore))
    producer.init_transactions()
    # The exactly-once loop decides where a partition without an offset starts, and reads ends; here nothing does.
    changes = {"auto.offset.reset": "earliest", "enable.partition.eof": False}
    consumer = make_consumer({**consumer_properties(config, _ignore), **changes})
    consumer.subscribe(list(config.topics))
    produce = producer.produce
    while True:
        messages = consumer.consume(config.batch_records_max, 0.1)
        if not messages:
            continue
        producer.begin_transaction()
        offsets: dict[tuple[Any, Any], int] = {}
        for message in cast("list[ConsumedRecord]", messages):
            for topic, key, value, *_ in prepared[message.key()]:
                produce(topic, value, key)
            offsets[message.topic(), message.partition()] = message.offset() + 1
        positions = [TopicPartition(name, partition, offset) for (name, partition), offset in offsets.items()]
        producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata())
        producer.commit_transaction()


def copy_in_exactly_once_loop(config: LoopConfig, prepared: PreparedOutputs) -> NoReturn:
    """Copy in a Faust agent on the exactly-once loop until the process is terminated."""
    app = create_app(config.group)
    loop = ExactlyOnceLoop(app.channel(), config, lambda: time.time_ns() // 1_000_000)
    app.add_service(loop)

    async def copy(batches: AsyncIterable[Batch]) -> None:
        async for batch in batches:
            async with loop.guard_batch(batch):
                outputs = (output for message in batch.messages for output in prepared[message.key()])
                await loop.commit_batch(batch, outputs)

    app.agent(loop.channel, name="copy")(copy)
    run_worker(app, "WARNING")


def _ignore(*_: object) -> None: ...


def main() -> None:
    """Run the variant that the command line names."""
    variant, bootstrap, source, prefix = sys.argv[1:]
    prepared = read_prepared_outputs(bootstrap, prefix)
    copy = {"plain": copy_in_plain_loop, "loop": copy_in_exactly_once_loop}[variant]
    copy(make_config(bootstrap, source, prefix), prepared)


if __name__ == "__main__":
    main()
