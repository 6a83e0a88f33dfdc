"""Reads the treaty table, and what an instrument covers, from YAML, and reports everything that is wrong with them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from sharing.errors import PackError
from sharing.law.facts import FACTS, FactScope
from sharing.law.reading.constraint_reader import ConstraintError, read_conjunction
from sharing.law.treaties import Coverage, Instrument, Period, TreatyTable
from sharing.model.countries import COUNTRY_ALIASES
from sharing.model.field_validators import CountryCode, make_enum_validator
from sharing.model.strict_model import StrictModel
from sharing.model.vocabulary import Authority, ConditionModel
from sharing.yaml_files.faults import DocumentFaults
from sharing.yaml_files.source import KeyPath, read_yaml


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
    list[Annotated[Authority, make_enum_validator(Authority), AfterValidator(_refuse_unknown_kind)]],
    Field(min_length=1),
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
        What it covers; None if the scope is invalid, or tests anything other than the item.
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
    condition_model: Annotated[ConditionModel, make_enum_validator(ConditionModel)]
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
