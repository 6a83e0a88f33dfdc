"""The terms of a decision for one State: the outcome, the rules that led to it, and the conditions that bind.

Notices and offers carry the conditions and the rules, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, Outcome

APPROVALS_MAX: Final = 2
"""The most officers whose approval a rule may ask for."""

EVALUATION_FAILED = "error"
MISSING = "missing: "
"""How a reason begins that names missing facts."""

"""Value of `UndecidedRule.fact` when the evaluation of the rule failed."""


@dataclass(frozen=True, slots=True)
class RuleReference:
    """A rule that contributed to an outcome.

    Attributes:
        effect: The effect that it had: RECORD for a rule that its exception lifted, APPROVAL for one whose exception a
            person decides, otherwise its own.
    """

    id: str
    citation: str
    effect: Effect

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> RuleReference:
        """Return the rule in a decoded record."""
        return cls(record["id"], record["citation"], Effect(record["effect"]))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that scripts rely on."""
        return {"id": self.id, "citation": self.citation, "effect": str(self.effect)}


@dataclass(frozen=True, slots=True)
class UndecidedRule:
    """A rule that could not be decided, and the missing fact (or `EVALUATION_FAILED`)."""

    rule: str
    fact: str


def describe_undecided(undecided: Iterable[UndecidedRule]) -> str:
    """Return why rules could not be decided: the missing facts, and the rules that failed; empty if there are none."""
    entries = list(undecided)
    facts = sorted({entry.fact for entry in entries} - {EVALUATION_FAILED})
    failed = sorted({entry.rule for entry in entries if entry.fact == EVALUATION_FAILED})
    parts = ((MISSING, facts), ("evaluation failed: ", failed))
    return "; ".join(f"{label}{', '.join(names)}" for label, names in parts if names)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that binds the receiving State.

    Attributes:
        code: The id of the rule that imposes it.
        exculpatory_exception: Whether what clears an accused may be disclosed in spite of it, after notice to the
            provider: the treaty basis says so (UNCAC art. 46(5)), and it is a duty of confidentiality or a bar on the
            use as evidence.
    """

    code: str
    kind: ConditionKind
    text: str
    exculpatory_exception: bool = False

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Condition:
        """Return the condition in a decoded record."""
        return cls(record["code"], ConditionKind(record["kind"]), record["text"], record["exculpatory_exception"])

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that scripts rely on."""
        return {
            "code": self.code,
            "kind": str(self.kind),
            "text": self.text,
            "exculpatory_exception": self.exculpatory_exception,
        }


@dataclass(frozen=True, slots=True)
class RecipientTerms:
    """Everything in a decision for a recipient except the recipient and the relevance.

    States with the same legal facts share one instance.

    Attributes:
        approver: Role that must approve; None if none must.
        to_authority: Kind of the competent authority that was chosen; None if none is competent or known.
        approvals: How many officers with that role must approve; None if none must, and where the terms are read from
            a record: it names the rules that ask, and the pack says what they ask for.
    """

    outcome: Outcome
    basis: str | None
    condition_model: ConditionModel | None
    rules: tuple[RuleReference, ...]
    undecided: tuple[UndecidedRule, ...]
    conditions: tuple[Condition, ...]
    approver: str | None
    is_obligatory: bool
    redacted: tuple[str, ...]
    to_authority: str | None = None
    approvals: int | None = None

    @property
    def failed_rules(self) -> frozenset[str]:
        """Ids of the rules whose evaluation failed.

        A failed rule counts as undecided: a restriction then withholds the item, and a permission does not permit.
        """
        return frozenset(entry.rule for entry in self.undecided if entry.fact == EVALUATION_FAILED)

    @property
    def effects(self) -> frozenset[str]:
        """The effects of the rules, plus UNDECIDED if a rule is undecided; NONE if there are no rules."""
        names = {str(rule.effect) for rule in self.rules} | ({"UNDECIDED"} if self.undecided else set())
        return frozenset(names) or frozenset({"NONE"})
