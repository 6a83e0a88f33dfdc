"""The parts of outputs that are alike for many items: encoded once under one law and directory, and kept.

An Avro record is the concatenation of its fields, and the schemas begin with the fields that differ from item to
item (the head). What follows them, the tail, is made here. Both writers put heads before these tails.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict
from typing import Any

from processors.exactly_once.batch import ConsumedRecord
from sharing.law.decision_context import DecisionContext
from sharing.model.decision import Decision, PackReference, RecipientDecision, Verdict
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import NoticeKind, Outcome
from sharing.serialization.cloud_events import TRACEPARENT, EventHeaders, find_header
from sharing.serialization.codec import split_codec_of
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.telemetry import metrics
from sharing.telemetry.tracing import Trace
from sharing.topology.topics import DECISIONS, DRAFTS, NOTICES, OFFERS, URGENT

NO_SEAL = {"suite": "NONE", "key_id": None, "parameters": b""}
NO_SIGNATURE = {"algorithm": "NONE", "key_id": None, "value": b""}

ANY_ID = "00000000-0000-4000-8000-000000000000"
"""Stands for an item's id where the bytes around it are encoded; every id has its length."""

URGENT_LANE = frozenset({"URGENT", "EMERGENCY"})

DECISION_HEAD, DECISION_TAIL = split_codec_of("decision", "state")
NOTICE_HEAD, NOTICE_TAIL = split_codec_of("notice", "seal")
CONTENT_HEAD, CONTENT_TAIL = split_codec_of("notice_content", "relevance")
OFFER_HEAD, OFFER_TAIL = split_codec_of("offer", "signature")
DRAFT_HEAD, DRAFT_TAIL = split_codec_of("draft", "seal")


