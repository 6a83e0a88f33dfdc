"""The facts that people can supply where the law withholds an item only because they are unknown.

A person is asked where some answers would let the item leave, be offered, or be held for an approver. What the law asks
about an item decides which facts these are (`sharing.law.questions`). Nobody is asked:

- where a rule that applies forbids it, no answer would open it, or an evaluation failed;
- about the facts that come from the directory, the treaty table or the pack's own assessments;
- about death, mistreatment, persecution, or a political, military, religious or racial character
  (`sharing.law.fact_groups`): where these are open, it stays withheld;
- where the State has no topics on the cluster, or the agency does not want its feed to be asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Final

from sharing.law.decision_context import DecisionContext
from sharing.law.fact_groups import is_absolute
from sharing.law.fact_questions import QUESTIONS, read_all_facts
from sharing.law.fact_values import Facts
from sharing.law.questions import find_questions_by_recipient
from sharing.model.bounded_cache import BoundedCache
from sharing.model.decision import RecipientDecision
from sharing.model.effects import FORBIDDING_EFFECTS
from sharing.model.indicator_record import WireRecord
from sharing.model.relevance_reason import is_named_by_agency
from sharing.model.urgency import is_substantiated
from sharing.model.vocabulary import Outcome, Urgency

SUPPLIABLE: Final = frozenset(fact for fact in QUESTIONS if not is_absolute(fact))
"""The facts that a person can supply after the item was published."""

CACHED_MAX: Final = 5_000
"""Maximum number of cached results: a search takes up to a second. Reached only if hardly any two items are equal."""

CACHED_RECIPIENTS_MAX: Final = 60_000
"""Maximum number of recipients in all cached results together."""

_NOTHING: Final[frozenset[str]] = frozenset()
_EMERGENCY: Final[Facts] = {"urgency": Urgency.EMERGENCY.value}

MissingByState = Mapping[str, frozenset[str]]


class MissingFactsFinder:
    """Finds missing facts under one law and directory. Items with equal facts share one search.

    Args:
        context: The law and the directory.
        agencies_not_asked: The agencies whose items nobody is asked about.
    """

    def __init__(self, context: DecisionContext, agencies_not_asked: Collection[str] = ()) -> None:
        self._context = context
        self._agencies_not_asked = frozenset(agencies_not_asked)
        self._found: BoundedCache[Hashable, MissingByState] = BoundedCache(
            CACHED_MAX, CACHED_RECIPIENTS_MAX, lambda _, found: len(found)
        )

    def asks_about(self, record: WireRecord) -> bool:
        """Return whether anybody may be asked about an item: its agency has not excluded that."""
        return record["source"]["agency"] not in self._agencies_not_asked

    def find(
        self,
        record: WireRecord,
        recipients: Iterable[RecipientDecision],
        now_ms: int,
        *,
        can_be_emergency: bool | None = None,
    ) -> MissingByState:
        """Return the missing facts for each of these recipients for which there are any.

        Args:
            record: The item.
            recipients: The decisions on it.
            now_ms: The time of the decisions, in UTC milliseconds.
            can_be_emergency: Whether an officer and a reason are stated, as an emergency needs; None to read it from
                the item.
        """
        if not self.asks_about(record):
            return {}
        open_states = {
            each.state: is_named_by_agency(each.relevance) for each in recipients if self._may_be_opened(each)
        }
        if not open_states:
            return {}
        if can_be_emergency is None:
            can_be_emergency = is_substantiated(record)
        raw_facts = self._context.disclosure_filter.reader.read_raw_facts(record, now_ms)
        key = (raw_facts, can_be_emergency, tuple(sorted(open_states.items())))
        found = self._found.get(key)
        if found is None:
            known = read_all_facts(record, now_ms)
            found = self._found.put(key, self._search(known, open_states, can_be_emergency=can_be_emergency))
        return found

    def _may_be_opened(self, recipient: RecipientDecision) -> bool:
        """Return whether nothing that is already known rules out that further facts would open it."""
        terms, receiving = recipient.terms, self._context.directory.receiving_states
        return (
            terms.outcome is Outcome.WITHHOLD
            and not any(rule.effect in FORBIDDING_EFFECTS for rule in terms.rules)
            and not terms.failed_rules
            and (receiving is None or recipient.state in receiving)
        )

    def _search(self, known: Facts, states: Mapping[str, bool], *, can_be_emergency: bool) -> MissingByState:
        questionnaires = find_questions_by_recipient(
            self._context.disclosure_filter,
            known,
            states,
            [state for state, is_named in states.items() if is_named],
            unanswerable=QUESTIONS.keys() - SUPPLIABLE,
            impossible=() if can_be_emergency else (_EMERGENCY,),
        )
        asked = {
            state: frozenset(question.fact for question in questionnaire.questions)
            for state, questionnaire in questionnaires.items()
        }
        return {state: facts for state, facts in asked.items() if facts}
