"""Decodes blocks of outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sharing.conversation.revision import Revision
from sharing.errors import DecodeError
from sharing.model.decision import PackReference
from sharing.model.times import to_milliseconds
from sharing.outcomes.block_writing import SCHEMA, UNKNOWN_ID
from sharing.outcomes.outcome import (
    DecidedGroup,
    DecidedOutcome,
    FollowedOutcome,
    ItemOutcome,
    OutcomeBlock,
    QuarantinedOutcome,
    Told,
)
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing


def read_block(value: bytes | None, framing: Framing = SINGLE_OBJECT_FRAMING) -> OutcomeBlock:
    """Return the block in a record of a topic of outcomes.

    Args:
        value: The value of the record.
        framing: The framing of records.

    Raises:
        DecodeError: It is not such a block, or one of a release that this one does not know; update this reader then.
    """
    fields = get_codec(SCHEMA).decode(framing.to_single_object(value))
    try:
        return _read_fields(fields)
    except (LookupError, TypeError, ValueError) as error:
        raise DecodeError(
            f"a block of outcomes says what this release does not know ({type(error).__name__}); update this reader",
            cause="UNKNOWN_VALUE",
        ) from None


def _read_fields(fields: Mapping[str, Any]) -> OutcomeBlock:
    partition, at = fields["partition"], to_milliseconds(fields["written_at"])
    outcomes = [(each["agency"], _read_told(each)) for each in fields["outcomes"]]
    items = []
    for row in fields["rows"]:
        index = row["outcome"]
        if index < 0:
            raise LookupError
        agency, told = outcomes[index]
        revision = Revision(row["version"], row["amendment"])
        items.append(ItemOutcome(_format_id(row["indicator_id"]), revision, agency, told, at, partition))
    pack = PackReference(**fields["pack"])
    return OutcomeBlock(fields["state"], fields["writer"], partition, at, pack, tuple(items))


def _read_told(fields: Mapping[str, Any]) -> Told:
    """Return what one outcome says.

    Raises:
        ValueError: It has no statement or several, or has a value that this release does not know.
    """
    decided, quarantined, followed = fields["decided"], fields["quarantined"], fields["followed"]
    if [decided, quarantined, followed].count(None) != 2:  # noqa: PLR2004 one of three
        raise ValueError
    if decided is not None:
        groups = tuple(map(DecidedGroup.from_record, decided["groups"]))
        return DecidedOutcome(decided["is_closed"], groups, decided["is_shortened"])
    if quarantined is not None:
        return QuarantinedOutcome(**quarantined)
    return FollowedOutcome.from_record(followed)


def _format_id(packed: bytes) -> str | None:
    if packed == UNKNOWN_ID:
        return None
    text = packed.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
