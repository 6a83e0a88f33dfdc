"""Cases, with everything that led to their decision, so that they can be decided again under a changed rule.

Coverage asks which branches of the rules the cases exercise; mutation asks whether a case fails under a changed rule.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sharing.errors import PackError
from sharing.law.authorities import list_sole_authorities
from sharing.law.cases import Case, CaseFile, adopt_if_template, read_case
from sharing.law.cases.expectation import compare_decision
from sharing.law.combination import RuleResult, combine_results
from sharing.law.fact_values import NONE, Facts, FactValue
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack
from sharing.law.treaties import TreatyTable
from sharing.law.treaty_basis import NO_TREATY, NOT_LOOKED_UP, TreatyBasis
from sharing.model.decision import RecipientDecision
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_milliseconds, to_utc_day
from sharing.model.validation_errors import suggest_nearest
from sharing.model.vocabulary import RelevanceKind


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of a case. `differences` is empty if it passes; each names the expected and the actual value."""

    case: Case
    line: int
    decision: RecipientDecision
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseRun:
    """A case, and what led to its decision.

    Attributes:
        source: Name of the file of the case.
        line: Its line there.
        law: The disclosure filter of its day.
        facts: Every fact of its item and its recipient, whether a rule tests it or not.
        results: Results of the rules that hold or are undecided, by rule id.
        basis: The treaty basis.
        to_authority: Kind of the competent authority that was chosen.
    """

    case: Case
    source: str
    line: int
    law: DisclosureFilter
    facts: Facts
    results: Mapping[str, RuleResult]
    basis: TreatyBasis
    to_authority: str | None
    recipient: str
    reasons: tuple[Reason, ...]

    def decide(self, results: Iterable[RuleResult]) -> RecipientDecision:
        """Return the decision on the case if the rules had these results."""
        ordered = sorted(results, key=lambda result: result.rule.id)
        return combine_results(self.recipient, ordered, self.basis, self.reasons, self.to_authority)

    def fails_with(self, results: Iterable[RuleResult]) -> bool:
        """Return whether the case fails if the rules have these results."""
        return next(compare_decision(self.case.expect, self.decide(results)), None) is not None


def run_cases(file: CaseFile, pack: Pack, treaties: TreatyTable) -> Iterator[CaseResult]:
    """Run each case.

    Raises:
        PackError: A case names a rule that the pack does not have or an unknown fact, its indicator is invalid,
            or the providing State is missing for a template, or cannot have this pack.
    """
    for run in _run_cases(file, adopt_if_template(file, pack, treaties), treaties):
        decision = run.decide(run.results.values())
        yield CaseResult(run.case, run.line, decision, tuple(compare_decision(run.case.expect, decision)))


def run_cases_in_detail(file: CaseFile, pack: Pack, treaties: TreatyTable) -> tuple[Pack, list[CaseRun]]:
    """Run each case of a file.

    Returns:
        The pack that the cases run with (a template as adopted by the State that they name), and the runs.

    Raises:
        PackError: As for `run_cases`.
    """
    pack = adopt_if_template(file, pack, treaties)
    return pack, list(_run_cases(file, pack, treaties))


def require_passing(runs: Iterable[CaseRun]) -> None:
    """Check that every case passes.

    Raises:
        PackError: A case fails.
    """
    for run in runs:
        if run.fails_with(run.results.values()):
            message = f"the case {run.case.name!r} fails; `sharing law test` shows the difference"
            raise PackError(message, source=run.source, line=run.line)


def _run_cases(file: CaseFile, pack: Pack, treaties: TreatyTable) -> Iterator[CaseRun]:
    ids = {rule.id for rule in pack.rules}
    laws = _Laws(pack, treaties)
    for index, case in enumerate(file.cases):
        if case.rule not in ids:
            message = f"the pack has no rule {case.rule!r}{suggest_nearest(case.rule, ids)}"
            raise file.document.error(message, ("cases", index, "rule"))
        yield _run_case(file, index, case, laws)


