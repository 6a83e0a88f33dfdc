"""A law pack: one State's domestic law on information without request, as values.

`sharing.law.pack_reader` makes them from YAML.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from sharing.law.constraints import Conjunction
from sharing.law.treaties import Period
from sharing.model.decision import Condition, PackReference, RuleReference
from sharing.model.vocabulary import ConditionModel, Effect


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of law.

    Attributes:
        valid: Days on which it is in force.
        verified: Whether the encoding was checked against a published text.
        when: What must hold for it to apply.
        approver: Role that must approve, for APPROVAL.
        condition: What it binds the receiving State to, for CONDITION.
        redact: Fields of the notice's content that it takes out, for REDACT.
    """

    id: str
    citation: str
    paraphrase: str
    source: str
    verified: bool
    valid: Period
    when: Conjunction
    effect: Effect
    approver: str | None = None
    condition: Condition | None = None
    redact: tuple[str, ...] = ()
    note: str = ""

    @property
    def reference(self) -> RuleReference:
        """What a decision says of it."""
        return RuleReference(self.id, self.citation, self.effect)


@dataclass(frozen=True, slots=True)
class Assessment:
    """The providing State's own view of some recipients, from a date on."""

    states: frozenset[str]
    date: dt.date
    source: str
    facts: Mapping[str, str]
    dual_criminality: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bilateral:
    """An agreement with one State, part of the pack that relies on it."""

    name: str
    state: str
    valid: Period
    condition_model: ConditionModel


@dataclass(frozen=True, slots=True)
class Pack:
    """A State's law, whole. Times are days in UTC."""

    state: str
    version: str
    title: str
    disclaimer: str
    consolidated_at: dt.date
    sha256: str
    treaty_preference: tuple[str, ...]
    bilateral: Mapping[str, Bilateral]
    approvers: Mapping[str, str]
    assessments: tuple[Assessment, ...]
    rules: tuple[Rule, ...]
    source: str = field(default="", compare=False)

    @property
    def reference(self) -> PackReference:
        """What a decision says of it."""
        return PackReference(self.state, self.version, self.sha256)

    def rules_on(self, day: dt.date) -> tuple[Rule, ...]:
        """Return the rules in force on a day, in the order of their ids."""
        return tuple(sorted((rule for rule in self.rules if rule.valid.holds(day)), key=lambda rule: rule.id))


@dataclass(frozen=True, slots=True)
class CommonRules:
    """What holds under every pack: originator control, the human-rights gate, what an item must say of itself."""

    rules: tuple[Rule, ...]
    approvers: Mapping[str, str]
    text: str
