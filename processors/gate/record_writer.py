"""What the gate writes for one record: decision, notices, offers, draft; or its quarantine.

Record by record: for small batches, and the measure of the writer by columns (`processors.gate.column_writer`), whose
bytes are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processors.exactly_once.batch import ConsumedRecord, OutputRecord
from processors.gate.encoded_tails import (
    CONTENT_HEAD,
    DRAFT_HEAD,
    NO_SEAL,
    NOTICE_HEAD,
    OFFER_HEAD,
    EncodedTails,
    is_closed,
    trace_of,
)
from sharing.ids import notice_id, offer_id, quarantine_id
from sharing.law.redact import build_content
from sharing.model.decision import Verdict
from sharing.model.vocabulary import Outcome
from sharing.serialization.codec import RECORD_BYTES_MAX, codec_of
from sharing.telemetry.tracing import Trace
from sharing.topology.topics import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processors.gate.rejection import Rejection


class RecordWriter:
    """Writes for one batch.

    Args:
        parts: What is alike for many items, under the law that was applied.
        now_ms: The instant of the batch, in UTC milliseconds.
    """

    def __init__(self, parts: EncodedTails, now_ms: int) -> None:
        self._parts = parts
        self._now_ms = now_ms
        self._notice_headers = parts.notice_headers.at(now_ms)
        self._offer_headers = parts.offer_headers.at(now_ms)
        self._frames: dict[int, tuple[bytes, bytes]] = {}

    def write(self, message: ConsumedRecord, record: Mapping[str, Any], verdict: Verdict) -> list[OutputRecord]:
        """Return the outputs for one indicator.

        Args:
            message: As it came.
            record: What it says.
            verdict: What the law says of it.
        """
        key = record["id"].encode()
        outputs = [OutputRecord(self._parts.decisions_topic, key, self._decision(record, key, verdict))]
        if is_closed(record, verdict):
            return outputs
        trace = trace_of(message, record["id"])
        contents: dict[tuple[str, ...], bytes] = {}
        for index, recipient in enumerate(verdict.recipients):
            if recipient.outcome is Outcome.DISCLOSE:
                outputs.append(self._notice(record, key, verdict, index, contents, trace))
            elif recipient.outcome is Outcome.OFFER:
                outputs.append(self._offer(record, key, verdict, index, trace))
        outputs.append(self._draft(message, record, key, verdict))
        return outputs

    def _decision(self, record: Mapping[str, Any], key: bytes, verdict: Verdict) -> bytes:
        """Return the framed decision: every item's differs by its id only, which is the record's key."""
        version = record["version"]
        frame = self._frames.get(version)
        if frame is None:
            frame = self._frames[version] = self._parts.decision_frame(version, self._now_ms)
        return b"".join((frame[0], key, frame[1], self._parts.decision_tail(verdict)))

    def _notice(
        self,
        record: Mapping[str, Any],
        key: bytes,
        verdict: Verdict,
        index: int,
        contents: dict[tuple[str, ...], bytes],
        trace: Trace,
    ) -> OutputRecord:
        recipient = verdict.recipients[index]
        identity = notice_id(self._parts.state, record["id"], record["version"], recipient.state)
        # States with the same redaction share all of the content but the reasons.
        content = contents.get(recipient.redacted)
        if content is None:
            content = contents[recipient.redacted] = codec_of("notice_content").header + CONTENT_HEAD.encode_bare(
                build_content(record, recipient.redacted)
            )
        head = {
            "id": identity,
            "indicator_id": record["id"],
            "version": record["version"],
            "sent_at": self._now_ms,
            "review_at": record["review_at"],
            "retain_until": record["retain_until"],
            "content": content + self._parts.content_tail(verdict, index),
        }
        tail = self._parts.notice_tail(record, verdict, index)
        value = self._parts.framing.header("notice") + NOTICE_HEAD.encode_bare(head) + tail
        headers = self._notice_headers.make(identity, record["id"], trace.traceparent(identity))
        return OutputRecord(self._parts.notice_topic(record, recipient), key, value, headers)

    def _offer(self, record: Mapping[str, Any], key: bytes, verdict: Verdict, index: int, trace: Trace) -> OutputRecord:
        recipient = verdict.recipients[index]
        identity = offer_id(self._parts.state, record["id"], record["version"], recipient.state)
        head = {
            "id": identity,
            "indicator_id": record["id"],
            "version": record["version"],
            "sent_at": self._now_ms,
            "expires_at": None,
        }
        tail = self._parts.offer_tail(record, verdict, index)
        value = self._parts.framing.header("offer") + OFFER_HEAD.encode_bare(head) + tail
        headers = self._offer_headers.make(identity, record["id"], trace.traceparent(identity))
        return OutputRecord(self._parts.offer_topic(recipient), key, value, headers)

    def _draft(self, message: ConsumedRecord, record: Mapping[str, Any], key: bytes, verdict: Verdict) -> OutputRecord:
        head = {
            "indicator_id": record["id"],
            "version": record["version"],
            "decided_at": self._now_ms,
            "officer": record["source"]["officer"],
            "content": self._parts.framing.unframe(message.value()),
        }
        tail = self._parts.draft_tail(record, verdict)
        value = self._parts.framing.header("draft") + DRAFT_HEAD.encode_bare(head) + tail
        return OutputRecord(self._parts.drafts_topic, key, value)

    def quarantine(self, message: ConsumedRecord, refusal: Rejection) -> OutputRecord:
        """Return the quarantine of a record. One that is too large to be copied stays where it is, and is named."""
        value = message.value()
        identity = quarantine_id(message.topic(), message.partition(), message.offset())
        record = {
            "id": identity,
            "state": self._parts.state,
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "quarantined_at": self._now_ms,
            "stage": refusal.stage,
            "cause": refusal.cause,
            "message": refusal.message,
            "indicator_id": refusal.indicator_id,
            "pack": self._parts.pack_record,
            "record": value if value is not None and len(value) <= RECORD_BYTES_MAX else None,
            "seal": NO_SEAL,
        }
        return OutputRecord(
            QUARANTINE.topic(self._parts.state),
            identity.encode(),
            self._parts.framing.frame("quarantine", codec_of("quarantine").encode_bare(record)),
        )
