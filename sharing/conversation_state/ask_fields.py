"""Asks as parts of an entry, and back. Closed lists are strings in an entry, and are checked when it is read."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeVar

from sharing.conversation.asks import Ask, GivenAnswer, Publisher
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus
from sharing.conversation_state.avro_parts import (
    write_array,
    write_id,
    write_optional_text,
    write_publisher,
    write_revision,
    write_texts,
)
from sharing.conversation_state.item_keys import UUID_BYTES, unpack_uuid
from sharing.errors import DecodeError
from sharing.model.vocabulary import Urgency
from sharing.serialization.avro_primitives import encode_long, encode_string

Fields = dict[str, Any]
Member = TypeVar("Member", bound=StrEnum)


def read_id(value: bytes | str) -> str:
    """Return the id in an entry.

    Raises:
        DecodeError: It is neither a text nor a UUID.
    """
    if isinstance(value, str):
        return value
    if len(value) != UUID_BYTES:
        raise DecodeError(
            "an entry of the conversations has an id that is not a UUID; restore the topic from a backup",
            cause="MALFORMED",
        )
    return unpack_uuid(value)


def read_member(members: type[Member], value: str, field: str) -> Member:
    """Return the member of a closed list.

    Args:
        members: The list.
        value: The value in the entry.
        field: Name of the field, for the message.

    Raises:
        DecodeError: This release does not know the value.
    """
    try:
        return members(value)
    except ValueError:
        raise DecodeError(
            f"`{field}` in an entry of the conversations has a value that this release does not know; update this "
            "program to the release of the worker that wrote it",
            cause="UNKNOWN_KIND",
        ) from None


def read_revision(fields: Fields) -> Revision:
    """Return the revision."""
    return Revision(fields["version"], fields["amendment"])


def read_publisher(fields: Fields) -> Publisher:
    """Return the publisher."""
    return Publisher(fields["agency"], fields["officer"])


def write_asks(asks: Iterable[Ask]) -> bytes:
    """Return Asks, in their order, as they are in an entry."""
    return write_array([_write_ask(ask) for ask in asks])


def read_asks(listed: list[Fields]) -> dict[str, Ask]:
    """Return the Asks by id.

    Raises:
        DecodeError: This release does not know a value, or two Asks have one id.
    """
    asks = {ask.id: ask for ask in map(_read_ask, listed)}
    if len(asks) != len(listed):
        raise DecodeError(
            "an entry of the conversations has two Asks with one id; restore the topic from a backup", cause="MALFORMED"
        )
    return asks


def _write_ask(ask: Ask) -> bytes:
    return b"".join(
        (
            write_id(ask.id),
            encode_string(ask.kind),
            encode_string(ask.state),
            write_optional_text(ask.role),
            write_revision(ask.revision),
            write_texts(ask.recipients),
            write_publisher(ask.publisher),
            encode_string(ask.urgency),
            encode_long(ask.opened_at),
            encode_long(ask.expires_at),
            encode_long(ask.needed),
            write_texts(ask.facts),
            encode_long(ask.round),
            encode_string(ask.status),
            write_array([_write_given(given) for given in ask.given]),
            encode_long(ask.escalated),
            write_optional_text(ask.authority),
            write_optional_text(ask.claimed_by),
            encode_long(ask.claimed_until),
        )
    )


def _write_given(given: GivenAnswer) -> bytes:
    parts = (encode_string(given.answer), encode_string(given.officer), encode_string(given.agency))
    return b"".join((*parts, encode_long(given.at)))


def _read_ask(fields: Fields) -> Ask:
    return Ask(
        id=read_id(fields["id"]),
        kind=read_member(AskKind, fields["kind"], "asks.kind"),
        state=fields["state"],
        role=fields["role"],
        revision=read_revision(fields["revision"]),
        recipients=frozenset(fields["recipients"]),
        publisher=read_publisher(fields["publisher"]),
        urgency=read_member(Urgency, fields["urgency"], "asks.urgency"),
        opened_at=fields["opened_at"],
        expires_at=fields["expires_at"],
        needed=fields["needed"],
        facts=frozenset(fields["facts"]),
        round=fields["round"],
        status=read_member(AskStatus, fields["status"], "asks.status"),
        given=tuple(
            GivenAnswer(
                read_member(Answer, given["answer"], "asks.given.answer"),
                given["officer"],
                given["agency"],
                given["at"],
            )
            for given in fields["given"]
        ),
        escalated=fields["escalated"],
        authority=fields["authority"],
        claimed_by=fields["claimed_by"],
        claimed_until=fields["claimed_until"],
    )
