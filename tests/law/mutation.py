"""Do the cases notice when a pack goes wrong? Each rule is changed in one place, and a case has to fail.

    python -m tests.law.mutation [STATE…] [--json FILE]

A mutant is killed when a case of the pack's file fails under it, or when no pack could hold it. What survives is
either listed in `equivalent_mutants.yaml`, with the reason why no case can tell it from the rule as it stands, or
a case is missing. Ends with 1 where fewer than 95 in 100 are killed, a survivor is not listed, or one that is listed
is killed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import yaml

from sharing.law import cases as cases_module
from sharing.law.cases import Case, CaseFile, decide_one, run_cases
from sharing.law.combine import RuleFinding, combine
from sharing.law.expectation import compare
from sharing.law.facts import FACTS, FactValue
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack, Rule
from sharing.model.decision import RecipientDecision
from sharing.packs.library import Law, find_pack, shipped_packs
from tests.law.mutants import Mutant, mutants_of
from tests.law.shipped import case_files

BAR = 95.0
"""In each pack so many of 100 mutants are killed."""

COMMON = "common."
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.yaml")
Name = tuple[str, str]
"""A rule and its change."""


# --- Cases, read once ---


class Tried(NamedTuple):
    """A case, and all that is known when it is decided.

    Attributes:
        law: The filter of its day.
        facts: Every fact of its item and recipient, whatever the day's rules ask.
        found: What each rule of the pack finds as it stands, by id.
        rest: What `combine` is given besides findings: the recipient, then basis and relevance.
    """

    case: Case
    law: DisclosureFilter
    facts: dict[str, Any]
    found: dict[str, RuleFinding]
    rest: tuple[Any, ...]

    def notices(self, mutant: Mutant) -> bool:
        """Return whether the case fails under a mutant."""
        stood = self.found.get(mutant.original.id)
        if stood is not None and stood.rule is not mutant.original:
            stood = None  # a version of the rule with other dates
        came = self._examine(mutant.rule)
        if stood is came or (stood and came and _essence(stood) == _essence(came)):
            return False
        findings = [found for found in self.found.values() if found is not stood]
        findings += [came] if came is not None else []
        state, *rest = self.rest
        decision = combine(state, sorted(findings, key=lambda found: found.rule.id), *rest)
        return next(compare(self.case.expect, decision), None) is not None

    def _examine(self, rule: Rule | None) -> RuleFinding | None:
        if rule is None or not rule.valid.holds(self.law.day):
            return None
        held = rule.when.evaluate(self.facts)
        missing = tuple(dict.fromkeys(rule.when.missing(self.facts))) if held is None else ()
        return None if held is False else RuleFinding(rule, held, missing)


def _essence(found: RuleFinding) -> tuple[Any, ...]:
    """Return what of a finding can matter to a decision."""
    rule = found.rule
    return found.held, found.missing, rule.effect, rule.approver, rule.condition, rule.redact


def try_cases(law: Law, file: CaseFile) -> tuple[Pack, list[Tried]]:
    """Run the cases as they are, and keep what was known at each.

    Returns:
        The pack as the cases are of it, and the cases.

    Raises:
        AssertionError: A case fails although nothing is changed.
    """
    heard: dict[str, Any] = {}

    class Listening(DisclosureFilter):
        def findings(self, item: Any, recipient: Any) -> list[RuleFinding]:
            heard["law"], heard["recipient"] = self, recipient
            return DisclosureFilter.findings(self, item, recipient)

    def listen(state: str, findings: list[RuleFinding], *rest: Any) -> RecipientDecision:
        heard["findings"], heard["rest"] = findings, (state, *rest)
        return combine(state, findings, *rest)

    def remember(*arguments: Any) -> RecipientDecision:
        heard["record"], heard["now_ms"] = arguments[2], arguments[5]
        return decide_one(*arguments)

    tried = []
    with patch.multiple(cases_module, DisclosureFilter=Listening, combine=listen, decide_one=remember):
        for result in run_cases(file, law.pack, law.treaties):
            assert not result.differences, f"{file.document.source}:{result.line}: {result.case.name} fails as it is"
            facts = {**_item(heard["record"], heard["now_ms"]), **heard["recipient"]}
            found = {finding.rule.id: finding for finding in heard["findings"]}
            tried.append(Tried(result.case, heard["law"], facts, found, heard["rest"]))
    return tried[0].law.pack, tried


def _item(record: dict[str, Any], now_ms: int) -> dict[str, FactValue]:
    reads = [(fact, fact.read) for fact in FACTS.values() if fact.read is not None]
    return {fact.name: fact.interpret(read(record, now_ms)) for fact, read in reads}


# --- The cases of one pack ---


@dataclass
class Tally:
    """How the cases of one pack did.

    Attributes:
        name: Code of the pack; the common rules count to the one under which their cases run.
        mutants: How many there are.
        survived: Those that no case noticed.
        listed: Those of which it is known why no case can, with the reason.
    """

    name: str
    mutants: int = 0
    survived: list[Name] = field(default_factory=list)
    listed: dict[Name, str] = field(default_factory=dict)

    @property
    def percent(self) -> float:
        """How many of 100 were killed."""
        return 100 * (self.mutants - len(self.survived)) / max(self.mutants, 1)

    @property
    def unexplained(self) -> list[Name]:
        """Survivors without a reason."""
        return [name for name in self.survived if name not in self.listed]

    @property
    def stale(self) -> list[Name]:
        """Mutants with a reason that are killed, or that do not exist."""
        return sorted(set(self.listed) - set(self.survived))

    @property
    def ok(self) -> bool:
        """Whether it is as it has to be."""
        return self.percent >= BAR and not self.unexplained and not self.stale


def examine(name: str) -> Tally:
    """Try every mutant of a pack, by the cases that run under it."""
    law = find_pack(name)
    return tally(name, law, list(case_files(name).values()))


def tally(name: str, law: Law, files: list[CaseFile]) -> Tally:
    """Try every mutant of a pack's own rules, and of the common ones where there are cases about them."""
    read = [try_cases(law, file) for file in files]
    pack, tried = read[0][0], [one for _, cases in read for one in cases]
    with_common = any(one.case.rule.startswith(COMMON) for one in tried)
    rules = [rule for rule in pack.rules if with_common or not rule.id.startswith(COMMON)]
    found = Tally(name, listed=listed_for({name_of(rule, rules) for rule in rules}))
    for rule in rules:
        near_first = sorted(tried, key=lambda one: one.case.rule != rule.id)
        for mutant in mutants_of(rule, pack, law.treaties):
            found.mutants += 1
            if not refused(mutant, pack) and not any(one.notices(mutant) for one in near_first):
                found.survived.append((name_of(rule, rules), mutant.change))
    return found


