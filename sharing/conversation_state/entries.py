"""The entries of the state store, as they are on its changelog topic: `schemas/conversation_state.avsc`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sharing.conversation.deliveries import Conversation, due
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import due_received
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import DeliveryStatus, ReplyResult
from sharing.conversation_state.ask_fields import (
    Fields,
    read_asks,
    read_id,
    read_member,
    read_publisher,
    read_revision,
    write_asks,
)
from sharing.conversation_state.avro_parts import (
    NULL,
    SECOND,
    write_array,
    write_id,
    write_optional_long,
    write_publisher,
    write_revision,
)
from sharing.conversation_state.delivery_fields import read_deliveries, write_deliveries
from sharing.conversation_state.entry_fields import SCHEMA, decode_fields
from sharing.conversation_state.entry_head import count_early, count_open_asks, encode_head
from sharing.conversation_state.item_keys import IN_PREFIX, read_item_key
from sharing.conversation_state.remembered_fields import (
    read_copies,
    read_early,
    read_rulings,
    write_copies,
    write_early,
    write_rulings,
)
from sharing.errors import DecodeError, InputError
from sharing.model.vocabulary import Urgency
from sharing.serialization.avro_primitives import encode_bytes, encode_long, encode_string
from sharing.serialization.codec import get_codec

RESERVED_BYTES: Final = 100_000
"""How much of an entry arriving messages may not fill, so that changes caused by time alone can always be stored.

