"""The gate's job in a plain Faust agent: Faust's own consumer, topics and producer, at-least-once.

python -m tests.bench.peers.faust_job BOOTSTRAP SOURCE PREFIX
"""

from __future__ import annotations

import gc
import sys
import tempfile
from typing import Any

import faust

from processors.faust_app import GC_THRESHOLDS
from tests.bench.names import list_output_topics
from tests.bench.peers.record_gate import InputRecord, RecordGate


def make_app(bootstrap: str, source: str, prefix: str) -> faust.App:
    """Return the Faust app."""
    app = faust.App(
        f"{prefix}gate",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=tempfile.mkdtemp(prefix="faust-"),
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=10_000,
        broker_commit_every=10_000,
        stream_buffer_maxsize=16_384,
        stream_wait_empty=False,
        producer_linger=0.005,
        producer_max_batch_size=1_000_000,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    record_gate = RecordGate(bootstrap)
    targets = {name: app.topic(f"{prefix}{name}", key_type=bytes, value_type=bytes) for name in list_output_topics()}

    async def gate(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            record = InputRecord((message.topic, message.partition, message.offset), message.key, message.value)
            for output in record_gate.process_record(record):
                await targets[output.topic].send(key=output.key, value=output.value)

    app.agent(app.topic(source, key_type=bytes, value_type=bytes), name="gate")(gate)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return app


if __name__ == "__main__":
    faust.Worker(make_app(*sys.argv[1:]), loglevel="WARNING").execute_from_commandline()
