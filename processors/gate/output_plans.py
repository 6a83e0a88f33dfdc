"""What the gate writes for items that are alike: one decision, and the tails of all outputs, made once for all.

A plan stands for a cohort (`sharing.columnar.groups`) and what a value points to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processors.gate.batch_result import OutcomeTally
from processors.gate.encoded_tails import EncodedTails, is_closed, notice_lane
from sharing.law.decision_context import DecisionContext
from sharing.model.decision import Verdict
from sharing.model.vocabulary import Outcome
from sharing.relevance.nexus import Evidence
from sharing.serialization.codec import RECORD_BYTES_MAX


@dataclass(frozen=True, slots=True)
class NoticePlan:
    """One notice of each item: to whom, without which fields, and its tails."""

    topic: str
    state: str
    redacted: tuple[str, ...]
    content_tail: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class OfferPlan:
    """One offer of each item."""

    topic: str
    state: str
    tail: bytes


@dataclass(frozen=True, slots=True, eq=False)
class OutputPlan:
    """What is written for all items of a cohort whose values point to the same States. Compared by identity.

    Attributes:
        tally: As what each counts.
        version: Of the items.
        decision_tail: What follows the head of their decisions.
        sendings: Notices and offers, in the order of the recipients.
        draft_tail: What follows the head of their drafts; None where a decision is all that is written.
        lane: In which their notices go, `ordinary` or `urgent`; None where there are none.
    """

    tally: OutcomeTally
    version: int
    decision_tail: bytes
    sendings: tuple[NoticePlan | OfferPlan, ...]
    draft_tail: bytes | None
    lane: str | None = None

    @property
    def longest(self) -> int:
        """Bytes of the longest tail of an output."""
        sent = (len(one.tail) + (len(one.content_tail) if isinstance(one, NoticePlan) else 0) for one in self.sendings)
        return max(len(self.decision_tail), len(self.draft_tail or b""), *sent, 0)


class OutputPlanner:
    """Makes plans under one law and directory.

    Args:
        sitting: The law and the directory.
        parts: Makes the tails.
        room: Bytes that an output may have.
    """

    def __init__(self, sitting: DecisionContext, parts: EncodedTails, room: int) -> None:
        self._sitting = sitting
        self._parts = parts
        self._room = room - RECORD_BYTES_MAX

    def plan(self, record: Mapping[str, Any], now_ms: int, evidence: tuple[Evidence, ...]) -> OutputPlan | None:
        """Return the plan of items like this one whose values point to some States; None where it has no room.

        Args:
            record: Of one such item; of its own fields only its retention is read.
            now_ms: The instant at which its retention counts, in UTC milliseconds.
            evidence: What their values point to.
        """
        law, finder = self._sitting.law, self._sitting.finder
        verdict = law.decide_read(law.reader.read(record, now_ms), finder.consider(record, evidence))
        plan = self._write(record, verdict)
        return plan if plan.longest <= self._room else None

    def _write(self, record: Mapping[str, Any], verdict: Verdict) -> OutputPlan:
        parts, tally = self._parts, OutcomeTally.of(verdict)
        tail = parts.decision_tail(verdict)
        if is_closed(record, verdict):
            return OutputPlan(tally, record["version"], tail, (), None)
        sendings: list[NoticePlan | OfferPlan] = []
        for index, recipient in enumerate(verdict.recipients):
            if recipient.outcome is Outcome.DISCLOSE:
                sendings.append(
                    NoticePlan(
                        parts.notice_topic(record, recipient),
                        recipient.state,
                        recipient.redacted,
                        parts.content_tail(verdict, index),
                        parts.notice_tail(record, verdict, index),
                    )
                )
            elif recipient.outcome is Outcome.OFFER:
                sendings.append(
                    OfferPlan(parts.offer_topic(recipient), recipient.state, parts.offer_tail(record, verdict, index))
                )
        draft = parts.draft_tail(record, verdict)
        lane = notice_lane(record, verdict)
        return OutputPlan(tally, record["version"], tail, tuple(sendings), draft, lane)
