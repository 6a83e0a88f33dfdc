"""The content of an opened message, and whether it is what the envelope says.

A sender is proved by the envelope. The notice, offer or reply inside names sender and recipient again, and a gate of
another State could write anything there. So both must agree before the content is used. The exact urgency is content:
it must be one of those that travel on the topic of the envelope.
"""

from __future__ import annotations

from typing import Any, Final

from sharing.model.times import from_milliseconds
from sharing.model.urgency import URGENT_LEVELS
from sharing.model.vocabulary import MessageKind, Urgency
from sharing.seal.envelope import Envelope
from sharing.seal.faults import SealError, SealFault
from sharing.serialization.codec import decode_record, get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing

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
        DecodeError: The content is no record of the kind that the envelope names.
        SealError: Envelope and content name another id, sender, recipient, urgency or time.
    """
    record = decode_record(MessageKind(envelope.kind).schema_name, framing.to_single_object(content))
    expected = {
        "id": envelope.id,
        "from_state": envelope.from_state,
        "to_state": envelope.to_state,
        "sent_at": from_milliseconds(envelope.sent_at),
    }
    differing = [name for name, value in expected.items() if record[name] != value]
    if record["urgency"] not in _CONTENT_URGENCIES[envelope.topic]:
        differing.append("urgency")
    if differing:
        raise SealError(
            SealFault.CONTENT_MISMATCH,
            f"{envelope.from_state}: {', '.join(differing)} in the content is not what the envelope says; "
            "the sender is at fault",
        )
    if "content" in record:
        get_codec("notice_content").decode(record["content"])  # whatever is handed on can be read
    return record
