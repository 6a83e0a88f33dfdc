"""Test cases of a pack: for each rule an item that it decides, an item just outside it, its dates, and a missing fact.

Lawyers write the cases, and they run like tests.

`base` is an item and a recipient. Each case changes some facts of the base by their dotted names (`given`; null removes
a fact) and states the expected decision. `given` may also set `recipient.*` and `treaty_basis`, which override the
pack, the treaty table and the directory. With another `recipient.authority` the instruments that cover the item are
chosen for that authority; `treaty_basis` and `recipient.treaties` are used as given. In the cases of a
template, `base` names the State that has adopted it (`providing`).
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sharing.errors import InputError, PackError
from sharing.law.cases.expectation import Expectation
from sharing.law.fact_values import NONE, FactValue
from sharing.law.facts import FACTS, FactKind, FactScope
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.model.field_validators import CountryCode, make_enum_validator
from sharing.model.indicator import Indicator, Instant
from sharing.model.strict_model import StrictModel
from sharing.model.validation_errors import suggest_nearest
from sharing.model.vocabulary import Authority
from sharing.yaml_files.source import YamlDocument, read_yaml, validate_document

CASE_KINDS = ("decides", "outside", "boundary", "missing")

_ANSWERS = {True: "YES", False: "NO"}


def _check_case_kind(value: Any) -> Any:
    if value not in CASE_KINDS:
        raise ValueError(f"must be one of {', '.join(CASE_KINDS)}{suggest_nearest(str(value), CASE_KINDS)}")
    return value


class Case(StrictModel):
    """One case.

    Attributes:
        rule: Id of the rule that the case tests.
        kind: Which aspect of the rule it tests.
        given: Facts to change in the base, by dotted name; None removes a fact.
        recipient: The recipient; by default, that of the base.
        at: The time of the decision; by default, that of the base.
    """

    name: str
    rule: str
    kind: Annotated[str, BeforeValidator(_check_case_kind)]
    given: dict[str, Any] = Field(default_factory=dict)
    recipient: CountryCode | None = None
    at: Instant | None = None
    expect: Expectation


class _CaseBase(StrictModel):
    providing: CountryCode | None = None
    indicator: dict[str, Any]
    recipient: CountryCode
    authority: Annotated[Authority, make_enum_validator(Authority)]
    at: Instant


class _CaseFileModel(StrictModel):
    base: _CaseBase
    cases: list[Case] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A file of cases."""

    document: YamlDocument
    base: _CaseBase
    cases: tuple[Case, ...]


def parse_cases(text: str, source: str) -> CaseFile:
    """Parse a file of cases.

    Raises:
        PackError: The file is invalid; the message names file, line and key.
    """
    document = read_yaml(text, source, make_error=PackError)
    model = validate_document(document, _CaseFileModel)
    names: set[str] = set()
    for index, case in enumerate(model.cases):
        if case.name in names:
            raise document.error("two cases have this name", ("cases", index, "name"))
        names.add(case.name)
    return CaseFile(document, model.base, tuple(model.cases))


def adopt_if_template(file: CaseFile, pack: Pack, treaties: TreatyTable) -> Pack:
    """Return the pack as the law of the providing State of the cases."""
    state, path = file.base.providing, ("base", "providing")
    if state is None and pack.is_template:
        raise file.document.error(f"is missing: {pack.code} is a template, so name the State that has adopted it", path)
    if state is None or state == pack.state:
        return pack
    try:
        return pack.adopt_for(state, treaties)
    except InputError as error:
        raise file.document.error(str(error), path) from None


def read_case(
    file: CaseFile, index: int, pack: Pack, treaties: TreatyTable
) -> tuple[dict[str, Any], dict[str, FactValue]]:
    """Return the record of a case, and the recipient facts and facts of the decision that it sets.

    Raises:
        PackError: It states an unknown fact or value, or its indicator is invalid; the message names file and line.
    """
    data = copy.deepcopy(file.base.indicator)
    overrides: dict[str, FactValue] = {}
    instruments = {*treaties.instruments, *pack.bilateral}
    for name, value in file.cases[index].given.items():
        path = ("cases", index, "given", name)
        if name in FACTS and FACTS[name].scope is not FactScope.INDICATOR:
            overrides[name] = _read_fact_value(file.document, path, name, value, instruments)
        else:
            _set_field(file.document, path, data, name, value)
    try:
        return Indicator.parse({"id": "00000000-0000-4000-8000-000000000000", **data}).to_record(), overrides
    except InputError as error:
        raise file.document.error(f"the indicator is invalid: {error}", ("cases", index, "given")) from None


def _read_fact_value(
    document: YamlDocument, path: tuple[int | str, ...], name: str, value: Any, instruments: Collection[str]
) -> FactValue:
    if value is None:
        return None
    fact = FACTS[name]
    allowed = fact.values or {*instruments, NONE}  # only facts about treaties have no list of values
    members = [_ANSWERS[member] if isinstance(member, bool) else member for member in _as_list(value)]
    for member in members:
        if not isinstance(member, str) or member not in allowed:
            raise document.error(f"{member!r} is not a value of {name}{suggest_nearest(str(member), allowed)}", path)
    if fact.kind is FactKind.SET:
        return frozenset(members)
    if isinstance(value, list):
        raise document.error(f"{name} has a single value", path)
    return str(members[0])


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _set_field(
    document: YamlDocument, path: tuple[int | str, ...], data: dict[str, Any], name: str, value: Any
) -> None:
    """Set a field by its dotted name; None removes it."""
    *parents, last = name.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise document.error(f"{parent} has no fields", path)
    if value is None:
        data.pop(last, None)
    else:
        data[last] = value
