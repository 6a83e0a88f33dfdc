"""A law pack: one State's domestic law on information without request, as values.

`sharing.law.pack_reader` makes them from YAML. A pack with the code of an organisation is a *template*: law that its
member States share. It is nobody's own and never a fallback; a member State that wants it adopts it by name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sharing.errors import InputError
from sharing.law.constraints import Conjunction
from sharing.law.pack_code import TEMPLATES
from sharing.law.treaties import Period, TreatyTable
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
        is_common: Whether it stands under every pack, and is none of the State's own.
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
    is_common: bool = False

    @property
    def reference(self) -> RuleReference:
        """What a decision says of it."""
        return RuleReference(self.id, self.citation, self.effect)

    @property
    def rank(self) -> tuple[bool, str]:
        """Where it stands among approvals that hold together: the State's own law first, then by id."""
        return self.is_common, self.id


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
    """A State's law, whole. Times are days in UTC.

    Attributes:
        code: The pack's own code: its State, or one of `TEMPLATES`.
        state: The providing State. That of a template which nobody has adopted is no State: its own code.
        sha256: Of the pack, the common rules and the treaty table. Adopting changes none of them.
    """

    code: str
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
        return PackReference(self.code, self.version, self.sha256)

    @property
    def is_template(self) -> bool:
        """Whether a State must adopt it before anything is decided by it."""
        return self.state in TEMPLATES

    def adopt(self, state: str, treaties: TreatyTable) -> Pack:
        """Return this template as the law of a State.

        Membership counts on the day to which the template was consolidated: then it was written as that State's law.
        What a day of decision changes, a decision's facts tell.

        Raises:
            InputError: It is no template, or the State was not a member on that day.
        """
        if self.code not in TEMPLATES:
            raise InputError(
                f"pack {self.code} is that State's own law; another can adopt only {', '.join(sorted(TEMPLATES))}"
            )
        if not treaties.member(self.code, state, self.consolidated_at):
            raise InputError(
                f"pack {self.code} {self.version} is for member States of the {self.code}, and by the treaty table "
                f"{state} was none on {self.consolidated_at}; give that State a pack of its own"
            )
        return replace(self, state=state)

    def rules_on(self, day: dt.date) -> tuple[Rule, ...]:
        """Return the rules in force on a day, in the order of their ids."""
        return tuple(sorted((rule for rule in self.rules if rule.valid.holds(day)), key=lambda rule: rule.id))


@dataclass(frozen=True, slots=True)
class CommonRules:
    """What holds under every pack: originator control, the human-rights gate, what an item must say of itself."""

    rules: tuple[Rule, ...]
    approvers: Mapping[str, str]
    text: str
