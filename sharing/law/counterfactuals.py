"""Finds which missing facts would change an outcome if they were known: the smallest sets, and the resulting outcome.

Knowing more facts can decide only rules that were undecided, or whose exception was, so only these rules are evaluated
again. An item that is withheld is sent only if every undecided restriction is decided and a permission holds. The
search therefore skips a set of facts that cannot decide one of the restrictions, or that cannot complete any
permission. An item that is held because it is unknown whether an exception lifts a rule is sent or withheld once that
is known. Values that no undecided rule distinguishes are tried once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import assert_never

from sharing.law.combination import RuleResult, combine_results
from sharing.law.constraints import FactTest
from sharing.law.fact_values import FactValue
from sharing.law.facts import FACTS, FactKind
from sharing.law.filter import DisclosureFilter, RecipientProfile
from sharing.law.pack import Rule
from sharing.law.rulebook import evaluate_rule
from sharing.law.search.fact_sets import CODES, DETERMINED_BY, FactMasks, FactNames, FactSetSearch, StepLimit
from sharing.law.treaty_basis import TreatyBasis
from sharing.model.decision import RecipientDecision
from sharing.model.effects import FORBIDDING_EFFECTS, RESTRICTING_EFFECTS
from sharing.model.vocabulary import Outcome

COUNTERFACTUALS_MAX = 500
"""Maximum number of counterfactuals returned."""

STEPS_MAX = 20_000
"""The search stops after this many steps (sets and values tried), with the results so far: about 0.3 seconds."""

ValueClass = tuple[object, ...]
"""The answers of the tests on one fact: no undecided rule distinguishes values of the same class."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The outcome if some missing facts had these values."""

    facts: tuple[tuple[str, str], ...]
    outcome: str


def find_counterfactuals(
    disclosure_filter: DisclosureFilter,
    facts: Mapping[str, FactValue],
    results: Sequence[RuleResult],
    decision: RecipientDecision,
) -> tuple[Counterfactual, ...]:
    """Return the smallest sets of missing facts that would change a State's outcome, with the values that change it.

    Args:
        disclosure_filter: The disclosure filter of the day.
        facts: All facts of the item, the recipient and the decision.
        results: The rules that hold or are undecided with these facts.
        decision: The decision for the State.
    """
    # More facts cannot release an item that a rule forbids, and they do not help without a known treaty basis.
    if any(result.effect in FORBIDDING_EFFECTS for result in results) or decision.condition_model is None:
        return ()
    match decision.outcome:
        case Outcome.WITHHOLD:
            pass
        case Outcome.HOLD:  # only the exceptions that are asked for can change it
            results = [result for result in results if result.effect is not None]
        case Outcome.DISCLOSE | Outcome.OFFER:  # more facts cannot withhold what is sent
            return ()
        case _:
            assert_never(decision.outcome)
    smallest = _find_smallest_sets(disclosure_filter, facts, results, decision)
    return tuple(islice(smallest, COUNTERFACTUALS_MAX))


def _find_smallest_sets(
    disclosure_filter: DisclosureFilter,
    facts: Mapping[str, FactValue],
    results: Sequence[RuleResult],
    decision: RecipientDecision,
) -> Iterator[Counterfactual]:
    """Yield the counterfactuals of the smallest size at which there are any."""
    undecided = list(filter(_is_open, results))
    values = _list_possible_values(disclosure_filter, undecided)
    masks = FactMasks(tuple(values), undecided)
    steps = StepLimit(STEPS_MAX)
    search = FactSetSearch(masks, facts, results, steps)
    trial = _ValueTrial(disclosure_filter, facts, results, decision, values, masks, steps)
    for size in range(1, len(masks.names) + 1):
        found = False
        for names in search.iter_sets(size):
            for counterfactual in trial.try_set(names):
                found = True
                yield counterfactual
        if found:
            return


