"""Reads law packs and the common rules: strict, and with file, line, key and the nearest known name in every error.

What is not understood is refused; a pack with no rules does not exist. The rules of `common.yaml` stand under every
pack. The hash covers pack, common rules and treaty table, because each of them changes decisions.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sharing.errors import InputError
from sharing.law.constraints import ConstraintError, read_conjunction
from sharing.law.facts import ASSESSED
from sharing.law.pack import Assessment, Bilateral, CommonRules, Pack, Rule
from sharing.law.pack_code import TEMPLATES, normalise_pack_code
from sharing.law.redact import CONTENT_FIELDS
from sharing.law.treaties import PeriodModel, TreatyTable, country_code
from sharing.model.decision import Condition
from sharing.model.strict import StrictModel
from sharing.model.validation import nearest
from sharing.model.validators import matching, one_of
from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, OffenceCode
from sharing.yaml_source import YamlDocument, read_yaml, validate


def _own_code(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a country code, as text")  # noqa: TRY004 for pydantic
    try:
        return normalise_pack_code(value)
    except InputError as error:
        raise ValueError(f"{error}; or {', '.join(sorted(TEMPLATES))} for a template") from None


_State = Annotated[str, BeforeValidator(country_code)]
_Line = Annotated[str, Field(min_length=1)]
_RuleId = Annotated[
    str,
    matching(r"[a-z0-9][a-z0-9.-]*", "must be lower-case letters, figures, dots and hyphens, such as ch.irsg-67a.1"),
]
_Version = Annotated[
    str,
    matching(r"[0-9A-Za-z][0-9A-Za-z._-]*", "must be one word of letters, figures, dots and hyphens, such as 2026.1"),
]


class _NeedsModel(StrictModel):
    approver: _Line | None = None
    condition: _ConditionModel | None = None
    redact: list[str] | None = Field(default=None, min_length=1)


class _ConditionModel(StrictModel):
    kind: Annotated[ConditionKind, one_of(ConditionKind)]
    text: _Line


class _RuleModel(StrictModel):
    id: _RuleId
    citation: _Line
    paraphrase: _Line
    source: _Line
    verified: bool
    valid: PeriodModel
    when: dict[str, Any]
    effect: Annotated[Effect, one_of(Effect)]
    needs: _NeedsModel = _NeedsModel()
    note: str = ""


class _AssessmentModel(StrictModel):
    states: list[_State] = Field(min_length=1)
    date: dt.date
    source: _Line
    facts: dict[str, bool] = Field(default_factory=dict)
    dual_criminality: dict[str, bool] = Field(default_factory=dict)


class _BilateralModel(StrictModel):
    state: _State
    valid: PeriodModel
    condition_model: Annotated[ConditionModel, one_of(ConditionModel)]
    source: _Line
    verified: bool


class _PackModel(StrictModel):
    state: Annotated[str, BeforeValidator(_own_code)]
    version: _Version
    title: _Line
    disclaimer: _Line
    consolidated_at: dt.date
    maintainers: list[str]
    treaty_preference: list[str]
    bilateral: dict[str, _BilateralModel] = Field(default_factory=dict)
    approvers: dict[str, str] = Field(default_factory=dict)
    assessments: list[_AssessmentModel] = Field(default_factory=list)
    rules: list[_RuleModel] = Field(min_length=1)


class _CommonModel(StrictModel):
    title: _Line
    approvers: dict[str, str]
    rules: list[_RuleModel] = Field(min_length=1)


def parse_common(text: str, source: str, treaties: TreatyTable) -> CommonRules:
    """Read the rules that stand under every pack.

    Raises:
        PackError: With file, line and key.
    """
    document = read_yaml(text, source)
    model = validate(document, _CommonModel)
    read = _read_rules(document, model.rules, treaties.instruments, model.approvers)
    rules = tuple(replace(rule, is_common=True) for rule in read)
    _refuse_overlaps(document, rules, rules)
    return CommonRules(rules, model.approvers, text)


def parse_pack(text: str, source: str, treaties: TreatyTable, common: CommonRules) -> Pack:
    """Read a law pack.

    Args:
        text: The YAML document.
        source: Its name, for errors.
        treaties: The treaty table that its rules may ask about.
        common: The rules that stand under every pack.

    Raises:
        PackError: The first thing that is wrong, with file, line, key and what was expected.
    """
    document = read_yaml(text, source)
    model = validate(document, _PackModel)
    if model.state in TEMPLATES and model.bilateral:
        raise document.error(
            "a template has none: which agreements bind is a matter of the State that adopts it", ("bilateral",)
        )
    for short, agreement in model.bilateral.items():
        if agreement.state == model.state:
            raise document.error("an agreement is with another State", ("bilateral", short, "state"))
    bilateral = _read_bilateral(document, model.bilateral)
    instruments = [*treaties.instruments, *bilateral]
    for index, name in enumerate(model.treaty_preference):
        if name not in instruments:
            message = f"unknown instrument {name!r}{nearest(name, instruments)}"
            raise document.error(message, ("treaty_preference", index))
        if name in model.treaty_preference[:index]:
            raise document.error(f"{name} stands twice; keep one", ("treaty_preference", index))
    approvers = {**common.approvers, **model.approvers}
    own = _read_rules(document, model.rules, instruments, approvers)
    rules = (*common.rules, *own)
    _refuse_overlaps(document, own, rules)
    return Pack(
        code=model.state,
        state=model.state,
        version=model.version,
        title=model.title,
        disclaimer=model.disclaimer,
        consolidated_at=model.consolidated_at,
        sha256=law_digest(text, common.text, treaties.text),
        treaty_preference=tuple(model.treaty_preference),
        bilateral=bilateral,
        approvers=approvers,
        assessments=tuple(_read_assessments(document, model.assessments)),
        rules=rules,
        source=source,
    )


def _read_bilateral(document: YamlDocument, models: Mapping[str, _BilateralModel]) -> dict[str, Bilateral]:
    found = {}
    for short, model in models.items():
        name = f"BILATERAL:{short}"
        try:
            found[name] = Bilateral(name, model.state, model.valid.period(), model.condition_model)
        except ValueError as error:
            raise document.error(str(error), ("bilateral", short, "valid")) from None
    return found


def law_digest(pack: str, common: str, treaties: str) -> str:
    """Return the SHA-256 of the texts that decide.

    Each is preceded by its length in bytes, so that nothing moves between them.
    """
    digest = hashlib.sha256()
    for text in (pack, common, treaties):
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def _read_rules(
    document: YamlDocument, models: Sequence[_RuleModel], instruments: Any, approvers: Mapping[str, str]
) -> tuple[Rule, ...]:
    return tuple(
        _read_rule(document, model, ("rules", index), instruments, approvers) for index, model in enumerate(models)
    )


def _read_rule(
    document: YamlDocument,
    model: _RuleModel,
    path: tuple[int | str, ...],
    instruments: Any,
    approvers: Mapping[str, str],
) -> Rule:
    try:
        when = read_conjunction(model.when, instruments)
        valid = model.valid.period()
    except ConstraintError as error:
        raise document.error(f"{error} (rule {model.id})", (*path, "when", *error.path)) from None
    except ValueError as error:
        raise document.error(f"{error} (rule {model.id})", (*path, "valid")) from None
    _check_needs(document, model, path, approvers)
    condition = model.needs.condition
    return Rule(
        id=model.id,
        citation=model.citation,
        paraphrase=model.paraphrase,
        source=model.source,
        verified=model.verified,
        valid=valid,
        when=when,
        effect=model.effect,
        approver=model.needs.approver,
        condition=Condition(model.id, condition.kind, condition.text) if condition else None,
        redact=tuple(sorted(model.needs.redact or ())),
        note=model.note,
    )


_NEEDED = {Effect.APPROVAL: "approver", Effect.CONDITION: "condition", Effect.REDACT: "redact"}


def _check_needs(
    document: YamlDocument, model: _RuleModel, path: tuple[int | str, ...], approvers: Mapping[str, str]
) -> None:
    needed = _NEEDED.get(model.effect)
    given = {name for name in _NEEDED.values() if getattr(model.needs, name) is not None}
    if needed is not None and needed not in given:
        raise document.error(f"effect {model.effect} needs {needed} (rule {model.id})", (*path, "needs"))
    for name in sorted(given - {needed}):
        raise document.error(f"effect {model.effect} takes no {name} (rule {model.id})", (*path, "needs", name))
    if model.needs.approver is not None and model.needs.approver not in approvers:
        message = f"unknown role{nearest(model.needs.approver, approvers)}; list it under approvers (rule {model.id})"
        raise document.error(message, (*path, "needs", "approver"))
    for index, name in enumerate(model.needs.redact or ()):
        if name not in CONTENT_FIELDS:
            message = f"a notice has no field {name!r}{nearest(name, CONTENT_FIELDS)} (rule {model.id})"
            raise document.error(message, (*path, "needs", "redact", index))
        if name in (model.needs.redact or ())[:index]:
            raise document.error(f"{name} stands twice; keep one (rule {model.id})", (*path, "needs", "redact", index))


def _refuse_overlaps(document: YamlDocument, own: Sequence[Rule], rules: Sequence[Rule]) -> None:
    for index, rule in enumerate(own):
        for other in rules:
            if other is not rule and other.id == rule.id and other.valid.overlaps(rule.valid):
                message = f"rule {rule.id} stands twice on the same days; end one before the other starts"
                raise document.error(message, ("rules", index, "id"))


def _read_assessments(document: YamlDocument, models: Sequence[_AssessmentModel]) -> Any:
    offences = frozenset(map(str, OffenceCode))
    seen: set[tuple[str, str, dt.date]] = set()
    for index, model in enumerate(models):
        for part, given, known in (
            ("facts", model.facts, ASSESSED),
            ("dual_criminality", model.dual_criminality, offences),
        ):
            for name in given:
                path = ("assessments", index, part, name)
                if name not in known:
                    raise document.error(f"is not assessed{nearest(name, known)}", path)
                for state in model.states:
                    if (state, name, model.date) in seen:
                        raise document.error(f"{state} is assessed twice on {model.date}", path)
                    seen.add((state, name, model.date))
        yield Assessment(
            states=frozenset(model.states),
            date=model.date,
            source=model.source,
            facts={name: "YES" if value else "NO" for name, value in model.facts.items()},
            dual_criminality={code: "YES" if value else "NO" for code, value in model.dual_criminality.items()},
        )
