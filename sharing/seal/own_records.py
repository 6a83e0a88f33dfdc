"""Records that a State's worker keeps for itself on the cluster, such as drafts, sealed under the State's wrapping key.

Only the State that wrote a record reads it, so the data key of an epoch is wrapped under a symmetric key (AES key wrap,
RFC 3394) and no public key is needed. As in a message to another State, each record has a key of its own, derived from
the data key and from random bytes in the record, so the nonce of AES-256-GCM may be constant.

These records are not signed: a gate trusts what it can open, because only holders of its wrapping key can seal so. A
client that can write to the topic can delete a record, or put an old one in the place of a new one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, final

import fastavro
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from pydantic import SecretBytes

from sharing.seal.data_keys import EPOCH_MS_MAX, has_epoch_ended
from sharing.seal.faults import SealError, SealFault
from sharing.seal.message_keys import KEY_BYTES, SALT_BYTES, decrypt, derive_message_key, encrypt_once
from sharing.seal.padding import pad_content, remove_padding
from sharing.serialization.avro_primitives import encode_bytes, encode_long, encode_string
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.trust.public_keys import KeyId

SCHEMA_NAME: Final = "own_record"


@final
class OwnRecordSealer:
    """Seals a State's own records. It keeps the data key of the current epoch. Its `repr` shows no secret."""

    def __init__(self, state: str, random: Callable[[int], bytes], *, framing: Framing = SINGLE_OBJECT_FRAMING) -> None:
        """Begin without a data key.

        Args:
            state: The State.
            random: Returns this many random bytes: `secrets.token_bytes`.
            framing: The headers of records.
        """
        self._state = state
        self._random = random
        self._header = framing.get_header(SCHEMA_NAME)
        self._data_key = b""
        self._wrapping_key = ""
        self._epoch = 0
        self._records = 0
        self._shared_head = b""
        self._wrapped = b""

    def seal_record(self, schema: str, key: bytes, value: bytes, now: int) -> bytes:
        """Return the sealed record, under the data key that `begin_batch` has chosen.

        Args:
            schema: Name of the record's schema.
            key: The record's key, which is ASCII text.
            value: The record, with its framing header.
            now: The time of the batch, in UTC milliseconds.

        Raises:
            SealError: It is too long, or no batch was begun at this time.
        """
        if not self._data_key or not 0 <= now - self._epoch < EPOCH_MS_MAX:
            raise SealError(SealFault.NOT_SEALABLE, f"{self._state}: no data key was chosen for this time")
        self._records += 1
        salt = self._random(SALT_BYTES)
        head = b"".join((encode_bytes(key), encode_string(schema), self._shared_head, salt))
        ciphertext = encrypt_once(derive_message_key(self._data_key, salt), pad_content(value), head)
        return b"".join((self._header, head, self._wrapped, encode_long(len(ciphertext)), ciphertext))

    def begin_batch(self, key_id: KeyId, wrapping_key: SecretBytes, now: int) -> None:
        """Choose the data key of the records that follow; make one if the last has ended.

        Args:
            key_id: Id of the State's wrapping key.
            wrapping_key: The key: 32 bytes.
            now: The time, in UTC milliseconds.
        """
        has_ended = has_epoch_ended(self._epoch, self._records, now) or key_id != self._wrapping_key
        if self._data_key and not has_ended:
            return
        self._data_key = self._random(KEY_BYTES)
        self._wrapping_key, self._epoch, self._records = key_id, now, 0
        self._shared_head = encode_string(self._state) + encode_string(key_id) + encode_long(now)
        self._wrapped = encode_bytes(aes_key_wrap(wrapping_key.get_secret_value(), self._data_key))

    def __repr__(self) -> str:
        return f"OwnRecordSealer({self._state})"

    def __reduce__(self) -> str:
        raise TypeError("a data key is never copied or stored by pickle")


def open_own_record(
    value: bytes, key: bytes, schema: str, state: str, find_wrapping_key: Callable[[KeyId], SecretBytes | None]
) -> bytes:
    """Return the record that a State has sealed for itself, with its framing header.

    Args:
        value: The sealed record in Avro single-object encoding.
        key: The record's key on the topic.
        schema: Name of the schema that it must have.
        state: The State.
        find_wrapping_key: Returns a wrapping key by its id, or None.

    Raises:
        SealError: It is not such a record, or does not open.
    """
    fields, head = _decode(value)
    if (fields["id"], fields["schema"], fields["state"]) != (key.decode("ascii", "replace"), schema, state):
        raise SealError(SealFault.CONTENT_MISMATCH, f"the record is not the {schema} of {state} with this key")
    wrapping_key = find_wrapping_key(fields["wrapping_key"])
    if wrapping_key is None:
        raise SealError(
            SealFault.UNKNOWN_SEAL_KEY,
            f"{state}: the wrapping key of the record is not in the key folder; restore it from the backup",
        )
    try:
        data_key = aes_key_unwrap(wrapping_key.get_secret_value(), fields["wrapped_key"])
    except (InvalidUnwrap, ValueError):
        data_key = b""
    padded = None
    if len(data_key) == KEY_BYTES:
        padded = decrypt(derive_message_key(data_key, fields["salt"]), fields["ciphertext"], head)
    if padded is None:
        raise SealError(SealFault.NOT_OPENED, f"{state}: the {schema} does not open; it was altered")
    return remove_padding(padded)


def _decode(value: bytes) -> tuple[Mapping[str, Any], bytes]:
    """Return the fields of a sealed record, and the bytes of its head."""
    header = get_codec(SCHEMA_NAME).header
    stream = io.BytesIO(value)
    stream.seek(len(header))
    head_schema, tail_schema = _parse_schemas()
    try:
        if not value.startswith(header):
            raise ValueError
        head: Any = fastavro.schemaless_reader(stream, head_schema, None)
        end = stream.tell()
        tail: Any = fastavro.schemaless_reader(stream, tail_schema, None)
        if stream.read(1):
            raise ValueError
    except Exception:  # noqa: BLE001 fastavro raises many kinds on malformed bytes
        raise SealError(SealFault.MALFORMED, "is not a complete sealed record of this State") from None
    return {**head, **tail}, value[len(header) : end]


@cache
def _parse_schemas() -> tuple[Any, Any]:
    fields = get_codec(SCHEMA_NAME).schema["fields"]
    cut = next(index for index, field in enumerate(fields) if field["name"] == "wrapped_key")
    parts = (("OwnRecordHead", fields[:cut]), ("OwnRecordTail", fields[cut:]))
    head, tail = (
        fastavro.parse_schema({"type": "record", "name": f"sharing.parts.{name}", "fields": part}, {})
        for name, part in parts
    )
    return head, tail
