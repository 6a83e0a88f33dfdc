"""Evaluates the rules in force on a day: for one item and one recipient, or for one item and many recipients.

A rule depends on a recipient only through its few tests on recipients. For one item, each rule is therefore evaluated
once for each combination of answers to these tests, and a rule that tests only the item is evaluated once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sharing.law.combination import RuleResult
from sharing.law.constraints import Conjunction, FactTest, Operator
from sharing.law.fact_values import Facts
from sharing.law.facts import FACTS, FactScope
from sharing.law.pack import EMERGENCY_TEST, Rule
from sharing.model.effects import obliges
from sharing.model.recipient_terms import EVALUATION_FAILED

Answers = tuple[Hashable, ...]
"""A recipient's answers to every test on recipients, in the order of the rule book."""


class IndexedRule(NamedTuple):
    """A rule, with everything that can be prepared before an item is known.

    Attributes:
        item_condition: The parts that test only the item.
        pick_answers: Picks the answers to the rule's own tests on recipients; None if it has none.
        mandatory_recipients: The States that it names as mandatory recipients.
    """

    rule: Rule
    item_condition: Conjunction
    pick_answers: Callable[[Answers], Any] | None
    mandatory_recipients: tuple[str, ...]

    def is_excluded_by(self, item: Facts) -> bool:
        """Return whether the item alone rules the rule out; a part whose evaluation fails does not."""
        try:
            return self.item_condition.evaluate(item) is False
        except Exception:  # noqa: BLE001 evaluated again, and counted, with the facts of the recipient
            return False


class RuleBook:
    """Rules, indexed for evaluation.

    Args:
        rules: The rules, sorted by id.
        errors: Counts, for each rule, how often its evaluation failed; such a rule is undecided.

    Attributes:
        rules: The rules, sorted by id.
        tests: The distinct tests of all rules and their exceptions.
    """

    def __init__(self, rules: Sequence[Rule], errors: dict[str, int]) -> None:
        self.rules = tuple(rules)
        self.tests = tuple(dict.fromkeys(test for rule in rules for test in rule.iter_tests()))
        self._errors = errors
        self._recipient_tests = tuple(test for test in self.tests if not _tests_item(test))
        positions = {test: position for position, test in enumerate(self._recipient_tests)}
        self._indexed_rules = tuple(_index_rule(rule, positions) for rule in rules)

    def answer_recipient_tests(self, facts: Facts) -> Answers:
        """Return the answers to all tests on recipients; the answer of a failed test includes the offending value."""
        return tuple([_answer_test(test, facts) for test in self._recipient_tests])

    def evaluate_rules(self, facts: Facts) -> list[RuleResult]:
        """Return the rules that hold or cannot be decided, sorted by id."""
        results = (self.evaluate_rule(rule, facts) for rule in self.rules)
        return [result for result in results if result is not None]

    def evaluate_rule(self, rule: Rule, facts: Facts) -> RuleResult | None:
        """Return the result of a rule, or None if it does not hold.

        A failed evaluation, of the rule or of its exception, is counted; the rule is then undecided and not lifted.
        """
        try:
            return evaluate_rule(rule, facts)
        except Exception:  # noqa: BLE001 a rule whose evaluation fails for any reason counts as undecided
            self._errors[rule.id] = self._errors.get(rule.id, 0) + 1
            return RuleResult(rule, None, (EVALUATION_FAILED,))

    def narrow_to_item(self, item: Facts) -> ItemRules:
        """Return the rules to the extent that an item leaves them open."""
        remaining: list[RuleResult | _RecipientDependentRule] = []
        for indexed in self._indexed_rules:
            if indexed.pick_answers is None:
                result = self.evaluate_rule(indexed.rule, item)
                if result is not None:
                    remaining.append(result)
            elif not indexed.is_excluded_by(item):
                remaining.append(
                    _RecipientDependentRule(indexed.rule, indexed.pick_answers, indexed.mandatory_recipients, {}, {})
                )
        return ItemRules(self, item, remaining)


def _index_rule(rule: Rule, positions: Mapping[FactTest, int]) -> IndexedRule:
    """Return a rule with everything that can be prepared.

    Args:
        rule: The rule.
        positions: The position of each test on recipients among the answers.
    """
    picked = sorted({positions[test] for test in rule.iter_tests() if test in positions})
    item_parts = tuple(part for part in rule.when.parts if all(_tests_item(test) for test in part.iter_tests()))
    return IndexedRule(
        rule, Conjunction(item_parts), itemgetter(*picked) if picked else None, list_mandatory_recipients(rule)
    )


