"""The opening of many own records of a State, most of which were sealed under a few data keys.

The records of one epoch have the same bytes between their id and their salt, and the same wrapped data key. So an epoch
is recognised by its bytes, and its data key is unwrapped once. Anything unexpected is opened by `open_own_record`,
which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, final

from pydantic import SecretBytes

from sharing.model.bounded_cache import BoundedCache
from sharing.seal.message_keys import SALT_BYTES, MessageKeyDeriver, decrypt
from sharing.seal.own_records import SCHEMA_NAME, decode_own_record, open_own_record, unwrap_data_key
from sharing.seal.padding import remove_padding
from sharing.serialization.avro_primitives import encode_bytes
from sharing.serialization.codec import HEADER_LENGTH, get_codec
from sharing.trust.public_keys import KeyId

EPOCHS_MAX: Final = 64
"""How many data keys are kept. Each worker of a State uses one for a minute at most."""

_SHORT_MAX: Final = 0x80
"""If the length of a text is encoded as one byte, that byte is even and below this."""

FindWrappingKey = Callable[[KeyId], SecretBytes | None]


class _Epoch(NamedTuple):
    """What the records of one epoch have in common.

    Attributes:
        key_id: Id of the wrapping key.
        wrapping_key: The wrapping key.
        wrapped: The data key, wrapped, as it is encoded in the records.
        message_keys: Derives the keys of the records.
    """

    key_id: KeyId
    wrapping_key: bytes
    wrapped: bytes
    message_keys: MessageKeyDeriver


@final
class OwnRecordOpener:
    """Opens the records of one schema that a State has sealed for itself. Its `repr` shows no secret.

    Args:
        schema: Name of the schema.
        state: The State.
    """

    def __init__(self, schema: str, state: str) -> None:
        self._schema = schema
        self._state = state
        self._header = get_codec(SCHEMA_NAME).header
        self._epochs: BoundedCache[bytes, _Epoch] = BoundedCache(EPOCHS_MAX)
        self._shared_bytes = 0

    def open(self, value: bytes, key: bytes, find_wrapping_key: FindWrappingKey) -> bytes:
        """Return a record, with its framing header; arguments and faults as for `open_own_record`."""
        opened = self._open_known(value, key, find_wrapping_key)
        if opened is None:
            opened = open_own_record(value, key, self._schema, self._state, find_wrapping_key)
            self._learn_epoch(value, key, find_wrapping_key)
        return opened

    def _open_known(self, value: bytes, key: bytes, find_wrapping_key: FindWrappingKey) -> bytes | None:
        """Return a record of an epoch that is known; None if it is not, or if the record is not as expected."""
        start = HEADER_LENGTH + 1 + len(key)
        expected = b"%b%c%b" % (self._header, 2 * len(key), key) if 2 * len(key) < _SHORT_MAX else None
        if expected is None or not value.startswith(expected):
            return None
        salt_at = start + self._shared_bytes
        epoch = self._epochs.get(value[start:salt_at])
        salt_end = salt_at + SALT_BYTES
        if epoch is None or not value.startswith(epoch.wrapped, salt_end):
            return None
        found = find_wrapping_key(epoch.key_id)
        if found is None or found.get_secret_value() != epoch.wrapping_key:
            return None
        ciphertext = _read_last_bytes(value, salt_end + len(epoch.wrapped))
        if ciphertext is None:
            return None
        message_key = epoch.message_keys.derive(value[salt_at:salt_end])
        padded = decrypt(message_key, ciphertext, value[HEADER_LENGTH:salt_end])
        return None if padded is None else remove_padding(padded)

    def _learn_epoch(self, value: bytes, key: bytes, find_wrapping_key: FindWrappingKey) -> None:
        """Keep the epoch of a record that has been opened."""
        fields, head = decode_own_record(value)
        wrapping_key = find_wrapping_key(fields["wrapping_key"])
        data_key = None if wrapping_key is None else unwrap_data_key(wrapping_key, fields["wrapped_key"])
        if wrapping_key is None or data_key is None:
            return  # a key was removed in the meantime
        shared = head[len(encode_bytes(key)) : -SALT_BYTES]
        if len(shared) != self._shared_bytes:
            self._epochs.clear()
            self._shared_bytes = len(shared)
        wrapped = encode_bytes(fields["wrapped_key"])
        epoch = _Epoch(fields["wrapping_key"], wrapping_key.get_secret_value(), wrapped, MessageKeyDeriver(data_key))
        self._epochs.put(shared, epoch)

    def __repr__(self) -> str:
        return f"OwnRecordOpener({self._schema}, {self._state})"

    def __reduce__(self) -> str:
        raise TypeError("a data key is never copied or stored by pickle")


def _read_last_bytes(value: bytes, position: int) -> bytes | None:
    """Return the last field of a record, which is of the type bytes; None if it does not end where the record ends."""
    length = shift = 0
    for place in range(position, min(position + 5, len(value))):
        byte = value[place]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value[place + 1 :] if not length & 1 and length >> 1 == len(value) - place - 1 else None
    return None
