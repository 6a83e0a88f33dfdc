"""Encoded tails of outputs: the part that many items share, encoded once per law and directory.

An Avro record is the concatenation of its fields, and the output schemas begin with the fields that differ from item
to item (the head). This module encodes the remaining fields (the tail). Both writers append these tails to their heads.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict
from typing import Any

from processors.exactly_once.batch import ConsumedRecord
from processors.gate.message_fields import build_legal_terms, build_subject, build_terms
from processors.gate.output_policy import is_drafted
from sharing.conversation.kinds import KINDS
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import AskKind
from sharing.model.bounded_cache import BoundedCache
from sharing.model.decision import Decision, PackReference, RecipientDecision, Verdict
from sharing.model.indicator_record import is_first_version
from sharing.model.urgency import get_effective_urgency
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import NoticeKind, Urgency
from sharing.serialization.cloud_events import TRACEPARENT, EventHeaderBuilder, find_header
from sharing.serialization.codec import get_codec, get_split_codecs
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.telemetry.tracing import TraceContext
from sharing.topology.topics import DECISIONS, DRAFTS, NOTICES, OFFERS

PLACEHOLDER_ID = "00000000-0000-4000-8000-000000000000"
"""Placeholder for an item's id while the bytes around it are encoded. Every id has the same length."""

DECISION_HEAD, DECISION_TAIL = get_split_codecs("decision", "state")
NOTICE_HEAD, NOTICE_TAIL = get_split_codecs("notice", "amendment")
CONTENT_HEAD, CONTENT_TAIL = get_split_codecs("notice_content", "relevance")
OFFER_HEAD, OFFER_TAIL = get_split_codecs("offer", "amendment")
DRAFT_HEAD, DRAFT_TAIL = get_split_codecs("draft", "amendment")


