"""The codec floor: only decodes and encodes each record, on the path of the exactly-once loop.

`python -m tests.bench.floor BOOTSTRAP INPUT OUTPUT` copies until it is terminated.
"""

from __future__ import annotations

import sys
import time

from processors.exactly_once.batch import OutputRecord
from processors.exactly_once.transactor import Transactor
from sharing.serialization.codec import get_codec
from tests.processors.exactly_once.copy_pipeline import make_loop_config


def copy_records(bootstrap: str, source: str, target: str) -> None:
    """Decode and encode records with fastavro, in one transaction per batch."""
    transactor = Transactor(
        make_loop_config(
            bootstrap=bootstrap,
            topics=[source],
            group="bench.floor",
            instance="bench.floor.0",
            transactional_id="bench.floor.0",
        ),
        lambda: time.time_ns() // 1_000_000,
    )
    indicator = get_codec("indicator")
    transactor.open()
    while True:
        batch = transactor.read_batch()
        if batch is not None:
            transactor.commit_batch(
                batch,
                [
                    OutputRecord(target, record.key(), indicator.encode(indicator.decode(record.value())))
                    for record in batch.messages
                ],
            )


if __name__ == "__main__":
    copy_records(*sys.argv[1:])