def _run_case(file: CaseFile, index: int, case: Case, laws: _Laws) -> CaseRun:
    now_ms = to_milliseconds(case.at or file.base.at)
    state = case.recipient or file.base.recipient
    record, overrides = read_case(file, index, laws.pack, laws.treaties)
    situation = _look_up(laws, record, state, file.base.authority, now_ms, overrides)
    return CaseRun(
        case=case,
        source=file.document.source,
        line=file.document.line_of(("cases", index)),
        law=situation.law,
        facts={**_read_item_facts(record, now_ms), **situation.recipient_facts},
        results={result.rule.id: result for result in situation.evaluate_rules()},
        basis=situation.basis,
        to_authority=situation.to_authority,
        recipient=state,
        reasons=situation.reasons,
    )


def decide_for_recipient(
    pack: Pack,
    treaties: TreatyTable,
    record: Mapping[str, Any],
    state: str,
    authority: str,
    now_ms: int,
    overrides: Mapping[str, FactValue],
) -> RecipientDecision:
    """Decide for one recipient, with some facts overridden.

    Args:
        pack: The providing State's law.
        treaties: The treaty table.
        record: The indicator's record.
        state: The recipient.
        authority: Kind of its receiving authority.
        now_ms: The time of the decision, in UTC milliseconds.
        overrides: Recipient facts and facts of the decision that replace those looked up.
    """
    situation = _look_up(_Laws(pack, treaties), record, state, authority, now_ms, overrides)
    return combine_results(
        state, situation.evaluate_rules(), situation.basis, situation.reasons, situation.to_authority
    )


class _Situation(NamedTuple):
    """An item and a recipient on a day, with all facts that rules test."""

    law: DisclosureFilter
    item_facts: Facts
    recipient_facts: Mapping[str, FactValue]
    basis: TreatyBasis
    to_authority: str | None
    reasons: tuple[Reason, ...]

    def evaluate_rules(self) -> list[RuleResult]:
        return self.law.evaluate_rules(self.item_facts, self.recipient_facts)


class _Laws:
    """The law of each day, with a directory of one State: many cases share it.

    Args:
        pack: The pack.
        treaties: The treaty table.
    """

    def __init__(self, pack: Pack, treaties: TreatyTable) -> None:
        self.pack, self.treaties = pack, treaties
        self._opened: dict[tuple[dt.date, str, str | None], DisclosureFilter] = {}

    def open(self, day: dt.date, state: str, kind: str | None) -> DisclosureFilter:
        """Return the law of a day, under which a State has one authority of this kind, or none if it is None."""
        key = (day, state, kind)
        if key not in self._opened:
            authorities = list_sole_authorities({state: kind})
            self._opened[key] = DisclosureFilter(self.pack, self.treaties, day, authorities)
        return self._opened[key]


def _look_up(
    laws: _Laws,
    record: Mapping[str, Any],
    state: str,
    authority: str,
    now_ms: int,
    overrides: Mapping[str, FactValue],
) -> _Situation:
    kind = overrides.get("recipient.authority", authority)
    law = laws.open(to_utc_day(now_ms), state, kind if isinstance(kind, str) else None)
    item = law.read_item_facts(record, now_ms)
    named = any(nexus["state"] == state for nexus in record["nexus"])
    profile = law.profile_recipient(state, item, named=named)
    basis, basis_facts = profile.basis, dict[str, FactValue]()
    if "treaty_basis" in overrides:
        name = overrides["treaty_basis"]
        basis = _find_treaty_basis(str(name) if name else None, laws.pack, laws.treaties)
        basis_facts = {"treaty_basis": basis.name, "condition_model": basis.condition_model}
    reasons = (Reason(RelevanceKind.NEXUS_STATED if named else RelevanceKind.NEXUS_DERIVED, "case"),)
    return _Situation(law, item, {**profile.facts, **basis_facts, **overrides}, basis, profile.to_authority, reasons)


def _find_treaty_basis(name: str | None, pack: Pack, treaties: TreatyTable) -> TreatyBasis:
    """Return the treaty basis that a case states by the name of its instrument, or by NONE."""
    if name is None:
        return NOT_LOOKED_UP
    if name == NONE:
        return NO_TREATY
    return TreatyBasis.of(pack.get_instrument(name, treaties))


def _read_item_facts(record: Mapping[str, Any], now_ms: int) -> dict[str, FactValue]:
    reads = [(fact, fact.read_raw) for fact in FACTS.values() if fact.read_raw is not None]
    return {fact.name: fact.interpret_raw(read(record, now_ms)) for fact, read in reads}
