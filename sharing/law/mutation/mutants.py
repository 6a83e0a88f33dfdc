"""Mutants of law packs: each rule changed in exactly one place.

A permission is widened by every value. Among the values that extend a restriction, one represents all.

Left out are mutants that the pack reader refuses, and mutants with the same meaning: `includes` of one value is `is` of
it; an instrument to which the State is not a party never covers an item; if no authority is competent, a rule of the
bus withholds. A mutant is not left out because no instrument that the rule requires covers it: if treaties were not
looked up, the test on them is undecided rather than false.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sharing.law.constraints import AnyOf, Conjunction, FactTest, Operator
from sharing.law.fact_values import NONE
from sharing.law.facts import FACTS, FactKind
from sharing.law.pack import Pack, Rule
from sharing.law.redaction import CONTENT_FIELDS
from sharing.law.treaties import Period, TreatyTable
from sharing.model.countries import COUNTRIES
from sharing.model.recipient_terms import APPROVALS_MAX
from sharing.model.vocabulary import ConditionKind, Effect

DAY = dt.timedelta(days=1)
ADDITIONAL_STATES = ("DE", "FR", "NL")
"""Candidates to add to a list of States: the first that is neither listed nor the State of the pack is added."""

ConjunctionPart = FactTest | AnyOf
NamedConjunction = tuple[str, Conjunction]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with one change.

    Attributes:
        original: The unchanged rule.
        change: Description of the change; unique within the rule.
        rule: The changed rule; None if the rule is removed from the pack.
    """

    original: Rule
    change: str
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class _AllowedValues:
    """The values that the tests of a rule may list.

    Attributes:
        is_permission: Whether a longer list permits more. Then every missing value is tried, otherwise one.
        state: The State of the pack.
        instruments: Treaties that bind the State at some time, including the bilateral agreements of the pack.
        preferred: Treaties that can be chosen as the basis.
        is_of_bus: Whether the rule is one of the bus, which decides where no authority is competent.
    """

    is_permission: bool
    state: str
    instruments: frozenset[str]
    preferred: frozenset[str]
    is_of_bus: bool

    @classmethod
    def for_rule(cls, rule: Rule, pack: Pack, treaties: TreatyTable) -> _AllowedValues:
        """Return the allowed values for one rule."""
        binding = (name for name, entry in treaties.instruments.items() if pack.state in entry.parties)
        instruments = frozenset((*binding, *pack.bilateral))
        return cls(
            is_permission=rule.effect is Effect.PERMIT,
            state=pack.state,
            instruments=instruments,
            preferred=instruments & frozenset(pack.treaty_preference),
            is_of_bus=rule.is_common,
        )

    def list_values(self, test: FactTest) -> frozenset[str]:
        """Return the values that a test may list. Of the States, only the listed ones and one more are returned."""
        values = FACTS[test.fact].values
        if values >= COUNTRIES and isinstance(test.operand, frozenset):
            excluded = {self.state, NONE, *test.operand}
            more = next((state for state in (*ADDITIONAL_STATES, *sorted(values)) if state not in excluded), NONE)
            return (values & {NONE}) | test.operand | {more}
        if test.fact == "treaty_basis":
            return self.preferred | {NONE}
        if test.fact == "recipient.authority" and not self.is_of_bus:
            return values - {NONE}
        return values or self.instruments


def make_mutants(rule: Rule, pack: Pack, treaties: TreatyTable) -> list[Mutant]:
    """Return every mutant of a rule, each with a unique description."""
    allowed = _AllowedValues.for_rule(rule, pack, treaties)
    return [
        Mutant(rule, "removed", None),
        *(Mutant(rule, change, mutated) for change, mutated in _mutate_effect(rule)),
        *(
            Mutant(rule, f"when {change}", replace(rule, when=when))
            for change, when in _mutate_when(rule.when, allowed)
        ),
        *(Mutant(rule, change, replace(rule, valid=valid)) for change, valid in _mutate_period(rule.valid)),
        *(Mutant(rule, change, mutated) for change, mutated in _mutate_effect_parameter(rule, pack)),
        *(Mutant(rule, change, mutated) for change, mutated in _mutate_exception(rule, pack, allowed)),
    ]


