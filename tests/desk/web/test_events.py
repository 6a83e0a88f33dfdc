"""`/events`: numbers when something has changed, until session, officer or desk end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable

import pytest
from starlette.requests import Request
from starlette.types import Message

from sharing.desk.services import DeskServices
from sharing.desk.web.errors import PageError
from sharing.desk.web.events import STREAMS_OF_SESSION_MAX, EventStreams
from sharing.desk.web.sessions import IDLE_MAX_MS, SignedIn
from tests.desk.asgi import (
    NOW,
    Clock,
    FakeBoard,
    FakeRegister,
    find_credential,
    make_officer,
    make_services,
    open_desk,
)
from tests.support.soft_authenticator import SoftAuthenticator

SECONDS = 60.0


def open_stream(services: DeskServices, streams: EventStreams) -> AsyncIterator[str]:
    _, before = services.sessions.begin_anonymous(services.read_clock(), "en")
    _, session = services.sessions.begin("anna", find_credential(services, "anna"), services.read_clock(), before)
    return streams.list_events(SignedIn(make_officer("anna"), session))


async def read_events(stream: AsyncIterator[str], count: int) -> list[str]:
    """Return the next parts of a stream; fail if they do not come."""
    return [await asyncio.wait_for(anext(stream), SECONDS) for _ in range(count)]


def test_a_change_is_told_at_once_from_any_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.desk.web.events.LOOK_SECONDS", 10 * SECONDS)  # nobody looks: it is announced
    services = make_services()
    board = services.board
    assert isinstance(board, FakeBoard)

    def change() -> None:
        board.revision, board.emergencies = 7, 2
        services.changes.announce()

    async def run() -> None:
        streams = EventStreams(services)
        stream = open_stream(services, streams)
        first = await read_events(stream, 2)
        assert first == [
            "retry: 2000\n\n",
            "event: board\ndata: 0\n\nevent: emergency\ndata: 0\n\nevent: broker\ndata: 0\n\n",
        ]
        threading.Timer(0.05, change).start()
        (told,) = await read_events(stream, 1)
        assert told == "event: board\ndata: 7\n\nevent: emergency\ndata: 2\n\n"
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())


def test_a_change_that_nobody_announces_is_seen_and_so_is_a_broker_that_is_away() -> None:
    services = make_services()

    async def run() -> None:
        stream = open_stream(services, EventStreams(services))
        await read_events(stream, 2)
        services.broker.note_away("board", NOW - 1, "no broker answers")
        services.broker.note_away("officers", NOW, "no broker answers")
        assert await read_events(stream, 1) == [f"event: broker\ndata: {NOW - 1}\n\n"]
        services.broker.note_heard("board", NOW)
        assert await read_events(stream, 1) == [f"event: broker\ndata: {NOW}\n\n"]
        services.broker.note_heard("officers", NOW)
        assert await read_events(stream, 1) == ["event: broker\ndata: 0\n\n"]

    asyncio.run(run())


@pytest.mark.parametrize("way", ["idle", "revoked", "without its passkey", "signed out", "closed"])
def test_a_stream_ends_with_the_session_the_officer_or_the_desk(way: str) -> None:
    clock = Clock()
    services = make_services(clock)
    register = services.register
    assert isinstance(register, FakeRegister)
    ways: dict[str, Callable[[], object]] = {
        "idle": lambda: clock.pass_ms(IDLE_MAX_MS),
        "revoked": lambda: register.add(make_officer("anna", revoked_at=NOW)),
        "without its passkey": lambda: register.add(make_officer("anna", SoftAuthenticator("another"))),
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
        request = Request({"type": "http", "method": "GET", "path": "/events", "headers": [], "state": {}})
        request.state.signed_in = SignedIn(make_officer("anna"), desk.session)
        sent: list[Message] = []

        async def receive() -> Message:
            await asyncio.sleep(SECONDS)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if len(sent) % 2:
                raise OSError("the browser has gone")

        async def run() -> None:
            """Open more at once than there may be, before any of them has sent anything."""
            opened = [await streams.serve(request) for _ in range(STREAMS_OF_SESSION_MAX)]
            with pytest.raises(PageError) as refused:
                await streams.serve(request)
            assert refused.value.status_code == 429
            assert streams.count == STREAMS_OF_SESSION_MAX
            services.changes.close()
            for each in opened:
                with contextlib.suppress(Exception):
                    await each(request.scope, receive, send)
            assert streams.count == 0

        asyncio.run(run())


def test_the_stream_is_served_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    services = make_services()
    wait_for_change = services.changes.wait_for_change

    async def close_first(revision: int, seconds: float) -> int:
        services.changes.close()
        return await wait_for_change(revision, seconds)

    monkeypatch.setattr(services.changes, "wait_for_change", close_first)
    with open_desk(services=services) as desk:
        response = desk.get("/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    assert "event: board\ndata: 0\n\n" in response.text


def test_a_stream_without_a_session_is_refused_and_not_led_to_a_page() -> None:
    with open_desk(officer=None) as desk:
        answer = desk.get("/events", headers={"Accept": "text/event-stream"})
    assert answer.status_code == 401, "a browser would follow a redirection, and read a page as a stream"


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
            assert "The broker has not answered since" in page
            assert "28 May 2026 22:26 CEST (20:26 UTC)" in page
            assert "10.0.0.1" not in page
        services.broker.note_heard("board", NOW)
        assert "The broker does not answer" not in desk.get("/notices").text
