"""The register as a worker sees it: read when it is asked, waiting while it cannot be read."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from processors.services import officer_follower
from processors.services.officer_follower import OfficerFollower
from sharing.errors import InfrastructureError
from sharing.kafka.officer_reader import OfficerReader
from sharing.kafka.officer_writer import OfficerWriter
from sharing.officers.changes import revoke_officer
from sharing.officers.register import Register
from sharing.testing.broker import Broker
from sharing.topology.topics import OFFICERS
from tests.kafka.topic_io import write_records
from tests.officers.register_fixtures import REGISTRARS, grant, make_registrars, revoke_registrars, sign
from tests.trust.trust_fixtures import NOW


def test_each_reading_shows_the_register_as_it_is_then(broker: Broker, state: str) -> None:
    keys = make_registrars(state)
    broker.create_topics([OFFICERS.topic(state)], 1)
    current = [keys]
    reader = OfficerReader(broker.bootstrap, state, lambda: current[0], clock=lambda: NOW)
    writer = OfficerWriter(broker.bootstrap, keys, clock=lambda: NOW)
    register = reader.read()
    assert register.find_officer("o1", NOW) is None
    granted = writer.publish("o1", grant(Register(keys)))
    assert reader.read() is register, "read on from where it was"
    assert register.find_officer("o1", NOW) == granted.entry
    writer.publish("o2", grant(Register(keys), "o2"))

    def revoke(newest: Any, _: int) -> Any:
        return sign(revoke_officer(newest, effective_at=NOW, now=NOW), REGISTRARS[2])

    writer.change("o1", revoke)
    reader.read()
    assert (register.find_officer("o1", NOW), register.find_officer("o2", NOW) is None) == (None, False)
    current[0] = revoke_registrars(keys, 1, 2, at=NOW)
    assert reader.read().find_officer("o2", NOW) is None, "what revoked registrars have signed no longer counts"
    reader.close()
    write_records(broker, OFFICERS.topic(state), [granted.record.encode()], key=b"o1")
    assert reader.read().find_officer("o1", NOW) is None, "nothing older than what was accepted before"
    reader.close()


def test_a_missing_topic_is_one_sentence_and_found_when_it_is_there(broker: Broker, state: str) -> None:
    reader = OfficerReader(broker.bootstrap, state, lambda: make_registrars(state), clock=lambda: NOW)
    with pytest.raises(InfrastructureError, match=OFFICERS.topic(state)):
        reader.read()
    broker.create_topics([OFFICERS.topic(state)], 1)
    assert reader.read().list_newest(NOW) == []
    reader.close()


def make_follower(*answers: Any) -> OfficerFollower:
    """Return a follower whose reader gives these answers, one after the other."""
    left = list(answers)

    def read() -> Any:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return OfficerFollower(cast("OfficerReader", SimpleNamespace(read=read, close=lambda: None)))


def test_who_can_do_without_the_register_does_not_wait() -> None:
    register = Register(make_registrars())
    follower = make_follower(InfrastructureError("no broker answers"), register)

    async def use() -> None:
        async with follower.try_register() as used:
            assert (used, follower.problem) == (None, "no broker answers")
        async with follower.try_register() as used:
            assert (used, follower.problem) == (register, None)
            with pytest.raises(TimeoutError):  # while it is used, it does not change
                await asyncio.wait_for(follower._lock.acquire(), 0.01)

    asyncio.run(use())


def test_who_needs_the_register_waits_until_it_can_be_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(officer_follower, "RETRY_SECONDS", 0.0)
    failure = InfrastructureError("no broker answers")
    register = Register(make_registrars())
    follower = make_follower(failure, failure, register, register)

    async def use() -> None:
        assert follower.problem == "the register of officers has not been read yet"
        async with follower.use_register() as used:
            assert used is register
            assert follower.problem is None
            with pytest.raises(TimeoutError):  # while it is used, it does not change
                await asyncio.wait_for(follower._lock.acquire(), 0.01)
        async with follower.use_register() as used:
            assert used is register

    asyncio.run(use())
    assert caplog.text.count("rulings are waiting: no broker answers") == 1


def test_the_reader_is_closed_after_the_call_of_a_task_that_was_cancelled_and_not_used_again() -> None:
    calls: list[str] = []
    reading, may_return = threading.Event(), threading.Event()

    def read() -> Register:
        reading.set()
        may_return.wait(60)
        calls.append("read")
        return Register(make_registrars())

    reader = SimpleNamespace(read=read, close=lambda: calls.append("closed"))
    follower = OfficerFollower(cast("OfficerReader", reader))

    async def use() -> None:
        async with follower.use_register():
            pass

    async def run() -> None:
        using = asyncio.create_task(use())
        await asyncio.to_thread(reading.wait, 60)
        using.cancel()
        stopping = asyncio.create_task(follower.stop())
        await asyncio.wait({stopping}, timeout=0.2)
        may_return.set()
        await stopping
        async with follower.try_register() as register:
            assert register is None
        with pytest.raises(InfrastructureError, match="the worker is stopping"):
            await use()

    asyncio.run(run())
    assert calls == ["read", "closed"]