Decisions of the gate leave twice as much free, so that an officer can still recall or withdraw the item.
"""


@dataclass(frozen=True, slots=True)
class KeptConversation:
    """What is kept about an item of the State's own.

    Attributes:
        conversation: The conversation.
        drafts: By revision, the sealed draft, which must be sent later. For revisions with a waiting delivery, and for
            the newest one as long as a State has the item.
    """

    conversation: Conversation
    drafts: Mapping[Revision, bytes] = field(default_factory=dict)


def encode_conversation(kept: KeptConversation) -> bytes:
    """Return the entry of an item of the State's own. Drafts that are no longer needed are dropped.

    Raises:
        InputError: The entry would be too large to be read again.
    """
    conversation = kept.conversation
    drafts = kept.drafts
    needed = _list_needed(conversation) if drafts else ()
    fields = (
        encode_string(conversation.state),
        write_revision(conversation.revision),
        write_publisher(conversation.publisher),
        encode_string(conversation.urgency),
        write_deliveries(conversation.deliveries),
        write_asks(conversation.asks.values()),
        write_array(
            [write_revision(revision) + encode_bytes(drafts[revision]) for revision in drafts if revision in needed]
        ),
        encode_long(conversation.handed_out),
        encode_long(conversation.handed_out_at),
        write_optional_long(conversation.retain_until),
        write_early(conversation.early),
        write_rulings(conversation.rulings),
        encode_long(conversation.changed_at),
        write_id(conversation.indicator),
    )
    open_asks = sum(ask.is_open for ask in conversation.asks.values())
    head = encode_head(due(conversation), open_asks, len(conversation.early))
    return require_entry_size(b"".join((head, SECOND, *fields, NULL)))


def encode_received(received: ReceivedItem) -> bytes:
    """Return the entry of an item of another State.

    Raises:
        InputError: The entry would be too large to be read again.
    """
    head = encode_head(due_received(received), received.count_open(), received.count_early())
    results = [write_id(ask) + encode_string(result) for ask, result in received.results.items()]
    conditions = [write_id(ask) + encode_bytes(bytes.fromhex(digest)) for ask, digest in received.conditions.items()]
    fields = (
        encode_string(received.state),
        write_revision(received.revision),
        write_revision(received.recalled),
        write_asks(received.asks.values()),
        write_array(results),
        write_array(conditions),
        write_copies(received.inbox),
        write_optional_long(received.retain_until),
        write_rulings(received.rulings),
        encode_long(received.changed_at),
    )
    return require_entry_size(b"".join((head, NULL, SECOND, *fields)))


def decode_entry(key: bytes, entry: bytes) -> KeptConversation | ReceivedItem:
    """Return what an entry is about.

    Raises:
        DecodeError: It is malformed, or has a kind, a field or a value that this release does not know.
    """
    item, from_state = read_item_key(key)
    fields = decode_fields(key, entry)
    return _read_conversation(item, fields) if from_state is None else _read_received(item, from_state, fields)


def decode_conversation(key: bytes, entry: bytes) -> KeptConversation:
    """Return what is kept about an item of the State's own.

    Raises:
        DecodeError: As `decode_entry`, or the item belongs to another State.
    """
    kept = decode_entry(key, entry)
    if isinstance(kept, ReceivedItem):
        raise DecodeError("the entry belongs to an item of another State; read it as one", cause="UNKNOWN_KIND")
    return kept


def decode_received(key: bytes, entry: bytes) -> ReceivedItem:
    """Return what is kept about an item of another State.

    Raises:
        DecodeError: As `decode_entry`, or the item is the State's own.
    """
    kept = decode_entry(key, entry)
    if isinstance(kept, KeptConversation):
        raise DecodeError("the entry belongs to one of the State's own items; read it as one", cause="UNKNOWN_KIND")
    return kept


def list_waiting(key: bytes, entry: bytes) -> Mapping[str, int]:
    """Return how much of other States is waiting in an entry, by State; almost always of one State or none.

    For one of the State's own items: replies whose Asks are not known. For an item of another State: open Asks, and
    withdrawals whose offers are not known.

    Raises:
        DecodeError: As `decode_entry`.
    """
    early = count_early(entry)
    if key.startswith(IN_PREFIX):
        waiting = early + count_open_asks(entry)
        return {str(read_item_key(key).from_state): waiting} if waiting else {}
    if not early:
        return {}
    return Counter(reply.state for reply in decode_conversation(key, entry).conversation.early)


def require_entry_size(entry: bytes, reserved: int = 0) -> bytes:
    """Return an entry, unless it is too large.

    Args:
        entry: The entry.
        reserved: How many bytes of the limit for an entry stay free.

    Raises:
        InputError: It is too large.
    """
    bytes_max = get_codec(SCHEMA).bytes_max - reserved
    if len(entry) > bytes_max:
        raise InputError(
            f"what is known about one item has {len(entry):,} bytes, more than the {bytes_max:,} of an entry; it has "
            "too many revisions and recipients: withdraw it, and publish it with another id"
        )
    return entry


def _read_conversation(item: str, fields: Fields) -> KeptConversation:
    conversation = Conversation(
        item=item,
        state=fields["state"],
        revision=read_revision(fields["revision"]),
        publisher=read_publisher(fields["publisher"]),
        urgency=read_member(Urgency, fields["urgency"], "urgency"),
        deliveries=read_deliveries(fields["terms"], fields["deliveries"]),
        asks=read_asks(fields["asks"]),
        handed_out=fields["handed_out"],
        handed_out_at=fields["handed_out_at"],
        retain_until=fields["retain_until"],
        early=read_early(fields["early"]),
        rulings=read_rulings(fields["rulings"]),
        changed_at=fields["changed_at"],
        indicator=read_id(fields["indicator"]),
    )
    return KeptConversation(conversation, {read_revision(kept["revision"]): kept["draft"] for kept in fields["drafts"]})


def _read_received(item: str, from_state: str, fields: Fields) -> ReceivedItem:
    return ReceivedItem(
        item=item,
        from_state=from_state,
        state=fields["state"],
        revision=read_revision(fields["revision"]),
        recalled=read_revision(fields["recalled"]),
        asks=read_asks(fields["asks"]),
        results={
            read_id(known["ask"]): read_member(ReplyResult, known["result"], "results.result")
            for known in fields["results"]
        },
        conditions={read_id(known["ask"]): known["hash"].hex() for known in fields["conditions"]},
        inbox=read_copies(fields["inbox"]),
        retain_until=fields["retain_until"],
        rulings=read_rulings(fields["rulings"]),
        changed_at=fields["changed_at"],
    )


def _list_needed(conversation: Conversation) -> set[Revision]:
    """Return the revisions whose drafts are needed: for what waits, and for a correction of what a State has."""
    needed = {delivery.revision for delivery in conversation.list_deliveries(DeliveryStatus.WAITING)}
    if needed or any(conversation.list_deliveries(DeliveryStatus.SENT)):
        needed.add(conversation.revision)
    return needed
