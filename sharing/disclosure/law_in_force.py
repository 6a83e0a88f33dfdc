"""The law in force, evaluated again for an item before anything that waited is sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, final

from sharing.conversation.terms import Terms
from sharing.disclosure.missing_facts import MissingFactsFinder
from sharing.disclosure.terms import count_approvals, list_approvals, list_optional_conditions, make_terms
from sharing.law.decision_context import DecisionContext
from sharing.model.bounded_cache import BoundedCache
from sharing.model.decision import RecipientDecision, Verdict
from sharing.model.indicator_record import WireRecord
from sharing.model.vocabulary import Outcome
from sharing.relevance.audience import Audience

CACHED_MAX: Final = 2_000
"""For how many tuples of decisions the terms are cached."""

CACHED_RECIPIENTS_MAX: Final = 20_000
"""How many recipients these may have in total."""


@final
class LawInForce:
    """The law and the directory of one decision context.

    Args:
        context: The context. When it ends (`DecisionContext.is_valid_for`), another one must be opened.
        agencies_not_asked: The agencies about whose items nobody is asked for missing facts.
    """

    def __init__(self, context: DecisionContext, agencies_not_asked: Collection[str] = ()) -> None:
        self.context = context
        self._optional = list_optional_conditions(context.disclosure_filter.pack)
        self._approvals = list_approvals(context.disclosure_filter.rules)
        self._missing = MissingFactsFinder(context, agencies_not_asked)
        self._made: BoundedCache[int, tuple[Collection[RecipientDecision], tuple[Terms, ...]]] = BoundedCache(
            CACHED_MAX, CACHED_RECIPIENTS_MAX, lambda _, made: len(made[1])
        )

    def at(self, record: WireRecord, now_ms: int) -> ItemLaw:
        """Return the law about an item.

        Args:
            record: The newest revision of the item.
            now_ms: The time, in UTC milliseconds.

        Raises:
            ValueError: The time is outside the context's day.
        """
        self.require_day(now_ms)
        return ItemLaw(self, record, now_ms)

    def require_day(self, now_ms: int) -> None:
        """Check that a time, in UTC milliseconds, is within the context's day.

        Raises:
            ValueError: It is outside.
        """
        if not self.context.covers(now_ms):
            raise ValueError("the time is outside the day of the decision context; open another one")

    def make_terms(
        self, record: WireRecord, recipients: Collection[RecipientDecision], now_ms: int
    ) -> tuple[Terms, ...]:
        """Return the terms for each of these recipients of an item, in their order.

        If nothing is withheld, they follow from the decisions alone. So a tuple of decisions, which many drafts share,
        is looked up by its identity; it is cached together with its terms, so that no other tuple can get the same
        identity.

        Args:
            record: The item.
            recipients: The decisions on it, under this context's law.
            now_ms: The time of the decisions, in UTC milliseconds.
        """
        known = self._made.get(id(recipients))
        if known is not None and known[0] is recipients:
            return known[1]
        missing = self._missing.find(record, recipients, now_ms)
        terms = tuple(
            make_terms(
                each,
                optional=self._optional,
                missing=missing.get(each.state, frozenset()),
                approvals=count_approvals(each, self._approvals),
            )
            for each in recipients
        )
        if isinstance(recipients, tuple) and not any(each.outcome is Outcome.WITHHOLD for each in recipients):
            self._made.put(id(recipients), (recipients, terms))
        return terms


@final
class ItemLaw:
    """What the law says about one item, at one instant: a `sharing.conversation.turn.Law`. It caches its answers.

    For a State that the gate considers, the terms are those of the gate's own decision at that instant. For a State
    that has the item but that nothing points to any longer, they are what the law says without a reason to consider it.
    """

    def __init__(self, law: LawInForce, record: WireRecord, now_ms: int) -> None:
        self._law = law
        self._record = record
        self._now_ms = now_ms
        self._terms: dict[str, Terms] = {}
        self._verdict: Verdict | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict of the gate at this instant, for the States that it considers."""
        if self._verdict is None:
            self._verdict = self._law.context.decide(self._record, self._now_ms)
        return self._verdict

    def list_terms(self) -> tuple[Terms, ...]:
        """Return the terms for each considered State, by its code."""
        listed = self._law.make_terms(self._record, self.verdict.recipients, self._now_ms)
        self._terms.update((terms.state, terms) for terms in listed)
        return listed

    def __call__(self, state: str) -> Terms:
        """Return the terms for a State, considered or not."""
        terms = self._terms.get(state)
        if terms is None:
            (terms,) = self._law.make_terms(self._record, [self.find_recipient(state)], self._now_ms)
            self._terms[state] = terms
        return terms

    def find_recipient(self, state: str) -> RecipientDecision:
        """Return the decision for a State, considered or not.

        Raises:
            ValueError: It is the State that provides the item.
        """
        recipient = _find(self.verdict, state)
        if recipient is None:
            recipient = _find(self._decide_also_for(state), state)
        if recipient is None:
            raise ValueError(f"{state} is the State that provides the item, and cannot receive it")
        return recipient

    def _decide_also_for(self, state: str) -> Verdict:
        context = self._law.context
        audience = context.finder.find_audience(self._record)
        raw_facts = context.disclosure_filter.reader.read_raw_facts(self._record, self._now_ms)
        return context.decide_facts(raw_facts, Audience([*audience.reasons_by_state, (state, ())]))


def _find(verdict: Verdict, state: str) -> RecipientDecision | None:
    return next((recipient for recipient in verdict.recipients if recipient.state == state), None)
