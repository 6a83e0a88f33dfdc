"""Parses law packs and the common rules strictly.

One error reports everything that is wrong with a file, each fault with line, key and the nearest known name. Anything
that is not understood is refused, and so is a pack without rules. The keys are described in
`sharing.law.reading.pack_models`. The rules of `common.yaml` are part of every pack. The hash covers pack, common rules
and treaty table, because each of them changes decisions.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection
from dataclasses import replace

from sharing.errors import PackError
from sharing.law.facts import ASSESSED_FACTS
from sharing.law.lint_codes import ACCEPTED_TOGETHER
from sharing.law.pack import Assessment, BilateralAgreement, CommonRules, Pack
from sharing.law.reading.pack_models import (
    AcceptanceModel,
    AssessmentModel,
    BilateralAgreementModel,
    CommonRulesModel,
    PackModel,
    names_rule,
)
from sharing.law.reading.rule_reader import RuleContext, check_relations, list_role_names, read_rules
from sharing.law.reading.treaty_reader import read_coverage
from sharing.law.treaties import TreatyTable
from sharing.model.pack_code import TEMPLATES
from sharing.model.validation_errors import suggest_nearest
from sharing.model.vocabulary import OffenceCode
from sharing.yaml_files.faults import DocumentFaults
from sharing.yaml_files.source import KeyPath, YamlDocument, read_yaml

_BILATERAL = "BILATERAL:"


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
        PackError: They are invalid; the message has file, line and key of each fault.
    """
    document = read_pack_yaml(text, source)
    faults = DocumentFaults(document)
    model = faults.validate(CommonRulesModel)
    context = RuleContext(treaties.instruments.keys(), list_role_names(document.data, {}))
    located = read_rules(faults, context)
    check_relations(faults, located)
    _check_acceptances(faults, {rule.id for _, rule in located})
    model = faults.settle(model)
    return CommonRules(tuple(replace(rule, is_common=True) for _, rule in located), model.approvers, text)


def parse_pack(text: str, source: str, treaties: TreatyTable, common: CommonRules) -> Pack:
    """Parse a law pack.

    Args:
        text: The YAML document.
        source: Its name, for errors.
        treaties: The treaty table that its rules may test.
        common: The rules that are part of every pack.

    Raises:
        PackError: The pack is invalid; the message has file, line and key of each fault, and what was expected.
    """
    document = read_pack_yaml(text, source)
    faults = DocumentFaults(document)
    model = faults.validate(PackModel)
    bilateral = _read_bilateral(faults, None if model is None else model.state)
    # Including agreements that are not valid: it is not a further fault if a rule names them.
    instruments = [*treaties.instruments, *_list_bilateral_names(document)]
    _check_preference(faults, document, instruments)
    located = read_rules(faults, RuleContext(instruments, list_role_names(document.data, common.approvers)))
    check_relations(faults, located, common.rules)
    _check_acceptances(faults, {rule.id for rule in (*common.rules, *(rule for _, rule in located))})
    assessments = _read_assessments(faults)
    model = faults.settle(model)
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
        approvers={**common.approvers, **model.approvers},
        assessments=tuple(assessments),
        rules=(*common.rules, *(rule for _, rule in located)),
        source=source,
    )


def _list_bilateral_names(document: YamlDocument) -> list[str]:
    """Return the names of the agreements of a pack; if they cannot be read, those that its preference names."""
    data = document.data if isinstance(document.data, dict) else {}
    agreements, preference = data.get("bilateral", {}), data.get("treaty_preference")
    if isinstance(agreements, dict):
        return [f"{_BILATERAL}{name}" for name in agreements]
    names = preference if isinstance(preference, list) else []
    return [name for name in names if isinstance(name, str) and name.startswith(_BILATERAL)]


