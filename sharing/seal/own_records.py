"""Records that a State's worker keeps for itself on the cluster, such as drafts, sealed under the State's wrapping key.

Only the State that wrote a record reads it, so the data key of an epoch is wrapped under a symmetric key (AES key wrap,
RFC 3394) and no public key is needed. As in a message to another State, each record has a key of its own, derived from
the data key and from random bytes in the record, so the nonce of AES-256-GCM may be constant.

These records are not signed: a gate trusts what it can open, because only holders of its wrapping key can seal in this
way. A client that can write to the topic can delete a record, or put an old one in place of a new one.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, final

import fastavro
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from pydantic import SecretBytes

from sharing.seal.data_keys import EPOCH_MS_MAX, has_epoch_ended, require_clock
from sharing.seal.faults import SealError, SealFault
from sharing.seal.message_keys import (
    KEY_BYTES,
    SALT_BYTES,
    MessageKeyDeriver,
    decrypt,
    derive_message_key,
    encrypt_once,
)
from sharing.seal.padding import pad_content, remove_padding
from sharing.serialization.avro_primitives import encode_bytes, encode_long, encode_string
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.sign.content_commitment import derive_item_salt
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
        self._message_keys: MessageKeyDeriver | None = None
        self._wrapping_key = ""
        self._epoch = 0
        self._records = 0
        self._shared_head = b""
        self._wrapped = b""

    def seal_records(self, schema: str, records: Sequence[tuple[bytes, bytes]], now: int) -> list[bytes]:
        """Return the sealed records, under the data key that `begin_batch` has chosen.

        Args:
            schema: Name of the records' schema.
            records: The key of each record, which is ASCII text, and the record with its framing header.
            now: The time of the batch, in UTC milliseconds.

        Raises:
            SealError: One is too long, or no batch was begun at this time.
        """
        return self._seal(schema, records, now)[0]

    def seal_with_salts(
        self, schema: str, records: Sequence[tuple[bytes, bytes]], now: int
    ) -> tuple[list[bytes], list[bytes]]:
        """Return the sealed records, and for each the salt of commitments to what is in it.

        Arguments and faults as for `seal_records`. `open_with_salt` returns the salt again, as long as the record is
        kept.
        """
        sealed, message_keys = self._seal(schema, records, now)
        return sealed, list(map(derive_item_salt, message_keys))

    def _seal(self, schema: str, records: Sequence[tuple[bytes, bytes]], now: int) -> tuple[list[bytes], list[bytes]]:
        """Return the sealed records, and their keys."""
        if self._message_keys is None or not 0 <= now - self._epoch < EPOCH_MS_MAX:
            raise SealError(SealFault.NOT_SEALABLE, f"{self._state}: no data key was chosen for this time")
        self._records += len(records)
        derive_key, header, wrapped = self._message_keys.derive, self._header, self._wrapped
        shared_head = encode_string(schema) + self._shared_head
        salts = self._random(SALT_BYTES * len(records))
        sealed, message_keys = [], []
        for start, (key, value) in zip(range(0, len(salts), SALT_BYTES), records, strict=True):
            salt = salts[start : start + SALT_BYTES]
            head = b"".join((encode_bytes(key), shared_head, salt))
            message_key = derive_key(salt)
            ciphertext = encrypt_once(message_key, pad_content(value), head)
            sealed.append(b"".join((header, head, wrapped, encode_long(len(ciphertext)), ciphertext)))
            message_keys.append(message_key)
        return sealed, message_keys

    def begin_batch(self, key_id: KeyId, wrapping_key: SecretBytes, now: int) -> None:
        """Choose the data key of the records that follow; make one if the last has ended.

        Args:
            key_id: Id of the State's wrapping key.
            wrapping_key: The key: 32 bytes.
            now: The time, in UTC milliseconds.

        Raises:
            SealError: The clock is not in the years 2000 to 2099.
        """
        has_ended = has_epoch_ended(self._epoch, self._records, now) or key_id != self._wrapping_key
        if self._message_keys is not None and not has_ended:
            return
        require_clock(now)
        data_key = self._random(KEY_BYTES)
        self._message_keys = MessageKeyDeriver(data_key)
        self._wrapping_key, self._epoch, self._records = key_id, now, 0
        self._shared_head = encode_string(self._state) + encode_string(key_id) + encode_long(now)
        self._wrapped = encode_bytes(aes_key_wrap(wrapping_key.get_secret_value(), data_key))

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
    return open_with_salt(value, key, schema, state, find_wrapping_key)[0]


def open_with_salt(
    value: bytes, key: bytes, schema: str, state: str, find_wrapping_key: Callable[[KeyId], SecretBytes | None]
) -> tuple[bytes, bytes]:
    """Return the record that a State has sealed for itself, and the salt of commitments to what is in it.

    Arguments and faults as for `open_own_record`.
    """
    fields, head = decode_own_record(value)
    if (fields["id"], fields["schema"], fields["state"]) != (key.decode("ascii", "replace"), schema, state):
        raise SealError(SealFault.CONTENT_MISMATCH, f"the record is not the {schema} of {state} with this key")
    wrapping_key = find_wrapping_key(fields["wrapping_key"])
    if wrapping_key is None:
        raise SealError(
            SealFault.UNKNOWN_SEAL_KEY,
            f"{state}: the wrapping key of the record is not in the key folder; restore it from the backup",
        )
    data_key = unwrap_data_key(wrapping_key, fields["wrapped_key"])
    message_key = b"" if data_key is None else derive_message_key(data_key, fields["salt"])
    padded = decrypt(message_key, fields["ciphertext"], head) if message_key else None
    if padded is None:
        raise SealError(SealFault.NOT_OPENED, f"{state}: the {schema} does not open; it was altered")
    return remove_padding(padded), derive_item_salt(message_key)


def unwrap_data_key(wrapping_key: SecretBytes, wrapped: bytes) -> bytes | None:
    """Return a data key; None if it was wrapped under another wrapping key, or altered."""
    try:
        data_key = aes_key_unwrap(wrapping_key.get_secret_value(), wrapped)
    except (InvalidUnwrap, ValueError):
        return None
    return data_key if len(data_key) == KEY_BYTES else None


def read_own_record_key(value: bytes) -> bytes:
    """Return the topic key that a sealed record claims to have. Nothing is verified.

    Raises:
        SealError: It is not such a record.
    """
    return str(decode_own_record(value)[0]["id"]).encode()


def decode_own_record(value: bytes) -> tuple[Mapping[str, Any], bytes]:
    """Return the fields of a sealed record, and the bytes of its head. Nothing is verified.

    Raises:
        SealError: It is not such a record.
    """
    header = get_codec(SCHEMA_NAME).header
    if not value.startswith(header):
        raise SealError(SealFault.UNSEALED, "is not a record that this State has sealed")
    stream = io.BytesIO(value)
    stream.seek(len(header))
    head_schema, tail_schema = _parse_schemas()
    try:
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