class EncodedTails:
    """Makes tails.

    Args:
        pack: The law that was applied.
        state: The State whose gate it is.
        sitting: Keeps what was encoded before, under the same law and directory.
        framing: How outputs are framed.
    """

    def __init__(
        self, pack: PackReference, state: str, sitting: DecisionContext, framing: Framing = SINGLE_OBJECT_FRAMING
    ) -> None:
        self.framing = framing
        self.decisions_topic = DECISIONS.topic(state)
        self.drafts_topic = DRAFTS.topic(state)
        self.notice_headers = EventHeaders(NOTICES, state)
        self.offer_headers = EventHeaders(OFFERS, state)
        self.state = state
        self.pack = pack
        self._pack_record = asdict(pack)
        self._directory_version = sitting.directory.version
        self._kept: dict[Hashable, bytes] = sitting.kept

    @property
    def pack_record(self) -> dict[str, Any]:
        """The law that was applied, as outputs name it."""
        return self._pack_record

    def decision_frame(self, version: int, now_ms: int) -> tuple[bytes, bytes]:
        """Return what stands before and after the id in the head of a decision, the wire's header included."""
        head = {"indicator_id": ANY_ID, "version": version, "decided_at": now_ms}
        encoded = self.framing.header("decision") + DECISION_HEAD.encode_bare(head)
        before, _, after = encoded.partition(ANY_ID.encode())
        return before, after

    def decision_tail(self, verdict: Verdict) -> bytes:
        """Return the tail of a decision: what a verdict says."""
        tail = self._kept.get(verdict)
        if tail is None:
            whole = Decision(
                indicator_id=ANY_ID,
                version=1,
                decided_at=0,
                state=self.state,
                pack=self.pack,
                directory_version=self._directory_version,
                recipients=verdict.recipients,
            ).to_wire()
            names = (field["name"] for field in DECISION_TAIL.schema["fields"])
            tail = self._kept[verdict] = DECISION_TAIL.encode_bare({name: whole[name] for name in names})
        return tail

    def notice_topic(self, record: Mapping[str, Any], recipient: RecipientDecision) -> str:
        """Return the topic of a notice."""
        return (URGENT if record["urgency"] in URGENT_LANE else NOTICES).topic(recipient.state)

    def notice_tail(self, record: Mapping[str, Any], verdict: Verdict, index: int) -> bytes:
        """Return the tail of the notice to one recipient of a verdict."""
        # A verdict is compared by identity: with the index it names a recipient's terms at no cost.
        alike = ("notice", verdict, index, record["action"], record["urgency"], record["form"])
        tail = self._kept.get(alike)
        if tail is None:
            recipient = verdict.recipients[index]
            terms = {
                **self._terms(record, recipient),
                "seal": NO_SEAL,
                "signature": NO_SIGNATURE,
                "kind": NoticeKind.ITEM if record["action"] == "PUBLISH" else NoticeKind.CORRECTION,
                "to_authority": None,
                "redacted": recipient.redacted,
            }
            tail = self._kept[alike] = NOTICE_TAIL.encode_bare(terms)
        return tail

    def content_tail(self, verdict: Verdict, index: int) -> bytes:
        """Return the tail of a notice's content: why the item is sent to this recipient."""
        alike = ("content", verdict, index)
        tail = self._kept.get(alike)
        if tail is None:
            reasons = [asdict(reason) for reason in verdict.recipients[index].relevance]
            tail = self._kept[alike] = CONTENT_TAIL.encode_bare({"relevance": reasons})
        return tail

    def offer_topic(self, recipient: RecipientDecision) -> str:
        """Return the topic of an offer."""
        return OFFERS.topic(recipient.state)

    def offer_tail(self, record: Mapping[str, Any], verdict: Verdict, index: int) -> bytes:
        """Return the tail of the offer to one recipient of a verdict."""
        category = VALUE_TYPES[record["type"]].group
        codes = tuple(record["offence"]["codes"])
        alike = ("offer", verdict, index, category, codes, record["urgency"], record["form"])
        tail = self._kept.get(alike)
        if tail is None:
            terms = self._terms(record, verdict.recipients[index])
            tail = self._kept[alike] = OFFER_TAIL.encode_bare(
                {**terms, "signature": NO_SIGNATURE, "category": category, "offence_codes": codes}
            )
        return tail

    def draft_tail(self, record: Mapping[str, Any], verdict: Verdict) -> bytes:
        """Return the tail of an item's draft: to whom it may yet go, and on what terms."""
        alike = ("draft", verdict, record["action"], record["urgency"])
        tail = self._kept.get(alike)
        if tail is None:
            terms = {
                "seal": NO_SEAL,
                "action": record["action"],
                "state": self.state,
                "urgency": record["urgency"],
                "pack": self._pack_record,
                "recipients": [
                    {
                        "state": recipient.state,
                        "outcome": recipient.outcome,
                        "approver": recipient.approver,
                        "relevance": [asdict(reason) for reason in recipient.relevance],
                        "redacted": recipient.redacted,
                        **_legal_terms(recipient),
                    }
                    for recipient in verdict.recipients
                    if recipient.outcome is not Outcome.WITHHOLD
                ],
            }
            tail = self._kept[alike] = DRAFT_TAIL.encode_bare(terms)
        return tail

    def _terms(self, record: Mapping[str, Any], recipient: RecipientDecision) -> dict[str, Any]:
        """Return what routes and binds: readable by the operator, and without content."""
        return {
            "from_state": self.state,
            "to_state": recipient.state,
            "urgency": record["urgency"],
            "form": record["form"],
            "pack": self._pack_record,
            "relevance": sorted({str(reason.kind) for reason in recipient.relevance}),
            **_legal_terms(recipient),
        }


def trace_of(message: ConsumedRecord, indicator_id: str) -> Trace:
    """Return the trace that an indicator came with, which its outputs hand on; else one that follows from its id."""
    return Trace.of(find_header(message.headers(), TRACEPARENT), indicator_id)


def is_closed(record: Mapping[str, Any], verdict: Verdict) -> bool:
    """Return whether an item stays at home whatever anybody answers, so that a decision is all that is written."""
    return verdict.outcome is Outcome.WITHHOLD and bool(record["action"] == "PUBLISH")


def notice_lane(record: Mapping[str, Any], verdict: Verdict) -> str | None:
    """Return in which lane an item's notices go, `ordinary` or `urgent`; None where it has none."""
    if verdict.outcome is not Outcome.DISCLOSE:
        return None
    return metrics.URGENT_LANE if record["urgency"] in URGENT_LANE else metrics.ORDINARY_LANE


def _legal_terms(recipient: RecipientDecision) -> dict[str, Any]:
    return {
        "basis": recipient.basis,
        "condition_model": recipient.condition_model,
        "rules": [asdict(rule) for rule in recipient.rules],
        "conditions": [asdict(condition) for condition in recipient.conditions],
        "obligation": recipient.obligation,
    }
