"""The dated treaty table: which State is bound by which instrument since when, what it covers, and how it binds.

An instrument is a basis only for what it covers: the offences of its scope, between the kinds of authority that it
names. A State that no instrument lists has not been looked up: its treaties are unknown, which is not the same as none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from sharing.errors import PackError
from sharing.law.constraints import Conjunction, ConstraintError, read_conjunction
from sharing.law.facts import FACTS, Facts, FactScope
from sharing.model.countries import COUNTRY_ALIASES
from sharing.model.field_validators import CountryCode, enum_validator
from sharing.model.strict_model import StrictModel
from sharing.model.vocabulary import Authority, ConditionModel
from sharing.yaml_faults import DocumentFaults
from sharing.yaml_source import KeyPath, read_yaml


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
        scope: What holds of the items that it covers; it tests the item only.
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
        missing = () if in_scope else tuple(self.scope.missing_facts(item))
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
        exculpatory_exception: Whether what clears an accused may be disclosed in spite of a duty of confidentiality or
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

    def instruments_binding(self, state: str, day: dt.date) -> frozenset[str] | None:
        """Return the instruments that bind a State on a day; None if the State was not looked up."""
        if not self.covers(state):
            return None
        return frozenset(name for name, instrument in self.instruments.items() if instrument.binds(state, day))

    def common_instruments(self, first: str, second: str, day: dt.date) -> frozenset[str] | None:
        """Return the instruments that bind both States on a day; None if one of them was not looked up."""
        instruments = self.instruments_binding(first, day), self.instruments_binding(second, day)
        if instruments[0] is None or instruments[1] is None:
            return None
        both = instruments[0] & instruments[1]
        return frozenset(name for name in both if self.instruments[name].connects(first, second))

    def is_member(self, organisation: str, state: str, day: dt.date) -> bool:
        """Return whether the State is a member of the organisation on that day."""
        period = self.memberships[organisation].get(state)
        return period is not None and period.contains(day)


def _normalise_period(value: Any) -> Any:
    if isinstance(value, dt.date):
        return {"from": value}
    if not isinstance(value, dict):
        raise ValueError("must be a day, such as 2012-01-01, or {from: day, to: day}")  # noqa: TRY004 for pydantic
    return value


def _refuse_duplicate_states(states: Any) -> Any:
    if isinstance(states, dict):
        spellings: dict[str, str] = {}
        for name in states:
            code = COUNTRY_ALIASES.get(name.upper(), name.upper())
            if code in spellings:
                raise ValueError(f"{code} is listed twice, as {spellings[code]} and {name}; keep one")
            spellings[code] = name
    return states


class PeriodModel(StrictModel):
    """A period as written in YAML: its first day, or `{from, to}` with both days included."""

    start: dt.date = Field(alias="from")
    end: dt.date | None = Field(alias="to", default=None)

    def to_period(self) -> Period:
        """Return the period.

        Raises:
            ValueError: It ends before it starts.
        """
        if self.end is not None and self.end < self.start:
            raise ValueError("ends before it starts")
        return Period(self.start, self.end)


_PeriodsByState = Annotated[
    dict[CountryCode, Annotated[PeriodModel, BeforeValidator(_normalise_period)]],
    BeforeValidator(_refuse_duplicate_states),
]


def _refuse_unknown_kind(kind: Authority) -> Authority:
    if kind is Authority.UNKNOWN:
        raise ValueError("an instrument cannot cover an authority of an unknown kind")
    return kind


_AuthorityKinds = Annotated[
    list[Annotated[Authority, enum_validator(Authority), AfterValidator(_refuse_unknown_kind)]], Field(min_length=1)
]


class AuthoritiesModel(StrictModel):
    """The kinds of authority between which an instrument is a basis, as written in YAML: `{from, to}`."""

    senders: _AuthorityKinds = Field(alias="from")
    receivers: _AuthorityKinds = Field(alias="to")


def read_coverage(
    faults: DocumentFaults, scope: dict[str, Any], authorities: AuthoritiesModel, path: KeyPath
) -> Coverage | None:
    """Read what an instrument covers.

    Args:
        faults: Receives what is wrong with it.
        scope: Its scope: a `when` that tests the item only.
        authorities: The kinds of authority between which it is a basis.
        path: The path of the instrument in the document.

    Returns:
        What it covers; None if the scope is invalid, or tests something else than the item.
    """
    try:
        conjunction = read_conjunction(scope, ())
    except ConstraintError as error:
        for part in error.list_all():
            faults.add(str(part), (*path, "scope", *part.path))
        return None
    foreign = [name for name in sorted(conjunction.list_fact_names()) if FACTS[name].scope is not FactScope.INDICATOR]
    for name in foreign:
        faults.add(f"{name} is not a fact of the item; a scope tests the item only", (*path, "scope"))
    if foreign:
        return None
    return Coverage(conjunction, frozenset(map(str, authorities.senders)), frozenset(map(str, authorities.receivers)))


class _InstrumentModel(StrictModel):
    title: str
    article: str
    condition_model: Annotated[ConditionModel, enum_validator(ConditionModel)]
    scope: dict[str, Any]
    authorities: AuthoritiesModel
    exculpatory_exception: bool = False
    hub: CountryCode | None = None
    in_force: dt.date | None
    source: str
    verified: bool
    note: str = ""
    parties: _PeriodsByState


class _MembershipModel(StrictModel):
    source: str
    verified: bool
    note: str = ""
    members: _PeriodsByState


class _TreatyTableModel(StrictModel):
    title: str
    consolidated_at: dt.date
    note: str = ""
    instruments: dict[str, _InstrumentModel] = Field(min_length=1)
    memberships: dict[str, _MembershipModel]


def parse_treaties(text: str, source: str) -> TreatyTable:
    """Parse the treaty table.

    Raises:
        PackError: The table is invalid; the message has file, line and key of each fault.
    """
    document = read_yaml(text, source, make_error=PackError)
    faults = DocumentFaults(document)
    model = faults.validate(_TreatyTableModel)
    instruments = {}
    for path, entry in faults.iter_valid_entries("instruments", _InstrumentModel):
        instrument = _read_instrument(faults, path, entry)
        if instrument is not None:
            instruments[instrument.name] = instrument
    memberships = {
        str(path[-1]): _read_periods(faults, entry.members, (*path, "members"))
        for path, entry in faults.iter_valid_entries("memberships", _MembershipModel)
    }
    if model is not None:
        for organisation in ("EU", "SCHENGEN"):
            if organisation not in model.memberships:
                faults.add(f"is missing {organisation}", ("memberships",))
    faults.settle(model)
    return TreatyTable(instruments, memberships, text)


def _read_instrument(faults: DocumentFaults, path: KeyPath, entry: _InstrumentModel) -> Instrument | None:
    parties = _read_periods(faults, entry.parties, (*path, "parties"))
    if entry.hub is not None and entry.hub not in parties:
        faults.add(f"{entry.hub} is not one of its parties", (*path, "hub"))
    coverage = read_coverage(faults, entry.scope, entry.authorities, path)
    if coverage is None:
        return None
    return Instrument(
        name=str(path[-1]),
        title=entry.title,
        article=entry.article,
        condition_model=entry.condition_model,
        in_force=entry.in_force,
        parties=parties,
        verified=entry.verified,
        coverage=coverage,
        exculpatory_exception=entry.exculpatory_exception,
        hub=entry.hub,
    )


def _read_periods(faults: DocumentFaults, states: Mapping[str, PeriodModel], path: KeyPath) -> dict[str, Period]:
    periods = {}
    for state, model in states.items():
        try:
            periods[state] = model.to_period()
        except ValueError as error:
            faults.add(str(error), (*path, state))
    return periods
