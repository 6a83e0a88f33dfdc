"""A State that does not keep to the rules, although its keys are real: it seals and signs whatever it likes."""

from __future__ import annotations

import random
from typing import Any

from processors.exactly_once.batch import OutputRecord
from sharing.conversation.vocabulary import Answer
from sharing.law.redaction import CONTENT_FIELDS, build_content
from sharing.model.times import DAY_MS, from_milliseconds
from sharing.model.vocabulary import Authority, MessageKind, Urgency
from sharing.rulings.reply import ReplyKind, ReplyMessage
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.recipient_keys import select_seal_keys
from sharing.seal.sealing import BatchSealer
from sharing.serialization.codec import get_codec
from tests.kafka.topic_io import notice_record
from tests.processors.inbox.inbox_fixtures import make_offer_record
from tests.stories.states import State
from tests.trust.trust_fixtures import make_signer


class HostileState:
    """Writes messages of one State past its worker.

    Args:
        state: The State.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._sealer = BatchSealer(state.code, random.Random(5).randbytes)
        self._sent = 0

    def make_answer(self, to_state: str, item: str, ask: str, answer: Answer, **changes: Any) -> dict[str, Any]:
        """Return the record of an answer."""
        message = ReplyMessage(
            ReplyKind.ANSWER, item, ask, self._state.code, to_state, self._state.bus.now, Urgency.ORDINARY,
            answer=answer, authority=Authority.POLICE, conditions_hash="ab" * 32,
        )  # fmt: skip
        return {**message.to_record(), **changes}

    def make_offer(self, to_state: str, record_id: str, item: str) -> dict[str, Any]:
        """Return the record of an offer of an item that nobody has decided on."""
        now = self._state.bus.now
        return {
            **make_offer_record(to_state), "id": record_id, "item_id": item, "from_state": self._state.code,
            "urgency": "ORDINARY", "sent_at": from_milliseconds(now),
            "expires_at": from_milliseconds(now + 30 * DAY_MS),
        }  # fmt: skip

    def make_recall(self, to_state: str, record_id: str, item: str, version: int = 1) -> dict[str, Any]:
        """Return the record of a recall that no conversation has caused."""
        nothing = {**build_content({}, CONTENT_FIELDS), "relevance": []}
        return {
            **notice_record(to_state), "id": record_id, "item_id": item, "version": version, "kind": "RECALL",
            "from_state": self._state.code, "urgency": "ORDINARY", "sent_at": from_milliseconds(self._state.bus.now),
            "content": get_codec("notice_content").encode(nothing),
        }  # fmt: skip

    def send(
        self,
        kind: MessageKind,
        topic: str,
        fields: dict[str, Any],
        *,
        to_state: str,
        key: Any = None,
        tail: bytes = b"",
    ) -> None:
        """Seal, sign and write a message; `tail` is appended to its content."""
        self._sent += 1
        now = self._state.bus.now
        content = get_codec(kind.schema_name).encode(fields) + tail
        stream = Stream("conversation", self._state.bus.now, 0, topic)
        message = OutgoingMessage(fields["id"], kind, to_state, now, stream, self._sent, content)
        recipients = select_seal_keys(self._state.trusted, now)
        signer = key or make_signer(f"{self._state.code} gate 1")
        (value,) = self._sealer.seal_batch([message], recipients, signer, recipients_max=16, now=now).records
        self._state.bus.write(
            self._state.code, [OutputRecord(f"exchange.{to_state.lower()}.{topic}", b"hostile", value, None, 0)]
        )

    def reply(self, to_state: str, fields: dict[str, Any], **options: Any) -> None:
        self.send(MessageKind.REPLY, "replies", fields, to_state=to_state, **options)
