"""Parses law packs and the common rules strictly; each error has file, line, key and the nearest known name.

Anything that is not understood is refused, and so is a pack without rules. The keys are
described in `sharing.law.pack_models`. The rules of `common.yaml` are part of every pack. The hash covers pack, common
rules and treaty table, because each of them changes decisions.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from sharing.errors import PackError
from sharing.law.constraints import ConstraintError, read_conjunction
from sharing.law.facts import ASSESSED_FACTS
from sharing.law.pack import Assessment, BilateralAgreement, CommonRules, Pack, Rule
from sharing.law.pack_models import (
    AssessmentModel,
    BilateralAgreementModel,
    CommonRulesModel,
    PackModel,
    RuleModel,
)
from sharing.law.redact import CONTENT_FIELDS
from sharing.law.treaties import TreatyTable
from sharing.model.decision import Condition
from sharing.model.pack_code import TEMPLATES
from sharing.model.validation_errors import suggest_nearest
from sharing.model.vocabulary import Effect, OffenceCode
from sharing.yaml_source import YamlDocument, read_yaml, validate_document


def read_pack_yaml(text: str, source: str) -> YamlDocument:
    """Read the YAML document of a pack or of the common rules, with the line of each key.

    Raises:
        PackError: It is not valid YAML.
    """
    # A version is text even if it looks like a number: 2026.10 is not 2026.1.
    return read_yaml(text, source, make_error=PackError, text_paths=(("version",),))


def parse_common_rules(text: str, source: str, treaties: TreatyTable) -> CommonRules:
    """Parse the rules that are part of every pack.

    Raises:
        PackError: They are invalid; the message names file, line and key.
    """
    document = read_pack_yaml(text, source)
    model = validate_document(document, CommonRulesModel)
    parsed = _read_rules(document, model.rules, treaties.instruments, model.approvers)
    rules = tuple(replace(rule, is_common=True) for rule in parsed)
    _refuse_overlaps(document, rules, rules)
    return CommonRules(rules, model.approvers, text)


def parse_pack(text: str, source: str, treaties: TreatyTable, common: CommonRules) -> Pack:
    """Parse a law pack.

    Args:
        text: The YAML document.
        source: Its name, for errors.
        treaties: The treaty table that its rules may test.
        common: The rules that are part of every pack.

    Raises:
        PackError: The pack is invalid; the message names file, line and key of the first fault, and what was
            expected.
    """
    document = read_pack_yaml(text, source)
    model = validate_document(document, PackModel)
    if model.state in TEMPLATES and model.bilateral:
        raise document.error(
            "must be empty in a template: agreements belong to the State that adopts it", ("bilateral",)
        )
    for short_name, agreement in model.bilateral.items():
        if agreement.state == model.state:
            raise document.error("an agreement must be with another State", ("bilateral", short_name, "state"))
    bilateral = _read_bilateral(document, model.bilateral)
    instruments = [*treaties.instruments, *bilateral]
    for index, name in enumerate(model.treaty_preference):
        if name not in instruments:
            message = f"unknown instrument {name!r}{suggest_nearest(name, instruments)}"
            raise document.error(message, ("treaty_preference", index))
        if name in model.treaty_preference[:index]:
            raise document.error(f"{name} is listed twice; keep one", ("treaty_preference", index))
    approvers = {**common.approvers, **model.approvers}
    pack_rules = _read_rules(document, model.rules, instruments, approvers)
    rules = (*common.rules, *pack_rules)
    _refuse_overlaps(document, pack_rules, rules)
    return Pack(
        code=model.state,
        state=model.state,
        version=model.version,
        title=model.title,
        disclaimer=model.disclaimer,
        consolidated_at=model.consolidated_at,
        sha256=compute_law_digest(text, common.text, treaties.text),
        treaty_preference=tuple(model.treaty_preference),
        bilateral=bilateral,
        approvers=approvers,
        assessments=tuple(_read_assessments(document, model.assessments)),
        rules=rules,
        source=source,
    )


def _read_bilateral(
    document: YamlDocument, models: Mapping[str, BilateralAgreementModel]
) -> dict[str, BilateralAgreement]:
    agreements = {}
    for short_name, model in models.items():
        name = f"BILATERAL:{short_name}"
        try:
            agreements[name] = BilateralAgreement(name, model.state, model.valid.to_period(), model.condition_model)
        except ValueError as error:
            raise document.error(str(error), ("bilateral", short_name, "valid")) from None
    return agreements


def compute_law_digest(pack: str, common: str, treaties: str) -> str:
    """Return the SHA-256 of the three texts that determine decisions.

    Each text is preceded by its length in bytes, so that text moved from one file to the next changes the hash.
    """
    digest = hashlib.sha256()
    for text in (pack, common, treaties):
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def _read_rules(
    document: YamlDocument, models: Sequence[RuleModel], instruments: Collection[str], approvers: Mapping[str, str]
) -> tuple[Rule, ...]:
    return tuple(
        _read_rule(document, model, ("rules", index), instruments, approvers) for index, model in enumerate(models)
    )


def _read_rule(
    document: YamlDocument,
    model: RuleModel,
    path: tuple[int | str, ...],
    instruments: Collection[str],
    approvers: Mapping[str, str],
) -> Rule:
    try:
        when = read_conjunction(model.when, instruments)
        valid = model.valid.to_period()
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


_NEEDS = ("approver", "condition", "redact")


def _find_required_need(effect: Effect) -> str | None:
    match effect:
        case Effect.APPROVAL:
            return "approver"
        case Effect.CONDITION:
            return "condition"
        case Effect.REDACT:
            return "redact"
        case Effect.DENY | Effect.PERMIT | Effect.OBLIGE | Effect.RECORD:
            return None
        case _:
            assert_never(effect)


def _check_needs(
    document: YamlDocument, model: RuleModel, path: tuple[int | str, ...], approvers: Mapping[str, str]
) -> None:
    required = _find_required_need(model.effect)
    given = {name for name in _NEEDS if getattr(model.needs, name) is not None}
    if required is not None and required not in given:
        raise document.error(f"effect {model.effect} needs {required} (rule {model.id})", (*path, "needs"))
    for name in sorted(given - {required}):
        raise document.error(f"effect {model.effect} must not have {name} (rule {model.id})", (*path, "needs", name))
    if model.needs.approver is not None and model.needs.approver not in approvers:
        hint = suggest_nearest(model.needs.approver, approvers)
        message = f"unknown role{hint}; list it under approvers (rule {model.id})"
        raise document.error(message, (*path, "needs", "approver"))
    for index, name in enumerate(model.needs.redact or ()):
        if name not in CONTENT_FIELDS:
            message = f"a notice has no field {name!r}{suggest_nearest(name, CONTENT_FIELDS)} (rule {model.id})"
            raise document.error(message, (*path, "needs", "redact", index))
        if name in (model.needs.redact or ())[:index]:
            message = f"{name} is listed twice; keep one (rule {model.id})"
            raise document.error(message, (*path, "needs", "redact", index))


def _refuse_overlaps(document: YamlDocument, file_rules: Sequence[Rule], rules: Sequence[Rule]) -> None:
    """Refuse a rule of this file that has the id of another rule on the same day."""
    for index, rule in enumerate(file_rules):
        for other in rules:
            if other is not rule and other.id == rule.id and other.valid.overlaps(rule.valid):
                message = f"rule {rule.id} is defined twice for the same days; end one before the other starts"
                raise document.error(message, ("rules", index, "id"))


def _read_assessments(document: YamlDocument, models: Sequence[AssessmentModel]) -> Iterator[Assessment]:
    offences = frozenset(map(str, OffenceCode))
    seen: set[tuple[str, str, dt.date]] = set()
    for index, model in enumerate(models):
        for key, answers, known in (
            ("facts", model.facts, ASSESSED_FACTS),
            ("dual_criminality", model.dual_criminality, offences),
        ):
            for name in answers:
                path = ("assessments", index, key, name)
                if name not in known:
                    raise document.error(f"cannot be assessed{suggest_nearest(name, known)}", path)
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