class _ValueTrial:
    """Tries the values of a set of missing facts, one value of each class."""

    def __init__(
        self, disclosure_filter: DisclosureFilter, facts: Mapping[str, FactValue], results: Sequence[RuleResult],
        decision: RecipientDecision, values: Mapping[str, Sequence[FactValue]], masks: FactMasks, steps: StepLimit,
    ) -> None:  # fmt: skip
        self._disclosure_filter = disclosure_filter
        self._facts = facts
        self._state = decision.state
        self._basis = TreatyBasis(decision.basis, decision.condition_model)
        self._outcome = decision.outcome
        self._held = [result for result in results if not _is_open(result)]
        self._undecided_rules = [result.rule for result in results if _is_open(result)]
        self._masks = masks
        self._steps = steps
        self._classified_values = {
            name: [(value, self._classify_value(name, value)) for value in fact_values]
            for name, fact_values in values.items()
        }

    def try_set(self, names: FactNames) -> Iterator[Counterfactual]:
        """Yield the values of a set of facts that change the outcome."""
        outcomes: dict[tuple[ValueClass, ...], Outcome] = {}
        self._try_classes({}, names, (), self._undecided_rules, [], outcomes)
        prefixes = {classes[:length] for classes in outcomes for length in range(1, len(names) + 1)}

        def expand(known: tuple[tuple[str, str], ...], classes: tuple[ValueClass, ...]) -> Iterator[Counterfactual]:
            if len(known) == len(names):
                yield Counterfactual(known, str(outcomes[classes]))
                return
            name = names[len(known)]
            for value, value_class in self._classified_values[name]:
                extended = (*classes, value_class)
                if extended in prefixes:
                    yield from expand((*known, (name, format_fact_value(value))), extended)

        yield from expand((), ())

    def _try_classes(
        self, known: dict[str, FactValue], names: FactNames, classes: tuple[ValueClass, ...],
        undecided: Sequence[Rule], held: Sequence[RuleResult], outcomes: dict[tuple[ValueClass, ...], Outcome],
    ) -> None:  # fmt: skip
        """Record the outcome for each combination of value classes of the facts that are not known yet."""
        index = len(known)
        if index == len(names):
            outcome = combine_results(self._state, [*self._held, *held], self._find_basis(known), ()).outcome
            if outcome is not self._outcome:
                outcomes[classes] = outcome
            return
        remaining_facts = sum(self._masks.bits[name] for name in names[index + 1 :])
        for value_class, value in self._pick_representatives(names[index]).items():
            if not self._steps.take_step():
                return
            trial = {**known, names[index]: value}
            evaluated = self._evaluate_undecided(trial, undecided, remaining_facts)
            if evaluated is not None:
                still_undecided, now_held = evaluated
                self._try_classes(trial, names, (*classes, value_class), still_undecided, [*held, *now_held], outcomes)
            elif self._outcome is not Outcome.WITHHOLD and not remaining_facts:
                outcomes[*classes, value_class] = Outcome.WITHHOLD

    def _evaluate_undecided(
        self, known: Mapping[str, FactValue], undecided: Sequence[Rule], remaining_facts: int
    ) -> tuple[list[Rule], list[RuleResult]] | None:
        """Return the rules that stay undecided and those that hold; None if the item is certainly withheld."""
        facts = {**self._facts, **known}
        if self._changes_recipient(known):
            facts |= {**self._profile_recipient(known).facts, **known}
        still_undecided, now_held = [], []
        for rule in undecided:
            result = _evaluate_rule(rule, facts)
            if result is None:
                continue
            can_be_decided = bool(self._masks.deciding[rule.id] & remaining_facts)
            if result.effect is None and rule.effect in RESTRICTING_EFFECTS and not can_be_decided:
                return None
            if result.effect in FORBIDDING_EFFECTS:
                return None
            if result.effect is None or (result.lifted is None and can_be_decided):
                still_undecided.append(rule)
            else:
                now_held.append(result)
        return still_undecided, now_held

    def _pick_representatives(self, name: str) -> dict[ValueClass, FactValue]:
        """Return the first value of each class of a fact's values."""
        return {value_class: value for value, value_class in reversed(self._classified_values[name])}

    def _classify_value(self, name: str, value: FactValue) -> ValueClass:
        tests = dict.fromkeys(test for rule in self._undecided_rules for test in rule.iter_tests() if test.fact == name)
        return (*(_answer_test(test, value) for test in tests), *self._classify_for_recipient(name, value))

    def _classify_for_recipient(self, name: str, value: FactValue) -> ValueClass:
        """Return what distinguishes the values of a fact of the item for the facts about the recipient."""
        if name not in self._disclosure_filter.recipient_inputs:
            return ()
        scope_tests = (test for test in self._disclosure_filter.scope_tests if test.fact == name)
        answers = tuple(_answer_test(test, value) for test in scope_tests)
        if name == "source.authority":
            return (value,)
        if name != CODES:
            return answers
        facts = self._profile_recipient({name: value}).facts
        codes = value if isinstance(value, frozenset) else frozenset()
        authorities = self._disclosure_filter.authorities.get(self._state, ())
        competent = tuple(not codes.isdisjoint(authority.competence.offences) for authority in authorities)
        return (*answers, *competent, *(facts[determined] for determined in DETERMINED_BY))

    def _changes_recipient(self, known: Mapping[str, FactValue]) -> bool:
        return not self._disclosure_filter.recipient_inputs.isdisjoint(known)

    def _profile_recipient(self, known: Mapping[str, FactValue]) -> RecipientProfile:
        """Return the facts about the recipient as they would be if some facts of the item were known."""
        named = self._facts["recipient.named"] == "YES"
        return self._disclosure_filter.profile_recipient(self._state, {**self._facts, **known}, named=named)

    def _find_basis(self, known: Mapping[str, FactValue]) -> TreatyBasis:
        return self._profile_recipient(known).basis if self._changes_recipient(known) else self._basis


