"""The worker's process: it runs under `faust`, has no Kafka client of Faust's, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient

from processors.worker import create_app
from sharing.testing.broker.process import accepts, free_port
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import working
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from faust.types.web import Request, Response
    from faust.web import View

    from sharing.testing.broker import Broker

LIMIT_S = 30.0


def test_runs_under_the_faust_program_and_leaves_nothing_behind(broker: Broker, tmp_path: Path) -> None:
    course = CopyPipeline(broker)
    course.send(20)
    before = set(AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=LIMIT_S).topics)
    with working(course, tmp_path / "log", cli=True) as worker:
        wait_until(lambda: len(course.copies()) == 20, "all is copied")
        assert worker.end(signal.SIGTERM) == 0
    course.check()
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.out"}  # no folders of Faust's
    after = set(AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=LIMIT_S).topics)
    assert after - before <= {"__consumer_offsets", "__transaction_state"}
    assert "worker copy runs" in worker.says()
    assert "assigned: in-" in worker.says()
    assert "worker copy ended" in worker.says()
    assert "mode" not in worker.says()


def test_a_failure_ends_it_with_the_code_of_its_error(tmp_path: Path, broker: Broker) -> None:
    course = CopyPipeline(broker)
    course.send(1)
    with working(course, tmp_path / "log", cli=True, fail="large") as worker:
        assert worker.end() == 3
    assert "Traceback" not in worker.says()


@pytest.mark.parametrize("served", [True, False])
def test_serves_pages_only_when_it_has_a_port(served: bool) -> None:
    async def main() -> int:
        app = create_app("pages", web_port=port if served else None)

        @app.page("/here")
        async def here(view: View, _: Request) -> Response:
            return view.text("here")

        app.web.init_server()
        await app.start()
        try:
            return await asyncio.to_thread(fetch)
        finally:
            await app.stop()

    def fetch() -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/here", timeout=LIMIT_S) as answer:
                return int(answer.status)
        except urllib.error.URLError:
            return 0

    port = free_port()
    assert asyncio.run(main()) == (200 if served else 0)
    assert not accepts(port)


def test_no_kafka_client_of_faust_is_started() -> None:
    async def main() -> list[bool]:
        app = create_app("alone")
        await app.start()
        started = [app.producer.started, app.consumer.started, app.topics.started, app.tables.started]
        await app.stop()
        return started

    assert asyncio.run(main()) == [False] * 4