class _RecipientDependentRule(NamedTuple):
    """A rule that the item does not decide alone, with its results so far. It lives as long as one decision.

    Attributes:
        pick_answers: Picks the answers to the rule's own tests on recipients.
        mandatory_recipients: The States that it names as mandatory recipients.
        results: By the picked answers; None if the rule does not hold.
        distinct: The same results by their content, so that equal ones are one object.
    """

    rule: Rule
    pick_answers: Callable[[Answers], Any]
    mandatory_recipients: tuple[str, ...]
    results: dict[Any, RuleResult | None]
    distinct: dict[tuple[object, ...] | None, RuleResult | None]


class ItemRules:
    """The rules for one item: results that are the same for every recipient, and rules that depend on the recipient."""

    def __init__(self, book: RuleBook, item: Facts, remaining: list[RuleResult | _RecipientDependentRule]) -> None:
        self._book = book
        self._item = item
        self._remaining = remaining

    def evaluate_recipient(self, answers: Answers, recipient: Facts) -> list[RuleResult]:
        """Return the rules that hold or cannot be decided for a recipient, sorted by id.

        Equal results are the same object, so that terms can be cached by the identity of the results.
        """
        results = []
        facts: Facts = {}
        for remaining in self._remaining:
            if isinstance(remaining, RuleResult):
                results.append(remaining)
                continue
            key = remaining.pick_answers(answers)
            try:
                result = remaining.results[key]
            except KeyError:
                facts = facts or {**self._item, **recipient}
                result = remaining.results[key] = self._evaluate_dependent_rule(remaining, facts)
            if result is not None:
                results.append(result)
        return results

    def _evaluate_dependent_rule(self, rule: _RecipientDependentRule, facts: Facts) -> RuleResult | None:
        result = self._book.evaluate_rule(rule.rule, facts)
        return rule.distinct.setdefault(
            None if result is None else (result.held, result.lifted, result.missing), result
        )

    def list_obligations(self) -> Iterator[tuple[Rule, str]]:
        """Yield the rules that may oblige the State to send, each with a State that it names as recipient."""
        for remaining in self._remaining:
            if isinstance(remaining, _RecipientDependentRule):
                for state in remaining.mandatory_recipients:
                    yield remaining.rule, state


def evaluate_rule(rule: Rule, facts: Facts) -> RuleResult | None:
    """Return the result of a rule, or None if it does not hold.

    Raises:
        TypeError: A fact has a value that a test cannot compare; the rule is then undecided.
    """
    when, exception = rule.when, rule.exception
    held = when.evaluate(facts)
    if held is False:
        return None
    if exception is None:
        if held:
            return RuleResult(rule, held)
        asks = rule.asks_undecided and EMERGENCY_TEST.evaluate(facts)
        return RuleResult(rule, held, tuple(dict.fromkeys(when.list_missing_facts(facts))), None if asks else False)
    lifted = exception.when.evaluate(facts)
    if lifted:
        return RuleResult(rule, held, (), lifted)
    missing = list(when.list_missing_facts(facts)) if held is None else []
    if lifted is None:
        missing += exception.when.list_missing_facts(facts)
    return RuleResult(rule, held, tuple(dict.fromkeys(missing)), lifted)


def _tests_item(test: FactTest) -> bool:
    return FACTS[test.fact].scope is FactScope.INDICATOR


def _answer_test(test: FactTest, facts: Facts) -> Hashable:
    try:
        answer = test.evaluate(facts)
        # Undecided tests differ in what is missing: the fact itself, or facts of the item that decide it.
        return tuple(test.list_missing_facts(facts)) if answer is None else answer
    except Exception:  # noqa: BLE001 the failure is counted when the rule of the test is evaluated
        return ("error", facts.get(test.fact))


def list_mandatory_recipients(rule: Rule) -> tuple[str, ...]:
    """Return the States that an OBLIGE rule names: only such a rule by itself makes the engine consider a State."""
    if not obliges(rule.effect):
        return ()
    for part in rule.when.parts:
        if (
            isinstance(part, FactTest)
            and part.fact == "recipient.state"
            and part.operator is Operator.ANY_OF
            and not part.negated
            and isinstance(part.operand, frozenset)
        ):
            return tuple(sorted(part.operand))
    return ()
