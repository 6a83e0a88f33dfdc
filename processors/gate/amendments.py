"""Amendments as the gate reads them: what an amendment says must agree with the item that it contains.

The conversation writes them, and they are sealed under the State's own key. They are checked anyway: an amendment that
does not agree is quarantined, and nothing in it is decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processors.gate.rejection import AmendmentError
from sharing.disclosure.amended_item import AmendedItem
from sharing.disclosure.amendments import check_amended_record
from sharing.errors import InputError
from sharing.model.indicator_record import extract_id
from sharing.model.vocabulary import Action, AmendmentKind
from sharing.serialization.codec import get_codec

if TYPE_CHECKING:
    from sharing.serialization.framing import Framing


def decode_amendment(value: bytes | None, framing: Framing) -> tuple[AmendedItem, dict[str, Any]]:
    """Return what an amendment says, and the amended item that it contains.

    Args:
        value: The amendment, opened.
        framing: The framing of records.

    Raises:
        DecodeError: It cannot be decoded.
    """
    amended = AmendedItem.from_record(get_codec("amendment").decode(framing.to_single_object(value)))
    return amended, get_codec("indicator").decode(amended.content)


def check_amendment(amended: AmendedItem, record: dict[str, Any], key: bytes | None, state: str) -> None:
    """Check that an amendment may be decided on.

    Args:
        amended: What it says.
        record: The amended item that it contains.
        key: The key of its record.
        state: The State of the gate.

    Raises:
        AmendmentError: It does not match the item in it.
        InputError: The item is invalid, belongs to another State, or its id is not the record's key.
    """
    check_amended_record(record)
    if record["source"]["state"] != state:
        raise InputError(
            f"source.state: the gate of {state} accepts only amendments of that State's own items", field="source.state"
        )
    if key != record["id"].encode():
        raise InputError("id: must equal the record key", field="id")
    stated = (amended.indicator_id, amended.agency, amended.revision.version)
    is_withdrawal = record["action"] == Action.WITHDRAW
    if (
        stated != (record["id"], record["source"]["agency"], record["version"])
        or amended.revision.amendment < 1
        or (amended.kind is AmendmentKind.WITHDRAWAL) is not is_withdrawal
    ):
        raise AmendmentError("MISMATCH", "the amendment does not match the item in it; find out what wrote it")


def find_indicator_id(key: bytes | None) -> str | None:
    """Return the id of the item of an amendment that may be malformed: its key, if that is a UUID."""
    return extract_id({"id": (key or b"").decode("ascii", "replace")})
