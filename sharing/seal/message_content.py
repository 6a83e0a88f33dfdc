"""The content of an opened message, and whether it is what the envelope says.

A sender is proved by the envelope. The notice, offer or reply inside names sender and recipient again, and a gate of
another State could write anything there. So both must agree before the content is used. The exact urgency is content:
it must be one of those that travel on the topic of the envelope.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, final

from sharing.errors import DecodeError
from sharing.model.times import from_milliseconds
from sharing.model.urgency import URGENT_LEVELS
from sharing.model.vocabulary import MessageKind, Urgency
from sharing.seal.envelope import Envelope
from sharing.seal.faults import SealError, SealFault
from sharing.serialization.codec import decode_record, get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.serialization.notice_decoder import NoticeDecoder

_CONTENT_URGENCIES: Final = {
    "notices": frozenset(Urgency) - URGENT_LEVELS,
    "urgent": URGENT_LEVELS,
    "offers": frozenset(Urgency),
    "replies": frozenset(Urgency) - URGENT_LEVELS,
}
"""The urgencies of the contents on each topic."""


def decode_content(envelope: Envelope, content: bytes, *, framing: Framing = SINGLE_OBJECT_FRAMING) -> dict[str, Any]:
    """Return the notice, offer or reply in an opened message, as `decode_record` of the codec returns it.

    Args:
        envelope: The envelope of the verified message.
        content: What `MessageOpener.open` returned.
        framing: The headers of records.

    Raises:
        DecodeError: The content is not a record of the kind that the envelope names.
        SealError: Envelope and content name a different id, sender, recipient, urgency or time.
    """
    record = decode_record(MessageKind(envelope.kind).schema_name, framing.to_single_object(content))
    _compare(envelope, record["id"], record["from_state"], record["to_state"], record["sent_at"], record["urgency"])
    if "content" in record:
        get_codec("notice_content").decode(record["content"])  # whatever is passed on must be readable
    return record


@final
class ContentReader:
    """Checks the contents of opened messages to one State, and remembers what many notices have in common.

    Args:
        state: The State that receives.
    """

    def __init__(self, state: str) -> None:
        self._notices = NoticeDecoder(state)

    def read_urgency(self, envelope: Envelope, content: bytes) -> str:
        """Return the exact urgency of a content that `decode_content` accepts.

        Args:
            envelope: The envelope of the verified message.
            content: What `MessageOpener.open` returned, in single-object encoding.

        Raises:
            DecodeError: As `decode_content`.
            SealError: As `decode_content`.
        """
        if envelope.kind == MessageKind.NOTICE:
            try:
                notice = self._notices.read(content).notice
            except DecodeError:
                pass  # what is wrong with it is said below
            else:
                sent_at = from_milliseconds(notice.sent_at)
                _compare(envelope, notice.id, notice.from_state, notice.to_state, sent_at, notice.urgency)
                return notice.urgency
        urgency: str = decode_content(envelope, content)["urgency"]
        return urgency


def _compare(
    envelope: Envelope, message_id: str, from_state: str, to_state: str, sent_at: datetime, urgency: str
) -> None:
    """Compare the content with the envelope.

    Raises:
        SealError: They differ.
    """
    pairs = {
        "id": (envelope.id, message_id),
        "from_state": (envelope.from_state, from_state),
        "to_state": (envelope.to_state, to_state),
        "sent_at": (from_milliseconds(envelope.sent_at), sent_at),
    }
    differing = [name for name, (stated, found) in pairs.items() if stated != found]
    if urgency not in _CONTENT_URGENCIES[envelope.topic]:
        differing.append("urgency")
    if differing:
        raise SealError(
            SealFault.CONTENT_MISMATCH,
            f"{envelope.from_state}: {', '.join(differing)} in the content is not what the envelope says; "
            "the sender is at fault",
        )
