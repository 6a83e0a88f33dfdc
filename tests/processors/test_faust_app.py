"""The worker process: it runs under `faust`, starts none of Faust's Kafka clients, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient

from processors.faust_app import create_app
from sharing.testing.broker.process import accepts_connections, find_free_port
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import running_worker
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from faust.types.web import Request, Response
    from faust.web import View

    from sharing.testing.broker import Broker

TIMEOUT_S = 30.0


def test_runs_under_the_faust_program_and_leaves_nothing_behind(broker: Broker, tmp_path: Path) -> None:
    pipeline = CopyPipeline(broker)
    pipeline.send_records(20)
    before = set(AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=TIMEOUT_S).topics)
    with running_worker(pipeline, tmp_path / "log", cli=True) as worker:
        wait_until(lambda: len(pipeline.read_copies()) == 20, "all records are copied")
        assert worker.stop(signal.SIGTERM) == 0
    pipeline.check_copies()
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.out"}  # Faust has created no folders
    after = set(AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=TIMEOUT_S).topics)
    assert after - before <= {"__consumer_offsets", "__transaction_state"}
    assert "worker copy runs" in worker.read_log()
    assert "assigned: in-" in worker.read_log()
    assert "worker copy ended" in worker.read_log()
    assert "mode" not in worker.read_log()


def test_a_failure_stops_the_process_with_the_exit_code_of_its_error(tmp_path: Path, broker: Broker) -> None:
    pipeline = CopyPipeline(broker)
    pipeline.send_records(1)
    with running_worker(pipeline, tmp_path / "log", cli=True, fail="large") as worker:
        assert worker.stop() == 3
    assert "Traceback" not in worker.read_log()


_RUN = "from processors.faust_app import create_app, run_worker; run_worker(create_app('copy', web_port={port}{more}))"


@pytest.mark.parametrize(
    ("more", "cause"),
    [("", "Address already in use"), (", web_bind='192.0.2.1'", "Cannot assign requested address")],
    ids=["port", "address"],
)
def test_a_port_that_is_in_use_ends_the_process_with_one_sentence(more: str, cause: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        run = _RUN.format(port=other.getsockname()[1], more=more)
        ended = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    assert f"{cause}; set SHARING_WEB_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_whatever_fails_at_the_start_is_reported() -> None:
    run = (
        "from processors.faust_app import App, create_app, run_worker\n"
        "async def fail(app): raise ValueError('a defect')\n"
        "App.on_start = fail\n"
        "run_worker(create_app('copy'))"
    )
    ended = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "worker copy failed" in ended.stderr
    assert "ValueError at" in ended.stderr  # where, and not the text: it might quote a value


@pytest.mark.parametrize("served", [True, False])
def test_serves_http_only_if_it_has_a_port(served: bool) -> None:
    async def main() -> int:
        app = create_app("http", web_port=port if served else None)

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
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/here", timeout=TIMEOUT_S) as answer:
                return int(answer.status)
        except urllib.error.URLError:
            return 0

    port = find_free_port()
    assert asyncio.run(main()) == (200 if served else 0)
    assert not accepts_connections(port)


def test_no_kafka_client_of_faust_is_started() -> None:
    async def main() -> list[bool]:
        app = create_app("alone")
        await app.start()
        started = [app.producer.started, app.consumer.started, app.topics.started, app.tables.started]
        await app.stop()
        return started

    assert asyncio.run(main()) == [False] * 4
