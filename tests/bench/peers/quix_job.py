"""The gate's job as a quixstreams application, exactly once. Runs in a separate environment (`quix.py`).

python -m tests.bench.peers.quix_job BOOTSTRAP SOURCE PREFIX
"""

from __future__ import annotations

import gc
import sys
import tempfile
from typing import Any

# Installed only in that environment.
from quixstreams import Application  # type: ignore[import-not-found,unused-ignore]
from quixstreams.models import Serializer  # type: ignore[import-not-found,unused-ignore]

from processors.exactly_once.batch import OutputRecord
from tests.bench.names import list_output_topics
from tests.bench.peers.record_gate import InputRecord, RecordGate

_GC_THRESHOLDS = (200_000, 50, 100)  # the same as in the gate's worker


class OutputSerializer(Serializer):  # type: ignore[misc,unused-ignore] # the base class is not installed here
    """Returns the bytes of an output."""

    def __call__(self, value: OutputRecord, ctx: Any) -> bytes | None:
        del ctx
        return value.value


def run_job(bootstrap: str, source: str, prefix: str) -> None:
    """Process records until the process is terminated."""
    app = Application(
        broker_address=bootstrap,
        consumer_group=f"{prefix}gate",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=10_000,
        commit_interval=0.5,
        auto_create_topics=False,
        state_dir=tempfile.mkdtemp(prefix="quix-"),
        loglevel="WARNING",
        consumer_extra_config={"fetch.wait.max.ms": 10, "fetch.queue.backoff.ms": 5},
        producer_extra_config={
            "linger.ms": 5,
            "batch.size": 1_000_000,
            "batch.num.messages": 20_000,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 200_000,
            "retry.backoff.ms": 2,
            "retry.backoff.max.ms": 20,
            "partitioner": "murmur2_random",
        },
    )
    record_gate = RecordGate(bootstrap)
    value = OutputSerializer()
    targets = {name: app.topic(f"{prefix}{name}", value_serializer=value) for name in list_output_topics()}

    def decide(value: bytes, key: bytes, timestamp: int, headers: Any) -> list[OutputRecord]:
        del timestamp, headers
        return record_gate.process_record(InputRecord((source, 0, 0), key, value))

    frame = app.dataframe(app.topic(source, value_deserializer="bytes"))
    frame = frame.apply(decide, expand=True, metadata=True)
    frame = frame.to_topic(lambda output, *_: targets[output.topic], key=lambda output: output.key)
    del frame
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
    app.run()


if __name__ == "__main__":
    run_job(*sys.argv[1:])
