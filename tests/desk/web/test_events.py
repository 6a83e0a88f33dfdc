"""`/events`: numbers when something has changed, until session, officer or desk end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from sharing.desk.services import DeskServices
from sharing.desk.web.events import STREAMS_OF_SESSION_MAX, EventStreams
from sharing.desk.web.sessions import IDLE_MAX_MS, SignedIn
from tests.desk.asgi import NOW, Clock, FakeBoard, FakeRegister, make_officer, make_services, open_desk

SECONDS = 5.0


def open_stream(services: DeskServices, streams: EventStreams) -> AsyncIterator[str]:
    _, before = services.sessions.begin_anonymous(services.read_clock(), "en")
    _, session = services.sessions.begin("anna", b"c", services.read_clock(), before)
    return streams._stream(SignedIn(make_officer("anna"), session), id(session))


async def read_events(stream: AsyncIterator[str], count: int) -> list[str]:
    """Return the next parts of a stream; fail if they do not come."""
    return [await asyncio.wait_for(anext(stream), SECONDS) for _ in range(count)]


def test_a_change_is_told_at_once_from_any_thread() -> None:
    services = make_services()
    board = services.board
    assert isinstance(board, FakeBoard)

    def change() -> None:
        board.revision, board.emergencies = 7, 2
        services.changes.announce()

    async def run() -> float:
        streams = EventStreams(services)
        stream = open_stream(services, streams)
        first = await read_events(stream, 2)
        assert first == [
            "retry: 2000\n\n",
            "event: board\ndata: 0\n\nevent: emergency\ndata: 0\n\nevent: broker\ndata: 0\n\n",
        ]
        assert streams.count == 1
        loop = asyncio.get_running_loop()
        began = loop.time()
        threading.Timer(0.05, change).start()
        (told,) = await read_events(stream, 1)
        assert told == "event: board\ndata: 7\n\nevent: emergency\ndata: 2\n\n"
        await stream.aclose()  # type: ignore[attr-defined]
        assert streams.count == 0
        return loop.time() - began

    assert asyncio.run(run()) < 0.4


def test_a_change_that_nobody_announces_is_seen_and_so_is_a_broker_that_is_away() -> None:
    services = make_services()

    async def run() -> None:
        stream = open_stream(services, EventStreams(services))
        await read_events(stream, 2)
        services.broker.note_away("board", NOW - 1, "no broker answers")
        services.broker.note_away("officers", NOW, "no broker answers")
        assert await read_events(stream, 1) == [f"event: broker\ndata: {NOW - 1}\n\n"]
        services.broker.note_back("board")
        assert await read_events(stream, 1) == [f"event: broker\ndata: {NOW}\n\n"]
        services.broker.note_back("officers")
        assert await read_events(stream, 1) == ["event: broker\ndata: 0\n\n"]

    asyncio.run(run())


@pytest.mark.parametrize("way", ["idle", "revoked", "signed out", "closed"])
def test_a_stream_ends_with_the_session_the_officer_or_the_desk(way: str) -> None:
    clock = Clock()
    services = make_services(clock)
    register = services.register
    assert isinstance(register, FakeRegister)
    ways: dict[str, Callable[[], object]] = {
        "idle": lambda: clock.pass_ms(IDLE_MAX_MS),
        "revoked": lambda: register.add(make_officer("anna", revoked_at=NOW)),
        "signed out": lambda: services.sessions.end_officer("anna"),
        "closed": services.changes.close,
    }

    async def run() -> list[str]:
        stream = open_stream(services, EventStreams(services))
        await read_events(stream, 2)
        ways[way]()
        async with asyncio.timeout(SECONDS):
            return [part async for part in stream]

    assert asyncio.run(run()) == ([] if way == "closed" else ["event: session\ndata: 0\n\n"])


def test_a_browser_has_a_bounded_number_of_streams() -> None:
    services = make_services()
    with open_desk(services=services) as desk:
        streams = desk.client.app.state.streams  # type: ignore[attr-defined]
        assert desk.session is not None
        streams._open[id(desk.session)] = STREAMS_OF_SESSION_MAX
        assert desk.get("/events").status_code == 429


def test_the_stream_is_served_as_one() -> None:
    services = make_services()
    with open_desk(services=services) as desk:
        threading.Timer(0.3, services.changes.close).start()
        response = desk.get("/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert "event: board\ndata: 0\n\n" in response.text


def test_head_does_not_wait_for_events() -> None:
    with open_desk() as desk:
        assert desk.client.head("/events").status_code == 200


def test_banners_say_that_the_broker_is_away_and_that_an_emergency_waits() -> None:
    services = make_services(board=FakeBoard(emergencies=2))
    with open_desk(services=services) as desk:
        desk.session.time_zone = "Europe/Berlin"  # type: ignore[union-attr]
        assert 'data-emergencies="2"' in desk.get("/notices").text
        assert "2 emergencies wait" in desk.get("/notices").text
        services.broker.note_away("board", NOW, "no broker answers at 10.0.0.1")
        for path in ("/notices", "/nothing"):
            page = desk.get(path).text
            assert "The broker is away since" in page
            assert "28 May 2026 22:26 CEST (20:26 UTC)" in page
            assert "10.0.0.1" not in page
        services.broker.note_back("board")
        assert "The broker is away" not in desk.get("/notices").text
