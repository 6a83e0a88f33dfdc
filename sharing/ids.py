"""Ids of what the gate makes: UUIDv5 (RFC 9562) of cause and recipient, so that the same cause gives the same id."""

from __future__ import annotations

import uuid_utils

NAMESPACE = uuid_utils.UUID("6f0c2f3e-54b7-5d0c-9a0e-5b8b6c8b2a41")
"""The bus's own namespace; changing it would make every notice look new."""


def notice_id(provider: str, indicator_id: str, version: int, recipient: str) -> str:
    """Return the id of the notice of one version of an item from one State to another.

    The provider is part of it: two States may publish the same attribute of the same MISP event.
    """
    return str(uuid_utils.uuid5(NAMESPACE, f"notice/{provider}/{indicator_id}/{version}/{recipient}"))


def offer_id(provider: str, indicator_id: str, version: int, recipient: str) -> str:
    """Return the id of the offer of one version of an item from one State to another."""
    return str(uuid_utils.uuid5(NAMESPACE, f"offer/{provider}/{indicator_id}/{version}/{recipient}"))


def quarantine_id(topic: str, partition: int, offset: int) -> str:
    """Return the id under which one record of a topic is quarantined."""
    return str(uuid_utils.uuid5(NAMESPACE, f"quarantine/{topic}/{partition}/{offset}"))


def part_id(provider: str, agency: str, type_name: str, value: str) -> str:
    """Return the id of a value that stands in a file without an id of its own: the same value has the same id."""
    return str(uuid_utils.uuid5(NAMESPACE, f"misp/{provider}/{agency}/{type_name}/{value}"))


def content_id(text: str) -> str:
    """Return an id for an indicator that has none and is only explained: the same text has the same id."""
    return str(uuid_utils.uuid5(NAMESPACE, f"content/{text}"))