def name_of(rule: Rule, rules: list[Rule]) -> str:
    """Return a rule's id, with its first day where it stands in several versions."""
    versions = sum(other.id == rule.id for other in rules)
    return rule.id if versions == 1 else f"{rule.id} from {rule.valid.start}"


def refused(mutant: Mutant, pack: Pack) -> bool:
    """Return whether the reader refuses the pack: two versions of a rule on one day."""
    return mutant.rule is not None and any(
        other is not mutant.original and other.id == mutant.rule.id and other.valid.overlaps(mutant.rule.valid)
        for other in pack.rules
    )


@cache
def listed() -> dict[Name, str]:
    """Return every mutant that no case can tell from the rule, with the reason."""
    entries = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8"))["equivalent"]
    assert all(entry.keys() == {"rule", "changes", "reason"} for entry in entries), "rule, changes, reason: no more"
    return {(entry["rule"], change): entry["reason"] for entry in entries for change in entry["changes"]}


def listed_for(ids: set[str]) -> dict[Name, str]:
    """Return those of some rules."""
    return {name: reason for name, reason in listed().items() if name[0] in ids}


# --- The table ---


def lines(tallies: list[Tally]) -> Iterator[str]:
    """Yield the table, and under it what survived and what is wrong."""
    yield f"{'pack':8}{'mutants':>9}{'killed':>9}{'%':>8}{'survivors':>11}  of them explained"
    for tally in tallies:
        survivors = len(tally.survived)
        yield (
            f"{tally.name:8}{tally.mutants:9}{tally.mutants - survivors:9}{tally.percent:8.1f}{survivors:11}"
            f"  {survivors - len(tally.unexplained)}"
        )
    for tally in tallies:
        for rule, change in tally.survived:
            yield f"{tally.name}: {rule}: {change}: {tally.listed.get((rule, change), 'NO CASE NOTICES')}"
        for rule, change in tally.stale:
            yield f"{tally.name}: {rule}: {change}: LISTED AS EQUIVALENT, but killed, or no such mutant: take it out"
        if tally.percent < BAR:
            yield f"{tally.name}: FEWER THAN {BAR:g} IN 100 ARE KILLED"


def as_json(tallies: list[Tally]) -> list[dict[str, Any]]:
    """Return the table for a program."""
    return [
        {
            "pack": tally.name,
            "mutants": tally.mutants,
            "killed": tally.mutants - len(tally.survived),
            "percent": round(tally.percent, 1),
            "survivors": [
                {"rule": rule, "change": change, "reason": tally.listed.get((rule, change))}
                for rule, change in tally.survived
            ],
            "stale": [{"rule": rule, "change": change} for rule, change in tally.stale],
        }
        for tally in tallies
    ]


def main(arguments: list[str] | None = None) -> int:
    """Try the packs that are named, or all; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.law.mutation", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "states", nargs="*", metavar="STATE", help=f"of {', '.join(shipped_packs())}; all when left out"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to a file, too")
    options = parser.parse_args(arguments)
    wanted = [name.upper() for name in options.states] or list(shipped_packs())
    if unknown := sorted(set(wanted) - set(shipped_packs())):
        parser.error(f"no pack of {', '.join(unknown)}")
    tallies = [examine(name) for name in wanted]
    for line in lines(tallies):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(tallies), indent=2) + "\n", encoding="utf-8")
    return 0 if all(tally.ok for tally in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
