"""Several States on one broker, under one clock. After each record that was processed, all rules are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sharing.model.directory import Directory, DirectoryEntry
from sharing.model.times import MINUTE_MS
from sharing.rulings.act import ActKind
from tests.stories.bus import Bus
from tests.stories.invariants import Invariants
from tests.stories.keys import trust_state
from tests.stories.states import State

STEPS_MAX = 2_000
"""Nothing between a few States may go back and forth for longer."""

People = Callable[["World", State], bool]
"""What the people of a State do when they look at what they are asked. Returns whether they have done anything."""


class World:
    """States with a broker and a clock.

    Args:
        states: The States, each with the kinds of its authorities.
        now: The time at which everything begins, in UTC milliseconds.
        seed: For what is random.
    """

    def __init__(self, states: Mapping[str, str], now: int, seed: int = 7) -> None:
        self.bus = Bus(now)
        self.began = now
        self.directory = Directory({state: _make_entry(state, kinds) for state, kinds in states.items()})
        trusted = {state: trust_state(state, now) for state in states}
        self.states = {state: State(state, self.bus, self.directory, trusted, seed) for state in states}
        self.people: dict[str, People] = {}
        self.choose: Callable[[list[State]], State] = lambda states: states[0]
        self.invariants = Invariants(self.states, self.bus)

    def __getitem__(self, state: str) -> State:
        return self.states[state]

    @property
    def minutes(self) -> float:
        """How many minutes have passed since everything began."""
        return (self.bus.now - self.began) / MINUTE_MS

    def settle(self) -> None:
        """Let workers process, and people answer, until nothing more happens. No time passes."""
        for _ in range(STEPS_MAX):
            if not self._step() and not self._answer():
                self.invariants.check_settled()
                return
        raise AssertionError("the States go back and forth without an end")

    def _step(self) -> bool:
        """Let one State process one batch."""
        left = list(self.states.values())
        while left:
            state = self.choose(left)
            left.remove(state)
            if state.take_batch():
                self.invariants.check_step()
                return True
        return False

    def _answer(self) -> bool:
        have_answered = [people(self, self.states[state]) for state, people in self.people.items()]
        return any(have_answered)  # all of them were asked

    def process(self) -> None:
        """Let workers process until all is read. Nobody answers."""
        while self._step():
            pass

    def pass_time(self, minutes: float) -> None:
        """Let time pass. What becomes due in between happens when it is due, and people answer when they are asked."""
        self.settle()
        end = self.bus.now + round(minutes * MINUTE_MS)
        previous = None
        while (instant := self._find_next_due()) is not None and instant <= end:
            assert instant != previous, "what is due is not done"
            self.bus.now, previous = max(instant, self.bus.now), instant
            self.act_when_due()
        self.bus.now = end
        self.act_when_due()

    def _find_next_due(self) -> int | None:
        running = [state for state in self.states.values() if state.is_running]
        behind = {state.code: state.bus.now - state.horizon for state in running}
        wanted = (instant + behind[state.code] for state in running for instant in state.wanted.values())
        return min(wanted, default=None)

    def act_when_due(self) -> None:
        """Let all workers do what is due, once they have read everything."""
        self.process()
        for state in self.states.values():
            state.pass_time()
            self.invariants.check_step()
        self.settle()

    def list_asked(self) -> list[str]:
        """Return who was asked, and how it ended, each with the minute by the clock of the broker."""
        lines, acts = [], [act for acts in self.invariants.acts.values() for act in acts]
        for act in sorted(acts, key=lambda act: act.at):
            if act.kind in {ActKind.ASK_OPENED, ActKind.ASK_ENDED} and act.asked == act.state:
                names = ", ".join(given.by for given in act.answers) or "nobody"
                what = "is asked" if act.kind is ActKind.ASK_OPENED else f"{act.ask_status} by {names}"
                minute = (act.at - self.began) // MINUTE_MS
                lines.append(f"{minute:>3} min {act.asked} {act.ask_kind} of {act.provider}: {what}")
        return lines


def _make_entry(state: str, kinds: str) -> DirectoryEntry:
    authorities: Iterable[Any] = [{"name": f"{kind} of {state}", "kind": kind} for kind in kinds.split()]
    fields = {"state": state, "announced_at": "2026-01-01T00:00:00Z", "authorities": list(authorities)}
    return DirectoryEntry.parse(fields)
