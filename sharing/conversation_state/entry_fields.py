"""The stored fields of an entry of the conversations, before they are converted to anything else."""

from __future__ import annotations

from typing import Final

from sharing.conversation_state.ask_fields import Fields
from sharing.conversation_state.item_keys import read_item_key
from sharing.errors import DecodeError
from sharing.serialization.codec import get_codec

SCHEMA: Final = "conversation_state"


def decode_fields(key: bytes, entry: bytes) -> Fields:
    """Return the fields of an entry as they are stored: of a conversation or of a received item, as the key says.

    Raises:
        DecodeError: It is malformed, or has a kind that this release does not know.
    """
    from_state = read_item_key(key).from_state
    fields = get_codec(SCHEMA).decode(entry)
    conversation, received = fields["conversation"], fields["received"]
    chosen, other = (conversation, received) if from_state is None else (received, conversation)
    if isinstance(chosen, dict) and other is None:
        return chosen
    raise DecodeError(
        "an entry of the conversations is of a kind that this release does not know, or not the one that its key says; "
        "update this program to the release of the worker that wrote it",
        cause="UNKNOWN_KIND",
    )
