"""What a court would reconstruct from the topics: messages opened, rulings verified, acts and decisions read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.conversation.revision import Revision
from sharing.errors import SharingError
from sharing.model.vocabulary import MessageKind
from sharing.rulings.reply import ReplyKind, ReplyMessage
from sharing.seal.message_content import decode_content
from sharing.seal.opening import MessageOpener
from sharing.serialization.codec import decode_record
from tests.processors.conversation.conversation_driver import StampedMessage
from tests.stories.keys import open_seal_key

if TYPE_CHECKING:
    from tests.stories.states import State

COUNTS = b"counts"


class Message(NamedTuple):
    """A message between two States, opened.

    Attributes:
        kind: Its kind.
        loop: Which of the sender's loops has sent it.
        fields: Its content.
        at: The broker's time, in UTC milliseconds.
        reply: Of a reply, what it says; None if it is not well-formed.
    """

    kind: MessageKind
    loop: str
    fields: Mapping[str, Any]
    at: int
    reply: ReplyMessage | None

    @property
    def sides(self) -> tuple[str, str]:
        """The State that has sent it, and the one that gets it."""
        return self.fields["from_state"], self.fields["to_state"]

    @property
    def revision(self) -> Revision:
        """The revision of the item that it is about."""
        return Revision(self.fields["version"], self.fields["amendment"])

    @property
    def has_content(self) -> bool:
        """Whether it hands over content."""
        return self.kind is MessageKind.NOTICE and self.fields["kind"] != "RECALL"

    def is_reply(self, *kinds: ReplyKind) -> bool:
        """Return whether it is a well-formed reply of one of these kinds."""
        return self.reply is not None and self.reply.kind in kinds


class Opener:
    """Opens every message with the key of its addressee.

    Args:
        states: The States.
    """

    def __init__(self, states: Mapping[str, State]) -> None:
        self._states = states

    @cached_property
    def _keys(self) -> Mapping[str, Any]:
        return {state: open_seal_key(state) for state in self._states}

    def open(self, record: StampedMessage) -> Message | None:
        """Return the message in a record; None if it is none, or does not verify."""
        if not record.topic().startswith("exchange.") or record.key() == COUNTS:
            return None
        _, code, topic = record.topic().split(".")
        state = self._states[code.upper()]
        opener, key = MessageOpener(state.code), self._keys[state.code]
        try:
            verified = opener.verify(record.value() or b"", state.trusted, record.published_at, topic=topic)
            content = opener.open(verified, {key.public_key.key_id: key})
            decode_content(verified.envelope, content)
        except SharingError:
            return None
        fields = decode_record(verified.kind.schema_name, content)
        reply = _read_reply(fields) if verified.kind is MessageKind.REPLY else None
        return Message(verified.kind, verified.envelope.loop, fields, record.published_at, reply)


def _read_reply(fields: Mapping[str, Any]) -> ReplyMessage | None:
    try:
        return ReplyMessage.from_record(fields)
    except SharingError:
        return None
