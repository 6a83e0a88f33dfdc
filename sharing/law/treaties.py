"""The dated treaty table: which State is bound by which instrument and since when, what it covers, and how it binds.

An instrument is a basis only for what it covers: the offences of its scope, between the kinds of authority that it
names. A State that no instrument lists has not been looked up: its treaties are unknown, which is not the same as none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sharing.law.constraints import Conjunction
from sharing.law.fact_values import Facts
from sharing.model.vocabulary import ConditionModel


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `start` to `end`, both included; without an end the period is open."""

    start: dt.date
    end: dt.date | None = None

    def contains(self, day: dt.date) -> bool:
        """Return whether the day is in the period."""
        return self.start <= day and (self.end is None or day <= self.end)

    def overlaps(self, other: Period) -> bool:
        """Return whether the two periods share a day."""
        return (self.end is None or other.start <= self.end) and (other.end is None or self.start <= other.end)

    def iter_change_days(self) -> Iterator[dt.date]:
        """Yield the first day, and the day after the last one."""
        yield self.start
        if self.end is not None:
            yield self.end + dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an instrument is a basis for.

    Attributes:
        scope: The condition that covered items meet; it tests only the item.
        senders, receivers: The kinds of authority between which it is a basis.
    """

    scope: Conjunction
    senders: frozenset[str]
    receivers: frozenset[str]

    def answer_for_item(self, item: Facts) -> bool | tuple[str, ...]:
        """Return whether it covers an item from its authority; the missing facts if that is undecided."""
        sender = item.get("source.authority")
        in_scope = self.scope.evaluate(item)
        if in_scope is False or (sender is not None and sender not in self.senders):
            return False
        missing = () if in_scope else tuple(self.scope.list_missing_facts(item))
        missing += ("source.authority",) if sender is None else ()
        return tuple(dict.fromkeys(missing)) or True


@dataclass(frozen=True, slots=True)
class Instrument:
    """A treaty or Union act.

    Attributes:
        name: As in `treaty_preference`.
        article: Its provision on information without request.
        condition_model: Whether conditions are accepted before content, or bind on receipt.
        in_force: First day on which it is in force; None if it is not in force yet.
        parties: For each State, the period in which it is bound.
        verified: Whether the status was checked against the depositary's list.
        coverage: What it is a basis for.
        exculpatory_exception: Whether what clears an accused may be disclosed despite a duty of confidentiality or
            a limit of use, after notice to the provider.
        hub: The State with which it binds each of the others; it does not bind these among themselves.
    """

    name: str
    title: str
    article: str
    condition_model: ConditionModel
    in_force: dt.date | None
    parties: Mapping[str, Period]
    verified: bool
    coverage: Coverage
    exculpatory_exception: bool = False
    hub: str | None = None

    def connects(self, first: str, second: str) -> bool:
        """Return whether it can bind two of its parties to each other."""
        return self.hub is None or self.hub in {first, second}

    def binds(self, state: str, day: dt.date) -> bool:
        """Return whether the instrument binds the State on that day."""
        period = self.parties.get(state)
        return self.in_force is not None and self.in_force <= day and period is not None and period.contains(day)


@dataclass(frozen=True, slots=True)
class TreatyTable:
    """All instruments and memberships. `text` is the YAML document itself, which a pack's hash covers."""

    instruments: Mapping[str, Instrument]
    memberships: Mapping[str, Mapping[str, Period]]
    text: str

    def covers(self, state: str) -> bool:
        """Return whether the State's treaties have been looked up."""
        return any(state in instrument.parties for instrument in self.instruments.values())

    def list_instruments_binding(self, state: str, day: dt.date) -> frozenset[str] | None:
        """Return the instruments that bind a State on a day; None if the State was not looked up."""
        if not self.covers(state):
            return None
        return frozenset(name for name, instrument in self.instruments.items() if instrument.binds(state, day))

    def list_common_instruments(self, first: str, second: str, day: dt.date) -> frozenset[str] | None:
        """Return the instruments that bind both States on a day; None if one of them was not looked up."""
        instruments = self.list_instruments_binding(first, day), self.list_instruments_binding(second, day)
        if instruments[0] is None or instruments[1] is None:
            return None
        both = instruments[0] & instruments[1]
        return frozenset(name for name in both if self.instruments[name].connects(first, second))

    def is_member(self, organisation: str, state: str, day: dt.date) -> bool:
        """Return whether the State is a member of the organisation on that day."""
        period = self.memberships[organisation].get(state)
        return period is not None and period.contains(day)
