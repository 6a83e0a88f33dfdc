"""What a reader of a State's inbox does with an item: it verifies that the gate sealed it, and opens it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sharing.model.bounded_cache import BoundedCache
from sharing.seal.faults import SealError, SealFault, refuse_signer, show_state
from sharing.seal.hpke import SUITE_OF_ALGORITHM, OpeningKey
from sharing.seal.inbox_record import (
    CONTENT_SUITE,
    ItemEnvelope,
    ItemRecord,
    ReaderSlot,
    digest_item,
    encode_info,
)
from sharing.seal.inbox_sealing import NONCE_BYTES
from sharing.seal.item_decoder import ItemDecoder
from sharing.seal.message_keys import KEY_BYTES, decrypt
from sharing.seal.padding import remove_padding
from sharing.trust.documents import INSTANT_MAX, INSTANT_MIN
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.signatures import ObjectKind
from sharing.trust.verification import SIGNING_ROLES, ObjectSignature, find_online_key, shorten, verify_object

DATA_KEYS_MAX: Final = 256
"""How many verified data keys a reader remembers: a consumer that reads several partitions meets few at a time."""


@dataclass(frozen=True, slots=True)
class OpenedItem:
    """An item that was verified and opened.

    Attributes:
        envelope: The unencrypted part; it is authenticated.
        content: The complete Avro record of the notice or offer, with its framing header.
    """

    envelope: ItemEnvelope
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Check:
    """When the signer of a data key was last checked.

    Attributes:
        keys: The key statement that applied.
        second: The second of the reader's clock.
        revoked_at: From when the signer's key is revoked, in UTC milliseconds; None if it is not.
    """

    keys: TrustedKeys
    second: int
    revoked_at: int | None

    def holds(self, keys: TrustedKeys, second: int, arrived_at: int | None) -> bool:
        """Return whether the check need not be repeated for an item."""
        if self.keys is not keys or self.second != second:
            return False
        return self.revoked_at is None or (arrived_at is not None and arrived_at < self.revoked_at)


@final
class InboxOpener:
    """Opens the items of a State's inbox for one reader."""

    def __init__(self, state: str, key: OpeningKey) -> None:
        """Begin without data keys.

        Args:
            state: The State whose inbox it is.
            key: The reader's private key.
        """
        self._state = state
        self._key = key
        self._reader = key.public_key.key_id
        self._suite = SUITE_OF_ALGORITHM[key.public_key.algorithm]
        self._decoder = ItemDecoder()
        self._data_keys: BoundedCache[ReaderSlot, AESGCM] = BoundedCache(DATA_KEYS_MAX)
        self._checked: BoundedCache[ReaderSlot, _Check] = BoundedCache(DATA_KEYS_MAX)

    def open(self, value: bytes | None, keys: TrustedKeys, now: int, *, arrived_at: int | None = None) -> OpenedItem:
        """Return what is in an item.

        Args:
            value: The record in Avro single-object encoding.
            keys: The online keys of this State, verified from its pinned root.
            now: The reader's clock, in UTC milliseconds.
            arrived_at: When the item arrived in the inbox by the broker's clock, in UTC milliseconds: if the gate's key
                was revoked only afterwards, it is opened. None: it arrives now.

        Raises:
            SealError: It is not an item of this inbox, this reader is not in the list under which it was sealed, the
                gate of this State did not sign its data key, or something was altered.
        """
        record = self._decoder.decode(value)
        if record.envelope.to_state != self._state:
            raise SealError(
                SealFault.WRONG_RECIPIENT,
                f"the item belongs to the inbox of {show_state(record.envelope.to_state)}, not to that of "
                f"{self._state}",
            )
        if record.envelope.suite != CONTENT_SUITE:
            raise SealError(SealFault.UNKNOWN_SUITE, "the suite of the item is not known; update this program")
        found = record.find_slot(self._reader)
        if found is None:
            raise SealError(
                SealFault.UNKNOWN_SEAL_KEY,
                f"the item is not sealed to the reader's key {shorten(self._reader)}: the registrar of {self._state} "
                "had not named it in the list of readers when the item came",
            )
        slot, wrapped_key = found
        data_key = self._get_data_key(slot, keys, now, arrived_at)
        return OpenedItem(record.envelope, self._open_content(record, data_key, wrapped_key))

    def _get_data_key(self, slot: ReaderSlot, keys: TrustedKeys, now: int, arrived_at: int | None) -> AESGCM:
        """Return a data key that the gate has signed.

        The signer's key is checked again under each new key statement, and in each second: revocations take effect.
        """
        data_key = self._data_keys.get(slot)
        second = now // 1000
        checked = self._checked.get(slot)
        if data_key is not None and checked is not None and checked.holds(keys, second, arrived_at):
            return data_key
        if data_key is None:
            _verify_slot(slot, keys, now, arrived_at)
            if slot.suite != self._suite:
                raise SealError(SealFault.UNKNOWN_SUITE, "the suite of the data key is not known, or not the key's own")
            info = encode_info(slot.suite, self._state, slot.reader, slot.epoch)
            secret = self._key.unwrap(slot.wrapped_data_key, info)
            if len(secret) != KEY_BYTES:
                raise SealError(SealFault.NOT_OPENED, f"the data key does not have {KEY_BYTES} bytes")
            data_key = self._data_keys.put(slot, AESGCM(secret))
        else:
            try:
                role = SIGNING_ROLES[ObjectKind.INBOX_KEY]
                find_online_key(
                    keys, role, slot.signer, signed_at=slot.epoch, now=now, arrived_at=arrived_at, stamped_at=arrived_at
                )
            except TrustError as error:
                raise refuse_signer(error) from None
        revocation = keys.statement.find_revocation(slot.signer)
        self._checked.put(slot, _Check(keys, second, None if revocation is None else revocation.effective_at))
        return data_key

    @staticmethod
    def _open_content(record: ItemRecord, data_key: AESGCM, wrapped_key: bytes) -> bytes:
        envelope = record.envelope_bytes
        try:
            nonce, wrapped = wrapped_key[:NONCE_BYTES], wrapped_key[NONCE_BYTES:]
            item_key = data_key.decrypt(nonce, wrapped, digest_item(envelope, record.ciphertext))
        except (InvalidTag, ValueError):
            raise SealError(SealFault.NOT_OPENED, "the item was altered after the gate had sealed it") from None
        padded = decrypt(item_key, record.ciphertext, envelope)
        if padded is None:
            raise SealError(SealFault.NOT_OPENED, "the item was altered after the gate had sealed it")
        return remove_padding(padded)

    def __repr__(self) -> str:
        return f"InboxOpener({self._state}, {self._reader[:16]}…)"

    def __reduce__(self) -> str:
        raise TypeError("data keys are never copied or stored by pickle")


def _verify_slot(slot: ReaderSlot, keys: TrustedKeys, now: int, arrived_at: int | None) -> None:
    if not INSTANT_MIN <= slot.epoch <= INSTANT_MAX:
        raise SealError(SealFault.MALFORMED, "the item names an impossible epoch")
    signature = ObjectSignature(slot.algorithm, slot.signer, slot.signature)
    try:
        statement = slot.encode_statement()
        verify_object(
            keys,
            ObjectKind.INBOX_KEY,
            statement,
            signature,
            signed_at=slot.epoch,
            now=now,
            arrived_at=arrived_at,
            stamped_at=arrived_at,
        )
    except TrustError as error:
        raise refuse_signer(error) from None
