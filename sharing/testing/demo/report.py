"""What a demonstration comes to: counts by State, and whether they add up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from sharing.model.vocabulary import Outcome
from sharing.testing.demo.outcome_watcher import DemoTally


@dataclass(frozen=True, slots=True)
class StateReport:
    """One State's figures.

    Attributes:
        published: What its agencies published.
        disclosed, offered, held, withheld, quarantined: What became of it, each indicator once.
        notices, offers: What came to it from others.
        delivered: Notices that its subscriber handled.
    """

    published: int
    disclosed: int
    offered: int
    held: int
    withheld: int
    quarantined: int
    notices: int
    offers: int
    delivered: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The whole. `minutes_verified`: each indicator has one decision, and deciding again gives the same bytes."""

    broker: str
    seconds: float
    states: dict[str, StateReport]
    minutes_verified: bool
    differing: tuple[str, ...] = field(default=())

    def total(self, name: str) -> int:
        """Return the sum of one figure over the States."""
        return sum(getattr(one, name) for one in self.states.values())

    @property
    def adds_up(self) -> bool:
        """Whether published = disclosed + offered + held + withheld + quarantined, and what was sent arrived."""
        accounted = sum(self.total(name) for name in ("disclosed", "offered", "held", "withheld", "quarantined"))
        return self.total("published") == accounted and self.total("notices") == self.total("delivered")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that scripts rely on."""
        names = ("published", "disclosed", "offered", "held", "withheld", "quarantined", "delivered")
        return {
            "broker": self.broker,
            **{name: self.total(name) for name in names},
            "seconds": round(self.seconds, 1),
            "states": {state: asdict(one) for state, one in self.states.items()},
            "minutes_verified": self.minutes_verified,
        }


def report_states(tally: DemoTally, published: dict[str, int], delivered: dict[str, int]) -> dict[str, StateReport]:
    """Return the figures of each State that published or received."""
    states = sorted({*published, *tally.notices, *tally.offers})
    return {
        state: StateReport(
            published=published.get(state, 0),
            disclosed=tally.outcomes[state][Outcome.DISCLOSE],
            offered=tally.outcomes[state][Outcome.OFFER],
            held=tally.outcomes[state][Outcome.HOLD],
            withheld=tally.outcomes[state][Outcome.WITHHOLD],
            quarantined=tally.quarantined[state],
            notices=tally.notices[state],
            offers=tally.offers[state],
            delivered=delivered.get(state, 0),
        )
        for state in states
    }
