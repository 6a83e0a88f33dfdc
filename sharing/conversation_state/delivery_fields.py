"""Deliveries as fields of an entry, and back.

Deliveries to many States often have the same terms: an entry has them once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sharing.conversation.deliveries import Delivery, DeliveryKey
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.conversation_state.ask_fields import (
    Fields,
    make_id,
    make_revision,
    read_id,
    read_member,
    read_revision,
)
from sharing.errors import DecodeError
from sharing.model.vocabulary import Outcome


def make_deliveries(deliveries: Mapping[DeliveryKey, Delivery]) -> tuple[list[Fields], list[Fields]]:
    """Return the fields of the terms, each once, and those of the deliveries, in their order."""
    places: dict[Terms, int] = {}
    listed = []
    for delivery in deliveries.values():
        terms = replace(delivery.terms, state="")
        listed.append(
            {
                "state": delivery.state,
                "revision": make_revision(delivery.revision),
                "terms": places.setdefault(terms, len(places)),
                "status": delivery.status,
                "guards": [make_id(guard) for guard in sorted(delivery.guards)],
                "approved": sorted(delivery.approved),
                "is_offered": delivery.is_offered,
                "is_settled": delivery.is_settled,
                "ends_at": delivery.ends_at,
            }
        )
    return [_make_terms(terms) for terms in places], listed


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


def _make_terms(terms: Terms) -> Fields:
    texts = dict(terms.list_texts(terms.conditions))
    return {
        "outcome": terms.outcome,
        "conditions": sorted(terms.conditions),
        "optional": sorted(terms.optional),
        "accept_first": terms.accept_first,
        "redacted": sorted(terms.redacted),
        "approver": terms.approver,
        "approvers_needed": terms.approvers_needed,
        "missing": sorted(terms.missing),
        "texts": [bytes.fromhex(texts.get(code, "")) for code in sorted(terms.conditions)],
    }


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
