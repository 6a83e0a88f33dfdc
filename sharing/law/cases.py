"""Cases beside a pack: for each rule an item that it decides, one just outside, its edges, and a fact left out.

Written by lawyers, run like tests.

`base` is an item and a recipient; each case changes some facts of it by their dotted names (`given`; null leaves
a fact out) and says what is expected. `recipient.*` and `treaty_basis` may be given too, in place of what pack,
treaty table and directory say. Beside a template, `base` says which State has adopted it (`providing`).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sharing.errors import InputError
from sharing.law.combine import combine
from sharing.law.expectation import Expectation, compare
from sharing.law.facts import FACTS, NONE, FactKind, FactScope, FactValue
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack
from sharing.law.recipients import TreatyBasis
from sharing.law.treaties import TreatyTable, country_code
from sharing.model.decision import Reason, RecipientDecision
from sharing.model.indicator import Indicator, Instant
from sharing.model.strict import StrictModel
from sharing.model.times import to_milliseconds, utc_day
from sharing.model.validation import nearest
from sharing.model.validators import one_of
from sharing.model.vocabulary import Authority, ConditionModel, RelevanceKind
from sharing.yaml_source import YamlDocument, read_yaml, validate

_State = Annotated[str, BeforeValidator(country_code)]


CASE_KINDS = ("decides", "outside", "boundary", "missing")


def _case_kind(value: Any) -> Any:
    if value not in CASE_KINDS:
        raise ValueError(f"must be one of {', '.join(CASE_KINDS)}{nearest(str(value), CASE_KINDS)}")
    return value


class Case(StrictModel):
    """One case.

    Attributes:
        rule: Id of the rule it is about.
        kind: What it shows of that rule.
        at: The instant; the base's when left out.
    """

    name: str
    rule: str
    kind: Annotated[str, BeforeValidator(_case_kind)]
    given: dict[str, Any] = Field(default_factory=dict)
    recipient: _State | None = None
    at: Instant | None = None
    expect: Expectation


class _Base(StrictModel):
    providing: _State | None = None
    indicator: dict[str, Any]
    recipient: _State
    authority: Annotated[Authority, one_of(Authority)]
    at: Instant


class _CaseFileModel(StrictModel):
    base: _Base
    cases: list[Case] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A file of cases."""

    document: YamlDocument
    base: _Base
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of a case: `differences` is empty when it holds; each says what was expected and what came."""

    case: Case
    line: int
    decision: RecipientDecision
    differences: tuple[str, ...]


def parse_cases(text: str, source: str) -> CaseFile:
    """Read a file of cases.

    Raises:
        PackError: With file, line and key.
    """
    document = read_yaml(text, source)
    model = validate(document, _CaseFileModel)
    for index, case in enumerate(model.cases):
        if case.name in {other.name for other in model.cases[:index]}:
            raise document.error("two cases have this name", ("cases", index, "name"))
    return CaseFile(document, model.base, tuple(model.cases))


def run_cases(file: CaseFile, pack: Pack, treaties: TreatyTable) -> Iterator[CaseResult]:
    """Run each case.

    Raises:
        PackError: A case names no rule of the pack or an unknown fact, its indicator is not acceptable, or the State
            that provides is missing beside a template, or cannot be that of this pack.
    """
    pack = _providing(file, pack, treaties)
    ids = {rule.id for rule in pack.rules}
    for index, case in enumerate(file.cases):
        if case.rule not in ids:
            message = f"the pack has no rule {case.rule!r}{nearest(case.rule, ids)}"
            raise file.document.error(message, ("cases", index, "rule"))
        decision = _decide(file, index, case, pack, treaties)
        yield CaseResult(
            case=case,
            line=file.document.line(("cases", index)),
            decision=decision,
            differences=tuple(compare(case.expect, decision)),
        )


def _providing(file: CaseFile, pack: Pack, treaties: TreatyTable) -> Pack:
    """Return the pack as the law of the State that the cases are of."""
    state, place = file.base.providing, ("base", "providing")
    if state is None and pack.is_template:
        raise file.document.error(f"is missing: {pack.code} is a template, so say which State has adopted it", place)
    if state is None or state == pack.state:
        return pack
    try:
        return pack.adopt(state, treaties)
    except InputError as error:
        raise file.document.error(str(error), place) from None


def _decide(file: CaseFile, index: int, case: Case, pack: Pack, treaties: TreatyTable) -> RecipientDecision:
    base = file.base
    now_ms = to_milliseconds(case.at or base.at)
    data = copy.deepcopy(base.indicator)
    overrides: dict[str, FactValue] = {}
    instruments = {*treaties.instruments, *pack.bilateral}
    for name, value in case.given.items():
        path = ("cases", index, "given", name)
        if name in FACTS and FACTS[name].scope is not FactScope.INDICATOR:
            overrides[name] = _fact_value(file.document, path, name, value, instruments)
        else:
            _put(file.document, path, data, name, value)
    try:
        record = Indicator.read({"id": "00000000-0000-4000-8000-000000000000", **data}).to_wire()
    except InputError as error:
        raise file.document.error(f"the indicator is not acceptable: {error}", ("cases", index, "given")) from None
    return decide_one(pack, treaties, record, case.recipient or base.recipient, base.authority, now_ms, overrides)


def decide_one(
    pack: Pack,
    treaties: TreatyTable,
    record: Mapping[str, Any],
    state: str,
    authority: str,
    now_ms: int,
    overrides: Mapping[str, FactValue],
) -> RecipientDecision:
    """Decide for one recipient, with some of its facts put in by hand.

    Args:
        pack: The providing State's law.
        treaties: Who is bound by what.
        record: The indicator's record.
        state: The recipient.
        authority: Kind of its receiving authority.
        now_ms: The instant, in UTC milliseconds.
        overrides: Recipient facts and facts of the moment in place of those looked up.
    """
    law = DisclosureFilter(pack, treaties, utc_day(now_ms), {state: authority})
    item = law.item_facts(record, now_ms)
    named = any(nexus["state"] == state for nexus in record["nexus"])
    facts, basis, _ = law.profile(state, item["offence.codes"], named=named)
    if "treaty_basis" in overrides:
        basis = _basis(str(overrides["treaty_basis"]) if overrides["treaty_basis"] else None, pack, treaties)
    changed = {**facts, "treaty_basis": basis.name, "condition_model": basis.condition_model, **overrides}
    reasons = (Reason(RelevanceKind.NEXUS_STATED if named else RelevanceKind.NEXUS_DERIVED, "case"),)
    return combine(state, law.findings(item, changed), basis, reasons)


def _basis(name: str | None, pack: Pack, treaties: TreatyTable) -> TreatyBasis:
    if name is None:
        return TreatyBasis(None, None)
    if name in pack.bilateral:
        return TreatyBasis(name, pack.bilateral[name].condition_model)
    if name in treaties.instruments:
        return TreatyBasis(name, treaties.instruments[name].condition_model)
    return TreatyBasis(name, ConditionModel.PRE_ACCEPT)


def _fact_value(
    document: YamlDocument, path: tuple[int | str, ...], name: str, value: Any, instruments: Collection[str]
) -> FactValue:
    if value is None:
        return None
    fact = FACTS[name]
    known = fact.values or {*instruments, NONE}  # a fact without a list of its own is of treaties
    given = ["YES" if one is True else "NO" if one is False else one for one in _listed(value)]
    for one in given:
        if one not in known:
            raise document.error(f"{one!r} is not a value of {name}{nearest(str(one), known)}", path)
    if fact.kind is FactKind.SEVERAL:
        return frozenset(given)
    if isinstance(value, list):
        raise document.error(f"{name} has one value", path)
    return str(given[0])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _put(document: YamlDocument, path: tuple[int | str, ...], data: dict[str, Any], name: str, value: Any) -> None:
    """Set a field by its dotted name; null takes it out."""
    *parents, last = name.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise document.error(f"{parent} has no parts", path)
    if value is None:
        data.pop(last, None)
    else:
        data[last] = value
