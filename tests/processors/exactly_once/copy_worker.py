"""A worker for the tests: copies each record to another topic. A program of its own, and a module for `faust -A`.

With a ledger it writes the record's number among those of its key instead of the value.

Its one argument, or the environment's COPY_WORKER, is a JSON object: the fields of a Route, `out`, and how it
should fail.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from processors.exactly_once.loop import ExactlyOnceLoop, LoopConfig, OutputRecord
from processors.worker import create_app, run_worker
from tests.processors.exactly_once.loop_fixtures import SECRET, count

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator

    from processors.exactly_once.batch import Batch

options = json.loads(sys.argv[1] if __name__ == "__main__" else os.environ["COPY_WORKER"])
out = options.pop("out")
fail = options.pop("fail", "")
pause_s = options.pop("pause_s", 0.0)
if "state_folder" in options:
    options["state_folder"] = Path(options["state_folder"])
app = create_app("copy", web_port=options.pop("web_port", None))
lane = ExactlyOnceLoop(app.channel(), LoopConfig(**options), lambda: time.time_ns() // 1_000_000)
app.add_service(lane)


def copy(batch: Batch) -> Iterator[OutputRecord]:
    """Copy, and say where each record came from: its partition and offset."""
    for number, message in enumerate(batch.messages):
        if fail == "midway" and number == 3:
            time.sleep(0.2)  # the first outputs are with the broker by now
            raise KeyError(SECRET)
        place = f"{message.partition()}:{message.offset()}".encode()
        value = message.value() if batch.state is None else count(batch.state, message)
        yield OutputRecord(out, message.key(), value, [("place", place)])
    time.sleep(pause_s)


@app.agent(lane.channel)
async def copier(batches: AsyncIterable[Batch]) -> None:
    async for batch in batches:
        if fail == "unguarded":
            raise KeyError(SECRET)
        async with lane.guard(batch):
            if fail == "handler":
                raise KeyError(SECRET)
            outputs = [OutputRecord(out, b"large", bytes(2_000_000))] if fail == "large" else copy(batch)
            await lane.commit(batch, outputs)


if __name__ == "__main__":
    run_worker(app)
