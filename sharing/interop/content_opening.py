"""The opening of a commitment: the salt, and the content of the item that a decision was about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sharing.errors import DecodeError, InputError
from sharing.interop.strict_json import StrictJsonParser
from sharing.serialization.codec import RECORD_BYTES_MAX, SINGLE_OBJECT_MARKER, get_codec
from sharing.serialization.indicator_encoder import IndicatorEncoder
from sharing.sign.content_commitment import is_commitment_to
from sharing.trust.faults import TrustError, TrustFault

_SCHEMA: Final = "indicator"


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens one commitment, and no other. The `repr` shows neither.

    Attributes:
        salt: The salt.
        content: The item as it was decided on, in single-object encoding; None if it is given separately.
    """

    salt: bytes = field(repr=False)
    content: bytes | None = field(default=None, repr=False)


def open_commitment(
    commitment: bytes, opening: Opening | None, content: bytes | None, item: str
) -> Mapping[str, Any] | None:
    """Return the item that a decision was about, decoded; None if that is not shown.

    Args:
        commitment: The commitment of the decision; empty if it has none.
        opening: What opens it; None if it is not given.
        content: The content, if it is given separately.
        item: Id of the item that the decision names.

    Raises:
        TrustError: The decision was about another content or another item, or there is no salt to compare it with.
    """
    if content is not None and not commitment:
        raise TrustError(TrustFault.CONFLICT, "nothing binds this entry to any content, so it cannot be compared")
    if opening is None:
        if content is not None:
            raise TrustError(
                TrustFault.CONFLICT,
                "does not have the salt that a content is compared with; export it with --with-salt",
            )
        return None
    if opening.content is not None and content is not None and opening.content != content:
        raise TrustError(TrustFault.CONFLICT, "shows content other than what you gave")
    shown = opening.content if content is None else content
    if shown is None:
        return None
    if not is_commitment_to(commitment, opening.salt, shown):
        raise TrustError(TrustFault.CONFLICT, "the decision was not about this content: it, or the salt, was altered")
    try:
        decoded = get_codec(_SCHEMA).decode(shown)
    except DecodeError:
        raise TrustError(
            TrustFault.MALFORMED,
            "the decision was about this content, but it is not an item that this program can read; a later release "
            "may have written it: update this program",
        ) from None
    if decoded["id"] != item:
        raise TrustError(TrustFault.CONFLICT, "the content is that of another item than the decision names")
    return decoded


def encode_content(data: bytes) -> bytes:
    """Return the content of a file in single-object encoding.

    Args:
        data: An item in the JSON form in which it was published, with its id; or in single-object encoding.

    Raises:
        InputError: It is neither, or not a valid item.
    """
    if data.startswith(SINGLE_OBJECT_MARKER):
        return data
    if len(data) > RECORD_BYTES_MAX:
        raise InputError(f"is not a single item: it has more than {RECORD_BYTES_MAX:,} bytes")
    try:
        parsed = StrictJsonParser().parse(data.decode())
    except UnicodeDecodeError:
        raise InputError("is not an item in JSON or in Avro single-object encoding") from None
    if parsed.fault or not isinstance(parsed.value, dict):
        raise InputError(f"is not an item in JSON: {parsed.fault or 'it is not an object'}")
    return get_codec(_SCHEMA).header + IndicatorEncoder().encode(parsed.value).data
