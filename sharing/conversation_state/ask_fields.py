"""Asks as fields of an entry, and back. Closed lists are strings in an entry, and are checked when it is read."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeVar

from sharing.conversation.asks import Ask, GivenAnswer, Publisher
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus
from sharing.conversation_state.item_keys import UUID_BYTES, pack_uuid, unpack_uuid
from sharing.errors import DecodeError
from sharing.model.vocabulary import Urgency

Fields = dict[str, Any]
Member = TypeVar("Member", bound=StrEnum)


def make_id(text: str) -> tuple[str, bytes | str]:
    """Return an id for an entry: ids made here are UUIDs; one that another State has chosen may be any text."""
    packed = pack_uuid(text)
    return ("string", text) if packed is None else ("bytes", packed)


def read_id(value: bytes | str) -> str:
    """Return the id in an entry.

    Raises:
        DecodeError: It is neither a text nor a UUID.
    """
    if isinstance(value, str):
        return value
    if len(value) != UUID_BYTES:
        raise DecodeError(
            "an entry of the conversations has an id that is no UUID; restore the topic from a backup",
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


def make_revision(revision: Revision) -> Fields:
    """Return the fields of a revision."""
    return {"version": revision.version, "amendment": revision.amendment}


def read_revision(fields: Fields) -> Revision:
    """Return the revision."""
    return Revision(fields["version"], fields["amendment"])


def make_publisher(publisher: Publisher) -> Fields:
    """Return the fields of a publisher."""
    return {"agency": publisher.agency, "officer": publisher.officer}


def read_publisher(fields: Fields) -> Publisher:
    """Return the publisher."""
    return Publisher(fields["agency"], fields["officer"])


def make_asks(asks: Iterable[Ask]) -> list[Fields]:
    """Return the fields of Asks, in their order."""
    return [_make_ask(ask) for ask in asks]


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


def _make_ask(ask: Ask) -> Fields:
    return {
        "id": make_id(ask.id),
        "kind": ask.kind,
        "state": ask.state,
        "role": ask.role,
        "revision": make_revision(ask.revision),
        "recipients": sorted(ask.recipients),
        "publisher": make_publisher(ask.publisher),
        "urgency": ask.urgency,
        "opened_at": ask.opened_at,
        "expires_at": ask.expires_at,
        "needed": ask.needed,
        "facts": sorted(ask.facts),
        "round": ask.round,
        "status": ask.status,
        "given": [
            {"answer": given.answer, "officer": given.officer, "agency": given.agency, "at": given.at}
            for given in ask.given
        ],
        "escalated": ask.escalated,
        "authority": ask.authority,
        "claimed_by": ask.claimed_by,
        "claimed_until": ask.claimed_until,
    }


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