def _read_bilateral(faults: DocumentFaults, state: str | None) -> dict[str, BilateralAgreement]:
    """Return the valid agreements of a pack by their names. The State of the pack is None if it is not known."""
    agreements = {}
    for path, model in faults.iter_valid_entries("bilateral", BilateralAgreementModel):
        name = f"{_BILATERAL}{path[-1]}"
        if model.state == state:
            faults.add("an agreement must be with another State", (*path, "state"))
        coverage = read_coverage(faults, model.scope, model.authorities, path)
        try:
            valid = model.valid.to_period()
        except ValueError as error:
            faults.add(str(error), (*path, "valid"))
            continue
        if coverage is not None:
            agreements[name] = BilateralAgreement(
                name, model.state, valid, model.condition_model, coverage, model.exculpatory_exception
            )
    if agreements and state in TEMPLATES:
        faults.add("must be empty in a template: agreements belong to the State that adopts it", ("bilateral",))
    return agreements


def _check_preference(faults: DocumentFaults, document: YamlDocument, instruments: Collection[str]) -> None:
    written = document.data.get("treaty_preference") if isinstance(document.data, dict) else None
    preference = written if isinstance(written, list) else []
    for index, name in enumerate(preference):
        if not isinstance(name, str):
            continue  # the model reports it
        if name not in instruments:
            message = f"unknown instrument {name!r}{suggest_nearest(name, instruments)}"
            faults.add(message, ("treaty_preference", index))
        elif name in preference[:index]:
            faults.add(f"{name} is listed twice; keep one", ("treaty_preference", index))


def _check_acceptances(faults: DocumentFaults, rule_ids: Collection[str]) -> None:
    """Add a fault for each rule that an acceptance names but that does not exist, or whose finding is accepted twice.

    Whether lint still has the finding is not checked here: lint reports an acceptance that matches none.
    """
    seen: set[tuple[str, str, frozenset[str]]] = set()
    for path, model in faults.iter_valid_entries("accepted", AcceptanceModel):
        for key, names in (("rules", model.rules), ("with", model.others)):
            for index, name in enumerate(names):
                if not any(names_rule(name, rule_id) for rule_id in rule_ids):
                    faults.add(f"there is no rule {name}{suggest_nearest(name, rule_ids)}", (*path, key, index))
                if name.endswith("*") and model.finding not in ACCEPTED_TOGETHER:
                    faults.add(f"{model.finding} is accepted rule by rule: write the ids out", (*path, key, index))
        for index, name in enumerate(model.rules):
            accepted = (str(model.finding), name, frozenset(model.others))
            if accepted in seen:
                faults.add(f"{model.finding} is accepted twice for {name}; keep one", (*path, "rules", index))
            seen.add(accepted)


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


def _read_assessments(faults: DocumentFaults) -> list[Assessment]:
    offences = frozenset(map(str, OffenceCode))
    seen: set[tuple[str, str, str, dt.date]] = set()
    assessments = []
    for path, model in faults.iter_valid_entries("assessments", AssessmentModel):
        for key, answers, known in (
            ("facts", model.facts, ASSESSED_FACTS),
            ("dual_criminality", model.dual_criminality, offences),
            ("capital_offence", model.capital_offence, offences),
        ):
            for name in answers:
                if name not in known:
                    faults.add(f"cannot be assessed{suggest_nearest(name, known)}", (*path, key, name))
                    continue
                _refuse_repetition(faults, model, (*path, key, name), seen)
        assessments.append(
            Assessment(
                states=frozenset(model.states),
                date=model.date,
                source=model.source,
                facts={name: "YES" if value else "NO" for name, value in model.facts.items()},
                dual_criminality={code: "YES" if value else "NO" for code, value in model.dual_criminality.items()},
                capital_offence={code: "YES" if value else "NO" for code, value in model.capital_offence.items()},
            )
        )
    return assessments


def _refuse_repetition(
    faults: DocumentFaults, model: AssessmentModel, path: KeyPath, seen: set[tuple[str, str, str, dt.date]]
) -> None:
    """Add a fault for each State that was assessed before in the same respect on the same day."""
    *_, key, name = map(str, path)
    for state in model.states:
        if (state, key, name, model.date) in seen:
            faults.add(f"{state} is assessed twice on {model.date}", path)
        seen.add((state, key, name, model.date))
