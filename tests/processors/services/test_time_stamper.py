"""The worker gets time stamps from a service on this machine; one that is away, hangs or lies holds up nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from processors.services import time_stamper
from processors.services.time_stamper import TimeStamper, open_time_stamper
from processors.worker.composition import read_clock
from sharing.audit.block import LogPlace
from sharing.audit.checkpoint import Checkpoint, sign_checkpoint
from sharing.audit.time_stamp import make_query, read_roots, verify_checkpoint_stamp
from sharing.errors import InputError, SettingsError
from sharing.model.times import HOUR_MS
from sharing.model.vocabulary import AuditLogName
from sharing.settings import load_settings
from sharing.telemetry.metrics import REGISTRY
from tests.audit.local_tsa import LocalTsa
from tests.processors.escalation_fixtures import until
from tests.trust.trust_fixtures import make_signer

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

PLACE = LogPlace("CH", AuditLogName.DECISIONS, 0)
KIND = "application/timestamp-reply"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def make_checkpoint(size: int = 1, partition: int = 0, *, age_ms: int = 0) -> Checkpoint:
    place = replace(PLACE, partition=partition)
    return sign_checkpoint(place, size, bytes(32), read_clock() - age_ms, make_signer("CH gate 1"))


ONE = make_checkpoint()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    return LocalTsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_stamper, "LOOK_SECONDS", 0.01)


@contextlib.asynccontextmanager
async def run_stamper(service: LocalTsa, url: str, timeout_s: float = 60.0) -> AsyncIterator[TimeStamper]:
    stamper = TimeStamper(
        url, read_roots(service.root_file.read_bytes()), read_clock, interval_ms=0, timeout_s=timeout_s, wait_s=0.01
    )  # fmt: skip
    await stamper.start()
    try:
        yield stamper
    finally:
        await stamper.stop()


@contextlib.asynccontextmanager
async def run_server(answer: Answer) -> AsyncIterator[str]:
    """Answer connections in any way; yield the address."""
    tasks = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks))


def reply_with(data: bytes, kind: str = KIND, status: str = "200 OK") -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
        )
        await writer.drain()

    return answer


def count(result: str) -> float:
    return REGISTRY.get_sample_value("sharing_audit_time_stamps_total", {"result": result}) or 0.0


def take(stamper: TimeStamper, checkpoint: Checkpoint = ONE) -> bytes | None:
    arrived = stamper.take(checkpoint.origin)
    assert arrived is None or arrived.text == checkpoint.note.text
    return None if arrived is None else arrived.response


def test_each_log_gets_the_time_stamp_of_its_newest_checkpoint(service: LocalTsa) -> None:
    two = make_checkpoint(7, partition=1)
    roots = read_roots(service.root_file.read_bytes())

    async def play(url: str) -> None:
        async with run_stamper(service, url) as stamper:
            wanted = {each.origin: each.note for each in (ONE, two)}
            stamper.ask(wanted)
            for each in (ONE, two):
                await until(partial(has_arrived, stamper, each), "a time stamp arrives")
                response = take(stamper, each)
                assert response is not None
                assert verify_checkpoint_stamp(response, each, roots, read_clock())
                assert take(stamper, each) is None, "each comes once"
            stamper.ask(wanted)  # what was taken, and not committed, is asked for again
            await until(partial(has_arrived, stamper, ONE), "it arrives again")

    with service.serve() as url:
        asyncio.run(play(url))


def has_arrived(stamper: TimeStamper, checkpoint: Checkpoint) -> bool:
    return checkpoint.origin in stamper._arrived


def test_what_waits_to_be_taken_is_not_asked_for_again_and_forgotten_with_its_log(service: LocalTsa) -> None:
    async def play(url: str) -> None:
        async with run_stamper(service, url) as stamper:
            stamper.ask({ONE.origin: ONE.note})
            await until(partial(has_arrived, stamper, ONE), "it arrives")
            stamper.ask({ONE.origin: ONE.note})
            assert stamper._wanted == {}
            stamper.ask({})  # the partition went to another worker
            assert take(stamper) is None

    with service.serve() as url:
        asyncio.run(play(url))


async def _hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()  # until the client gives up


async def _drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send headers for ever, a byte at a time: each read of the client ends soon, and the answer never."""
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "result", "says"),
    [
        (_hang, "UNREACHABLE", "TimeoutError"),
        (_drip, "UNREACHABLE", "TimeoutError"),
        (reply_with(b"<html>", "text/html"), "UNREACHABLE", "status 200, not with a time stamp"),
        (reply_with(b"", status="302 Found\r\nLocation: http://127.0.0.1:1/"), "UNREACHABLE", "status 302"),
        (reply_with(bytes(100_000)), "UNREACHABLE", "more than 64,000 bytes"),
        (reply_with(b"junk"), "INVALID", "does not count"),
    ],
    ids=["hangs", "drips", "html", "redirects", "long", "junk"],
)  # fmt: skip
def test_a_service_that_misbehaves_is_counted_logged_once_and_bounded(
    service: LocalTsa, caplog: pytest.LogCaptureFixture, answer: Answer, result: str, says: str
) -> None:
    caplog.set_level(logging.ERROR, "processors.services.time_stamper")

    async def play() -> None:
        before = count(result)
        timeout_s = 0.1 if says == "TimeoutError" else 60.0
        async with run_server(answer) as url, run_stamper(service, url, timeout_s=timeout_s) as stamper:
            stamper.ask({ONE.origin: ONE.note})
            await until(lambda: count(result) >= before + 3, "it is tried again and again")
            assert take(stamper) is None

    asyncio.run(play())
    (record,) = (each for each in caplog.records if each.name == "processors.services.time_stamper")
    assert says in record.getMessage()
    assert "SHARING_TIME_STAMP_URL" in record.getMessage()


