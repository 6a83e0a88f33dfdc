"""Builds the notices, recalls, offers and replies of the conversation, as records that are not sealed yet."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, final

from processors.exactly_once.batch import OutputRecord
from processors.gate.message_fields import build_notice_head, build_offer_head, build_subject, build_terms
from sharing.ids import make_notice_id
from sharing.law.redaction import CONTENT_FIELDS, build_content
from sharing.model.times import from_milliseconds
from sharing.model.urgency import URGENT_LEVELS
from sharing.model.vocabulary import Form, NoticeKind, Urgency
from sharing.serialization.cloud_events import EventHeaderBuilder
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing
from sharing.telemetry.tracing import TraceContext
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import NOTICES, OFFERS, REPLIES, URGENT

if TYPE_CHECKING:
    from sharing.conversation.asks import Ask
    from sharing.conversation.revision import Revision
    from sharing.model.decision import PackReference, RecipientDecision
    from sharing.model.indicator_record import WireRecord
    from sharing.rulings.reply import ReplyMessage


class MessagePlace(NamedTuple):
    """The item that a message is about, and where and when the message is written.

    Attributes:
        item: Id of the item.
        partition: Its partition, which is the same in both States.
        now_ms: The time, in UTC milliseconds.
    """

    item: str
    partition: int
    now_ms: int


@final
class MessageBuilder:
    """Builds the messages of one State.

    Args:
        state: The State.
        framing: How records are framed.
    """

    def __init__(self, state: str, framing: Framing) -> None:
        self._state = state
        self._framing = framing
        self._headers = {kind.schema: EventHeaderBuilder(kind, state) for kind in (NOTICES, OFFERS, REPLIES)}

    def build_notice(
        self,
        place: MessagePlace,
        record: WireRecord,
        recipient: RecipientDecision,
        revision: Revision,
        kind: NoticeKind,
        pack: PackReference,
    ) -> OutputRecord:
        """Return the notice of an item, or of its correction.

        Args:
            place: Item, partition and time.
            record: The item.
            recipient: What the law decides for the recipient: it has the conditions and redactions of this notice.
            revision: The state of the item.
            kind: ITEM or CORRECTION.
            pack: The law.
        """
        notice_id = make_notice_id(
            self._state, record["source"]["agency"], record["id"], revision.version, recipient.state, revision.amendment
        )
        reasons = [asdict(reason) for reason in recipient.relevance]
        content = get_codec("notice_content").encode(
            {**build_content(record, recipient.redacted), "relevance": reasons}
        )
        fields = {
            **build_notice_head(record, place.item, notice_id, place.now_ms, content),
            **build_terms(self._state, asdict(pack), record, recipient),
            "amendment": revision.amendment,
            "kind": kind,
            "to_authority": recipient.to_authority,
            "redacted": recipient.redacted,
        }
        topic = _choose_topic(NOTICES, fields["urgency"])
        return self._build(place, "notice", fields, topic.topic(recipient.state), record["id"])

    def build_recall(self, place: MessagePlace, indicator: str, ask: Ask, pack: PackReference) -> OutputRecord:
        """Return the recall of an item. It names the item, and has neither content nor legal terms.

        It needs no draft and no decision by the law: what a State has can always be recalled.

        Args:
            place: Item, partition and time.
            indicator: Id of the indicator, which is the key of the item's notices.
            ask: The Ask for the acknowledgement: the recall has its id.
            pack: The law.
        """
        nothing: dict[str, Any] = {**build_content({}, CONTENT_FIELDS), "relevance": []}
        fields: dict[str, Any] = {
            "id": ask.id,
            "indicator_id": indicator,
            "item_id": place.item,
            "version": ask.revision.version,
            "sent_at": from_milliseconds(place.now_ms),
            "review_at": None,
            "retain_until": None,
            "content": get_codec("notice_content").encode(nothing),
            "amendment": ask.revision.amendment,
            "kind": NoticeKind.RECALL,
            "from_state": self._state,
            "to_state": ask.state,
            "to_authority": None,
            "urgency": ask.urgency,
            "form": Form.UNKNOWN,
            "pack": asdict(pack),
            "basis": None,
            "condition_model": None,
            "rules": [],
            "conditions": [],
            "obligation": False,
            "relevance": [],
            "redacted": [],
        }
        return self._build(place, "notice", fields, _choose_topic(NOTICES, ask.urgency).topic(ask.state), indicator)

    def build_offer(
        self, place: MessagePlace, record: WireRecord, recipient: RecipientDecision, ask: Ask, pack: PackReference
    ) -> OutputRecord:
        """Return the offer of an item under conditions, without content.

        Args:
            place: Item, partition and time.
            record: The item.
            recipient: What the law decides for the recipient: it has the conditions of this offer.
            ask: The Ask for the acceptance: the offer has its id and its expiry.
            pack: The law.
        """
        fields = {
            **build_offer_head(record, place.item, ask.id, place.now_ms, ask.expires_at),
            **build_terms(self._state, asdict(pack), record, recipient),
            **build_subject(record, recipient),
            "amendment": ask.revision.amendment,
        }
        topic = _choose_topic(OFFERS, fields["urgency"])
        return self._build(place, "offer", fields, topic.topic(ask.state), record["id"])

    def build_reply(self, place: MessagePlace, reply: ReplyMessage) -> OutputRecord:
        """Return the record of a reply."""
        topic = (URGENT if reply.topic == URGENT.name else REPLIES).topic(reply.to_state)
        return self._build(place, "reply", reply.to_record(), topic, place.item)

    def _build(self, place: MessagePlace, schema: str, fields: dict[str, Any], topic: str, key: str) -> OutputRecord:
        record_id = fields["id"]
        value = self._framing.frame(schema, get_codec(schema).encode_unframed(fields))
        trace = TraceContext.from_parent(None, place.item).traceparent(record_id)
        headers = self._headers[schema].at_instant(place.now_ms).build_headers(record_id, key, trace)
        return OutputRecord(topic, key.encode(), value, headers, place.partition)


def _choose_topic(kind: TopicKind, urgency: str) -> TopicKind:
    """Return the topic of a message: urgent messages never wait for others."""
    return URGENT if Urgency(urgency) in URGENT_LEVELS else kind
