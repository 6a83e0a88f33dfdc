"""The parts of an item of a State's inbox, and their bytes: one Avro record of `schemas/inbox_item.avsc`.

An item's content is encrypted under a key of its own. That key is wrapped for each reader under a *data key* of that
reader and one epoch. The data key is sealed to the reader by HPKE, once for each epoch, and the State's gate signs it.
So a reader knows that the data key, and everything under it, comes from the gate. Each wrapped key is bound to the
whole item, so that a reader, who knows the item's key, cannot replace the content for the other readers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from sharing.errors import DecodeError
from sharing.model.times import format_time, to_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.seal.faults import SealError, SealFault
from sharing.serialization.avro_primitives import encode_bytes, encode_long, encode_string
from sharing.serialization.codec import OUTPUT_RECORD_BYTES_MAX, get_codec
from sharing.trust.canonical import encode_canonical

SCHEMA_NAME: Final = "inbox_item"
CONTENT_SUITE: Final = "AES-256-GCM"
READERS_MAX: Final = 64
"""A record with more readers is neither written nor read: each takes about 1.4 kB of it."""

_INFO_DOMAIN: Final = "sharing/inbox-data-key/v1"
_ITEM_DOMAIN: Final = b"sharing/inbox-item/v1\x00"
_KIND_INDEXES: Final = {kind: encode_long(index) for index, kind in enumerate(MessageKind)}


class ItemEnvelope(NamedTuple):
    """The unencrypted part of an item.

    Attributes:
        id: Id of the notice or offer.
        kind: What it is.
        from_state: The State that signed it.
        to_state: The State whose inbox it is.
        urgency: As in the content.
        received_at: When the gate opened it, in UTC milliseconds.
        signer: Id of the sender's key under which it was verified.
        suite: How the content is encrypted.
    """

    id: str
    kind: MessageKind
    from_state: str
    to_state: str
    urgency: str
    received_at: int
    signer: str
    suite: str = CONTENT_SUITE

    def encode(self) -> bytes:
        """Return its Avro bytes, as they are at the head of the record."""
        return b"".join((
            encode_bytes(self.id.encode()), _KIND_INDEXES[self.kind], encode_string(self.from_state),
            encode_string(self.to_state), encode_string(self.urgency), encode_long(self.received_at),
            encode_string(self.signer), encode_string(self.suite),
        ))  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReaderSlot:
    """What one reader needs to open the items of one epoch.

    Attributes:
        reader: Id of the reader's public key.
        suite: Suite by which the data key is sealed.
        epoch: When the data key was made, in UTC milliseconds.
        wrapped_data_key: The data key, sealed to the reader.
        algorithm: Algorithm of the signature.
        signer: Id of the gate's key that signed.
        signature: The gate's signature on all of it.
    """

    reader: str
    suite: str
    epoch: int
    wrapped_data_key: bytes
    algorithm: str
    signer: str
    signature: bytes

    def encode(self) -> bytes:
        """Return its Avro bytes, which are the same in all items of the epoch."""
        return b"".join((
            encode_string(self.reader), encode_string(self.suite), encode_long(self.epoch),
            encode_bytes(self.wrapped_data_key), encode_string(self.algorithm), encode_string(self.signer),
            encode_bytes(self.signature),
        ))  # fmt: skip

    def encode_statement(self) -> bytes:
        """Return what the gate signs, in canonical JSON.

        Raises:
            ValueError: The time is outside the years that the format has.
        """
        digest = hashlib.sha256(self.wrapped_data_key).hexdigest()
        made = {"reader": self.reader, "suite": self.suite, "epoch": format_time(self.epoch)}
        return encode_canonical({**made, "wrapped_data_key": digest})


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item as it was read. Nothing in it is verified.

    Attributes:
        envelope: The unencrypted part.
        ciphertext: The encrypted content.
        slots: For each reader its slot, and the item's key wrapped for it.
        envelope_bytes: The Avro bytes of the envelope.
    """

    envelope: ItemEnvelope
    ciphertext: bytes = field(repr=False)
    slots: tuple[tuple[ReaderSlot, bytes], ...] = field(repr=False)
    envelope_bytes: bytes = field(repr=False)

    def find_slot(self, reader: str) -> tuple[ReaderSlot, bytes] | None:
        """Return the slot of a reader, and the wrapped key; None if the item is not for it."""
        return next((entry for entry in self.slots if entry[0].reader == reader), None)


def encode_info(suite: str, state: str, reader: str, epoch: int) -> bytes:
    """Return the HPKE context that is needed to open a data key: a list in canonical JSON.

    Args:
        suite: Name of the suite.
        state: The State.
        reader: Id of the reader's public key.
        epoch: When the data key was made, in UTC milliseconds.
    """
    return encode_canonical([_INFO_DOMAIN, suite, state, reader, epoch])


def digest_item(envelope: bytes, ciphertext: bytes) -> bytes:
    """Return the digest of a whole item, which is authenticated with each wrapped key."""
    sha256 = hashlib.sha256
    return sha256(_ITEM_DOMAIN + sha256(envelope).digest() + sha256(ciphertext).digest()).digest()


def encode_item(envelope: bytes, ciphertext: bytes, slots: list[bytes]) -> bytes:
    """Return a record.

    Args:
        envelope: Bytes of the envelope.
        ciphertext: The encrypted content.
        slots: For each reader, the bytes of its slot and of the wrapped key.
    """
    array = [encode_long(len(slots)), *slots] if slots else []
    return b"".join((get_header(), envelope, encode_bytes(ciphertext), *array, b"\x00"))


def decode_item(value: bytes | None) -> ItemRecord:
    """Return the parts of a record.

    Args:
        value: The record in Avro single-object encoding.

    Raises:
        SealError: It is too long, or not an item of an inbox.
    """
    if value and len(value) <= OUTPUT_RECORD_BYTES_MAX and not value.startswith(get_header()):
        raise SealError(SealFault.UNSEALED, "the record is not sealed; only the gate may write to an inbox")
    try:
        fields = get_codec(SCHEMA_NAME).decode(value)
        envelope = ItemEnvelope(
            fields["id"], MessageKind(fields["kind"]), fields["from_state"], fields["to_state"], fields["urgency"],
            to_milliseconds(fields["received_at"]), fields["signer"], fields["suite"],
        )  # fmt: skip
        slots = tuple(map(_read_slot, fields["readers"]))
    except DecodeError as error:
        fault = SealFault.OVERSIZED if error.cause == "OVERSIZED" else SealFault.MALFORMED
        raise SealError(fault, str(error)) from None
    except (ValueError, OverflowError):
        raise SealError(
            SealFault.MALFORMED, "the record is not an inbox item of this version; update this program"
        ) from None
    if envelope.kind is MessageKind.UNKNOWN:
        raise SealError(SealFault.MALFORMED, "the item is of a kind that this version does not know; update it")
    if len(slots) > READERS_MAX:
        raise SealError(SealFault.MALFORMED, f"the item names more than {READERS_MAX} readers")
    return ItemRecord(envelope, fields["ciphertext"], slots, envelope.encode())


@cache
def get_header() -> bytes:
    """Return the single-object header of an item."""
    return get_codec(SCHEMA_NAME).header


def _read_slot(fields: dict[str, Any]) -> tuple[ReaderSlot, bytes]:
    slot = ReaderSlot(
        fields["reader"], fields["suite"], to_milliseconds(fields["epoch"]), fields["wrapped_data_key"],
        fields["algorithm"], fields["signer"], fields["signature"],
    )  # fmt: skip
    return slot, fields["wrapped_key"]
