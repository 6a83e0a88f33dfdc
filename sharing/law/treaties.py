"""The dated treaty table: which State is bound by which instrument since when, and how that instrument binds.

A State that stands in no instrument has not been looked up: what treaties it has is unknown, which is not none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sharing.errors import InputError
from sharing.model.countries import COUNTRY_ALIASES, normalise_country
from sharing.model.strict import StrictModel
from sharing.model.validators import one_of
from sharing.model.vocabulary import ConditionModel
from sharing.yaml_source import YamlDocument, read_yaml, validate


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `start` to `end`, both included; no end is open."""

    start: dt.date
    end: dt.date | None = None

    def holds(self, day: dt.date) -> bool:
        """Return whether the day lies within."""
        return self.start <= day and (self.end is None or day <= self.end)

    def overlaps(self, other: Period) -> bool:
        """Return whether they share a day."""
        return (self.end is None or other.start <= self.end) and (other.end is None or self.start <= other.end)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A treaty or Union act.

    Attributes:
        name: As in `treaty_preference`.
        article: Its provision on information without request.
        condition_model: Whether conditions are accepted before content, or bind on receipt.
        in_force: Since when it binds anyone; None: not yet.
        parties: State to the period in which it is bound.
        verified: Whether status was checked against the depositary's list.
    """

    name: str
    title: str
    article: str
    condition_model: ConditionModel
    in_force: dt.date | None
    parties: Mapping[str, Period]
    verified: bool

    def binds(self, state: str, day: dt.date) -> bool:
        """Return whether the State is bound on that day."""
        period = self.parties.get(state)
        return self.in_force is not None and self.in_force <= day and period is not None and period.holds(day)


@dataclass(frozen=True, slots=True)
class TreatyTable:
    """All instruments and memberships. `text` is the document itself: it is part of a pack's hash."""

    instruments: Mapping[str, Instrument]
    memberships: Mapping[str, Mapping[str, Period]]
    text: str

    def covers(self, state: str) -> bool:
        """Return whether the State's treaties have been looked up."""
        return any(state in instrument.parties for instrument in self.instruments.values())

    def bound(self, state: str, day: dt.date) -> frozenset[str] | None:
        """Return the instruments that bind a State on a day; None when it was not looked up."""
        if not self.covers(state):
            return None
        return frozenset(name for name, instrument in self.instruments.items() if instrument.binds(state, day))

    def common(self, one: str, other: str, day: dt.date) -> frozenset[str] | None:
        """Return the instruments in force between two States on a day; None when one was not looked up."""
        ours, theirs = self.bound(one, day), self.bound(other, day)
        return None if ours is None or theirs is None else ours & theirs

    def member(self, organisation: str, state: str, day: dt.date) -> bool:
        """Return whether the State is a member on that day."""
        period = self.memberships[organisation].get(state)
        return period is not None and period.holds(day)


def country_code(value: Any) -> str:
    """Return a normal country code, for pydantic."""
    if not isinstance(value, str):
        raise ValueError("must be a country code, as text")  # noqa: TRY004 for pydantic
    try:
        return normalise_country(value)
    except InputError as error:
        raise ValueError(str(error)) from None


def _as_period(value: Any) -> Any:
    if isinstance(value, dt.date):
        return {"from": value}
    if not isinstance(value, dict):
        raise ValueError("must be a day, such as 2012-01-01, or {from: day, to: day}")  # noqa: TRY004 for pydantic
    return value


def _refuse_twice(states: Any) -> Any:
    if isinstance(states, dict):
        spellings: dict[str, str] = {}
        for name in states:
            code = COUNTRY_ALIASES.get(name.upper(), name.upper())
            if code in spellings:
                raise ValueError(f"{code} stands twice, as {spellings[code]} and {name}; keep one")
            spellings[code] = name
    return states


class PeriodModel(StrictModel):
    """A period as written in YAML: a day since when, or `{from, to}`, both days included."""

    start: dt.date = Field(alias="from")
    end: dt.date | None = Field(alias="to", default=None)

    def period(self) -> Period:
        """Return the value.

        Raises:
            ValueError: It ends before it starts.
        """
        if self.end is not None and self.end < self.start:
            raise ValueError("ends before it starts")
        return Period(self.start, self.end)


StateDates = Annotated[
    dict[Annotated[str, BeforeValidator(country_code)], Annotated[PeriodModel, BeforeValidator(_as_period)]],
    BeforeValidator(_refuse_twice),
]


class _InstrumentModel(StrictModel):
    title: str
    article: str
    condition_model: Annotated[ConditionModel, one_of(ConditionModel)]
    in_force: dt.date | None
    source: str
    verified: bool
    note: str = ""
    parties: StateDates


class _MembershipModel(StrictModel):
    source: str
    verified: bool
    note: str = ""
    members: StateDates


class _TableModel(StrictModel):
    title: str
    consolidated_at: dt.date
    note: str = ""
    instruments: dict[str, _InstrumentModel] = Field(min_length=1)
    memberships: dict[str, _MembershipModel]


def parse_treaties(text: str, source: str) -> TreatyTable:
    """Read the treaty table.

    Raises:
        PackError: With file, line and key.
    """
    document = read_yaml(text, source)
    model = validate(document, _TableModel)
    for organisation in ("EU", "SCHENGEN"):
        if organisation not in model.memberships:
            raise document.error(f"is missing {organisation}", ("memberships",))
    return TreatyTable(
        instruments={
            name: Instrument(
                name=name,
                title=entry.title,
                article=entry.article,
                condition_model=entry.condition_model,
                in_force=entry.in_force,
                parties=_periods(document, entry.parties, ("instruments", name, "parties")),
                verified=entry.verified,
            )
            for name, entry in model.instruments.items()
        },
        memberships={
            name: _periods(document, entry.members, ("memberships", name, "members"))
            for name, entry in model.memberships.items()
        },
        text=text,
    )


def _periods(document: YamlDocument, states: Mapping[str, PeriodModel], path: tuple[str, ...]) -> dict[str, Period]:
    periods = {}
    for state, model in states.items():
        try:
            periods[state] = model.period()
        except ValueError as error:
            raise document.error(str(error), (*path, state)) from None
    return periods
