"""An entry as its topic carries it: the signed document, and the document that it rests on.

A compacted topic keeps one record for each officer. So each record proves itself: an entry that one registrar has
signed carries the earlier entry, signed by two, whose roles and keys it keeps or narrows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sharing.errors import DecodeError
from sharing.serialization.codec import get_codec
from sharing.trust.faults import TrustError, TrustFault

SCHEMA: Final = "officer_entry"

RECORD_BYTES_MAX: Final = 100_000
"""Size limit of an encoded record, in bytes: two documents with all roles, keys, passkeys and the signatures they need.
"""


@dataclass(frozen=True, slots=True)
class OfficerRecord:
    """A record of the topic. Nothing in it is to be trusted before it was verified.

    Attributes:
        document: The signed entry, in canonical form.
        grant: The signed entry that it rests on, in canonical form; None if it needs none.
    """

    document: bytes
    grant: bytes | None = None

    def encode(self) -> bytes:
        """Return the record in single-object encoding."""
        return get_codec(SCHEMA).header + self.encode_unframed()

    def encode_unframed(self) -> bytes:
        """Return the record without a header."""
        return get_codec(SCHEMA).encode_unframed({"document": self.document, "grant": self.grant})


def decode_record(value: bytes | None) -> OfficerRecord:
    """Return the record in a value in single-object encoding. It is not verified.

    Raises:
        TrustError: It is a tombstone, too large, or no record of an officer.
    """
    if not value:
        raise TrustError(TrustFault.UNSIGNED, "is empty and unsigned; what was signed stays in force")
    if len(value) > RECORD_BYTES_MAX:
        raise TrustError(TrustFault.MALFORMED, f"has {len(value):,} bytes; the limit is {RECORD_BYTES_MAX:,}")
    try:
        record = get_codec(SCHEMA).decode(value)
    except DecodeError as error:
        raise TrustError(TrustFault.MALFORMED, f"is not the record of an officer: {error}") from None
    return OfficerRecord(record["document"], record["grant"])
