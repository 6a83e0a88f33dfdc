"""Deterministic ids: UUIDv5 (RFC 9562) of what a record is about, so that repeated processing produces the same id."""

from __future__ import annotations

import uuid_utils

ID_NAMESPACE = uuid_utils.UUID("6f0c2f3e-54b7-5d0c-9a0e-5b8b6c8b2a41")
"""UUID namespace of the bus. If it changed, every notice would appear to be new."""


def make_notice_id(provider: str, indicator_id: str, version: int, recipient: str) -> str:
    """Return the id of the notice of one version of an item from one State to another.

    The id depends on the provider, because two States may publish the same attribute of the same MISP event.
    """
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"notice/{provider}/{indicator_id}/{version}/{recipient}"))


def make_offer_id(provider: str, indicator_id: str, version: int, recipient: str) -> str:
    """Return the id of the offer of one version of an item from one State to another."""
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"offer/{provider}/{indicator_id}/{version}/{recipient}"))


def make_quarantine_id(topic: str, partition: int, offset: int) -> str:
    """Return the id of the quarantine record for a record of a topic."""
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"quarantine/{topic}/{partition}/{offset}"))


def make_value_id(provider: str, agency: str, type_name: str, value: str) -> str:
    """Return the id for a value in a file without an id. The same value always has the same id."""
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"misp/{provider}/{agency}/{type_name}/{value}"))


def make_content_id(text: str) -> str:
    """Return the id for an indicator without one that is explained but not published. The same text has the same id."""
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"content/{text}"))
