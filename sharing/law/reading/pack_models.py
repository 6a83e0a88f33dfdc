"""The file format of law packs and of the common rules, as pydantic models: names, types and required keys.

`sharing.law.reading.pack_reader` checks what needs knowledge of other keys or files.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from sharing.errors import InputError
from sharing.law.approvals import Approvals
from sharing.law.lint_codes import LintCode
from sharing.law.reading.treaty_reader import AuthoritiesModel, PeriodModel
from sharing.model.field_validators import CountryCode, make_enum_validator, make_pattern_validator
from sharing.model.pack_code import TEMPLATES, normalise_pack_code
from sharing.model.strict_model import StrictModel
from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, Nature
from sharing.officers.roles import BUS_ROLES


def _read_pack_code(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a country code, as text")  # noqa: TRY004 for pydantic
    try:
        return normalise_pack_code(value)
    except InputError as error:
        raise ValueError(f"{error}; or {', '.join(sorted(TEMPLATES))} for a template") from None


def _refuse_bus_roles(approvers: dict[str, str]) -> dict[str, str]:
    taken = sorted(BUS_ROLES.intersection(approvers))
    if taken:
        raise ValueError(f"must not name {taken[0]}, a role of the bus that decides nothing; choose another name")
    return approvers


_Approvers = Annotated[dict[str, str], AfterValidator(_refuse_bus_roles)]
_NonEmptyText = Annotated[str, Field(min_length=1)]
_RuleId = Annotated[
    str,
    make_pattern_validator(
        r"[a-z0-9][a-z0-9.-]*", "must be lower-case letters, digits, dots and hyphens, such as ch.irsg-67a.1"
    ),
]
_RulePattern = Annotated[
    str,
    make_pattern_validator(
        r"[a-z0-9][a-z0-9.-]*\*?", "must be the id of a rule, or the beginning of ids and an asterisk, such as ch.*"
    ),
]
_Version = Annotated[
    str,
    make_pattern_validator(
        r"[0-9A-Za-z][0-9A-Za-z._-]*", "must be one word of letters, digits, dots and hyphens, such as 2026.1"
    ),
]


class RuleConditionModel(StrictModel):
    """The condition that a CONDITION rule imposes."""

    kind: Annotated[ConditionKind, make_enum_validator(ConditionKind)]
    text: _NonEmptyText


class NeedsModel(StrictModel):
    """What the effect of a rule needs: `approver` for APPROVAL, `condition` for CONDITION, `redact` for REDACT.

    `approvals` says how many officers with the role of the approver must approve.
    """

    approver: _NonEmptyText | None = None
    approvals: Approvals = 1
    condition: RuleConditionModel | None = None
    redact: list[str] | None = Field(default=None, min_length=1)


class ExceptionModel(StrictModel):
    """The exception of a DENY rule: when it lifts the rule, and who decides, and how many, if that is unknown."""

    when: dict[str, Any]
    approver: _NonEmptyText
    approvals: Approvals = 1


class RuleModel(StrictModel):
    """A rule."""

    id: _RuleId
    citation: _NonEmptyText
    nature: Annotated[Nature, make_enum_validator(Nature)]
    paraphrase: _NonEmptyText
    source: _NonEmptyText
    verified: bool
    valid: PeriodModel
    when: dict[str, Any]
    effect: Annotated[Effect, make_enum_validator(Effect)]
    needs: NeedsModel = NeedsModel()
    exception: ExceptionModel | None = None
    replaces: _RuleId | None = None
    note: str = ""


class AssessmentModel(StrictModel):
    """The State's own assessment of some recipients."""

    states: list[CountryCode] = Field(min_length=1)
    date: dt.date
    source: _NonEmptyText
    facts: dict[str, bool] = Field(default_factory=dict)
    dual_criminality: dict[str, bool] = Field(default_factory=dict)
    capital_offence: dict[str, bool] = Field(default_factory=dict)


class BilateralAgreementModel(StrictModel):
    """An agreement with one other State."""

    state: CountryCode
    valid: PeriodModel
    condition_model: Annotated[ConditionModel, make_enum_validator(ConditionModel)]
    scope: dict[str, Any]
    authorities: AuthoritiesModel
    exculpatory_exception: bool = False
    source: _NonEmptyText
    verified: bool


class AcceptanceModel(StrictModel):
    """Findings of lint that the pack accepts, with the reason. It changes no decision.

    Attributes:
        finding: The kind of the findings.
        rules: The rules that they are about: ids, or prefixes of ids and an asterisk.
        others: The other rules that they name, if they name any, in the same form.
    """

    finding: Annotated[LintCode, make_enum_validator(LintCode)]
    rules: list[_RulePattern] = Field(min_length=1)
    others: list[_RulePattern] = Field(alias="with", default_factory=list)
    reason: _NonEmptyText


class PackModel(StrictModel):
    """The file of a pack."""

    state: Annotated[str, BeforeValidator(_read_pack_code)]
    version: _Version
    title: _NonEmptyText
    disclaimer: _NonEmptyText
    consolidated_at: dt.date
    maintainers: list[str]
    treaty_preference: list[str]
    bilateral: dict[str, BilateralAgreementModel] = Field(default_factory=dict)
    approvers: _Approvers = Field(default_factory=dict)
    assessments: list[AssessmentModel] = Field(default_factory=list)
    rules: list[RuleModel] = Field(min_length=1)
    accepted: list[AcceptanceModel] = Field(default_factory=list)


class CommonRulesModel(StrictModel):
    """The file of the common rules."""

    title: _NonEmptyText
    approvers: _Approvers
    rules: list[RuleModel] = Field(min_length=1)
    accepted: list[AcceptanceModel] = Field(default_factory=list)


def names_rule(pattern: str, rule_id: str) -> bool:
    """Return whether an id, or a prefix of ids and an asterisk, names a rule."""
    return rule_id.startswith(pattern[:-1]) if pattern.endswith("*") else rule_id == pattern
