"""Deterministic ids: a UUID (RFC 9562) of what a record is about, so that repeated processing produces the same id."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence

import uuid_utils

ID_NAMESPACE = uuid_utils.UUID("6f0c2f3e-54b7-5d0c-9a0e-5b8b6c8b2a41")
"""UUID namespace of the bus. If it changed, every notice would appear to be new."""

_encode_compactly = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
_UUID_FIXED_BITS = 0xF << 76 | 0x3 << 62
_UUID_8 = 0x8 << 76 | 0x2 << 62


def make_notice_id(
    provider: str, agency: str, indicator_id: str, version: int, recipient: str, amendment: int = 0
) -> str:
    """Return the id of the notice of one version, or one amendment of it, from one State to another.

    The id depends on the provider and the agency, because several may publish the same attribute of the same MISP
    event, each with its own decision and conditions. The name is unambiguous: only the agency may contain a slash.
    """
    revision = _format_revision(version, amendment)
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"notice/{provider}/{agency}/{indicator_id}/{revision}/{recipient}"))


def make_item_id(provider: str, agency: str, indicator_id: str) -> str:
    """Return the id that all versions of an agency's item have in notices.

    Agencies of one State may share an indicator id, and a notice need not name its agency: its law may redact that.
    """
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"item/{provider}/{agency}/{indicator_id}"))


def make_draft_key(item_id: str, version: int, amendment: int = 0) -> bytes:
    """Return the record key of the draft of one version of an item, or of one amendment of it.

    Args:
        item_id: The item's id from `make_item_id`: an indicator id may belong to items of several agencies.
        version: The version.
        amendment: Number of the amendment of the version; 0 for what the agency published.
    """
    return f"{item_id}/{_format_revision(version, amendment)}".encode()


def make_ask_id(item_id: str, kind: str, place: str, number: int) -> str:
    """Return the id of an Ask in the conversation about an item.

    Args:
        item_id: The item's id from `make_item_id`.
        kind: Kind of the Ask.
        place: Version, amendment and receiving States.
        number: 1 for the first Ask of that kind at this place, and so on.
    """
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"ask/{item_id}/{kind}/{place}/{number}"))


def make_first_offer_id(item_id: str, version: int, recipient: str) -> str:
    """Return the id of the gate's offer of a version to a State: that of the first Ask for the acceptance.

    Args:
        item_id: The item's id from `make_item_id`.
        version: The version.
        recipient: The State.
    """
    return make_ask_id(item_id, "ACCEPT", f"{version}.0/{recipient}", 1)


def make_reply_id(from_state: str, to_state: str, ask: str, kind: str, result: str) -> str:
    """Return the id of a reply from one State to another.

    Args:
        from_state: The replying State.
        to_state: The State that gets the reply.
        ask: Id of the Ask.
        kind: Kind of the reply.
        result: The answer or the result; "" if it has neither.
    """
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"reply/{from_state}/{to_state}/{ask}/{kind}/{result}"))


def make_log_id(origin: str) -> str:
    """Return the id by which replies name an audit log.

    Args:
        origin: Its name in checkpoints, such as `ch.sharing/decisions/0`.
    """
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"log/{origin}"))


def make_checkpoint_id(text: bytes) -> str:
    """Return the id by which replies name a checkpoint: the same for the same signed text."""
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"checkpoint/{hashlib.sha256(text).hexdigest()}"))


def make_quarantine_id(topic: str, partition: int, offset: int) -> str:
    """Return the id of the quarantine record for a record of a topic."""
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"quarantine/{topic}/{partition}/{offset}"))


def make_imported_id(secret: bytes, provider: str, agency: str, identity: Sequence[str]) -> str:
    """Return the id of an item from a file: a UUIDv8 (RFC 9562) of an HMAC-SHA-256 under the agency's secret.

    Ids are in clear in record keys. Those of a public MISP feed, or a digest of a value that can be guessed, would tell
    anyone who reads the keys and has the same feed what the record contains.

    Args:
        secret: The agency's secret.
        provider: The publishing State.
        agency: The publishing agency.
        identity: What identifies the item: the kind of identity, and its parts. The same identity has the same id.
    """
    text = _encode_compactly([provider, agency, *identity])
    value = int.from_bytes(hmac.digest(secret, text.encode(), "sha256")[:16], "big")
    return str(uuid_utils.UUID(int=value & ~_UUID_FIXED_BITS | _UUID_8))


def make_content_id(text: str) -> str:
    """Return the id for an indicator without one that is explained but not published. The same text has the same id."""
    return str(uuid_utils.uuid5(ID_NAMESPACE, f"content/{text}"))


def _format_revision(version: int, amendment: int) -> str:
    return f"{version}.{amendment}" if amendment else str(version)
