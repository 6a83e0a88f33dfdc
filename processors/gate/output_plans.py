"""Output plans: the verdict and the tails of all outputs for items that share them, built once.

A plan belongs to an item group (`sharing.columnar.groups`) and the nexus evidence that the items' values give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from processors.gate.batch_result import OutcomeTally
from processors.gate.encoded_tails import EncodedTails
from processors.gate.output_policy import DeliveryKind, OutputPolicy
from sharing.law.decision_context import DecisionContext
from sharing.model.decision import Verdict
from sharing.model.vocabulary import NoticeLane
from sharing.relevance.nexus import NexusEvidence
from sharing.serialization.codec import RECORD_BYTES_MAX


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
        tail: Tail of the offer.
    """

    topic: str
    state: str
    tail: bytes


@dataclass(frozen=True, slots=True, eq=False)
class OutputPlan:
    """The outputs of all items in a group whose values point to the same States. Compared by identity.

    Attributes:
        tally: What each item adds to the counts.
        version: Version of the items.
        decision_tail: Tail of their decisions.
        recipient_plans: Plans of their notices and offers, in the order of the recipients.
        draft_tail: Tail of their drafts; None for closed items.
        lane: Lane of their notices; None when there are none.
    """

    tally: OutcomeTally
    version: int
    decision_tail: bytes
    recipient_plans: tuple[NoticePlan | OfferPlan, ...]
    draft_tail: bytes | None
    lane: NoticeLane | None = None

    @property
    def max_tail_bytes(self) -> int:
        """Bytes of the longest tail of an output."""
        return max(
            len(self.decision_tail), len(self.draft_tail or b""), *map(_count_tail_bytes, self.recipient_plans), 0
        )


class OutputPlanner:
    """Builds output plans under one law and directory.

    Args:
        context: The law and the directory.
        tails: Encodes the tails.
        policy: Determines which outputs there are.
        output_bytes_max: Size limit of an output.
    """

    def __init__(
        self, context: DecisionContext, tails: EncodedTails, policy: OutputPolicy, output_bytes_max: int
    ) -> None:
        self._context = context
        self._tails = tails
        self._policy = policy
        self._tail_bytes_max = output_bytes_max - RECORD_BYTES_MAX  # a head is at most as long as the record

    def make_plan(
        self, record: Mapping[str, Any], now_ms: int, evidence: tuple[NexusEvidence, ...]
    ) -> OutputPlan | None:
        """Return the plan for items like this one, or None when an output could exceed the size limit.

        Args:
            record: One such item. Of its item fields only the retention is read.
            now_ms: The processing time at which the retention is evaluated, in UTC milliseconds.
            evidence: The nexus evidence that the items' values give.
        """
        disclosure_filter = self._context.disclosure_filter
        raw_facts = disclosure_filter.reader.read_raw_facts(record, now_ms)
        audience = self._context.finder.find_audience_with(record, evidence)
        verdict = disclosure_filter.decide_raw(raw_facts, audience)
        plan = self._build_plan(record, verdict)
        return plan if plan.max_tail_bytes <= self._tail_bytes_max else None

    def _build_plan(self, record: Mapping[str, Any], verdict: Verdict) -> OutputPlan:
        tails, tally = self._tails, OutcomeTally.from_verdict(verdict)
        decision_tail = tails.encode_decision_tail(verdict)
        required = self._policy.get_required_outputs(record, verdict)
        if required.is_closed:
            return OutputPlan(tally, record["version"], decision_tail, (), None)
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
                    recipient_plans.append(OfferPlan(topic, recipient.state, tail))
                case _:
                    assert_never(kind)
        draft_tail = tails.encode_draft_tail(record, verdict)
        return OutputPlan(tally, record["version"], decision_tail, tuple(recipient_plans), draft_tail, required.lane)


def _count_tail_bytes(plan: NoticePlan | OfferPlan) -> int:
    match plan:
        case NoticePlan():
            return len(plan.tail) + len(plan.content_tail)
        case OfferPlan():
            return len(plan.tail)
        case _:
            assert_never(plan)
