"""What an item remembers in addition to deliveries and Asks, as parts of an entry, and back.

These are the rulings that have counted, the replies that wait for their Asks, and the messages that are in the inbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sharing.conversation.events import Replied
from sharing.conversation.received_events import InboxCopy
from sharing.conversation.vocabulary import Answer
from sharing.conversation_state.ask_fields import Fields, read_id, read_member, read_revision
from sharing.conversation_state.avro_parts import write_array, write_boolean, write_id, write_revision
from sharing.serialization.avro_primitives import encode_bytes, encode_long, encode_string


def write_rulings(rulings: Mapping[str, int]) -> bytes:
    """Return rulings, in their order."""
    return write_array([encode_bytes(bytes.fromhex(digest)) + encode_long(until) for digest, until in rulings.items()])


def read_rulings(listed: list[Fields]) -> dict[str, int]:
    """Return when each ruling expires, by its digest."""
    return {known["digest"].hex(): known["expires_at"] for known in listed}


def write_early(replies: Iterable[Replied]) -> bytes:
    """Return replies, in their order."""
    return write_array(
        [
            b"".join(
                (write_id(reply.ask), encode_string(reply.state), encode_string(reply.answer), encode_long(reply.at))
            )
            for reply in replies
        ]
    )


def read_early(listed: list[Fields]) -> tuple[Replied, ...]:
    """Return the replies.

    Raises:
        DecodeError: This release does not know an answer.
    """
    return tuple(
        Replied(
            read_id(fields["ask"]),
            fields["state"],
            read_member(Answer, fields["answer"], "early.answer"),
            fields["at"],
        )
        for fields in listed
    )


def write_copies(copies: Iterable[InboxCopy]) -> bytes:
    """Return messages, in their order."""
    return write_array(
        [
            b"".join(
                (
                    write_id(copy.message),
                    write_revision(copy.revision),
                    write_boolean(copy.is_urgent),
                    write_boolean(copy.is_recall),
                )
            )
            for copy in copies
        ]
    )


def read_copies(listed: list[Fields]) -> tuple[InboxCopy, ...]:
    """Return the messages.

    Raises:
        DecodeError: An id is neither a text nor a UUID.
    """
    return tuple(
        InboxCopy(
            read_id(fields["message"]), read_revision(fields["revision"]), fields["is_urgent"], fields["is_recall"]
        )
        for fields in listed
    )
