"""Measures the duty desk: how long its list takes with many open Asks, until a change is shown, and its memory.

`python -m tests.bench.desk [ASKS] [DESKS]` measures on the embedded broker; `make bench` does on Kafka. The desk runs
in a process of its own, with the real board and pages; who is signed in, and the law behind the Asks, are made up. A
change is timed from before its record is written until an open page has fetched the rows that show it: each of the
desks hears of it by an event, and fetches the rows as htmx does.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx2
import psutil

from sharing.desk.web.sessions import COOKIE
from sharing.model.vocabulary import Urgency
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import CONVERSATIONS
from tests.bench.bench_cluster import BenchCluster
from tests.bench.figures import Figures, describe_machine, print_line
from tests.conversation.people import held
from tests.desk.asgi import STATE
from tests.desk.board.board_world import BoardWorld
from tests.kafka.topic_io import plain_producer

ASKS, DESKS, CHANGES = 10_000, 20, 20
PARTITIONS: Final = 4
LISTS: Final = 40
"""How often the list is fetched; what it needs for the first time after a change is measured with the changes."""

STATES: Final = ("CH", "FR", "NL", "SE", "IT", "ES", "JP", "GB", "AT", "BE")
TOPIC: Final = CONVERSATIONS.topic(STATE)
_ROW: Final = re.compile(r'data-ask="([^"]+)"')
_WAIT_S: Final = 120.0


class Bus:
    """Writes the entries of conversations.

    Args:
        broker: Something with a `bootstrap`.
    """

    def __init__(self, broker: Any) -> None:
        self.world = BoardWorld(now=int(time.time() * 1000))
        self._producer = plain_producer(broker)
        self._number = 0

    def publish(self, urgency: Urgency = Urgency.ORDINARY) -> str:
        """Let an item be held, and write its entry. Return the id of the Ask."""
        self._number += 1
        number = self._number
        self.world.now -= number % 997  # deadlines are not all the same
        story = self.world.publish(number, held(STATES[number % len(STATES)]), urgency=urgency)
        (key,), (kept,) = self.world._entries.keys(), self.world._entries.values()
        self._producer.produce(TOPIC, kept.value, key, number % PARTITIONS)
        self.world.write(key, None)
        self.world.stories.clear()
        return next(iter(story.conversation.asks))

    def flush(self) -> None:
        if self._producer.flush(_WAIT_S):
            raise TimeoutError("the broker did not confirm the entries")


def measure_desk(broker: Any, asks: int = ASKS, desks: int = DESKS, changes: int = CHANGES) -> dict[str, Any]:
    """Return the figures of a desk with many open Asks. Times are in milliseconds, memory in MB.

    Args:
        broker: Something with a `bootstrap`, whose topic of conversations is empty.
        asks: Number of open Asks.
        desks: Number of open pages.
        changes: Number of changes that are timed.

    Raises:
        ValueError: The list does not show all of them, or a change was not shown: what was measured is not done.
    """
    bus = Bus(broker)
    for _ in range(asks):
        bus.publish()
    bus.flush()
    with _serving(broker.bootstrap, desks) as (process, port, started):
        if started["asks"] != asks:
            raise ValueError(f"the board shows {started['asks']} of {asks} Asks")
        base = f"http://localhost:{port}"
        cookies = [f"{COOKIE}={each}" for each in started["cookies"]]
        every, grouped = (_time_list(base, cookies[0], path) for path in ("/asks?each=1", "/asks"))
        shown = asyncio.run(_time_changes(bus, base, cookies[:desks], changes))
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
    return {
        "asks": asks,
        "desks": desks,
        "read_s": started["read_s"],
        "list_ms": every,
        "alike_ms": grouped,
        "change_ms": {"p50": statistics.median(shown), "max": max(shown), "shown": len(shown)},
        "rss_mb": memory,
    }


def measure_desk_section(cluster: BenchCluster, plan: object, figures: Figures) -> None:
    """Measure the duty desk on Kafka."""
    del plan
    cluster.recreate_topics(PARTITIONS)
    figures["desk"] = measure_desk(cluster)
    print_measured(figures["desk"])


def print_measured(measured: Mapping[str, Any]) -> None:
    """Print the figures, with their ratios to the targets."""
    for name, key in (("list, each Ask a row", "list_ms"), ("list, similar Asks grouped", "alike_ms")):
        times = measured[key]
        title = f"{name}, {measured['asks']:,} Asks"
        print_line(
            f"  {title:44} p50 {times['p50']:6.1f}  max {times['max']:6.1f} ms   first {times['first']:6.1f} ms; "
            f"{times['max'] / 200:.2f} x the target of 200 ms"
        )
    change = measured["change_ms"]
    title = f"a change until it is shown at {measured['desks']} desks"
    print_line(
        f"  {title:44} p50 {change['p50']:6.1f}  max {change['max']:6.1f} ms   {change['max'] / 1000:.2f} x the target"
        " of 1 s"
    )
    print_line(f"  {'memory':44} {measured['rss_mb']:.0f} MB   {measured['rss_mb'] / 200:.2f} x the target of 200 MB")
    print_line(f"  {'start, until the list is there':44} {measured['read_s']:.2f} s")


@contextmanager
def _serving(bootstrap: str, desks: int) -> Iterator[tuple[subprocess.Popen[str], int, dict[str, Any]]]:
    """Run a desk in a process of its own; yield the process, its port and what it said at the start."""
    port = _find_port()
    command = [sys.executable, "-m", "tests.bench.desk_process", bootstrap, str(port), str(desks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            if not line:
                raise ValueError("the desk did not start")
            yield process, port, json.loads(line)
        finally:
            process.terminate()


def _time_list(base: str, cookie: str, path: str) -> dict[str, float]:
    times = []
    with httpx2.Client(base_url=base, headers={"Cookie": cookie}) as client:
        _await_server(client)
        for _ in range(LISTS):
            started = time.perf_counter()
            answer = client.get(path)
            times.append((time.perf_counter() - started) * 1e3)
            if answer.status_code != 200 or not _ROW.search(answer.text):
                raise ValueError(f"{path} answers {answer.status_code}, and shows no Ask")
    return {"first": times[0], "p50": statistics.median(times), "max": max(times)}


async def _time_changes(bus: Bus, base: str, cookies: list[str], changes: int) -> list[float]:
    """Return how long each change took until each desk had fetched rows that show it."""
    seen: list[dict[str, float]] = [{} for _ in cookies]
    heard = [asyncio.Event() for _ in cookies]
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=base, timeout=_WAIT_S, limits=limits) as client:
        watched = zip(cookies, seen, heard, strict=True)
        tasks = [asyncio.create_task(_watch(client, *each)) for each in watched]
        await asyncio.wait_for(asyncio.gather(*(each.wait() for each in heard)), _WAIT_S)
        times: list[float] = []
        for _ in range(changes):
            started = time.perf_counter()
            ask = await asyncio.to_thread(_publish_pressing, bus)
            deadline = started + _WAIT_S
            while not all(ask in place for place in seen):
                if time.perf_counter() > deadline:
                    raise ValueError("a change was not shown at each desk")
                await asyncio.sleep(0.01)
            times += [(place[ask] - started) * 1e3 for place in seen]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return times


async def _watch(client: Any, cookie: str, seen: dict[str, float], heard: asyncio.Event) -> None:
    """Listen as an open page does, and fetch the rows when the board has changed."""
    headers = {"Cookie": cookie, "X-Desk-Background": "1"}
    async with client.stream("GET", "/events", headers=headers) as stream:
        async for line in stream.aiter_lines():
            if line == "event: board":
                rows = await client.get("/asks/rows?each=1", headers=headers)
                at = time.perf_counter()
                for ask in _ROW.findall(rows.text):
                    seen.setdefault(ask, at)
                heard.set()


def _publish_pressing(bus: Bus) -> str:
    ask = bus.publish(Urgency.EMERGENCY)
    bus.flush()
    return ask


def _await_server(client: Any) -> None:
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            client.get("/healthz")
        except httpx2.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _find_port() -> int:
    import socket

    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def main(arguments: list[str]) -> None:
    """Measure on the embedded broker."""
    numbers = [int(each) for each in arguments]
    print_line(describe_machine())
    with EmbeddedBroker() as broker:
        broker.create_topics([TOPIC], PARTITIONS)
        print_measured(measure_desk(broker, *numbers))


if __name__ == "__main__":
    main(sys.argv[1:])
