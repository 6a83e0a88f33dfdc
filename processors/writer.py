"""What the gate writes for one record: decision, notices, offers, draft; or its quarantine.

What is alike for many items is encoded once and kept by the sitting; per item only the heads are encoded.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from processors.batch import Output, Record
from sharing.ids import notice_id, offer_id, quarantine_id
from sharing.law.redact import build_content
from sharing.model.decision import Decision, PackReference, RecipientDecision, Verdict
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import NoticeKind, Outcome
from sharing.sitting import Sitting
from sharing.topics import DECISIONS, DRAFTS, NOTICES, OFFERS, QUARANTINE, URGENT
from sharing.wire import RECORD_BYTES_MAX, codec, split_codec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processors.refusal import Refusal

NO_SEAL = {"suite": "NONE", "key_id": None, "parameters": b""}
NO_SIGNATURE = {"algorithm": "NONE", "key_id": None, "value": b""}

_ANY_ID = "00000000-0000-4000-8000-000000000000"
"""Stands for an item's id where the bytes around it are encoded; every id has its length."""

URGENT_LANE = frozenset({"URGENT", "EMERGENCY"})


class Writer:
    """Writes for one batch.

    Args:
        pack: The law that was applied.
        sitting: Keeps what was encoded before, under the same law and directory.
        now_ms: The instant of the batch, in UTC milliseconds.
    """

    def __init__(self, pack: PackReference, sitting: Sitting, now_ms: int) -> None:
        self._pack = pack
        self._pack_record = asdict(pack)
        self._directory_version = sitting.directory.version
        self._now_ms = now_ms
        self._tails = sitting.kept
        self._decisions_topic = DECISIONS.topic(pack.state)
        self._drafts_topic = DRAFTS.topic(pack.state)
        self._decision_frames: dict[int, tuple[bytes, bytes]] = {}
        self._decision_head, self._decision_tail = split_codec("decision", "state")
        self._notice_head, self._notice_tail = split_codec("notice", "kind")
        self._content_head, self._content_tail = split_codec("notice_content", "relevance")
        self._offer_head, self._offer_tail = split_codec("offer", "from_state")
        self._draft_head, self._draft_tail = split_codec("draft", "action")

    def write(self, message: Record, record: Mapping[str, Any], verdict: Verdict) -> list[Output]:
        """Return the outputs for one indicator.

        Args:
            message: As it came.
            record: What it says.
            verdict: What the law says of it.
        """
        key = record["id"].encode()
        outputs = [Output(self._decisions_topic, key, self._decision(record, key, verdict))]
        if verdict.outcome is Outcome.WITHHOLD and record["action"] == "PUBLISH":
            return outputs
        contents: dict[tuple[str, ...], bytes] = {}
        for index, recipient in enumerate(verdict.recipients):
            if recipient.outcome is Outcome.DISCLOSE:
                # A verdict is compared by identity: with the index it names a recipient's terms at no cost.
                outputs.append(self._notice(record, key, recipient, (verdict, index), contents))
            elif recipient.outcome is Outcome.OFFER:
                outputs.append(self._offer(record, key, recipient, (verdict, index)))
        outputs.append(self._draft(message, record, key, verdict))
        return outputs

    def _decision(self, record: Mapping[str, Any], key: bytes, verdict: Verdict) -> bytes:
        """Return the framed decision: every item's differs by its id only, which is the record's key."""
        version = record["version"]
        frame = self._decision_frames.get(version)
        if frame is None:
            head = {"indicator_id": _ANY_ID, "version": version, "decided_at": self._now_ms}
            encoded = codec("decision").header + self._decision_head.encode_bare(head)
            before, _, after = encoded.partition(_ANY_ID.encode())
            frame = self._decision_frames[version] = (before, after)
        tail = self._tails.get(verdict)
        if tail is None:
            tail = self._tails[verdict] = self._encode_decision_tail(verdict)
        return b"".join((frame[0], key, frame[1], tail))

    def _encode_decision_tail(self, verdict: Verdict) -> bytes:
        whole = Decision(
            indicator_id=_ANY_ID,
            version=1,
            decided_at=self._now_ms,
            state=self._pack.state,
            pack=self._pack,
            directory_version=self._directory_version,
            recipients=verdict.recipients,
        ).to_wire()
        names = (field["name"] for field in self._decision_tail.schema["fields"])
        return self._decision_tail.encode_bare({name: whole[name] for name in names})

    def _notice(
        self,
        record: Mapping[str, Any],
        key: bytes,
        recipient: RecipientDecision,
        place: tuple[Verdict, int],
        contents: dict[tuple[str, ...], bytes],
    ) -> Output:
        head = {
            "id": notice_id(self._pack.state, record["id"], record["version"], recipient.state),
            "indicator_id": record["id"],
            "version": record["version"],
            "sent_at": self._now_ms,
            "review_at": record["review_at"],
            "retain_until": record["retain_until"],
            "content": self._content(record, recipient, place, contents),
            "seal": NO_SEAL,
            "signature": NO_SIGNATURE,
        }
        alike = ("notice", place, record["action"], record["urgency"], record["form"])
        tail = self._tails.get(alike)
        if tail is None:
            kind = NoticeKind.ITEM if record["action"] == "PUBLISH" else NoticeKind.CORRECTION
            terms = {
                **self._terms(record, recipient),
                "kind": kind,
                "to_authority": None,
                "redacted": recipient.redacted,
            }
            tail = self._tails[alike] = self._notice_tail.encode_bare(terms)
        topic = (URGENT if record["urgency"] in URGENT_LANE else NOTICES).topic(recipient.state)
        return Output(topic, key, codec("notice").header + self._notice_head.encode_bare(head) + tail)

    def _content(
        self,
        record: Mapping[str, Any],
        recipient: RecipientDecision,
        place: tuple[Verdict, int],
        contents: dict[tuple[str, ...], bytes],
    ) -> bytes:
        """Return the framed content; States with the same redaction share all of it but the reasons."""
        head = contents.get(recipient.redacted)
        if head is None:
            head = contents[recipient.redacted] = self._content_head.encode_bare(
                build_content(record, recipient.redacted)
            )
        tail = self._tails.get(place)
        if tail is None:
            reasons = [asdict(reason) for reason in recipient.relevance]
            tail = self._tails[place] = self._content_tail.encode_bare({"relevance": reasons})
        return codec("notice_content").header + head + tail

    def _offer(
        self, record: Mapping[str, Any], key: bytes, recipient: RecipientDecision, place: tuple[Verdict, int]
    ) -> Output:
        head = {
            "id": offer_id(self._pack.state, record["id"], record["version"], recipient.state),
            "indicator_id": record["id"],
            "version": record["version"],
            "sent_at": self._now_ms,
            "expires_at": None,
            "signature": NO_SIGNATURE,
        }
        category = VALUE_TYPES[record["type"]].group
        codes = tuple(record["offence"]["codes"])
        alike = ("offer", place, category, codes, record["urgency"], record["form"])
        tail = self._tails.get(alike)
        if tail is None:
            terms = {**self._terms(record, recipient), "category": category, "offence_codes": codes}
            tail = self._tails[alike] = self._offer_tail.encode_bare(terms)
        value = codec("offer").header + self._offer_head.encode_bare(head) + tail
        return Output(OFFERS.topic(recipient.state), key, value)

    def _terms(self, record: Mapping[str, Any], recipient: RecipientDecision) -> dict[str, Any]:
        """Return what routes and binds: readable by the operator, and without content."""
        return {
            "from_state": self._pack.state,
            "to_state": recipient.state,
            "urgency": record["urgency"],
            "form": record["form"],
            "pack": self._pack_record,
            "relevance": sorted({str(reason.kind) for reason in recipient.relevance}),
            **_legal_terms(recipient),
        }

    def _draft(self, message: Record, record: Mapping[str, Any], key: bytes, verdict: Verdict) -> Output:
        head = {
            "indicator_id": record["id"],
            "version": record["version"],
            "decided_at": self._now_ms,
            "officer": record["source"]["officer"],
            "content": message.value(),
            "seal": NO_SEAL,
        }
        alike = ("draft", verdict, record["action"], record["urgency"])
        tail = self._tails.get(alike)
        if tail is None:
            tail = self._tails[alike] = self._draft_tail.encode_bare(
                {
                    "action": record["action"],
                    "state": self._pack.state,
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
            )
        return Output(self._drafts_topic, key, codec("draft").header + self._draft_head.encode_bare(head) + tail)

    def quarantine(self, message: Record, refusal: Refusal) -> Output:
        """Return the quarantine of a record. One that is too large to be copied stays where it is, and is named."""
        value = message.value()
        identity = quarantine_id(message.topic(), message.partition(), message.offset())
        record = {
            "id": identity,
            "state": self._pack.state,
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "quarantined_at": self._now_ms,
            "stage": refusal.stage,
            "cause": refusal.cause,
            "message": refusal.message,
            "indicator_id": refusal.indicator_id,
            "pack": self._pack_record,
            "record": value if value is not None and len(value) <= RECORD_BYTES_MAX else None,
            "seal": NO_SEAL,
        }
        return Output(QUARANTINE.topic(self._pack.state), identity.encode(), codec("quarantine").encode(record))


def _legal_terms(recipient: RecipientDecision) -> dict[str, Any]:
    return {
        "basis": recipient.basis,
        "condition_model": recipient.condition_model,
        "rules": [asdict(rule) for rule in recipient.rules],
        "conditions": [asdict(condition) for condition in recipient.conditions],
        "obligation": recipient.obligation,
    }
