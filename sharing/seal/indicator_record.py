"""The bytes of a sealed indicator: one Avro record of `schemas/sealed_indicator.avsc`.

A reader accepts only the canonical form that this module writes, so that nothing can be altered unnoticed.
"""

from __future__ import annotations

import hashlib
import io
from functools import cache
from typing import Any, Final, NamedTuple

import fastavro

from sharing.seal.faults import SealError, SealFault
from sharing.seal.padding import LENGTH_CLASSES
from sharing.serialization.avro_primitives import encode_bytes, encode_long, encode_string
from sharing.serialization.codec import HEADER_LENGTH, RECORD_BYTES_MAX, get_codec
from sharing.trust.canonical import encode_canonical
from sharing.trust.documents import INSTANT_MAX, INSTANT_MIN

SCHEMA_NAME: Final = "sealed_indicator"
NONCE_BYTES: Final = 12

INDICATOR_BYTES_MAX: Final = max(length for length in LENGTH_CLASSES if length < RECORD_BYTES_MAX) - 1
"""Longer indicators are not sealed: the sealed record would be longer than a record may be."""

_INFO_DOMAIN: Final = "sharing/indicator-data-key/v1"
_HASH_DOMAIN: Final = b"sharing/sealed-indicator/v1\x00"


class IndicatorHead(NamedTuple):
    """What precedes the nonce in a record; `schemas/sealed_indicator.avsc` describes the fields.

    `end` is where the nonce begins. The epoch is in UTC milliseconds.
    """

    wrapped_key: bytes
    state: str
    suite: str
    seal_key: str
    epoch: int
    end: int


def encode_info(suite: str, state: str, epoch: int) -> bytes:
    """Return the HPKE context that is needed to open the data key of a publisher: a list in canonical JSON.

    Args:
        suite: Name of the suite.
        state: The State.
        epoch: When the data key was made, in UTC milliseconds.
    """
    return encode_canonical([_INFO_DOMAIN, suite, state, epoch])


def encode_head(wrapped_key: bytes, state: str, suite: str, seal_key: str, epoch: int) -> bytes:
    """Return the bytes of a record before its nonce, without a header."""
    return b"".join(
        (encode_bytes(wrapped_key), encode_string(state), encode_string(suite), encode_string(seal_key))
    ) + encode_long(epoch)  # fmt: skip


def hash_head(head: bytes) -> bytes:
    """Return the authenticated part of the bytes before the nonce."""
    return hashlib.sha256(_HASH_DOMAIN + head).digest()


def decode_head(value: bytes) -> IndicatorHead:
    """Return the fields before the nonce, which must be in the canonical form of `encode_head`.

    Raises:
        SealError: They are not.
    """
    stream = io.BytesIO(value)
    stream.seek(HEADER_LENGTH)
    try:
        fields: Any = fastavro.schemaless_reader(stream, _parse_head_schema(), None)
        head = IndicatorHead(**fields, end=stream.tell())
        is_exact = INSTANT_MIN <= head.epoch <= INSTANT_MAX and (
            encode_head(*head[:-1]) == value[HEADER_LENGTH : head.end]
        )
    except Exception:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
        is_exact = False
    if not is_exact:
        raise make_malformed()
    return head


@cache
def _parse_head_schema() -> Any:
    fields = get_codec(SCHEMA_NAME).schema["fields"]
    cut = next(index for index, field in enumerate(fields) if field["name"] == "nonce")
    # Without the logical type of `epoch`: as an integer it comes back as it was written.
    plain = [field if field["name"] != "epoch" else {"name": "epoch", "type": "long"} for field in fields[:cut]]
    return fastavro.parse_schema({"type": "record", "name": "sharing.parts.SealedIndicatorHead", "fields": plain}, {})


def make_malformed() -> SealError:
    """Return the refusal of a record that is not complete or not in canonical form."""
    return SealError(SealFault.MALFORMED, "the record is not a complete sealed indicator; it was cut or altered")
