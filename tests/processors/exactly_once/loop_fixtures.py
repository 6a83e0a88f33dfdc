"""Workers on a copy pipeline, in the test's process and in processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.exactly_once.loop import ExactlyOnceLoop, OutputRecord
from processors.faust_app import create_app
from tests.processors.exactly_once.copy_pipeline import TIMEOUT_S, CopyPipeline, make_loop_config

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterable, Callable, Iterable, Iterator

    from processors.exactly_once.batch import Batch, ConsumedRecord
    from processors.exactly_once.loop_config import LoopConfig
    from processors.exactly_once.overlay import Overlay

ROOT = Path(__file__).parents[3]
COPY_WORKER = "tests.processors.exactly_once.copy_worker"
OFFLINE_CONFIG = make_loop_config(
    bootstrap="nowhere:1", topics=["in"], group="group", instance="0", transactional_id="0"
)
"""For tests that never contact a broker."""

SECRET = "+41 79 000 00 00"  # noqa: S105 a value that must not appear in any log


class CopyWorkerProcess:
    """A copying worker in a process of its own."""

    def __init__(
        self, pipeline: CopyPipeline, log: Path, worker: str = "0", *, cli: bool = False, **options: Any
    ) -> None:
        ids = {"group": pipeline.group, "instance": worker, "transactional_id": f"{pipeline.group}-{worker}"}
        config = {"bootstrap": pipeline.broker.bootstrap, "topics": [pipeline.source], "out": pipeline.target, **ids}
        if pipeline.key_count is not None:
            config["changelog_topic"] = pipeline.changelog
        arguments = json.dumps({**config, **options})
        program = [sys.executable, "-m", COPY_WORKER, arguments]
        if cli:
            program = [str(Path(sys.executable).with_name("faust")), "-A", COPY_WORKER, "worker", "-l", "info"]
        self.log = log
        self.process = subprocess.Popen(
            program,
            cwd=log.parent,
            env={
                **os.environ,
                "COPY_WORKER": arguments,
                "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
                "PYTHONIOENCODING": "ascii",
            },
            stdin=subprocess.DEVNULL,
            stdout=log.with_suffix(".out").open("wb"),
            stderr=log.open("ab"),
        )

    def read_log(self) -> str:
        return self.log.read_text()

    def has_partitions(self) -> bool:
        return "assigned: in" in self.read_log()

    def count_assignments(self) -> int:
        return self.read_log().count("assigned: in")

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals | None = None) -> int:
        """Send a signal, if any, and return the process's exit code."""
        if number is not None:
            self.send_signal(number)
        return self.process.wait(TIMEOUT_S)


@contextmanager
def running_worker(pipeline: CopyPipeline, log: Path, worker: str = "0", **options: Any) -> Iterator[CopyWorkerProcess]:
    """Run a worker, and kill it at the end if it is still running."""
    process = CopyWorkerProcess(pipeline, log, worker, **options)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait(TIMEOUT_S)


def count_record(state: Overlay, message: ConsumedRecord) -> bytes:
    """Count a record in the state, and return the number of records with its key so far."""
    key = message.key() or b""
    value = b"%d" % (int(state.get(message.partition(), key) or b"0") + 1)
    state.put(message.partition(), key, value)
    return value


def make_counter(pipeline: CopyPipeline) -> Callable[[Batch], list[OutputRecord]]:
    """Return a handler that writes the running number of each record among those with its key."""

    def count_records(batch: Batch) -> list[OutputRecord]:
        assert batch.store_view is not None
        return [
            OutputRecord(
                pipeline.target,
                message.key(),
                count_record(batch.store_view, message),
                [("source", f"{message.partition()}:{message.offset()}")],
            )
            for message in batch.messages
        ]

    return count_records


def run_loop(
    config: LoopConfig,
    handle: Callable[[Batch], Iterable[OutputRecord]],
    records: int,
    clock: Callable[[], int] = lambda: 0,
) -> BaseException | None:
    """Run a loop in this process until this many records are committed, or it fails; return its failure."""
    return asyncio.run(_run_loop(config, handle, records, clock))


def copy_remaining(pipeline: CopyPipeline) -> None:
    """Copy the records that are not acknowledged yet in this process, and check all copies."""
    remaining = pipeline.sent - pipeline.count_acknowledged(exact=True)
    assert run_loop(pipeline.loop_config(), make_copier(pipeline), remaining) is None
    pipeline.check_copies()


async def _run_loop(
    config: LoopConfig, handle: Callable[[Batch], Iterable[OutputRecord]], records: int, clock: Callable[[], int]
) -> BaseException | None:
    app = create_app("test")
    loop = ExactlyOnceLoop(app.channel(), config, clock)
    app.add_service(loop)
    all_committed = asyncio.Event()

    async def serve(batches: AsyncIterable[Batch]) -> None:
        total = 0
        event_loop = asyncio.get_running_loop()

        def add_committed(count: int, committed: bool) -> None:
            nonlocal total
            total += count * committed
            if total >= records:
                event_loop.call_soon_threadsafe(all_committed.set)

        async for batch in batches:
            async with loop.guard_batch(batch):
                await loop.commit_batch(batch, handle(batch), partial(add_committed, len(batch.messages)))

    app.agent(loop.channel, name="serve")(serve)
    await app.start()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await loop.wait_first(all_committed.wait())
        return loop.crash_reason
    finally:
        await app.stop()


def make_copier(pipeline: CopyPipeline) -> Callable[[Batch], list[OutputRecord]]:
    """Return a handler that copies each record."""

    def copy_records(batch: Batch) -> list[OutputRecord]:
        return [
            OutputRecord(
                pipeline.target,
                message.key(),
                message.value(),
                [("source", f"{message.partition()}:{message.offset()}")],
            )
            for message in batch.messages
        ]

    return copy_records
