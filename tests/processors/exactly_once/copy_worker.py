"""A worker for tests: copies each record to another topic. It runs as a program, or as a module for `faust -A`.

With state it writes the running number of the record among those with its key instead of the value.

Its one argument, or the environment variable COPY_WORKER, is a JSON object: the fields of a `LoopConfig`, `out`, and
how the worker should fail.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from processors.exactly_once.loop import ExactlyOnceLoop, OutputRecord
from processors.faust_app import create_app, run_worker
from tests.processors.exactly_once.copy_pipeline import make_loop_config
from tests.processors.exactly_once.loop_fixtures import SECRET, count_record

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
loop = ExactlyOnceLoop(app.channel(), make_loop_config(**options), lambda: time.time_ns() // 1_000_000)
app.add_service(loop)


def copy_records(batch: Batch) -> Iterator[OutputRecord]:
    """Copy the records, and add a header with the source of each: its partition and offset."""
    for number, message in enumerate(batch.messages):
        if fail == "midway" and number == 3:
            time.sleep(0.2)  # by now the first outputs have reached the broker
            raise KeyError(SECRET)
        source = f"{message.partition()}:{message.offset()}".encode()
        value = message.value() if batch.store_view is None else count_record(batch.store_view, message)
        yield OutputRecord(out, message.key(), value, [("source", source)])
    time.sleep(pause_s)


@app.agent(loop.channel)
async def copier(batches: AsyncIterable[Batch]) -> None:
    async for batch in batches:
        if fail == "unguarded":
            raise KeyError(SECRET)
        async with loop.guard_batch(batch):
            if fail == "handler":
                raise KeyError(SECRET)
            outputs = [OutputRecord(out, b"large", bytes(2_000_000))] if fail == "large" else copy_records(batch)
            await loop.commit_batch(batch, outputs)


if __name__ == "__main__":
    run_worker(app)
