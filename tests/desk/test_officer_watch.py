"""The register, followed: who was revoked is out, and a short fault of the broker loses nobody's page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sharing.desk.broker_state import BrokerState
from sharing.desk.officer_watch import RETRY_SECONDS, STALE_MAX_MS, OfficerWatch, make_key_source
from sharing.errors import InfrastructureError, InputError
from sharing.officers.entry import OfficerEntry
from tests.desk.asgi import NOW, Clock, make_officer
from tests.support.soft_authenticator import SoftAuthenticator
from tests.support.waiting import TIMEOUT_S, wait_until


class FakeEntry:
    def __init__(self, entry: OfficerEntry) -> None:
        self.entry = entry


class FakeKnown:
    """A register with the part that the watch uses."""

    def __init__(self, *entries: OfficerEntry) -> None:
        self._entries = {entry.id: entry for entry in entries}

    def list_newest(self, now: int) -> list[FakeEntry]:
        return [FakeEntry(entry) for entry in self._entries.values()]

    def find_officer(self, officer_id: str, at_ms: int) -> OfficerEntry | None:
        entry = self._entries[officer_id]
        return entry if entry.is_in_force(at_ms) else None


class FakeReader:
    """Answers with what it is set to, and counts."""

    def __init__(self) -> None:
        self.answer: Any = FakeKnown(make_officer("anna"), make_officer("bert"))
        self.reads = 0
        self.is_closed = False

    def read(self) -> Any:
        self.reads += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.is_closed = True


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.reader = FakeReader()
        self.broker = BrokerState()
        self.revoked: list[str] = []
        self.watch = OfficerWatch(
            lambda: self.reader, self._get_keys, self.clock.read, self.broker, self.revoked.append
        )

    def _get_keys(self) -> Any:
        raise InputError("no keys")

    def read_again(self) -> None:
        """Wait until the register was read twice more: the first may have begun before."""
        count = self.reader.reads + 2
        wait_until(lambda: self.reader.reads >= count, "the register was read again")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("sharing.desk.officer_watch.READ_SECONDS", 0.01)
    monkeypatch.setattr("sharing.desk.officer_watch.RETRY_SECONDS", 0.01)
    made = World()
    yield made
    made.watch.close()


def test_nobody_is_an_officer_before_the_register_was_read(world: World) -> None:
    assert world.watch.find("anna", NOW) is None
    assert world.watch.problem is not None
    world.watch.start()
    assert world.watch.wait_until_read(TIMEOUT_S)
    assert world.watch.problem is None
    assert world.watch.find("anna", NOW) == make_officer("anna")
    found = world.watch.find_by_credential(SoftAuthenticator("bert").credential_id, NOW)
    assert found is not None
    assert found.id == "bert"
    assert world.watch.find_by_credential(b"unknown", NOW) is None
    with pytest.raises(InputError):
        world.watch.get_keys()


def test_an_officer_who_is_revoked_or_expired_is_none(world: World) -> None:
    world.watch.start()
    assert world.watch.wait_until_read(TIMEOUT_S)
    entry = make_officer("anna")
    assert world.watch.find("anna", entry.valid_until - 1) is None  # nothing was read for so long
    world.reader.answer = FakeKnown(make_officer("anna", revoked_at=NOW), make_officer("bert"))
    wait_until(lambda: world.revoked == ["anna"], "anna was revoked")
    assert world.watch.find("anna", NOW) is None
    assert world.watch.find_by_credential(SoftAuthenticator("anna").credential_id, NOW) is None
    assert world.watch.find("bert", NOW) is not None
    world.read_again()
    assert world.revoked == ["anna"]


def test_an_entry_that_expires_between_two_readings_does_not_count(world: World) -> None:
    world.reader.answer = FakeKnown(make_officer("anna", valid_until=NOW + 500))
    world.watch.start()
    assert world.watch.wait_until_read(TIMEOUT_S)
    assert world.watch.find("anna", NOW + 499) is not None
    assert world.watch.find("anna", NOW + 500) is None


def test_while_the_broker_is_away_officers_are_believed_for_a_bounded_time(world: World) -> None:
    world.watch.start()
    assert world.watch.wait_until_read(TIMEOUT_S)
    world.reader.answer = InfrastructureError("no broker answers")
    wait_until(lambda: world.watch.problem is not None, "the fault was seen")
    assert world.broker.away_since == NOW
    assert "no broker answers" in world.broker.reasons["officers"]
    assert world.watch.find("anna", NOW + STALE_MAX_MS) is not None
    assert world.watch.find("anna", NOW + STALE_MAX_MS + 1) is None
    assert world.revoked == []
    world.reader.answer = FakeKnown(make_officer("anna"))
    wait_until(lambda: world.watch.problem is None, "the fault has ended")
    assert world.broker.away_since is None
    assert world.revoked == ["bert"]


def test_a_bug_in_reading_does_not_end_the_thread_and_says_nothing_of_the_content(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.reader.answer = ValueError("Erika Mustermann")
    world.watch.start()
    wait_until(lambda: world.reader.reads > 2, "it was tried again")
    assert "cannot be read" in str(world.watch.problem)
    assert "Mustermann" not in caplog.text + str(world.watch.problem)
    world.reader.answer = FakeKnown(make_officer("anna"))
    assert world.watch.wait_until_read(TIMEOUT_S)
    world.watch.close()
    assert world.reader.is_closed


def test_keys_are_read_again_after_some_time_and_never_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = ["first", "second"]
    now = [0.0]
    monkeypatch.setattr("sharing.desk.officer_watch.time.monotonic", lambda: now[0])
    get_keys: Callable[[], Any] = make_key_source(lambda: answers.pop(0), "DE", 60.0)
    assert [get_keys(), get_keys()] == ["first", "first"]
    now[0] = 60.0
    assert get_keys() == "second"
    with pytest.raises(InputError, match="no root of DE"):
        make_key_source(lambda: None, "DE")()


def test_while_keys_cannot_be_read_one_waits_for_them_and_the_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may ask for them by an invitation: the threads of all pages must not wait for a broker that is away."""
    now = [0.0]
    monkeypatch.setattr("sharing.desk.officer_watch.time.monotonic", lambda: now[0])
    began, may_end, reads = threading.Event(), threading.Event(), list[int]()
    told: list[str] = []

    def read() -> Any:
        reads.append(1)
        began.set()
        assert may_end.wait(TIMEOUT_S)
        raise InfrastructureError("no broker answers")

    get_keys = make_key_source(read, "DE")

    def ask() -> None:
        try:
            get_keys()
        except InfrastructureError as error:
            told.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert began.wait(TIMEOUT_S)
    may_end.set()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert told == ["no broker answers"] * 8
    assert len(reads) == 1, "those who have waited were told what the first has found"
    now[0] += RETRY_SECONDS
    may_end.clear()
    began.clear()
    first = threading.Thread(target=ask)
    first.start()
    assert began.wait(TIMEOUT_S)
    ask()  # is told at once, while the first waits
    assert (len(told), len(reads)) == (9, 2)
    may_end.set()
    first.join(TIMEOUT_S)


def test_the_broker_is_away_since_the_first_that_misses_it() -> None:
    broker = BrokerState()
    assert broker.note_away("a", 5, "x")
    assert broker.note_away("b", 3, "y")
    assert not broker.note_away("a", 9, "z")
    assert (broker.away_since, broker.reasons) == (3, {"a": "z", "b": "y"})
    assert broker.note_heard("b", 9)
    assert broker.away_since == 5
    assert not broker.note_heard("b", 9)
    threads = [threading.Thread(target=broker.note_heard, args=("a", 9)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broker.away_since is None
