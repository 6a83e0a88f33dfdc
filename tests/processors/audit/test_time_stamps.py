"""The time stamps of own checkpoints are written as they come, in the order of the log, whatever is killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from processors.audit.time_stamp_source import ArrivedStamp
from sharing.audit.checkpoint import read_tree_head
from sharing.audit.checkpoint_record import read_checkpoint_record
from sharing.audit.signed_note import SignedNote
from sharing.model.times import HOUR_MS
from tests.processors.audit.witness_world import Worker, World

ORIGIN = "ch.sharing/decisions/0"


@dataclass
class Service:
    """A service that answers when a test says so.

    Attributes:
        wanted: What the worker asks for.
        asked: The texts for which it has asked, in order, each once.
    """

    interval_ms: int = 0
    wanted: Mapping[str, SignedNote] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)
    arrived: dict[str, ArrivedStamp] = field(default_factory=dict)

    def ask(self, wanted: Mapping[str, SignedNote]) -> None:
        self.wanted = dict(wanted)
        self.asked += [note.text for note in wanted.values() if note.text not in self.asked]

    def take(self, origin: str) -> ArrivedStamp | None:
        return self.arrived.pop(origin, None)

    def answer(self, text: bytes | None = None) -> None:
        """Answer the last question, or an older one."""
        text = text or self.wanted[ORIGIN].text
        self.arrived[ORIGIN] = ArrivedStamp(text, b"stamp of " + text)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def service(world: World) -> Service:
    service = Service()
    world.workers["CH"].stamps = service
    world.workers["CH"].restart()
    return service


def list_stamped(worker: Worker) -> list[int]:
    """Return the sizes of the checkpoints whose time stamps are in the State's topic, in the order of the records."""
    stamped = []
    for record in worker.topic:
        for each in read_checkpoint_record(record.value()).earlier:
            if each.time_stamp is not None:
                assert each.time_stamp == b"stamp of " + each.checkpoint.note.text
                stamped.append(each.checkpoint.size)
    return stamped


def test_a_checkpoint_gets_its_time_stamp_once(world: World, service: Service) -> None:
    ch = world.workers["CH"]
    for size in (1, 2, 3):
        ch.write_blocks()
        world.settle()
        assert read_tree_head(service.wanted[ORIGIN].text).size == size
        assert ch.results[-1].unstamped_since == world.now
        service.answer()
        world.settle()
        assert service.wanted == {}
        assert ch.results[-1].unstamped_since == 0
    assert list_stamped(ch) == [1, 2, 3]
    assert sum(result.stamped for result in ch.results) == 3
    assert all(worker.errors == [] and worker.quarantined == [] for worker in world.workers.values())


def test_a_log_is_stamped_once_in_an_interval_and_what_is_not_due_does_not_wait(world: World, service: Service) -> None:
    ch = world.workers["CH"]
    service.interval_ms = HOUR_MS
    ch.write_blocks()
    world.settle()
    service.answer()
    world.settle()
    stamped_at = world.now
    for _ in range(3):
        ch.write_blocks()
        world.settle()
        assert service.wanted == {}
        assert ch.results[-1].unstamped_since == 0
    world.now = stamped_at + HOUR_MS
    world.settle()  # nothing is written any more: the last checkpoint gets its time stamp all the same
    assert read_tree_head(service.wanted[ORIGIN].text).size == 4
    assert ch.results[-1].unstamped_since == stamped_at + HOUR_MS
    service.answer()
    world.settle()
    world.now += 2 * HOUR_MS
    world.settle()
    assert service.wanted == {}
    assert list_stamped(ch) == [1, 4]


def test_without_a_service_nothing_is_awaited(world: World) -> None:
    ch = world.workers["CH"]
    ch.write_blocks()
    world.settle()
    assert ch.results[-1].unstamped_since == 0
    assert list_stamped(ch) == []


def test_while_the_service_is_away_the_log_goes_on_and_the_newest_checkpoint_is_asked_for(
    world: World, service: Service
) -> None:
    ch = world.workers["CH"]
    for _ in range(20):
        ch.write_blocks()
        world.settle()
    first = next(result for result in ch.results if result.unstamped_since)
    assert first.unstamped_since == ch.results[-1].unstamped_since, "since the first one, although it is forgotten"
    assert [read_tree_head(note.text).size for note in service.wanted.values()] == [20]
    service.answer()
    world.settle()
    assert list_stamped(ch) == [20]
    assert ch.results[-1].unstamped_since == 0


def test_a_time_stamp_that_comes_late_counts_and_the_newer_checkpoint_still_waits(
    world: World, service: Service
) -> None:
    ch = world.workers["CH"]
    ch.write_blocks()
    world.settle()
    old = service.wanted[ORIGIN].text
    ch.write_blocks()
    world.settle()
    ch.write_blocks()
    world.settle()
    service.answer(old)
    world.settle()
    assert list_stamped(ch) == [1]
    assert read_tree_head(service.wanted[ORIGIN].text).size == 3
    assert ch.results[-1].unstamped_since == world.now, "the next one is due when the last one was written"
    service.answer()
    world.settle()
    service.answer(old)  # once more, and too late
    world.settle()
    assert list_stamped(ch) == [1, 3]


def test_what_the_worker_does_not_know_is_not_written(world: World, service: Service) -> None:
    ch = world.workers["CH"]
    ch.write_blocks()
    world.settle()
    before = len(ch.topic)
    service.answer(b"ch.sharing/decisions/0\n9\n" + service.wanted[ORIGIN].text.split(b"\n", 2)[2])
    world.settle()
    assert len(ch.topic) == before
    assert ch.results[-1].unstamped_since > 0


def test_a_worker_that_is_killed_asks_again(world: World, service: Service) -> None:
    ch = world.workers["CH"]
    ch.write_blocks()
    world.settle()
    service.answer()
    ch.converse(dies=True)  # it has taken the time stamp, and its transaction is aborted
    assert service.arrived == {}
    assert list_stamped(ch) == []
    world.settle()
    assert ORIGIN in service.wanted
    service.answer()
    world.settle()
    ch.restart()
    world.settle()
    assert service.wanted == {}
    assert list_stamped(ch) == [1]


def test_cosignatures_and_time_stamps_travel_together_and_witnesses_take_no_offence(
    world: World, service: Service
) -> None:
    ch = world.workers["CH"]
    ch.write_blocks()
    ch.converse()  # asks; the witnesses have not seen it yet
    service.answer()
    world.settle()
    last = read_checkpoint_record(ch.topic[-1].value())
    assert [len(each.checkpoint.note.signatures) for each in last.earlier] == [3]
    assert list_stamped(ch) == [1]
    ch.write_blocks()
    world.settle()
    assert all(worker.errors == [] and worker.quarantined == [] for worker in world.workers.values())