def test_answers_to_other_questions_do_not_count(service: LocalTsa, tmp_path: Path) -> None:
    other, old = LocalTsa(tmp_path), make_checkpoint(3)
    stamped = service.answer(make_query(ONE.note.text).data)

    async def play(data: bytes, wanted: Checkpoint) -> None:
        before = count("INVALID")
        async with run_server(reply_with(data)) as url, run_stamper(service, url) as stamper:
            stamper.ask({wanted.origin: wanted.note})
            await until(lambda: count("INVALID") > before, "it is refused")
            assert take(stamper, wanted) is None

    asyncio.run(play(stamped, ONE))  # to another nonce: an answer that was recorded earlier
    asyncio.run(play(stamped, old))  # on another checkpoint

    async def play_other() -> None:
        before = count("INVALID")
        with other.serve() as url:
            async with run_stamper(service, url) as stamper:
                stamper.ask({ONE.origin: ONE.note})
                await until(lambda: count("INVALID") > before, "a service that is not trusted is refused")

    asyncio.run(play_other())


def test_a_checkpoint_of_the_future_gets_no_time_stamp(service: LocalTsa) -> None:
    """The worker's clock is an hour ahead, or the service's an hour behind: the two contradict each other."""
    future = make_checkpoint(age_ms=-HOUR_MS)

    async def play(url: str) -> None:
        before = count("INVALID")
        async with run_stamper(service, url) as stamper:
            stamper.ask({future.origin: future.note})
            await until(lambda: count("INVALID") > before, "it is refused")
            assert take(stamper, future) is None

    with service.serve() as url:
        asyncio.run(play(url))


def test_a_service_that_was_away_is_used_again_and_one_bad_log_holds_up_no_other(
    service: LocalTsa, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "processors.services.time_stamper")
    future, fine = make_checkpoint(age_ms=-HOUR_MS), make_checkpoint(4, partition=1)
    with service.serve() as url:
        pass  # its port is free again

    async def play() -> None:
        before = count("UNREACHABLE")
        async with run_stamper(service, url) as stamper:
            stamper.ask({fine.origin: fine.note, future.origin: future.note})
            await until(lambda: count("UNREACHABLE") > before, "nobody listens")
            stack.enter_context(service.serve(port=int(url.rstrip("/").rpartition(":")[2])))
            await until(partial(has_arrived, stamper, fine), "it arrives")

    with contextlib.ExitStack() as stack:  # it ends after the client: it would wait for a question that is never sent
        asyncio.run(play())
    assert [record.levelname for record in caplog.records][:2] == ["ERROR", "INFO"]


def test_settings_that_cannot_work_stop_the_start(
    service: LocalTsa, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHARING_EXAMPLES", raising=False)
    assert open_time_stamper(load_settings(), read_clock) is None
    monkeypatch.setenv("SHARING_TIME_STAMP_URL", "file:///etc/passwd")
    with pytest.raises(SettingsError, match=r"SHARING_TIME_STAMP_URL .* must be a URL such as https://"):
        load_settings()
    monkeypatch.setenv("SHARING_TIME_STAMP_URL", "https://tsa.example/")
    with pytest.raises(SettingsError, match="needs SHARING_TIME_STAMP_ROOTS"):
        open_time_stamper(load_settings(), read_clock)
    monkeypatch.setenv("SHARING_TIME_STAMP_ROOTS", str(tmp_path / "missing"))
    with pytest.raises(InputError, match="cannot be read"):
        open_time_stamper(load_settings(), read_clock)
    monkeypatch.setenv("SHARING_TIME_STAMP_ROOTS", str(service.root_file))
    assert open_time_stamper(load_settings(), read_clock) is not None
    monkeypatch.setitem(__import__("sys").modules, "rfc3161_client", None)
    with pytest.raises(SettingsError, match="need the extra `timestamps`"):
        open_time_stamper(load_settings(), read_clock)
