"""The rules in force on a day, examined: for one item and one recipient, or for one item and many.

What a rule says depends on a recipient only through its own few tests. So for an item each rule is examined once for
each combination of their answers, and a rule that asks about the item alone only once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sharing.law.combine import RuleFinding
from sharing.law.constraints import AnyOf, Operator, Test
from sharing.law.facts import FACTS, Facts, FactScope
from sharing.law.pack import Rule
from sharing.model.decision import FAILED
from sharing.model.vocabulary import Effect

Answers = tuple[Hashable, ...]


class IndexedRule(NamedTuple):
    """A rule, with what is known of it before any item comes.

    Attributes:
        item_parts: Those of its parts that ask about the item alone.
        pick: Picks the answers to its tests on recipients; None where it has none.
        names: The States that it obliges to send to.
    """

    rule: Rule
    item_parts: tuple[Test | AnyOf, ...]
    pick: Callable[[Answers], Any] | None
    names: tuple[str, ...]

    def excluded(self, item: Facts) -> bool:
        """Return whether the item alone rules the rule out; a part that fails to evaluate does not."""
        try:
            return any(part.evaluate(item) is False for part in self.item_parts)
        except Exception:  # noqa: BLE001 examined again, and counted, with what is known of the recipient
            return False


class RuleBook:
    """Rules, ready to be examined.

    Args:
        rules: In the order of their ids.
        errors: Counts how often the evaluation of each rule failed; such a rule is undecided.

    Attributes:
        rules: The same.
        tests: All that is asked, each once.
    """

    def __init__(self, rules: Sequence[Rule], errors: dict[str, int]) -> None:
        self.rules = tuple(rules)
        self.tests = tuple(dict.fromkeys(test for rule in rules for test in rule.when.tests()))
        self._errors = errors
        self._asked = tuple(test for test in self.tests if not _about_item(test))
        self._entries = tuple(self._enter(rule) for rule in rules)

    def _enter(self, rule: Rule) -> IndexedRule:
        asked = sorted({self._asked.index(test) for test in rule.when.tests() if not _about_item(test)})
        parts = tuple(part for part in rule.when.parts if all(_about_item(test) for test in part.tests()))
        return IndexedRule(rule, parts, itemgetter(*asked) if asked else None, named_states(rule))

    def answer(self, facts: Facts) -> Answers:
        """Return the answers to all tests on recipients; one that fails answers by the value that it failed for."""
        return tuple([_answer(test, facts) for test in self._asked])

    def examine(self, facts: Facts) -> list[RuleFinding]:
        """Return the rules that hold or cannot be decided, in the order of their ids."""
        found = (self.examine_rule(rule, facts) for rule in self.rules)
        return [finding for finding in found if finding is not None]

    def examine_rule(self, rule: Rule, facts: Facts) -> RuleFinding | None:
        """Return what comes of a rule, or None where it does not hold. One that fails is counted, and undecided."""
        try:
            held = rule.when.evaluate(facts)
            if held is False:
                return None
            return RuleFinding(rule, held, tuple(dict.fromkeys(rule.when.missing(facts))) if held is None else ())
        except Exception:  # noqa: BLE001 whatever failed, a rule that failed withholds
            self._errors[rule.id] = self._errors.get(rule.id, 0) + 1
            return RuleFinding(rule, None, (FAILED,))

    def settle(self, item: Facts) -> ItemRules:
        """Return what an item leaves of the rules."""
        left: list[RuleFinding | _OpenRule] = []
        for entry in self._entries:
            if entry.pick is None:
                found = self.examine_rule(entry.rule, item)
                if found is not None:
                    left.append(found)
            elif not entry.excluded(item):
                left.append(_OpenRule(entry.rule, entry.pick, entry.names, {}, {}))
        return ItemRules(self, item, left)


class _OpenRule(NamedTuple):
    """A rule that the item does not settle, and what came of it for recipients so far."""

    rule: Rule
    pick: Callable[[Answers], Any]
    names: tuple[str, ...]
    found: dict[Any, RuleFinding | None]
    made: dict[tuple[bool | None, tuple[str, ...]] | None, RuleFinding | None]


class ItemRules:
    """What an item leaves of the rules: findings that are every recipient's, and rules that depend on it."""

    def __init__(self, book: RuleBook, item: Facts, left: list[RuleFinding | _OpenRule]) -> None:
        self._book = book
        self._item = item
        self._left = left

    def find(self, answers: Answers, recipient: Facts) -> list[RuleFinding]:
        """Return the rules that hold or cannot be decided for a recipient, in the order of their ids.

        Equal findings are one and the same object, so that what follows from them can be kept by their identity.
        """
        findings = []
        for entry in self._left:
            if isinstance(entry, RuleFinding):
                findings.append(entry)
                continue
            key = entry.pick(answers)
            try:
                found = entry.found[key]
            except KeyError:
                found = entry.found[key] = self._examine(entry, recipient)
            if found is not None:
                findings.append(found)
        return findings

    def _examine(self, entry: _OpenRule, recipient: Facts) -> RuleFinding | None:
        found = self._book.examine_rule(entry.rule, {**self._item, **recipient})
        return entry.made.setdefault(None if found is None else (found.held, found.missing), found)

    def obligations(self) -> Iterator[tuple[Rule, str]]:
        """Yield the rules that may oblige to send, each with a State that it names."""
        for entry in self._left:
            if isinstance(entry, _OpenRule):
                for state in entry.names:
                    yield entry.rule, state


def _about_item(test: Test) -> bool:
    return FACTS[test.fact].scope is FactScope.INDICATOR


def _answer(test: Test, facts: Facts) -> Hashable:
    try:
        return test.evaluate(facts)
    except Exception:  # noqa: BLE001 the rule that it belongs to is examined, and counted
        return ("error", facts.get(test.fact))


def named_states(rule: Rule) -> tuple[str, ...]:
    """Return the States that an OBLIGE rule names: only such a rule brings a State into consideration by itself."""
    if rule.effect is not Effect.OBLIGE:
        return ()
    for part in rule.when.parts:
        if (
            isinstance(part, Test)
            and part.fact == "recipient.state"
            and part.operator is Operator.ANY_OF
            and not part.negated
            and isinstance(part.operand, frozenset)
        ):
            return tuple(sorted(part.operand))
    return ()
