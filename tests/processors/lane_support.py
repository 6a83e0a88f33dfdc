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

from processors.lane.lane import Lane, Output
from processors.lane.route import Route
from processors.worker import create_app
from tests.processors.course import LIMIT_S, Course

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterable, Callable, Iterable, Iterator

    from processors.lane.batch import Batch, Record
    from processors.lane.ledger import View

ROOT = Path(__file__).parents[2]
COPY_WORKER = "tests.processors.copy_worker"
NOWHERE = Route(bootstrap="nowhere:1", topics=["in"], group="group", instance="0", transactional_id="0")
"""For who never asks a broker."""

SECRET = "+41 79 000 00 00"  # noqa: S105 what no log may show


class Worker:
    """A copying worker as a process of its own."""

    def __init__(self, course: Course, log: Path, worker: str = "0", *, cli: bool = False, **options: Any) -> None:
        names = {"group": course.group, "instance": worker, "transactional_id": f"{course.group}-{worker}"}
        route = {"bootstrap": course.broker.bootstrap, "topics": [course.source], "out": course.target, **names}
        if course.keys is not None:
            route["ledger"] = course.ledger
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
def working(course: Course, log: Path, worker: str = "0", **options: Any) -> Iterator[Worker]:
    """A worker that is surely gone afterwards."""
    process = Worker(course, log, worker, **options)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.kill()
            process.process.wait(LIMIT_S)


def count(view: View, message: Record) -> bytes:
    """Return how many records of its key there are with this one."""
    key = message.key() or b""
    value = b"%d" % (int(view.get(message.partition(), key) or b"0") + 1)
    view.put(message.partition(), key, value)
    return value


def counting(course: Course) -> Callable[[Batch], list[Output]]:
    def handle(batch: Batch) -> list[Output]:
        assert batch.view is not None
        return [
            Output(
                course.target,
                message.key(),
                count(batch.view, message),
                [("place", f"{message.partition()}:{message.offset()}")],
            )
            for message in batch.messages
        ]

    return handle


def run(
    route: Route,
    handle: Callable[[Batch], Iterable[Output]],
    records: int,
    clock: Callable[[], int] = lambda: 0,
) -> BaseException | None:
    """Run a lane in this process until so many records are committed, or it fails; return its failure."""
    return asyncio.run(_run(route, handle, records, clock))


def finish(course: Course) -> None:
    """Do in this process what is left to do."""
    assert run(course.route(), copying(course), course.sent - course.committed(settled=True)) is None
    course.check()


async def _run(
    route: Route, handle: Callable[[Batch], Iterable[Output]], records: int, clock: Callable[[], int]
) -> BaseException | None:
    app = create_app("test")
    lane = Lane(app.channel(), route, clock)
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


def copying(course: Course) -> Callable[[Batch], list[Output]]:
    def copy(batch: Batch) -> list[Output]:
        return [
            Output(
                course.target,
                message.key(),
                message.value(),
                [("place", f"{message.partition()}:{message.offset()}")],
            )
            for message in batch.messages
        ]

    return copy
