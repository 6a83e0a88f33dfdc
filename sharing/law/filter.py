"""The disclosure filter of domestic law: one pack, on one day, with one version of the directory.

Under one pack, day and directory, a verdict depends only on the facts that the pack tests and on the audience, so
verdicts are cached under that pair. The caches do not change any result: a filter with empty caches decides the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sharing.law.authorities import AuthoritiesByState
from sharing.law.combination import RuleResult, combine_terms
from sharing.law.constraints import FactTest
from sharing.law.fact_reader import FactReader, RawFacts
from sharing.law.fact_values import NONE, Facts, FactValue
from sharing.law.facts import FACTS, FactScope
from sharing.law.pack import Pack, Rule
from sharing.law.recipients import ItemContext, RecipientFactSource
from sharing.law.rulebook import Answers, ItemRules, RuleBook
from sharing.law.treaties import TreatyTable
from sharing.law.treaty_basis import TreatyBasis
from sharing.model.bounded_cache import BoundedCache
from sharing.model.decision import RecipientDecision, Verdict, find_most_permissive
from sharing.model.indicator_record import WireRecord
from sharing.model.recipient_terms import RecipientTerms
from sharing.model.relevance_reason import Reason
from sharing.model.vocabulary import RelevanceKind
from sharing.relevance.audience import Audience

VERDICTS_MAX = 20_000
"""Maximum number of cached verdicts: about 50 MB. Reached only if hardly any two items have equal facts."""

VERDICT_RECIPIENTS_MAX = 60_000
"""Maximum number of recipients in all cached verdicts together, so that verdicts on all States need no more memory."""

PROFILES_MAX = 20_000
"""Maximum number of cached profiles: about 40 MB. There is one for each State and context of an item."""


@dataclass(frozen=True, slots=True, eq=False)
class RecipientClass:
    """Recipients with the same treaty basis, authority and answers to every test of the pack: all get the same terms.

    Compared by identity.
    """

    basis: TreatyBasis
    to_authority: str | None
    answers: Answers


class RecipientProfile(NamedTuple):
    """The facts about one recipient.

    Attributes:
        facts: Recipient facts and facts of the decision.
        basis: The treaty basis.
        recipient_class: Shared with all recipients that the pack does not distinguish.
        to_authority: Kind of the competent authority that was chosen; None if none is competent or known.
    """

    facts: Facts
    basis: TreatyBasis
    recipient_class: RecipientClass
    to_authority: str | None


@dataclass(slots=True)
class DisclosureFilter:
    """Decides on indicators under one pack, for one day.

    Attributes:
        pack: The providing State's law.
        treaties: The treaty table.
        day: The UTC day whose law applies.
        authorities: The authorities of each State, from the directory.
        also_read: Names of indicator facts that are read and distinguish items, although no rule may test them.
        rule_errors: For each rule, and each instrument, how often its evaluation failed. It then counts as undecided.
        reader: Reads the facts that the pack tests from a record.
    """

    pack: Pack
    treaties: TreatyTable
    day: dt.date
    authorities: AuthoritiesByState
    also_read: frozenset[str] = field(default=frozenset(), kw_only=True)
    rule_errors: dict[str, int] = field(default_factory=dict)
    reader: FactReader = field(init=False)
    _rule_book: RuleBook = field(init=False)
    _recipients: RecipientFactSource = field(init=False)
    _verdicts: BoundedCache[Hashable, Verdict] = field(init=False)
    _contexts: BoundedCache[Hashable, ItemContext] = field(init=False)
    _profiles: BoundedCache[Hashable, RecipientProfile] = field(init=False)
    _recipient_classes: BoundedCache[Hashable, RecipientClass] = field(init=False)

    def __post_init__(self) -> None:
        self._rule_book = RuleBook(self.pack.list_rules_in_force(self.day), self.rule_errors)
        self._recipients = RecipientFactSource(self.pack, self.treaties, self.day, self.authorities, self.rule_errors)
        tested = self._recipients.item_fact_names | {test.fact for test in self._rule_book.tests} | self.also_read
        self.reader = FactReader(
            fact for fact in FACTS.values() if fact.scope is FactScope.INDICATOR and fact.name in tested
        )
        self._verdicts = make_verdict_cache()
        self._contexts = BoundedCache(PROFILES_MAX)
        self._profiles = BoundedCache(PROFILES_MAX)
        self._recipient_classes = BoundedCache(PROFILES_MAX)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force, sorted by id."""
        return self._rule_book.rules

    @property
    def recipient_inputs(self) -> frozenset[str]:
        """Names of the indicator facts on which the facts about recipients depend."""
        return self._recipients.item_fact_names

    @property
    def scope_tests(self) -> tuple[FactTest, ...]:
        """The tests in the scopes of the instruments that may matter."""
        return self._recipients.scope_tests

    @property
    def fact_names(self) -> tuple[str, ...]:
        """Names of the indicator facts that a decision depends on."""
        return tuple(fact.name for fact in self.reader.facts)

    def decide(self, record: WireRecord, audience: Audience, now_ms: int) -> Verdict:
        """Decide for every considered State.

        Args:
            record: The indicator's record.
            audience: The States to consider, with reasons.
            now_ms: The time of the decision, in UTC milliseconds; its day must be the filter's.

        Returns:
            The verdict on each considered State, and on each State that a rule names as a mandatory recipient. Items
            with equal facts and audiences share one verdict.
        """
        return self.decide_raw(self.reader.read_raw_facts(record, now_ms), audience)

    def decide_raw(self, raw: RawFacts, audience: Audience) -> Verdict:
        """Decide, as `decide` does, on facts that `reader` has already read from a record."""
        key = (raw, audience)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verdicts.put(key, self._decide_uncached(raw, audience))
        return verdict

    def clear_verdicts(self) -> None:
        """Clear the verdict cache. Verdicts are computed again with the same result."""
        self._verdicts.clear()

    def read_item_facts(self, record: WireRecord, now_ms: int) -> dict[str, FactValue]:
        """Return the indicator facts that the pack tests."""
        return self.interpret_facts(self.reader.read_raw_facts(record, now_ms))

    def evaluate_rules(self, item: Facts, recipient: Facts) -> list[RuleResult]:
        """Return the rules that hold or cannot be decided for one recipient, sorted by id."""
        return self._rule_book.evaluate_rules({**item, **recipient})

    def profile_recipient(self, state: str, item: Facts, *, named: bool) -> RecipientProfile:
        """Return the facts about one recipient, for an item.

        Args:
            state: The recipient.
            item: The facts of the item.
            named: Whether the agency named the recipient as concerned.
        """
        return self._profile_recipient(state, self._intern_context(item), named=named)

    def _intern_context(self, item: Facts) -> ItemContext:
        """Return the facts of an item that the recipients' facts depend on: one object for items equal in these."""
        context = self._recipients.read_context(item)
        key = (context.codes, context.sender, tuple(context.coverage.values()))
        return self._contexts.get(key) or self._contexts.put(key, context)

    def _profile_recipient(self, state: str, context: ItemContext, *, named: bool) -> RecipientProfile:
        key = (state, context, named)
        profile = self._profiles.get(key)
        if profile is None:
            facts, basis = self._recipients.look_up_facts(state, context, named=named)
            authority = facts["recipient.authority"]
            to_authority = authority if isinstance(authority, str) and authority != NONE else None
            recipient_class = self._classify_recipient(facts, basis, to_authority)
            profile = self._profiles.put(key, RecipientProfile(facts, basis, recipient_class, to_authority))
        return profile

    def _classify_recipient(self, facts: Facts, basis: TreatyBasis, to_authority: str | None) -> RecipientClass:
        key = (basis, to_authority, self._rule_book.answer_recipient_tests(facts))
        recipient_class = self._recipient_classes.get(key)
        if recipient_class is None:
            recipient_class = self._recipient_classes.put(key, RecipientClass(*key))
        return recipient_class

    def interpret_facts(self, raw: RawFacts) -> dict[str, FactValue]:
        """Return the facts, by name, that `reader` has read from a record."""
        values = (value for part in raw for value in part)
        return {fact.name: fact.interpret_raw(value) for fact, value in zip(self.reader.facts, values, strict=True)}

    def _decide_uncached(self, raw: RawFacts, audience: Audience) -> Verdict:
        item = self.interpret_facts(raw)
        context = self._intern_context(item)
        rules = self._rule_book.narrow_to_item(item)
        considered = dict(audience.reasons_by_state)
        considered.pop(self.pack.state, None)
        mandatory = self._list_mandatory_recipients(rules, item, context, considered)
        if mandatory:
            for state, reason in mandatory:
                considered[state] = (*considered.get(state, ()), reason)
            considered = dict(sorted(considered.items()))
        terms_by_class: dict[RecipientClass, RecipientTerms] = {}
        terms_by_results: dict[Hashable, RecipientTerms] = {}
        terms_by_state = []
        get_profile = self._profiles.get  # a cached profile costs no Python call
        for state in considered:
            named = state in audience.named_by_agency
            profile = get_profile((state, context, named)) or self._profile_recipient(state, context, named=named)
            terms = terms_by_class.get(profile.recipient_class)
            if terms is None:
                terms = terms_by_class[profile.recipient_class] = _get_or_combine_terms(
                    rules, profile, terms_by_results
                )
            terms_by_state.append(terms)
        decisions = map(RecipientDecision, considered, considered.values(), terms_by_state)
        return Verdict(tuple(decisions), find_most_permissive(terms.outcome for terms in terms_by_results.values()))

    def _list_mandatory_recipients(
        self, rules: ItemRules, item: Facts, context: ItemContext, considered: Mapping[str, Any]
    ) -> list[tuple[str, Reason]]:
        """Return the States that a rule names as mandatory recipients, if nothing else made them relevant."""
        mandatory = []
        for rule, state in rules.list_obligations():
            if state in considered or state == self.pack.state:
                continue
            facts = self._profile_recipient(state, context, named=False).facts
            result = self._rule_book.evaluate_rule(rule, {**item, **facts})
            if result is not None and result.held:
                mandatory.append((state, Reason(RelevanceKind.OBLIGATION, rule.id)))
        return mandatory


def make_verdict_cache() -> BoundedCache[Any, Verdict]:
    """Return a cache of verdicts that is limited by their number and by their recipients."""
    return BoundedCache(VERDICTS_MAX, VERDICT_RECIPIENTS_MAX, lambda _, verdict: len(verdict.recipients))


def _get_or_combine_terms(
    rules: ItemRules, profile: RecipientProfile, terms_by_results: dict[Hashable, RecipientTerms]
) -> RecipientTerms:
    """Return the terms for a recipient. They are cached by the identity of the results on the rules.

    `ItemRules` returns the same object for equal results, and keeps it for as long as the decision takes.
    """
    results = rules.evaluate_recipient(profile.recipient_class.answers, profile.facts)
    key = (profile.basis, profile.to_authority, *map(id, results))
    terms = terms_by_results.get(key)
    if terms is None:
        terms = terms_by_results[key] = combine_terms(results, profile.basis, profile.to_authority)
    return terms
