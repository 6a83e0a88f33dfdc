"""Whether a pack is sound law: what can never apply, what others make pointless, what cannot be obeyed, what is owed.

Everything is decided by a complete search over the finite facts, none by sampling: facts by their closed lists, numbers
by the bounds that rules name, sets by the elements that rules can tell apart, recipients by what State and day settle.
What depends on each other is so taken: the origin of an item, its grading, treaties, memberships, assessments, dual
criminality. So a combination that is shown can occur, and where none is found, there is none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from sharing.law.cases import CaseFile
from sharing.law.facts import ASSESSED
from sharing.law.lint.conflicts import find_conflicts
from sharing.law.lint.examination import examine
from sharing.law.lint.fact_space import Combination
from sharing.law.lint.findings import LintCode, LintFinding, LintLocation, LintSeverity, described
from sharing.law.lint.maintenance import find_ill_dated, find_uncited, find_unproved
from sharing.law.lint.shadowed import find_shadowed
from sharing.law.lint.unreachable import find_unanswered, find_unreachable, find_values_that_never_occur
from sharing.law.pack import Assessment, Pack
from sharing.law.treaties import TreatyTable
from sharing.model.countries import COUNTRIES
from sharing.yaml_source import YamlDocument

__all__ = ["Combination", "LintCode", "LintFinding", "LintSeverity", "Subject", "described", "lint_common", "lint_pack"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is linted.

    Attributes:
        pack: The pack; the common rules stand first in it.
        document: The file of the rules that are told about.
        cases: The cases beside it.
        common: How many rules are common ones.
    """

    pack: Pack
    document: YamlDocument
    cases: CaseFile | None
    common: int


def lint_pack(subject: Subject, treaties: TreatyTable, day: dt.date) -> list[LintFinding]:
    """Return what is found in a pack's own rules, in the order of their lines.

    The common rules count as standing with them, and are told about only where this pack leaves their facts unknown.

    Args:
        subject: The pack.
        treaties: Who is bound by what.
        day: The day on which one asks; only what has ended by then depends on it.
    """
    pack, place = subject.pack, LintLocation(subject.document, subject.common)
    own = list(enumerate(pack.rules))[subject.common :]
    found = [
        *find_uncited(own, place),
        *find_ill_dated(own, place, pack.consolidated_at, day),
        *find_unproved(own, place, subject.cases),
    ]
    return _sorted([*found, *_of_all(subject, treaties, place, day)])


def lint_common(subject: Subject, treaties: TreatyTable, day: dt.date) -> list[LintFinding]:
    """Return what is found in the common rules by themselves.

    Args:
        subject: Any pack, for its State, with the file and the cases of the common rules.
        treaties: Who is bound by what.
        day: The day on which one asks.
    """
    rules = subject.pack.rules[: subject.common]
    place = LintLocation(subject.document, 0)
    numbered = list(enumerate(rules))
    found = [
        *find_uncited(numbered, place),
        *find_ill_dated(numbered, place, None, day),
        *find_unproved(numbered, place, subject.cases),
    ]
    shared = replace(_providers(subject.pack, treaties)[0], rules=rules)
    alone = replace(shared, assessments=_any_assessments(shared, treaties))
    searched = _searched(replace(subject, pack=alone, common=0), treaties, place, day)
    # That nothing is permitted is for each pack to mend.
    return _sorted([*found, *(one for one in searched if one.code is not LintCode.IDLE)])


def _any_assessments(pack: Pack, treaties: TreatyTable) -> tuple[Assessment, ...]:
    """Return assessments as some pack may hold them: a State for each combination of answers that rules ask for."""
    asked = {name.removeprefix("recipient.") for rule in pack.rules for name in rule.when.names()}
    names = sorted(asked & ASSESSED)
    states = [state for state in sorted(COUNTRIES - {pack.state}) if treaties.covers(state)]
    answers = product(("YES", "NO", None), repeat=len(names))
    return tuple(
        Assessment(
            states=frozenset({state}),
            date=dt.date.min,
            source="",
            facts={name: answer for name, answer in zip(names, given, strict=True) if answer is not None},
            dual_criminality={},
        )
        for state, given in zip(states, answers, strict=False)
    )


def _of_all(subject: Subject, treaties: TreatyTable, place: LintLocation, day: dt.date) -> list[LintFinding]:
    """Return what a search finds; of a template, what is so whichever member State adopts it.

    That something can be is shown under one of them; that something can never be must be so under each.
    """
    found: list[LintFinding] | None = None
    for pack in _providers(subject.pack, treaties):
        again = list(_searched(replace(subject, pack=pack), treaties, place, day))
        found = again if found is None else _agreed(found, again)
        if not any(_is_universal(one) for one in found):
            break
    return found or []


def _providers(pack: Pack, treaties: TreatyTable) -> list[Pack]:
    """Return a pack as the law of each State whose law it can be."""
    if not pack.is_template:
        return [pack]
    members = sorted(treaties.memberships[pack.code])
    return [pack.adopt(state, treaties) for state in members if treaties.member(pack.code, state, pack.consolidated_at)]


def _agreed(found: Iterable[LintFinding], again: Iterable[LintFinding]) -> list[LintFinding]:
    known = {(one.code, one.severity, one.line, one.rule) for one in again}
    return [one for one in found if not _is_universal(one) or (one.code, one.severity, one.line, one.rule) in known]


def _is_universal(finding: LintFinding) -> bool:
    """Return whether it says that something can never be, and counts."""
    return finding.code in _NEVER and finding.severity is not LintSeverity.NOTICE


_NEVER = frozenset(
    {
        LintCode.UNREACHABLE,
        LintCode.UNREACHABLE_ALTERNATIVE,
        LintCode.REDUNDANT_ALTERNATIVE,
        LintCode.NEVER_KNOWN,
        LintCode.NEVER_OCCURS,
        LintCode.SHADOWED,
        LintCode.UNFULFILLABLE,
    }
)


def _searched(subject: Subject, treaties: TreatyTable, place: LintLocation, day: dt.date) -> Iterator[LintFinding]:
    """Yield what a search over the facts finds."""
    pack = examine(subject.pack, treaties, subject.common)
    yield from find_unreachable(pack, place)
    yield from find_unanswered(pack, place, day)
    yield from find_values_that_never_occur(pack, place)
    yield from find_shadowed(pack, place)
    yield from find_conflicts(pack, place)


def _sorted(found: Iterable[LintFinding]) -> list[LintFinding]:
    order = list(LintSeverity)
    return sorted(found, key=lambda one: (order.index(one.severity), one.line, one.code, one.sentence))
