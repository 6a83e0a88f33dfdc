"""What can go wrong in a pack by one slip of the pen: each rule changed in one place, and nothing else.

A slip that no pack could hold, because the reader refuses it, or that says the same in other words (`includes` of
one value is `is` of it) is left out.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sharing.law.constraints import AnyOf, Conjunction, Operator, Test
from sharing.law.facts import FACTS, NONE, FactKind
from sharing.law.pack import Pack, Rule
from sharing.law.redact import CONTENT_FIELDS
from sharing.law.treaties import Period, TreatyTable
from sharing.model.countries import COUNTRIES
from sharing.model.vocabulary import ConditionKind, Effect

DAY = dt.timedelta(days=1)
ANOTHER_STATE = ("DE", "FR", "NL")
"""Where States are listed, one more: the first of these that is neither listed nor the pack's own."""

Part = Test | AnyOf
Named = tuple[str, Conjunction]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule with one slip.

    Attributes:
        original: The rule as it stands.
        change: What is different, in words: with the rule's name it names the mutant.
        rule: The rule with the slip; None where it is left out of the pack.
    """

    original: Rule
    change: str
    rule: Rule | None


@dataclass(frozen=True, slots=True)
class _Known:
    """What a rule may list.

    Attributes:
        permits: Whether a longer list lets more through; then every value is tried, else one.
        state: Whose pack it is.
        instruments: Treaties, its own agreements among them.
        preferred: Those that may be chosen as a basis.
    """

    permits: bool
    state: str
    instruments: frozenset[str]
    preferred: frozenset[str]

    @classmethod
    def of(cls, rule: Rule, pack: Pack, treaties: TreatyTable) -> _Known:
        """Return it for one rule."""
        instruments = frozenset((*treaties.instruments, *pack.bilateral))
        return cls(rule.effect is Effect.PERMIT, pack.state, instruments, frozenset(pack.treaty_preference))

    def values(self, test: Test) -> frozenset[str]:
        """Return the values that a test may list; of the States, those listed and one more."""
        values = FACTS[test.fact].values
        if values >= COUNTRIES and isinstance(test.operand, frozenset):
            more = next(state for state in ANOTHER_STATE if state not in {self.state, *test.operand})
            return (values & {NONE}) | test.operand | {more}
        if test.fact == "treaty_basis":
            return self.preferred | {NONE}
        return values or self.instruments


def mutants_of(rule: Rule, pack: Pack, treaties: TreatyTable) -> list[Mutant]:
    """Return every mutant of a rule, each under a name of its own."""
    known = _Known.of(rule, pack, treaties)
    found = [
        Mutant(rule, "removed", None),
        *(Mutant(rule, change, mutated) for change, mutated in _effects(rule)),
        *(Mutant(rule, f"when {change}", replace(rule, when=when)) for change, when in _whens(rule.when, known)),
        *(Mutant(rule, change, replace(rule, valid=valid)) for change, valid in _periods(rule.valid)),
        *(Mutant(rule, change, mutated) for change, mutated in _needs(rule, pack)),
    ]
    twice = [change for change, count in Counter(mutant.change for mutant in found).items() if count > 1]
    assert not twice, f"{rule.id}: several mutants are called {twice}"
    return found


def _effects(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Yield the rule with each other effect that takes nothing."""
    bare = replace(rule, approver=None, condition=None, redact=())
    for effect in (Effect.DENY, Effect.PERMIT, Effect.OBLIGE, Effect.RECORD):
        if effect is not rule.effect:
            yield f"effect {effect}", replace(bare, effect=effect)


def _periods(valid: Period) -> Iterator[tuple[str, Period]]:
    moved = [("from a day earlier", replace(valid, start=valid.start - DAY))]
    moved.append(("from a day later", replace(valid, start=valid.start + DAY)))
    if valid.end is not None:
        moved.append(("to a day earlier", replace(valid, end=valid.end - DAY)))
        moved.append(("to a day later", replace(valid, end=valid.end + DAY)))
        moved.append(("to removed", replace(valid, end=None)))
    return ((change, period) for change, period in moved if period.end is None or period.start <= period.end)


def _needs(rule: Rule, pack: Pack) -> Iterator[tuple[str, Rule]]:
    for role in pack.approvers:
        if rule.approver and role != rule.approver:
            yield f"approver {role}", replace(rule, approver=role)
    if rule.condition is not None:
        yield "condition removed", replace(rule, condition=None)
        kind = next(kind for kind in ConditionKind if kind is not rule.condition.kind)
        yield f"condition kind {kind}", replace(rule, condition=replace(rule.condition, kind=kind))
        yield "condition text", replace(rule, condition=replace(rule.condition, text="Invented."))
    for name in rule.redact:
        yield f"redact without {name}", replace(rule, redact=tuple(one for one in rule.redact if one != name))
    more = [name for name in CONTENT_FIELDS if name not in rule.redact]
    if rule.redact and more:
        yield f"redact with {more[0]}", replace(rule, redact=(*rule.redact, more[0]))


# --- When ---


def _whens(when: Conjunction, known: _Known) -> Iterator[Named]:
    """Yield a conjunction with one slip, at any depth."""
    for index, (name, part) in enumerate(_names(when)):
        before, after = when.parts[:index], when.parts[index + 1 :]
        yield f"{name} removed", Conjunction((*before, *after))
        changed: Iterable[tuple[str, Part]] = (
            _tests(name, part, known) if isinstance(part, Test) else _alternatives(name, part, known)
        )
        for change, mutated in changed:
            yield change, Conjunction((*before, mutated, *after))


def _names(when: Conjunction) -> Iterator[tuple[str, Part]]:
    """Yield each part with a name: its fact, and which of several tests on that fact it is."""
    seen: Counter[str] = Counter()
    for part in when.parts:
        name = part.fact if isinstance(part, Test) else "any_of"
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}#{seen[name]}", part


def _alternatives(name: str, part: AnyOf, known: _Known) -> Iterator[tuple[str, AnyOf]]:
    for index, alternative in enumerate(part.alternatives):
        before, after = part.alternatives[:index], part.alternatives[index + 1 :]
        if before or after:
            yield f"{name}.{index} removed", AnyOf((*before, *after))
        for change, mutated in _whens(alternative, known):
            if mutated.parts:  # an empty alternative is refused
                yield f"{name}.{index}.{change}", AnyOf((*before, mutated, *after))


def _tests(name: str, test: Test, known: _Known) -> Iterator[tuple[str, Test]]:
    yield f"{name} negated", replace(test, negated=not test.negated)
    if not isinstance(test.operand, frozenset):
        for bound in (test.operand - 1, test.operand + 1):
            yield f"{name} {bound:g}", replace(test, operand=bound)
        return
    if len(test.operand) > 1:
        for value in sorted(test.operand):
            yield f"{name} without {value}", replace(test, operand=test.operand - {value})
    more = sorted(known.values(test) - test.operand)
    lets_through = known.permits is not test.negated
    for value in more if lets_through else more[:1]:
        yield f"{name} with {value}", replace(test, operand=test.operand | {value})
    if FACTS[test.fact].kind is FactKind.SEVERAL and len(test.operand) > 1:
        other = Operator.ANY_OF if test.operator is Operator.INCLUDES else Operator.INCLUDES
        yield f"{name} {other} instead of {test.operator}", replace(test, operator=other)
