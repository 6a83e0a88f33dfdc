"""What an item remembers in addition to deliveries and Asks, as fields of an entry, and back.

These are the rulings that have counted, the replies that wait for their Asks, and the messages that are in the inbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sharing.conversation.events import Replied
from sharing.conversation.received_events import InboxCopy
from sharing.conversation.vocabulary import Answer
from sharing.conversation_state.ask_fields import Fields, make_id, make_revision, read_id, read_member, read_revision


def make_rulings(rulings: Mapping[str, int]) -> list[Fields]:
    """Return the fields of rulings, in their order."""
    return [{"digest": bytes.fromhex(digest), "expires_at": until} for digest, until in rulings.items()]


def read_rulings(listed: list[Fields]) -> dict[str, int]:
    """Return when each ruling expires, by its digest."""
    return {known["digest"].hex(): known["expires_at"] for known in listed}


def make_early(replies: Iterable[Replied]) -> list[Fields]:
    """Return the fields of replies, in their order."""
    return [
        {"ask": make_id(reply.ask), "state": reply.state, "answer": reply.answer, "at": reply.at} for reply in replies
    ]


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


def make_copies(copies: Iterable[InboxCopy]) -> list[Fields]:
    """Return the fields of messages, in their order."""
    return [
        {
            "message": make_id(copy.message),
            "revision": make_revision(copy.revision),
            "is_urgent": copy.is_urgent,
            "is_recall": copy.is_recall,
        }
        for copy in copies
    ]


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