def _list_possible_values(
    disclosure_filter: DisclosureFilter, undecided: Sequence[RuleResult]
) -> dict[str, Sequence[FactValue]]:
    """Return the missing facts of undecided rules, sorted by name, each with the values to try.

    These are all values of the fact, or those that the rules in force can distinguish.
    """
    missing = sorted({name for result in undecided for name in result.missing if name in FACTS})
    return {name: values for name in missing if (values := _list_values_of(disclosure_filter, name))}


def _list_values_of(disclosure_filter: DisclosureFilter, name: str) -> Sequence[FactValue]:
    fact = FACTS[name]
    rule_tests = (test for rule in disclosure_filter.rules for test in rule.iter_tests())
    operands = {test.operand for test in (*rule_tests, *disclosure_filter.scope_tests) if test.fact == name}
    if fact.kind is FactKind.NUMBER:
        return sorted({0.0, *(operand for operand in operands if isinstance(operand, float))})
    if fact.kind is FactKind.SET:
        tested_sets = (operand for operand in operands if isinstance(operand, frozenset))
        sets = {frozenset(), *tested_sets, *(frozenset({value}) for value in fact.values)}
        return sorted(sets, key=lambda values: (len(values), sorted(values)))
    return sorted(fact.values)


def format_fact_value(value: FactValue) -> str:
    """Return a fact's value as text."""
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_open(result: RuleResult) -> bool:
    """Return whether more facts can decide a rule, or whether its exception lifts it."""
    return result.effect is None or result.lifted is None


def _evaluate_rule(rule: Rule, facts: Mapping[str, FactValue]) -> RuleResult | None:
    try:
        return evaluate_rule(rule, facts)
    except Exception:  # noqa: BLE001 undecided, as in the filter
        return RuleResult(rule, held=None)


def _answer_test(test: FactTest, value: FactValue) -> bool | str | None:
    try:
        return test.evaluate({test.fact: value})
    except TypeError:
        return "error"
