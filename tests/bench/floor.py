"""The codec floor: what decoding and encoding each record costs on the lane's own path, and nothing else.

`python -m tests.bench.floor BOOTSTRAP INPUT OUTPUT`: copies until it is told to stop.
"""

from __future__ import annotations

import sys
import time

from processors.exactly_once.batch import OutputRecord
from processors.exactly_once.config import LoopConfig
from processors.exactly_once.transactor import Transactor
from sharing.serialization.codec import codec_of


def run(bootstrap: str, source: str, target: str) -> None:
    """Copy records through fastavro, a transaction for each batch."""
    transactor = Transactor(
        LoopConfig(
            bootstrap=bootstrap,
            topics=[source],
            group="bench.floor",
            instance="bench.floor.0",
            transactional_id="bench.floor.0",
        ),
        lambda: time.time_ns() // 1_000_000,
    )
    indicator = codec_of("indicator")
    transactor.open()
    while True:
        batch = transactor.read()
        if batch is not None:
            transactor.commit(
                batch,
                [
                    OutputRecord(target, record.key(), indicator.encode(indicator.decode(record.value())))
                    for record in batch.messages
                ],
            )


if __name__ == "__main__":
    run(*sys.argv[1:])
