"""A law pack: one State's domestic law on spontaneous information, as values.

`sharing.law.reading` parses packs from YAML. A pack with the code of an organisation is a *template*: law that its
member States share. A template belongs to no State and is never a fallback; a member State adopts it by name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from sharing.errors import InputError
from sharing.law.constraints import Conjunction, FactTest, Operator
from sharing.law.fact_groups import NEVER_UNKNOWN, is_absolute
from sharing.law.treaties import Coverage, Instrument, Period, TreatyTable
from sharing.model.decision import PackReference
from sharing.model.effects import requires_approval
from sharing.model.pack_code import TEMPLATES
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.vocabulary import ConditionModel, Effect, Nature, Urgency

EMERGENCY_TEST = FactTest("urgency", Operator.ANY_OF, frozenset({Urgency.EMERGENCY.value}))
"""Whether the item is a substantiated emergency."""


@dataclass(frozen=True, slots=True)
class RuleException:
    """An exception that lifts a DENY rule, and no other rule.

    Attributes:
        when: Constraints under which it applies. If that is unknown, a person decides.
        approver: Role of that person.
        approvals: How many persons with that role must decide this: 1 or 2.
    """

    when: Conjunction
    approver: str
    approvals: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of law.

    Attributes:
        nature: What kind of text it encodes.
        valid: Days on which it is in force.
        verified: Whether the encoding was checked against a published text.
        when: Constraints that must hold for it to apply.
        approver: Role that must approve, for APPROVAL.
        approvals: How many officers with that role must approve: 1 or 2.
        exception: What lifts it; only a DENY rule may have an exception.
        replaces: Id of the rule that it succeeds without a gap, or "".
        condition: Condition that binds the receiving State, for CONDITION.
        redact: Fields of the notice's content that it removes, for REDACT.
        is_common: Whether it is one of the common rules, which are part of every pack.
        asks_undecided: Whether it asks its role in an emergency, although a fact that it tests is unknown: an APPROVAL
            that tests nothing absolute. The role's decision is then within what the law allows in either case.
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
    approvals: int = 1
    condition: Condition | None = None
    redact: tuple[str, ...] = ()
    note: str = ""
    is_common: bool = False
    nature: Nature = Nature.STATUTE
    exception: RuleException | None = None
    replaces: str = ""
    role_order: int = 0
    asks_undecided: bool = field(init=False)

    def __post_init__(self) -> None:
        tested = self.when.list_fact_names()
        is_open = requires_approval(self.effect) and not tested <= NEVER_UNKNOWN
        object.__setattr__(self, "asks_undecided", is_open and not any(map(is_absolute, tested)))

    def iter_tests(self) -> Iterator[FactTest]:
        """Yield the tests of its `when`, those of its exception, and that of the urgency if it matters."""
        yield from self.when.iter_tests()
        if self.asks_undecided:
            yield EMERGENCY_TEST
        if self.exception is not None:
            yield from self.exception.when.iter_tests()

    def list_fact_names(self) -> frozenset[str]:
        """Return the names of the facts that it tests, in its `when` or in its exception."""
        stated = self.when.list_fact_names()
        return stated if self.exception is None else stated | self.exception.when.list_fact_names()

    @property
    def reference(self) -> RuleReference:
        """How a decision refers to the rule."""
        return RuleReference(self.id, self.citation, self.effect)

    @property
    def asked_role(self) -> str | None:
        """The role that it asks, or that its exception does; None if it asks nobody."""
        return self.exception.approver if self.exception is not None else self.approver

    @property
    def asked_approvals(self) -> int:
        """How many officers with `asked_role` must approve where it asks one."""
        return self.exception.approvals if self.exception is not None else self.approvals

    @property
    def approval_rank(self) -> tuple[bool, int, str]:
        """Its order among rules that ask a person at the same time; the decision names the role of the first.

        The State's own rules come before common rules, and among them the role that the pack lists first.
        """
        return self.is_common, self.role_order, self.id


@dataclass(frozen=True, slots=True)
class Assessment:
    """The providing State's own assessment of some recipients, valid from its date on."""

    states: frozenset[str]
    date: dt.date
    source: str
    facts: Mapping[str, str]
    dual_criminality: Mapping[str, str]
    capital_offence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BilateralAgreement:
    """An agreement with one State; it is part of the pack that relies on it.

    Attributes:
        coverage: What it is a basis for.
        exculpatory_exception: As for an instrument.
    """

    name: str
    state: str
    valid: Period
    condition_model: ConditionModel
    coverage: Coverage
    exculpatory_exception: bool = False


@dataclass(frozen=True, slots=True)
class Pack:
    """A State's complete law. Days are in UTC.

    Attributes:
        code: Code of the pack: a State, or one of `TEMPLATES`.
        state: The providing State; for a template that no State has adopted, the code of the template.
        sha256: Hash of the pack, the common rules and the treaty table. Adoption does not change it.
    """

    code: str
    state: str
    version: str
    title: str
    disclaimer: str
    consolidated_at: dt.date
    sha256: str
    treaty_preference: tuple[str, ...]
    bilateral: Mapping[str, BilateralAgreement]
    approvers: Mapping[str, str]
    assessments: tuple[Assessment, ...]
    rules: tuple[Rule, ...]
    source: str = field(default="", compare=False)

    @property
    def reference(self) -> PackReference:
        """How a decision refers to the pack."""
        return PackReference(self.code, self.version, self.sha256)

    @property
    def is_template(self) -> bool:
        """Whether a State must adopt the pack before it can decide anything."""
        return self.state in TEMPLATES

    def get_instrument(self, name: str, treaties: TreatyTable) -> Instrument | BilateralAgreement:
        """Return the pack's own agreement, or the instrument of the treaty table, with a name that a rule may test."""
        return self.bilateral[name] if name in self.bilateral else treaties.instruments[name]

    def list_tested_values(self, fact: str) -> frozenset[str]:
        """Return the values that a fact is compared with, in rules and their exceptions on any day."""
        tests = (test for rule in self.rules for test in rule.iter_tests() if test.fact == fact)
        return frozenset().union(*(test.operand for test in tests if isinstance(test.operand, frozenset)))

    def adopt_for(self, state: str, treaties: TreatyTable) -> Pack:
        """Return this template as the law of a State.

        The State must be a member on the day to which the template was consolidated, because the template was written
        as the law of those members. Later changes of membership are facts of each decision.

        Raises:
            InputError: The pack is not a template, or the State was not a member on that day.
        """
        if self.code not in TEMPLATES:
            raise InputError(
                f"pack {self.code} is the law of one State; another State can adopt only {', '.join(sorted(TEMPLATES))}"
            )
        if not treaties.is_member(self.code, state, self.consolidated_at):
            raise InputError(
                f"pack {self.code} {self.version} is for member States of the {self.code}, and according to the treaty "
                f"table {state} was not a member on {self.consolidated_at}; write a separate pack for that State"
            )
        return replace(self, state=state)

    def list_rules_in_force(self, day: dt.date) -> tuple[Rule, ...]:
        """Return the rules in force on a day, sorted by id."""
        return tuple(sorted((rule for rule in self.rules if rule.valid.contains(day)), key=lambda rule: rule.id))


@dataclass(frozen=True, slots=True)
class CommonRules:
    """The rules in every pack: originator control, human-rights safeguards, and facts that every item must state."""

    rules: tuple[Rule, ...]
    approvers: Mapping[str, str]
    text: str
