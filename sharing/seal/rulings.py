"""Sealed rulings: what an officer has signed, readable for the worker of the officer's State but not for operators.

A ruling names facts of an item and has the officer's words. The client that writes it encrypts the record under a key
of its own (AES-256-GCM) and seals that key to the State's seal key (HPKE, RFC 9180), so an officer's machine needs no
secret but the officer's own key.

Seal keys end after some weeks, and rulings are evidence for a year. So the worker that has opened a ruling wraps its
key under the State's wrapping key (AES key wrap, RFC 3394) and stores it with the digest of the ruling in the audit
log. Anyone who has the wrapping key can open the record as long as it is in the topic; when the record is deleted, the
content is gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from pydantic import SecretBytes

from sharing.errors import DecodeError
from sharing.model.times import from_milliseconds, to_milliseconds
from sharing.seal.data_keys import require_clock
from sharing.seal.faults import SealError, SealFault, show_state
from sharing.seal.hpke import SUITE_OF_ALGORITHM, OpeningKey, SealSuite, find_suite, wrap
from sharing.seal.message_keys import KEY_BYTES, decrypt, encrypt_once
from sharing.seal.own_records import unwrap_data_key
from sharing.seal.padding import pad_content, remove_padding
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.trust.canonical import encode_canonical
from sharing.trust.public_keys import KeyId, PublishedKey
from sharing.trust.verification import shorten

SCHEMA_NAME: Final = "sealed_ruling"

_INFO_DOMAIN: Final = "sharing/ruling-key/v1"
_HEAD_DOMAIN: Final = "sharing/sealed-ruling/v1"

FindWrappingKey = Callable[[KeyId], SecretBytes | None]
"""Returns a wrapping key of the State by its id, or None if it is not here."""


class KeptRulingKey(NamedTuple):
    """The key of a ruling, as a State keeps it.

    Attributes:
        wrapping_key: Id of the wrapping key of the State.
        wrapped: The key of the ruling under it.
    """

    wrapping_key: KeyId
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class OpenedRuling:
    """A ruling that was opened. Its `repr` shows no secret.

    Attributes:
        record: The record that the officer has signed, in single-object encoding. It is not verified.
        key: Its key.
    """

    record: bytes = field(repr=False)
    key: SecretBytes


def seal_ruling(
    record: bytes,
    state: str,
    seal_key: PublishedKey,
    random: Callable[[int], bytes],
    now: int,
    *,
    framing: Framing = SINGLE_OBJECT_FRAMING,
) -> bytes:
    """Return the sealed record of a ruling, framed. It is written to each of the partitions.

    Args:
        record: The signed record, in single-object encoding.
        state: The State of the officer.
        seal_key: The State's seal key: a verified one that is in force.
        random: Returns this many random bytes: `secrets.token_bytes`.
        now: The time, in UTC milliseconds.
        framing: The headers of records.

    Raises:
        SealError: The record is too long, nothing can be sealed to this key, or the clock is wrong.
    """
    require_clock(now)
    suite = find_suite(state, seal_key)
    key = random(KEY_BYTES)
    fields: dict[str, Any] = {
        "state": state, "suite": str(suite), "seal_key": seal_key.key_id, "sealed_at": from_milliseconds(now),
        "wrapped_key": wrap(state, seal_key, key, _encode_info(suite, state, now)),
    }  # fmt: skip
    fields["ciphertext"] = encrypt_once(key, pad_content(record), _encode_head(fields))
    return framing.frame(SCHEMA_NAME, get_codec(SCHEMA_NAME).encode(fields)[HEADER_LENGTH:])


def is_sealed_ruling(value: bytes) -> bool:
    """Return whether a record in single-object encoding says that it is a sealed ruling."""
    return value.startswith(get_codec(SCHEMA_NAME).header)


def open_ruling(value: bytes, state: str, opening_keys: Mapping[str, OpeningKey]) -> OpenedRuling:
    """Return the ruling that a client has sealed to this State's worker.

    Args:
        value: The sealed record, in single-object encoding.
        state: The State.
        opening_keys: This State's seal keys that may open, by id.

    Raises:
        SealError: It is not a sealed ruling, is sealed to another State or to a key that is not here, or was altered.
    """
    fields = _decode(value, state)
    suite, seal_key = fields["suite"], fields["seal_key"]
    if suite not in set(SealSuite):
        raise SealError(SealFault.UNKNOWN_SUITE, "the suite of the ruling is not known; update this worker")
    opening_key = opening_keys.get(seal_key)
    if opening_key is None:
        raise SealError(
            SealFault.UNKNOWN_SEAL_KEY,
            f"the ruling is sealed to the key {shorten(seal_key)}, which is not here or was revoked: rule again",
        )
    if SUITE_OF_ALGORITHM.get(opening_key.public_key.algorithm) != suite:
        raise SealError(SealFault.UNKNOWN_SUITE, "the suite of the ruling is not that of its key; rule again")
    info = _encode_info(suite, state, to_milliseconds(fields["sealed_at"]))
    key = opening_key.unwrap(fields["wrapped_key"], info)
    return OpenedRuling(_decrypt(fields, key), SecretBytes(key))


def wrap_ruling_key(key: SecretBytes, key_id: KeyId, wrapping_key: SecretBytes) -> KeptRulingKey:
    """Return the key of a ruling as its State keeps it.

    Args:
        key: The key of the ruling.
        key_id: Id of the State's wrapping key.
        wrapping_key: The wrapping key: 32 bytes.
    """
    return KeptRulingKey(key_id, aes_key_wrap(wrapping_key.get_secret_value(), key.get_secret_value()))


def unwrap_ruling_key(kept: KeptRulingKey, state: str, find_wrapping_key: FindWrappingKey) -> SecretBytes:
    """Return the key of a ruling from its stored form.

    Args:
        kept: The stored key.
        state: The State, for the message of an error.
        find_wrapping_key: Returns a wrapping key of the State by its id, or None.

    Raises:
        SealError: The wrapping key is not here, or the stored key was altered.
    """
    wrapping_key = find_wrapping_key(kept.wrapping_key)
    if wrapping_key is None:
        raise SealError(
            SealFault.UNKNOWN_SEAL_KEY,
            f"{state}: the wrapping key of the ruling is not in the key folder; restore it from the backup",
        )
    key = unwrap_data_key(wrapping_key, kept.wrapped)
    if key is None:
        raise SealError(SealFault.NOT_OPENED, f"{state}: the key of the ruling does not open; it was altered")
    return SecretBytes(key)


def open_ruling_with_key(value: bytes, state: str, key: SecretBytes) -> bytes:
    """Return the record of a sealed ruling whose key is known.

    Args:
        value: The sealed record, in single-object encoding.
        state: The State.
        key: The key of the ruling.

    Raises:
        SealError: It is not a sealed ruling of this State, has another key, or was altered.
    """
    return _decrypt(_decode(value, state), key.get_secret_value())


def _decode(value: bytes, state: str) -> Mapping[str, Any]:
    """Return the fields of a sealed ruling of this State, which must be in their canonical form."""
    if not is_sealed_ruling(value):
        raise SealError(
            SealFault.UNSEALED,
            "the ruling is not sealed to the State's worker; rule again with SHARING_TRUST_FILE or SHARING_KEY_FOLDER "
            "set",
        )
    codec = get_codec(SCHEMA_NAME)
    try:
        fields = codec.decode(value)
        is_exact = codec.encode(fields) == value
    except DecodeError as error:
        fault = SealFault.OVERSIZED if error.cause == "OVERSIZED" else SealFault.MALFORMED
        raise SealError(fault, f"the sealed ruling cannot be read ({error}); rule again") from None
    except (ValueError, OverflowError):
        is_exact = False
    if not is_exact:
        raise SealError(SealFault.MALFORMED, "the sealed ruling was altered, or is of a newer version; rule again")
    if fields["state"] != state:
        raise SealError(
            SealFault.WRONG_RECIPIENT,
            f"the ruling is sealed to the worker of {show_state(fields['state'])}, not of {state}; rule again as an "
            "officer of this State",
        )
    return fields


def _decrypt(fields: Mapping[str, Any], key: bytes) -> bytes:
    padded = decrypt(key, fields["ciphertext"], _encode_head(fields)) if len(key) == KEY_BYTES else None
    if padded is None:
        raise SealError(SealFault.NOT_OPENED, "the ruling does not open; it was altered, or its key is wrong")
    return remove_padding(padded)


def _encode_info(suite: str, state: str, sealed_at: int) -> bytes:
    """Return the HPKE context that is needed to open the key of a ruling: a list in canonical JSON."""
    return encode_canonical([_INFO_DOMAIN, str(suite), state, sealed_at])


def _encode_head(fields: Mapping[str, Any]) -> bytes:
    """Return what is authenticated with the content: all other fields, as a list in canonical JSON."""
    return encode_canonical([
        _HEAD_DOMAIN, fields["state"], fields["suite"], fields["seal_key"], to_milliseconds(fields["sealed_at"]),
        hashlib.sha256(fields["wrapped_key"]).hexdigest(),
    ])  # fmt: skip
