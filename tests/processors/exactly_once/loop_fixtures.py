"""What the tests of the lane share: workers, here and as processes, that go along a course."""

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

from processors.exactly_once.config import LoopConfig
from processors.exactly_once.loop import ExactlyOnceLoop, OutputRecord
from processors.worker import create_app
from tests.processors.exactly_once.copy_pipeline import LIMIT_S, CopyPipeline

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterable, Callable, Iterable, Iterator

    from processors.exactly_once.batch import Batch, ConsumedRecord
    from processors.exactly_once.state_store import Overlay

ROOT = Path(__file__).parents[3]
COPY_WORKER = "tests.processors.exactly_once.copy_worker"
NOWHERE = LoopConfig(bootstrap="nowhere:1", topics=["in"], group="group", instance="0", transactional_id="0")
"""For who never asks a broker."""

SECRET = "+41 79 000 00 00"  # noqa: S105 what no log may show


class Worker:
    """A copying worker as a process of its own."""

    def __init__(
        self, course: CopyPipeline, log: Path, worker: str = "0", *, cli: bool = False, **options: Any
    ) -> None:
        names = {"group": course.group, "instance": worker, "transactional_id": f"{course.group}-{worker}"}
        route = {"bootstrap": course.broker.bootstrap, "topics": [course.source], "out": course.target, **names}
        if course.keys is not None:
            route["state_topic"] = course.ledger
        arguments = json.dumps({**route, **options})
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

    def says(self) -> str:
        return self.log.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals | None = None) -> int:
        """Send a signal, if any, and return the code that it exits with."""
        if number is not None:
            self.send(number)
        return self.process.wait(LIMIT_S)


@contextmanager
def working(course: CopyPipeline, log: Path, worker: str = "0", **options: Any) -> Iterator[Worker]:
    """A worker that is surely gone afterwards."""
    process = Worker(course, log, worker, **options)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait(LIMIT_S)


def count(view: Overlay, message: ConsumedRecord) -> bytes:
    """Return how many records of its key there are with this one."""
    key = message.key() or b""
    value = b"%d" % (int(view.get(message.partition(), key) or b"0") + 1)
    view.put(message.partition(), key, value)
    return value


def counting(course: CopyPipeline) -> Callable[[Batch], list[OutputRecord]]:
    def handle(batch: Batch) -> list[OutputRecord]:
        assert batch.state is not None
        return [
            OutputRecord(
                course.target,
                message.key(),
                count(batch.state, message),
                [("place", f"{message.partition()}:{message.offset()}")],
            )
            for message in batch.messages
        ]

    return handle


def run(
    route: LoopConfig,
    handle: Callable[[Batch], Iterable[OutputRecord]],
    records: int,
    clock: Callable[[], int] = lambda: 0,
) -> BaseException | None:
    """Run a lane in this process until so many records are committed, or it fails; return its failure."""
    return asyncio.run(_run(route, handle, records, clock))


def finish(course: CopyPipeline) -> None:
    """Do in this process what is left to do."""
    assert run(course.route(), copying(course), course.sent - course.committed(settled=True)) is None
    course.check()


async def _run(
    route: LoopConfig, handle: Callable[[Batch], Iterable[OutputRecord]], records: int, clock: Callable[[], int]
) -> BaseException | None:
    app = create_app("test")
    lane = ExactlyOnceLoop(app.channel(), route, clock)
    app.add_service(lane)
    all_done = asyncio.Event()

    async def serve(batches: AsyncIterable[Batch]) -> None:
        done = 0
        loop = asyncio.get_running_loop()

        def count(taken: int, committed: bool) -> None:
            nonlocal done
            done += taken * committed
            if done >= records:
                loop.call_soon_threadsafe(all_done.set)

        async for batch in batches:
            async with lane.guard(batch):
                await lane.commit(batch, handle(batch), partial(count, len(batch.messages)))

    app.agent(lane.channel, name="serve")(serve)
    await app.start()
    try:
        async with asyncio.timeout(LIMIT_S):
            await lane.wait_first(all_done.wait())
        return lane.crash_reason
    finally:
        await app.stop()


def copying(course: CopyPipeline) -> Callable[[Batch], list[OutputRecord]]:
    def copy(batch: Batch) -> list[OutputRecord]:
        return [
            OutputRecord(
                course.target,
                message.key(),
                message.value(),
                [("place", f"{message.partition()}:{message.offset()}")],
            )
            for message in batch.messages
        ]

    return copy
