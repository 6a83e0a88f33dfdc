"""Random States under laws and a directory that change in the middle, and what was sent or ruled arrives again later.

The same rules hold as in `test_random_partners`: among them that what leaves is what a fresh decision lets leave, under
the law and the directory of that instant; that both sides agree on what the receiving State has and is asked; and that
no question is asked, and no message becomes readable, a second time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sharing.model.directory import Directory
from sharing.model.times import DAY_MS, HOUR_MS, MINUTE_MS, from_milliseconds
from sharing.topology.topics import RULINGS
from tests.stories.announcements import ANNOUNCEMENTS, make_entry
from tests.stories.bus import Written
from tests.stories.law_versions import VERSIONS, make_law
from tests.stories.people import Answering
from tests.stories.states import State
from tests.stories.test_random_partners import AT_LAST, DAYS, HOURS, PROVIDERS, STEPS, URGENCIES, Course

PERIODS = (HOUR_MS, 6 * HOUR_MS, 3 * DAY_MS, 40 * DAY_MS)
"""For how long items may be kept."""

_OTHERWISE = ("urgency", "retain")

EXAMPLES = max(2, int(os.environ.get("SHARING_EXAMPLES", "40")) // 10)

FAMILIES: dict[str, tuple[str, ...]] = {
    "law": ("change_law",),
    "directory": ("change_directory",),
    "repetition": ("deliver_again", "pass_weeks"),
    "clocks": ("set_clock", "set_clock", "pass_weeks"),
    "departure": ("leave", "come_back", "pass_weeks"),
    "same version": ("publish_otherwise", "publish_otherwise", "pass_weeks"),
}
"""What may happen in addition: methods of a course."""


@dataclass(repr=False)
class ChangingCourse(Course):
    """What happens in one example.

    Attributes:
        has_retention: Whether some items may be kept for a while only.
        gone: The State that has left.
    """

    batch_sizes = ((1,),)
    has_retention: bool = False
    gone: str | None = None

    def change_law(self) -> None:
        """Put another version of a law in force, while items and questions are under way."""
        state = self.draw(st.sampled_from(PROVIDERS))
        self.world[state].change_law(make_law(state, self.draw(st.sampled_from(tuple(VERSIONS)))))

    def change_directory(self) -> None:
        """Let a State announce something else, or its removal; some workers read it at once, and others not yet."""
        changed = self.draw(st.sampled_from(tuple(self.world.states)))
        announced = self.draw(st.sampled_from(tuple(ANNOUNCEMENTS)))
        readers = self.draw(st.sampled_from([tuple(self.world.states), *((each,) for each in PROVIDERS)]))
        for reader in readers:
            self._announce(reader, changed, announced)

    def _announce(self, reader: str, changed: str, announced: str) -> None:
        worker, entry = self.world[reader], make_entry(changed, announced)
        entries = {state: each for state, each in worker.directory.entries.items() if state != changed}
        worker.directory = Directory(entries if entry is None else {**entries, changed: entry})

    def _publish(self, provider: str, number: int, changes: dict[str, Any]) -> None:
        """Publish an item that may be kept for a while only, in the family in which what is old arrives again."""
        if self.has_retention and "retain_until" not in changes:
            period = self.draw(st.sampled_from([None, None, *PERIODS]))
            until = None if period is None else from_milliseconds(self.world.bus.now + period).isoformat()
            changes = {**changes, "retain_until": until}
        super()._publish(provider, number, changes)

    def publish_otherwise(self) -> None:
        """Publish a first version again, with another urgency or for another time: an agency must not, but it may."""
        first = [place for place, changes in sorted(self.published.items()) if changes["version"] == 1]
        if not first:
            return
        provider, number = place = self.draw(st.sampled_from(first))
        kept = {name: value for name, value in self.published[place].items() if not name.startswith(_OTHERWISE)}
        self._publish(provider, number, {**kept, **self.draw(st.sampled_from(URGENCIES))})

    def deliver_again(self) -> None:
        """Let some messages and rulings of any age arrive again, in any order."""
        log = [written for written in self.world.bus.log if _can_arrive_again(written)]
        for _ in range(self.draw(st.integers(1, 4)) if log else 0):
            self.world.bus.write_again(log[self.draw(st.integers(0, len(log) - 1))])

    def pass_weeks(self) -> None:
        """Let more than two weeks pass, in which no worker stands still, and what must be answered is."""
        for state in self.world.states.values():
            state.is_running = state.code != self.gone
        self.world.act_when_due()
        self.world.people = {state: Answering(AT_LAST, minutes=HOURS) for state in self.world.states}
        self.world.pass_time(16 * DAYS)
        self.world.people.clear()

    def set_clock(self) -> None:
        """Let the clock of a State jump, within what is tolerated, and perhaps restart its worker."""
        state = self.draw(st.sampled_from(list(self.world.states.values())))
        state.ahead_ms = self.draw(st.sampled_from((-4, 0, 4))) * MINUTE_MS
        if self.draw(st.booleans()):
            state.restart()
        if state.is_running:
            self.world.act_when_due()

    def leave(self) -> None:
        """Let a State leave once it has processed what waits: the others no longer trust its root."""
        if self.gone is not None:
            return
        self.gone = self.draw(st.sampled_from(("CH", "NL", "DE")))
        for state in self.world.states.values():
            state.is_running = True
        self.world.act_when_due()
        self.world[self.gone].is_running = False
        for other in self._list_others(self.gone):
            other.unpin(self.gone)
            self._announce(other.code, self.gone, "its removal")
        self.world.act_when_due()

    def come_back(self) -> None:
        """Let a State that has left return, with what it had."""
        if self.gone is None:
            return
        returned, self.gone = self.world[self.gone], None
        for other in self._list_others(returned.code):
            other.pin(returned.code, returned.own_keys)
            self._announce(other.code, returned.code, "as before")
        returned.is_running = True
        self.world.act_when_due()

    def lie(self) -> None:
        if self.gone is None:  # to a State that has left, nobody can send anything
            super().lie()

    def _list_others(self, code: str) -> list[State]:
        return [state for state in self.world.states.values() if state.code != code]

    def stand_still(self) -> None:
        if self.gone is None:  # otherwise the State that has left might go on
            super().stand_still()

    def finish(self) -> None:
        """Let all States be there at last: somebody must be able to acknowledge what was recalled."""
        self.come_back()
        for reader, worker in self.world.states.items():
            for state in self.world.states.keys() - worker.directory.entries.keys():
                self._announce(reader, state, "as before")
        super().finish()


def _can_arrive_again(written: Written) -> bool:
    topic = written.record.topic()
    return topic.startswith("exchange.") or topic == RULINGS.topic(written.writer)


def run_course(data: st.DataObject, further: tuple[str, ...]) -> None:
    course = ChangingCourse(data, has_retention="pass_weeks" in further)
    course.publish()
    names = STEPS + further * (len(STEPS) // (2 * len(further)))
    for name in data.draw(st.lists(st.sampled_from(names), min_size=12, max_size=30)):
        getattr(course, name)()
    course.finish()


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_whatever_changes_the_rules_hold_and_everything_ends(family: str, data: st.DataObject) -> None:
    run_course(data, FAMILIES[family])
