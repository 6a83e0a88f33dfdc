"""Logging: one line per event, JSON unless on a terminal, and no message of an unexpected exception."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

SECRET = "SECRET-7f3a"  # noqa: S105 no line may contain it

PROGRAM = """
import asyncio, logging, sys, threading
from sharing.errors import InfrastructureError
from sharing.telemetry.logs import configure_logging

configure_logging({level!r}, {form!r})
log = logging.getLogger("sharing.test")


def fail():
    raise ValueError({secret!r})

{body}
"""


def log_lines(body: str, form: str = "json", level: str = "info") -> list[str]:
    """Return the lines that a process with this body writes to standard error, which is not a terminal."""
    source = PROGRAM.format(level=level, form=form, secret=SECRET, body=body)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=240, check=False)
    assert SECRET not in done.stdout + done.stderr
    return done.stderr.splitlines()


def log_records(body: str, **options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_lines(body, **options)]


def test_a_line_is_a_json_object_with_timestamp_level_logger_and_event() -> None:
    (record,) = log_records("log.info('assigned: %s[%s]', 'national.ch.indicators', 3)")
    assert record.pop("timestamp").endswith("Z")
    assert record == {"level": "info", "logger": "sharing.test", "event": "assigned: national.ch.indicators[3]"}


def test_auto_is_json_without_a_terminal() -> None:
    assert json.loads(log_lines("log.warning('gone')", form="auto")[0])["event"] == "gone"


def test_text_is_one_plain_line() -> None:
    (line,) = log_lines("log.warning('gone')", form="text")
    assert line.endswith(" WARNING sharing.test: gone")


def test_levels_below_the_configured_one_are_not_written() -> None:
    assert log_records("log.info('a'); log.warning('b')", level="warning")[0]["event"] == "b"


def test_a_second_configuration_has_no_effect() -> None:
    assert len(log_records("configure_logging('debug', 'text'); log.info('a'); log.debug('b')")) == 1


TASK = """
async def main():
    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    del task

async def work():
    fail()

asyncio.run(main())
"""
CALLBACK = f"""
async def main():
    asyncio.get_running_loop().call_soon(lambda text: fail(), {SECRET!r})
    await asyncio.sleep(0.01)

asyncio.run(main())
"""
CAUGHT = "try: fail()\nexcept ValueError as error:\n    {}"


@pytest.mark.parametrize(
    "body",
    [
        CAUGHT.format("log.critical('failed', exc_info=error)"),
        CAUGHT.format("log.exception('failed')"),
        CAUGHT.format("log.error('failed: %r', error)"),
        CAUGHT.format("log.error('failed: %s', error)"),
        CAUGHT.format("log.warning('failed', exc_info=True)"),
        "fail()",
        "thread = threading.Thread(target=fail); thread.start(); thread.join()",
        "class Odd:\n    def __del__(self): fail()\nOdd()",
        TASK,
        CALLBACK,
        "try:\n    fail()\nexcept ValueError as error:\n    raise RuntimeError({'a': error}) from error",
    ],
    ids=["given", "exception", "repr", "str", "true", "uncaught", "thread", "del", "task", "callback", "chained"],
)
@pytest.mark.parametrize(("form", "level"), [("json", "debug"), ("text", "info")])
def test_the_type_and_locations_of_an_exception_are_logged_and_never_its_message(
    body: str, form: str, level: str
) -> None:
    lines = log_lines(body, form=form, level=level)
    assert len(lines) >= 1
    assert any("Error" in line for line in lines)
    if form == "json":
        assert all(isinstance(json.loads(line), dict) for line in lines)


def test_the_message_of_a_sharing_error_is_logged() -> None:
    body = "try: raise InfrastructureError('no broker answers')\nexcept InfrastructureError as error:\n    {}"
    (record,) = log_records(body.format("log.error('ended', exc_info=error)"))
    assert record["exception"].startswith("InfrastructureError: no broker answers at <string>:")
    (record,) = log_records(body.format("log.error('ended: %s', error)"))
    assert record["event"] == "ended: no broker answers"


def test_log_lines_are_counted_by_level() -> None:
    value = "REGISTRY.get_sample_value('sharing_log_records_total', {'level': 'warning'})"
    (*_, record) = log_records(
        f"from sharing.telemetry.metrics import REGISTRY; log.warning('a'); log.warning('b'); log.info({value})"
    )
    assert record["event"] == "2.0"


@pytest.mark.parametrize(("level", "expected", "wait_s"), [("info", 0, 2), ("debug", 1, 60)])
def test_librdkafka_is_logged_at_level_debug_only(level: str, expected: int, wait_s: int) -> None:
    body = (
        "from sharing.kafka.clients import client_properties, make_producer\n"
        f"make_producer(client_properties('127.0.0.1:1')).poll({wait_s})"  # it ends with the first line
    )
    logged = [record for record in log_records(body, level=level) if record["logger"] == "sharing.librdkafka"]
    assert (len(logged) > 0) == bool(expected)


def test_a_crash_in_native_code_says_where_each_thread_was() -> None:
    lines = log_lines(
        f"""
import faulthandler, signal
waiting = threading.Event()


def wait_for_ever(text):
    waiting.set()
    threading.Event().wait()


threading.Thread(target=wait_for_ever, args=({SECRET!r},), daemon=True).start()
waiting.wait()
signal.raise_signal(signal.SIGSEGV)
"""
    )
    assert lines[0] == "Fatal Python error: Segmentation fault"
    assert any(line.endswith(" in wait_for_ever") for line in lines), lines
