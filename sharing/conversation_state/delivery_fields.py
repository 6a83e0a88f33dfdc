"""Deliveries as parts of an entry, and back.

Deliveries to many States often have the same terms: an entry has them once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from sharing.conversation.deliveries import Delivery, DeliveryKey
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.conversation_state.ask_fields import Fields, read_id, read_member, read_revision
from sharing.conversation_state.avro_parts import (
    NOTHING,
    write_array,
    write_boolean,
    write_id,
    write_optional_long,
    write_optional_text,
    write_revision,
    write_texts,
)
from sharing.errors import DecodeError
from sharing.model.vocabulary import Outcome
from sharing.serialization.avro_primitives import encode_bytes, encode_long, encode_string


def write_deliveries(deliveries: Mapping[DeliveryKey, Delivery]) -> bytes:
    """Return the terms, each once, and the deliveries, in their order, as they are in an entry."""
    places: dict[bytes, int] = {}
    listed = []
    for delivery in deliveries.values():
        terms = _write_terms(delivery.terms)
        place = places.setdefault(terms, len(places))
        listed.append(_write_delivery(delivery, place))
    return write_array(list(places)) + write_array(listed)


def read_deliveries(terms: list[Fields], listed: list[Fields]) -> dict[DeliveryKey, Delivery]:
    """Return the deliveries.

    Args:
        terms: The fields of the terms.
        listed: The fields of the deliveries.

    Raises:
        DecodeError: This release does not know a value, a delivery has no terms, or there are two of a revision to one
            State.
    """
    known = [_read_terms(fields) for fields in terms]
    deliveries = {delivery.key: delivery for delivery in (_read_delivery(fields, known) for fields in listed)}
    if len(deliveries) != len(listed):
        raise DecodeError(
            "an entry of the conversations has two deliveries of a revision to one State; restore the topic from a "
            "backup",
            cause="MALFORMED",
        )
    return deliveries


def require_place(place: int, count: int) -> int:
    """Return the place of the terms of a delivery in their list.

    Args:
        place: The place, from 0.
        count: Length of the list.

    Raises:
        DecodeError: The list has no such place.
    """
    if not 0 <= place < count:
        raise DecodeError(
            "an entry of the conversations has a delivery without terms; restore the topic from a backup",
            cause="MALFORMED",
        )
    return place


def _write_delivery(delivery: Delivery, place: int) -> bytes:
    guards, approved = delivery.guards, delivery.approved
    return b"".join(
        (
            encode_string(delivery.state),
            write_revision(delivery.revision),
            encode_long(place),
            encode_string(delivery.status),
            write_array([write_id(guard) for guard in sorted(guards)]) if guards else NOTHING,
            write_texts(approved) if approved else NOTHING,
            write_boolean(delivery.is_offered),
            write_boolean(delivery.is_settled),
            write_optional_long(delivery.ends_at),
        )
    )


@lru_cache(maxsize=2048)
def _write_terms(terms: Terms) -> bytes:
    """Return terms without their State, which the delivery has: codes and hashes, so many items have the same."""
    texts = dict(terms.list_texts(terms.conditions))
    return b"".join(
        (
            encode_string(terms.outcome),
            write_texts(terms.conditions),
            write_texts(terms.optional),
            write_boolean(terms.accept_first),
            write_texts(terms.redacted),
            write_optional_text(terms.approver),
            encode_long(terms.approvers_needed),
            write_texts(terms.missing),
            write_array([encode_bytes(bytes.fromhex(texts.get(code, ""))) for code in sorted(terms.conditions)]),
        )
    )


def _read_terms(fields: Fields) -> Terms:
    if len(fields["texts"]) != len(fields["conditions"]):
        raise DecodeError(
            "an entry of the conversations has conditions without their hashes; restore the topic from a backup",
            cause="MALFORMED",
        )
    texts = zip(fields["conditions"], fields["texts"], strict=True)
    return Terms(
        state="",
        outcome=read_member(Outcome, fields["outcome"], "terms.outcome"),
        conditions=frozenset(fields["conditions"]),
        optional=frozenset(fields["optional"]),
        accept_first=fields["accept_first"],
        redacted=frozenset(fields["redacted"]),
        approver=fields["approver"],
        approvers_needed=fields["approvers_needed"],
        missing=frozenset(fields["missing"]),
        texts=frozenset((code, digest.hex()) for code, digest in texts if digest),
    )


def _read_delivery(fields: Fields, known: list[Terms]) -> Delivery:
    place = require_place(fields["terms"], len(known))
    return Delivery(
        state=fields["state"],
        revision=read_revision(fields["revision"]),
        terms=replace(known[place], state=fields["state"]),
        status=read_member(DeliveryStatus, fields["status"], "deliveries.status"),
        guards=frozenset(map(read_id, fields["guards"])),
        approved=frozenset(fields["approved"]),
        is_offered=fields["is_offered"],
        is_settled=fields["is_settled"],
        ends_at=fields["ends_at"],
    )