class EncodedTails:
    """Encodes tails, each once.

    Args:
        pack: The law that is applied.
        state: The State of the gate.
        directory_version: Version of the directory that is applied.
        cache: Holds the tails encoded so far under this law and directory.
        framing: The framing of the outputs.
    """

    def __init__(
        self,
        pack: PackReference,
        state: str,
        directory_version: str,
        cache: BoundedCache[Hashable, bytes],
        framing: Framing = SINGLE_OBJECT_FRAMING,
    ) -> None:
        self.framing = framing
        self.decisions_topic = DECISIONS.topic(state)
        self.drafts_topic = DRAFTS.topic(state)
        self.notice_headers = EventHeaderBuilder(NOTICES, state)
        self.offer_headers = EventHeaderBuilder(OFFERS, state)
        self.state = state
        self.pack = pack
        self._pack_record = asdict(pack)
        self._directory_version = directory_version
        self._cache = cache

    @property
    def pack_record(self) -> dict[str, Any]:
        """The law that is applied, as a record for the outputs."""
        return self._pack_record

    def encode_decision_frame(self, revision: Revision, now_ms: int) -> tuple[bytes, bytes]:
        """Return the bytes before and after the id in the head of a decision.

        It is always in single-object encoding, regardless of the framing, because it becomes an entry of a block.
        """
        head = {
            "indicator_id": PLACEHOLDER_ID,
            "version": revision.version,
            "amendment": revision.amendment,
            "decided_at": now_ms,
        }
        encoded = get_codec("decision").header + DECISION_HEAD.encode_unframed(head)
        prefix, _, suffix = encoded.partition(PLACEHOLDER_ID.encode())
        return prefix, suffix

    def encode_decision_tail(self, verdict: Verdict) -> bytes:
        """Return the tail of a decision: the verdict."""
        tail = self._cache.get(verdict)
        if tail is None:
            decision = Decision(
                indicator_id=PLACEHOLDER_ID,
                version=1,
                decided_at=0,
                state=self.state,
                pack=self.pack,
                directory_version=self._directory_version,
                recipients=verdict.recipients,
            ).to_record()
            names = (field["name"] for field in DECISION_TAIL.schema["fields"])
            tail = self._cache.put(verdict, DECISION_TAIL.encode_unframed({name: decision[name] for name in names}))
        return tail

    def encode_notice_tail(self, record: Mapping[str, Any], verdict: Verdict, index: int) -> bytes:
        """Return the tail of the notice to one recipient of a verdict."""
        # A verdict is hashed by identity, so verdict and index are a cheap key for a recipient's terms.
        is_first = is_first_version(record)
        cache_key = ("notice", verdict, index, is_first, get_effective_urgency(record), record["form"])
        tail = self._cache.get(cache_key)
        if tail is None:
            recipient = verdict.recipients[index]
            terms = {
                **self._build_terms(record, recipient),
                "amendment": 0,  # a gate sends notices only of what an agency published
                "kind": NoticeKind.ITEM if is_first else NoticeKind.CORRECTION,
                "to_authority": recipient.to_authority,
                "redacted": recipient.redacted,
            }
            tail = self._cache.put(cache_key, NOTICE_TAIL.encode_unframed(terms))
        return tail

    def encode_content_tail(self, verdict: Verdict, index: int) -> bytes:
        """Return the tail of a notice's content: why this recipient gets the item."""
        cache_key = ("content", verdict, index)
        tail = self._cache.get(cache_key)
        if tail is None:
            reasons = [asdict(reason) for reason in verdict.recipients[index].relevance]
            tail = self._cache.put(cache_key, CONTENT_TAIL.encode_unframed({"relevance": reasons}))
        return tail

    def encode_offer_tail(self, record: Mapping[str, Any], verdict: Verdict, index: int) -> bytes:
        """Return the tail of the offer to one recipient of a verdict."""
        category = VALUE_TYPES[record["type"]].group
        codes = tuple(record["offence"]["codes"])
        cache_key = ("offer", verdict, index, category, codes, get_effective_urgency(record), record["form"])
        tail = self._cache.get(cache_key)
        if tail is None:
            terms = self._build_terms(record, verdict.recipients[index])
            tail = self._cache.put(
                cache_key,
                OFFER_TAIL.encode_unframed(
                    {**terms, "amendment": 0, **build_subject(record, verdict.recipients[index])}
                ),
            )
        return tail

    def encode_draft_tail(
        self,
        record: Mapping[str, Any],
        verdict: Verdict,
        asked: frozenset[str] = frozenset(),
        *,
        amendment: int = 0,
        is_corrected: bool = False,
    ) -> bytes:
        """Return the tail of an item's draft: the recipients that may still get it, and their terms.

        Args:
            record: The item.
            verdict: The verdict on it.
            asked: The States from which it is withheld only because of facts that people are asked for.
            amendment: Number of the amendment of the version; 0 for what the agency published.
            is_corrected: Whether the amendment changes what States have received.
        """
        action, urgency = record["action"], get_effective_urgency(record)
        cache_key = ("draft", verdict, asked, action, urgency, amendment, is_corrected)
        tail = self._cache.get(cache_key)
        if tail is None:
            terms = {
                "amendment": amendment,
                "is_corrected": is_corrected,
                "action": record["action"],
                "state": self.state,
                "urgency": get_effective_urgency(record),
                "pack": self._pack_record,
                "recipients": [
                    {
                        "state": recipient.state,
                        "outcome": recipient.outcome,
                        "approver": recipient.approver,
                        "relevance": [asdict(reason) for reason in recipient.relevance],
                        "redacted": recipient.redacted,
                        **build_legal_terms(recipient),
                    }
                    for recipient in verdict.recipients
                    if is_drafted(recipient.outcome) or recipient.state in asked
                ],
            }
            tail = self._cache.put(cache_key, DRAFT_TAIL.encode_unframed(terms))
        return tail

    def _build_terms(self, record: Mapping[str, Any], recipient: RecipientDecision) -> dict[str, Any]:
        return build_terms(self.state, self._pack_record, record, recipient)


def get_offer_period(record: Mapping[str, Any]) -> int:
    """Return how long an offer of an item can be accepted, in milliseconds. An unknown urgency is not urgent."""
    urgency = Urgency(get_effective_urgency(record))
    return KINDS[AskKind.ACCEPT].lasts[Urgency.ORDINARY if urgency is Urgency.UNKNOWN else urgency]


def read_trace(message: ConsumedRecord, indicator_id: str) -> TraceContext:
    """Return the trace context of an indicator's record, or one derived from its id. Its outputs propagate it."""
    return TraceContext.from_parent(find_header(message.headers(), TRACEPARENT), indicator_id)
