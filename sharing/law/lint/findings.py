"""What lint finds: a value each, with the offending combination of facts where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sharing.law.facts import FactValue
from sharing.law.lint.fact_space import Combination
from sharing.yaml_source import KeyPath, YamlDocument


class LintSeverity(StrEnum):
    """How much it matters: an error is a flaw of the law as encoded, a warning is a debt, a notice is to be known."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class LintCode(StrEnum):
    """What is found. `docs/law.md` tells each."""

    UNREACHABLE = "unreachable"
    UNREACHABLE_ALTERNATIVE = "unreachable-alternative"
    REDUNDANT_ALTERNATIVE = "redundant-alternative"
    ONLY_UNDECIDED = "only-undecided"
    NEVER_KNOWN = "never-known"
    NEVER_OCCURS = "never-occurs"
    SHADOWED = "shadowed"
    IDLE = "idle"
    UNFULFILLABLE = "unfulfillable"
    DUTY_FORBIDDEN = "duty-forbidden"
    TWO_APPROVERS = "two-approvers"
    CONDITIONS_CLASH = "conditions-clash"
    UNCITED = "uncited"
    UNSOURCED = "unsourced"
    UNVERIFIED = "unverified"
    EXPIRED = "expired"
    GAP = "gap"
    LATER = "later-than-pack"
    NO_CASES = "no-cases"
    CASES_LACKING = "cases-lacking"


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding.

    Attributes:
        source: The file.
        line: The line in it.
        rule: Id of the rule; empty where it is about the pack.
        sentence: What is wrong.
        combination: The facts under which it is so; None where it is so under all, or facts do not matter.
    """

    severity: LintSeverity
    code: LintCode
    source: str
    line: int
    rule: str
    sentence: str
    combination: Combination | None = None


@dataclass(frozen=True, slots=True)
class LintLocation:
    """Where rules stand in a file.

    Attributes:
        document: The file.
        first: Number, in the pack, of the rule that stands first in it.
    """

    document: YamlDocument
    first: int

    def find(
        self,
        severity: LintSeverity,
        code: LintCode,
        rule: tuple[int, str],
        sentence: str,
        combination: Combination | None = None,
        within: KeyPath = (),
    ) -> LintFinding:
        """Return a finding about a rule, given by its number and id; `within` leads to a part of it."""
        number, rule_id = rule
        line = self.document.line(("rules", number - self.first, *within))
        return LintFinding(severity, code, self.document.source, line, rule_id, sentence, combination)


def shown(value: FactValue) -> str:
    """Return a value in words."""
    if value is None:
        return "unknown"
    if isinstance(value, frozenset):
        return " + ".join(sorted(value)) or "none"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def described(combination: Combination) -> str:
    """Return a combination in words: the facts that matter, the recipient and the day."""
    facts = [f"{name} {shown(combination.facts[name])}" for name in combination.told]
    return f"{'; '.join([*facts, f'to {combination.state} on {combination.day}'])}"


def listed(names: tuple[str, ...] | list[str], last: str = "and") -> str:
    """Return names as a sentence has them."""
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)