def _mutate_effect(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Yield the rule with each other effect that needs no parameter."""
    bare = replace(rule, approver=None, approvals=1, condition=None, redact=(), exception=None)
    for effect in (Effect.DENY, Effect.PERMIT, Effect.OBLIGE, Effect.RECORD):
        if effect is not rule.effect:
            yield f"effect {effect}", replace(bare, effect=effect)


def _mutate_period(valid: Period) -> Iterator[tuple[str, Period]]:
    moved = [("from a day earlier", replace(valid, start=valid.start - DAY))]
    moved.append(("from a day later", replace(valid, start=valid.start + DAY)))
    if valid.end is not None:
        moved.append(("to a day earlier", replace(valid, end=valid.end - DAY)))
        moved.append(("to a day later", replace(valid, end=valid.end + DAY)))
        moved.append(("to removed", replace(valid, end=None)))
    return ((change, period) for change, period in moved if period.end is None or period.start <= period.end)


def _mutate_effect_parameter(rule: Rule, pack: Pack) -> Iterator[tuple[str, Rule]]:
    for role in pack.approvers:
        if rule.approver and role != rule.approver:
            yield f"approver {role}", replace(rule, approver=role)
    if rule.approver:
        approvals = _get_other_number(rule.approvals)
        yield f"approvals {approvals}", replace(rule, approvals=approvals)
    if rule.condition is not None:
        yield "condition removed", replace(rule, condition=None)
        kind = next(kind for kind in ConditionKind if kind is not rule.condition.kind)
        yield f"condition kind {kind}", replace(rule, condition=replace(rule.condition, kind=kind))
        yield "condition text", replace(rule, condition=replace(rule.condition, text="Invented."))
    for name in rule.redact:
        yield f"redact without {name}", replace(rule, redact=tuple(other for other in rule.redact if other != name))
    more = [name for name in CONTENT_FIELDS if name not in rule.redact]
    if rule.redact and more:
        yield f"redact with {more[0]}", replace(rule, redact=(*rule.redact, more[0]))


def _get_other_number(approvals: int) -> int:
    return 1 if approvals > 1 else APPROVALS_MAX


def _mutate_exception(rule: Rule, pack: Pack, allowed: _AllowedValues) -> Iterator[tuple[str, Rule]]:
    """Yield the rule with another exception. What extends an exception permits more."""
    exception = rule.exception
    if exception is None:
        return
    yield "exception removed", replace(rule, exception=None)
    for role in pack.approvers:
        if role != exception.approver:
            yield f"exception approver {role}", replace(rule, exception=replace(exception, approver=role))
    approvals = _get_other_number(exception.approvals)
    yield f"exception approvals {approvals}", replace(rule, exception=replace(exception, approvals=approvals))
    for change, when in _mutate_when(exception.when, replace(allowed, is_permission=True)):
        if when.parts:  # the pack reader refuses an exception that always applies
            yield f"exception {change}", replace(rule, exception=replace(exception, when=when))


# --- When ---


def _mutate_when(when: Conjunction, allowed: _AllowedValues) -> Iterator[NamedConjunction]:
    """Yield the conjunction with one change, at any depth."""
    for index, (name, part) in enumerate(_iter_named_parts(when)):
        before, after = when.parts[:index], when.parts[index + 1 :]
        yield f"{name} removed", Conjunction((*before, *after))
        changed: Iterable[tuple[str, ConjunctionPart]] = (
            _mutate_test(name, part, allowed)
            if isinstance(part, FactTest)
            else _mutate_alternatives(name, part, allowed)
        )
        for change, mutated in changed:
            yield change, Conjunction((*before, mutated, *after))


def _iter_named_parts(when: Conjunction) -> Iterator[tuple[str, ConjunctionPart]]:
    """Yield each part with a name: its fact, numbered if the conjunction tests a fact several times."""
    counts: Counter[str] = Counter()
    for part in when.parts:
        name = part.fact if isinstance(part, FactTest) else "any_of"
        counts[name] += 1
        yield name if counts[name] == 1 else f"{name}#{counts[name]}", part


def _mutate_alternatives(name: str, part: AnyOf, allowed: _AllowedValues) -> Iterator[tuple[str, AnyOf]]:
    for index, alternative in enumerate(part.alternatives):
        before, after = part.alternatives[:index], part.alternatives[index + 1 :]
        if before or after:
            yield f"{name}.{index} removed", AnyOf((*before, *after))
        for change, mutated in _mutate_when(alternative, allowed):
            if mutated.parts:  # the pack reader refuses an empty alternative
                yield f"{name}.{index}.{change}", AnyOf((*before, mutated, *after))


def _mutate_test(name: str, test: FactTest, allowed: _AllowedValues) -> Iterator[tuple[str, FactTest]]:
    yield f"{name} negated", replace(test, negated=not test.negated)
    if not isinstance(test.operand, frozenset):
        for bound in (test.operand - 1, test.operand + 1):
            yield f"{name} {bound:g}", replace(test, operand=bound)
        return
    if len(test.operand) > 1:
        for value in sorted(test.operand):
            yield f"{name} without {value}", replace(test, operand=test.operand - {value})
    more = sorted(allowed.list_values(test) - test.operand)
    permits_more = allowed.is_permission is not test.negated
    for value in more if permits_more else more[:1]:
        yield f"{name} with {value}", replace(test, operand=test.operand | {value})
    if FACTS[test.fact].kind is FactKind.SET and len(test.operand) > 1:
        other = Operator.ANY_OF if test.operator is Operator.INCLUDES else Operator.INCLUDES
        yield f"{name} {other} instead of {test.operator}", replace(test, operator=other)
