"""A search for answers that open an item, independent of the questions: it applies amendments and asks the engine.

While a restriction is undecided, one of the facts that it lacks must become known; while no permission holds, one that
a permission lacks. So the search goes from fact to fact, and ends where a rule forbids the item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sharing.conversation.revision import Revision
from sharing.disclosure.amendments import Amendment, StatedFact, apply_amendment
from sharing.errors import InputError
from sharing.law.combination import RuleResult
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_questions import read_all_facts
from sharing.law.fact_values import NONE
from sharing.law.facts import FACTS, FactKind
from sharing.model.decision import RecipientDecision
from sharing.model.effects import FORBIDDING_EFFECTS, RESTRICTING_EFFECTS
from sharing.model.vocabulary import AmendmentKind, Outcome

DETERMINED_BY = {
    "recipient.dual_criminality": ("offence.codes",),
    "recipient.capital_offence": ("offence.codes",),
    "recipient.authority": ("offence.codes", "source.authority"),
    "recipient.treaties": ("offence.codes", "source.authority"),
    "origin.foreign": ("origin.state", "collection"),
    "origin.state": ("origin.state", "collection"),
}
GRADING = ("grading.source", "grading.information")
Answers = Mapping[str, tuple[str, ...]]


class SearchLimitError(Exception):
    """The search took too many steps."""


def state_facts(record: Mapping[str, Any], answers: Answers) -> dict[str, Any]:
    """Return the record with these facts supplied."""
    facts = tuple(StatedFact(name, values) for name, values in answers.items())
    target = (record["id"], record["source"]["agency"], Revision(record["version"], 1))
    return apply_amendment(record, Amendment(*target, AmendmentKind.FACTS, "o-9", "r-1", facts))


@dataclass
class OpeningSearch:
    """Searches the answers of some facts that open an item for a State, which the agency names.

    Attributes:
        names: The facts that may be answered.
        steps_max: The search fails after this many decisions.
    """

    context: DecisionContext
    record: Mapping[str, Any]
    state: str
    now_ms: int
    names: frozenset[str]
    steps_max: int = 400
    steps: int = 0
    _seen: set[frozenset[tuple[str, tuple[str, ...]]]] = field(default_factory=set)

    def find(self, answers: Answers | None = None) -> Answers | None:
        """Return answers with which the item is not withheld; None if there are none.

        Raises:
            SearchLimitError: There are too many to try.
        """
        answers = answers or {}
        key = frozenset(answers.items())
        if key in self._seen:
            return None
        self._seen.add(key)
        try:
            amended = state_facts(self.record, answers) if answers else self.record
        except InputError:
            return None
        self.steps += 1
        if self.steps > self.steps_max:
            raise SearchLimitError
        recipient = decide(self.context, amended, self.state, self.now_ms)
        if recipient.outcome is not Outcome.WITHHOLD:
            return answers
        if any(rule.effect in FORBIDDING_EFFECTS for rule in recipient.rules):
            return None
        for name in self._list_next(amended, recipient):
            for answer in self._list_answers(name):
                found = self.find({**answers, **answer})
                if found is not None:
                    return found
        return None

    def extend(self, answers: Answers) -> bool:
        """Return whether the item stays open when every other fact is answered, too, with some value."""
        for name in sorted(self.names - answers.keys()):
            if name in answers:
                continue
            kept = next(self._list_open(name, answers), None)
            if kept is None:
                return False
            answers = kept
        return True

    def _list_open(self, name: str, answers: Answers) -> Iterator[Answers]:
        for answer in self._list_answers(name):
            extended = {**answers, **answer}
            try:
                amended = state_facts(self.record, extended)
            except InputError:
                continue
            if decide(self.context, amended, self.state, self.now_ms).outcome is not Outcome.WITHHOLD:
                yield extended

    def _list_next(self, record: Mapping[str, Any], recipient: RecipientDecision) -> list[str]:
        """Return the facts of which one must become known."""
        known = {name for name, value in read_all_facts(record, self.now_ms).items() if value is not None}
        undecided = self._list_undecided(record)
        open_facts = [
            [
                name
                for fact in result.missing
                for name in dict.fromkeys((fact, *DETERMINED_BY.get(fact, ())))
                if name in self.names and name not in known
            ]
            for result in undecided
        ]
        blocking = [
            facts
            for facts, result in zip(open_facts, undecided, strict=True)
            if result.effect is None and result.rule.effect in RESTRICTING_EFFECTS
        ]
        if blocking:
            return min(blocking, key=len)
        listed = [name for facts in open_facts for name in facts]
        if recipient.condition_model is None:  # an agreement may become the basis
            listed += sorted(self.names - known)
        return list(dict.fromkeys(listed))

    def _list_undecided(self, record: Mapping[str, Any]) -> list[RuleResult]:
        law = self.context.disclosure_filter
        item = law.read_item_facts(record, self.now_ms)
        profile = law.profile_recipient(self.state, item, named=True)
        return [result for result in law.evaluate_rules(item, profile.facts) if result.missing]

    def _list_answers(self, name: str) -> Iterator[Answers]:
        if name in GRADING:
            yield from ({GRADING[0]: (source,), GRADING[1]: (number,)} for source in "ABCX" for number in "1234")
            return
        yield from ({name: values} for values in self._list_values(name))

    def _list_values(self, name: str) -> Iterator[tuple[str, ...]]:
        fact, law = FACTS[name], self.context.disclosure_filter
        tests = [test for rule in law.rules for test in rule.iter_tests() if test.fact == name]
        tests += [test for test in law.scope_tests if test.fact == name]
        operands = {test.operand for test in tests}
        tested = {value for operand in operands if isinstance(operand, frozenset) for value in operand}
        if fact.kind is FactKind.NUMBER:
            bounds = {operand for operand in operands if isinstance(operand, float)}
            yield from ((str(bound),) for bound in sorted({0.0, 99.0, *bounds}))
        elif fact.kind is FactKind.SET:
            yield from (() for _ in range(name != "offence.codes"))
            yield from ((value,) for value in sorted(fact.values))
        elif name == "origin.state":
            own = law.pack.state
            other = min(fact.values - tested - {own, NONE})
            yield from ((value,) for value in sorted({*tested - {NONE}, own, other}))
        else:
            yield from ((value,) for value in sorted(fact.values, key=lambda value: (value != "NO", value)))


def decide(context: DecisionContext, record: Mapping[str, Any], state: str, now_ms: int) -> RecipientDecision:
    """Return the gate's decision for a State that it considers."""
    return next(one for one in context.decide(record, now_ms).recipients if one.state == state)
