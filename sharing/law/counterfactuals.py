"""Which missing facts, if they were known, would change an outcome: the smallest sets of them, and to what.

Knowing more decides only rules that were undecided, so only these are looked at again. An outcome changes when every
undecided restriction is decided and a permission holds; a set of facts that leaves one restriction untouched, or a
part of every permission, is passed over unseen. Values that no undecided rule tells apart are tried once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from sharing.law.combine import RESTRICTIONS, RuleFinding, combine
from sharing.law.constraints import Test
from sharing.law.facts import FACTS, FactKind, FactValue
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Rule
from sharing.law.recipients import TreatyBasis
from sharing.model.decision import RecipientDecision
from sharing.model.vocabulary import Effect, Outcome

CHANGES_MAX = 500
"""How many are told."""

STEPS_MAX = 20_000
"""After how many sets and values looked at the search ends, with what it has found: about a third of a second."""

_CODES, _DUAL = "offence.codes", "recipient.dual_criminality"

Names = tuple[str, ...]
Class = tuple[object, ...]
"""How the tests on one fact come out: values of one class are alike to every undecided rule."""


@dataclass(frozen=True, slots=True)
class FactChange:
    """What would come of it if some missing facts were known."""

    facts: tuple[tuple[str, str], ...]
    outcome: str


def find_fact_changes(
    law: DisclosureFilter, facts: Mapping[str, FactValue], findings: Sequence[RuleFinding], decision: RecipientDecision
) -> tuple[FactChange, ...]:
    """Return the smallest sets of missing facts that would change a State's outcome, with the values that would.

    Args:
        law: The disclosure filter of the day.
        facts: All facts of the item, the recipient and the moment.
        findings: The rules that hold or are undecided under them.
        decision: What the State gets.
    """
    denied = any(finding.held and finding.rule.effect is Effect.DENY for finding in findings)
    # What leaves does so whatever else becomes known, and what is forbidden stays so.
    if decision.outcome is not Outcome.WITHHOLD or denied or decision.condition_model is None:
        return ()
    return tuple(islice(_Search(law, facts, findings, decision).run(), CHANGES_MAX))


class _Search:
    """Over sets of missing facts, as bits in the order of their names; smallest first."""

    def __init__(
        self, law: DisclosureFilter, facts: Mapping[str, FactValue], findings: Sequence[RuleFinding],
        decision: RecipientDecision,
    ) -> None:  # fmt: skip
        self._law = law
        self._facts = facts
        self._state = decision.state
        self._basis = TreatyBasis(decision.basis, decision.condition_model)
        self._held = [finding for finding in findings if finding.held]
        undecided = [finding for finding in findings if finding.held is None]
        self._undecided = [finding.rule for finding in undecided]
        self._steps = 0
        missing = sorted({name for finding in undecided for name in finding.missing if name in FACTS})
        self._values = {name: values for name in missing if (values := self._possible(name))}
        self._names = tuple(self._values)
        self._kinds = {
            name: [(value, self._class(name, value)) for value in self._values[name]] for name in self._names
        }
        self._touches = {finding.rule.id: self._touching(finding) for finding in undecided}
        self._needs = self._find_needs(undecided)

    def run(self) -> Iterator[FactChange]:
        """Yield the changes of the smallest size at which there are any."""
        for size in range(1, len(self._names) + 1):
            found = False
            for chosen in self._sets(size, 0, 0):
                for change in self._changes(tuple(self._names[place] for place in _places(chosen))):
                    found = True
                    yield change
            if found:
                return

    # --- Sets of facts ---

    def _sets(self, size: int, start: int, chosen: int) -> Iterator[int]:
        """Yield the sets that could change the outcome, with `size` facts more than are chosen, in order."""
        if size == 0:
            yield chosen
            return
        for place in range(start, len(self._names) - size + 1):
            if self._is_spent():
                return
            within = chosen | 1 << place
            if self._fewest(within, within | (-1 << place + 1)) < size:
                yield from self._sets(size - 1, place + 1, within)

    def _fewest(self, chosen: int, allowed: int) -> int:
        """Return how many facts more it takes at least; more than there are when `allowed` ones cannot do it."""
        return min((self._fewest_for(need, chosen, allowed) for need in self._needs), default=len(self._names) + 1)

    def _fewest_for(self, need: Sequence[int], chosen: int, allowed: int) -> int:
        used, count = 0, 0
        for mask in need:
            if mask & chosen:
                continue
            if not mask & allowed:
                return len(self._names) + 1
            if not mask & used:  # those that share no fact each need one of their own
                used |= mask
                count += 1
        return count

    def _find_needs(self, undecided: Sequence[RuleFinding]) -> list[list[int]]:
        """Return the ways in which the outcome could change; in each, of every mask one fact must be known."""
        blocking = [self._touches[finding.rule.id] for finding in undecided if finding.rule.effect in RESTRICTIONS]
        if any(finding.rule.effect is Effect.PERMIT for finding in self._held):
            ways: list[list[int]] = [[]]
        else:
            permits = (finding for finding in undecided if finding.rule.effect is Effect.PERMIT)
            ways = [self._parts(finding) for finding in permits]
        return [sorted([*blocking, *way], key=int.bit_count) for way in ways]

    def _parts(self, finding: RuleFinding) -> list[int]:
        """Return for each undecided part of a rule the facts of which one at least must be known if it is to hold."""
        if not FACTS.keys() >= set(finding.missing):
            return []  # its evaluation failed; what would mend it is not known
        parts = (part for part in finding.rule.when.parts if part.evaluate(self._facts) is None)
        return [self._mask(part.missing(self._facts)) for part in parts]

    def _touching(self, finding: RuleFinding) -> int:
        """Return the facts that could decide an undecided rule."""
        if not FACTS.keys() >= set(finding.missing):
            return -1
        return self._mask(finding.missing)

    def _mask(self, names: Iterator[str] | Names) -> int:
        mask = 0
        for name in names:
            for known_by in (name, _CODES) if name == _DUAL else (name,):
                if known_by in self._values:
                    mask |= 1 << self._names.index(known_by)
        return mask

    def _is_spent(self) -> bool:
        self._steps += 1
        return self._steps > STEPS_MAX

    # --- Values ---

    def _changes(self, names: Names) -> Iterator[FactChange]:
        """Yield the values of some facts with which the outcome is another."""
        outcomes: dict[tuple[Class, ...], Outcome] = {}
        bits = [1 << self._names.index(name) for name in names]
        self._try({}, names, (), bits, self._undecided, [], outcomes)
        prefixes = {classes[:length] for classes in outcomes for length in range(1, len(names) + 1)}

        def tell(known: tuple[tuple[str, str], ...], classes: tuple[Class, ...]) -> Iterator[FactChange]:
            if len(known) == len(names):
                yield FactChange(known, str(outcomes[classes]))
                return
            name = names[len(known)]
            for value, kind in self._kinds[name]:
                further = (*classes, kind)
                if further in prefixes:
                    yield from tell((*known, (name, shown(value))), further)

        yield from tell((), ())

    def _try(
        self, known: dict[str, FactValue], names: Names, classes: tuple[Class, ...], bits: Sequence[int],
        undecided: Sequence[Rule], held: Sequence[RuleFinding], outcomes: dict[tuple[Class, ...], Outcome],
    ) -> None:  # fmt: skip
        """Put down what comes of each class of values of the facts that are not known yet."""
        place = len(known)
        if place == len(names):
            outcome = combine(self._state, [*self._held, *held], self._basis, ()).outcome
            if outcome is not Outcome.WITHHOLD:
                outcomes[classes] = outcome
            return
        rest = sum(bits[place + 1 :])
        for kind, value in self._first_of_each(names[place]).items():
            if self._is_spent():
                return
            trial = {**known, names[place]: value}
            decided = self._decide(trial, undecided, rest)
            if decided is not None:
                open_rules, now_held = decided
                self._try(trial, names, (*classes, kind), bits, open_rules, [*held, *now_held], outcomes)

    def _decide(
        self, known: Mapping[str, FactValue], undecided: Sequence[Rule], rest: int
    ) -> tuple[list[Rule], list[RuleFinding]] | None:
        """Return the rules that stay undecided and those that hold; None when it comes to nothing."""
        facts = {**self._facts, **known}
        if _CODES in known and _DUAL not in known:
            facts[_DUAL] = self._dual(known[_CODES])
        open_rules, held = [], []
        for rule in undecided:
            answer = _evaluate(rule, facts)
            if answer is None:
                if rule.effect in RESTRICTIONS and not self._touches[rule.id] & rest:
                    return None
                open_rules.append(rule)
            elif answer:
                if rule.effect is Effect.DENY:
                    return None
                held.append(RuleFinding(rule, held=True))
        return open_rules, held

    def _first_of_each(self, name: str) -> dict[Class, FactValue]:
        """Return each class of a fact's values with one of them."""
        return {kind: value for value, kind in reversed(self._kinds[name])}

    def _class(self, name: str, value: FactValue) -> Class:
        tests = dict.fromkeys(test for rule in self._undecided for test in rule.when.tests() if test.fact == name)
        there = (self._dual(value),) if name == _CODES else ()
        return (*(_compare(test, value) for test in tests), *there)

    def _dual(self, codes: FactValue) -> FactValue:
        named = self._facts["recipient.named"] == "YES"
        return self._law.profile(self._state, codes, named=named).facts[_DUAL]

    def _possible(self, name: str) -> Sequence[FactValue]:
        """Return the values of a fact that the rules in force can tell apart, and those that they cannot."""
        fact = FACTS[name]
        asked = {test.operand for rule in self._law.rules for test in rule.when.tests() if test.fact == name}
        if fact.kind is FactKind.NUMBER:
            return sorted({0.0, *(operand for operand in asked if isinstance(operand, float))})
        if fact.kind is FactKind.SEVERAL:
            together = (operand for operand in asked if isinstance(operand, frozenset))
            sets = {frozenset(), *together, *(frozenset({value}) for value in fact.values)}
            return sorted(sets, key=lambda values: (len(values), sorted(values)))
        return sorted(fact.values)


def shown(value: FactValue) -> str:
    """Return a fact's value as it is told."""
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _places(chosen: int) -> Iterator[int]:
    return (place for place in range(chosen.bit_length()) if chosen >> place & 1)


def _evaluate(rule: Rule, facts: Mapping[str, FactValue]) -> bool | None:
    try:
        return rule.when.evaluate(facts)
    except TypeError:
        return None  # as the filter takes it: undecided


def _compare(test: Test, value: FactValue) -> bool | str | None:
    try:
        return test.evaluate({test.fact: value})
    except TypeError:
        return "error"
