"""Builds the outputs for one record: its decision, notices, offers and draft; or its quarantine record.

This is the record path, used for small batches and for records that the columnar path leaves out. The columnar
writer (`processors.gate.columnar_writer`) must produce the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from processors.exactly_once.batch import DEFAULT_LIMITS, ConsumedRecord, OutputLimits, OutputRecord
from processors.gate.encoded_tails import (
    CONTENT_HEAD,
    DRAFT_HEAD,
    NOTICE_HEAD,
    OFFER_HEAD,
    EncodedTails,
    get_offer_period,
    read_trace,
)
from processors.gate.message_fields import build_notice_head, build_offer_head
from processors.gate.output_policy import Delivery, DeliveryKind, RequiredOutputs
from sharing.conversation.revision import Revision
from sharing.ids import make_draft_key, make_first_offer_id, make_item_id, make_notice_id, make_quarantine_id
from sharing.law.redaction import build_content
from sharing.model.decision import Verdict
from sharing.serialization.codec import RECORD_BYTES_MAX, get_codec
from sharing.telemetry.tracing import TraceContext
from sharing.topology.topics import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processors.gate.rejection import RejectedRecord, Rejection
    from sharing.disclosure.amended_item import AmendedItem


class RecordWriter:
    """Builds the outputs of one batch, record by record.

    Args:
        tails: Encodes the tails under the current law.
        now_ms: The processing time of the batch, in UTC milliseconds.
    """

    def __init__(self, tails: EncodedTails, now_ms: int) -> None:
        self._tails = tails
        self._now_ms = now_ms
        self._notice_headers = tails.notice_headers.at_instant(now_ms)
        self._offer_headers = tails.offer_headers.at_instant(now_ms)
        self._frames: dict[Revision, tuple[bytes, bytes]] = {}

    def build_outputs(
        self,
        message: ConsumedRecord,
        value: bytes | None,
        record: Mapping[str, Any],
        verdict: Verdict,
        required: RequiredOutputs,
        amended: AmendedItem | None = None,
    ) -> list[OutputRecord]:
        """Return the outputs for one indicator, or for one amendment of it.

        Args:
            message: The record as consumed.
            value: Its value, opened, in single-object encoding.
            record: The decoded record.
            verdict: The verdict on it.
            required: The outputs that this verdict requires.
            amended: What is said about it as an amendment; None for what an agency published.
        """
        key, partition = record["id"].encode(), message.partition()
        decision = self._encode_decision(record, key, verdict, amended)
        outputs = [OutputRecord(self._tails.decisions_topic, key, decision, None, partition)]
        if required.is_closed:
            return outputs
        trace = read_trace(message, record["id"])
        item_id = make_item_id(self._tails.state, record["source"]["agency"], record["id"])
        contents: dict[tuple[str, ...], bytes] = {}
        for delivery in required.deliveries:
            match delivery.kind:
                case DeliveryKind.NOTICE:
                    outputs.append(self._build_notice(record, item_id, key, verdict, delivery, contents, trace))
                case DeliveryKind.OFFER:
                    outputs.append(self._build_offer(record, item_id, key, verdict, delivery, trace))
                case _:
                    assert_never(delivery.kind)
        outputs.append(self._build_draft(value, record, item_id, verdict, required, amended))
        return [output._replace(partition=partition) for output in outputs]

    def _encode_decision(
        self, record: Mapping[str, Any], key: bytes, verdict: Verdict, amended: AmendedItem | None
    ) -> bytes:
        """Return the framed decision. Decisions with one verdict differ only in the id, which is the record's key."""
        revision = Revision(record["version"]) if amended is None else amended.revision
        frame = self._frames.get(revision)
        if frame is None:
            frame = self._frames[revision] = self._tails.encode_decision_frame(revision, self._now_ms)
        return b"".join((frame[0], key, frame[1], self._tails.encode_decision_tail(verdict)))

    def _build_notice(
        self,
        record: Mapping[str, Any],
        item_id: str,
        key: bytes,
        verdict: Verdict,
        delivery: Delivery,
        contents: dict[tuple[str, ...], bytes],
        trace: TraceContext,
    ) -> OutputRecord:
        recipient = verdict.recipients[delivery.recipient_index]
        agency = record["source"]["agency"]
        record_id = make_notice_id(self._tails.state, agency, record["id"], record["version"], recipient.state)
        # States with the same redactions share all of the content except the reasons.
        content = contents.get(recipient.redacted)
        if content is None:
            content = contents[recipient.redacted] = get_codec("notice_content").header + CONTENT_HEAD.encode_unframed(
                build_content(record, recipient.redacted)
            )
        content += self._tails.encode_content_tail(verdict, delivery.recipient_index)
        head = build_notice_head(record, item_id, record_id, self._now_ms, content)
        tail = self._tails.encode_notice_tail(record, verdict, delivery.recipient_index)
        value = self._tails.framing.get_header("notice") + NOTICE_HEAD.encode_unframed(head) + tail
        headers = self._notice_headers.build_headers(record_id, record["id"], trace.traceparent(record_id))
        return OutputRecord(delivery.topic, key, value, headers)

    def _build_offer(
        self,
        record: Mapping[str, Any],
        item_id: str,
        key: bytes,
        verdict: Verdict,
        delivery: Delivery,
        trace: TraceContext,
    ) -> OutputRecord:
        record_id = make_first_offer_id(item_id, record["version"], verdict.recipients[delivery.recipient_index].state)
        expires_at = self._now_ms + get_offer_period(record)
        head = build_offer_head(record, item_id, record_id, self._now_ms, expires_at)
        tail = self._tails.encode_offer_tail(record, verdict, delivery.recipient_index)
        value = self._tails.framing.get_header("offer") + OFFER_HEAD.encode_unframed(head) + tail
        headers = self._offer_headers.build_headers(record_id, record["id"], trace.traceparent(record_id))
        return OutputRecord(delivery.topic, key, value, headers)

    def _build_draft(
        self,
        value: bytes | None,
        record: Mapping[str, Any],
        item_id: str,
        verdict: Verdict,
        required: RequiredOutputs,
        amended: AmendedItem | None,
    ) -> OutputRecord:
        amendment = 0 if amended is None else amended.revision.amendment
        head = {
            "indicator_id": record["id"],
            "version": record["version"],
            "decided_at": self._now_ms,
            "officer": record["source"]["officer"],
            "content": value,
        }
        is_corrected = amended is not None and amended.is_corrected
        tail = self._tails.encode_draft_tail(
            record, verdict, required.asked, amendment=amendment, is_corrected=is_corrected
        )
        draft = self._tails.framing.get_header("draft") + DRAFT_HEAD.encode_unframed(head) + tail
        return OutputRecord(self._tails.drafts_topic, make_draft_key(item_id, record["version"], amendment), draft)

    def build_quarantine_record(
        self, rejected: RejectedRecord, rejection: Rejection, value: bytes | None, limits: OutputLimits = DEFAULT_LIMITS
    ) -> OutputRecord:
        """Return the quarantine record.

        Args:
            rejected: The rejected record, by reference.
            rejection: Why it was rejected.
            value: Its value as received; None if it could not be read. It is left out if it is too large to be copied,
                or if the topic would not accept a record with it: a refused quarantine record would stop the gate
                permanently.
            limits: How large outputs may be.
        """
        topic = QUARANTINE.topic(self._tails.state)
        record_id = make_quarantine_id(rejected.topic, rejected.partition, rejected.offset)
        record = {
            "id": record_id,
            "state": self._tails.state,
            "topic": rejected.topic,
            "partition": rejected.partition,
            "offset": rejected.offset,
            "quarantined_at": self._now_ms,
            "stage": rejection.stage,
            "cause": rejection.cause,
            "message": rejection.message,
            "indicator_id": rejection.indicator_id,
            "pack": self._tails.pack_record,
            "record": value if value is not None and len(value) <= RECORD_BYTES_MAX else None,
        }
        encoded = get_codec("quarantine").encode_unframed(record)
        if len(encoded) > limits.get_value_bytes_max(topic):
            encoded = get_codec("quarantine").encode_unframed({**record, "record": None})
        framed = self._tails.framing.frame("quarantine", encoded)
        return OutputRecord(topic, record_id.encode(), framed, partition=rejected.partition)
