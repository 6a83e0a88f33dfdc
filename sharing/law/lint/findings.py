"""The findings of lint, and how they are put into words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sharing.law.fact_values import FactValue
from sharing.law.lint.decision_space import Counterexample
from sharing.law.lint_codes import LintCode
from sharing.yaml_files.source import KeyPath, YamlDocument


class LintSeverity(StrEnum):
    """How serious a finding is.

    An error is a flaw in the encoded law, a warning needs work or review, a notice is for information.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding.

    Attributes:
        source: The file.
        line: The line in it.
        rule: Id of the rule; empty when the finding is about the pack.
        sentence: What is wrong.
        counterexample: Facts under which it is wrong; None when it is wrong under all facts or does not depend on them.
        others: Ids of the other rules that it is about.
        accepted: The reason for which the pack accepts it; empty if it does not.
    """

    severity: LintSeverity
    code: LintCode
    source: str
    line: int
    rule: str
    sentence: str
    counterexample: Counterexample | None = None
    others: tuple[str, ...] = ()
    accepted: str = ""


@dataclass(frozen=True, slots=True)
class RuleLocator:
    """Maps the rules of a pack to lines of a file.

    Attributes:
        document: The file.
        first: Number, in the pack, of the first rule in the file.
    """

    document: YamlDocument
    first: int

    def make_finding(
        self,
        severity: LintSeverity,
        code: LintCode,
        rule: tuple[int, str],
        sentence: str,
        counterexample: Counterexample | None = None,
        within: KeyPath = (),
        others: tuple[str, ...] = (),
    ) -> LintFinding:
        """Return a finding about a rule.

        Args:
            severity: How serious it is.
            code: Its kind.
            rule: Number and id of the rule.
            sentence: What is wrong.
            counterexample: Facts under which it is wrong.
            within: Path to the part of the rule that is wrong.
            others: Ids of the other rules that the finding is about.
        """
        number, rule_id = rule
        line = self.document.line_of(("rules", number - self.first, *within))
        return LintFinding(severity, code, self.document.source, line, rule_id, sentence, counterexample, others)


def describe_value(value: FactValue) -> str:
    """Return the value of a fact in words."""
    if value is None:
        return "unknown"
    if isinstance(value, frozenset):
        return " + ".join(sorted(value)) or "none"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def describe_counterexample(counterexample: Counterexample) -> str:
    """Return a counterexample in words: the relevant facts, the recipient and the day."""
    facts = [f"{name} {describe_value(counterexample.facts[name])}" for name in counterexample.relevant]
    return "; ".join([*facts, f"to {counterexample.state} on {counterexample.day}"])


def join_names(names: tuple[str, ...] | list[str], conjunction: str = "and") -> str:
    """Return names as a list in a sentence: «a, b and c»."""
    return f"{', '.join(names[:-1])} {conjunction} {names[-1]}" if len(names) > 1 else "".join(names)
