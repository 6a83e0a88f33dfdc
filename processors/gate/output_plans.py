"""Output plans: the verdict and the tails of all outputs for items that share them, built once.

A plan belongs to an item group (`sharing.columnar.groups`) and the nexus evidence that the items' values give.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, assert_never

from processors.exactly_once.batch import OutputLimits
from processors.gate.asked_states import AskedStates
from processors.gate.encoded_tails import EncodedTails, get_offer_period
from processors.gate.outcome_tags import OutcomeTags
from processors.gate.outcome_tally import ItemStanding, OutcomeTally
from processors.gate.output_policy import DeliveryKind, OutputPolicy
from sharing.conversation.revision import Revision
from sharing.law.decision_context import DecisionContext
from sharing.model.bounded_cache import BoundedCache
from sharing.model.decision import Verdict
from sharing.model.vocabulary import NoticeLane
from sharing.outcomes.block_writing import RowTag
from sharing.relevance.nexus import NexusEvidence
from sharing.serialization.codec import RECORD_BYTES_MAX

TALLIES_MAX = 20_000
"""Maximum number of cached tallies. Reached only if hardly any two plans have equal outcomes."""

OUTPUT_OVERHEAD_BYTES = 1_500
"""Approximate memory of an output in addition to its tails and the item: its head, headers and objects."""


@dataclass(frozen=True, slots=True)
class NoticePlan:
    """The notice that one recipient gets of each item.

    Attributes:
        topic: Topic of the notice.
        state: The recipient.
        redacted: Fields to leave out of the content.
        content_tail: Tail of the content.
        tail: Tail of the notice.
    """

    topic: str
    state: str
    redacted: tuple[str, ...]
    content_tail: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class OfferPlan:
    """The offer that one recipient gets of each item.

    Attributes:
        topic: Topic of the offer.
        state: The recipient.
        period_ms: How long it can be accepted, in milliseconds.
        tail: Tail of the offer.
    """

    topic: str
    state: str
    period_ms: int
    tail: bytes


@dataclass(frozen=True, slots=True, eq=False)
class OutputPlan:
    """The outputs of all items in a group whose values point to the same States. Compared by identity.

    Attributes:
        tally: What each item adds to the counts.
        agency: Agency of the items.
        version: Version of the items.
        action: Their action.
        tag: What is reported to the agency about each.
        decision_tail: Tail of their decisions.
        recipient_plans: Plans of their notices and offers, in the order of the recipients.
        draft_tail: Tail of their drafts; None for closed items.
        lane: Lane of their notices; None when there are none.
        copies: Number of outputs that contain the item: its notices and its draft.
        output_bytes: Approximate memory of the outputs of one item, in bytes, without these copies.
    """

    tally: OutcomeTally
    agency: str
    version: int
    action: str
    tag: RowTag
    decision_tail: bytes
    recipient_plans: tuple[NoticePlan | OfferPlan, ...]
    draft_tail: bytes | None
    lane: NoticeLane | None = None
    copies: int = field(init=False)
    output_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        """Compute the attributes that are read for each batch."""
        notices = sum(isinstance(plan, NoticePlan) for plan in self.recipient_plans)
        copies = notices + (self.draft_tail is not None)
        tail_bytes = len(self.decision_tail) + len(self.draft_tail or b"")
        tail_bytes += sum(map(_count_tail_bytes, self.recipient_plans))
        outputs = len(self.recipient_plans) + (self.draft_tail is not None)
        object.__setattr__(self, "copies", copies)
        object.__setattr__(self, "output_bytes", tail_bytes + outputs * OUTPUT_OVERHEAD_BYTES)


class OutputPlanner:
    """Builds output plans under one law and directory.

    Args:
        context: The law and the directory.
        tails: Encodes the tails.
        policy: Determines which outputs there are.
        asked: Finds where people are asked for facts.
        limits: How large the outputs may be.
        tags: Makes what is reported to agencies about their items.
    """

    def __init__(
        self,
        context: DecisionContext,
        tails: EncodedTails,
        policy: OutputPolicy,
        asked: AskedStates,
        limits: OutputLimits,
        tags: OutcomeTags,
    ) -> None:
        self._tags = tags
        self._context = context
        self._tails = tails
        self._policy = policy
        self._asked = asked
        self._get_bytes_max = cache(limits.get_value_bytes_max)
        self._tallies: BoundedCache[Hashable, OutcomeTally] = BoundedCache(TALLIES_MAX)

    def make_plan(
        self, record: Mapping[str, Any], now_ms: int, evidence: tuple[NexusEvidence, ...]
    ) -> OutputPlan | None:
        """Return the plan for items like this one, or None when an output could exceed the size limit or they differ.

        Args:
            record: One such item. Of its item fields, only the retention and the effective urgency are read.
            now_ms: The processing time at which the retention is evaluated, in UTC milliseconds.
            evidence: The nexus evidence that the items' values give.
        """
        context = self._context
        raw_facts = context.disclosure_filter.reader.read_raw_facts(record, now_ms)
        verdict = context.decide_facts(raw_facts, context.finder.find_audience_with(record, evidence))
        asked = self._asked.find_for_group(record, verdict, now_ms)
        if asked is None:
            return None
        plan = self._build_plan(record, verdict, asked)
        return plan if self._fits(plan) else None

    def _fits(self, plan: OutputPlan) -> bool:
        """Return whether each output fits for any item head, which is at most as long as the item's record."""
        tails = [(self._tails.decisions_topic, len(plan.decision_tail))]
        tails += [(each.topic, _count_tail_bytes(each)) for each in plan.recipient_plans]
        if plan.draft_tail is not None:
            tails.append((self._tails.drafts_topic, len(plan.draft_tail)))
        return all(size + RECORD_BYTES_MAX <= self._get_bytes_max(topic) for topic, size in tails)

    def _build_plan(self, record: Mapping[str, Any], verdict: Verdict, asked: frozenset[str]) -> OutputPlan:
        tails = self._tails
        required = self._policy.get_required_outputs(record, verdict, asked)
        agency, version = record["source"]["agency"], record["version"]
        tag = self._tags.tag_decided(agency, Revision(version), verdict, required)
        shared = (self._tally_outcome(record, verdict, asked), agency, version, record["action"], tag)
        decision_tail = tails.encode_decision_tail(verdict)
        if required.is_closed:
            return OutputPlan(*shared, decision_tail, (), None)
        recipient_plans: list[NoticePlan | OfferPlan] = []
        for kind, index, topic in required.deliveries:
            recipient = verdict.recipients[index]
            match kind:
                case DeliveryKind.NOTICE:
                    content_tail = tails.encode_content_tail(verdict, index)
                    tail = tails.encode_notice_tail(record, verdict, index)
                    plan = NoticePlan(topic, recipient.state, recipient.redacted, content_tail, tail)
                    recipient_plans.append(plan)
                case DeliveryKind.OFFER:
                    tail = tails.encode_offer_tail(record, verdict, index)
                    recipient_plans.append(OfferPlan(topic, recipient.state, get_offer_period(record), tail))
                case _:
                    assert_never(kind)
        draft_tail = tails.encode_draft_tail(record, verdict, asked)
        return OutputPlan(*shared, decision_tail, tuple(recipient_plans), draft_tail, required.lane)

    def _tally_outcome(self, record: Mapping[str, Any], verdict: Verdict, asked: frozenset[str]) -> OutcomeTally:
        """Return one object for equal tallies: the items of a batch are counted by it."""
        tally = OutcomeTally.from_verdict(
            verdict, record, ItemStanding(self._policy.has_conversation, is_asked_about=bool(asked))
        )
        key = (
            tally.outcome, tally.deliveries, tally.effects, tally.failed, tally.emergency, tally.sent, tally.is_drafted,
        )  # fmt: skip
        return self._tallies.get(key) or self._tallies.put(key, tally)


def _count_tail_bytes(plan: NoticePlan | OfferPlan) -> int:
    match plan:
        case NoticePlan():
            return len(plan.tail) + len(plan.content_tail)
        case OfferPlan():
            return len(plan.tail)
        case _:
            assert_never(plan)
